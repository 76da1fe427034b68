"""The file of one case: everything that a person who works on it needs, from its own events.

It is no table: a case has few events, and its file is folded from them when it is asked for.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.actors import Role
from casecore.case.events.after import (
    AfterEvent,
    InteractionQualityReviewed,
    ReferralReceived,
    ReferralRequested,
    RetentionDay,
    RetentionOutcomeRecorded,
    RetentionStatus,
    SatisfactionRecorded,
    SatisfactionRequested,
    TestimonialGiven,
    TestimonialRequested,
)
from casecore.case.events.callbacks import (
    AssuranceGiven,
    AssuranceScope,
    AttemptOutcome,
    CallbackAbandoned,
    CallbackAttempted,
    CallbackEvent,
    CallbackPurpose,
    CallbackScheduled,
    CustomerCalledBack,
    FollowUpDone,
    FollowUpScheduled,
)
from casecore.case.events.contact import (
    AcknowledgementMode,
    AcknowledgementSent,
    ContactEvent,
    CustomerContacted,
    ProgressUpdateSent,
    ResponseSent,
    WaitingEnded,
    WaitingFor,
    WaitingStarted,
)
from casecore.case.events.escalation import (
    ComplaintEscalated,
    EscalationAccepted,
    EscalationClosed,
    EscalationDeclined,
    EscalationEvent,
    EscalationKind,
    HardTrigger,
    RequestedBy,
    SupervisorDecision,
    SupervisorSpoke,
)
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillAccepted,
    GoodwillApprovalRequested,
    GoodwillApproved,
    GoodwillDeclined,
    GoodwillEvent,
    GoodwillExpired,
    GoodwillKind,
    GoodwillOffered,
    GoodwillPaid,
    GoodwillRefused,
    GoodwillReversed,
    GoodwillWithdrawn,
    Purpose,
)
from casecore.case.events.intake import (
    ApologyGiven,
    AuthorityRecorded,
    CaseRegistered,
    Channel,
    CommonGroundFound,
    ComplaintAcknowledged,
    ComplaintHeard,
    ConcernRaised,
    ConcernSettled,
    Confirmation,
    Customer,
    CustomerInsightRecorded,
    CustomerThanked,
    DesiredOutcome,
    Direction,
    EmotionAssessed,
    IntakeEvent,
    InteractionEnded,
    InteractionStarted,
    LimitsDisclosed,
    ListeningNoteTaken,
    NoteAdded,
    NoteKind,
    Priority,
    ProcessExplained,
    RecapGiven,
    ThanksFor,
)
from casecore.case.events.investigation import (
    EvidenceAttached,
    EvidenceKind,
    FaultDetermined,
    InvestigationEvent,
    InvestigationStarted,
    RecurrenceAssessed,
    RootCauseRecorded,
)
from casecore.case.events.outcome import (
    CaseClosed,
    CaseMarkedNotComplaint,
    CaseReopened,
    CaseWithdrawn,
    ComplaintResolved,
    Outcome,
    OutcomeEvent,
    ReopenReason,
    UnresolvedConcern,
)
from casecore.case.events.ownership import (
    CaseAssigned,
    CaseHandedOff,
    CaseQueued,
    CaseReleased,
    HandoffAnswered,
    HandoverNoteRated,
    HandoverNoteWritten,
    OwnershipEvent,
    OwnershipTransferred,
)
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
from casecore.case.events.solutions import (
    BestPracticeNominated,
    CaseSolutionEvent,
    CustomerInvitedToCraft,
    LibraryEntry,
    SolutionAccepted,
    SolutionAmended,
    SolutionImplemented,
    SolutionOffered,
    SolutionProposed,
    SolutionRejected,
    SolutionVerified,
)
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged, TriageEvent
from casecore.errors import NotFound
from casecore.following.feed import Feed
from casecore.ledger import Row
from casecore.money import Money
from casecore.recording import Recorded, from_row
from casecore.solutions.events import Proposer

CACHE_MAX = 1_000

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
Changes = dict[str, object]
Item = TypeVar("Item", bound=msgspec.Struct)


class Interaction(msgspec.Struct, frozen=True):
    interaction_id: str
    channel: Channel
    direction: Direction
    started_at: datetime
    by: str
    duration_seconds: int | None = None
    """Null while it lasts."""
    quality: dict[str, int] | None = None
    """How it was rated when it was reviewed, by what was looked at."""


class Note(msgspec.Struct, frozen=True):
    note_id: str
    kind: NoteKind | None
    """What was noted while listening; null for a note about the case."""
    text: str
    interaction_id: str | None
    at: datetime
    by: str


class Concern(msgspec.Struct, frozen=True):
    concern_id: str
    text: str
    major: bool
    raised_at: datetime
    settled_at: datetime | None = None
    settled_by_solution: str | None = None
    customer_agrees: bool | None = None


class Recap(msgspec.Struct, frozen=True):
    confirmation: Confirmation
    corrections: tuple[str, ...]
    at: datetime
    by: str


class Limits(msgspec.Struct, frozen=True):
    """What was said to the customer about what can be done."""

    cannot_do: tuple[str, ...]
    can_do: tuple[str, ...]
    reason: str | None
    interim_commitment: str | None
    at: datetime


class Message(msgspec.Struct, frozen=True):
    """One contact with the customer, after the complaint itself."""

    direction: Direction
    kind: Literal["acknowledgement", "response", "progress_update", "contact"]
    channel: Channel
    at: datetime
    text: str | None = None
    message_ref: str | None = None
    by: str | None = None
    """Who sent it; null for the customer."""


class Waiting(msgspec.Struct, frozen=True):
    reason: WaitingFor
    asked_for: str
    since: datetime
    expected_by: datetime | None


class Promise(msgspec.Struct, frozen=True):
    promise_id: str
    kind: PromiseKind
    text: str
    due_at: datetime
    made_at: datetime
    made_by: str
    basis: PromiseBasis
    replaces: str | None
    state: Literal["open", "kept", "broken", "released"] = "open"
    kept_at: datetime | None = None
    broken_at: datetime | None = None
    fulfilled_at: datetime | None = None


class Callback(msgspec.Struct, frozen=True):
    callback_id: str
    purpose: CallbackPurpose
    window_start: datetime
    window_end: datetime
    zone: str
    attempts_max: int
    attempts: tuple[AttemptOutcome, ...] = ()
    state: Literal["scheduled", "completed", "abandoned"] = "scheduled"
    ended_at: datetime | None = None
    all_concerns_settled: bool | None = None


class Assurance(msgspec.Struct, frozen=True):
    text: str
    scope: AssuranceScope
    action_refs: tuple[str, ...]
    at: datetime


class FollowUp(msgspec.Struct, frozen=True):
    followup_id: str
    with_team: str
    due_at: datetime
    protects_promise_id: str | None
    done_at: datetime | None = None
    result: str | None = None


class Handoff(msgspec.Struct, frozen=True):
    handoff_id: str
    to_team: str
    question: str
    accountable_owner: str
    at: datetime
    answer: str | None = None
    answered_at: datetime | None = None


class HandoverNote(msgspec.Struct, frozen=True):
    note_id: str
    situation: str
    next_step: str
    done: tuple[str, ...]
    pending: tuple[str, ...]
    risks: tuple[str, ...]
    open_promise_ids: tuple[str, ...]
    next_step_by: datetime | None
    at: datetime
    by: str
    sufficient: bool | None = None
    """What whoever took over found; null until they say."""
    missing: tuple[str, ...] = ()


class Escalation(msgspec.Struct, frozen=True):
    escalation_id: str
    kind: EscalationKind
    tier: int
    to_team: str | None
    reason: str
    requested_by: RequestedBy
    trigger: HardTrigger | None
    alternatives_tried: tuple[str, ...]
    at: datetime
    by: str
    state: Literal["requested", "accepted", "declined", "closed"] = "requested"
    accepted_by: str | None = None
    guidance: str | None = None
    supervisor_decision: SupervisorDecision | None = None
    outcome: str | None = None


class Triage(msgspec.Struct, frozen=True):
    severity: int
    complexity: int
    impact: int
    immediate_action: bool
    at: datetime
    by: str


class Evidence(msgspec.Struct, frozen=True):
    evidence_id: str
    kind: EvidenceKind
    sha256: str
    uri: str
    size_bytes: int
    at: datetime
    by: str


class Investigation(msgspec.Struct, frozen=True):
    started_at: datetime | None = None
    plan: str | None = None
    evidence: tuple[Evidence, ...] = ()
    fault: FaultDetermined | None = None
    recurrence: RecurrenceAssessed | None = None
    root_cause: RootCauseRecorded | None = None


class Solution(msgspec.Struct, frozen=True):
    solution_id: str
    proposer: Proposer
    text: str
    concern_ids: tuple[str, ...]
    offer_ids: tuple[str, ...]
    library: LibraryEntry | None
    proposed_at: datetime
    state: Literal["proposed", "offered", "accepted", "rejected"] = "proposed"
    valid_until: datetime | None = None
    answered_at: datetime | None = None
    in_writing: bool | None = None
    rejected_because: str | None = None
    implemented_at: datetime | None = None
    worked: bool | None = None
    nominated_as: UUID | None = None


class Offer(msgspec.Struct, frozen=True):
    offer_id: str
    kind: GoodwillKind | Literal["discount"]
    purpose: Purpose
    offered_at: datetime
    offered_by: str
    expires_at: datetime
    policy_version: int
    amount: Money | None = None
    percent_bp: int | None = None
    cap: Money | None = None
    state: Literal[
        "awaiting_approval",
        "offered",
        "accepted",
        "paid",
        "declined",
        "refused",
        "expired",
        "withdrawn",
        "reversed",
    ] = "offered"
    required_role: Role | None = None
    approved_by: str | None = None
    reason: str | None = None
    """Why it was declined, refused, withdrawn or reversed."""
    paid_at: datetime | None = None
    payment_ref: str | None = None


class Resolution(msgspec.Struct, frozen=True):
    outcome: Outcome
    reasons: str
    accepted_by_customer: bool | None
    first_contact: bool
    redress: tuple[Money, ...]
    unresolved: tuple[UnresolvedConcern, ...]
    at: datetime
    by: str


class Reopening(msgspec.Struct, frozen=True):
    reason: ReopenReason
    text: str
    at: datetime
    by: str


class Testimonial(msgspec.Struct, frozen=True):
    __test__ = False

    text: str
    publish_consent: bool
    at: datetime


class After(msgspec.Struct, frozen=True):
    """What the customer made of it."""

    satisfaction_requested_at: datetime | None = None
    satisfaction: SatisfactionRecorded | None = None
    retention: dict[RetentionDay, RetentionStatus] = {}
    """By the number of days after which it was looked at."""
    testimonial_requested_at: datetime | None = None
    testimonial: Testimonial | None = None
    referral_requested_at: datetime | None = None
    referrals: tuple[str, ...] = ()


class CaseFile(msgspec.Struct, frozen=True):
    case_id: UUID
    case_ref: str
    stage: Stage
    version: int
    position: int
    head: str
    """The hash that pins everything in this file, in hexadecimal."""
    received_at: datetime
    registered_at: datetime
    registered_by: str
    updated_at: datetime
    channel: Channel
    customer: Customer
    reason: str
    priority: Priority
    product: str | None
    category: str | None
    desired_outcome: DesiredOutcome | None
    remedy_sought: str | None
    language: str | None
    jurisdictions: tuple[str, ...]
    receipt_zone: str | None
    intake_source: str | None
    intake_ref: str | None
    relates_to: tuple[UUID, ...]
    heat: int | None
    """How upset the customer was when last assessed, from 0 to 4."""

    authority: str | None = None
    """The evidence that whoever complains for somebody else may do so."""
    heard_at: datetime | None = None
    acknowledged_at: datetime | None = None
    apologised_at: datetime | None = None
    thanked_for: tuple[ThanksFor, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    notes: tuple[Note, ...] = ()
    concerns: tuple[Concern, ...] = ()
    recaps: tuple[Recap, ...] = ()
    limits: tuple[Limits, ...] = ()
    common_ground: tuple[str, ...] = ()
    process_explained: tuple[str, ...] = ()
    """The steps, as they were explained last."""
    insights: tuple[str, ...] = ()
    """What the customer taught us."""

    receipt_acknowledged: AcknowledgementMode | None = None
    messages: tuple[Message, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    next_update_by: datetime | None = None

    promises: tuple[Promise, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    called_back_at: datetime | None = None
    assurances: tuple[Assurance, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()

    owner: str | None = None
    queue: str | None = None
    """Where it waits for an owner; null while it has one."""
    handoffs: tuple[Handoff, ...] = ()
    handover_notes: tuple[HandoverNote, ...] = ()
    tier: int = 0
    escalations: tuple[Escalation, ...] = ()

    triage: Triage | None = None
    investigation: Investigation = Investigation()
    invited_to_craft_at: datetime | None = None
    solutions: tuple[Solution, ...] = ()
    goodwill: tuple[Offer, ...] = ()

    resolution: Resolution | None = None
    """The last one, while it stands."""
    closed_at: datetime | None = None
    ended_because: str | None = None
    """Why it was withdrawn, in the customer's words, or is no complaint."""
    reopenings: tuple[Reopening, ...] = ()
    after: After = After()


def fold(file: CaseFile | None, recorded: Recorded) -> CaseFile:
    event = recorded.event
    if isinstance(event, CaseRegistered):
        return registered(event, recorded)
    assert file is not None
    changes = CHAPTERS[type(event)](file, event, recorded.occurred_at, recorded.actor.id)
    return replace(
        file,
        version=recorded.version,
        position=recorded.position,
        head=recorded.head.hex(),
        updated_at=recorded.recorded_at,
        **changes,
    )


def registered(event: CaseRegistered, recorded: Recorded) -> CaseFile:
    return CaseFile(
        case_id=recorded.stream_id,
        case_ref=event.case_ref,
        stage="registered",
        version=recorded.version,
        position=recorded.position,
        head=recorded.head.hex(),
        received_at=event.received_at,
        registered_at=recorded.occurred_at,
        registered_by=recorded.actor.id,
        updated_at=recorded.recorded_at,
        channel=event.channel,
        customer=event.customer,
        reason=event.reason,
        priority=event.priority,
        product=event.product,
        category=event.category,
        desired_outcome=event.desired_outcome,
        remedy_sought=event.remedy_sought,
        language=event.language,
        jurisdictions=event.jurisdictions,
        receipt_zone=event.receipt_zone,
        intake_source=event.intake_source,
        intake_ref=event.intake_ref,
        relates_to=event.relates_to,
        heat=event.heat,
        queue=event.queue,
    )


def intake(file: CaseFile, event: IntakeEvent, at: datetime, by: str) -> Changes:
    match event:
        case CaseRegistered():
            return {}
        case AuthorityRecorded():
            return {"authority": event.evidence}
        case InteractionStarted():
            begun = Interaction(event.interaction_id, event.channel, event.direction, at, by)
            return {"interactions": (*file.interactions, begun)}
        case InteractionEnded():
            lasted = {"duration_seconds": event.duration_seconds}
            return {"interactions": having(file.interactions, event.interaction_id, **lasted)}
        case ListeningNoteTaken():
            note = Note(event.note_id, event.kind, event.text, event.interaction_id, at, by)
            return {"notes": (*file.notes, note)}
        case NoteAdded():
            note = Note(event.note_id, None, event.text, None, at, by)
            return {"notes": (*file.notes, note)}
        case ComplaintHeard():
            return {"heard_at": file.heard_at or at}
        case RecapGiven():
            recap = Recap(event.confirmation, event.corrections, at, by)
            return {"recaps": (*file.recaps, recap)}
        case ComplaintAcknowledged():
            return {"acknowledged_at": file.acknowledged_at or at}
        case ApologyGiven():
            return {"apologised_at": file.apologised_at or at}
        case CustomerThanked():
            return {"thanked_for": (*file.thanked_for, event.thanked_for)}
        case CommonGroundFound():
            return {"common_ground": (*file.common_ground, event.point)}
        case LimitsDisclosed():
            limits = Limits(
                event.cannot_do, event.can_do, event.reason, event.interim_commitment, at
            )
            return {"limits": (*file.limits, limits)}
        case ProcessExplained():
            return {"process_explained": event.steps}
        case EmotionAssessed():
            return {"heat": event.heat}
        case ConcernRaised():
            concern = Concern(event.concern_id, event.text, event.major, at)
            return {"concerns": (*file.concerns, concern)}
        case ConcernSettled():
            return {
                "concerns": having(
                    file.concerns,
                    event.concern_id,
                    settled_at=at,
                    settled_by_solution=event.solution_id,
                    customer_agrees=event.customer_agrees,
                )
            }
        case CustomerInsightRecorded():
            return {"insights": (*file.insights, event.text)}


def contact(file: CaseFile, event: ContactEvent, at: datetime, by: str) -> Changes:
    match event:
        case AcknowledgementSent():
            sent = Message(
                "outbound", "acknowledgement", event.channel, at, None, event.message_ref, by
            )
            written = "written" in (event.mode, file.receipt_acknowledged)
            return {
                "messages": (*file.messages, sent),
                "receipt_acknowledged": "written" if written else "oral",
            }
        case ResponseSent():
            when = event.sent_at or at
            sent = Message(
                "outbound", "response", event.channel, when, event.text, event.message_ref, by
            )
            return {"messages": (*file.messages, sent)}
        case ProgressUpdateSent():
            when = event.sent_at or at
            sent = Message(
                direction="outbound",
                kind="progress_update",
                channel=event.channel,
                at=when,
                text=event.text,
                message_ref=event.message_ref,
                by=by,
            )
            return {"messages": (*file.messages, sent), "next_update_by": event.next_update_by}
        case CustomerContacted():
            when = event.contacted_at or at
            received = Message(
                "inbound", "contact", event.channel, when, event.text, event.message_ref
            )
            return {"messages": (*file.messages, received)}
        case WaitingStarted():
            begun = Waiting(event.reason, event.asked_for, at, event.expected_by)
            others = (w for w in file.waiting if w.reason != event.reason)
            return {"waiting": (*others, begun)}
        case WaitingEnded():
            return {"waiting": tuple(w for w in file.waiting if w.reason != event.reason)}


def promises(file: CaseFile, event: PromiseEvent, at: datetime, by: str) -> Changes:
    match event:
        case PromiseMade():
            made = Promise(
                promise_id=event.promise_id,
                kind=event.kind,
                text=event.text,
                due_at=event.due_at,
                made_at=at,
                made_by=event.made_by,
                basis=event.basis,
                replaces=event.replaces,
            )
            return {"promises": (*file.promises, made)}
        case PromiseKept():
            now: Changes = {"state": "kept", "kept_at": event.kept_at}
        case PromiseBroken():
            now = {
                "state": "broken",
                "broken_at": event.detected_at,
                "fulfilled_at": event.fulfilled_at,
            }
        case PromiseRenegotiated():
            now = {"due_at": event.due_at}
        case PromiseReleased():
            now = {"state": "released"}
    return {"promises": having(file.promises, event.promise_id, **now)}


def callbacks(file: CaseFile, event: CallbackEvent, at: datetime, by: str) -> Changes:
    match event:
        case CallbackScheduled():
            scheduled = Callback(
                event.callback_id,
                event.purpose,
                event.window_start,
                event.window_end,
                event.zone,
                event.attempts_max,
            )
            return {"callbacks": (*file.callbacks, scheduled)}
        case CallbackAttempted():
            [callback] = (c for c in file.callbacks if c.callback_id == event.callback_id)
            tried = {"attempts": (*callback.attempts, event.outcome)}
            return {"callbacks": having(file.callbacks, event.callback_id, **tried)}
        case CustomerCalledBack():
            called_at = event.called_at or at
            called = having(
                file.callbacks,
                event.callback_id,
                state="completed",
                ended_at=called_at,
                all_concerns_settled=event.all_concerns_settled,
            )
            return {"callbacks": called, "called_back_at": called_at}
        case CallbackAbandoned():
            ended: Changes = {"state": "abandoned", "ended_at": at}
            return {"callbacks": having(file.callbacks, event.callback_id, **ended)}
        case AssuranceGiven():
            assurance = Assurance(event.text, event.scope, event.action_refs, at)
            return {"assurances": (*file.assurances, assurance)}
        case FollowUpScheduled():
            planned = FollowUp(
                event.followup_id, event.with_team, event.due_at, event.protects_promise_id
            )
            return {"follow_ups": (*file.follow_ups, planned)}
        case FollowUpDone():
            done: Changes = {"done_at": at, "result": event.result}
            return {"follow_ups": having(file.follow_ups, event.followup_id, **done)}


def ownership(file: CaseFile, event: OwnershipEvent, at: datetime, by: str) -> Changes:
    match event:
        case CaseQueued():
            return {"queue": event.queue}
        case CaseAssigned():
            return {"owner": event.agent, "queue": None}
        case CaseReleased():
            return {"owner": None, "queue": event.queue}
        case OwnershipTransferred():
            return {"owner": event.to_agent}
        case CaseHandedOff():
            handoff = Handoff(
                event.handoff_id, event.to_team, event.question, event.accountable_owner, at
            )
            return {"handoffs": (*file.handoffs, handoff)}
        case HandoffAnswered():
            answered: Changes = {"answer": event.answer, "answered_at": at}
            return {"handoffs": having(file.handoffs, event.handoff_id, **answered)}
        case HandoverNoteWritten():
            note = HandoverNote(
                note_id=event.note_id,
                situation=event.situation,
                next_step=event.next_step,
                done=event.done,
                pending=event.pending,
                risks=event.risks,
                open_promise_ids=event.open_promise_ids,
                next_step_by=event.next_step_by,
                at=at,
                by=by,
            )
            return {"handover_notes": (*file.handover_notes, note)}
        case HandoverNoteRated():
            rated: Changes = {"sufficient": event.sufficient, "missing": event.missing}
            return {"handover_notes": having(file.handover_notes, event.note_id, **rated)}


def escalation(file: CaseFile, event: EscalationEvent, at: datetime, by: str) -> Changes:
    now: Changes
    match event:
        case ComplaintEscalated():
            asked = Escalation(
                escalation_id=event.escalation_id,
                kind=event.kind,
                tier=event.tier,
                to_team=event.to_team,
                reason=event.reason,
                requested_by=event.requested_by,
                trigger=event.trigger,
                alternatives_tried=event.alternatives_tried,
                at=at,
                by=by,
            )
            return lifted((*file.escalations, asked))
        case EscalationAccepted():
            now = {"state": "accepted", "accepted_by": by}
        case EscalationDeclined():
            now = {"state": "declined", "guidance": event.guidance}
        case SupervisorSpoke():
            now = {"supervisor_decision": event.decision}
            heat = file.heat if event.heat_after is None else event.heat_after
            spoken = having(file.escalations, event.escalation_id, **now)
            return {"escalations": spoken, "heat": heat}
        case EscalationClosed():
            now = {"state": "closed", "outcome": event.outcome}
    return lifted(having(file.escalations, event.escalation_id, **now))


def lifted(escalations: tuple[Escalation, ...]) -> Changes:
    """With the tier it has come to, to which what was declined did not lift it."""
    upwards = (e for e in escalations if e.kind == "hierarchical" and e.state != "declined")
    return {"escalations": escalations, "tier": max((e.tier for e in upwards), default=0)}


def triage(file: CaseFile, event: TriageEvent, at: datetime, by: str) -> Changes:
    match event:
        case CaseTriaged():
            return {
                "stage": "triaged" if file.stage == "registered" else file.stage,
                "priority": event.priority,
                "category": event.category,
                "triage": Triage(
                    event.severity, event.complexity, event.impact, event.immediate_action, at, by
                ),
            }
        case CaseReclassified():
            return {"product": event.product, "category": event.category}
        case PriorityChanged():
            return {"priority": event.new}


def investigation(file: CaseFile, event: InvestigationEvent, at: datetime, by: str) -> Changes:
    known = file.investigation
    match event:
        case InvestigationStarted():
            begun = replace(known, started_at=at, plan=event.plan)
            return {"stage": "investigating", "investigation": begun}
        case EvidenceAttached():
            piece = Evidence(
                evidence_id=event.evidence_id,
                kind=event.kind,
                sha256=event.sha256,
                uri=event.uri,
                size_bytes=event.size_bytes,
                at=at,
                by=by,
            )
            return {"investigation": replace(known, evidence=(*known.evidence, piece))}
        case FaultDetermined():
            return {"investigation": replace(known, fault=event)}
        case RecurrenceAssessed():
            return {"investigation": replace(known, recurrence=event)}
        case RootCauseRecorded():
            return {"investigation": replace(known, root_cause=event)}


def solutions(file: CaseFile, event: CaseSolutionEvent, at: datetime, by: str) -> Changes:
    now: Changes
    stage: Stage = file.stage
    match event:
        case CustomerInvitedToCraft():
            return {"invited_to_craft_at": file.invited_to_craft_at or at}
        case SolutionProposed():
            proposed = Solution(
                solution_id=event.solution_id,
                proposer=event.proposer,
                text=event.text,
                concern_ids=event.concern_ids,
                offer_ids=event.offer_ids,
                library=event.library,
                proposed_at=at,
            )
            return {"solutions": (*file.solutions, proposed)}
        case SolutionAmended():
            now = {"state": "proposed", "text": event.text, "rejected_because": None}
        case SolutionOffered():
            now, stage = {"state": "offered", "valid_until": event.valid_until}, "solution_offered"
        case SolutionAccepted():
            now = {"state": "accepted", "answered_at": at, "in_writing": event.in_writing}
        case SolutionRejected():
            now = {"state": "rejected", "answered_at": at, "rejected_because": event.reason}
            stage = "investigating"
        case SolutionImplemented():
            now = {"implemented_at": at}
        case SolutionVerified():
            now = {"worked": event.worked}
        case BestPracticeNominated():
            now = {"nominated_as": event.library_solution_id}
    return {"solutions": having(file.solutions, event.solution_id, **now), "stage": stage}


def goodwill(file: CaseFile, event: GoodwillEvent, at: datetime, by: str) -> Changes:
    now: Changes
    match event:
        case DiscountOffered() | GoodwillOffered():
            return {"goodwill": (*file.goodwill, offered(event, at, by))}
        case GoodwillApprovalRequested():
            now = {"state": "awaiting_approval", "required_role": event.required_role}
        case GoodwillApproved():
            now = {"state": "offered", "approved_by": by}
        case GoodwillDeclined():
            now = {"state": "declined", "reason": event.reason}
        case GoodwillAccepted():
            now = {"state": "accepted"}
        case GoodwillRefused():
            now = {"state": "refused", "reason": event.reason}
        case GoodwillPaid():
            now = {
                "state": "paid",
                "amount": event.amount,
                "paid_at": event.paid_at,
                "payment_ref": event.payment_ref,
            }
        case GoodwillExpired():
            now = {"state": "expired"}
        case GoodwillWithdrawn():
            now = {"state": "withdrawn", "reason": event.reason}
        case GoodwillReversed():
            now = {"state": "reversed", "reason": event.reason}
    return {"goodwill": having(file.goodwill, event.offer_id, **now)}


def offered(event: DiscountOffered | GoodwillOffered, at: datetime, by: str) -> Offer:
    offer = Offer(
        offer_id=event.offer_id,
        kind=event.kind if isinstance(event, GoodwillOffered) else "discount",
        purpose=event.purpose,
        offered_at=at,
        offered_by=by,
        expires_at=event.expires_at,
        policy_version=event.policy_version,
        amount=event.amount,
    )
    if isinstance(event, DiscountOffered):
        return replace(offer, percent_bp=event.percent_bp, cap=event.cap)
    return offer


def outcome(file: CaseFile, event: OutcomeEvent, at: datetime, by: str) -> Changes:
    match event:
        case ComplaintResolved():
            resolution = Resolution(
                outcome=event.outcome,
                reasons=event.reasons,
                accepted_by_customer=event.accepted_by_customer,
                first_contact=event.first_contact,
                redress=event.redress,
                unresolved=event.unresolved,
                at=at,
                by=by,
            )
            return {"stage": "resolved", "resolution": resolution, "called_back_at": None}
        case CaseClosed():
            return {"stage": "closed", "closed_at": event.closed_at}
        case CaseReopened():
            reopening = Reopening(event.reason, event.text, at, by)
            return {
                "stage": "investigating",
                "resolution": None,
                "closed_at": None,
                "reopenings": (*file.reopenings, reopening),
            }
        case CaseWithdrawn():
            return {"stage": "withdrawn", "closed_at": at, "ended_because": event.customer_words}
        case CaseMarkedNotComplaint():
            return {"stage": "not_a_complaint", "closed_at": at, "ended_because": event.reason}


def after(file: CaseFile, event: AfterEvent, at: datetime, by: str) -> Changes:
    known = file.after
    match event:
        case SatisfactionRequested():
            return {"after": replace(known, satisfaction_requested_at=at)}
        case SatisfactionRecorded():
            return {"after": replace(known, satisfaction=event)}
        case RetentionOutcomeRecorded():
            retention = known.retention | {event.at_days: event.status}
            return {"after": replace(known, retention=retention)}
        case TestimonialRequested():
            return {"after": replace(known, testimonial_requested_at=at)}
        case TestimonialGiven():
            given = Testimonial(event.text, event.publish_consent, at)
            return {"after": replace(known, testimonial=given)}
        case ReferralRequested():
            return {"after": replace(known, referral_requested_at=at)}
        case ReferralReceived():
            return {"after": replace(known, referrals=(*known.referrals, event.referred_ref))}
        case InteractionQualityReviewed():
            reviewed = {"quality": event.scores}
            return {"interactions": having(file.interactions, event.interaction_id, **reviewed)}


CHAPTERS: dict[type, Callable[[CaseFile, Any, datetime, str], Changes]] = {
    event: chapter
    for events, chapter in (
        (IntakeEvent, intake),
        (ContactEvent, contact),
        (PromiseEvent, promises),
        (CallbackEvent, callbacks),
        (OwnershipEvent, ownership),
        (EscalationEvent, escalation),
        (TriageEvent, triage),
        (InvestigationEvent, investigation),
        (CaseSolutionEvent, solutions),
        (GoodwillEvent, goodwill),
        (OutcomeEvent, outcome),
        (AfterEvent, after),
    )
    for event in get_args(events)
}


def having(items: tuple[Item, ...], id: str, **changes: object) -> tuple[Item, ...]:
    """The items, with changes to the one of this id, which is its first field."""
    name = type(items[0]).__struct_fields__[0] if items else ""
    return tuple(replace(item, **changes) if getattr(item, name) == id else item for item in items)


class Filed(NamedTuple):
    """A case's file, ready to be sent, and what has to be known to say to whom."""

    body: bytes
    version: int
    position: int
    owner: str | None
    registered_by: str


class CaseFiles:
    """The files of a ledger's cases, with those at hand that were asked for lately.

    One at hand is right while the feed has read all that is known to be there, which takes in
    whatever this process wrote; else the ledger is asked for what came after it.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.recorder = feed.recorder
        self._files: OrderedDict[UUID, CaseFile] = OrderedDict()
        self._complete: dict[UUID, Filed] = {}
        """Of those at hand, the ones of which nothing newer was heard."""
        self._told = 0
        feed.on_rows.append(self.learn)

    async def get(self, case_id: UUID) -> Filed:
        filed = self._complete.get(case_id)
        if filed is not None and self.feed.fresh:
            self._files.move_to_end(case_id)
            return filed
        told, known = self._told, self._files.get(case_id)
        file = await self._read(case_id, known)
        if filed is None or filed.version < file.version:
            filed = as_filed(file)
        self._files[case_id] = file
        self._files.move_to_end(case_id)
        if told == self._told:  # Else there may be news of it that came while it was read.
            self._complete[case_id] = filed
        if len(self._files) > CACHE_MAX:
            oldest, _ = self._files.popitem(last=False)
            self._complete.pop(oldest, None)
        return filed

    def learn(self, news: Sequence[Recorded]) -> None:
        """Whatever there is news of has to be read on before it is shown again."""
        self._told = news[-1].position
        for recorded in news:
            filed = self._complete.get(recorded.stream_id)
            if filed is not None and filed.version < recorded.version:
                del self._complete[recorded.stream_id]

    async def _read(self, case_id: UUID, known: CaseFile | None) -> CaseFile:
        after = known.version if known else 0
        file = self._folded(known, await self.recorder.history(case_id, after=after))
        if file is None:
            raise NotFound("case-not-found", "there is no such case here: check the id")
        return file

    def _folded(self, file: CaseFile | None, rows: Sequence[Row]) -> CaseFile | None:
        if file is None and rows and rows[0].type != CaseRegistered.__name__:
            return None  # Something else has this id.
        for row in rows:
            file = fold(file, from_row(self.recorder.ledger, row))
        return file


def as_filed(file: CaseFile) -> Filed:
    body = msgspec.json.encode(file)
    return Filed(body, file.version, file.position, file.owner, file.registered_by)
