"""Warnings and due instants: what the deadline process wakes for (R17, R18)."""

from casecore.case.events.contact import CustomerContacted, WaitingStarted
from casecore.case.events.intake import Priority
from casecore.case.events.triage import PriorityChanged
from casecore.clocks.targets import OpenTime
from casecore.clockset.events import ClockWarned
from casecore.sla.cycle import alarm_id, alarms
from casecore.sla.events import Warn
from tests.casecore.clocks.given import HOUR
from tests.casecore.sla.given import Desk, rule
from tests.spec import CASE_ID, SYSTEM

WARNINGS = (Warn(percent=75), Warn(seconds_left=HOUR))


def desk(hours: int = 8, **changes: object) -> Desk:
    return Desk.under(rule("resolution", hours, warnings=WARNINGS, **changes))


def pending(told: Desk) -> list[tuple[str, str]]:
    found = alarms(told.cycle("resolution"), told.book)
    return [(f"{alarm.at:%m-%d %H:%M}", alarm.threshold) for alarm in found]


def warned(told: Desk, at: str, threshold: str) -> Desk:
    cycle = told.cycle("resolution")
    event = ClockWarned(CASE_ID, cycle.clock_id, cycle.cycle, "resolution", threshold, None)
    return told.tell(at, event, by=SYSTEM)


def test_warnings_come_in_open_time_before_the_due_instant() -> None:
    told = desk().registered("03-04 09:30")
    expected = [("03-04 15:30", "75%"), ("03-04 16:30", "3600s"), ("03-05 09:30", "due")]
    assert pending(told) == expected  # T-19
    assert told.view("resolution").warn_at == alarms(told.cycle("resolution"), told.book)[0].at


def test_a_warning_that_was_given_is_not_given_again() -> None:
    told = warned(desk().registered("03-04 09:30"), "03-04 15:30", "75%")
    assert pending(told) == [("03-04 16:30", "3600s"), ("03-05 09:30", "due")]
    assert warned(told, "03-04 15:31", "75%").cycle("resolution").warned == ("75%",)


def test_in_a_pause_nothing_is_due_but_what_was_missed_before() -> None:
    told = desk().registered("03-04 09:30")
    told.tell("03-04 16:00", WaitingStarted("customer", "A photo?"))
    assert pending(told) == [("03-04 15:30", "75%")]
    told.tell("03-05 10:00", CustomerContacted("email"))
    assert pending(told)[1:] == [("03-05 10:30", "3600s"), ("03-05 11:30", "due")]


def test_a_warning_that_a_change_passed_over_comes_with_the_change() -> None:
    graded: dict[Priority, OpenTime] = {"low": OpenTime(24 * HOUR), "high": OpenTime(8 * HOUR)}
    told = desk(by_priority=graded).registered("03-02 09:00", priority="low")
    told.tell("03-02 16:00", PriorityChanged("low", "high", "They called again"))
    assert pending(told) == [
        ("03-02 16:00", "3600s"),
        ("03-02 16:00", "75%"),
        ("03-02 17:00", "due"),
    ]


def test_a_warning_with_more_time_left_than_there_is_never_comes() -> None:
    told = Desk.under(rule("resolution", 1, warnings=(Warn(seconds_left=2 * HOUR),)))
    assert pending(told.registered("03-04 09:30")) == [("03-04 10:30", "due")]


def test_each_alarm_has_one_name() -> None:
    first = alarm_id(CASE_ID, 1, "75%")
    assert first == alarm_id(CASE_ID, 1, "75%")
    assert len({first, alarm_id(CASE_ID, 2, "75%"), alarm_id(CASE_ID, 1, "due")}) == 3
