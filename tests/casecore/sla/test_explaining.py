"""A clock told so that a person can check it by hand."""

from casecore.case.events.contact import CustomerContacted, WaitingEnded, WaitingStarted
from casecore.case.events.outcome import CaseReopened, ComplaintResolved
from casecore.case.events.triage import PriorityChanged
from casecore.clocks.targets import ElapsedTime, OpenTime, Weeks
from casecore.clockset.events import ClockBreached
from casecore.sla.explaining import LINES_MAX, explain, length
from tests.casecore.clocks.given import HOUR
from tests.casecore.sla.given import CASE_ID, Desk, rule, utc


def told(desk: Desk, now: str | None = None, name: str = "resolution") -> list[tuple[str, str]]:
    lines = explain(desk.cycle(name), desk.book, utc(now) if now else None)
    return [(line.what, line.text) for line in lines]


def test_window_by_window_and_pause_by_pause() -> None:
    desk = Desk.under(rule("resolution", 8)).registered("03-04 09:30")
    desk.tell("03-04 11:00", WaitingStarted("customer", "A photo?"))
    desk.tell("03-04 13:30", CustomerContacted("email"))
    policy = "policy desk v1 and calendar lon v1 (Europe/London)"
    assert told(desk) == [  # T-11
        ("started", f"Wed 04 Mar 2026 09:30: CaseRegistered; 8 h of open time; {policy}"),
        ("counted", "Wed 04 Mar 2026 09:30 to Wed 04 Mar 2026 11:00: 1 h 30 min"),
        ("paused", "Wed 04 Mar 2026 11:00 to Wed 04 Mar 2026 13:30: does not count (customer)"),
        ("counted", "Wed 04 Mar 2026 13:30 to Wed 04 Mar 2026 17:00: 3 h 30 min"),
        ("counted", "Thu 05 Mar 2026 09:00 to Thu 05 Mar 2026 12:00: 3 h"),
        ("stands", "running: 1 h 30 min used of 8 h; due Thu 05 Mar 2026 12:00"),
    ]


def test_the_lines_add_up_to_the_target() -> None:
    desk = Desk.under(rule("resolution", 30)).registered("03-04 09:30")
    desk.tell("03-05 11:00", WaitingStarted("customer", "A photo?"))
    desk.tell("03-06 13:30", WaitingEnded("customer", "agent", utc("03-06 13:30")))
    lines = explain(desk.cycle("resolution"), desk.book)
    assert sum(line.seconds for line in lines) == 30 * HOUR
    assert lines[-2].consumed_seconds == 30 * HOUR


def test_a_change_begins_a_new_stretch() -> None:
    graded = rule(
        "resolution", by_priority={"low": OpenTime(24 * HOUR), "high": OpenTime(8 * HOUR)}
    )
    desk = Desk.under(graded).registered("03-02 09:00", priority="low")
    desk.tell("03-02 14:00", PriorityChanged("low", "high", "They called again"))
    lines = explain(desk.cycle("resolution"), desk.book)
    assert [line.what for line in lines] == ["started", "counted", "changed", "counted", "stands"]
    assert lines[2].text.startswith("Mon 02 Mar 2026 14:00: PriorityChanged; 8 h of open time")
    assert lines[3].consumed_seconds == 8 * HOUR


def test_what_is_over_ends_with_how_it_ended() -> None:
    desk = Desk.under(rule("resolution", 2)).registered("03-04 09:00")
    desk.tell("03-04 12:00", ComplaintResolved("upheld", "We were late, and said so"))
    assert told(desk)[-1] == (
        "stands",
        "breached: 3 h used of 2 h; due Wed 04 Mar 2026 11:00;"
        " satisfied Wed 04 Mar 2026 12:00 by ComplaintResolved; late by 1 h",
    )


def test_a_breach_that_a_later_record_contradicts_says_so() -> None:
    desk = Desk.under(rule("resolution", 2)).registered("03-04 09:00")
    clock = desk.cycle("resolution")
    found = ClockBreached(
        CASE_ID, clock.clock_id, 1, "resolution", utc("03-04 11:00"), utc("03-04 11:30")
    )
    desk.tell("03-04 11:30", found)
    resolved = ComplaintResolved("upheld", "Entered the day after")
    desk.tell("03-04 10:00", resolved, recorded="03-05 09:00")
    assert told(desk)[-1] == (
        "stands",
        "breached: 1 h used of 2 h; due Wed 04 Mar 2026 11:00;"
        " satisfied Wed 04 Mar 2026 10:00 by ComplaintResolved; that was in time, but recorded"
        " only after the breach was found, Wed 04 Mar 2026 11:30: the result stands until it is"
        " taken back",
    )


def test_resolved_time_is_told_as_not_counting() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-02 09:00")
    desk.tell("03-03 12:00", ComplaintResolved("upheld", "We were late, and said so"))
    desk.tell("03-06 10:00", CaseReopened("dissatisfied", "Still nothing came"))
    assert (
        "paused",
        "Tue 03 Mar 2026 12:00 to Fri 06 Mar 2026 10:00: does not count (resolved)",
    ) in told(desk)


def test_paused_it_tells_how_far_it_has_come() -> None:
    desk = Desk.under(rule("resolution", 8)).registered("03-04 09:30")
    desk.tell("03-04 11:00", WaitingStarted("customer", "A photo?"))
    assert told(desk, "03-04 15:00")[1:] == [
        ("counted", "Wed 04 Mar 2026 09:30 to Wed 04 Mar 2026 11:00: 1 h 30 min"),
        ("paused", "Wed 04 Mar 2026 11:00 to Wed 04 Mar 2026 15:00: does not count (customer)"),
        ("stands", "paused: 1 h 30 min used of 8 h"),
    ]


def test_times_are_told_as_the_calendars_clocks_show_them() -> None:
    desk = Desk.under(rule("weeks", kind="regulatory", target=Weeks(8))).registered("03-04 09:00")
    [started, counted, stands] = told(desk, name="weeks")
    assert "8 weeks" in started[1]
    assert counted[1].endswith("Wed 29 Apr 2026 23:59:59.999999: 1,357 h 59 min 59.999999 s")
    assert stands[1].endswith("due Wed 29 Apr 2026 23:59:59.999999")


def test_a_long_clock_is_summed_up_at_its_end() -> None:
    desk = Desk.under(rule("resolution", 8 * (LINES_MAX + 50))).registered("03-04 09:00")
    lines = explain(desk.cycle("resolution"), desk.book)
    assert len(lines) == LINES_MAX + 2
    assert lines[-2].what == "summed_up"
    assert sum(line.seconds for line in lines) == 8 * (LINES_MAX + 50) * HOUR


def test_time_by_day_and_night_is_one_stretch() -> None:
    elapsed = rule("resolution", target=ElapsedTime(86_400 * 3))
    desk = Desk.under(elapsed).registered("03-06 16:00")
    assert [what for what, _ in told(desk)] == ["started", "counted", "stands"]


def test_lengths_are_said_as_people_say_them() -> None:
    assert [length(n * 1_000_000) for n in (0, 59, 60, 3600, 5400, 90_061)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h",
        "1 h 30 min",
        "25 h 1 min 1 s",
    ]
    assert length(1) == "0.000001 s"
