"""The worked scenarios: all of scenarios.json, and of scenarios.md what needs no case around it."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casecore.clocks.calendar import Calendar, Weekly
from casecore.clocks.targets import BusinessDays, CalendarDays, ElapsedTime, OpenTime, Weeks
from casecore.clocks.trying import answer
from casecore.errors import Rejected
from tests.casecore.clocks.given import (
    BANK_HOLIDAYS,
    HOUR,
    LONDON,
    NINE_TO_FIVE,
    at,
    clock,
    closed,
    daily,
    due,
    every_day,
    text,
    weekdays,
)

ROOT = Path(__file__).parents[3]
FILE = Path(os.environ.get("CASECORE_SHARED", ROOT.parent / "shared")) / "sla" / "scenarios.json"


def scenarios() -> list[Any]:
    """Without the file they are skipped, unless CASECORE_SHARED promised it."""
    if not FILE.exists() and "CASECORE_SHARED" not in os.environ:
        missing = f"{FILE} is not there; CASECORE_SHARED says where else it is"
        return [pytest.param({}, {}, marks=pytest.mark.skip(missing), id="scenarios.json")]
    told = json.loads(FILE.read_text("utf-8"))
    found = []
    for scenario in told["scenarios"]:
        given = dict(scenario["given"])
        if isinstance(given["calendar"], str):
            given["calendar"] = told["calendars"][given["calendar"]]
        found.append(pytest.param(given, scenario["expect"], id=scenario["id"]))
    return found


@pytest.mark.parametrize(("given", "expected"), scenarios())
def test_a_scenario_is_answered_as_it_was_worked_out(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    answered = json.loads(msgspec.json.encode(answer(json.dumps(given).encode())))
    assert bool(answered.pop("detail", None)) == ("error" in expected)
    assert answered == expected


def test_time_runs_in_open_hours_only() -> None:
    assert due("2026-03-04 10:15", 4) == "2026-03-04 14:15"  # T-01
    assert due("2026-03-04 07:00", 2) == "2026-03-04 11:00"  # T-02
    assert due("2026-03-06 16:30", 1) == "2026-03-09 09:30"  # T-03
    assert due("2026-04-02 14:00", 4) == "2026-04-07 10:00"  # T-06


def test_time_used_up_at_closing_is_due_at_closing() -> None:
    assert due("2026-03-04 09:00", 8) == "2026-03-04 17:00"  # T-04


def test_no_second_is_lost_around_closing() -> None:
    assert due("2026-03-04 17:00", 1) == "2026-03-05 10:00"  # T-05
    assert due("2026-03-04 16:59:30", 1) == "2026-03-05 09:59:30"


def test_a_night_shift_has_seven_hours_when_the_clocks_go_forward() -> None:
    nights = Calendar("Europe/London", daily((("22:00", "06:00"),)))
    assert due("2026-03-28 22:00", 8, calendar=nights) == "2026-03-29 22:00"  # T-07
    assert due("2026-10-24 21:00", 8, calendar=nights) == "2026-10-25 05:00"


def test_a_window_opens_after_the_midnight_that_does_not_exist() -> None:
    nights = Calendar("America/Sao_Paulo", daily((("00:00", "06:00"),)))
    assert due("2018-11-03 23:30-03:00", 4, calendar=nights) == "2018-11-04 07:00"  # T-09


def test_summer_time_may_begin_on_the_weekend_in_between() -> None:
    assert due("2026-03-27 16:00", 2) == "2026-03-30 09:00"  # T-10


def test_pauses_cost_what_was_open_in_their_union() -> None:
    start = "2026-03-04 09:30"
    assert due(start, 8, ("2026-03-04 11:00", "2026-03-04 13:30")) == "2026-03-05 12:00"  # T-11
    assert due(start, 8, ("2026-03-04 17:00", "2026-03-05 09:00")) == "2026-03-05 09:30"  # T-12
    assert due(start, 8, ("2026-03-04 16:00", "2026-03-05 10:00")) == "2026-03-05 11:30"  # T-13
    customer = ("2026-03-04 10:00", "2026-03-04 12:00")
    third_party = ("2026-03-04 11:00", "2026-03-04 14:00")
    assert due(start, 8, customer, third_party) == "2026-03-05 13:30"  # T-15
    assert due(start, 8, third_party, customer) == "2026-03-05 13:30"
    assert due(start, 8, ("2026-03-04 11:00", "2026-03-04 12:10")) == "2026-03-05 10:40"  # T-18


def test_resolving_in_a_pause_finds_what_was_consumed_before_it() -> None:
    resolution = clock("2026-03-04 09:30", 8, ("2026-03-04 12:00", None))  # T-16
    assert resolution.consumed(at("2026-03-05 15:00")) == at("2026-03-04 12:00") - at(
        "2026-03-04 09:30"
    )
    assert resolution.state(at("2026-03-05 15:00")) == "paused"


def test_a_paused_clock_is_not_due_and_does_not_breach() -> None:
    paused = clock("2026-03-04 09:30", 8, ("2026-03-04 10:00", None))  # T-17
    for now in ("2026-03-04 10:00", "2026-03-05 15:00", "2027-03-05 15:00"):
        assert (paused.due, paused.state(at(now))) == (None, "paused")
        assert paused.remaining(at(now)) == 27_000 * 1_000_000


def test_warnings_fall_in_open_time() -> None:
    warned = clock("2026-03-04 09:30", 8)  # T-19
    quarter, hour = (text(warned.warning(left * HOUR * 1_000_000)) for left in (2, 1))
    assert (quarter, hour) == ("2026-03-04 15:30:00", "2026-03-04 16:30:00")


def test_another_target_or_calendar_counts_from_the_same_start() -> None:
    assert due("2026-03-02 09:00", 24) == "2026-03-04 17:00"  # T-21
    assert due("2026-03-02 09:00", 8) == "2026-03-02 17:00"
    assert due("2026-03-04 10:00", 16) == "2026-03-06 10:00"  # T-24
    assert due("2026-03-04 10:00", 8) == "2026-03-05 10:00"
    assert due("2026-03-05 13:00", 8) == "2026-03-06 13:00"  # T-25
    friday_off = Calendar("Europe/London", LONDON.weekly, closed("2026-03-06"))
    assert due("2026-03-05 13:00", 8, calendar=friday_off) == "2026-03-09 13:00"


def test_the_time_from_resolution_to_reopening_does_not_count() -> None:
    resolved = ("2026-03-03 12:00", "2026-03-06 10:00")
    assert due("2026-03-02 09:00", 16, resolved) == "2026-03-06 15:00"  # T-27
    assert due("2026-03-06 10:00", 16) == "2026-03-10 10:00"


def test_a_calendar_that_never_opens_and_a_target_of_nothing_are_refused() -> None:
    for calendar in (
        Calendar("Europe/London", Weekly()),
        Calendar("Europe/London", Weekly(), closed("2026-04-03")),
    ):
        with pytest.raises(Rejected) as refused:
            due("2026-03-04 09:00", 1, calendar=calendar)  # T-32
        assert refused.value.code == "calendar-never-open"
    for target in (OpenTime(0), ElapsedTime(-1), BusinessDays(0, "as_received"), Weeks(0)):
        with pytest.raises(Rejected) as refused:
            due("2026-03-04 09:00", target)
        assert refused.value.code == "target-not-positive"


def test_a_shutdown_of_five_weeks_is_closed() -> None:
    shutdown = closed(*BANK_HOLIDAYS, *every_day("2026-07-27", "2026-08-30"))
    calendar = Calendar("Europe/London", weekdays(NINE_TO_FIVE), shutdown)
    assert due("2026-07-24 15:45", 1, calendar=calendar) == "2026-09-01 08:45"  # T-33


def test_a_day_may_be_split() -> None:
    split = Calendar("Europe/London", weekdays((("08:00", "12:00"), ("13:30", "18:00"))))
    assert due("2026-03-04 12:30", 2, calendar=split) == "2026-03-04 15:30"  # T-34
    assert due("2026-03-04 11:30", 2, calendar=split) == "2026-03-04 15:00"


def test_days_from_midnight_to_midnight_are_one_window() -> None:
    always = Calendar("Europe/London", daily((("00:00", "24:00"),)))
    assert due("2026-03-07 23:00", 2, calendar=always) == "2026-03-08 01:00"  # T-35
    assert due("2026-03-28 12:00", 24, calendar=always) == "2026-03-29 12:00"


def test_a_promise_within_24_hours_is_elapsed_time() -> None:
    assert due("2026-03-06 16:00", ElapsedTime(24 * HOUR)) == "2026-03-07 16:00"  # T-37


def test_a_clock_is_met_on_the_instant_it_is_due_and_breached_after_it() -> None:
    reply = clock("2026-03-04 10:00", 4)  # T-41
    assert reply.state(at("2026-03-04 14:00:00.000000")) == "running"
    assert reply.state(at("2026-03-04 14:00:00.000001")) == "breached"


def test_the_eight_weeks_of_a_merged_complaint_run_from_the_earliest_receipt() -> None:
    assert due("2026-03-02 10:00", Weeks(8)) == "2026-04-27 22:59:59.999999"  # T-44
    assert due("2026-03-04 10:00", Weeks(8)) == "2026-04-29 22:59:59.999999"


def test_a_complaint_received_after_close_may_be_deemed_to_come_the_next_business_day() -> None:
    received = "2026-04-02 17:30"  # T-47
    assert due(received, BusinessDays(3, "as_received")) == "2026-04-09 16:00"
    deemed = BusinessDays(3, "next_business_day_if_after_close")
    assert due(received, deemed) == "2026-04-10 16:00"
    assert due(received, Weeks(8)) == "2026-05-28 22:59:59.999999"


def test_waiting_for_the_customer_moves_no_regulatory_date() -> None:
    waiting = ("2026-04-03 09:00", "2026-04-24 09:00")  # T-49
    for target in (BusinessDays(3, "as_received"), Weeks(8), CalendarDays(56)):
        assert due("2026-04-02 17:30", target, waiting) == due("2026-04-02 17:30", target)
    assert due("2026-04-02 14:00", 40, waiting) != due("2026-04-02 14:00", 40)
    assert clock("2026-04-02 17:30", Weeks(8), waiting).state(at("2026-04-10 09:00")) == "running"


def test_calendar_days_end_with_the_local_date_on_either_side_of_a_change() -> None:
    sydney = Calendar("Australia/Sydney", weekdays(NINE_TO_FIVE))
    received = "2026-09-10 10:00+10:00"  # T-51
    assert due(received, CalendarDays(30), calendar=sydney) == "2026-10-10 12:59:59.999999"
    assert due(received, CalendarDays(21), calendar=sydney) == "2026-10-01 13:59:59.999999"
    assert due(received, CalendarDays(45), calendar=sydney) == "2026-10-25 12:59:59.999999"
