"""Events as CloudEvents 1.0 in JSON: one line each, from which the same ledger could be filled.

Meta and data are there byte for byte, because they were hashed as they are stored: data as the JSON
that it is, meta as a text, since an attribute of a CloudEvent may not be an object. Data that a
line of JSON would not bring back exactly (written by others: no JSON, or on several lines) is
`data_base64`.
"""

from base64 import b64decode, b64encode
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, UnsetType

from casecore.ledger import Row
from casecore.recording import Meta, event_id

SPECVERSION = "1.0"
NAMESPACE = "casecore."
JSON_CONTENT = "application/json"
BINARY_CONTENT = "application/octet-stream"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event, as CloudEvents 1.0 has it; its extension attributes make it complete."""

    specversion: str
    id: UUID
    """Made of the head: whoever holds the chain can check it."""
    source: str
    """The stream: /ledgers/{ledger}/streams/{stream_id}."""
    type: str
    subject: str
    """The stream's id: of a case, its case_id."""
    time: datetime
    """When it happened; recordedat says when it was written."""
    datacontenttype: str
    position: int
    """Place in the ledger: without gaps, in the order of commit. To be given as `after`."""
    version: int
    """Place in its stream."""
    recordedat: datetime
    commandid: UUID
    correlationid: UUID | None = None
    causationid: UUID | None = None
    actor: str | None = None
    actorrole: str | None = None
    datahash: str
    """SHA-256 of the data as it is stored, in hexadecimal."""
    head: str
    """The hash that pins this event and all before it in its stream, in hexadecimal."""
    meta: str | None = None
    """Who, when and why, exactly as it is stored and hashed: the text of a JSON object."""
    metabase64: str | None = None
    """Instead of meta, when that is no text."""
    data: Raw | UnsetType = UNSET
    """The event itself, exactly as it is stored and hashed."""
    data_base64: str | None = None
    """Instead of data, when that is not JSON on one line."""


class _Enclosing(msgspec.Struct):
    data: Raw


class _Source(NamedTuple):
    ledger: str
    stream_id: UUID


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CloudEvent).decode
_decode_meta = msgspec.json.Decoder(Meta).decode
_decode_enclosing = msgspec.json.Decoder(_Enclosing).decode


def to_cloudevent(ledger: str, row: Row) -> bytes:
    """The event on one line."""
    known, text, as_json = meta_of(row), text_of(row.meta), is_json(row.data)
    return _encode(
        CloudEvent(
            specversion=SPECVERSION,
            id=event_id(row.head),
            source=f"/ledgers/{quote(ledger, safe='')}/streams/{row.stream_id}",
            type=NAMESPACE + row.type,
            subject=str(row.stream_id),
            time=known.occurred_at if known else row.recorded_at,
            datacontenttype=JSON_CONTENT if as_json else BINARY_CONTENT,
            position=row.position,
            version=row.version,
            recordedat=row.recorded_at,
            commandid=row.command_id,
            correlationid=known.correlation_id if known else None,
            causationid=known.causation_id if known else None,
            actor=known.actor.id if known else None,
            actorrole=known.actor.role.value if known else None,
            datahash=row.data_hash.hex(),
            head=row.head.hex(),
            meta=text,
            metabase64=b64encode(row.meta).decode() if text is None else None,
            data=Raw(row.data) if as_json else UNSET,
            data_base64=None if as_json else b64encode(row.data).decode(),
        )
    )


def from_cloudevent(line: bytes | str) -> tuple[str, Row]:
    """The ledger and the stored event that a line tells; ValueError when it tells none."""
    event = _decode(line)
    if event.specversion != SPECVERSION or not event.type.startswith(NAMESPACE):
        raise ValueError(f"no event of casecore: {event.type}, CloudEvents {event.specversion}")
    source = source_of(event)
    return source.ledger, Row(
        position=event.position,
        stream_id=source.stream_id,
        version=event.version,
        type=event.type.removeprefix(NAMESPACE),
        recorded_at=event.recordedat,
        command_id=event.commandid,
        meta=stored(None if event.meta is None else event.meta.encode(), event.metabase64, "meta"),
        data=stored(None if event.data is UNSET else bytes(event.data), event.data_base64, "data"),
        data_hash=bytes.fromhex(event.datahash),
        head=bytes.fromhex(event.head),
    )


def meta_of(row: Row) -> Meta | None:
    try:
        return _decode_meta(row.meta)
    except ValueError:  # Not written by us.
        return None


def text_of(stored: bytes) -> str | None:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return None


def is_json(data: bytes) -> bool:
    """Whether it comes back from an envelope on one line exactly as it is."""
    try:
        data.decode()
        enclosed = bytes(_decode_enclosing(b'{"data":%b}' % data).data)
    except (ValueError, RecursionError):
        return False
    return enclosed == data and b"\n" not in data and b"\r" not in data


def source_of(event: CloudEvent) -> _Source:
    match event.source.split("/"):
        case ["", "ledgers", ledger, "streams", stream_id]:
            return _Source(unquote(ledger), UUID(stream_id))
    raise ValueError(f"no stream of casecore: {event.source}")


def stored(plain: bytes | None, encoded: str | None, what: str) -> bytes:
    if plain is not None:
        return plain
    if encoded is not None:
        return b64decode(encoded, validate=True)
    raise ValueError(f"the event has no {what}")
