"""What waits for an owner, in the order in which it is to be taken on.

Everybody sees the same order: it comes from the events alone, and no two cases share a place.
"""

from collections.abc import Iterable
from datetime import datetime
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
from casecore.database import Pool
from casecore.recording import Recorded
from casecore.tables import columns, row_of
from projections.paging import Instant, Number, Page, page, place_of


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


NAME = "agent_queues"
VERSION = 1
ROW = Waiting
KEY: tuple[str, ...] = ("case_id",)
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
INDEXES: tuple[str, ...] = (
    "(ledger, queue, (-tier), (-severity), received_at, case_id) WHERE open AND owner IS NULL",
)

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
            queued_at = recorded.recorded_at
            return replace(row, owner=None, queue=event.queue, queued_at=queued_at)
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
            return replace(row, open=True, queued_at=recorded.recorded_at)
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
    )


def escalated(row: Waiting, escalations: dict[str, int]) -> Waiting:
    return replace(row, escalations=escalations, tier=max(escalations.values(), default=0))


class Queue(msgspec.Struct, frozen=True):
    queue: str
    waiting: int
    oldest_received_at: datetime
    highest_tier: int


class Place(NamedTuple):
    """A place in the order: escalated first, then the gravest, then who came first."""

    minus_tier: Number
    minus_severity: Number
    received_at: Instant
    case_id: UUID


async def queues(pool: Pool, ledger: int) -> list[Queue]:
    """The queues in which anything waits."""
    rows = await pool.fetch(
        """
        SELECT queue, count(*) AS waiting, min(received_at) AS oldest_received_at,
               max(tier) AS highest_tier
        FROM ops.agent_queues
        WHERE ledger = $1 AND open AND owner IS NULL
        GROUP BY queue ORDER BY queue
        """,
        ledger,
    )
    return [Queue(**row) for row in rows]


async def items(
    pool: Pool,
    ledger: int,
    queue: str,
    *,
    eligible: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Waiting]:
    """What waits in the queue; with `eligible`, only what that agent may take on.

    Nobody may work on a complaint of their own.
    """
    rows = await pool.fetch(
        f"""
        SELECT {columns(ROW)} FROM ops.agent_queues
        WHERE ledger = $1 AND queue = $2 AND open AND owner IS NULL
          AND ($3::text IS NULL OR (customer_ref <> $3 AND represents IS DISTINCT FROM $3))
          AND ($4::bigint IS NULL
               OR (-tier, -severity, received_at, case_id) > ($4, $5, $6, $7))
        ORDER BY -tier, -severity, received_at, case_id LIMIT $8
        """,
        ledger,
        queue,
        eligible,
        *(place_of(after, Place) or (None, None, None, None)),
        limit + 1,
    )
    waiting = [row_of(ROW, row) for row in rows]
    return page(waiting, limit, lambda w: Place(-w.tier, -w.severity, w.received_at, w.case_id))
