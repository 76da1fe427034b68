"""Who waits for an answer, since when, and what is one (R14, R15)."""

import pytest

from casecore.actors import Actor, Role
from casecore.case.events import CaseEvent
from casecore.case.events.callbacks import CustomerCalledBack
from casecore.case.events.contact import (
    AcknowledgementSent,
    CustomerContacted,
    ProgressUpdateSent,
    ResponseSent,
)
from casecore.case.events.intake import ComplaintHeard, InteractionStarted, NoteAdded
from casecore.case.events.outcome import CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.triage import CaseTriaged
from casecore.sla.reckoning import CaseClocks
from tests.casecore.sla.given import Desk, rule, utc
from tests.spec import SERVICE

message, reply = CustomerContacted("email"), ResponseSent("email")
triaged = CaseTriaged(3, 3, 3, False, "late_delivery", "normal")
resolved = ComplaintResolved("upheld", "We were late, and said so")


def desk() -> Desk:
    return Desk.under(rule("next_response", 4)).registered("03-04 09:00")


def test_the_oldest_unanswered_message_counts() -> None:
    told = desk()
    for at in ("03-04 10:00", "03-04 11:30", "03-04 13:00"):
        told.tell(at, message)
    assert told.due("next_response") == "03-04 14:00"  # T-28
    assert len(told.clocks.cycles) == 1


def test_notes_automatic_replies_and_changes_of_status_are_no_answer() -> None:
    told = desk().tell("03-04 10:00", message)
    told.tell("03-04 12:00", NoteAdded("n1", "Called the carrier"))
    told.tell("03-04 12:05", reply, by=SERVICE)
    told.tell("03-04 12:06", AcknowledgementSent("written", "email"))
    told.tell("03-04 12:10", triaged, CaseAssigned("ada", "claim"))
    assert told.state("next_response") == "running"
    assert told.due("next_response") == "03-04 14:00"  # T-29


@pytest.mark.parametrize(
    "answer",
    [
        reply,
        ProgressUpdateSent("email", "We have found it"),
        InteractionStarted("i1", "phone", "outbound"),
        CustomerCalledBack("b1", False),
    ],
)
def test_a_reply_or_a_call_is_an_answer(answer: CaseEvent) -> None:
    told = desk().tell("03-04 10:00", message).tell("03-04 12:00", answer)
    assert told.state("next_response") == "met"


def test_a_service_that_sends_what_somebody_wrote_answers() -> None:
    mailbox = Actor("mailbox", Role.SERVICE, on_behalf_of="ada")
    told = desk().tell("03-04 10:00", message).tell("03-04 12:00", reply, by=mailbox)
    assert told.state("next_response") == "met"


def test_the_next_message_begins_the_next_cycle() -> None:
    told = desk().tell("03-04 10:00", message).tell("03-04 12:00", reply)
    told.tell("03-04 13:00", message)
    assert told.view("next_response").cycle == 2
    assert told.due("next_response") == "03-04 17:00"
    assert told.state("next_response", number=1) == "met"


def test_a_message_older_than_the_clock_moves_its_start() -> None:
    told = desk().tell("03-04 11:00", message)
    told.tell("03-04 10:00", message, recorded="03-04 11:30")
    assert told.due("next_response") == "03-04 14:00"
    assert len(told.clocks.cycles) == 1


def test_a_message_that_was_answered_before_it_was_recorded_starts_nothing() -> None:
    told = desk().tell("03-04 12:00", reply)
    told.tell("03-04 11:00", message, recorded="03-04 12:30")
    assert told.clocks.cycles == ()


def test_a_reply_recorded_late_leaves_the_later_message_unanswered() -> None:
    told = desk().tell("03-04 10:00", message).tell("03-04 13:00", message)
    told.tell("03-04 12:00", reply, recorded="03-04 13:30")
    assert told.state("next_response", number=1) == "met"
    assert told.due("next_response") == "03-04 17:00"


def test_a_thank_you_after_the_resolution_waits_for_nothing() -> None:
    told = desk().tell("03-04 12:00", resolved).tell("03-04 12:05", message)
    assert told.clocks.cycles == ()  # T-30


def test_the_resolution_cancels_what_is_unanswered() -> None:
    told = desk().tell("03-04 10:00", message).tell("03-04 12:00", resolved)
    seen = told.view("next_response")
    assert (seen.state, seen.cause) == ("cancelled", "ComplaintResolved")


def test_a_resolution_after_the_breach_does_not_cancel_it() -> None:
    told = desk().tell("03-04 10:00", message).tell("03-04 15:00", resolved)
    seen = told.view("next_response")
    assert (seen.state, seen.breached_at) == ("breached", utc("03-04 14:00"))


def test_only_the_first_response_runs_before_the_first_response() -> None:
    told = Desk.under(rule("first_response", 4), rule("next_response", 1))
    told.registered("03-04 09:00").tell("03-04 10:00", message)
    assert told.names() == ["first_response"]  # T-31
    told.tell("03-04 11:00", reply)
    assert told.names() == []
    assert told.tell("03-04 12:00", message).names() == ["next_response"]


def test_a_message_after_a_first_response_that_is_recorded_later_is_unanswered() -> None:
    told = Desk.under(rule("first_response", 4), rule("next_response", 1))
    told.registered("03-04 09:00").tell("03-04 12:00", message)
    told.tell("03-04 11:00", reply, recorded="03-04 12:30")
    assert told.state("first_response") == "met"
    assert told.due("next_response") == "03-04 13:00"


def test_the_first_response_stays_the_first_after_its_breach() -> None:
    told = Desk.under(rule("first_response", 1), rule("next_response", 1))
    told.registered("03-04 09:00").breached("first_response", "03-04 10:01")
    assert told.tell("03-04 11:00", message).names() == ["first_response"]


@pytest.mark.parametrize(
    "event",
    [triaged, resolved, ComplaintHeard(True), CaseAssigned("ada", "claim"), NoteAdded("n1", "So")],
)
def test_no_change_of_status_is_a_first_response(event: CaseEvent) -> None:
    told = Desk.under(rule("first_response", 4)).registered("03-04 09:00")
    assert told.tell("03-04 10:00", event).state("first_response") == "running"


def test_a_reply_on_the_due_instant_is_in_time_and_a_microsecond_later_is_not() -> None:
    for at, state in (("03-04 14:00:00.000000", "met"), ("03-04 14:00:00.000001", "breached")):
        told = desk().tell("03-04 10:00", message).tell(at, reply)
        assert told.state("next_response") == state  # T-41


def test_news_begins_the_wait_for_the_next_news() -> None:
    told = Desk.under(rule("progress_update", 8)).registered("03-04 09:00")
    told.tell("03-04 12:00", ProgressUpdateSent("email", "Found it"))
    assert told.state("progress_update", number=1) == "met"
    assert told.due("progress_update") == "03-05 12:00"


def test_news_that_says_when_the_next_will_come_is_held_to_it() -> None:
    told = Desk.under(rule("progress_update", 8)).registered("03-04 09:00")
    update = ProgressUpdateSent("email", "Found it", next_update_by=utc("03-10 12:00"))
    assert told.tell("03-04 12:00", update).due("progress_update") == "03-10 12:00"


def test_a_withdrawn_complaint_has_no_clocks_running() -> None:
    told = Desk.under(rule("first_response", 4), rule("resolution", 8)).registered("03-04 09:00")
    told.tell("03-04 10:00", CaseWithdrawn("Never mind"))
    assert told.names() == []
    assert told.state("resolution") == "cancelled"


def test_what_no_rule_speaks_of_leaves_the_clocks_as_they_are() -> None:
    told = desk()
    before: CaseClocks = told.clocks
    assert told.tell("03-04 10:00", NoteAdded("n1", "So")).clocks is before
