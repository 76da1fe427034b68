"""The report: what is met, breached, overdue and at risk, and which cases come first."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from casecore.case.events.callbacks import CallbackScheduled
from casecore.case.events.contact import AcknowledgementSent, WaitingStarted
from casecore.case.events.outcome import CaseWithdrawn, ComplaintResolved
from casecore.clockset.events import ClockWarned
from casecore.sla.events import Warn
from casecore.sla.reckoning import CaseClocks
from casecore.sla.reporting import URGENT_MAX, Line, Report, ranked
from tests.casecore.clocks.given import HOUR
from tests.casecore.sla.given import Desk, rule, utc
from tests.spec import CASE_ID, SYSTEM

RESOLVED = ComplaintResolved("upheld", "Lost at the depot")
NOW = utc("03-04 15:30")


def desk(*rules: Any) -> Desk:
    return Desk.under(*(rules or (rule("resolution", 8, warnings=(Warn(percent=75),)),)))


def reported(*desks: Desk, now: str = "03-04 15:30", queue: str | None = None) -> Report:
    report = Report(utc(now), queue)
    for one in desks:
        report.add("C-1", one.clocks, one.book)
    return report


def only(lines: list[Line]) -> Line:
    [line] = lines
    return line


def test_each_cycle_counts_as_what_it_is_by_now() -> None:
    line = only(
        reported(
            desk().registered("03-04 09:00").tell("03-04 12:00", RESOLVED),
            desk().registered("03-02 09:00").tell("03-04 12:00", RESOLVED),
            desk().registered("03-02 09:00"),
            desk().registered("03-04 14:00"),
            desk().registered("03-04 09:00"),
            desk().registered("03-04 09:00").tell("03-04 10:00", WaitingStarted("customer", "?")),
            desk().registered("03-04 09:00").tell("03-04 10:00", CaseWithdrawn("-")),
        ).by_target()
    )
    assert (line.met, line.breached, line.overdue) == (1, 2, 1)
    assert (line.running, line.at_risk, line.paused, line.cancelled) == (2, 1, 1, 1)
    assert line.answered == 2
    assert line.share_met == 1 / 3


def test_what_was_warned_of_is_at_risk_until_it_is_due() -> None:
    warned = desk().registered("03-04 09:00")
    cycle = warned.cycle("resolution")
    event = ClockWarned(CASE_ID, cycle.clock_id, 1, "resolution", "75%", utc("03-04 17:00"))
    warned.tell("03-04 15:00", event, by=SYSTEM)
    assert only(reported(warned).by_target()).at_risk == 1
    assert only(reported(warned, now="03-04 17:01").by_target()).at_risk == 0


def test_lateness_is_of_what_was_answered_late_and_of_what_is_still_waited_for() -> None:
    """By the nearest rank: an hour late, a day late, and the one that waits since Monday."""
    late = [
        desk().registered("03-02 09:00").tell(at, RESOLVED) for at in ("03-02 18:00", "03-03 17:00")
    ]
    line = only(reported(*late, desk().registered("03-02 09:00"), now="03-04 17:00").by_target())
    assert (line.late_median_seconds, line.late_p90_seconds) == (24 * HOUR, 48 * HOUR)


def test_nobody_waits_on_a_clock_of_a_resolved_case_unless_it_may_begin_there() -> None:
    acknowledging = desk(rule("acknowledgement", 4), rule("callback"))
    acknowledging.registered("03-02 09:00").tell("03-02 10:00", RESOLVED)
    scheduled = CallbackScheduled(
        "b1", "post_resolution", utc("03-03 09:00"), utc("03-03 12:00"), "UTC", 3
    )
    acknowledging.tell("03-02 10:00", scheduled)
    report = reported(acknowledging)
    lines = {line.name: line for line in report.by_target()}
    assert (lines["acknowledgement"].breached, lines["acknowledgement"].overdue) == (1, 0)
    assert lines["acknowledgement"].late_median_seconds is None
    assert (lines["callback"].breached, lines["callback"].overdue) == (1, 1)
    assert [clock.name for clock in report.longest_overdue] == ["callback"]


def test_a_case_is_named_once_by_its_first_clock_and_the_first_cases_first() -> None:
    both = (rule("acknowledgement", 4), rule("resolution", 8))
    report = reported(
        desk(*both).registered("03-04 14:00"),
        desk(*both).registered("03-04 13:00"),
        desk(*both).registered("03-02 09:00"),
    )
    assert [(clock.name, clock.due_at) for clock in report.due_next] == [
        ("acknowledgement", utc("03-04 17:00")),
        ("acknowledgement", utc("03-05 10:00")),
    ]
    assert [clock.due_at for clock in report.longest_overdue] == [utc("03-02 13:00")]


@given(st.lists(st.integers(0, 59), max_size=3 * URGENT_MAX))
def test_the_most_urgent_are_those_that_sorting_all_would_put_first(minutes: list[int]) -> None:
    cases = [desk().registered(f"03-04 14:{minute:02}") for minute in minutes]
    due = [clock.due_at for clock in reported(*cases).due_next]
    everything = sorted(view for case in cases if (view := case.view("resolution").due_at))
    assert due == everything[:URGENT_MAX]


def test_queues_are_told_apart_those_with_the_most_to_worry_about_first() -> None:
    calm = desk().registered("03-04 14:00", queue="calm")
    busy = desk().registered("03-02 09:00", queue="busy")
    report = reported(calm, busy)
    assert [line.queue for line in report.by_queue()] == ["busy", "calm"]
    assert [line.queue for line in report.by_target()] == [None]
    of_one = reported(calm, busy, queue="calm")
    assert (of_one.cases, only(of_one.by_target()).running) == (1, 1)


def test_a_case_without_clocks_is_a_case() -> None:
    report = Report(NOW)
    report.add("C-1", CaseClocks(UUID(int=1)), Desk().book)
    assert (report.cases, report.by_target(), report.by_queue()) == (1, [], [])


def test_what_nothing_answered_is_told_apart_from_what_was_answered_late() -> None:
    late = desk(rule("acknowledgement", 4)).registered("03-02 09:00")
    late.tell("03-03 09:00", AcknowledgementSent("written", "email"))
    assert only(reported(late).by_target()).answered == 1
    assert only(reported(desk().registered("03-02 09:00")).by_target()).answered == 0


def test_a_rank_is_one_of_the_values() -> None:
    assert ranked([], 50) is None
    assert [ranked([10], percent) for percent in (50, 90)] == [10, 10]
    assert [ranked(list(range(1, 11)), percent) for percent in (50, 90)] == [5, 9]
    assert ranked([1, 2, 3], 50) == 2
