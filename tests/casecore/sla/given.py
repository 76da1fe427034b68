"""A book and a case's facts, said shortly; times are UTC, which is London's in March."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from msgspec.structs import replace

from casecore.actors import Actor
from casecore.clocks.calendar import Calendar
from casecore.clocks.targets import OpenTime
from casecore.clockset.events import ClockBreached
from casecore.facts import Event
from casecore.sla.book import Book
from casecore.sla.cycle import ClockView, Cycle, next_alarm, view
from casecore.sla.events import (
    CalendarPublished,
    SlaPolicy,
    SlaPolicyPublished,
    TargetRule,
)
from casecore.sla.files import kinds, rule_of
from casecore.sla.reckoning import CaseClocks, Summary, worst
from tests.casecore.clocks.given import HOUR, LONDON
from tests.spec import ADA, CASE_ID, SYSTEM
from tests.spec import registered as complaint

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    """`03-04 09:30` is in 2026."""
    then = datetime.fromisoformat(text if text.count("-") > 1 else f"2026-{text}")
    return then if then.tzinfo else then.replace(tzinfo=UTC)


def rule(name: str, hours: int | None = None, **changes: Any) -> TargetRule:
    """The target of a kind, or of a kind and what is told otherwise, as a file would say it."""
    kind = changes.pop("kind", name)
    assert kind in kinds()
    told = rule_of(name, {"kind": kind}, "policies.desk")
    if hours is not None:
        changes["target"] = OpenTime(hours * HOUR)
    return replace(told, **changes)


def policy(*rules: TargetRule, rank: int = 100, calendar_id: str = "lon", **more: Any) -> SlaPolicy:
    return SlaPolicy(rank=rank, calendar_id=calendar_id, targets=rules, **more)


@dataclass
class Fact:
    position: int
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    event: Any


@dataclass
class Desk:
    """A ledger in memory: its book, and the clocks of one case."""

    book: Book = field(default_factory=Book)
    clocks: CaseClocks = field(default_factory=lambda: CaseClocks(CASE_ID))
    position: int = 0
    facts: list[Fact] = field(default_factory=list)

    @classmethod
    def under(cls, *rules: TargetRule, calendar: Calendar = LONDON, **more: Any) -> Self:
        desk = cls()
        desk.publish_calendar(calendar)
        desk.publish(policy(*rules, **more))
        return desk

    def publish_calendar(self, calendar: Calendar, version: int = 1, id: str = "lon") -> None:
        self.position += 1
        self.book.learn(CalendarPublished(id, version, calendar), self.position)

    def publish(
        self, policy: SlaPolicy, version: int = 1, since: datetime = JANUARY, id: str = "desk"
    ) -> None:
        self.position += 1
        self.book.learn(SlaPolicyPublished(id, version, policy, since), self.position)

    def registered(self, at: str, **changes: Any) -> Self:
        then = utc(at)
        return self.tell(at, replace(complaint, **{"received_at": then} | changes))

    def tell(self, at: str, *events: Event, recorded: str | None = None, by: Actor = ADA) -> Self:
        """That this happened then, and was recorded then or later."""
        for event in events:
            self.position += 1
            fact = Fact(self.position, utc(at), utc(recorded or at), by, event)
            self.facts.append(fact)
            self.clocks = self.clocks.evolve(fact, self.book)
        return self

    def cycle(self, name: str, number: int | None = None, subject: str | None = None) -> Cycle:
        """The last of the clock's cycles, or that one."""
        found = [c for c in self.clocks.cycles if (c.name, c.subject) == (name, subject)]
        found.sort(key=lambda cycle: cycle.cycle)
        assert found, f"no clock {name}: {[c.name for c in self.clocks.cycles]}"
        return found[-1] if number is None else found[number - 1]

    def names(self) -> list[str]:
        return sorted(cycle.name for cycle in self.clocks.running)

    def view(
        self,
        name: str,
        now: str | None = None,
        number: int | None = None,
        subject: str | None = None,
    ) -> ClockView:
        cycle = self.cycle(name, number, subject)
        return view(cycle, self.book, utc(now) if now else None)

    def due(self, name: str, **which: Any) -> str | None:
        at = self.view(name, **which).due_at
        return at and at.strftime("%m-%d %H:%M" + (":%S.%f" if at.second else ""))

    def state(self, name: str, now: str | None = None, **which: Any) -> str:
        return self.view(name, now, **which).state

    def summary(self) -> Summary:
        return worst(view(cycle, self.book).state for cycle in self.clocks.cycles)

    def breached(self, name: str, detected: str) -> Self:
        """The deadline process finds it, and records it."""
        cycle = self.cycle(name)
        alarm = next_alarm(replace(cycle, warned=("75%",)), self.book)
        assert alarm is not None
        assert alarm.breach
        event = ClockBreached(CASE_ID, cycle.clock_id, cycle.cycle, name, alarm.at, utc(detected))
        return self.tell(detected, event, by=SYSTEM)
