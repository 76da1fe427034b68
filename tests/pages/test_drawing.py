"""A clock as it is drawn: what is open, what counted, and when it is due, in their places."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.pages.drawing import TICKS_MAX, Drawing, Stretch, drawings, ticks
from casecore.case.events.contact import WaitingEnded, WaitingStarted
from casecore.clocks.instants import DAY, SECOND
from casecore.clocks.zones import zone
from tests.casecore.sla.given import Desk, rule, utc

HOURS = 3_600 * SECOND


def drawn(desk: Desk, now: str) -> Drawing:
    [drawing] = drawings(desk.clocks, desk.book, utc(now), 10)
    return drawing


def desk() -> Desk:
    return Desk.under(rule("resolution", 8)).registered("03-04 10:00")


def test_what_counted_lies_in_open_hours_and_ends_now() -> None:
    seen = drawn(desk(), "03-04 12:00")
    assert (seen.title, seen.clock.state) == ("Resolution", "running")
    [used] = seen.used
    assert any(
        bar.x <= used.x and used.x + used.width <= bar.x + bar.width + 0.01 for bar in seen.opened
    )
    assert seen.now == pytest.approx(used.x + used.width, abs=0.01)
    assert seen.due is not None
    assert seen.due > seen.now
    assert (seen.late, seen.ended) == ([], None)
    assert seen.sentence.startswith("Running: 2 h used of 8 h")


def test_a_pause_is_drawn_where_nothing_counts() -> None:
    told = desk().tell("03-04 11:00", WaitingStarted("customer", "The receipt", None))
    seen = drawn(
        told.tell("03-04 12:00", WaitingEnded("customer", "It came", utc("03-04 12:00"))),
        "03-04 13:00",
    )
    [pause] = seen.paused
    before, after = seen.used
    assert before.x + before.width == pytest.approx(pause.x, abs=0.01)
    assert pause.x + pause.width == pytest.approx(after.x, abs=0.01)


def test_what_is_overdue_is_drawn_from_then_on() -> None:
    seen = drawn(desk(), "03-06 12:00")
    [late] = seen.late
    assert late.x == seen.due
    assert seen.clock.state == "breached"


@settings(max_examples=200, deadline=None)
@given(
    since=st.integers(0, 60 * 365 * DAY),
    length=st.integers(HOURS, 40 * 365 * DAY),
    name=st.sampled_from(["UTC", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_marks_are_few_and_in_order(since: int, length: int, name: str) -> None:
    stretch = Stretch(since, since + length)
    places = [tick.x for tick in ticks(stretch, zone(name))]
    assert len(places) <= TICKS_MAX + 1
    assert places == sorted(places)
    assert all(0 <= x <= 100 for x in places)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000))))
def test_nothing_is_drawn_outside(spans: list[tuple[int, int]]) -> None:
    for bar in Stretch(100, 900).bars(spans):
        assert bar.x >= 0
        assert bar.width > 0
        assert bar.x + bar.width <= 100.001
