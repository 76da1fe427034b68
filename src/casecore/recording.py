"""The envelope an event is kept in, and its passage to and from bytes."""

from datetime import datetime
from hashlib import sha256
from typing import Any, get_args
from uuid import UUID

import msgspec

from casecore.actors import Actor
from casecore.case.events import CaseEvent
from casecore.clockset.events import ClockEvent
from casecore.errors import Unavailable, Unreadable
from casecore.goodwill.events import GoodwillPolicyEvent
from casecore.integrity import core_hash, next_head
from casecore.ledger import Row, Sealed
from casecore.sla.events import SlaEvent
from casecore.solutions.events import SolutionEvent

AnyEvent = CaseEvent | ClockEvent | SolutionEvent | GoodwillPolicyEvent | SlaEvent

UUID_V8 = 0x8 << 76 | 0x2 << 62
UUID_FREE = (1 << 128) - 1 & ~(0xF << 76 | 0x3 << 62)
"""The bits of a UUID that its version and variant leave (RFC 9562, 5.8)."""

EVENTS: dict[str, type[Any]] = {event.__name__: event for event in get_args(AnyEvent)}


class Logged(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an event was in the log it was imported from, in the terms of XES."""

    activity: str
    transition: str | None = None
    resource: str | None = None
    role: str | None = None
    group: str | None = None


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who, when and why: stored beside the event, and covered by its hash as stored."""

    occurred_at: datetime
    actor: Actor
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    logged: Logged | None = None


class Recorded(msgspec.Struct, frozen=True):
    ledger: str
    position: int
    stream_id: UUID
    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    command_id: UUID
    correlation_id: UUID | None
    causation_id: UUID | None
    head: bytes
    event: AnyEvent
    logged: Logged | None = None

    @property
    def event_id(self) -> UUID:
        return event_id(self.head)


encode = msgspec.json.Encoder().encode
_decode_meta = msgspec.json.Decoder(Meta).decode
_decode_data = {name: msgspec.json.Decoder(event).decode for name, event in EVENTS.items()}


def seal(
    ledger: str,
    stream_id: UUID,
    version: int,
    head: bytes,
    command_id: UUID,
    meta: bytes,
    event: AnyEvent,
) -> Sealed:
    """Put an event into its envelope, after the head before it; `meta` as it will be stored."""
    name = type(event).__name__
    data = encode(event)
    _decode_data[name](data)  # What could not be read back must never be written.
    data_hash = sha256(data).digest()
    core = core_hash(ledger, stream_id, version, name, command_id, meta, data_hash)
    return Sealed(name, meta, data, data_hash, next_head(head, core))


def from_row(ledger: str, row: Row) -> Recorded:
    try:
        meta = _decode_meta(row.meta)
    except ValueError as error:
        raise unreadable(row.type, error) from error
    return Recorded(
        ledger=ledger,
        position=row.position,
        stream_id=row.stream_id,
        version=row.version,
        occurred_at=meta.occurred_at,
        recorded_at=row.recorded_at,
        actor=meta.actor,
        command_id=row.command_id,
        correlation_id=meta.correlation_id,
        causation_id=meta.causation_id,
        head=row.head,
        event=event_of(row),
        logged=meta.logged,
    )


def event_id(head: bytes) -> UUID:
    """A UUIDv8 made of the head: an event is where it stands, after all before it."""
    return UUID(int=int.from_bytes(head[:16], "big") & UUID_FREE | UUID_V8)


def event_of(row: Row) -> AnyEvent:
    """The event alone, for whoever needs nothing of its envelope."""
    return decode_event(row.type, row.data)


def decode_event(type_: str, data: bytes) -> AnyEvent:
    if (decode := _decode_data.get(type_)) is None:
        raise Unavailable(
            "event-unknown",
            f"this casecore knows no event of type {type_}: a newer one wrote it, or a program of"
            " another kind",
        )
    try:
        event: AnyEvent = decode(data)
    except ValueError as error:
        raise unreadable(type_, error) from error
    return event


def unreadable(type_: str, error: ValueError) -> Unreadable:
    return Unreadable(
        "event-unreadable",
        f"an event that stands there as {type_} cannot be read ({error}): `casecore audit verify`"
        " says whether it was changed, and which it is",
    )
