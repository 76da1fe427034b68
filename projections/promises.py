"""Every promise made to a customer, and what became of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.case.events.callbacks import FollowUpScheduled
from casecore.case.events.promises import (
    PromiseBasis,
    PromiseBroken,
    PromiseEvent,
    PromiseKept,
    PromiseKind,
    PromiseMade,
    PromiseReleased,
    PromiseRenegotiated,
)
from casecore.database import Pool
from casecore.recording import Recorded
from casecore.tables import columns, row_of
from projections.paging import Instant, Page, page, place_of

PromiseState = Literal["open", "kept", "broken", "released"]


class Promise(msgspec.Struct, frozen=True):
    case_id: UUID
    promise_id: str
    """Its number within the case: p1, p2."""
    kind: PromiseKind
    text: str
    state: PromiseState
    due_at: datetime
    """By when it is to be kept; after renegotiation in time, the new date."""
    made_by: str
    made_at: datetime
    basis: PromiseBasis
    replaces: str | None = None
    """The broken promise that this one was agreed upon instead of."""
    renegotiated: int = 0
    """How often its date was moved before it passed."""
    protected_by: str | None = None
    """The follow-up that is due before it."""
    kept_at: datetime | None = None
    broken_at: datetime | None = None
    """When it was found broken, which is after it was due."""
    fulfilled_at: datetime | None = None
    """When what was promised happened after all, too late."""
    settled_recorded_at: datetime | None = None
    """When it was recorded that it was kept, broken or released, however long after that was."""
    updated_at: datetime | None = None


NAME = "promises"
VERSION = 2
ROW = Promise
KEY: tuple[str, ...] = ("case_id", "promise_id")
BY_STREAM = True
ONCE = False
READS: frozenset[type] = frozenset({*get_args(PromiseEvent), FollowUpScheduled})
INDEXES: tuple[str, ...] = (
    "(ledger, due_at, case_id, promise_id)",
    "(ledger, state, due_at, case_id, promise_id)",
    "(ledger, made_by, due_at, case_id, promise_id)",
)

Key = tuple[UUID, str]


def keys(recorded: Recorded) -> Iterable[Key]:
    event = recorded.event
    if isinstance(event, FollowUpScheduled):
        promise_id = event.protects_promise_id
        return [(recorded.stream_id, promise_id)] if promise_id else []
    assert isinstance(event, PromiseEvent)
    return [(recorded.stream_id, event.promise_id)]


def fold(key: Key, row: Promise | None, recorded: Recorded) -> Promise:
    event, at = recorded.event, recorded.recorded_at
    if isinstance(event, PromiseMade):
        return Promise(
            *key,
            kind=event.kind,
            text=event.text,
            state="open",
            due_at=event.due_at,
            made_by=event.made_by,
            made_at=recorded.occurred_at,
            basis=event.basis,
            replaces=event.replaces,
            updated_at=at,
        )
    assert row is not None
    match event:
        case PromiseKept():
            return replace(
                row,
                state="kept",
                kept_at=event.kept_at,
                settled_recorded_at=at,
                updated_at=at,
            )
        case PromiseBroken():
            return replace(
                row,
                state="broken",
                broken_at=row.broken_at or event.detected_at,
                fulfilled_at=event.fulfilled_at,
                settled_recorded_at=row.settled_recorded_at or at,
                updated_at=at,
            )
        case PromiseRenegotiated():
            renegotiated = row.renegotiated + 1
            return replace(row, due_at=event.due_at, renegotiated=renegotiated, updated_at=at)
        case PromiseReleased():
            return replace(row, state="released", settled_recorded_at=at, updated_at=at)
        case FollowUpScheduled():
            return replace(row, protected_by=event.followup_id, updated_at=at)
    return row


class Place(NamedTuple):
    due_at: Instant
    case_id: UUID
    promise_id: str


async def listed(
    pool: Pool,
    ledger: int,
    *,
    case_id: UUID | None = None,
    state: PromiseState | None = None,
    made_by: str | None = None,
    due_before: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Promise]:
    """Those due first come first."""
    place = place_of(after, Place)
    rows = await pool.fetch(
        f"""
        SELECT {columns(ROW)} FROM ops.promises
        WHERE ledger = $1
          AND ($2::uuid IS NULL OR case_id = $2)
          AND ($3::text IS NULL OR state = $3)
          AND ($4::text IS NULL OR made_by = $4)
          AND ($5::timestamptz IS NULL OR due_at < $5)
          AND ($6::timestamptz IS NULL OR (due_at, case_id, promise_id) > ($6, $7, $8))
        ORDER BY due_at, case_id, promise_id LIMIT $9
        """,
        ledger,
        case_id,
        state,
        made_by,
        due_before,
        *(place or (None, None, None)),
        limit + 1,
    )
    promises = [row_of(ROW, row) for row in rows]
    return page(promises, limit, lambda p: Place(p.due_at, p.case_id, p.promise_id))
