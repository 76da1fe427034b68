"""Calendars, instants and clocks, said shortly."""

from datetime import UTC, date, datetime, timedelta

from casecore.clocks.calendar import Calendar, Weekly, Windows
from casecore.clocks.clock import FOREVER, Clock
from casecore.clocks.instants import instant, micros
from casecore.clocks.openings import Openings, Span
from casecore.clocks.targets import AnyTarget, OpenTime

HOUR = 3600
NINE_TO_FIVE: Windows = (("09:00", "17:00"),)


def weekdays(windows: Windows) -> Weekly:
    return Weekly(mon=windows, tue=windows, wed=windows, thu=windows, fri=windows)


def daily(windows: Windows) -> Weekly:
    return Weekly(*[windows] * 7)


def closed(*dates: str) -> dict[date, Windows]:
    return {date.fromisoformat(on): () for on in dates}


BANK_HOLIDAYS = ("2026-04-03", "2026-04-06", "2026-05-04", "2026-05-25", "2026-08-31")
LONDON = Calendar(
    "Europe/London", weekdays(NINE_TO_FIVE), closed(*BANK_HOLIDAYS, "2026-12-25", "2026-12-28")
)


def at(text: str) -> int:
    """An instant, in UTC unless it says otherwise."""
    then = datetime.fromisoformat(text)
    return micros(then if then.tzinfo else then.replace(tzinfo=UTC))


def day(on: date) -> int:
    return (on - date(1970, 1, 1)).days


def text(at: int | None) -> str | None:
    return None if at is None else instant(at).replace(tzinfo=None).isoformat(" ", "auto")


def clock(
    started_at: str,
    target: AnyTarget | int,
    *pauses: tuple[str, str | None],
    calendar: Calendar = LONDON,
) -> Clock:
    """An int is hours of open time."""
    spans: list[Span] = [(at(a), FOREVER if b is None else at(b)) for a, b in pauses]
    target = OpenTime(target * HOUR) if isinstance(target, int) else target
    return target.clock(Openings(calendar), at(started_at), spans)


def due(
    started_at: str,
    target: AnyTarget | int,
    *pauses: tuple[str, str | None],
    calendar: Calendar = LONDON,
) -> str | None:
    found = text(clock(started_at, target, *pauses, calendar=calendar).due)
    return found.removesuffix(":00") if found else None


def every_day(first: str, last: str) -> list[str]:
    since, until = date.fromisoformat(first), date.fromisoformat(last)
    return [str(since + timedelta(n)) for n in range((until - since).days + 1)]
