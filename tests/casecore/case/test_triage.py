from casecore.case.decisions.triage import ChangePriority, Reclassify, TriageCase
from casecore.case.events.intake import Priority
from casecore.case.events.outcome import CaseWithdrawn
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.solutions import SolutionOffered, SolutionProposed
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged
from tests.spec import ADA, BEN, SAM, given, registered

assigned = CaseAssigned("ada", "claim")
triage = TriageCase(severity=4, complexity=2, impact=3, category="late_delivery", priority="high")


def triaged(priority: Priority = "high") -> CaseTriaged:
    return CaseTriaged(4, 2, 3, False, "late_delivery", priority)


def test_triage_says_how_grave_the_complaint_is() -> None:
    case = given(registered, assigned).when(triage).then(triaged())
    assert case.state.stage == "triaged"
    case.when(triage).then()


def test_triage_leaves_the_priority_unless_it_names_one() -> None:
    calm = TriageCase(severity=4, complexity=2, impact=3, category="late_delivery")
    given(registered, assigned).when(calm).then(triaged("normal"))


def test_a_case_can_be_assessed_anew_while_it_is_investigated() -> None:
    worse = TriageCase(severity=5, complexity=2, impact=3, category="loss")
    case = given(registered, assigned, triaged()).when(worse)
    case.then(CaseTriaged(5, 2, 3, False, "loss", "high"))


def test_only_the_owner_or_a_supervisor_triages() -> None:
    given(registered).when(triage, by=ADA).then_refused("not-owner")
    given(registered, assigned).when(triage, by=BEN).then_refused("not-owner")
    given(registered).when(triage, by=SAM).then(triaged())


def test_a_case_with_a_solution_on_offer_is_not_triaged_any_more() -> None:
    proposed = SolutionProposed("s1", "agent", "Send it again")
    offered = given(registered, assigned, proposed, SolutionOffered("s1", "agent"))
    error = offered.when(triage).then_refused("invalid-transition")
    assert error.context["from_stage"] == "solution_offered"
    offered.when(Reclassify(reason="Wrong", category="x")).then_refused("invalid-transition")


def test_reclassifying_corrects_what_the_complaint_is_about() -> None:
    reclassify = Reclassify(reason="It was the depot", category="lost")
    changed = CaseReclassified("It was the depot", "lost", "delivery", "late_delivery", "delivery")
    given(registered, assigned, triaged()).when(reclassify).then(changed).when(reclassify).then()


def test_reclassifying_as_nothing_is_refused() -> None:
    nothing = Reclassify(reason="Wrong")
    given(registered, assigned).when(nothing).then_refused("nothing-to-reclassify")


def test_the_priority_changes_once() -> None:
    urgent = ChangePriority(priority="urgent", reason="A child is ill")
    case = given(registered, assigned).when(urgent)
    case.then(PriorityChanged("normal", "urgent", "A child is ill")).when(urgent).then()


def test_the_priority_of_an_ended_case_stays() -> None:
    urgent = ChangePriority(priority="urgent", reason="A child is ill")
    case = given(registered, assigned, CaseWithdrawn("Never mind"))
    case.when(urgent).then_refused("invalid-transition")
