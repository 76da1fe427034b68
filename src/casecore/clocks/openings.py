"""When a calendar is open: its windows as instants, compiled once, looked up by bisection."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date
from itertools import accumulate
from typing import NamedTuple, Self

import msgspec
from msgspec.structs import astuple

from casecore.clocks.calendar import Calendar, TimeOfDay, Windows
from casecore.clocks.instants import DAY, MINUTE, YEARS
from casecore.clocks.zones import zone
from casecore.errors import Malformed, Rejected

TIME_OF_DAY = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
EPOCH_WEEKDAY = date(1970, 1, 1).weekday()

BEFORE = 3
AFTER = 1
"""How many dates around an instant may have windows that touch it: a window lasts two days at
most, and a local date begins and ends less than a day from the same date in UTC."""
COMPILED_MIN = 64
"""Dates that are compiled at a time, at least."""

Span = tuple[int, int]
"""From, until: half-open (R1)."""


class BusinessDay(NamedTuple):
    """A local date with open time, in days since 1970, and when the last of its windows closes."""

    day: int
    close: int


class Compiled(msgspec.Struct, frozen=True):
    """The windows of the dates from `first` until `last`, in order, merged where they touch."""

    first: int
    last: int
    starts: list[int]
    ends: list[int]
    passed: list[int]
    """The open time before each window, since the first of them."""
    business_days: list[int]
    closes: list[int]
    since: int
    until: int
    """Between these no window of any other date is open."""

    @classmethod
    def of(
        cls,
        first: int,
        last: int,
        windows: list[Span],
        business_days: list[int],
        closes: list[int],
    ) -> Self:
        union = merged(windows)
        return cls(
            first,
            last,
            starts=[start for start, _ in union],
            ends=[end for _, end in union],
            passed=list(accumulate((end - start for start, end in union), initial=0)),
            business_days=business_days,
            closes=closes,
            since=(first + BEFORE) * DAY,
            until=(last - AFTER) * DAY,
        )

    def followed_by(self, later: "Compiled") -> "Compiled":
        return Compiled.of(
            self.first,
            later.last,
            [*self.windows(), *later.windows()],
            self.business_days + later.business_days,
            self.closes + later.closes,
        )

    def windows(self) -> Iterator[Span]:
        return zip(self.starts, self.ends, strict=True)

    def covers(self, since: int, until: int) -> bool:
        return self.since <= since and until <= self.until

    def open_before(self, at: int) -> int:
        n = bisect_right(self.starts, at) - 1
        return self.passed[n] + min(at, self.ends[n]) - self.starts[n] if n >= 0 else 0

    def when(self, passed: int) -> int:
        """The least instant with so much open time before it: closing time, not opening (R3)."""
        n = bisect_left(self.passed, passed) - 1
        return self.starts[n] + passed - self.passed[n]

    def business_day(self, nth: int, after: int) -> BusinessDay | None:
        n = bisect_right(self.business_days, after) + nth - 1
        if n < len(self.business_days):
            return BusinessDay(self.business_days[n], self.closes[n])
        return None


class Openings:
    """A calendar's open time. It compiles the dates it is asked about, and remembers them."""

    def __init__(self, calendar: Calendar) -> None:
        self.zone = zone(calendar.zone)
        self._weekly = [spans(windows) for windows in astuple(calendar.weekly)]
        self._exceptions = {day_of(on): spans(w) for on, w in calendar.exceptions.items()}
        self._compiled = Compiled.of(0, 0, [], [], [])
        if not any(self._weekly) and not any(map(self._opens_on, self._exceptions)):
            raise Rejected(
                "calendar-never-open",
                "the calendar has no window in which it is open: give it one, such as"
                ' {"mon": [["09:00", "17:00"]]} in weekly',
                field="calendar",
            )

    def passed(self, since: int, until: int) -> int:
        """The open time between two instants."""
        compiled = self._covering(since, until)
        return compiled.open_before(until) - compiled.open_before(since)

    def when(self, since: int, passed: int, by: int) -> int | None:
        """The least instant with so much open time since then, if that is no later than `by`."""
        for compiled in self._growing(since, by):
            before = compiled.open_before(since) + passed
            if before <= compiled.open_before(compiled.until):
                at = compiled.when(before)
                return at if at <= by else None
        return None

    def between(self, since: int, until: int) -> Iterator[Span]:
        """The windows, or parts of windows, between two instants."""
        compiled = self._covering(since, until)
        for n in range(bisect_right(compiled.ends, since), bisect_left(compiled.starts, until)):
            start, end = max(since, compiled.starts[n]), min(until, compiled.ends[n])
            if start < end:
                yield start, end

    def business_day(self, nth: int, after: int, by: int) -> BusinessDay | None:
        """The n-th business day after a local date, if it closes no later than `by`."""
        for compiled in self._growing(after * DAY, by):
            found = compiled.business_day(nth, after)
            if found is not None:
                return found if found.close <= by else None
        return None

    def _growing(self, since: int, by: int) -> Iterator[Compiled]:
        """What is compiled already, then twice as much, and again, as far as need be."""
        until = since + DAY
        while until < by:
            yield self._covering(since, until)
            until += until - since
        yield self._covering(since, by)

    def _covering(self, since: int, until: int) -> Compiled:
        compiled = self._compiled
        if not compiled.covers(since, until):
            first, last = since // DAY - BEFORE, -(-until // DAY) + AFTER
            if compiled.first == compiled.last:
                compiled = self._compile(first, first + COMPILED_MIN)
            if first < compiled.first:
                first = min(first, compiled.first - COMPILED_MIN)
                compiled = self._compile(first, compiled.first).followed_by(compiled)
            if last > compiled.last:
                last = max(last, compiled.last + COMPILED_MIN)
                compiled = compiled.followed_by(self._compile(compiled.last, last))
            self._compiled = compiled
        return compiled

    def _compile(self, first: int, last: int) -> Compiled:
        zone = self.zone
        offsets = [zone.offset(day * DAY) for day in range(first - 1, last + 3)]
        windows: list[Span] = []
        business_days, closes = [], []
        for n, day in enumerate(range(first, last)):
            midnight = day * DAY
            # All instants that a date's windows may touch lie between these two.
            changeless = offsets[n] == offsets[n + 4]
            close = None
            for since, until in self._windows(day):
                if changeless:
                    start = midnight + since - offsets[n]
                    end = midnight + until - offsets[n]
                else:
                    start = zone.opening(midnight + since)
                    end = zone.closing(midnight + until)
                if start < end:
                    windows.append((start, end))
                    close = end if close is None else max(close, end)
            if close is not None:
                business_days.append(day)
                closes.append(close)
        return Compiled.of(first, last, windows, business_days, closes)

    def _windows(self, day: int) -> list[Span]:
        exception = self._exceptions.get(day)
        return self._weekly[(day + EPOCH_WEEKDAY) % 7] if exception is None else exception

    def _opens_on(self, day: int) -> bool:
        return bool(self._compile(day, day + 1).starts)


def merged(spans: list[Span]) -> list[Span]:
    """The same time, in order, and each instant of it once."""
    union: list[Span] = []
    for since, until in sorted(spans):
        if union and since <= union[-1][1]:
            if until > union[-1][1]:
                union[-1] = (union[-1][0], until)
        elif since < until:
            union.append((since, until))
    return union


def spans(windows: Windows) -> list[Span]:
    """Windows as microseconds after the midnight that their date begins with."""
    found = []
    for window in windows:
        start, end = map(since_midnight, window)
        found.append((start, end if end > start else end + DAY))
    return found


def since_midnight(time: TimeOfDay) -> int:
    if not TIME_OF_DAY.fullmatch(time):
        raise Malformed(
            "invalid-time-of-day",
            f"{time!r} is no time of day: write hours and minutes, from 00:00 to 24:00",
            field="calendar",
        )
    return (int(time[:2]) * 60 + int(time[3:])) * MINUTE


def day_of(on: date) -> int:
    if on.year not in YEARS:
        raise Rejected(
            "time-out-of-range",
            f"exceptions must lie between {YEARS.start} and {YEARS.stop}, and {on} does not",
            field="exceptions",
        )
    return on.toordinal() - EPOCH_ORDINAL
