"""What if: the same facts under the book as it is, and under a supposed one. Nothing is written.

What the clock set recorded counts under the supposed book as far as it follows from that book: a
breach that was found counts where it would have been found just so, a move to other versions where
there are such versions. All else follows from the case's own facts, as they are known now.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.actors import Actor
from casecore.errors import Rejected
from casecore.sla.book import Book, Fact
from casecore.sla.cycle import ClockState, ClockView, view
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy
from casecore.sla.events import TargetKind
from casecore.sla.reckoning import reckoned
from casecore.sla.state import SlaBook


class Standing(msgspec.Struct, frozen=True):
    """How a cycle of a clock stands under one of the books."""

    state: ClockState
    due_at: datetime | None
    breached_at: datetime | None
    lateness_seconds: int | None


class Difference(msgspec.Struct, frozen=True):
    name: str
    kind: TargetKind
    subject: str | None
    cycle: int
    before: Standing | None
    """Under the book as it is; null for a clock that the case has only under the supposed one."""
    after: Standing | None

    @property
    def turns(self) -> bool:
        """Whether it would have come to something else, not only at another time."""
        return self.before is None or self.after is None or self.before.state != self.after.state


class Count(msgspec.Struct, frozen=True):
    cycles: int = 0
    met: int = 0
    breached: int = 0
    cancelled: int = 0
    running: int = 0
    paused: int = 0


class Total(msgspec.Struct, frozen=True):
    """All cycles of the clocks of one name, under either book."""

    name: str
    kind: TargetKind
    before: Count
    after: Count


class Compared(NamedTuple):
    """The clocks of one case under both books."""

    before: list[ClockView]
    after: list[ClockView]

    def differences(self) -> list[Difference]:
        before, after = (
            {(seen.clock_id, seen.cycle): seen for seen in views}
            for views in (self.before, self.after)
        )
        found = []
        for key in before | after:
            one, other = before.get(key), after.get(key)
            seen = one or other
            assert seen is not None
            if standing(one) != standing(other):
                found.append(
                    Difference(
                        seen.name,
                        seen.kind,
                        seen.subject,
                        seen.cycle,
                        standing(one),
                        standing(other),
                    )
                )
        return found


class Totals:
    """Counts cases as they come."""

    def __init__(self) -> None:
        self._before: Counter[tuple[str, TargetKind, ClockState]] = Counter()
        self._after: Counter[tuple[str, TargetKind, ClockState]] = Counter()

    def add(self, compared: Compared) -> None:
        self._before.update((seen.name, seen.kind, seen.state) for seen in compared.before)
        self._after.update((seen.name, seen.kind, seen.state) for seen in compared.after)

    def by_target(self) -> list[Total]:
        targets = {(name, kind) for name, kind, _ in (*self._before, *self._after)}
        return [
            Total(name, kind, count(self._before, name, kind), count(self._after, name, kind))
            for name, kind in sorted(targets)
        ]


def count(
    states: Counter[tuple[str, TargetKind, ClockState]], name: str, kind: TargetKind
) -> Count:
    of: dict[str, int] = {
        state: n for (one, other, state), n in states.items() if (one, other) == (name, kind)
    }
    return Count(cycles=sum(of.values()), **of)


def compared(
    case_id: UUID, facts: Sequence[Fact], book: Book, supposed: Book, now: datetime
) -> Compared:
    return Compared(views_of(case_id, facts, book, now), views_of(case_id, facts, supposed, now))


def views_of(case_id: UUID, facts: Iterable[Fact], book: Book, now: datetime) -> list[ClockView]:
    return [view(cycle, book, now) for cycle in reckoned(case_id, facts, book).cycles]


def standing(seen: ClockView | None) -> Standing | None:
    if seen is None:
        return None
    return Standing(seen.state, seen.due_at, seen.breached_at, seen.lateness_seconds)


def supposed(
    commands: Iterable[PublishCalendar | PublishSlaPolicy],
    published: SlaBook,
    by: Actor,
    at: datetime,
) -> Book:
    """A book in which these policies were always in force, and no others.

    They are refused as they would be if they were published now. A calendar that they name and do
    not bring is the published one; calendars alone are for the policies in force now.
    """
    commands = list(commands)
    state = SlaBook(
        published.id, {id: versions[-1:] for id, versions in published.calendars.items()}
    )
    if not any(isinstance(command, PublishSlaPolicy) for command in commands):
        in_force = published.in_force(at)
        if not in_force:
            raise Rejected(
                "no-policies",
                "no policy is in force that these calendars could be for: suppose one, too",
                field="policies",
            )
        state = replace(state, policies={version.policy_id: (version,) for version in in_force})
    for command in commands:
        if isinstance(command, PublishSlaPolicy):
            command = replace(command, effective_from=None)
        for event in command.decide(state, by, at):
            state = state.evolve(event)
    return Book.supposing(
        {id: versions[-1].calendar for id, versions in state.calendars.items()},
        {id: state.versions(id)[-1].policy for id in state.policies},
    )
