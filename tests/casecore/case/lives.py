"""Cases told from beginning to end, in which every command has its place."""

from datetime import timedelta

from casecore.actors import Actor
from casecore.asking import Ask
from casecore.case.decisions.after import (
    RecordReferral,
    RecordRetention,
    RecordSatisfaction,
    RecordTestimonial,
    RequestReferral,
    RequestSatisfaction,
    RequestTestimonial,
    ReviewInteraction,
)
from casecore.case.decisions.callbacks import (
    AbandonCallback,
    GiveAssurance,
    NewConcern,
    RecordCallback,
    RecordCallbackAttempt,
    RecordFollowUp,
    ScheduleCallback,
    ScheduleFollowUp,
)
from casecore.case.decisions.contact import (
    EndWaiting,
    RecordAcknowledgement,
    RecordContact,
    RecordProgressUpdate,
    RecordResponse,
    StartWaiting,
)
from casecore.case.decisions.escalation import (
    AcceptEscalation,
    CloseEscalation,
    DeclineEscalation,
    Escalate,
    RecordSupervisorSpoke,
)
from casecore.case.decisions.goodwill import (
    AcceptGoodwill,
    ApproveGoodwill,
    DeclineGoodwill,
    ExpireGoodwill,
    OfferDiscount,
    OfferGoodwill,
    RecordGoodwillPaid,
    RefuseGoodwill,
    ReverseGoodwill,
    WithdrawGoodwill,
)
from casecore.case.decisions.intake import (
    AcknowledgeComplaint,
    AddNote,
    Apologise,
    AssessEmotion,
    Complainant,
    DiscloseLimits,
    EndInteraction,
    ExplainProcess,
    FindCommonGround,
    GiveRecap,
    HearComplaint,
    HeardNote,
    RaiseConcern,
    RecordAuthority,
    RecordInsight,
    RegisterCase,
    SettleConcern,
    StartInteraction,
    TakeNote,
    ThankCustomer,
)
from casecore.case.decisions.investigation import (
    AssessRecurrence,
    AttachEvidence,
    DetermineFault,
    RecordRootCause,
    StartInvestigation,
)
from casecore.case.decisions.outcome import (
    CloseCase,
    MarkNotComplaint,
    ReopenCase,
    ResolveCase,
    WithdrawCase,
)
from casecore.case.decisions.ownership import (
    AnswerHandoff,
    AssignCase,
    ClaimCase,
    HandOff,
    QueueCase,
    RateHandoverNote,
    ReleaseCase,
    TransferCase,
    WriteHandoverNote,
)
from casecore.case.decisions.promises import (
    BreakPromise,
    KeepPromise,
    MakePromise,
    ReleasePromise,
    RenegotiatePromise,
)
from casecore.case.decisions.solutions import (
    AcceptSolution,
    AmendSolution,
    ImplementSolution,
    InviteToCraft,
    NominateSolution,
    OfferSolution,
    ProposeSolution,
    RejectSolution,
    VerifySolution,
)
from casecore.case.decisions.triage import ChangePriority, Reclassify, TriageCase
from casecore.money import Money
from tests.spec import ADA, BEN, NOON, SAM, SERVICE, SYSTEM

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Step = tuple[Actor, Ask] | timedelta
"""Who asks what; or how much time passes."""

heard: list[Step] = [
    (
        SERVICE,
        RegisterCase(
            channel="phone",
            customer=Complainant(ref="cust-1", role="representative", represents="cust-2"),
            reason="Three weeks late",
        ),
    ),
    (ADA, StartInteraction()),
    (ADA, TakeNote(kind="fact", text="Ordered on 12 October", interaction_id="i1")),
    (ADA, HearComplaint(customer_finished=True, notes=(HeardNote("feeling", "Ignored"),))),
    (ADA, GiveRecap(confirmation="confirmed", note_ids=("n1", "n2"))),
    (ADA, AcknowledgeComplaint(apology=True)),
    (ADA, Apologise(liability_admitted=True)),
    (ADA, ThankCustomer()),
    (ADA, FindCommonGround(point="It must not happen again")),
    (ADA, DiscloseLimits(cannot_do=("Refund today",), can_do=("Refund on Friday",))),
    (ADA, ExplainProcess(steps=("We look", "We call"))),
    (ADA, AssessEmotion(heat=3)),
    (ADA, RaiseConcern(text="Nobody called", major=True)),
    (ADA, RaiseConcern(text="The box was wet")),
    (ADA, RecordInsight(text="The depot closes at noon")),
    (ADA, RecordAuthority(evidence="A letter of the customer")),
    (ADA, EndInteraction(interaction_id="i1", duration_seconds=600)),
    (SAM, ReviewInteraction(interaction_id="i1", scores={"calm": 4})),
    (ADA, AddNote(text="Rang from abroad")),
    (ADA, MakePromise(kind="resolution", text="An answer", within_seconds=10 * 86_400)),
]

worked_on: list[Step] = [
    *heard,
    (SERVICE, QueueCase(queue="delivery", reason="It is about a delivery")),
    (ADA, ClaimCase()),
    (ADA, TriageCase(severity=3, complexity=2, impact=2, category="late")),
    (ADA, Reclassify(reason="Not lost, only late", category="delay")),
    (ADA, ChangePriority(priority="high", reason="A wedding")),
    (ADA, StartInvestigation()),
    (ADA, AttachEvidence(kind="image", sha256="a" * 64, uri="s3://proof/1", size_bytes=9)),
    (ADA, AssessRecurrence(window_days=90, verdict="first")),
    (ADA, RecordRootCause(cause_code="depot")),
    (ADA, DetermineFault(party="business", reasons="The depot forgot it")),
    (ADA, RecordAcknowledgement(mode="written", message_ref="m1")),
    (ADA, StartWaiting(reason="customer", asked_for="A photo of the box")),
    (SERVICE, RecordContact(channel="email", message_ref="m2", text="The photo")),
    (ADA, RecordResponse(text="Thank you for the photo")),
    (ADA, StartWaiting(reason="third_party", asked_for="The depot's log")),
    (ADA, EndWaiting(reason="third_party", cause="third_party_reply")),
    (ADA, RecordProgressUpdate(text="The depot is looking", next_update_by=NOON + 2 * DAY)),
    (ADA, MakePromise(kind="update", text="News", within_seconds=3600)),
    (
        ADA,
        RenegotiatePromise(
            promise_id="p2", within_seconds=7200, customer_agreed=True, reason="Busy"
        ),
    ),
    (ADA, KeepPromise(promise_id="p2")),
    (ADA, MakePromise(kind="callback", text="A call", within_seconds=3600)),
    (ADA, ReleasePromise(promise_id="p3", by_customer=True, reason="Not needed")),
    (ADA, MakePromise(kind="decision", text="A decision", within_seconds=60)),
    HOUR,
    (SYSTEM, BreakPromise(promise_id="p4")),
    (
        ADA,
        RenegotiatePromise(
            promise_id="p4", within_seconds=7200, customer_agreed=True, reason="Busy"
        ),
    ),
    (ADA, KeepPromise(promise_id="p4")),
    (ADA, KeepPromise(promise_id="p5")),
    (ADA, ScheduleCallback(window_start=NOON + DAY, window_end=NOON + 2 * DAY, zone="UTC")),
    (ADA, RecordCallback(reached=False)),
    (ADA, RecordCallbackAttempt(callback_id="b1", outcome="voicemail")),
    HOUR,
    (ADA, RecordCallbackAttempt(callback_id="b1", outcome="refused")),
    (ADA, AbandonCallback(callback_id="b1", reason="Nobody answers")),
    (ADA, RecordCallback(reached=True, new_concerns=(NewConcern("The colour"),))),
    (ADA, GiveAssurance(text="The depot stays open", scope="systemic", action_refs=("a-1",))),
    (ADA, WriteHandoverNote(situation="The parcel is lost", next_step="Find it")),
    (ADA, HandOff(to_team="depot", question="Where is it?")),
    (ADA, ScheduleFollowUp(with_team="depot", due_at=NOON + DAY)),
    (ADA, RecordFollowUp(followup_id="f1", result="They look")),
    (ADA, AnswerHandoff(handoff_id="h1", answer="On the shelf")),
    (ADA, TransferCase(to_agent="ben", reason="End of shift")),
    (BEN, RateHandoverNote(note_id="hn1", sufficient=True)),
    (BEN, ReleaseCase(reason="Ill")),
    (SAM, AssignCase(agent="ada")),
]

escalated: list[Step] = [
    *worked_on,
    (ADA, Escalate(reason="Wants a manager", requested_by="customer")),
    (SAM, DeclineEscalation(escalation_id="e1", guidance="Offer the refund first")),
    (ADA, Escalate(reason="Still wants a manager", requested_by="customer", tier=2)),
    (SAM, AcceptEscalation(escalation_id="e2")),
    (SAM, RecordSupervisorSpoke(escalation_id="e2", decision="varied", heat_after=1)),
    (SAM, CloseEscalation(escalation_id="e2", outcome="The customer is calm")),
    (ADA, Escalate(kind="functional", to_team="legal", reason="A threat")),
]

offered: list[Step] = [
    *escalated,
    (ADA, InviteToCraft()),
    (ADA, ProposeSolution(proposer="customer", text="Deliver to the neighbour")),
    (ADA, AmendSolution(solution_id="s1", text="Deliver to the shop")),
    (ADA, OfferSolution(solution_id="s1")),
    (ADA, RejectSolution(solution_id="s1", reason="Too far")),
    (ADA, ProposeSolution(proposer="joint", text="Deliver on Friday")),
    (ADA, OfferSolution(solution_id="s2")),
    (ADA, AcceptSolution(solution_id="s2")),
    (ADA, ImplementSolution(solution_id="s2")),
    (ADA, VerifySolution(solution_id="s2", worked=True)),
    (ADA, NominateSolution(solution_id="s2", title="Friday", why="It works")),
    (ADA, OfferDiscount(purpose="thank_you", percent_bp=500)),
    (ADA, AcceptGoodwill(offer_id="g1")),
    (ADA, OfferGoodwill(kind="refund", purpose="redress", amount=Money(9_000, "GBP"))),
    (SAM, ApproveGoodwill(offer_id="g2")),
    (ADA, AcceptGoodwill(offer_id="g2")),
    (SERVICE, RecordGoodwillPaid(offer_id="g2", payment_ref="pay-1")),
    (SAM, ReverseGoodwill(offer_id="g2", reason="Paid twice")),
    (ADA, OfferGoodwill(kind="gift", purpose="distress", amount=Money(8_000, "GBP"))),
    (SAM, DeclineGoodwill(offer_id="g3", reason="Too much")),
    (ADA, OfferGoodwill(kind="gift", purpose="distress", amount=Money(500, "GBP"))),
    (ADA, RefuseGoodwill(offer_id="g4")),
    (ADA, OfferGoodwill(kind="gift", purpose="distress", amount=Money(600, "GBP"))),
    (ADA, WithdrawGoodwill(offer_id="g5", reason="A mistake")),
    (
        ADA,
        OfferGoodwill(
            kind="gift", purpose="distress", amount=Money(700, "GBP"), expires_at=NOON + DAY
        ),
    ),
]

resolved: list[Step] = [
    *offered,
    2 * DAY,
    (SYSTEM, ExpireGoodwill(offer_id="g6")),
    (ADA, SettleConcern(concern_id="c1", customer_agrees=True)),
    (ADA, ResolveCase(outcome="upheld", reasons="Lost at the depot")),
    (ADA, RecordCallback(reached=True, all_concerns_settled=True)),
]

closed: list[Step] = [
    *resolved,
    (ADA, CloseCase()),
    (ADA, RequestSatisfaction(channel="email")),
    (SERVICE, RecordSatisfaction(csat=5)),
    (ADA, RequestTestimonial()),
    (ADA, RecordTestimonial(text="They listened")),
    (ADA, RequestReferral()),
    (ADA, RecordReferral(referred_ref="cust-3")),
    30 * DAY,
    (ADA, RecordRetention(status="stayed", at_days=30)),
    (SAM, ReopenCase(reason="recurrence", text="Late again")),
]

LIVES: dict[str, list[Step]] = {
    "closed and reopened": closed,
    "withdrawn": [*worked_on, (ADA, WithdrawCase(customer_words="Never mind"))],
    "no complaint": [*heard, (SAM, MarkNotComplaint(reason="It was praise"))],
}
