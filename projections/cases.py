"""Every case as it stands."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.case.events import CaseEvent
from casecore.case.events.after import (
    RetentionOutcomeRecorded,
    RetentionStatus,
    SatisfactionRecorded,
)
from casecore.case.events.callbacks import CustomerCalledBack
from casecore.case.events.contact import AcknowledgementSent, WaitingEnded, WaitingStarted
from casecore.case.events.escalation import ComplaintEscalated, EscalationDeclined, SupervisorSpoke
from casecore.case.events.intake import (
    ApologyGiven,
    CaseRegistered,
    Channel,
    ComplaintAcknowledged,
    ComplaintHeard,
    DesiredOutcome,
    EmotionAssessed,
    Priority,
)
from casecore.case.events.investigation import InvestigationStarted, RootCauseRecorded
from casecore.case.events.outcome import (
    CaseClosed,
    CaseMarkedNotComplaint,
    CaseReopened,
    CaseWithdrawn,
    ComplaintResolved,
    Outcome,
)
from casecore.case.events.ownership import (
    CaseAssigned,
    CaseQueued,
    CaseReleased,
    OwnershipTransferred,
)
from casecore.case.events.solutions import SolutionOffered, SolutionRejected
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged
from casecore.database import Pool
from casecore.recording import AnyEvent, Recorded
from casecore.tables import columns, row_of
from projections.paging import Instant, Page, page, place_of

Stage = Literal[
    "registered",
    "triaged",
    "investigating",
    "solution_offered",
    "resolved",
    "closed",
    "withdrawn",
    "not_a_complaint",
]


class Case(msgspec.Struct, frozen=True):
    case_id: UUID
    case_ref: str
    """The number people quote."""
    stage: Stage
    priority: Priority
    channel: Channel
    """How the complaint came in."""
    customer_ref: str
    """The customer's id in the systems around casecore."""
    customer_name: str | None
    company: str | None
    reason: str
    product: str | None
    category: str | None
    desired_outcome: DesiredOutcome | None
    intake_source: str | None
    intake_ref: str | None
    """The complaint's id where it came from."""
    heat: int | None
    """How upset the customer was when last assessed, from 0 to 4."""
    received_at: datetime
    registered_at: datetime
    version: int
    position: int
    """Of the last event in the ledger that is about this case."""
    updated_at: datetime
    queue: str | None = None
    """Where it waits for an owner; null while it has one."""
    owner: str | None = None
    severity: int | None = None
    """From 1 to 5."""
    tier: int = 0
    """How high it has been escalated."""
    escalations: dict[str, int] = {}
    """The tier of each hierarchical escalation that was not declined."""
    waiting: tuple[str, ...] = ()
    """Whom it waits for."""
    heard: bool = False
    acknowledged: bool = False
    acknowledgement: Literal["oral", "written"] | None = None
    """How receipt was acknowledged; written if both."""
    apologised: bool = False
    root_cause: str | None = None
    outcome: Outcome | None = None
    resolved_at: datetime | None = None
    called_back_at: datetime | None = None
    closed_at: datetime | None = None
    reopened: int = 0
    """How often."""
    first_contact: bool | None = None
    """Whether it was resolved when the customer first got in touch; null while unresolved."""
    csat: int | None = None
    """How satisfied the customer was when last asked, from 1 to 5."""
    felt_heard: int | None = None
    """How well the customer felt heard when last asked, from 1 to 5."""
    effort: int | None = None
    """How much effort it was for the customer, who was last asked, from 1 to 7."""
    retention: RetentionStatus | None = None
    """Whether the customer stayed, when last looked at."""


NAME = "cases"
VERSION = 2
ROW = Case
KEY: tuple[str, ...] = ("case_id",)
BY_STREAM = True
ONCE = False
READS: frozenset[type] = frozenset(get_args(CaseEvent))
INDEXES: tuple[str, ...] = (
    "(ledger, received_at DESC, case_id DESC)",
    "(ledger, stage, received_at DESC, case_id DESC)",
    "(ledger, owner, received_at DESC, case_id DESC)",
    "(ledger, customer_ref, received_at DESC, case_id DESC)",
    "(ledger, case_ref)",
)

Key = tuple[UUID]


def keys(recorded: Recorded) -> Iterable[Key]:
    return [(recorded.stream_id,)]


def fold(key: Key, row: Case | None, recorded: Recorded) -> Case:
    event = recorded.event
    if isinstance(event, CaseRegistered):
        return registered(key, event, recorded)
    assert row is not None
    return replace(
        row,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        **changes(row, event, recorded.occurred_at),
    )


def registered(key: Key, event: CaseRegistered, recorded: Recorded) -> Case:
    return Case(
        *key,
        case_ref=event.case_ref,
        stage="registered",
        priority=event.priority,
        channel=event.channel,
        customer_ref=event.customer.ref,
        customer_name=event.customer.name,
        company=event.customer.company,
        reason=event.reason,
        product=event.product,
        category=event.category,
        desired_outcome=event.desired_outcome,
        intake_source=event.intake_source,
        intake_ref=event.intake_ref,
        heat=event.heat,
        received_at=event.received_at,
        registered_at=recorded.occurred_at,
        version=recorded.version,
        position=recorded.position,
        updated_at=recorded.recorded_at,
        queue=event.queue,
    )


def changes(row: Case, event: AnyEvent, at: datetime) -> dict[str, object]:
    match event:
        case ComplaintHeard():
            return {"heard": True}
        case ComplaintAcknowledged():
            return {"acknowledged": True}
        case ApologyGiven():
            return {"apologised": True}
        case AcknowledgementSent():
            written = "written" in (event.mode, row.acknowledgement)
            return {"acknowledgement": "written" if written else "oral"}
        case EmotionAssessed():
            return {"heat": event.heat}
        case SupervisorSpoke() if event.heat_after is not None:
            return {"heat": event.heat_after}
        case WaitingStarted():
            return {"waiting": (*(r for r in row.waiting if r != event.reason), event.reason)}
        case WaitingEnded():
            return {"waiting": tuple(r for r in row.waiting if r != event.reason)}
        case CaseTriaged():
            return {
                "stage": "triaged" if row.stage == "registered" else row.stage,
                "severity": event.severity,
                "priority": event.priority,
                "category": event.category,
            }
        case CaseReclassified():
            return {"product": event.product, "category": event.category}
        case PriorityChanged():
            return {"priority": event.new}
        case CaseQueued():
            return {"queue": event.queue}
        case CaseAssigned():
            return {"owner": event.agent, "queue": None}
        case CaseReleased():
            return {"owner": None, "queue": event.queue}
        case OwnershipTransferred():
            return {"owner": event.to_agent}
        case ComplaintEscalated() if event.kind == "hierarchical":
            return tiers(row.escalations | {event.escalation_id: event.tier})
        case EscalationDeclined():
            left = {id: t for id, t in row.escalations.items() if id != event.escalation_id}
            return tiers(left)
        case InvestigationStarted() | SolutionRejected():
            return {"stage": "investigating"}
        case RootCauseRecorded():
            return {"root_cause": event.cause_code}
        case SolutionOffered():
            return {"stage": "solution_offered"}
        case ComplaintResolved():
            return {
                "stage": "resolved",
                "outcome": event.outcome,
                "resolved_at": at,
                "called_back_at": None,
                "first_contact": event.first_contact,
            }
        case CustomerCalledBack():
            return {"called_back_at": event.called_at or at}
        case CaseClosed():
            return {"stage": "closed", "closed_at": event.closed_at}
        case CaseReopened():
            return {
                "stage": "investigating",
                "outcome": None,
                "resolved_at": None,
                "closed_at": None,
                "reopened": row.reopened + 1,
                "first_contact": None,
            }
        case CaseWithdrawn():
            return {"stage": "withdrawn", "closed_at": at}
        case CaseMarkedNotComplaint():
            return {"stage": "not_a_complaint", "closed_at": at}
        case SatisfactionRecorded():
            answers = {"csat": event.csat, "felt_heard": event.felt_heard, "effort": event.effort}
            return {name: answer for name, answer in answers.items() if answer is not None}
        case RetentionOutcomeRecorded():
            return {"retention": event.status}
    return {}


def tiers(escalations: dict[str, int]) -> dict[str, object]:
    return {"escalations": escalations, "tier": max(escalations.values(), default=0)}


class Place(NamedTuple):
    received_at: Instant
    case_id: UUID


async def listed(
    pool: Pool,
    ledger: int,
    *,
    stage: Stage | None = None,
    owner: str | None = None,
    customer: str | None = None,
    queue: str | None = None,
    priority: Priority | None = None,
    ref: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Case]:
    """Those received last come first."""
    rows = await pool.fetch(
        f"""
        SELECT {columns(ROW)} FROM ops.cases
        WHERE ledger = $1
          AND ($2::text IS NULL OR stage = $2)
          AND ($3::text IS NULL OR owner = $3)
          AND ($4::text IS NULL OR customer_ref = $4)
          AND ($5::text IS NULL OR queue = $5)
          AND ($6::text IS NULL OR priority = $6)
          AND ($7::text IS NULL OR case_ref = $7)
          AND ($8::timestamptz IS NULL OR (received_at, case_id) < ($8, $9))
        ORDER BY received_at DESC, case_id DESC LIMIT $10
        """,
        ledger,
        stage,
        owner,
        customer,
        queue,
        priority,
        ref,
        *(place_of(after, Place) or (None, None)),
        limit + 1,
    )
    cases = [row_of(ROW, row) for row in rows]
    return page(cases, limit, lambda c: Place(c.received_at, c.case_id))


async def refs(pool: Pool, ledger: int, case_ids: Collection[UUID]) -> dict[UUID, str]:
    """The numbers that people quote of these cases."""
    rows = await pool.fetch(
        "SELECT case_id, case_ref FROM ops.cases WHERE ledger = $1 AND case_id = ANY ($2)",
        ledger,
        list(case_ids),
    )
    return {row["case_id"]: row["case_ref"] for row in rows}
