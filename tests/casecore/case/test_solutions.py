from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from casecore.actors import Role
from casecore.asking import Ask
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
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillApprovalRequested,
    GoodwillDeclined,
)
from casecore.case.events.intake import (
    AuthorityRecorded,
    CaseRegistered,
    ConcernRaised,
    ConcernSettled,
    Customer,
    InteractionStarted,
)
from casecore.case.events.outcome import CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.solutions import (
    BestPracticeNominated,
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
from casecore.case.events.triage import CaseTriaged
from casecore.solutions.events import (
    Applicability,
    SolutionDrafted,
    SolutionRevised,
    SolutionWithdrawn,
)
from casecore.solutions.state import Solution
from tests.spec import ADMIN, CASE_ID, NOON, SAM, given, registered

ENTRY_ID = UUID(int=42)
LATER = NOON + timedelta(days=2)

assigned = CaseAssigned("ada", "claim")
triaged = CaseTriaged(3, 2, 2, False, "late_delivery", "normal")
proposed = SolutionProposed("s1", "customer", "Deliver to the neighbour")
offered = SolutionOffered("s1", "customer")
accepted = SolutionAccepted("s1", "customer", in_writing=False)
rejected = SolutionRejected("s1", "customer", "Too late now")
resolved = ComplaintResolved(outcome="upheld", reasons="Lost at the depot")
drafted = SolutionDrafted(
    "Neighbour", "Ask the neighbour", "customer", Applicability(), CASE_ID, "s1"
)

propose = ProposeSolution(proposer="customer", text="Deliver to the neighbour")
from_library = ProposeSolution(proposer="library", library_solution_id=ENTRY_ID)
offer = OfferSolution(solution_id="s1")
accept = AcceptSolution(solution_id="s1")
reject = RejectSolution(solution_id="s1", reason="Too late now")
implement = ImplementSolution(solution_id="s1", action_refs=("job-7",))
verify = VerifySolution(solution_id="s1", worked=True)
nominate = NominateSolution(solution_id="s1", title="Neighbour", why="Costs nothing")


def entry(*events: SolutionDrafted | SolutionRevised | SolutionWithdrawn) -> Solution:
    state: Solution = given(*events, of=Solution, id=ENTRY_ID).state
    return state


def test_the_customer_is_asked_what_would_put_it_right_once_a_conversation() -> None:
    case = given(registered, InteractionStarted("i1", "phone", "inbound"))
    invite = InviteToCraft(interaction_id="i1")
    case = case.when(invite).then(CustomerInvitedToCraft("i1")).when(invite).then()
    case.when(InviteToCraft()).then(CustomerInvitedToCraft())
    case.when(InviteToCraft(interaction_id="i9")).then_refused("interaction-not-found")


def test_a_proposed_solution_is_numbered_and_the_same_is_not_proposed_twice() -> None:
    case = given(registered, assigned).when(propose).then(proposed).when(propose).then()
    again = ProposeSolution(proposer="agent", text="Send it again")
    case.when(again).then(SolutionProposed("s2", "agent", "Send it again"))


def test_what_was_rejected_may_be_proposed_again() -> None:
    case = given(registered, assigned, proposed, offered, rejected)
    case.when(propose).then(SolutionProposed("s2", "customer", "Deliver to the neighbour"))


def test_a_solution_covers_the_open_concerns_unless_it_names_some() -> None:
    case = given(
        registered,
        assigned,
        ConcernRaised("c1", "Late", major=True),
        ConcernRaised("c2", "Nobody calls", major=False),
        ConcernRaised("c3", "Rude", major=False),
        ConcernSettled("c3"),
    )
    case.when(propose).then(
        SolutionProposed("s1", "customer", "Deliver to the neighbour", concern_ids=("c1", "c2"))
    )
    named = ProposeSolution(proposer="agent", text="Call weekly", concern_ids=("c2", "c3"))
    case.when(named).then(SolutionProposed("s1", "agent", "Call weekly", concern_ids=("c2", "c3")))
    settled = ProposeSolution(proposer="agent", text="Call weekly", concern_ids=("c3",))
    case.when(settled).then_refused("no-open-concern")
    unknown = ProposeSolution(proposer="agent", text="Call weekly", concern_ids=("c9",))
    case.when(unknown).then_refused("concern-not-found")


def test_a_solution_of_the_desk_says_what_it_is() -> None:
    case = given(registered, assigned)
    case.when(ProposeSolution(proposer="agent")).then_refused("text-required")
    case.when(ProposeSolution(proposer="library")).then_refused("proposer-mismatch")
    mixed = ProposeSolution(proposer="agent", text="x", library_solution_id=ENTRY_ID)
    case.when(mixed, beside=entry(drafted)).then_refused("proposer-mismatch")
    ghost = ProposeSolution(proposer="agent", text="x", offer_ids=("g9",))
    case.when(ghost).then_refused("offer-not-found")


def test_a_solution_from_the_library_brings_its_words_and_version() -> None:
    revised = SolutionRevised(2, "Neighbour", "Ask two neighbours", Applicability())
    case = given(registered, assigned)
    case = case.when(from_library, beside=entry(drafted, revised)).then(
        SolutionProposed("s1", "library", "Ask two neighbours", library=LibraryEntry(ENTRY_ID, 2))
    )
    case.when(from_library, beside=entry(drafted, revised)).then()


def test_an_older_version_of_the_library_is_cited_with_its_words() -> None:
    revised = SolutionRevised(2, "Neighbour", "Ask two neighbours", Applicability())
    old = ProposeSolution(proposer="library", library_solution_id=ENTRY_ID, library_version=1)
    case = given(registered, assigned)
    case.when(old, beside=entry(drafted, revised)).then_refused("text-required")
    unborn = ProposeSolution(proposer="library", library_solution_id=ENTRY_ID, library_version=3)
    case.when(unborn, beside=entry(drafted, revised)).then_refused("solution-not-found")


def test_the_library_solution_must_exist_and_be_in_use() -> None:
    case = given(registered, assigned)
    case.when(from_library, beside=entry()).then_refused("solution-not-found")
    gone = entry(drafted, SolutionWithdrawn("Neighbours object"))
    error = case.when(from_library, beside=gone).then_refused("solution-withdrawn")
    assert error.context["invariant"] == "I-18"


def test_amending_changes_the_words_and_asks_for_a_new_offer() -> None:
    amend = AmendSolution(solution_id="s1", text="Deliver on Friday")
    case = given(registered, assigned, proposed, offered).when(amend)
    case = case.then(SolutionAmended("s1", "Deliver on Friday")).when(amend).then()
    case.when(accept).then_refused("solution-not-offered")
    case.when(offer).then(SolutionOffered("s1", "customer", again=True))


def test_an_accepted_solution_is_not_amended() -> None:
    amend = AmendSolution(solution_id="s1", text="Deliver on Friday")
    case = given(registered, assigned, proposed, offered, accepted)
    case.when(amend).then_refused("already-decided")
    case.when(AmendSolution(solution_id="s7", text="x")).then_refused("solution-not-found")


def test_a_solution_is_offered_once() -> None:
    by_phone = OfferSolution(solution_id="s1", channel="phone", valid_until=LATER)
    case = given(registered, assigned, triaged, proposed).when(by_phone)
    case = case.then(SolutionOffered("s1", "customer", "phone", LATER)).when(by_phone).then()
    assert case.state.stage == "solution_offered"


def test_at_first_contact_the_owner_may_offer_without_triage() -> None:
    given(registered, proposed).when(offer, by=ADMIN).then_refused("triage-required")
    given(registered, triaged, proposed).when(offer, by=ADMIN).then(offered)
    given(registered, assigned, proposed).when(offer).then(offered)
    given(registered, assigned, proposed).when(offer, by=ADMIN).then(offered)


def test_an_offer_cannot_end_before_it_begins() -> None:
    past = OfferSolution(solution_id="s1", valid_until=NOON)
    given(registered, assigned, proposed).when(past).then_refused("not-ahead")


def test_nothing_is_offered_to_a_representative_without_authority() -> None:
    brother = Customer(ref="cust-43", role="representative", represents="cust-42")
    by_brother = CaseRegistered(
        case_ref="C-1",
        channel="phone",
        received_at=NOON,
        customer=brother,
        reason="Late",
        queue="complaints",
        priority="normal",
    )
    case = given(by_brother, assigned, proposed)
    case.when(offer).then_refused("authority-required")
    case = given(by_brother, assigned, proposed, AuthorityRecorded("Letter of 1 March"))
    case.when(offer).then(offered)


def test_a_solution_waits_for_the_approval_of_the_goodwill_in_it() -> None:
    discount = DiscountOffered("g1", "redress", 1, LATER, percent_bp=5000)
    asked = GoodwillApprovalRequested("g1", "ada", Role.SUPERVISOR)
    with_discount = SolutionProposed("s1", "agent", "Half the price", offer_ids=("g1",))
    case = given(registered, assigned, discount, asked, with_discount)
    case.when(offer).then_refused("goodwill-awaiting-approval")
    declined = given(
        registered, assigned, discount, asked, with_discount, GoodwillDeclined("g1", "Too much")
    )
    declined.when(offer).then_refused("goodwill-gone")
    given(registered, assigned, discount, with_discount).when(offer).then(
        SolutionOffered("s1", "agent")
    )


def test_a_rejected_solution_is_amended_before_it_is_offered_again() -> None:
    case = given(registered, assigned, proposed, offered, rejected)
    case.when(offer).then_refused("already-decided")


def test_the_customer_accepts_what_was_offered() -> None:
    in_writing = AcceptSolution(solution_id="s1", in_writing=True, channel="email")
    case = given(registered, assigned, proposed, offered).when(in_writing)
    case = case.then(SolutionAccepted("s1", "customer", True, "email")).when(in_writing).then()
    case.when(reject).then_refused("already-decided")


def test_a_solution_that_was_not_offered_is_not_accepted() -> None:
    case = given(registered, assigned, triaged, proposed)
    case.when(accept).then_refused("invalid-transition")
    other = SolutionProposed("s2", "agent", "Send it again")
    case = given(registered, assigned, proposed, other, offered)
    case.when(AcceptSolution(solution_id="s2")).then_refused("solution-not-offered")


def test_an_offer_that_ended_is_not_accepted() -> None:
    until = SolutionOffered("s1", "customer", valid_until=LATER)
    given(registered, assigned, proposed, until).when(accept, at=LATER).then_refused(
        "offer-expired"
    )


def test_another_solution_on_offer_is_accepted_after_one_was_rejected() -> None:
    other = SolutionProposed("s2", "agent", "Send it again")
    both = (proposed, other, offered, SolutionOffered("s2", "agent"))
    case = given(registered, assigned, *both).when(reject).then(rejected).when(reject).then()
    assert case.state.stage == "investigating"
    case.when(AcceptSolution(solution_id="s2")).then(
        SolutionAccepted("s2", "agent", in_writing=False)
    )


def test_the_customer_may_accept_after_the_resolution_but_not_reject() -> None:
    case = given(registered, assigned, proposed, offered, resolved)
    case.when(accept).then(accepted)
    case.when(reject).then_refused("invalid-transition")


def test_an_accepted_solution_is_carried_out_and_verified_even_after_resolving() -> None:
    case = given(registered, assigned, proposed, offered, accepted, resolved)
    done = SolutionImplemented("s1", ("job-7",))
    case = case.when(implement).then(done).when(implement).then()
    case = case.when(verify).then(SolutionVerified("s1", "customer", True, "customer"))
    case = case.when(verify).then()
    failed = VerifySolution(solution_id="s1", worked=False, verified_by="agent")
    case.when(failed).then(SolutionVerified("s1", "customer", False, "agent"))


@pytest.mark.parametrize("command", [implement, verify, nominate])
def test_only_what_was_accepted_is_carried_out_verified_or_nominated(command: Ask) -> None:
    case = given(registered, assigned, proposed, offered)
    case.when(command, beside=entry()).then_refused("solution-not-accepted")
    given(registered, assigned).when(command, beside=entry()).then_refused("solution-not-found")


def test_nominating_drafts_an_entry_of_the_library() -> None:
    case = given(registered, assigned, proposed, offered, accepted)
    beside = nominate.beside(case.state)
    assert beside.stream_id == uuid5(CASE_ID, "library/s1")
    fresh = Solution(beside.stream_id)
    case = case.when(nominate, beside=fresh)
    case = case.then(BestPracticeNominated("s1", beside.stream_id, "Costs nothing"))
    words = "Deliver to the neighbour"
    draft = SolutionDrafted("Neighbour", words, "customer", Applicability(), CASE_ID, "s1")
    case.then_beside(draft)
    case.when(nominate, beside=fresh.evolve(draft)).then().then_beside()


def test_what_came_from_the_library_is_not_nominated_for_it() -> None:
    cited = LibraryEntry(ENTRY_ID, 1)
    case = given(
        registered,
        assigned,
        SolutionProposed("s1", "library", "Ask the neighbour", library=cited),
        SolutionOffered("s1", "library", library=cited),
        SolutionAccepted("s1", "library", in_writing=False, library=cited),
    )
    case.when(nominate, beside=entry()).then_refused("already-in-library")


def test_what_becomes_of_a_solution_repeats_where_it_came_from() -> None:
    cited = LibraryEntry(ENTRY_ID, 1)
    case = given(
        registered,
        assigned,
        SolutionProposed("s1", "library", "Ask the neighbour", library=cited),
    )
    case = case.when(offer).then(SolutionOffered("s1", "library", library=cited))
    case.when(reject).then(SolutionRejected("s1", "library", "Too late now", cited))
    case = case.when(accept).then(SolutionAccepted("s1", "library", False, library=cited))
    case.when(verify).then(SolutionVerified("s1", "library", True, "customer", cited))


@pytest.mark.parametrize(
    "command", [InviteToCraft(), propose, offer, accept, reject, implement, verify, nominate]
)
def test_a_withdrawn_case_needs_no_solution(command: Ask) -> None:
    case = given(registered, assigned, proposed, CaseWithdrawn("Never mind"))
    case.when(command, by=SAM, beside=entry()).then_refused("invalid-transition")
