"""The callbacks that customers were told to expect, and whether they got them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.case.events.callbacks import (
    AttemptOutcome,
    CallbackAbandoned,
    CallbackAttempted,
    CallbackPurpose,
    CallbackScheduled,
    CustomerCalledBack,
)
from casecore.database import Pool
from casecore.recording import Recorded
from casecore.tables import columns, row_of
from projections.paging import Instant, Page, page, place_of

CallbackState = Literal["scheduled", "completed", "abandoned"]


class Callback(msgspec.Struct, frozen=True):
    case_id: UUID
    callback_id: str
    """Its number within the case: b1, b2."""
    purpose: CallbackPurpose
    state: CallbackState
    window_start: datetime
    window_end: datetime
    zone: str
    """The customer's time zone, in which the window was agreed."""
    attempts_max: int
    scheduled_by: str
    attempts: int = 0
    last_outcome: AttemptOutcome | None = None
    last_attempt_at: datetime | None = None
    ended_at: datetime | None = None
    """When the customer was called back, or the callback given up."""
    ended_by: str | None = None
    all_concerns_settled: bool | None = None
    updated_at: datetime | None = None


NAME = "callbacks"
VERSION = 1
ROW = Callback
KEY: tuple[str, ...] = ("case_id", "callback_id")
BY_STREAM = True
ONCE = False
Event = CallbackScheduled | CallbackAttempted | CustomerCalledBack | CallbackAbandoned
READS: frozenset[type] = frozenset(get_args(Event))
INDEXES: tuple[str, ...] = (
    "(ledger, window_end, case_id, callback_id)",
    "(ledger, state, window_end, case_id, callback_id)",
)

Key = tuple[UUID, str]


def keys(recorded: Recorded) -> Iterable[Key]:
    assert isinstance(recorded.event, Event)
    return [(recorded.stream_id, recorded.event.callback_id)]


def fold(key: Key, row: Callback | None, recorded: Recorded) -> Callback:
    event, at = recorded.event, recorded.recorded_at
    if isinstance(event, CallbackScheduled):
        return Callback(
            *key,
            purpose=event.purpose,
            state="scheduled",
            window_start=event.window_start,
            window_end=event.window_end,
            zone=event.zone,
            attempts_max=event.attempts_max,
            scheduled_by=recorded.actor.id,
            updated_at=at,
        )
    assert row is not None
    match event:
        case CallbackAttempted():
            return replace(
                row,
                attempts=row.attempts + 1,
                last_outcome=event.outcome,
                last_attempt_at=event.attempted_at or recorded.occurred_at,
                updated_at=at,
            )
        case CustomerCalledBack():
            return replace(
                row,
                state="completed",
                ended_at=event.called_at or recorded.occurred_at,
                ended_by=recorded.actor.id,
                all_concerns_settled=event.all_concerns_settled,
                updated_at=at,
            )
        case CallbackAbandoned():
            return replace(
                row,
                state="abandoned",
                ended_at=recorded.occurred_at,
                ended_by=recorded.actor.id,
                updated_at=at,
            )
    return row


class Place(NamedTuple):
    window_end: Instant
    case_id: UUID
    callback_id: str


async def listed(
    pool: Pool,
    ledger: int,
    *,
    case_id: UUID | None = None,
    state: CallbackState | None = None,
    due_before: datetime | None = None,
    scheduled_by: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Callback]:
    """Those whose window ends first come first."""
    rows = await pool.fetch(
        f"""
        SELECT {columns(ROW)} FROM ops.callbacks
        WHERE ledger = $1
          AND ($2::uuid IS NULL OR case_id = $2)
          AND ($3::text IS NULL OR state = $3)
          AND ($4::timestamptz IS NULL OR window_end < $4)
          AND ($5::text IS NULL OR scheduled_by = $5)
          AND ($6::timestamptz IS NULL OR (window_end, case_id, callback_id) > ($6, $7, $8))
        ORDER BY window_end, case_id, callback_id LIMIT $9
        """,
        ledger,
        case_id,
        state,
        due_before,
        scheduled_by,
        *(place_of(after, Place) or (None, None, None)),
        limit + 1,
    )
    callbacks = [row_of(ROW, row) for row in rows]
    return page(callbacks, limit, lambda c: Place(c.window_end, c.case_id, c.callback_id))
