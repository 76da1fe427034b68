"""Local time in every zone there is, across every change of its clocks."""

from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from itertools import pairwise

import pytest

from casecore.clocks.instants import DAY, SECOND, micros
from casecore.clocks.zones import Zone, names, zone
from casecore.errors import Rejected
from tests.casecore.clocks import tzif

FOUR_DAYS = 4 * 86_400
RULES_KNOWN = int(datetime(2040, 1, 1, tzinfo=UTC).timestamp())
"""Later changes follow the same rules, year after year."""


@cache
def zones() -> list[str]:
    """One name of each zone: many are only other names."""
    data = files("tzdata").joinpath("zoneinfo")
    return list({data.joinpath(name).read_bytes(): name for name in sorted(names())}.values())


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text))


def local(text: str) -> int:
    return micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def end_of(zone_name: str, on: str) -> int:
    return zone(zone_name).end_of(day(on))


def test_no_zone_changes_its_offset_twice_within_four_days_nor_by_a_day_or_more() -> None:
    assert len(zones()) > 300
    for name in zones():
        for (earlier, before), (later, after) in pairwise(tzif.offsets(name)):
            assert later - earlier >= FOUR_DAYS, name
            assert abs(after - before) <= 86_400, name
            assert max(abs(before), abs(after)) < 86_400, name


def test_every_change_of_every_zone_is_known_to_the_microsecond() -> None:
    for name in zones():
        tried = zone(name)
        for (_, before), (change, after) in pairwise(tzif.offsets(name)):
            assert tried.offset(change * SECOND - 1) == before * SECOND, name
            assert tried.offset(change * SECOND) == after * SECOND, name


def test_what_is_skipped_has_no_reading_and_what_is_repeated_has_two() -> None:
    for name in zones():
        tried = zone(name)
        for (_, before), (change, after) in pairwise(tzif.offsets(name)):
            if change > RULES_KNOWN:
                break
            check(tried, change * SECOND, before * SECOND, after * SECOND)


def check(tried: Zone, change: int, before: int, after: int) -> None:
    lower, upper = sorted((change + before, change + after))
    middle = (lower + upper) // 2
    for inside in (lower, middle, upper - 1):
        assert tried.readings(inside) == (
            [] if before < after else [inside - before, inside - after]
        )
    skipped = before < after
    assert tried.opening(lower) == (change if skipped else lower - before)
    assert tried.closing(upper - 1) == (change if skipped else upper - 1 - after)
    assert tried.readings(lower - 1) == [lower - 1 - before]
    assert tried.readings(upper) == [upper - after]


def test_a_reading_on_the_first_instant_of_1970_is_one() -> None:
    utc = zone("UTC")
    assert (utc.readings(0), utc.opening(0), utc.closing(0), utc.end_of(-1)) == ([0], 0, 0, -1)


def test_half_an_hour_is_repeated_on_lord_howe() -> None:
    first, second = zone("Australia/Lord_Howe").readings(local("2026-04-05T01:45:00"))
    assert second - first == 30 * 60 * SECOND


def test_a_callback_at_half_past_two_in_new_york_may_not_exist_and_in_london_be_ambiguous() -> None:
    assert zone("America/New_York").readings(local("2026-03-08T02:30:00")) == []
    assert zone("Europe/London").readings(local("2026-10-25T01:30:00")) == [
        at("2026-10-25T00:30:00Z"),
        at("2026-10-25T01:30:00Z"),
    ]


def test_a_date_ends_with_its_last_microsecond_whatever_the_clocks_do_at_midnight() -> None:
    assert end_of("Europe/London", "2026-05-28") == at("2026-05-28T22:59:59.999999Z")
    # The last hour before midnight comes twice.
    assert end_of("America/Sao_Paulo", "2018-02-17") == at("2018-02-18T02:59:59.999999Z")
    # The first hour after midnight comes twice: that is the next date already.
    assert end_of("America/Havana", "2026-10-31") == at("2026-11-01T03:59:59.999999Z")
    # The first hour after midnight is skipped.
    assert end_of("America/Sao_Paulo", "2018-11-03") == at("2018-11-04T02:59:59.999999Z")


def test_a_date_that_was_skipped_ended_with_the_one_before_it() -> None:
    assert end_of("Pacific/Apia", "2011-12-30") == at("2011-12-30T09:59:59.999999Z")
    assert end_of("Pacific/Apia", "2011-12-29") == at("2011-12-30T09:59:59.999999Z")
    assert zone("Pacific/Apia").date(at("2011-12-30T10:00:00Z")) == day("2011-12-31")


def test_offsets_of_local_mean_time_have_seconds() -> None:
    assert zone("Europe/Amsterdam").offset(at("1850-01-01T00:00:00Z")) % (60 * SECOND) != 0


@pytest.mark.parametrize("name", ["Mars/Olympus", "europe/london", "", "../zones", "zone.tab", "."])
def test_a_zone_that_is_not_in_the_data_is_refused(name: str) -> None:
    with pytest.raises(Rejected) as refused:
        zone(name)
    assert refused.value.code == "unknown-zone"


def test_every_zone_in_the_data_can_be_had() -> None:
    for name in names():
        assert abs(zone(name).offset(0)) < DAY
