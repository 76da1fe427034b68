"""How a desk stands with its targets: what was met, what was breached, what can still be saved."""

from collections import Counter
from datetime import datetime
from heapq import nsmallest
from operator import attrgetter
from typing import get_args
from uuid import UUID

import msgspec

from casecore.sla.book import Book
from casecore.sla.cycle import ClockView, Cycle, view
from casecore.sla.events import TargetKind
from casecore.sla.reckoning import CaseClocks, awaited

URGENT_MAX = 10
KINDS = get_args(TargetKind)


class Line(msgspec.Struct, frozen=True):
    """The cycles of one target, in one queue or in all of them."""

    queue: str | None
    name: str
    kind: TargetKind
    met: int
    breached: int
    overdue: int
    """Of the breached: those that somebody still waits on."""
    running: int
    at_risk: int
    """Of the running: those that were warned of, or have come to their warning."""
    paused: int
    cancelled: int
    answered: int
    """Of the met and breached: those that something satisfied, in time or not."""
    share_met: float | None
    """Of what is decided; null when nothing is."""
    late_median_seconds: int | None
    """How late the breached were answered, or are by now if somebody still waits."""
    late_p90_seconds: int | None


class Urgent(msgspec.Struct, frozen=True):
    case_id: UUID
    case_ref: str
    queue: str | None
    name: str
    subject: str | None
    due_at: datetime
    at_risk: bool


class Tally:
    """Counts the cycles of one target as they come."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.overdue = 0
        self.at_risk = 0
        self.answered = 0
        self.late: list[int] = []

    def line(self, queue: str | None, name: str, kind: TargetKind) -> Line:
        met, breached = self.states["met"], self.states["breached"]
        late = sorted(self.late)
        return Line(
            queue=queue,
            name=name,
            kind=kind,
            met=met,
            breached=breached,
            overdue=self.overdue,
            running=self.states["running"],
            at_risk=self.at_risk,
            paused=self.states["paused"],
            cancelled=self.states["cancelled"],
            answered=self.answered,
            share_met=met / (met + breached) if met + breached else None,
            late_median_seconds=ranked(late, 50),
            late_p90_seconds=ranked(late, 90),
        )


class Report:
    """Of the cases it is told of; of one queue, if it is named."""

    def __init__(self, now: datetime, queue: str | None = None) -> None:
        self.now = now
        self.queue = queue
        self.cases = 0
        self.due_next: list[Urgent] = []
        """What can still be met, and is due soonest."""
        self.longest_overdue: list[Urgent] = []
        self._tallies: dict[tuple[str | None, str, TargetKind], Tally] = {}

    def add(self, case_ref: str, clocks: CaseClocks, book: Book) -> None:
        queue = clocks.attributes.queue
        if self.queue not in (None, queue):
            return
        self.cases += 1
        due: list[Urgent] = []
        overdue: list[Urgent] = []
        for cycle in clocks.cycles:
            seen = view(cycle, book, self.now)
            waiting = awaited(clocks, cycle, book)
            risky = seen.state == "running" and at_risk(cycle, seen, self.now)
            for where in {queue, None}:
                key = (where, cycle.name, cycle.kind)
                tally = self._tallies.get(key)
                if tally is None:
                    tally = self._tallies[key] = Tally()
                tally.states[seen.state] += 1
                tally.at_risk += risky
                tally.overdue += waiting and seen.state == "breached"
                tally.answered += cycle.satisfied is not None
                if seen.lateness_seconds is not None and (waiting or cycle.ended is not None):
                    tally.late.append(seen.lateness_seconds)
            if waiting and seen.due_at is not None:
                urgent = Urgent(
                    clocks.case_id,
                    case_ref,
                    queue,
                    cycle.name,
                    cycle.subject,
                    seen.due_at,
                    risky,
                )
                (overdue if seen.state == "breached" else due).append(urgent)
        self.due_next = most_urgent(self.due_next, due)
        self.longest_overdue = most_urgent(self.longest_overdue, overdue)

    def by_target(self) -> list[Line]:
        return self._lines(all_queues=True)

    def by_queue(self) -> list[Line]:
        """Those with the most to worry about first."""
        lines = self._lines(all_queues=False)
        worries: Counter[str | None] = Counter()
        breached: Counter[str | None] = Counter()
        for line in lines:
            worries[line.queue] += line.overdue + line.at_risk
            breached[line.queue] += line.breached
        return sorted(
            lines,
            key=lambda line: (-worries[line.queue], -breached[line.queue], line.queue or ""),
        )

    def _lines(self, *, all_queues: bool) -> list[Line]:
        lines = [
            tally.line(queue, name, kind)
            for (queue, name, kind), tally in self._tallies.items()
            if (queue is None) == all_queues
        ]
        return sorted(lines, key=lambda line: (KINDS.index(line.kind), line.name))


def at_risk(cycle: Cycle, seen: ClockView, now: datetime) -> bool:
    """Whether it was warned of, or has come to its warning."""
    return bool(cycle.warned) or (seen.warn_at is not None and seen.warn_at <= now)


def most_urgent(known: list[Urgent], of_a_case: list[Urgent]) -> list[Urgent]:
    """A case is named once, by its first clock."""
    first = nsmallest(1, of_a_case, key=attrgetter("due_at"))
    return nsmallest(URGENT_MAX, known + first, key=attrgetter("due_at"))


def ranked(ordered: list[int], percent: int) -> int | None:
    """The least of them that so many percent do not exceed."""
    if not ordered:
        return None
    return ordered[-(-len(ordered) * percent // 100) - 1]
