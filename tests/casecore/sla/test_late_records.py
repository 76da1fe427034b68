"""Breaches that are found late, and facts that are recorded late (R4, R10, R20)."""

from uuid import UUID

import pytest

from casecore.case.events.contact import CustomerContacted, ResponseSent, WaitingStarted
from casecore.case.events.outcome import ComplaintResolved
from casecore.clockset.events import ClockBreached, ClockResultRescinded
from casecore.errors import Rejected
from casecore.sla.cycle import alarms, next_alarm
from casecore.sla.reckoning import refuse_over, refuse_unproven
from tests.casecore.sla.given import Desk, rule, utc
from tests.spec import CASE_ID, SAM, SYSTEM

reply = ResponseSent("email")
resolved = ComplaintResolved("upheld", "We were late, and said so")
EVIDENCE = UUID(int=5)


def desk() -> Desk:
    """A first response is due at 14:00."""
    return Desk.under(rule("first_response", 4)).registered("03-04 10:00")


def rescinded(told: Desk, at: str, name: str = "first_response") -> Desk:
    cycle = told.cycle(name)
    event = ClockResultRescinded(
        CASE_ID, cycle.clock_id, cycle.cycle, name, EVIDENCE, "The reply was recorded late"
    )
    return told.tell(at, event, by=SAM)


def test_a_timer_that_was_down_finds_the_breach_and_dates_it_rightly() -> None:
    told = desk().tell("03-04 14:10", reply)
    alarm = next_alarm(told.cycle("first_response"), told.book)
    assert alarm == (utc("03-04 14:00"), "due")
    told.breached("first_response", "03-04 17:05")
    seen = told.view("first_response")
    assert (seen.state, seen.lateness_seconds) == ("breached", 600)  # T-42
    assert (seen.breached_at, seen.detected_at) == (utc("03-04 14:00"), utc("03-04 17:05"))
    assert alarms(told.cycle("first_response"), told.book) == []


def test_a_clock_that_was_met_gives_no_alarm() -> None:
    told = desk().tell("03-04 14:00", reply)
    assert next_alarm(told.cycle("first_response"), told.book) is None


def test_a_breach_that_does_not_follow_from_the_ledger_changes_nothing() -> None:
    told = desk()
    clock_id = told.cycle("first_response").clock_id
    stale = ClockBreached(
        CASE_ID, clock_id, 1, "first_response", utc("03-04 14:00"), utc("03-04 14:00:01")
    )
    told.tell("03-04 13:59:59", reply, recorded="03-04 14:00:00.5")
    told.tell("03-04 14:00:01", stale, by=SYSTEM)
    assert told.state("first_response") == "met"


def test_a_breach_with_another_due_instant_than_the_clock_has_is_not_its_breach() -> None:
    told = Desk.under(rule("resolution", 4)).registered("03-04 10:00")
    told.tell("03-04 13:00", WaitingStarted("customer", "A photo?"))
    clock_id = told.cycle("resolution").clock_id
    stale = ClockBreached(
        CASE_ID, clock_id, 1, "resolution", utc("03-04 14:00"), utc("03-04 14:00:01")
    )
    told.tell("03-04 14:00:01", stale, by=SYSTEM)
    assert told.state("resolution", "03-04 15:00") == "paused"
    told.tell("03-04 15:00", CustomerContacted("email"))
    assert told.due("resolution") == "03-04 16:00"


def test_a_reply_recorded_before_anybody_looked_is_in_time() -> None:
    told = desk().tell("03-04 13:50", reply, recorded="03-04 14:20")
    assert told.state("first_response") == "met"


def test_a_reply_recorded_after_the_breach_was_leaves_the_result_until_it_is_taken_back() -> None:
    told = desk().breached("first_response", "03-04 14:00:01")
    told.tell("03-04 13:50", reply, recorded="03-04 14:20")
    seen = told.view("first_response")
    assert (seen.state, seen.satisfied_at) == ("breached", utc("03-04 13:50"))
    cycle, at = told.cycle("first_response"), utc("03-04 15:00")
    without = desk().breached("first_response", "03-04 14:00:01")
    refuse_unproven(told.clocks, without.clocks, cycle, told.book, at)
    with pytest.raises(Rejected, match="with and without this event"):
        refuse_unproven(told.clocks, told.clocks, cycle, told.book, at)
    rescinded(told, "03-04 15:00")
    seen = told.view("first_response")
    assert (seen.state, seen.breached_at, seen.detected_at) == ("met", None, None)


def test_an_earlier_reply_recorded_after_a_late_one_is_proof_too() -> None:
    told = desk().tell("03-04 15:00", reply)
    told.tell("03-04 13:50", reply, recorded="03-04 16:00")
    assert told.state("first_response") == "breached"
    assert told.view("first_response").lateness_seconds == 3600
    rescinded(told, "03-04 16:30")
    assert told.state("first_response") == "met"
    assert told.view("first_response").satisfied_at == utc("03-04 13:50")


def test_taking_back_without_proof_is_refused_and_would_change_nothing() -> None:
    told = desk().breached("first_response", "03-04 14:00:01").tell("03-04 15:00", reply)
    cycle = told.cycle("first_response")
    with pytest.raises(Rejected, match="as before"):
        refuse_unproven(told.clocks, told.clocks, cycle, told.book, utc("03-04 16:00"))
    rescinded(told, "03-04 16:00")
    assert told.state("first_response") == "breached"
    assert next_alarm(told.cycle("first_response"), told.book) == (utc("03-04 14:00"), "due")


def test_a_result_that_a_pause_recorded_late_would_change_is_taken_back_only() -> None:
    told = Desk.under(rule("resolution", 4)).registered("03-04 10:00")
    told.breached("resolution", "03-04 14:00:01")
    told.tell("03-04 13:00", WaitingStarted("customer", "A photo?"), recorded="03-04 14:30")
    assert told.state("resolution", "03-04 15:00") == "breached"
    assert told.due("resolution") == "03-04 14:00"
    rescinded(told, "03-04 15:00", "resolution")
    assert told.state("resolution", "03-04 15:00") == "paused"


def test_what_is_over_is_not_rebaselined() -> None:
    met = desk().tell("03-04 12:00", reply)
    late = desk()
    refuse_over(late.cycle("first_response"), late.book, utc("03-04 14:00"))
    for told, at, state in ((met, "03-04 13:00", "met"), (late, "03-04 14:01", "breached")):
        with pytest.raises(Rejected, match=f"is {state} already"):
            refuse_over(told.cycle("first_response"), told.book, utc(at))


def test_an_open_breach_grows_later_until_it_is_answered() -> None:
    told = desk()
    assert told.view("first_response", "03-04 14:30").lateness_seconds == 1800
    assert told.view("first_response").lateness_seconds is None
    assert told.tell("03-04 15:00", reply).view("first_response").lateness_seconds == 3600
