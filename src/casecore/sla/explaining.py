"""How a clock came to where it stands: window by window and pause by pause, to check by hand."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from casecore.clocks.clock import Hours
from casecore.clocks.instants import SECOND, instant, micros
from casecore.clocks.openings import Openings, Span
from casecore.clocks.targets import (
    AnyTarget,
    BusinessDays,
    CalendarDays,
    ElapsedTime,
    OpenTime,
    Weeks,
)
from casecore.sla.book import Book
from casecore.sla.cycle import (
    Cycle,
    Leg,
    consumed_by,
    hours_of,
    legs_until,
    optional,
    pauses_of,
    standing,
    view,
)

LINES_MAX = 500
"""Windows and pauses told one by one; what comes after them is summed up."""

What = Literal["started", "changed", "counted", "paused", "summed_up", "stands"]


class Line(msgspec.Struct, frozen=True):
    what: What
    since: datetime
    until: datetime | None
    seconds: int | float
    """How much of it counted."""
    consumed_seconds: int | float
    """How much had counted by its end."""
    text: str


def explain(cycle: Cycle, book: Book, now: datetime | None = None) -> list[Line]:
    """Each stretch of time that counted or did not, in order, until it ended or is due."""
    lines = list(stretches(cycle, book, end_of(cycle, book, now)))
    told = lines[:LINES_MAX]
    if len(lines) > len(told):
        told.append(summed_up(lines[len(told) :]))
    return [*told, standing_line(cycle, book, now)]


def end_of(cycle: Cycle, book: Book, now: datetime | None) -> int:
    seen = view(cycle, book, now)
    if cycle.ended is not None:
        return cycle.ended
    if seen.due_at is not None:
        return micros(seen.due_at)
    return micros(now) if now is not None else cycle.legs[-1].since


def stretches(cycle: Cycle, book: Book, end: int) -> Iterator[Line]:
    begun = cycle.started
    for n, (leg, until) in enumerate(legs_until(cycle, end) or [(cycle.legs[0], begun)]):
        consumed = consumed_by(cycle, book, leg.since)
        yield Line(
            "changed" if n else "started",
            instant(leg.since),
            None,
            0,
            seconds(consumed),
            f"{local(leg.since, leg, book)}: {leg.cause}; {amount(leg, book)}",
        )
        paused = pauses_of(cycle, leg, book)
        pieces: list[tuple[Span, str | None]] = [
            (piece, None)
            for window in windows(hours_of(leg, book), leg.since, until)
            for piece in outside(window, paused)
        ]
        for pause in standing(cycle, leg, book):
            since, stop = max(pause.since, leg.since), min(pause.until, until)
            if since < stop:
                pieces.append(((since, stop), pause.reason))
        for (since, stop), reason in sorted(pieces, key=lambda piece: piece[0]):
            if reason is None:
                consumed += stop - since
            counted = 0 if reason else stop - since
            yield Line(
                "paused" if reason else "counted",
                instant(since),
                instant(stop),
                seconds(counted),
                seconds(consumed),
                f"{local(since, leg, book)} to {local(stop, leg, book)}: "
                + (f"does not count ({reason.replace('_', ' ')})" if reason else length(counted)),
            )


def standing_line(cycle: Cycle, book: Book, now: datetime | None) -> Line:
    seen = view(cycle, book, now)
    leg = cycle.legs[-1]
    told = [f"{seen.state}: {length(seen.consumed_seconds * SECOND)} used"]
    told[0] += f" of {length(seen.target_seconds * SECOND)}"
    if seen.due_at is not None:
        told.append(f"due {local(micros(seen.due_at), leg, book)}")
    if cycle.satisfied is not None:
        told.append(f"satisfied {local(cycle.satisfied, leg, book)} by {cycle.ended_by}")
    if cycle.cancelled is not None:
        told.append(f"cancelled {local(cycle.cancelled, leg, book)} by {cycle.ended_by}")
    breach = cycle.breach
    if breach is not None and cycle.satisfied is not None and cycle.satisfied <= breach.due:
        told.append(
            "that was in time, but recorded only after the breach was found, "
            f"{local(breach.detected, leg, book)}: the result stands until it is taken back"
        )
    elif seen.lateness_seconds is not None:
        told.append(f"late by {length(seen.lateness_seconds * SECOND)}")
    if cycle.proof is not None:
        told.append(
            f"a later record says {local(cycle.proof, leg, book)}: the result stands until it is"
            " taken back"
        )
    until = optional(cycle.ended) or seen.due_at
    return Line("stands", seen.started_at, until, 0, seen.consumed_seconds, "; ".join(told))


def summed_up(lines: list[Line]) -> Line:
    first, last = lines[0], lines[-1]
    counted = sum(line.seconds for line in lines)
    return Line(
        "summed_up",
        first.since,
        last.until,
        counted,
        last.consumed_seconds,
        f"and {len(lines):,} more until {last.until or last.since:%Y-%m-%d %H:%M} UTC",
    )


def windows(hours: Hours, since: int, until: int) -> Iterator[Span]:
    if isinstance(hours, Openings):
        yield from hours.between(since, until)
    elif since < until:
        yield since, until


def outside(window: Span, pauses: list[Span]) -> Iterator[Span]:
    """The parts of a window that lie in no pause; the pauses are in order."""
    since, until = window
    for start, end in pauses:
        if end <= since:
            continue
        if start >= until:
            break
        if start > since:
            yield since, start
        since = max(since, end)
    if since < until:
        yield since, until


def amount(leg: Leg, book: Book) -> str:
    pin = leg.pin
    if leg.due is not None:
        return f"due {local(leg.due, leg, book)}, as it says"
    much = "no target" if leg.target is None else given(leg.target)
    if isinstance(leg.target, BusinessDays):
        much += f" ({leg.target.receipt.replace('_', ' ')})"
    return f"{much}; {pin} ({book.zone(pin)})"


def given(target: AnyTarget) -> str:
    """How much time a target gives, as people say it."""
    match target:
        case OpenTime(seconds=n):
            return f"{length(n * SECOND)} of open time"
        case ElapsedTime(seconds=n):
            return f"{length(n * SECOND)} by day and night"
        case BusinessDays(days=n):
            return f"{n} business days"
        case CalendarDays(days=n):
            return f"{n} calendar days"
        case Weeks(weeks=n):
            return f"{n} weeks"


def local(at: int, leg: Leg, book: Book) -> str:
    """The instant as clocks on the calendar's walls show it."""
    shown = instant(at + book.openings(leg.pin).zone.offset(at))
    if at % SECOND:
        return f"{shown:%a %d %b %Y %H:%M:%S.%f}"
    return f"{shown:%a %d %b %Y %H:%M}" + (f":{shown:%S}" if shown.second else "")


def length(micros: int) -> str:
    """A duration as people say it: 2 h 30 min."""
    whole, rest = divmod(micros, SECOND)
    hours, minutes, left = whole // 3600, whole // 60 % 60, whole % 60
    last = f"{left}.{rest:06}" if rest else str(left)
    parts = [f"{hours:,} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return " ".join(parts + [f"{last} s"] * (last != "0" or not parts))


def seconds(micros: int) -> int | float:
    return micros // SECOND if micros % SECOND == 0 else micros / SECOND
