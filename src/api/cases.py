"""One case: its file now and at any time before, its history, and its replay."""

from datetime import datetime
from itertools import islice
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

from api import scope
from api.answers import JSON_TYPE, Answer
from api.reading import Asked, Cursor, Limit, Page, Params, Position, refuse_future
from casecore.actors import Actor
from casecore.asking import Instant
from casecore.errors import Rejected
from casecore.ledger import Row
from casecore.recording import Recorded, from_row
from projections import paging, replay

VERSION_MAX = 10**9

Version = Annotated[int, Meta(ge=1, le=VERSION_MAX)]


class CaseAt(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at_version: Version | None = None
    """As it was when it had come to this version."""
    at_position: Position | None = None
    """As it was when the ledger had come to this position."""
    as_of: Instant | None = None
    """As it was known at this time: of what had been recorded by then."""
    happened_by: Instant | None = None
    """As it is now known to have been at this time: of what had happened by then, also when it was
    recorded later, in the order of happening."""


class ReplayOf(CaseAt, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Limit = 50
    after: Cursor | None = None
    """The `next` of the page before."""


class Told(msgspec.Struct, frozen=True):
    """One event, as it is kept and as a person would tell it."""

    version: int
    position: int
    type: str
    sentence: str
    actor: Actor
    occurred_at: datetime
    recorded_at: datetime
    event_id: UUID
    command_id: UUID
    correlation_id: UUID | None
    causation_id: UUID | None
    head: str
    """The hash that pins this event and all before it, in hexadecimal."""
    data: msgspec.Raw
    """The event itself, exactly as it is stored."""


class Replayed(Told, frozen=True):
    """One event, and what it made of the case."""

    changes: tuple[replay.Change, ...]
    """How the case's file after the event differs from before it."""


class Place(NamedTuple):
    version: Version


class StepPlace(NamedTuple):
    steps: Version
    known: Version
    """The version the case had come to when the first page was read: later pages know no more."""


async def get_case(asked: Asked) -> Answer:
    """A case: its file as it stands, or as it was at a version, a position or a time."""
    case_id = asked.ids["case_id"]
    filed = await scope.readable(asked.caller, case_id)
    past = past_of(asked.params, asked.now)
    if any(given is not None for given in past):
        filed = await replay.filed(asked.desk.recorder, case_id, past)
    tags = ((b"etag", b'"%d"' % filed.version), (b"case-version", b"%d" % filed.version))
    return Answer(filed.body, (JSON_TYPE, *tags))


def past_of(params: CaseAt, now: datetime) -> replay.Past:
    if params.as_of is not None:
        refuse_future(params.as_of, now)
    past = replay.Past(params.at_version, params.at_position, params.as_of, params.happened_by)
    known = [name for name in past._fields[:3] if getattr(past, name) is not None]
    if len(known) > 1:
        raise Rejected(
            "version-or-time",
            f"give {' or '.join(known)}, not both: each says how much was known",
            field=known[-1],
        )
    return past


async def get_history(asked: Asked) -> paging.Page[Told]:
    """Everything that happened to a case, in order, each with its envelope and a sentence."""
    case_id = asked.ids["case_id"]
    page: Page = asked.params
    await scope.readable(asked.caller, case_id)
    place = paging.place_of(page.after, Place)
    after = place.version if place else 0
    rows = await asked.desk.recorder.history(case_id, after=after, upto=after + page.limit + 1)
    events = [told(row, from_row(asked.desk.ledger, row)) for row in rows]
    return paging.page(events, page.limit, lambda event: Place(event.version))


async def get_replay(asked: Asked) -> paging.Page[Replayed]:
    """A case gone through again: event by event, and what each changed.

    In the order in which it was recorded, or with `happened_by` in the order of happening."""
    case_id = asked.ids["case_id"]
    params: ReplayOf = asked.params
    await scope.readable(asked.caller, case_id)
    place = paging.place_of(params.after, StepPlace) or StepPlace(0, VERSION_MAX)
    past = past_of(params, asked.now)
    known = [
        one
        for one in await replay.history(asked.desk.recorder, case_id, past)
        if one.row.version <= place.known
    ]
    upto = StepPlace(place.steps + params.limit, max((one.row.version for one in known), default=1))
    steps = islice(replay.steps(known), place.steps, upto.steps + 1)
    return paging.page([replayed(step) for step in steps], params.limit, lambda _: upto)


def replayed(step: replay.Step) -> Replayed:
    event = told(*step.known)
    return Replayed(**asdict(event), changes=step.changes)


def told(row: Row, recorded: Recorded) -> Told:
    return Told(
        version=row.version,
        position=row.position,
        type=row.type,
        sentence=f"{recorded.actor.id} {recorded.event.told()}",
        actor=recorded.actor,
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        event_id=recorded.event_id,
        command_id=recorded.command_id,
        correlation_id=recorded.correlation_id,
        causation_id=recorded.causation_id,
        head=row.head.hex(),
        data=msgspec.Raw(row.data),
    )
