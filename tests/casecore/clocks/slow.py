"""Two slow models of the same rules, which share no code with the engine.

`Minutes` steps from minute to minute, as a person with a wall clock and a tally would. `Edges` is
exact to the microsecond, in every year: it lays all edges side by side and looks at each piece.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

from casecore.clocks.calendar import Calendar, Windows
from tests.casecore.clocks import tzif

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 1440 * MINUTE
EPOCH = date(1970, 1, 1)
NEVER = 1 << 61


def minutes(window: tuple[str, str]) -> tuple[int, int]:
    start, end = (int(hour) * 60 + int(minute) for hour, minute in (t.split(":") for t in window))
    return start, end + 1440 if end <= start else end


def windows_on(calendar: Calendar, on: date) -> Windows:
    if on in calendar.exceptions:
        return calendar.exceptions[on]
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    windows: Windows = getattr(calendar.weekly, days[on.weekday()])
    return windows


class Minutes:
    """Minute by minute between two instants, given in minutes since 1970 as all else here is."""

    def __init__(self, calendar: Calendar, since: int, until: int) -> None:
        self.since = since
        changes = tzif.offsets(calendar.zone)
        starts = [start for start, _ in changes]
        self.local = []
        for now in range(since, until):
            offset = changes[bisect_right(starts, now * 60) - 1][1]
            assert offset % 60 == 0
            self.local.append(now + offset // 60)
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for n, shown in enumerate(self.local):
            first.setdefault(shown, n)
            last[shown] = n
        self.open = bytearray(until - since)
        for day in range(self.local[0] // 1440 + 1, self.local[-1] // 1440 - 2):
            for window in windows_on(calendar, EPOCH + timedelta(day)):
                start, end = (day * 1440 + minute for minute in minutes(window))
                opens = first[start] if start in first else self.skipped(start)
                closes = last[end] if end in last else self.skipped(end)
                for n in range(opens, closes):
                    self.open[n] = True

    def skipped(self, local: int) -> int:
        for n, (before, after) in enumerate(pairwise(self.local)):
            if before < local < after:
                return n + 1
        raise AssertionError("neither shown nor skipped")

    def runs(self, now: int, pauses: list[tuple[int, int]]) -> bool:
        return bool(self.open[now - self.since]) and not any(a <= now < b for a, b in pauses)

    def consumed(self, since: int, until: int, pauses: list[tuple[int, int]]) -> int:
        return sum(self.runs(now, pauses) for now in range(since, until))

    def due(self, since: int, target: int, pauses: list[tuple[int, int]]) -> int | None:
        consumed = 0
        for now in range(since, self.since + len(self.open)):
            if consumed == target:
                return now
            consumed += self.runs(now, pauses)
        return None


class Edges:
    """A calendar's windows around some dates, exactly, in microseconds."""

    def __init__(self, calendar: Calendar, first: date, last: date) -> None:
        changes = [(start * SECOND, ahead * SECOND) for start, ahead in tzif.offsets(calendar.zone)]
        ends = [start for start, _ in changes[1:]] + [NEVER]
        self.offsets = [
            (since, until, ahead) for (since, ahead), until in zip(changes, ends, strict=True)
        ]
        self.windows: dict[date, list[tuple[int, int]]] = {}
        for number in range((last - first).days + 1):
            on = first + timedelta(number)
            midnight = (on - EPOCH).days * DAY
            self.windows[on] = [
                (opens, closes)
                for start, end in map(minutes, windows_on(calendar, on))
                if (opens := self.edges(midnight + start * MINUTE)[0])
                < (closes := self.edges(midnight + end * MINUTE)[-1])
            ]

    def edges(self, local: int) -> list[int]:
        """When it was that time; if it never was, the first instant after."""
        shown = [local - a for since, until, a in self.offsets if since <= local - a < until]
        return shown or [
            change
            for (_, change, before), (_, _, after) in pairwise(self.offsets)
            if change + before <= local < change + after
        ]

    def local(self, at: int) -> int:
        return next(at + ahead for since, until, ahead in self.offsets if since <= at < until)

    def date_at(self, at: int) -> date:
        return EPOCH + timedelta(days=self.local(at) // DAY)

    def last_of(self, on: date) -> int:
        """The last instant whose local date is that one, or one before it."""
        after = ((on - EPOCH).days + 1) * DAY
        same = [
            min(until, after - ahead) - 1
            for since, until, ahead in self.offsets
            if max(since + ahead, after - DAY) < min(until + ahead, after)
        ]
        return max(same) if same else self.edges(after - 1)[0] - 1

    def pieces(
        self, since: int, until: int, pauses: list[tuple[int, int]], always: bool = False
    ) -> Iterator[tuple[int, int]]:
        """The time that counts, piece by piece."""
        spans = [(since, until)] if always else [w for on in self.windows.values() for w in on]
        edges = {
            since,
            until,
            *(e for span in spans for e in span),
            *(e for p in pauses for e in p),
        }
        for a, b in pairwise(sorted(edge for edge in edges if since <= edge <= until)):
            counts = any(start <= a < end for start, end in spans)
            if counts and not any(start <= a < end for start, end in pauses):
                yield a, b

    def consumed(
        self, since: int, until: int, pauses: list[tuple[int, int]], always: bool = False
    ) -> int:
        return sum(b - a for a, b in self.pieces(since, until, pauses, always))

    def due(
        self,
        since: int,
        until: int,
        target: int,
        pauses: list[tuple[int, int]],
        always: bool = False,
    ) -> int | None:
        """None when it is not before `until`."""
        for a, b in self.pieces(since, until, pauses, always):
            if b - a >= target:
                return a + target
            target -= b - a
        return None

    def business_due(self, received: int, days: int, deemed: bool) -> int:
        open_dates = {on: windows for on, windows in self.windows.items() if windows}
        on = self.date_at(received)
        if deemed:
            closed = on in open_dates and received >= max(close for _, close in open_dates[on])
            while closed or on not in open_dates:
                on, closed = on + timedelta(1), False
        while days:
            on += timedelta(1)
            days -= on in open_dates
        return max(close for _, close in open_dates[on])
