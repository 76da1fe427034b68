"""One case: its file now and at any time before, and its history."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from api import scope
from api.answers import JSON_TYPE, Answer
from api.reading import Asked, Page, Params
from casecore.actors import Actor
from casecore.asking import Instant
from casecore.errors import Rejected
from casecore.ledger import Row
from casecore.recording import from_row
from projections import paging

VERSION_MAX = 10**9

Version = Annotated[int, Meta(ge=1, le=VERSION_MAX)]


class CaseAt(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at_version: Version | None = None
    """As it was when it had come to this version."""
    as_of: Instant | None = None
    """As it was known at this time."""


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


class Place(NamedTuple):
    version: Version


async def get_case(asked: Asked) -> Answer:
    """A case: its file as it stands, or as it was at a version or a time."""
    case_id = asked.ids["case_id"]
    params: CaseAt = asked.params
    filed = await scope.readable(asked.caller, case_id)
    if params.at_version is not None and params.as_of is not None:
        raise Rejected("version-or-time", "give at_version or as_of, not both", field="as_of")
    if params.at_version is not None:
        filed = await asked.desk.files.at_version(case_id, params.at_version)
    elif params.as_of is not None:
        filed = await asked.desk.files.as_of(case_id, params.as_of)
    tags = ((b"etag", b'"%d"' % filed.version), (b"case-version", b"%d" % filed.version))
    return Answer(filed.body, (JSON_TYPE, *tags))


async def get_history(asked: Asked) -> paging.Page[Told]:
    """Everything that happened to a case, in order, each with its envelope and a sentence."""
    case_id = asked.ids["case_id"]
    page: Page = asked.params
    await scope.readable(asked.caller, case_id)
    place = paging.place_of(page.after, Place)
    after = place.version if place else 0
    rows = await asked.desk.recorder.history(case_id, after=after, upto=after + page.limit + 1)
    events = [told(asked.desk.ledger, row) for row in rows]
    return paging.page(events, page.limit, lambda event: Place(event.version))


def told(ledger: str, row: Row) -> Told:
    recorded = from_row(ledger, row)
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
