"""What waits for an owner, in the order in which it is to be taken on.

Everybody sees the same order: it comes from the events and the time alone, and no two cases share
a place. Those escalated highest come first, then those with a clock that is overdue, then those
with the least open time until a clock is due, in coarse steps; then the gravest, the oldest.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.case.events.escalation import ComplaintEscalated, EscalationDeclined
from casecore.case.events.intake import CaseRegistered, EmotionAssessed, Priority
from casecore.case.events.outcome import (
    CaseClosed,
    CaseMarkedNotComplaint,
    CaseReopened,
    CaseWithdrawn,
    ComplaintResolved,
)
from casecore.case.events.ownership import (
    CaseAssigned,
    CaseQueued,
    CaseReleased,
    OwnershipTransferred,
)
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged
from casecore.clocks.instants import micros
from casecore.database import Pool
from casecore.recording import Recorded
from casecore.sla.book import Book
from casecore.sla.events import TargetKind
from casecore.tables import columns, row_of
from projections.paging import Instant, Number, Page, forged, page, place_of
from projections.sla_clocks import mark

HOUR = 3600
SLACK_SECONDS = (1 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, 40 * HOUR)
"""Where the steps of slack end, in open time: an hour, in which only this one can still be done;
half a day, a day, two days, a week of a desk that is open eight hours. Within a step the gravest
comes first: an hour more or less does not matter then."""
WAIT_MAX = timedelta(days=3)
"""Who waits so long for an owner is in the first step, whatever the clocks say: nobody starves
behind a stream of cases that are more urgent."""
PAGED_MAX = timedelta(days=1)
"""How old a page may be for the next one to be asked for. It goes by the same time."""
AHEAD_MAX = timedelta(minutes=1)
"""How far the clock of the process that answered the page before may be ahead of ours."""


class Waiting(msgspec.Struct, frozen=True):
    """A case as its queue sees it; while it is open and has no owner, it waits there."""

    case_id: UUID
    case_ref: str
    queue: str
    """The queue it waits in, or came from."""
    open: bool
    """Whether it is still being worked on."""
    owner: str | None
    tier: int
    """How high it has been escalated."""
    severity: int
    """From 1 to 5; 0 until triaged."""
    priority: Priority
    heat: int | None
    product: str | None
    category: str | None
    reason: str
    customer_ref: str
    represents: str | None
    """The customer that whoever complains speaks for."""
    received_at: datetime
    escalations: dict[str, int]
    """The tier of each hierarchical escalation that was not declined."""
    queued_at: datetime
    """Since when it has been in the queue."""
    unowned_since: datetime
    """Since when it waits for an owner, in whichever queue."""


NAME = "agent_queues"
VERSION = 2
ROW = Waiting
KEY: tuple[str, ...] = ("case_id",)
BY_STREAM = True
ONCE = False
READS: frozenset[type] = frozenset(
    {
        CaseRegistered,
        CaseQueued,
        CaseAssigned,
        CaseReleased,
        OwnershipTransferred,
        ComplaintEscalated,
        EscalationDeclined,
        CaseTriaged,
        CaseReclassified,
        PriorityChanged,
        EmotionAssessed,
        ComplaintResolved,
        CaseClosed,
        CaseReopened,
        CaseWithdrawn,
        CaseMarkedNotComplaint,
    }
)
INDEXES: tuple[str, ...] = ("(ledger, queue) WHERE open AND owner IS NULL",)

Key = tuple[UUID]


def keys(recorded: Recorded) -> Iterable[Key]:
    return [(recorded.stream_id,)]


def fold(key: Key, row: Waiting | None, recorded: Recorded) -> Waiting:
    event = recorded.event
    if isinstance(event, CaseRegistered):
        return registered(key, event, recorded)
    assert row is not None
    match event:
        case CaseQueued():
            return replace(row, queue=event.queue, queued_at=recorded.recorded_at)
        case CaseAssigned():
            return replace(row, owner=event.agent)
        case CaseReleased():
            at = recorded.recorded_at
            return replace(row, owner=None, queue=event.queue, queued_at=at, unowned_since=at)
        case OwnershipTransferred():
            return replace(row, owner=event.to_agent)
        case ComplaintEscalated() if event.kind == "hierarchical":
            return escalated(row, row.escalations | {event.escalation_id: event.tier})
        case EscalationDeclined():
            left = {id: t for id, t in row.escalations.items() if id != event.escalation_id}
            return escalated(row, left)
        case CaseTriaged():
            return replace(
                row, severity=event.severity, priority=event.priority, category=event.category
            )
        case CaseReclassified():
            return replace(row, product=event.product, category=event.category)
        case PriorityChanged():
            return replace(row, priority=event.new)
        case EmotionAssessed():
            return replace(row, heat=event.heat)
        case ComplaintResolved() | CaseClosed() | CaseWithdrawn() | CaseMarkedNotComplaint():
            return replace(row, open=False)
        case CaseReopened():
            at = recorded.recorded_at
            return replace(row, open=True, queued_at=at, unowned_since=at)
    return row


def registered(key: Key, event: CaseRegistered, recorded: Recorded) -> Waiting:
    return Waiting(
        *key,
        case_ref=event.case_ref,
        queue=event.queue,
        open=True,
        owner=None,
        tier=0,
        severity=0,
        priority=event.priority,
        heat=event.heat,
        product=event.product,
        category=event.category,
        reason=event.reason,
        customer_ref=event.customer.ref,
        represents=event.customer.represents,
        received_at=event.received_at,
        escalations={},
        queued_at=recorded.recorded_at,
        unowned_since=recorded.recorded_at,
    )


def escalated(row: Waiting, escalations: dict[str, int]) -> Waiting:
    return replace(row, escalations=escalations, tier=max(escalations.values(), default=0))


class Queue(msgspec.Struct, frozen=True):
    queue: str
    waiting: int
    breached: int
    """How many of those that wait have a clock that is overdue."""
    oldest_received_at: datetime
    highest_tier: int
    next_due_at: datetime | None
    next_due_kind: TargetKind | None
    slack_seconds: int | None
    """The least there is."""


class Item(Waiting, frozen=True):
    next_due_at: datetime | None
    """When the first of its clocks is due, or was."""
    next_due_kind: TargetKind | None
    next_due_name: str | None
    breached: bool
    """Whether that has passed, and nobody answered."""
    slack_seconds: int | None
    """The open time left until a clock is due, by its own calendar; a regulator's counts as due a
    day sooner. Below zero when it has passed; null without a clock that runs."""
    step: int
    """Of the slack, from 0 for the most urgent."""


class Place(NamedTuple):
    """A place in the order as it was at a time: it does not change while it is paged through."""

    at: Instant
    minus_tier: Number
    in_time: bool
    step: Number
    minus_severity: Number
    received_at: Instant
    case_id: UUID


ORDER = "-tier, NOT breached, step, -severity, received_at, case_id"
WAITING = f"""
    WITH calendars (calendar_id, calendar_version, mark) AS (
        SELECT * FROM unnest($3::text[], $4::bigint[], $5::bigint[])
    ), slack AS (
        SELECT q.*, s.next_due_at, s.next_due_kind, s.next_due_name,
               coalesce(s.next_due_at < $2, false) AS breached,
               floor((s.presses_mark - c.mark) / 1e6)::bigint AS slack_seconds
        FROM ops.agent_queues q
        LEFT JOIN ops.sla_cases s USING (ledger, case_id)
        LEFT JOIN calendars c USING (calendar_id, calendar_version)
        WHERE q.ledger = $1 AND q.open AND q.owner IS NULL
    ), waiting AS (
        SELECT *, CASE
            WHEN unowned_since <= $2 - interval '{WAIT_MAX.total_seconds()} seconds' THEN 0
            WHEN slack_seconds IS NULL THEN {len(SLACK_SECONDS)}
            ELSE width_bucket(slack_seconds, ARRAY[{", ".join(map(str, SLACK_SECONDS))}]::bigint[])
        END AS step
        FROM slack
    )
"""


async def queues(pool: Pool, ledger: int, book: Book, now: datetime) -> list[Queue]:
    """The queues in which anything waits."""
    rows = await pool.fetch(
        f"""
        {WAITING}
        SELECT queue, count(*) AS waiting, count(*) FILTER (WHERE breached) AS breached,
               min(received_at) AS oldest_received_at, max(tier) AS highest_tier,
               min(next_due_at) AS next_due_at,
               (array_agg(next_due_kind ORDER BY next_due_at, case_id))[1] AS next_due_kind,
               min(slack_seconds) AS slack_seconds
        FROM waiting GROUP BY queue ORDER BY queue
        """,
        *(ledger, now, *marks(book, now)),
    )
    return [Queue(**row) for row in rows]


async def items(
    pool: Pool,
    ledger: int,
    queue: str,
    book: Book,
    now: datetime,
    *,
    eligible: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Item]:
    """What waits in the queue; with `eligible`, only what that agent may take on.

    Nobody may work on a complaint of their own.
    """
    place = place_of(after, Place)
    if place is not None:
        if not now - PAGED_MAX <= place.at <= now + AHEAD_MAX:
            raise forged()
        now = place.at
    rows = await pool.fetch(
        f"""
        {WAITING}
        SELECT {columns(Item)} FROM waiting
        WHERE queue = $6
          AND ($7::text IS NULL OR (customer_ref <> $7 AND represents IS DISTINCT FROM $7))
          AND ($8::bigint IS NULL
               OR ({ORDER}) > ($8, $9::boolean, $10::bigint, $11::bigint, $12::timestamptz, $13))
        ORDER BY {ORDER} LIMIT $14
        """,
        *(ledger, now, *marks(book, now), queue, eligible),
        *(place[1:] if place else [None] * 6),
        limit + 1,
    )
    waiting = [row_of(Item, row) for row in rows]
    return page(waiting, limit, lambda w: place_in(w, now))


def place_in(waiting: Item, at: datetime) -> Place:
    return Place(
        at,
        -waiting.tier,
        not waiting.breached,
        waiting.step,
        -waiting.severity,
        waiting.received_at,
        waiting.case_id,
    )


def marks(book: Book, now: datetime) -> tuple[list[str], list[int], list[int]]:
    """How much open time each calendar has had by now."""
    at = micros(now)
    ids = [*book.calendars]
    opened = [mark(openings, at) for openings in book.calendars.values()]
    return [id for id, _ in ids], [version for _, version in ids], opened
