from datetime import timedelta

import pytest

from casecore.actors import Role
from casecore.asking import Ask
from casecore.case.decisions.outcome import (
    REOPEN_WINDOW,
    CloseCase,
    Fault,
    MarkNotComplaint,
    ReopenCase,
    ResolveCase,
    Unresolved,
    WithdrawCase,
)
from casecore.case.events.callbacks import (
    CallbackAbandoned,
    CallbackScheduled,
    CustomerCalledBack,
)
from casecore.case.events.contact import CustomerContacted, WaitingEnded, WaitingStarted
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillAccepted,
    GoodwillApprovalRequested,
    GoodwillExpired,
    GoodwillOffered,
    GoodwillPaid,
    GoodwillWithdrawn,
)
from casecore.case.events.intake import ComplaintHeard, ConcernRaised, ConcernSettled
from casecore.case.events.investigation import FaultDetermined, RootCauseRecorded
from casecore.case.events.outcome import (
    CaseClosed,
    CaseMarkedNotComplaint,
    CaseReopened,
    CaseWithdrawn,
    ComplaintResolved,
    DoubtedSolution,
    UnresolvedConcern,
)
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.promises import (
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromiseReleased,
)
from casecore.case.events.solutions import SolutionAccepted, SolutionOffered, SolutionProposed
from casecore.case.events.triage import CaseTriaged
from casecore.facts import Event
from casecore.money import Money
from tests.spec import ADA, ADMIN, BEN, NOON, SAM, SERVICE, SYSTEM, Spec, given, registered

DAY = NOON + timedelta(days=1)
MONTH = NOON + timedelta(days=30)
WHY = "The parcel was scanned at the door on Friday"

assigned = CaseAssigned("ada", "claim")
triaged = CaseTriaged(3, 2, 2, False, "late_delivery", "normal")
heard = ComplaintHeard(customer_finished=True)
our_fault = FaultDetermined("business", "Lost at the depot")
upheld = ComplaintResolved("upheld", "Lost at the depot", first_contact=True)
scheduled = CallbackScheduled("b1", "post_resolution", NOON, DAY, "Europe/London", 3)
called_back = CustomerCalledBack("b1", all_concerns_settled=True)
closed = CaseClosed(NOON)
promised = PromiseMade("p1", "resolution", "An answer within a day", DAY, "ada")
late = ConcernRaised("c1", "Late", major=True)
discount = DiscountOffered("g1", "thank_you", 1, MONTH, percent_bp=1000)
refund = GoodwillOffered("g1", "refund", "redress", Money(4000, "GBP"), 1, MONTH)
asked = GoodwillApprovalRequested("g1", "ada", Role.SUPERVISOR)
accepted = GoodwillAccepted("g1")
paid = GoodwillPaid("g1", "pay-1", Money(4000, "GBP"), NOON)

uphold = ResolveCase(outcome="upheld", reasons="Lost at the depot")
reject = ResolveCase(outcome="rejected", reasons=WHY)
close = CloseCase()
reopen = ReopenCase(reason="dissatisfied", text="It came damaged")
reopened = CaseReopened("dissatisfied", "It came damaged")
withdraw = WithdrawCase(customer_words="It came after all")
no_complaint = MarkNotComplaint(reason="A question about opening hours")


def case(*events: Event) -> Spec:
    return given(registered, assigned, *events)


def resolved(*events: Event) -> Spec:
    return case(*events, our_fault, upheld)


def ready(*events: Event) -> Spec:
    """Resolved and called back: nothing but the events given keeps it from being closed."""
    return case(*events, our_fault, upheld, scheduled, called_back)


def test_resolving_tells_the_outcome_and_the_fault_it_implies() -> None:
    spec = case().when(uphold).then(our_fault, upheld)
    assert spec.state.stage == "resolved"
    spec.when(uphold).then()


def test_a_resolved_case_is_not_resolved_otherwise() -> None:
    other = ResolveCase(outcome="partly_upheld", reasons="Only late")
    resolved().when(other).then_refused("invalid-transition")


@pytest.mark.parametrize(
    ("outcome", "party"),
    [
        ("upheld", "business"),
        ("partly_upheld", "business"),
        ("rejected", "none"),
        ("heard_no_action", "none"),
    ],
)
def test_each_outcome_implies_whose_fault_it_was(outcome: str, party: str) -> None:
    command = ResolveCase(outcome=outcome, reasons=WHY)  # type: ignore[arg-type]
    spec = case(heard).when(command)
    assert isinstance(spec.outcome, list)
    [fault, _] = spec.outcome
    assert fault == FaultDetermined(party, WHY)  # type: ignore[arg-type]


def test_a_fault_determined_before_stands_unless_another_is_named() -> None:
    theirs = FaultDetermined("third_party", "The carrier lost it")
    case(theirs).when(uphold).then(upheld)
    named = ResolveCase(
        outcome="upheld",
        reasons="Lost at the depot",
        fault=Fault(party="business", cause_class="process_defect", cause_code="handover"),
    )
    case(theirs).when(named).then(
        FaultDetermined("business", "Lost at the depot", "process_defect", "handover"), upheld
    )


def test_after_a_reopening_the_fault_is_determined_anew() -> None:
    spec = case(heard, our_fault, upheld, reopened).when(reject)
    spec.then(FaultDetermined("none", WHY), ComplaintResolved("rejected", WHY))


def test_resolving_records_a_root_cause_that_is_news() -> None:
    with_cause = ResolveCase(
        outcome="upheld", reasons="Lost at the depot", root_cause="carrier_depot"
    )
    case().when(with_cause).then(our_fault, RootCauseRecorded("carrier_depot"), upheld)
    known = RootCauseRecorded("carrier_depot", "supplier")
    case(known).when(with_cause).then(our_fault, upheld)


def test_untriaged_cases_are_resolved_by_their_owner_or_on_their_behalf() -> None:
    given(registered).when(uphold, by=ADMIN).then_refused("triage-required")
    given(registered, triaged).when(uphold, by=ADMIN).then(our_fault, upheld)
    case().when(uphold, by=ADMIN).then(our_fault, upheld)
    case().when(uphold, by=BEN).then_refused("not-owner")


def test_resolving_waits_for_goodwill_to_be_approved() -> None:
    error = case(discount, asked).when(uphold).then_refused("goodwill-awaiting-approval")
    assert error.context["offers"] == ["g1"]
    case(discount, asked).when(uphold, at=MONTH).then(our_fault, upheld)


def test_resolving_settles_every_major_concern_or_says_why_not() -> None:
    small = ConcernRaised("c2", "A torn box", major=False)
    error = case(late, small).when(uphold).then_refused("unsettled-concerns")
    assert error.context["concerns"] == ["c1"]
    case(late, small, ConcernSettled("c1")).when(uphold).then(our_fault, upheld)
    left = ResolveCase(
        outcome="upheld",
        reasons="Lost at the depot",
        unresolved=(Unresolved(concern_id="c1", reason="No van before May"),),
    )
    spec = case(late, small).when(left)
    assert isinstance(spec.outcome, list)
    assert spec.outcome[-1].unresolved == (UnresolvedConcern("c1", "No van before May"),)  # type: ignore[attr-defined]
    case().when(left).then_refused("concern-not-found")


def test_a_rejection_needs_the_customer_heard_and_reasons_of_its_own() -> None:
    case().when(reject).then_refused("not-heard")
    short = ResolveCase(outcome="rejected", reasons="Not our policy.    ")
    error = case(heard).when(short).then_refused("reasons-too-short")
    assert error.context["invariant"] == "I-25"
    case(heard).when(reject).then(
        FaultDetermined("none", WHY), ComplaintResolved("rejected", WHY, first_contact=True)
    )


def test_resolving_keeps_the_promise_of_a_resolution() -> None:
    kept = PromiseKept("p1", DAY, "the complaint was resolved")
    case(promised).when(uphold, at=DAY).then(our_fault, upheld, kept)


def test_resolving_too_late_breaks_the_promise_and_fulfils_it() -> None:
    broken = PromiseBroken("p1", DAY, detected_at=MONTH, fulfilled_at=MONTH)
    case(promised).when(uphold, at=MONTH).then(our_fault, upheld, broken)


def test_another_promise_keeps_running_when_the_case_is_resolved() -> None:
    other = PromiseMade("p1", "payment", "The refund by Friday", DAY, "ada")
    case(other).when(uphold).then(our_fault, upheld)


def test_resolving_ends_all_waiting() -> None:
    spec = case(WaitingStarted("customer", "The order number"))
    spec.when(uphold).then(our_fault, WaitingEnded("customer", "resolution", NOON), upheld)


def test_the_redress_is_what_was_accepted_or_paid_by_currency() -> None:
    spec = case(
        refund,
        accepted,
        GoodwillOffered("g2", "gift", "distress", Money(500, "EUR"), 1, MONTH),
        GoodwillAccepted("g2"),
        GoodwillPaid("g2", "pay-2", Money(400, "EUR"), NOON),
        GoodwillOffered("g3", "compensation", "distress", Money(1000, "GBP"), 1, MONTH),
        GoodwillAccepted("g3"),
        GoodwillOffered("g4", "compensation", "distress", Money(9000, "GBP"), 1, MONTH),
    ).when(uphold)
    redress = (Money(400, "EUR"), Money(5000, "GBP"))
    spec.then(
        our_fault,
        ComplaintResolved("upheld", "Lost at the depot", first_contact=True, redress=redress),
    )


def test_it_is_no_first_contact_resolution_once_the_customer_had_to_come_back() -> None:
    came_back = CustomerContacted("phone")
    spec = case(came_back).when(uphold)
    spec.then(our_fault, ComplaintResolved("upheld", "Lost at the depot"))


def test_an_accepted_solution_tells_that_the_customer_accepts() -> None:
    agreed = (
        SolutionProposed("s1", "customer", "Send it again"),
        SolutionOffered("s1", "customer"),
        SolutionAccepted("s1", "customer", in_writing=False),
    )
    spec = case(*agreed).when(uphold)
    spec.then(our_fault, ComplaintResolved("upheld", "Lost at the depot", True, True))
    denied = ResolveCase(outcome="upheld", reasons="Lost at the depot", accepted_by_customer=False)
    case(*agreed).when(denied).then(
        our_fault, ComplaintResolved("upheld", "Lost at the depot", False, True)
    )


def test_a_case_is_closed_after_the_customer_was_called_back() -> None:
    resolved().when(close).then_refused("callback-required")
    ready().when(close).then(closed).when(close).then()
    given_up = resolved(scheduled).state.evolve(CallbackAbandoned("b1", 3, "Nobody answers"))
    Spec(given_up).when(close).then(closed)


def test_a_case_is_closed_only_once_it_is_resolved() -> None:
    case().when(close).then_refused("invalid-transition")
    ready().when(close, by=BEN).then_refused("not-owner")


def test_a_running_promise_keeps_a_case_from_being_closed() -> None:
    other = PromiseMade("p2", "payment", "The refund by Tuesday", DAY, "ada")
    error = ready(other).when(close).then_refused("promise-running")
    assert "p2 is still running until 2026-03-03 12:00 UTC" in str(error)


@pytest.mark.parametrize(
    "unsettled", [(discount,), (discount, asked), (refund,), (refund, accepted)]
)
def test_unsettled_goodwill_keeps_a_case_from_being_closed(unsettled: tuple[Event, ...]) -> None:
    error = ready(*unsettled).when(close).then_refused("goodwill-unsettled")
    assert error.context["offers"] == ["g1"]


@pytest.mark.parametrize("settled", [(discount, accepted), (refund, accepted, paid)])
def test_an_accepted_discount_and_a_paid_refund_are_settled(settled: tuple[Event, ...]) -> None:
    ready(*settled).when(close).then(closed)


def test_closing_notices_the_offers_that_nobody_answered_in_time() -> None:
    spec = ready(discount).when(close, at=MONTH)
    spec.then(GoodwillExpired("g1", MONTH), CaseClosed(MONTH))


def test_a_concern_that_came_up_since_is_settled_or_closed_with_a_reason() -> None:
    spec = Spec(ready().state.evolve(late))
    spec.when(close).then_refused("unsettled-concerns")
    why = "They will write to us again"
    spec.when(CloseCase(reason=why)).then(CaseClosed(NOON, why))


def test_a_concern_that_the_resolution_left_open_does_not_keep_it_from_closing() -> None:
    left = (UnresolvedConcern("c1", "No van before May"),)
    settled = ComplaintResolved("upheld", "Lost at the depot", unresolved=left)
    case(late, our_fault, settled, scheduled, called_back).when(close).then(closed)


def test_a_case_is_reopened_and_its_accepted_solutions_are_doubted() -> None:
    agreed = (
        SolutionProposed("s1", "customer", "Send it again"),
        SolutionOffered("s1", "customer"),
        SolutionAccepted("s1", "customer", in_writing=False),
    )
    doubted = CaseReopened("dissatisfied", "It came damaged", (DoubtedSolution("s1", "customer"),))
    spec = resolved(*agreed).when(reopen).then(doubted).when(reopen).then()
    assert spec.state.stage == "investigating"


def test_what_goes_on_is_not_reopened() -> None:
    case().when(reopen).then_refused("invalid-transition")
    again = ReopenCase(reason="recurrence", text="Late again")
    resolved().when(reopen).then(reopened).when(again).then_refused("invalid-transition")
    given(registered, no_complaint_marked()).when(reopen, by=SAM).then_refused("invalid-transition")


def no_complaint_marked() -> CaseMarkedNotComplaint:
    return CaseMarkedNotComplaint("A question about opening hours")


def test_a_case_can_be_reopened_for_half_a_year_and_then_only_from_outside() -> None:
    last_day = NOON + REOPEN_WINDOW
    too_late = last_day + timedelta(seconds=1)
    ready(closed).when(reopen, at=last_day).then(reopened)
    error = ready(closed).when(reopen, at=too_late).then_refused("reopen-window-passed")
    assert error.context["invariant"] == "I-22"
    ruled = ReopenCase(reason="external_decision", text="The ombudsman decided")
    ready(closed).when(ruled, by=SERVICE, at=too_late).then(
        CaseReopened("external_decision", "The ombudsman decided")
    )


def test_agents_reopen_their_own_cases_and_services_for_external_decisions() -> None:
    ready(closed).when(reopen, by=ADA).then(reopened)
    ready(closed).when(reopen, by=BEN).then_refused("not-owner")
    ready(closed).when(reopen, by=SAM).then(reopened)
    ready(closed).when(reopen, by=SERVICE).then_refused("role-forbidden")


def test_a_customer_withdraws_in_their_own_words() -> None:
    spec = case().when(withdraw).then(CaseWithdrawn("It came after all")).when(withdraw).then()
    spec.when(uphold).then_refused("invalid-transition")
    resolved().when(withdraw).then_refused("invalid-transition")


def test_withdrawing_leaves_nothing_to_wait_for() -> None:
    why = "the customer withdrew the complaint"
    waiting = WaitingStarted("customer", "The order number")
    case(promised, discount, scheduled, waiting).when(withdraw).then(
        PromiseReleased("p1", True, why),
        GoodwillWithdrawn("g1", why),
        CallbackAbandoned("b1", 0, why),
        WaitingEnded("customer", "agent", NOON),
        CaseWithdrawn("It came after all"),
    )


@pytest.mark.parametrize("command", [withdraw, no_complaint])
def test_a_case_does_not_end_while_money_is_owed(command: Ask) -> None:
    case(refund, accepted).when(command, by=SAM).then_refused("goodwill-unsettled")


def test_only_a_supervisor_says_that_something_is_no_complaint() -> None:
    case().when(no_complaint).then_refused("role-forbidden")
    spec = case(triaged).when(no_complaint, by=SAM).then(no_complaint_marked())
    spec.when(no_complaint, by=SYSTEM).then()


def test_what_is_investigated_is_a_complaint() -> None:
    resolved().when(no_complaint, by=SAM).then_refused("invalid-transition")
