from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from casecore.asking import Ask
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
    case_ref,
)
from casecore.case.events.contact import WaitingEnded, WaitingStarted
from casecore.case.events.intake import (
    ApologyGiven,
    AuthorityRecorded,
    CaseRegistered,
    CommonGroundFound,
    ComplaintAcknowledged,
    ComplaintHeard,
    ConcernRaised,
    ConcernSettled,
    Customer,
    CustomerInsightRecorded,
    CustomerThanked,
    EmotionAssessed,
    InteractionEnded,
    InteractionStarted,
    LimitsDisclosed,
    ListeningNoteTaken,
    NoteAdded,
    ProcessExplained,
    RecapGiven,
)
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.facts import Event
from tests.spec import ADA, AUDITOR, BEN, CASE_ID, NOON, SAM, SERVICE, given, registered

SECOND = timedelta(seconds=1)

withdrawn = CaseWithdrawn("Never mind")
resolved = ComplaintResolved("upheld", "Lost at the depot")
started = InteractionStarted("i1", "phone", "inbound")
fact = ListeningNoteTaken("n1", "fact", "Ordered on 12 October")
concern = ConcernRaised("c1", "Nobody called", major=True)


def register(**fields: Any) -> RegisterCase:
    required: dict[str, Any] = {
        "channel": "phone",
        "customer": Complainant(ref="cust-42"),
        "reason": "Late",
    }
    return RegisterCase(**(required | fields))


def test_a_complaint_needs_a_channel_a_customer_and_a_reason_only() -> None:
    event = CaseRegistered(
        case_ref=case_ref(CASE_ID),
        channel="phone",
        received_at=NOON,
        customer=Customer("cust-42"),
        reason="Late",
        queue="complaints",
        priority="normal",
    )
    given().when(register(), SERVICE).then(event).when(register(), SERVICE).then()


def test_a_registered_complaint_is_not_registered_again_whatever_is_sent() -> None:
    given(registered).when(register(reason="Something else")).then()


def test_auditors_register_nothing() -> None:
    given().when(register(), AUDITOR).then_refused("role-forbidden")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"received_at": NOON + SECOND}, "received-in-future"),
        ({"received_at": NOON.replace(year=1)}, "received-too-early"),
        ({"intake_source": "cfpb"}, "intake-incomplete"),
        ({"intake_ref": "17"}, "intake-incomplete"),
        ({"customer": Complainant("c", role="representative")}, "represented-required"),
        ({"customer": Complainant("c", represents="d")}, "represented-required"),
        ({"receipt_zone": "Mars/Olympus"}, "unknown-zone"),
    ],
)
def test_a_registration_is_refused(fields: dict[str, Any], code: str) -> None:
    given().when(register(**fields)).then_refused(code)


def test_one_intake_leads_to_one_case_id_and_none_leads_to_none() -> None:
    intake = register(intake_source="cfpb", intake_ref="17")

    assert intake.intake_id == register(intake_source="cfpb", intake_ref="17").intake_id
    assert intake.intake_id != register(intake_source="cfpb", intake_ref="18").intake_id
    assert register().intake_id is None


def test_a_case_reference_is_made_of_the_id_and_easy_to_say() -> None:
    assert case_ref(UUID(int=0)) == "C-0000-0000-0000"
    assert case_ref(UUID(int=(1 << 128) - 1)) == "C-ZZZZ-ZZZZ-ZZZZ"
    assert case_ref(UUID(int=33)) == "C-0000-0000-0011"


def test_nothing_can_be_asked_of_a_case_that_is_not_there() -> None:
    given().when(AddNote(text="Hello")).then_refused("case-not-found")


def test_an_agent_listens_while_the_case_lies_in_a_queue_but_not_once_it_is_another_ones() -> None:
    note = AddNote(text="Rang from abroad")

    given(registered).when(note, BEN).then(NoteAdded("n1", "Rang from abroad"))
    refusal = given(registered, CaseAssigned("ada", "claim")).when(note, BEN)
    assert refusal.then_refused("not-owner").context["owner"] == "ada"
    given(registered, CaseAssigned("ada", "claim")).when(note, SAM).then(
        NoteAdded("n1", "Rang from abroad")
    )


LISTENING: list[tuple[Ask, list[Event]]] = [
    (AddNote(text="Rang from abroad"), [NoteAdded("n1", "Rang from abroad")]),
    (TakeNote(kind="fact", text=fact.text), [fact]),
    (HearComplaint(customer_finished=True), [ComplaintHeard(customer_finished=True)]),
    (GiveRecap(confirmation="confirmed"), [RecapGiven("confirmed")]),
    (
        GiveRecap(confirmation="corrected", corrections=("On the 13th",)),
        [RecapGiven("corrected", corrections=("On the 13th",))],
    ),
    (Apologise(), [ApologyGiven("phone")]),
    (ThankCustomer(), [CustomerThanked("raising_concern")]),
    (FindCommonGround(point="Not again"), [CommonGroundFound("Not again")]),
    (
        DiscloseLimits(cannot_do=("Refund today",), can_do=("Refund on Friday",)),
        [LimitsDisclosed(("Refund today",), ("Refund on Friday",))],
    ),
    (ExplainProcess(steps=("We look", "We call")), [ProcessExplained(("We look", "We call"))]),
    (AssessEmotion(heat=2), [EmotionAssessed("mid", 2)]),
    (RecordInsight(text="It closes at noon"), [CustomerInsightRecorded("It closes at noon")]),
    (StartInteraction(), [started]),
]


@pytest.mark.parametrize(("command", "events"), LISTENING, ids=lambda v: type(v).__name__)
def test_what_passes_between_desk_and_customer_is_recorded_once(
    command: Ask, events: list[Event]
) -> None:
    given(registered).when(command).then(*events).when(command).then()


@pytest.mark.parametrize(("command", "events"), LISTENING, ids=lambda v: type(v).__name__)
def test_listening_goes_on_after_closing_but_not_after_withdrawing(
    command: Ask, events: list[Event]
) -> None:
    given(registered, resolved, CaseClosed(NOON)).when(command, SAM).then(*events)
    refusal = given(registered, withdrawn).when(command, SAM).then_refused("invalid-transition")
    assert refusal.context["from_stage"] == "withdrawn"
    assert refusal.context["command"] == type(command).__name__


@pytest.mark.parametrize(
    "command",
    [
        TakeNote(kind="fact", text="x", interaction_id="i1"),
        HearComplaint(customer_finished=True, interaction_id="i1"),
        GiveRecap(confirmation="confirmed", interaction_id="i1"),
        AcknowledgeComplaint(interaction_id="i1"),
        DiscloseLimits(cannot_do=("x",), can_do=("y",), interaction_id="i1"),
        ExplainProcess(steps=("x",), interaction_id="i1"),
        AssessEmotion(heat=1, interaction_id="i1"),
        EndInteraction(interaction_id="i1", duration_seconds=1),
    ],
    ids=lambda c: type(c).__name__,
)
def test_a_conversation_that_never_began_cannot_be_named(command: Ask) -> None:
    given(registered).when(command).then_refused("interaction-not-found")


def test_notes_taken_while_hearing_come_first_and_are_numbered_on() -> None:
    hear = HearComplaint(
        customer_finished=True,
        notes=(
            HeardNote("fact", fact.text),
            HeardNote("feeling", "Ignored"),
            HeardNote("feeling", "Ignored"),
        ),
    )
    given(registered, fact).when(hear).then(
        ListeningNoteTaken("n2", "feeling", "Ignored"), ComplaintHeard(customer_finished=True)
    ).when(hear).then()


def test_a_recap_names_notes_that_were_taken() -> None:
    recap = GiveRecap(confirmation="confirmed", note_ids=("n1",))

    given(registered).when(recap).then_refused("note-not-found")
    given(registered, fact).when(recap).then(RecapGiven("confirmed", ("n1",)))


def test_a_corrected_recap_has_its_corrections_and_no_other_has() -> None:
    given(registered).when(GiveRecap(confirmation="corrected")).then_refused("corrections-required")
    given(registered).when(
        GiveRecap(confirmation="confirmed", corrections=("On the 13th",))
    ).then_refused("corrections-required")


def test_acknowledging_answers_by_the_channel_of_the_complaint_and_may_apologise() -> None:
    acknowledge = AcknowledgeComplaint(apology=True, liability_admitted=True)

    given(registered).when(acknowledge).then(
        ComplaintAcknowledged("phone"), ApologyGiven("phone", liability_admitted=True)
    ).when(acknowledge).then()
    given(registered).when(AcknowledgeComplaint(channel="email")).then(
        ComplaintAcknowledged("email")
    )


def test_an_apology_that_was_given_already_is_not_repeated_with_the_acknowledgement() -> None:
    given(registered, ApologyGiven("phone")).when(AcknowledgeComplaint(apology=True)).then(
        ComplaintAcknowledged("phone")
    )


def test_fault_is_admitted_in_an_apology_only() -> None:
    given(registered).when(AcknowledgeComplaint(liability_admitted=True)).then_refused(
        "apology-required"
    )


def test_a_closed_complaint_is_not_acknowledged_any_more() -> None:
    given(registered, resolved, CaseClosed(NOON)).when(AcknowledgeComplaint(), SAM).then_refused(
        "invalid-transition"
    )


def test_whoever_hears_what_cannot_be_done_hears_what_can() -> None:
    refusal = given(registered).when(DiscloseLimits(cannot_do=("Refund today",)))
    assert refusal.then_refused("can-do-required").context["invariant"] == "I-12"


def test_heat_that_went_down_and_up_again_is_recorded_each_time() -> None:
    hot, cool = EmotionAssessed("mid", 4), EmotionAssessed("mid", 1)

    given(registered, hot, cool).when(AssessEmotion(heat=4)).then(hot)


def test_authority_is_recorded_for_who_speaks_for_another() -> None:
    customer = Customer("cust-1", role="representative", represents="cust-2")
    by_proxy = CaseRegistered("C", "phone", NOON, customer, "Late", "complaints", "normal")
    record = RecordAuthority(evidence="A letter")

    given(by_proxy).when(record).then(AuthorityRecorded("A letter")).when(record).then()
    given(registered).when(record).then_refused("authority-not-needed")


def test_a_second_conversation_on_the_same_line_is_the_first_until_that_ends() -> None:
    ended = InteractionEnded("i1", 600, hold_seconds=20)
    end = EndInteraction(interaction_id="i1", duration_seconds=600, hold_seconds=20)

    given(registered, started).when(StartInteraction(direction="outbound")).then(
        InteractionStarted("i2", "phone", "outbound")
    )
    given(registered, started).when(end).then(ended).when(end).then().when(
        StartInteraction(transfers=1)
    ).then(InteractionStarted("i2", "phone", "inbound", transfers=1))


def test_a_customer_who_rings_is_waited_for_no_more() -> None:
    waiting = WaitingStarted("customer", "A photo")

    given(registered, waiting).when(StartInteraction()).then(
        started, WaitingEnded("customer", "customer_contact", NOON)
    )
    given(registered, waiting).when(StartInteraction(direction="outbound")).then(
        InteractionStarted("i1", "phone", "outbound")
    )


def test_a_concern_is_raised_once_while_it_is_open() -> None:
    raise_it = RaiseConcern(text="Nobody called", major=True)

    given(registered).when(raise_it).then(concern).when(raise_it).then()
    given(registered, concern, ConcernSettled("c1")).when(raise_it).then(
        ConcernRaised("c2", "Nobody called", major=True)
    )


def test_a_concern_is_settled_once_by_who_owns_the_case() -> None:
    settle = SettleConcern(concern_id="c1", customer_agrees=True)
    owned = (registered, concern, CaseAssigned("ada", "claim"))

    given(*owned).when(settle).then(ConcernSettled("c1", customer_agrees=True)).when(settle).then()
    given(registered, concern).when(settle).then_refused("not-owner")
    given(*owned).when(SettleConcern(concern_id="c2")).then_refused("concern-not-found")
    given(*owned).when(SettleConcern(concern_id="c1", solution_id="s1")).then_refused(
        "solution-not-found"
    )


def test_a_new_concern_of_a_closed_case_needs_it_reopened() -> None:
    closed = (registered, resolved, CaseClosed(NOON))
    refusal = (
        given(*closed).when(RaiseConcern(text="Late again"), ADA).then_refused("invalid-transition")
    )
    assert "reopen" in str(refusal)
