"""The engine beside two slow models, and the laws that every clock obeys."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from casecore.clocks.calendar import Calendar, Weekly
from casecore.clocks.clock import Clock, RoundTheClock
from casecore.clocks.openings import Openings, merged
from casecore.clocks.targets import BusinessDays, CalendarDays, Receipt
from tests.casecore.clocks.anything import Drawn, clocks
from tests.casecore.clocks.slow import DAY, EPOCH, MINUTE, Edges, Minutes, windows_on

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
some = settings(many, max_examples=50)
few = settings(many, max_examples=30)

MODELLED = 9 * DAY
instants = st.lists(st.integers(-DAY, MODELLED), min_size=2, max_size=6)


def clock(drawn: Drawn) -> Clock:
    return Clock(Openings(drawn.calendar), drawn.started_at, drawn.amount, merged(drawn.pauses))


@few
@given(clocks(unit=MINUTE), instants)
def test_stepping_from_minute_to_minute_finds_the_same(drawn: Drawn, offsets: list[int]) -> None:
    start = drawn.started_at // MINUTE
    slow = Minutes(drawn.calendar, start - 6 * 1440, start + (MODELLED + 5 * DAY) // MINUTE)
    pauses = [(since // MINUTE, until // MINUTE) for since, until in drawn.pauses]
    tried = clock(drawn)
    for offset in offsets:
        now = start + offset // MINUTE
        assert tried.consumed(now * MINUTE) == slow.consumed(start, now, pauses) * MINUTE
    expected = slow.due(start, drawn.amount // MINUTE, pauses)
    check_due(tried, None if expected is None else expected * MINUTE)


@many
@given(clocks(), instants)
def test_laying_all_edges_side_by_side_finds_the_same(drawn: Drawn, offsets: list[int]) -> None:
    start = drawn.started_at
    slow = edges(drawn)
    for hours, always in ((Openings(drawn.calendar), False), (RoundTheClock(), True)):
        tried = Clock(hours, start, drawn.amount, merged(drawn.pauses))
        for offset in offsets:
            expected = slow.consumed(start, start + offset, drawn.pauses, always)
            assert tried.consumed(start + offset) == expected
        check_due(tried, slow.due(start, start + MODELLED, drawn.amount, drawn.pauses, always))


@many
@given(clocks(), st.integers(1, 5), st.booleans())
def test_counting_dates_one_by_one_finds_the_same(drawn: Drawn, days: int, deemed: bool) -> None:
    slow = edges(drawn, weeks=9)
    openings = Openings(drawn.calendar)
    receipt: Receipt = "next_business_day_if_after_close" if deemed else "as_received"
    until = BusinessDays(days, receipt).clock(openings, drawn.started_at, drawn.pauses)
    assert until.due == slow.business_due(drawn.started_at, days, deemed)
    civil = CalendarDays(days).clock(openings, drawn.started_at, drawn.pauses)
    assert civil.due == slow.last_of(slow.date_at(drawn.started_at) + timedelta(days))


def edges(drawn: Drawn, weeks: int = 2) -> Edges:
    today = EPOCH + timedelta(days=drawn.started_at // DAY)
    return Edges(drawn.calendar, today - timedelta(6), today + timedelta(weeks=weeks))


def check_due(tried: Clock, expected: int | None) -> None:
    due = tried.due
    assert due is not None
    if expected is not None:
        assert due == expected
    else:
        assert due > tried.started_at + MODELLED - DAY


@some
@given(clocks(), instants)
def test_what_is_consumed_never_grows_less(drawn: Drawn, offsets: list[int]) -> None:
    tried = clock(drawn)
    consumed = [tried.consumed(drawn.started_at + offset) for offset in sorted(offsets)]
    assert consumed == sorted(consumed)
    assert consumed[0] >= 0


@some
@given(clocks())
def test_due_is_the_least_instant_at_which_the_target_is_consumed(drawn: Drawn) -> None:
    tried = clock(drawn)
    due = tried.due
    assert due is not None
    assert tried.consumed(due) == drawn.amount
    assert tried.consumed(due - 1) == drawn.amount - 1
    assert (tried.remaining(due), tried.remaining(due - 1), tried.remaining(due + DAY)) == (0, 1, 0)


@some
@given(clocks(), st.integers(1, 5 * DAY))
def test_a_warning_is_the_least_instant_at_which_so_much_is_left(drawn: Drawn, left: int) -> None:
    tried = clock(drawn)
    warning = tried.warning(left)
    if left > drawn.amount:
        assert warning is None
        return
    assert warning is not None
    assert tried.remaining(warning) == left
    if left == drawn.amount:
        assert tried.remaining(warning + 1) == left - 1
    else:
        assert tried.remaining(warning - 1) == left + 1
    assert tried.warning(0) == tried.due


@some
@given(clocks(), st.integers(0, 10**9))
def test_splitting_repeating_and_shuffling_pauses_changes_nothing(drawn: Drawn, at: int) -> None:
    pieces = []
    for since, until in drawn.pauses:
        middle = since + at % (until - since + 1)
        pieces += [(middle, until), (since, middle), (since, until)]
    assert same(drawn, drawn._replace(pauses=pieces))


@some
@given(clocks())
def test_pausing_what_is_closed_changes_nothing(drawn: Drawn) -> None:
    since, until = drawn.started_at - DAY, drawn.started_at + MODELLED
    closed = []
    for start, end in Openings(drawn.calendar).between(since, until):
        closed.append((since, start))
        since = end
    closed.append((since, until) if since < until else (until, until))
    assert same(drawn, drawn._replace(pauses=drawn.pauses + closed))


@some
@given(clocks(), st.integers(1, DAY))
def test_adding_an_open_pause_before_it_is_due_moves_it_by_what_was_open(
    drawn: Drawn, length: int
) -> None:
    before = clock(drawn)
    due = before.due
    assert due is not None
    pause = (drawn.started_at, min(due, drawn.started_at + length))
    after = clock(drawn._replace(pauses=[*drawn.pauses, pause]))
    later = after.due
    assert later is not None
    assert before.consumed(later) - before.consumed(due) == before.consumed(pause[1])


@some
@given(clocks(), st.integers(1, 1439))
def test_windows_that_touch_or_overlap_are_one(drawn: Drawn, minute: int) -> None:
    def cut(start: str, end: str) -> list[tuple[str, str]]:
        middle = f"{minute // 60:02}:{minute % 60:02}"
        return (
            [(middle, end), (start, middle), (start, end)]
            if start < middle < end
            else [(start, end)]
        )

    week = {
        day: tuple(
            piece for window in getattr(drawn.calendar.weekly, day) for piece in cut(*window)
        )
        for day in Weekly.__struct_fields__
    }
    assert same(drawn, drawn._replace(calendar=replace(drawn.calendar, weekly=Weekly(**week))))


@some
@given(clocks())
def test_an_exception_that_repeats_its_weekday_changes_nothing(drawn: Drawn) -> None:
    today = EPOCH + timedelta(days=drawn.started_at // DAY)
    repeated = {
        on: windows_on(drawn.calendar, on)
        for on in (today + timedelta(days=n) for n in range(-4, 12))
    }
    calendar = Calendar(
        drawn.calendar.zone, drawn.calendar.weekly, drawn.calendar.exceptions | repeated
    )
    assert same(drawn, drawn._replace(calendar=calendar))


@some
@given(clocks(), instants)
def test_what_was_compiled_before_changes_no_answer(drawn: Drawn, offsets: list[int]) -> None:
    asked = Openings(drawn.calendar)
    for offset in offsets:
        asked.passed(drawn.started_at + 40 * offset, drawn.started_at + 40 * offset + DAY)
        tried = Clock(asked, drawn.started_at, drawn.amount, merged(drawn.pauses))
        assert tried.due == clock(drawn).due
        assert tried.consumed(tried.due or 0) == drawn.amount


def same(one: Drawn, other: Drawn) -> bool:
    a, b = clock(one), clock(other)
    at = one.started_at + MODELLED
    return (a.due, a.consumed(at)) == (b.due, b.consumed(at))
