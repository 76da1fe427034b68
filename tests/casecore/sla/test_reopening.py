"""What becomes of clocks when a case is reopened (R13)."""

from casecore.case.events.contact import ResponseSent, WaitingEnded, WaitingStarted
from casecore.case.events.outcome import CaseClosed, CaseReopened, ComplaintResolved
from casecore.clocks.targets import Weeks
from tests.casecore.clocks.given import HOUR
from tests.casecore.sla.given import Desk, rule, utc

resolved = ComplaintResolved("upheld", "We were late, and said so")
reopened = CaseReopened("dissatisfied", "Still nothing came")


def test_it_resumes_with_the_time_it_had_left() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-02 09:00")
    desk.tell("03-03 12:00", resolved)
    assert desk.view("resolution").consumed_seconds == 11 * HOUR
    desk.tell("03-06 10:00", reopened)
    assert desk.due("resolution") == "03-06 15:00"  # T-27
    assert desk.view("resolution", "03-06 12:00").consumed_seconds == 13 * HOUR
    assert len(desk.clocks.cycles) == 1


def test_or_a_new_cycle_begins_and_the_first_stays_met() -> None:
    desk = Desk.under(rule("resolution", 16, reopen="new_cycle")).registered("03-02 09:00")
    desk.tell("03-03 12:00", resolved).tell("03-06 10:00", reopened)
    assert desk.state("resolution", number=1) == "met"
    assert desk.due("resolution", number=2) == "03-10 10:00"  # T-27


def test_or_nothing_does() -> None:
    desk = Desk.under(rule("resolution", 16, reopen="none")).registered("03-02 09:00")
    desk.tell("03-03 12:00", resolved).tell("03-06 10:00", reopened)
    assert desk.state("resolution") == "met"
    assert desk.names() == []


def test_a_breach_stays_one() -> None:
    desk = Desk.under(rule("resolution", 8)).registered("03-02 09:00")
    desk.tell("03-03 12:00", resolved).tell("03-06 10:00", reopened)
    assert desk.state("resolution") == "breached"
    assert desk.names() == []


def test_reopened_twice_neither_time_between_counts() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-02 09:00")
    desk.tell("03-02 10:00", resolved).tell("03-03 10:00", reopened)
    desk.tell("03-03 12:00", resolved, CaseClosed(utc("03-03 12:00")))
    desk.tell("03-05 10:00", reopened)
    assert desk.view("resolution", "03-05 10:00").consumed_seconds == 3 * HOUR
    assert desk.due("resolution") == "03-06 15:00"


def test_resolved_while_waiting_it_does_not_go_on_waiting() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-02 09:00")
    desk.tell("03-02 10:00", WaitingStarted("customer", "A photo?"))
    desk.tell("03-02 12:00", resolved, WaitingEnded("customer", "resolution", utc("03-02 12:00")))
    desk.tell("03-03 10:00", reopened)
    assert desk.view("resolution", "03-03 10:00").consumed_seconds == HOUR
    assert desk.due("resolution") == "03-04 17:00"


def test_a_response_that_was_given_is_not_asked_for_again() -> None:
    desk = Desk.under(rule("first_response", 4, reopen="resume")).registered("03-02 09:00")
    desk.tell("03-02 10:00", ResponseSent("email")).tell("03-02 12:00", resolved)
    assert desk.tell("03-03 10:00", reopened).names() == []


def test_a_regulators_date_holds_for_the_reopened_case_too() -> None:
    desk = Desk.under(rule("weeks", kind="regulatory", target=Weeks(2))).registered("03-02 09:00")
    desk.tell("03-03 12:00", resolved).tell("03-06 10:00", reopened)
    assert desk.due("weeks") == "03-16 23:59:59.999999"


def test_a_date_that_was_kept_and_has_passed_stays_kept() -> None:
    desk = Desk.under(rule("weeks", kind="regulatory", target=Weeks(2))).registered("03-02 09:00")
    desk.tell("03-03 12:00", resolved).tell("03-20 10:00", reopened)
    assert desk.state("weeks") == "met"


def test_news_is_owed_again() -> None:
    desk = Desk.under(rule("progress_update", 8)).registered("03-02 09:00")
    desk.tell("03-02 12:00", resolved)
    assert desk.state("progress_update") == "cancelled"
    desk.tell("03-03 09:00", reopened)
    assert desk.due("progress_update") == "03-03 17:00"
