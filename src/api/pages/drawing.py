"""A clock drawn against the hours in which its calendar is open, and the same for who cannot see.

Places are in percent of the width: a drawing fits a phone and a sheet of paper alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from api.pages.rendering import begun, words
from casecore.clocks.instants import DAY, SECOND, instant, micros
from casecore.clocks.openings import Span
from casecore.clocks.zones import Zone
from casecore.sla.book import Book
from casecore.sla.cycle import ClockView, Cycle, view
from casecore.sla.explaining import Line, explain
from casecore.sla.reckoning import CaseClocks

MARGIN = 0.03
"""Of the time that is drawn, before it begins and after it ends."""
WINDOWS_MAX = 400
"""Where there are more, they would be narrower than what can be seen: all of it is left blank."""
TICKS_MAX = 6
HOUR = 3600 * SECOND
STEPS = (HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY)
STEPS_MORE = (91 * DAY, 182 * DAY, 364 * DAY, 3_640 * DAY)


class Bar(NamedTuple):
    x: float
    width: float


class Tick(NamedTuple):
    x: float
    label: str


class Drawing(NamedTuple):
    clock: ClockView
    title: str
    zone: str
    opened: list[Bar]
    paused: list[Bar]
    used: list[Bar]
    late: list[Bar]
    """From when it was due until it was answered, or now."""
    due: float | None
    ended: float | None
    now: float | None
    ticks: list[Tick]
    lines: Sequence[Line]
    sentence: str


class Stretch(NamedTuple):
    """The time that is drawn."""

    since: int
    until: int

    def x(self, at: int) -> float:
        part = (at - self.since) / (self.until - self.since)
        return round(100 * min(1.0, max(0.0, part)), 3)

    def bars(self, spans: Iterable[Span]) -> list[Bar]:
        found = [(self.x(since), self.x(until)) for since, until in spans if since < until]
        return [Bar(left, round(right - left, 3)) for left, right in found if left < right]


def drawings(clocks: CaseClocks, book: Book, now: datetime, limit: int) -> list[Drawing]:
    """One for each cycle of each clock, in the order in which they began: the last so many."""
    cycles = sorted(clocks.cycles, key=lambda one: (one.started, one.name, one.cycle))
    return [drawing(cycle, book, now) for cycle in cycles[-limit:]]


def drawing(cycle: Cycle, book: Book, now: datetime) -> Drawing:
    seen = view(cycle, book, now)
    lines = explain(cycle, book, now)
    due = None if seen.due_at is None else micros(seen.due_at)
    at = micros(now) if cycle.ended is None else cycle.ended
    stretch = around(cycle.started, max(at, due or at, cycle.started + HOUR))
    openings = book.openings(cycle.pin)
    windows = list(openings.between(stretch.since, stretch.until))
    return Drawing(
        clock=seen,
        title=title(seen),
        zone=book.zone(cycle.pin),
        opened=stretch.bars(windows if len(windows) <= WINDOWS_MAX else []),
        paused=stretch.bars(spans(lines, "paused", at)),
        used=stretch.bars(spans(lines, "counted", at)),
        late=stretch.bars([(due, at)] if due is not None and seen.state == "breached" else []),
        due=None if due is None else stretch.x(due),
        ended=None if cycle.ended is None else stretch.x(cycle.ended),
        now=stretch.x(at) if cycle.ended is None else None,
        ticks=list(ticks(stretch, openings.zone)),
        lines=lines,
        sentence=begun(lines[-1].text),
    )


def around(since: int, until: int) -> Stretch:
    margin = int((until - since) * MARGIN) + 1
    return Stretch(since - margin, until + margin)


def title(seen: ClockView) -> str:
    of = f" {seen.subject}" if seen.subject else ""
    again = f", cycle {seen.cycle}" if seen.cycle > 1 else ""
    return begun(words(seen.name)) + of + again


def spans(lines: Iterable[Line], what: str, by: int) -> Iterator[Span]:
    for line in lines:
        if line.what == what and line.until is not None:
            yield micros(line.since), min(micros(line.until), by)


def ticks(stretch: Stretch, zone: Zone) -> Iterator[Tick]:
    """Round local times, few enough to be read side by side."""
    length = stretch.until - stretch.since
    step = next((s for s in (*STEPS, *STEPS_MORE) if length / s <= TICKS_MAX), STEPS_MORE[-1])
    local = stretch.since + zone.offset(stretch.since)
    shown = -(-local // step) * step
    while (at := zone.opening(shown)) < stretch.until:
        yield Tick(stretch.x(at), label(shown, step))
        shown += step


def label(local: int, step: int) -> str:
    shown = instant(local)
    if step < DAY:
        return f"{shown:%H:%M}" if local % DAY else f"{shown:%a %-d}"
    return f"{shown:%-d %b}" if step < STEPS_MORE[0] else f"{shown:%b %Y}"
