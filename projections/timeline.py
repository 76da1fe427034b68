"""What happened to each case, one sentence an event."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, NamedTuple, get_args
from uuid import UUID

import msgspec
from msgspec import Meta

from casecore.actors import Role
from casecore.case.events import CaseEvent
from casecore.case.events.ownership import CaseAssigned, OwnershipTransferred
from casecore.database import Pool
from casecore.recording import AnyEvent, Recorded
from casecore.tables import columns, row_of
from projections.paging import Page, page, place_of


class Moment(msgspec.Struct, frozen=True):
    case_id: UUID
    version: int
    """The number of the event within the case."""
    position: int
    """The number of the event within the ledger."""
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    role: Role
    on_behalf_of: str | None
    type: str
    sentence: str
    """What happened, for people to read."""
    agent: str | None = None
    """Whom it makes the owner of the case."""


NAME = "timeline"
VERSION = 2
ROW = Moment
KEY: tuple[str, ...] = ("case_id", "version")
BY_STREAM = True
ONCE = True
READS: frozenset[type] = frozenset(get_args(CaseEvent))
INDEXES: tuple[str, ...] = ()

Key = tuple[UUID, int]


def keys(recorded: Recorded) -> Iterable[Key]:
    return [(recorded.stream_id, recorded.version)]


def fold(key: Key, row: Moment | None, recorded: Recorded) -> Moment:
    actor = recorded.actor
    return Moment(
        *key,
        position=recorded.position,
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        actor=actor.id,
        role=actor.role,
        on_behalf_of=actor.on_behalf_of,
        type=type(recorded.event).__name__,
        sentence=f"{actor.id} ({actor.role}) {recorded.event.told()}.",
        agent=new_owner(recorded.event),
    )


def new_owner(event: AnyEvent) -> str | None:
    match event:
        case CaseAssigned():
            return event.agent
        case OwnershipTransferred():
            return event.to_agent
    return None


class Place(NamedTuple):
    version: Annotated[int, Meta(ge=0, le=2**31 - 1)]


async def of_case(
    pool: Pool, ledger: int, case_id: UUID, *, after: str | None = None, limit: int = 50
) -> Page[Moment]:
    place = place_of(after, Place)
    rows = await pool.fetch(
        f"""
        SELECT {columns(ROW)} FROM ops.timeline
        WHERE ledger = $1 AND case_id = $2 AND version > $3
        ORDER BY version LIMIT $4
        """,
        ledger,
        case_id,
        place.version if place else 0,
        limit + 1,
    )
    return page([row_of(ROW, row) for row in rows], limit, lambda m: Place(m.version))
