from datetime import timedelta

import pytest

from casecore.asking import Ask
from casecore.case.decisions.contact import (
    EndWaiting,
    RecordAcknowledgement,
    RecordContact,
    RecordProgressUpdate,
    RecordResponse,
    StartWaiting,
)
from casecore.case.events.contact import (
    AcknowledgementSent,
    CustomerContacted,
    ProgressUpdateSent,
    ResponseSent,
    WaitingEnded,
    WaitingStarted,
)
from casecore.case.events.intake import AuthorityRecorded, CaseRegistered, Customer
from casecore.case.events.outcome import CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from tests.spec import ADA, BEN, NOON, SERVICE, given, registered

HOUR = timedelta(hours=1)

assigned = CaseAssigned("ada", "claim")
waiting = WaitingStarted("customer", "A photo", NOON + HOUR)
by_proxy = CaseRegistered(
    "C", "email", NOON, Customer("cust-1", role="third_party"), "Late", "complaints", "normal"
)


def test_an_acknowledgement_goes_out_by_the_channel_of_the_complaint_unless_another_is_named() -> (
    None
):
    given(registered).when(RecordAcknowledgement(mode="oral"), SERVICE).then(
        AcknowledgementSent("oral", "phone")
    )
    given(registered).when(RecordAcknowledgement(mode="written", channel="letter")).then(
        AcknowledgementSent("written", "letter")
    )


def test_an_acknowledgement_is_known_by_its_message_or_else_by_its_mode() -> None:
    written = RecordAcknowledgement(mode="written", message_ref="m1")

    given(registered).when(written).then(AcknowledgementSent("written", "phone", "m1")).when(
        written
    ).then().when(RecordAcknowledgement(mode="written")).then().when(
        RecordAcknowledgement(mode="written", message_ref="m2")
    ).then(AcknowledgementSent("written", "phone", "m2"))


def test_the_same_answer_may_be_given_again_later_but_is_not_recorded_twice() -> None:
    respond = RecordResponse(text="We are looking")

    given(registered).when(respond).then(
        ResponseSent("phone", text="We are looking", sent_at=NOON)
    ).when(respond).then().when(respond, at=NOON + HOUR).then(
        ResponseSent("phone", text="We are looking", sent_at=NOON + HOUR)
    )


def test_a_message_is_recorded_once_whenever_it_is_reported() -> None:
    contact = RecordContact(channel="email", message_ref="m1")

    given(registered).when(contact, SERVICE).then(
        CustomerContacted("email", "m1", contacted_at=NOON)
    ).when(contact, SERVICE, at=NOON + HOUR).then()


@pytest.mark.parametrize("command", [RecordResponse(), RecordProgressUpdate(text="Soon")])
def test_who_speaks_for_another_is_told_nothing_without_authority(command: Ask) -> None:
    refusal = given(by_proxy).when(command).then_refused("authority-required")
    assert refusal.context["invariant"] == "I-03"
    assert given(by_proxy, AuthorityRecorded("A letter")).when(command).outcome


def test_an_answer_names_a_conversation_that_was_held() -> None:
    given(registered).when(RecordResponse(interaction_id="i1")).then_refused(
        "interaction-not-found"
    )


def test_a_progress_update_says_when_the_next_will_come() -> None:
    update = RecordProgressUpdate(text="We look", next_update_by=NOON + HOUR)

    given(registered).when(update).then(
        ProgressUpdateSent("phone", "We look", next_update_by=NOON + HOUR, sent_at=NOON)
    ).when(update).then()
    given(registered).when(RecordProgressUpdate(text="x", next_update_by=NOON)).then_refused(
        "not-ahead"
    )


def test_the_case_waits_for_what_was_asked_for_once() -> None:
    ask = StartWaiting(reason="customer", asked_for="A photo", expected_by=NOON + HOUR)
    owned = given(registered, assigned)

    owned.when(ask).then(waiting).when(ask).then().when(
        StartWaiting(reason="customer", asked_for="A letter")
    ).then_refused("already-waiting")
    owned.when(StartWaiting(reason="customer", asked_for="x", expected_by=NOON)).then_refused(
        "not-ahead"
    )


def test_only_the_owner_lets_a_case_wait_and_only_while_it_is_open() -> None:
    ask = StartWaiting(reason="third_party", asked_for="The log")

    given(registered).when(ask).then_refused("not-owner")
    given(registered, assigned).when(ask, BEN).then_refused("not-owner")
    given(registered, assigned, ComplaintResolved("upheld", "x")).when(ask).then_refused(
        "invalid-transition"
    )


def test_the_customer_ends_the_waiting_by_getting_in_touch_at_the_time_they_did() -> None:
    contact = RecordContact(channel="email", text="The photo")

    given(registered, waiting).when(contact, SERVICE, at=NOON - HOUR).then(
        CustomerContacted("email", text="The photo", contacted_at=NOON - HOUR),
        WaitingEnded("customer", "customer_contact", NOON - HOUR),
    ).when(contact, SERVICE, at=NOON - HOUR).then()


def test_a_contact_does_not_end_the_waiting_for_others() -> None:
    given(registered, WaitingStarted("third_party", "The log")).when(
        RecordContact(channel="phone")
    ).then(CustomerContacted("phone", contacted_at=NOON))


def test_waiting_is_ended_once() -> None:
    end = EndWaiting(reason="customer")

    given(registered, assigned, waiting).when(end).then(
        WaitingEnded("customer", "agent", NOON)
    ).when(end).then()


def test_time_runs_out_only_once_it_has() -> None:
    end = EndWaiting(reason="customer", cause="timeout")

    given(registered, assigned, waiting).when(end).then_refused("not-due")
    given(registered, assigned, waiting).when(end, at=NOON + HOUR).then(
        WaitingEnded("customer", "timeout", NOON + HOUR)
    )
    given(registered, assigned, WaitingStarted("customer", "A photo")).when(end).then_refused(
        "not-due"
    )


def test_a_third_party_does_not_reply_for_the_customer() -> None:
    given(registered, assigned, waiting).when(
        EndWaiting(reason="customer", cause="third_party_reply")
    ).then_refused("wrong-cause")


@pytest.mark.parametrize(
    "command",
    [
        RecordAcknowledgement(mode="oral"),
        RecordResponse(),
        RecordContact(channel="phone"),
        RecordProgressUpdate(text="x"),
        StartWaiting(reason="customer", asked_for="x"),
        EndWaiting(reason="customer"),
    ],
    ids=lambda c: type(c).__name__,
)
def test_nothing_passes_once_the_complaint_was_withdrawn(command: Ask) -> None:
    given(registered, assigned, CaseWithdrawn("Never mind")).when(command, ADA).then_refused(
        "invalid-transition"
    )
