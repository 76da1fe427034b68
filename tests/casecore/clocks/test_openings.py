"""Windows: where they begin and end, which date they belong to, and how they are remembered."""

from datetime import date

import pytest

from casecore.clocks.calendar import Calendar, Weekly, Windows
from casecore.clocks.instants import DAY
from casecore.clocks.openings import Openings
from casecore.errors import CaseError
from tests.casecore.clocks.given import at, closed, daily, due, text, weekdays

NIGHTS: Windows = (("22:00", "06:00"),)


def opened(calendar: Calendar, since: str, until: str) -> list[tuple[str | None, str | None]]:
    spans = Openings(calendar).between(at(since), at(until))
    return [(text(start), text(end)) for start, end in spans]


def test_a_window_past_midnight_belongs_to_the_date_it_starts_on() -> None:
    calendar = Calendar("UTC", weekdays(NIGHTS), closed("2026-03-05"))
    assert opened(calendar, "2026-03-04 00:00", "2026-03-07 12:00") == [
        ("2026-03-04 00:00:00", "2026-03-04 06:00:00"),
        ("2026-03-04 22:00:00", "2026-03-05 06:00:00"),
        ("2026-03-06 22:00:00", "2026-03-07 06:00:00"),
    ]


def test_between_closing_and_opening_there_is_no_window() -> None:
    calendar = Calendar("UTC", weekdays((("09:00", "17:00"),)))
    assert opened(calendar, "2026-03-04 17:00", "2026-03-05 09:00") == []
    assert opened(calendar, "2026-03-04 12:00", "2026-03-04 12:00") == []


def test_an_exception_replaces_the_windows_of_its_date() -> None:
    saturday: dict[date, Windows] = {date(2026, 3, 7): (("10:00", "12:00"),)}
    calendar = Calendar("UTC", weekdays((("09:00", "17:00"),)), saturday)
    assert opened(calendar, "2026-03-06 12:00", "2026-03-09 10:00") == [
        ("2026-03-06 12:00:00", "2026-03-06 17:00:00"),
        ("2026-03-07 10:00:00", "2026-03-07 12:00:00"),
        ("2026-03-09 09:00:00", "2026-03-09 10:00:00"),
    ]


def test_a_calendar_may_be_open_on_exceptions_alone() -> None:
    fair = Calendar("UTC", Weekly(), {date(2031, 5, 1): (("10:00", "12:00"),)})
    assert due("2026-03-04 09:00", 1, calendar=fair) == "2031-05-01 11:00"
    with pytest.raises(CaseError) as refused:
        due("2026-03-04 09:00", 3, calendar=fair)
    assert refused.value.code == "due-beyond-horizon"


def test_windows_of_neighbouring_days_are_one_where_they_touch() -> None:
    calendar = Calendar("UTC", daily((("12:00", "24:00"), ("00:00", "12:00"))))
    assert opened(calendar, "2026-01-01 00:00", "2026-12-31 00:00") == [
        ("2026-01-01 00:00:00", "2026-12-31 00:00:00")
    ]
    assert opened(
        Calendar("UTC", daily((("09:00", "09:00"),))), "2026-01-01 00:00", "2026-12-31 00:00"
    ) == [("2026-01-01 00:00:00", "2026-12-31 00:00:00")]


@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Pacific/Kiritimati"])
def test_of_a_calendar_that_never_closes_all_time_passes_from_any_hour(zone: str) -> None:
    for window in (("00:00", "24:00"), ("23:59", "23:59")):
        for hour in range(24):
            openings = Openings(Calendar(zone, daily((window,))))
            since = at(f"2026-03-04 {hour:02}:00")
            assert openings.passed(since, since + 150 * DAY) == 150 * DAY


def test_of_an_hour_that_comes_twice_a_window_has_both() -> None:
    calendar = Calendar("Europe/London", daily((("01:15", "01:45"),)))
    assert opened(calendar, "2026-10-25 00:00", "2026-10-25 12:00") == [
        ("2026-10-25 00:15:00", "2026-10-25 01:45:00")
    ]


def test_a_window_within_a_skipped_hour_does_not_open() -> None:
    calendar = Calendar("Europe/London", daily((("01:15", "01:45"),)))
    assert opened(calendar, "2026-03-29 00:00", "2026-03-29 12:00") == []
    with pytest.raises(CaseError) as refused:
        Openings(Calendar("Europe/London", Weekly(), {date(2026, 3, 29): (("01:15", "01:45"),)}))
    assert refused.value.code == "calendar-never-open"


def test_a_window_that_reaches_into_a_skipped_hour_ends_before_it() -> None:
    calendar = Calendar("Europe/London", daily((("00:30", "01:30"), ("01:45", "02:30"))))
    assert opened(calendar, "2026-03-29 00:00", "2026-03-29 12:00") == [
        ("2026-03-29 00:30:00", "2026-03-29 01:30:00")
    ]


def test_a_day_that_was_skipped_does_not_open() -> None:
    calendar = Calendar("Pacific/Apia", weekdays((("09:00", "17:00"),)))
    assert opened(calendar, "2011-12-29 12:00", "2012-01-03 00:00") == [
        ("2011-12-29 19:00:00", "2011-12-30 03:00:00"),
        ("2012-01-01 19:00:00", "2012-01-02 03:00:00"),
        ("2012-01-02 19:00:00", "2012-01-03 00:00:00"),
    ]


def test_what_is_years_away_and_long_ago_comes_from_the_same_calendar() -> None:
    openings = Openings(Calendar("Europe/London", weekdays((("09:00", "17:00"),))))
    week = 5 * 8 * 3600 * 1_000_000
    for monday in ("2026-03-02", "2090-03-06", "1931-03-02"):
        since = at(monday)
        assert openings.passed(since, since + 7 * 86_400 * 1_000_000) == week
    assert openings.passed(at("1990-01-01"), at("1990-01-08")) == week


@pytest.mark.parametrize(
    "time", ["9:00", "24:01", "25:00", "09:60", "0900", "\u0660\u0669:00", "09:00\n"]
)
def test_what_is_no_time_of_day_is_refused(time: str) -> None:
    with pytest.raises(CaseError) as refused:
        Openings(Calendar("UTC", daily(((time, "12:00"),))))
    assert refused.value.code == "invalid-time-of-day"
