"""Clocks: pauses, states, thresholds, and civil dates, at their edges."""

import pytest

from casecore.clocks.calendar import Calendar
from casecore.clocks.clock import HORIZON
from casecore.clocks.instants import DAY, SECOND
from casecore.clocks.openings import Openings
from casecore.clocks.targets import BusinessDays, CalendarDays, ElapsedTime, OpenTime, Weeks
from casecore.errors import Rejected
from tests.casecore.clocks.given import HOUR, at, clock, daily, due, text, weekdays

START = "2026-03-04 09:30"
HOURS = HOUR * 1_000_000


def state(now: str, *pauses: tuple[str, str | None]) -> tuple[str, str | None]:
    eight = clock(START, 8, *pauses)
    return eight.state(at(now)), text(eight.as_of(at(now)).due)


def test_an_open_pause_after_it_was_due_hides_nothing() -> None:
    assert due(START, 2, ("2026-03-04 11:30", None)) == "2026-03-04 11:30"
    assert due(START, 2, ("2026-03-04 12:00", None)) == "2026-03-04 11:30"


def test_a_pause_of_no_length_or_before_the_start_changes_nothing() -> None:
    assert due(START, 2, ("2026-03-04 10:00", "2026-03-04 10:00")) == "2026-03-04 11:30"
    assert due(START, 2, ("2026-03-03 10:00", "2026-03-04 09:30")) == "2026-03-04 11:30"
    assert due(START, 2, ("2026-03-03 10:00", "2026-03-04 10:00")) == "2026-03-04 12:00"


def test_within_a_pause_its_end_is_not_known_yet() -> None:
    pause = ("2026-03-04 11:00", "2026-03-04 13:30")
    due_at = "2026-03-05 12:00:00"
    assert state("2026-03-04 10:59:59.999999", pause) == ("running", due_at)
    assert state("2026-03-04 11:00", pause) == ("paused", None)
    assert state("2026-03-04 13:29:59.999999", pause) == ("paused", None)
    assert state("2026-03-04 13:30", pause) == ("running", due_at)


def test_pauses_that_touch_are_one() -> None:
    pauses = (("2026-03-04 13:00", None), ("2026-03-04 11:00", "2026-03-04 13:00"))
    assert state("2026-03-04 12:00", *pauses) == ("paused", None)
    assert state("2026-03-09 12:00", *pauses) == ("paused", None)


def test_before_a_pause_without_an_end_it_runs_and_is_never_due() -> None:
    assert state("2026-03-04 10:00", ("2026-03-04 11:00", None)) == ("running", None)


def test_a_clock_that_was_used_up_before_a_pause_is_breached_in_it() -> None:
    pause = ("2026-03-05 09:30", None)
    assert state("2026-03-05 09:30", pause) == ("running", "2026-03-05 09:30:00")
    assert state("2026-03-05 09:30:00.000001", pause) == ("breached", "2026-03-05 09:30:00")


def test_before_its_start_a_clock_has_all_its_time() -> None:
    eight = clock(START, 8)
    assert (eight.consumed(at("2026-03-04 09:29")), eight.state(at("2026-03-01"))) == (0, "running")


def test_time_consumed_goes_on_after_it_is_due_and_none_remains() -> None:
    two = clock(START, 2)
    now = at("2026-03-04 12:30")
    assert (two.consumed(now), two.remaining(now)) == (3 * HOURS, 0)


def test_elapsed_time_is_paused_too() -> None:
    target = ElapsedTime(24 * HOUR)
    assert due(START, target, ("2026-03-04 22:00", "2026-03-05 03:00")) == "2026-03-05 14:30"


def test_with_all_of_it_left_a_warning_comes_as_it_begins_to_run() -> None:
    early = clock("2026-03-04 07:00", 8, ("2026-03-04 08:00", "2026-03-04 10:00"))
    assert text(early.warning(8 * HOURS)) == "2026-03-04 10:00:00"
    assert early.warning(8 * HOURS + 1) is None
    assert early.warning(0) == early.due


def test_a_warning_after_a_pause_without_an_end_never_comes() -> None:
    paused = clock(START, 8, ("2026-03-04 12:30", None))
    assert text(paused.warning(6 * HOURS)) == "2026-03-04 11:30:00"
    assert text(paused.warning(5 * HOURS)) == "2026-03-04 12:30:00"
    assert paused.warning(5 * HOURS - 1) is None


@pytest.mark.parametrize(
    "target",
    [
        OpenTime(10**9),
        OpenTime(10**30),
        ElapsedTime(101 * 366 * 86_400),
        BusinessDays(30_000, "as_received"),
        BusinessDays(10**30, "next_business_day_if_after_close"),
        CalendarDays(101 * 366),
        Weeks(10**30),
    ],
    ids=str,
)
def test_what_is_not_due_for_a_hundred_years_is_refused(target: OpenTime) -> None:
    with pytest.raises(Rejected) as refused:
        assert due(START, target)
    assert refused.value.code == "due-beyond-horizon"


def test_the_horizon_is_where_it_is_whatever_is_compiled() -> None:
    openings = Openings(Calendar("UTC", daily((("00:00", "24:00"),))))
    seconds = HORIZON // SECOND
    openings.passed(at(START), at(START) + HORIZON + 400 * DAY)
    for target in (OpenTime, ElapsedTime):
        assert target(seconds).clock(openings, at(START), []).due == at(START) + HORIZON
        with pytest.raises(Rejected) as refused:
            assert target(seconds + 1).clock(openings, at(START), []).due
        assert refused.value.code == "due-beyond-horizon"


def test_a_pause_of_a_hundred_years_is_beyond_the_horizon() -> None:
    with pytest.raises(Rejected) as refused:
        due(START, 8, ("2026-03-04 10:00", "2126-03-04 10:00"))
    assert refused.value.code == "due-beyond-horizon"
    with pytest.raises(Rejected):
        due(START, 24 * 10**6, ("2200-01-01", None))


def test_what_is_decades_away_is_found_on_its_day() -> None:
    assert due("2026-03-02 09:00", 8 * 5 * 52 * 50, calendar=plain()) == "2075-12-27 17:00"


def plain() -> Calendar:
    return Calendar("UTC", weekdays((("09:00", "17:00"),)))


def test_received_as_the_desk_closes_is_received_after_close() -> None:
    deemed = BusinessDays(1, "next_business_day_if_after_close")
    assert due("2026-03-04 16:59:59.999999", deemed) == "2026-03-05 17:00"
    assert due("2026-03-04 17:00", deemed) == "2026-03-06 17:00"
    assert due("2026-03-04 17:00", BusinessDays(1, "as_received")) == "2026-03-05 17:00"


def test_received_before_opening_is_received_that_day() -> None:
    deemed = BusinessDays(1, "next_business_day_if_after_close")
    assert due("2026-03-04 06:00", deemed) == "2026-03-05 17:00"


def test_received_on_a_weekend_may_be_deemed_received_on_monday() -> None:
    assert due("2026-03-07 10:00", BusinessDays(1, "as_received")) == "2026-03-09 17:00"
    deemed = BusinessDays(1, "next_business_day_if_after_close")
    assert due("2026-03-07 10:00", deemed) == "2026-03-10 17:00"


def test_business_of_a_night_closes_the_next_morning() -> None:
    nights = Calendar("UTC", daily((("20:00", "23:00"), ("22:00", "06:00"))))
    one = BusinessDays(1, "next_business_day_if_after_close")
    assert due("2026-03-04 05:00", one, calendar=nights) == "2026-03-06 06:00"


def test_a_day_that_was_skipped_is_no_business_day_and_ends_with_the_one_before() -> None:
    apia = Calendar("Pacific/Apia", daily((("09:00", "17:00"),)))
    thursday = "2011-12-29 12:00-10:00"
    assert due(thursday, BusinessDays(1, "as_received"), calendar=apia) == "2011-12-31 03:00"
    assert due(thursday, CalendarDays(1), calendar=apia) == "2011-12-30 09:59:59.999999"
    assert due(thursday, CalendarDays(2), calendar=apia) == "2011-12-31 09:59:59.999999"


def test_business_days_are_consumed_in_open_time_and_calendar_days_by_day_and_night() -> None:
    business = clock("2026-03-06 16:00", BusinessDays(1, "as_received"))
    assert business.amount == 9 * HOURS
    assert text(business.warning(8 * HOURS)) == "2026-03-06 17:00:00"
    civil = clock("2026-03-06 16:00", CalendarDays(1))
    assert text(civil.warning(HOURS)) == "2026-03-07 22:59:59.999999"
