"""Clocks: how long a due instant takes, near or far, once its calendar is compiled."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import process_time

from benchmarks.measuring import Compared, Pace, Target
from casecore.clocks.calendar import Calendar, Weekly
from casecore.clocks.instants import DAY, SECOND, micros
from casecore.clocks.openings import Openings, Span
from casecore.clocks.targets import AnyTarget, BusinessDays, OpenTime

HOUR = 3600
STARTED_AT = micros(datetime(2026, 3, 4, 10, 15, tzinfo=UTC))
DAY_SPLIT = (("08:00", "12:00"), ("13:30", "18:00"))
REPEATED = 2_000
MICROS_MAX = Target("at most", 20.0)
PAUSES = [(STARTED_AT + n * DAY, STARTED_AT + n * DAY + 3 * HOUR * SECOND) for n in range(5)]

ASKED: dict[str, tuple[AnyTarget, list[Span]]] = {
    "4 open hours": (OpenTime(4 * HOUR), []),
    "100 open hours, 5 pauses": (OpenTime(100 * HOUR), PAUSES),
    "3 business days": (BusinessDays(3, "next_business_day_if_after_close"), []),
    "50 years of open hours": (OpenTime(110_000 * HOUR), []),
}


def due_instants(pace: Pace) -> list[Compared]:
    openings = Openings(Calendar("Europe/London", Weekly(*[DAY_SPLIT] * 5)))
    compared = []
    for what, (target, pauses) in ASKED.items():
        asked = partial(due, openings, target, pauses)
        asked()
        ours = [micros_each(asked) for _ in range(pace.rounds)]
        compared.append(Compared(f"due instant: {what}", 0, "µs", ours, target=MICROS_MAX))
    return compared


def due(openings: Openings, target: AnyTarget, pauses: list[Span]) -> int | None:
    return target.clock(openings, STARTED_AT, pauses).due


def micros_each(ask: Callable[[], object]) -> float:
    """Processor time, as nothing here waits: other work on the machine is not ours."""
    began = process_time()
    for _ in range(REPEATED):
        ask()
    return (process_time() - began) / REPEATED * 1e6
