import pytest

from casecore.asking import Ask
from casecore.case.decisions.escalation import (
    AcceptEscalation,
    CloseEscalation,
    DeclineEscalation,
    Escalate,
    RecordSupervisorSpoke,
)
from casecore.case.events.escalation import (
    ComplaintEscalated,
    EscalationAccepted,
    EscalationClosed,
    EscalationDeclined,
    SupervisorSpoke,
)
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.facts import Event
from tests.spec import ADA, ADMIN, BEN, NOON, SAM, SERVICE, SYSTEM, given, registered

demanded = ComplaintEscalated("e1", "hierarchical", 1, "Asked for a manager", "customer", "ada")
accepted = EscalationAccepted("e1")
declined = EscalationDeclined("e1", "Offer the refund first")
closed = EscalationClosed("e1", "The customer is calm")
spoke = SupervisorSpoke("e1", "upheld", heat_before=4, heat_after=1)

demand = Escalate(reason="Asked for a manager", requested_by="customer")
accept = AcceptEscalation(escalation_id="e1")
decline = DeclineEscalation(escalation_id="e1", guidance="Offer the refund first")
close = CloseEscalation(escalation_id="e1", outcome="The customer is calm")
speak = RecordSupervisorSpoke(escalation_id="e1", decision="upheld", heat_before=4, heat_after=1)


def test_a_customer_who_demands_a_supervisor_is_escalated_one_tier_up() -> None:
    given(registered).when(demand).then(demanded).when(demand).then()


def test_a_tier_it_has_come_to_already_is_not_asked_for_again() -> None:
    to_tier_1 = Escalate(reason="Again", requested_by="customer", tier=1)

    given(registered, demanded).when(to_tier_1).then()
    given(registered, demanded, accepted, closed).when(to_tier_1).then()


def test_it_goes_on_to_the_next_tier_once_the_last_is_closed_and_never_above_the_third() -> None:
    case = given(registered, demanded, accepted, closed).when(demand)
    second = ComplaintEscalated("e2", "hierarchical", 2, demanded.reason, "customer", "ada")
    case.then(second)
    top = ComplaintEscalated("e1", "hierarchical", 3, "x", "customer", "ada")
    given(registered, top, accepted, closed).when(demand).then()


def test_a_declined_escalation_lifted_the_case_nowhere_and_may_be_asked_for_again() -> None:
    again = Escalate(reason="Asked for a manager", requested_by="customer", tier=1)

    given(registered, demanded, declined).when(again).then(
        ComplaintEscalated("e2", "hierarchical", 1, "Asked for a manager", "customer", "ada")
    )


def test_an_agent_says_what_was_tried_before_calling_a_supervisor() -> None:
    refusal = given(registered).when(Escalate(reason="Hard")).then_refused("alternatives-required")
    assert refusal.context["invariant"] == "I-15"
    given(registered).when(Escalate(reason="Hard", alternatives_tried=("A discount",))).then(
        ComplaintEscalated(
            "e1", "hierarchical", 1, "Hard", "agent", "ada", alternatives_tried=("A discount",)
        )
    )
    given(registered).when(Escalate(reason="Hard", trigger="litigation_threat")).then(
        ComplaintEscalated(
            "e1", "hierarchical", 1, "Hard", "agent", "ada", trigger="litigation_threat"
        )
    )


def test_machines_escalate_on_a_trigger_and_people_are_no_machines() -> None:
    given(registered).when(Escalate(reason="Due soon", trigger="breach"), SERVICE).then(
        ComplaintEscalated(
            "e1", "hierarchical", 1, "Due soon", "system", "mailbox", trigger="breach"
        )
    )
    given(registered).when(demand, SERVICE).then_refused("trigger-required")
    given(registered).when(Escalate(reason="Due soon"), SYSTEM).then_refused(
        "alternatives-required"
    )
    given(registered).when(Escalate(reason="x", requested_by="system")).then_refused("not-a-system")


def test_another_team_is_asked_in_without_a_tier() -> None:
    ask = Escalate(kind="functional", reason="A threat", to_team="legal")
    event = ComplaintEscalated("e1", "functional", 0, "A threat", "agent", "ada", to_team="legal")

    given(registered).when(ask).then(event).when(ask).then().when(
        Escalate(kind="functional", reason="A threat", to_team="press")
    ).then(ComplaintEscalated("e2", "functional", 0, "A threat", "agent", "ada", to_team="press"))
    given(registered).when(Escalate(kind="functional", reason="x")).then_refused("team-required")
    given(registered).when(
        Escalate(kind="functional", reason="x", to_team="legal", tier=1)
    ).then_refused("tier-not-functional")


def test_an_agent_escalates_their_own_case_or_a_queued_one() -> None:
    assigned = CaseAssigned("ada", "claim")
    given(registered, assigned).when(demand).then(demanded)
    given(registered, assigned).when(demand, BEN).then_refused("not-owner")


def test_a_supervisor_accepts_speaks_with_the_customer_and_closes() -> None:
    case = given(registered, demanded).when(accept, SAM).then(accepted).when(accept, SAM).then()
    case = case.when(speak, SAM).then(spoke).when(speak, SAM).then()
    case.when(close, SAM).then(closed).when(close, SAM).then().when(speak, SAM).then()


def test_agents_do_not_answer_escalations() -> None:
    for command in (accept, decline, speak, close):
        given(registered, demanded).when(command, ADA).then_refused("role-forbidden")


def test_nobody_accepts_what_they_asked_for_themselves_but_a_customers_demand_they_may() -> None:
    own = ComplaintEscalated("e1", "hierarchical", 1, "Hard", "agent", "sam")
    for_customer = ComplaintEscalated("e1", "hierarchical", 1, "Hard", "customer", "sam")

    given(registered, own).when(accept, SAM).then_refused("self-approval")
    given(registered, own).when(accept, ADMIN).then(accepted)
    given(registered, for_customer).when(accept, SAM).then(accepted)


def test_declining_comes_with_guidance_and_is_done_once() -> None:
    given(registered, demanded).when(decline, SAM).then(declined).when(decline, SAM).then()


@pytest.mark.parametrize(
    ("history", "command", "code"),
    [
        ([demanded, declined], accept, "already-decided"),
        ([demanded, accepted, closed], accept, "already-decided"),
        ([demanded, accepted], decline, "already-decided"),
        ([demanded], speak, "escalation-not-accepted"),
        ([demanded], close, "escalation-not-accepted"),
        ([demanded, declined], close, "escalation-not-accepted"),
    ],
)
def test_what_was_decided_stays_and_what_was_not_comes_first(
    history: list[Event], command: Ask, code: str
) -> None:
    given(registered, *history).when(command, SAM).then_refused(code)


@pytest.mark.parametrize("command", [accept, decline, speak, close])
def test_an_escalation_that_nobody_asked_for_has_no_answer(command: Ask) -> None:
    given(registered).when(command, SAM).then_refused("escalation-not-found")


def test_a_supervisor_spoke_in_a_conversation_that_was_held() -> None:
    spoken = RecordSupervisorSpoke(escalation_id="e1", decision="varied", interaction_id="i1")
    given(registered, demanded, accepted).when(spoken, SAM).then_refused("interaction-not-found")


@pytest.mark.parametrize("command", [demand, accept, decline, speak, close])
def test_nothing_is_escalated_once_the_case_is_closed_or_withdrawn(command: Ask) -> None:
    resolved = ComplaintResolved("upheld", "x")
    for end in ([resolved, CaseClosed(NOON)], [CaseWithdrawn("x")]):
        given(registered, demanded, *end).when(command, SAM).then_refused("invalid-transition")
