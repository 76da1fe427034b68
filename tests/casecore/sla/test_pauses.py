"""Waiting is a fact, and ends when the customer got in touch (R6 to R8)."""

from casecore.case.events.contact import CustomerContacted, WaitingEnded, WaitingStarted
from casecore.case.events.intake import InteractionStarted
from casecore.case.events.outcome import ComplaintResolved
from casecore.clocks.targets import OpenTime
from tests.casecore.clocks.given import HOUR
from tests.casecore.sla.given import Desk, rule, utc

asked = WaitingStarted("customer", "A photo of the parcel?")
contacted = CustomerContacted("email")
resolved = ComplaintResolved("upheld", "We were late, and said so")


def desk() -> Desk:
    return Desk.under(rule("resolution", 8)).registered("03-04 09:30")


def ended(at: str, reason: str = "customer") -> WaitingEnded:
    return WaitingEnded(reason, "agent", utc(at))  # type: ignore[arg-type]


def test_resolved_while_paused_is_met() -> None:
    told = desk().tell("03-04 12:00", asked)
    told.tell("03-05 15:00", resolved, WaitingEnded("customer", "resolution", utc("03-05 15:00")))
    seen = told.view("resolution")
    assert (seen.state, seen.consumed_seconds, seen.due_at) == ("met", 9_000, None)  # T-16


def test_never_resumed_it_is_not_breached() -> None:
    told = desk().tell("03-04 10:00", asked)
    for now in ("03-05 15:00", None):
        seen = told.view("resolution", now)
        assert (seen.state, seen.due_at, seen.remaining_seconds) == ("paused", None, 27_000)  # T-17
    assert told.state("resolution", "04-30 15:00") == "paused"


def test_the_customers_contact_ends_the_pause_when_it_came() -> None:
    told = desk().tell("03-04 11:00", asked)
    told.tell("03-04 12:10", contacted, recorded="03-04 15:40")
    assert told.due("resolution") == "03-05 10:40"  # T-18


def test_a_contact_recorded_after_the_wait_was_ended_still_ends_it_earlier() -> None:
    told = desk().tell("03-04 11:00", asked).tell("03-04 15:40", ended("03-04 15:40"))
    assert told.due("resolution") == "03-05 14:10"
    told.tell("03-04 12:10", contacted, recorded="03-04 16:00")
    assert told.due("resolution") == "03-05 10:40"


def test_a_wait_recorded_after_the_contact_that_ended_it_ends_with_it() -> None:
    told = desk().tell("03-04 12:10", contacted)
    told.tell("03-04 11:00", asked, recorded="03-04 13:00")
    assert told.due("resolution") == "03-05 10:40"


def test_a_call_from_the_customer_is_a_contact() -> None:
    told = desk().tell("03-04 11:00", asked)
    told.tell("03-04 12:10", InteractionStarted("i1", "phone", "inbound"))
    assert told.due("resolution") == "03-05 10:40"


def test_a_call_to_the_customer_ends_no_pause() -> None:
    told = desk().tell("03-04 11:00", asked)
    told.tell("03-04 12:10", InteractionStarted("i1", "phone", "outbound"))
    assert told.due("resolution") is None


def test_the_customers_contact_does_not_end_waiting_for_a_third_party() -> None:
    told = desk().tell("03-04 11:00", WaitingStarted("third_party", "The carrier's log?"))
    assert told.tell("03-04 12:10", contacted).state("resolution") == "paused"


def test_two_reasons_at_once_pause_once() -> None:
    told = desk().tell("03-04 10:00", asked)
    told.tell("03-04 11:00", WaitingStarted("third_party", "The carrier's log?"))
    told.tell("03-04 12:00", ended("03-04 12:00"))
    assert told.state("resolution") == "paused"
    told.tell("03-04 14:00", ended("03-04 14:00", "third_party"))
    assert told.due("resolution") == "03-05 13:30"  # T-15


def test_a_clock_that_starts_while_somebody_is_waited_for_starts_paused() -> None:
    told = Desk.under(rule("resolution", 8)).registered("03-04 09:30")
    told.tell("03-04 10:00", asked).tell("03-04 12:00", resolved)
    assert told.view("resolution").consumed_seconds == HOUR // 2


def test_only_who_the_policy_names_is_waited_for() -> None:
    strict = rule("resolution", 8, paused_by=("third_party",))
    told = Desk.under(strict).registered("03-04 09:30").tell("03-04 11:00", asked)
    assert told.state("resolution") == "running"


def test_responses_promises_and_regulators_do_not_wait() -> None:
    pausable = ["resolution"]
    for kind in ("acknowledgement", "first_response", "next_response", "promise", "callback"):
        assert not rule(kind, target=OpenTime(HOUR)).pausable
    assert not rule("regulatory").pausable
    assert all(rule(kind).pausable for kind in pausable)


def test_a_pause_after_the_due_instant_changes_nothing() -> None:
    told = desk().tell("03-05 10:00", asked)
    assert told.due("resolution") == "03-05 09:30"
    assert told.state("resolution", "03-05 11:00") == "breached"


def test_a_finished_clock_is_not_changed_by_what_is_recorded_of_pauses_later() -> None:
    told = desk().tell("03-04 11:00", asked).tell("03-05 15:00", resolved)
    told.tell("03-04 12:10", contacted, recorded="03-05 16:00")
    assert told.state("resolution") == "met"
    assert told.view("resolution").consumed_seconds == HOUR * 3 // 2
