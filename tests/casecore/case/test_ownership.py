from datetime import timedelta

import pytest
from msgspec.structs import replace

from casecore.actors import Actor, Role
from casecore.asking import Ask
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
from casecore.case.events.callbacks import FollowUpScheduled
from casecore.case.events.contact import CustomerContacted
from casecore.case.events.intake import InteractionStarted
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import (
    CaseAssigned,
    CaseHandedOff,
    CaseQueued,
    CaseReleased,
    HandoffAnswered,
    HandoverNoteRated,
    HandoverNoteWritten,
    OwnershipTransferred,
)
from casecore.case.events.promises import PromiseMade
from casecore.clocks.calendar import Calendar, Weekly
from casecore.facts import Event
from casecore.sla.events import SLA_BOOK_ID, CalendarPublished, SlaPolicyPublished
from casecore.sla.state import SlaBook
from tests.casecore.clocks.given import LONDON
from tests.casecore.sla.given import JANUARY, policy, rule, utc
from tests.spec import ADA, ADMIN, BEN, NOON, SAM, SERVICE, SYSTEM, given, registered

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

assigned = CaseAssigned("ada", "claim")
note = HandoverNoteWritten(
    "hn1", "The parcel is lost", "Find it", customer_heat=3, written_by="ada"
)
transferred = OwnershipTransferred("ada", "ben", "End of shift")
handed_off = CaseHandedOff("h1", "depot", "Where is it?", "ada", "hn1")
promise = PromiseMade("p1", "resolution", "An answer", NOON + DAY, "ada")

write = WriteHandoverNote(situation="The parcel is lost", next_step="Find it")
transfer = TransferCase(to_agent="ben", reason="End of shift")
hand_off = HandOff(to_team="depot", question="Where is it?")


def test_a_case_is_claimed_by_who_asks_first() -> None:
    given(registered).when(ClaimCase()).then(assigned).when(ClaimCase()).then()
    refusal = given(registered, assigned).when(ClaimCase(), BEN).then_refused("already-assigned")
    assert refusal.context["owner"] == "ada"
    given(registered).when(ClaimCase(), SAM).then(CaseAssigned("sam", "claim"))
    given(registered).when(ClaimCase(), SERVICE).then_refused("role-forbidden")


def test_a_case_that_nobody_owns_is_assigned_by_hand_or_by_machine() -> None:
    assign = AssignCase(agent="ada")

    given(registered).when(assign, SAM).then(CaseAssigned("ada", "manual")).when(assign, SAM).then()
    given(registered).when(assign, ADMIN).then(CaseAssigned("ada", "manual"))
    given(registered).when(assign, SERVICE).then(CaseAssigned("ada", "auto"))
    given(registered).when(assign, SYSTEM).then(CaseAssigned("ada", "auto"))
    given(registered).when(assign, BEN).then_refused("role-forbidden")


def test_an_owned_case_is_transferred_and_not_assigned_anew() -> None:
    given(registered, assigned).when(AssignCase(agent="ben"), SAM).then_refused("already-assigned")


def test_nobody_works_on_their_own_complaint() -> None:
    themselves = Actor("cust-42", Role.AGENT)

    refusal = given(registered).when(ClaimCase(), themselves).then_refused("own-complaint")
    assert refusal.context["invariant"] == "I-08"
    given(registered).when(AssignCase(agent="cust-42"), SAM).then_refused("own-complaint")
    given(registered, assigned, note).when(
        TransferCase(to_agent="cust-42", reason="x")
    ).then_refused("own-complaint")


def test_a_case_that_nobody_owns_changes_the_queue() -> None:
    queue = QueueCase(queue="delivery", reason="It is about a delivery")

    given(registered).when(queue, SERVICE).then(
        CaseQueued("delivery", "It is about a delivery")
    ).when(queue, SERVICE).then()
    given(registered, assigned).when(queue).then_refused("already-assigned")


def test_a_released_case_goes_back_to_its_queue_or_to_another() -> None:
    given(registered, assigned).when(ReleaseCase(reason="Ill")).then(
        CaseReleased("ada", "complaints", "Ill")
    ).when(ReleaseCase(reason="Ill"), SAM).then()
    given(registered, assigned).when(ReleaseCase(reason="Ill", queue="delivery"), SAM).then(
        CaseReleased("ada", "delivery", "Ill")
    )
    given(registered, assigned).when(ReleaseCase(reason="x"), BEN).then_refused("not-owner")


def test_a_released_case_can_be_claimed_by_another() -> None:
    given(registered, assigned, CaseReleased("ada", "complaints", "Ill")).when(
        ClaimCase(), BEN
    ).then(CaseAssigned("ben", "claim"))


def test_a_transfer_leaves_a_handover_note_for_the_next_owner() -> None:
    refusal = given(registered, assigned).when(transfer).then_refused("handover-note-required")
    assert refusal.context["invariant"] == "I-10"
    given(registered, assigned, note).when(transfer).then(transferred).when(transfer, SAM).then()


def test_a_transferred_case_is_the_next_owners_alone() -> None:
    given(registered, assigned, note, transferred).when(transfer).then_refused("not-owner")


@pytest.mark.parametrize(
    "contact", [CustomerContacted("email"), InteractionStarted("i1", "phone", "inbound")]
)
@pytest.mark.parametrize("command", [transfer, hand_off])
def test_a_note_from_before_the_last_contact_is_stale(command: Ask, contact: Event) -> None:
    given(registered, assigned, note, contact).when(command).then_refused("handover-note-required")


def test_a_case_without_owner_is_neither_transferred_nor_handed_off() -> None:
    given(registered, note).when(transfer, SAM).then_refused("owner-required")
    given(registered, note).when(hand_off, SAM).then_refused("owner-required")


def test_another_team_is_asked_once_and_the_owner_stays_accountable() -> None:
    given(registered, assigned, note).when(hand_off).then(handed_off).when(hand_off).then()


def test_each_running_promise_is_followed_up_two_hours_before_its_date() -> None:
    later = PromiseMade("p2", "update", "News", NOON + 2 * DAY, "ada")

    spec = given(registered, assigned, note, promise, later)
    spec.when(hand_off, beside=SlaBook(SLA_BOOK_ID)).then(
        handed_off,
        FollowUpScheduled("f1", "depot", NOON + DAY - 2 * HOUR, "p1"),
        FollowUpScheduled("f2", "depot", NOON + 2 * DAY - 2 * HOUR, "p2"),
    )


@pytest.mark.parametrize(
    ("handed_off_at", "due", "followed_up"),
    [
        ("03-06 16:00", "03-07 16:00", "03-06 17:00"),  # T-37: Friday's close before Saturday
        ("03-05 10:00", "03-06 16:00", "03-06 14:00"),
        ("03-05 10:00", "03-06 10:00", "03-05 17:00"),
        ("03-06 16:00", "03-06 17:00", "03-06 16:30"),  # less than two hours left
        ("03-07 10:00", "03-07 16:00", "03-07 14:00"),  # never open until then
    ],
)
def test_a_follow_up_comes_while_the_desk_is_still_open(
    handed_off_at: str, due: str, followed_up: str
) -> None:
    book = SlaBook(SLA_BOOK_ID)
    book = book.evolve(CalendarPublished("lon", 1, LONDON))
    book = book.evolve(SlaPolicyPublished("desk", 1, policy(rule("follow_up")), JANUARY))
    made = replace(promise, due_at=utc(due))
    spec = given(registered, assigned, note, made)
    spec.when(hand_off, at=utc(handed_off_at), beside=book).then(
        handed_off, FollowUpScheduled("f1", "depot", utc(followed_up), "p1")
    )


def test_a_follow_up_goes_by_the_desk_s_hours_not_the_regulator_s() -> None:
    always = Weekly(**dict.fromkeys(Weekly.__struct_fields__, (("00:00", "24:00"),)))
    regulator = policy(rule("regulatory", 100), rank=900, calendar_id="always")
    book = SlaBook(SLA_BOOK_ID)
    book = book.evolve(CalendarPublished("lon", 1, LONDON))
    book = book.evolve(CalendarPublished("always", 1, Calendar("UTC", always)))
    book = book.evolve(SlaPolicyPublished("law", 1, regulator, JANUARY))
    book = book.evolve(SlaPolicyPublished("desk", 1, policy(rule("follow_up")), JANUARY))
    made = replace(promise, due_at=utc("03-07 16:00"))
    spec = given(registered, assigned, note, made)
    spec.when(hand_off, at=utc("03-06 16:00"), beside=book).then(
        handed_off, FollowUpScheduled("f1", "depot", utc("03-06 17:00"), "p1")
    )


def test_a_follow_up_by_a_given_date_comes_before_every_promise() -> None:
    soon = HandOff(to_team="depot", question="Where is it?", followup_due_at=NOON + HOUR)
    late = HandOff(to_team="depot", question="Where is it?", followup_due_at=NOON + DAY)

    given(registered, assigned, note, promise).when(soon).then(
        handed_off, FollowUpScheduled("f1", "depot", NOON + HOUR, "p1")
    )
    given(registered, assigned, note).when(soon).then(
        handed_off, FollowUpScheduled("f1", "depot", NOON + HOUR)
    )
    refusal = given(registered, assigned, note, promise).when(late)
    assert refusal.then_refused("promise-unprotected").context["invariant"] == "I-17"
    given(registered, assigned, note).when(late, at=NOON + DAY).then_refused("not-ahead")


def test_a_case_with_an_overdue_promise_is_not_handed_off() -> None:
    spec = given(registered, assigned, note, promise)
    spec.when(hand_off, at=NOON + DAY, beside=SlaBook(SLA_BOOK_ID)).then_refused(
        "promise-unprotected"
    )


def test_a_team_answers_once_and_can_be_asked_again_then() -> None:
    answer = AnswerHandoff(handoff_id="h1", answer="On the shelf")
    answered = HandoffAnswered("h1", "On the shelf")

    given(registered, assigned, note, handed_off).when(answer, SERVICE).then(answered).when(
        answer, SERVICE
    ).then().when(hand_off).then(CaseHandedOff("h2", "depot", "Where is it?", "ada", "hn1"))
    given(registered, assigned).when(answer).then_refused("handoff-not-found")


def test_a_handover_note_knows_the_running_promises_and_how_heated_the_customer_is() -> None:
    given(registered, assigned, promise).when(write).then(
        HandoverNoteWritten(
            "hn1",
            "The parcel is lost",
            "Find it",
            open_promise_ids=("p1",),
            customer_heat=3,
            written_by="ada",
        )
    ).when(write).then()


def test_the_same_note_is_written_again_once_the_customer_was_in_touch() -> None:
    cooler = WriteHandoverNote(situation="The parcel is lost", next_step="Find it", customer_heat=0)
    given(registered, assigned, note, CustomerContacted("email")).when(cooler).then(
        HandoverNoteWritten(
            "hn2", "The parcel is lost", "Find it", customer_heat=0, written_by="ada"
        )
    )


def test_the_next_step_lies_ahead() -> None:
    past = WriteHandoverNote(situation="x", next_step="y", next_step_by=NOON)
    given(registered, assigned).when(past).then_refused("not-ahead")


def test_the_next_owner_says_whether_the_note_was_enough_and_its_writer_does_not() -> None:
    rate = RateHandoverNote(note_id="hn1", sufficient=False, missing=("The phone number",))

    given(registered, assigned, note, transferred).when(rate, BEN).then(
        HandoverNoteRated("hn1", sufficient=False, missing=("The phone number",))
    ).when(rate, BEN).then()
    given(registered, assigned, note).when(rate, ADA).then_refused("self-rating")
    given(registered, assigned).when(rate).then_refused("note-not-found")


@pytest.mark.parametrize(
    "command",
    [
        QueueCase(queue="delivery", reason="x"),
        ClaimCase(),
        AssignCase(agent="ben"),
        ReleaseCase(reason="x"),
        transfer,
        hand_off,
        write,
    ],
    ids=lambda c: type(c).__name__,
)
def test_owners_do_not_change_once_the_case_is_closed_or_withdrawn(command: Ask) -> None:
    for end in ([ComplaintResolved("upheld", "x"), CaseClosed(NOON)], [CaseWithdrawn("x")]):
        given(registered, *end).when(command, SAM).then_refused("invalid-transition")
