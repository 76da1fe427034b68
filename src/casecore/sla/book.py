"""The book as clocks are reckoned by it: which rules hold for a case, and when desks are open.

It is learned from the ledger as it grows, and what it answers about a place in the ledger never
changes by what it learns later: so a rebuilt read model comes out as the live one did.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, Self, assert_never

from casecore.actors import Actor
from casecore.case.events.intake import Priority
from casecore.clocks.calendar import Calendar
from casecore.clocks.clock import FOREVER
from casecore.clocks.instants import micros
from casecore.clocks.openings import Openings
from casecore.clocks.targets import AnyTarget
from casecore.sla.events import (
    CalendarDrafted,
    CalendarPublished,
    Match,
    Pin,
    ReturnCall,
    SlaEvent,
    SlaPolicy,
    SlaPolicyDrafted,
    SlaPolicyPublished,
    SlaPolicyRetired,
    TargetKind,
    TargetRule,
    Trigger,
)
from casecore.sla.state import SlaBook

CHOICES_MAX = 1_000
"""How many kinds of cases it remembers the rules of, for each stretch of time."""
STRETCHES_MAX = 20


class Fact(Protocol):
    """What reckoning reads of what the ledger recorded."""

    @property
    def position(self) -> int: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def event(self) -> Any: ...


class Moment(NamedTuple):
    """A place in the ledger, and when that was: what was published by then counts."""

    position: int
    at: int


class Attributes(NamedTuple):
    """What policies match a case by."""

    product: str | None = None
    channel: str | None = None
    priority: Priority = "normal"
    tier: str | None = None
    jurisdictions: tuple[str, ...] = ()
    queue: str | None = None


class Heeded(NamedTuple):
    """What a rule takes one type of event for."""

    rule: TargetRule
    satisfied_by: tuple[Trigger, ...]
    cancelled_by: tuple[Trigger, ...]
    moved_by: tuple[Trigger, ...]


class Choice(NamedTuple):
    """A rule that holds for a case, and the versions it is from."""

    pin: Pin
    rule: TargetRule


class Chosen(NamedTuple):
    """The rules that hold for a case, by name, and for each event those it may set going."""

    rules: dict[str, Choice]
    begun_by: dict[str, tuple[Choice, ...]]


class InForce(NamedTuple):
    """What is in force for a while: the policies, those of the highest rank first, and what was
    chosen from them."""

    policies: tuple[Pin, ...]
    chosen: dict[Attributes, Chosen]


class Step(NamedTuple):
    """A version comes into force, or the policy goes out of it."""

    position: int
    effective_from: int
    version: int | None


class Book:
    """Grows by `learn`; one may be shared by everybody who reckons."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._policies: dict[tuple[str, int], SlaPolicy] = {}
        self._rules: dict[tuple[str, int, str], TargetRule] = {}
        self._heeded: dict[tuple[str, int, str, str], Heeded] = {}
        self._courses: dict[str, list[Step]] = {}
        self._calendars: dict[str, list[tuple[int, int]]] = {}
        self._openings: dict[tuple[str, int], Openings] = {}
        self._zones: dict[tuple[str, int], str] = {}
        self._positions: list[int] = []
        self._since: list[int] = []
        self._in_force: dict[tuple[int, int], InForce] = {}
        self.position = 0
        """How far in the ledger it has learned."""
        self._spoken_of: dict[str, int] = {}
        for fact in facts:
            self.learn(fact.event, fact.position)

    @classmethod
    def supposing(cls, calendars: dict[str, Calendar], policies: dict[str, SlaPolicy]) -> Self:
        """A book in which these were always in force: to see what would have been."""
        book = cls()
        since = datetime.min.replace(tzinfo=UTC)
        for calendar_id, calendar in calendars.items():
            book.learn(CalendarPublished(calendar_id, 1, calendar), 0)
        for policy_id, policy in policies.items():
            book.learn(SlaPolicyPublished(policy_id, 1, policy, since), 0)
        return book

    def learn(self, event: SlaEvent, position: int) -> None:
        """What it has learned already is passed over."""
        if 0 < position <= self.position:
            return
        self._in_force.clear()
        match event:
            case CalendarPublished():
                id, version = event.calendar_id, event.version
                self._openings[id, version] = Openings(event.calendar)
                self._zones[id, version] = event.calendar.zone
                self._calendars.setdefault(id, []).append((position, version))
            case SlaPolicyPublished():
                id, version, policy = event.policy_id, event.version, event.policy
                self._policies[id, version] = policy
                for rule in policy.targets:
                    self._rules[id, version, rule.name] = rule
                    for name in {trigger.event for trigger in endings(rule)}:
                        self._heeded[id, version, rule.name, name] = heeded(rule, name)
                    for trigger in triggers(rule):
                        self._spoken_of.setdefault(trigger.event, position)
                self._step(id, Step(position, micros(event.effective_from), version))
            case SlaPolicyRetired():
                self._step(event.policy_id, Step(position, micros(event.retired_from), None))
            case CalendarDrafted() | SlaPolicyDrafted():
                pass
            case _:
                assert_never(event)
        # At last: what could not be learned is not passed over when it comes again.
        self._positions.append(position)
        self.position = position

    @property
    def events(self) -> frozenset[str]:
        """The types of all events that any rule speaks of."""
        return frozenset(self._spoken_of)

    def speaks_of(self, event: str, position: int) -> bool:
        """Whether any rule did that was published by then."""
        return self._spoken_of.get(event, FOREVER) <= position

    @property
    def calendars(self) -> dict[tuple[str, int], Openings]:
        """When each version of a calendar is open."""
        return self._openings

    def _step(self, policy_id: str, step: Step) -> None:
        self._courses.setdefault(policy_id, []).append(step)
        insort(self._since, step.effective_from)

    def openings(self, pin: Pin) -> Openings:
        return self._openings[pin.calendar_id, pin.calendar_version]

    def zone(self, pin: Pin) -> str:
        return self._zones[pin.calendar_id, pin.calendar_version]

    def rule(self, pin: Pin, name: str) -> TargetRule:
        return self._rules[pin.policy_id, pin.policy_version, name]

    def names(self, kind: TargetKind) -> frozenset[str]:
        """What clocks of this kind are called, in any version."""
        return frozenset(rule.name for rule in self._rules.values() if rule.kind == kind)

    def heeded(self, pin: Pin, name: str, event: str) -> Heeded | None:
        """What such a clock makes of the event, if it may end it, or move its date."""
        return self._heeded.get((pin.policy_id, pin.policy_version, name, event))

    def return_call(self, case: Attributes, then: Moment) -> tuple[Pin, ReturnCall] | None:
        """When to call such a customer back, and the versions that say so."""
        policies, _ = self._in_force_at(then)
        for pin in policies:
            policy = self._policies[pin.policy_id, pin.policy_version]
            if policy.return_call is not None and matches(policy.match, case):
                return pin, policy.return_call
        return None

    def has(self, pin: Pin, name: str) -> bool:
        return (pin.policy_id, pin.policy_version, name) in self._rules and (
            pin.calendar_id,
            pin.calendar_version,
        ) in self._openings

    def chosen(self, attributes: Attributes, then: Moment) -> Chosen:
        """The rules for such a case by name, each from the policy of the highest rank."""
        policies, chosen = self._in_force_at(then)
        known = chosen.get(attributes)
        if known is None:
            if len(chosen) >= CHOICES_MAX:
                chosen.clear()
            known = chosen[attributes] = self._choose(attributes, policies)
        return known

    def _in_force_at(self, then: Moment) -> InForce:
        # Between two publications, and two times from which one holds, nothing changes.
        stretch = (bisect_right(self._positions, then.position), bisect_right(self._since, then.at))
        known = self._in_force.get(stretch)
        if known is None:
            if len(self._in_force) >= STRETCHES_MAX:
                self._in_force.clear()
            known = self._in_force[stretch] = InForce(self._find_in_force(then), {})
        return known

    def _choose(self, attributes: Attributes, in_force: tuple[Pin, ...]) -> Chosen:
        rules: dict[str, Choice] = {}
        for pin in in_force:
            policy = self._policies[pin.policy_id, pin.policy_version]
            if matches(policy.match, attributes):
                for rule in policy.targets:
                    rules.setdefault(rule.name, Choice(pin, rule))
        begun_by: dict[str, tuple[Choice, ...]] = {}
        for choice in rules.values():
            beginning = choice.rule.starts
            if choice.rule.recurs == "on_event":
                beginning = triggers(choice.rule)
            for event in dict.fromkeys(trigger.event for trigger in beginning):
                begun_by[event] = (*begun_by.get(event, ()), choice)
        return Chosen(rules, begun_by)

    def _find_in_force(self, then: Moment) -> tuple[Pin, ...]:
        pins = []
        for policy_id, course in self._courses.items():
            version = None
            for step in course:
                if step.position <= then.position and step.effective_from <= then.at:
                    version = step.version
            if version is not None:
                policy = self._policies[policy_id, version]
                calendar_id = policy.calendar_id
                calendar = [v for p, v in self._calendars[calendar_id] if p <= then.position]
                pin = Pin(policy_id, version, calendar_id, calendar[-1])
                pins.append((-policy.rank, policy_id, pin))
        return tuple(pin for _, _, pin in sorted(pins, key=lambda found: found[:2]))


def desk_hours(book: SlaBook, case: Attributes, at: datetime) -> Openings | None:
    """When the desk that follows up on such a case is open, as it is published then."""
    policies = [p.policy for p in book.in_force(at) if matches(p.policy.match, case)]
    # A regulator's policy lies on top of the desk's, and goes by other days than the desk does.
    policies.sort(key=lambda policy: all(rule.kind != "follow_up" for rule in policy.targets))
    calendar = book.calendar(policies[0].calendar_id) if policies else None
    return None if calendar is None else Openings(calendar.calendar)


def matches(match: Match, case: Attributes) -> bool:
    return (
        allows(match.products, case.product)
        and allows(match.channels, case.channel)
        and allows(match.priorities, case.priority)
        and allows(match.tiers, case.tier)
        and allows(match.queues, case.queue)
        and (not match.jurisdictions or not set(case.jurisdictions).isdisjoint(match.jurisdictions))
    )


def allows(values: tuple[str, ...], value: str | None) -> bool:
    return not values or value in values


def target_for(rule: TargetRule, priority: Priority) -> AnyTarget | None:
    return rule.by_priority.get(priority, rule.target)


def triggers(rule: TargetRule) -> tuple[Trigger, ...]:
    return (*rule.starts, *endings(rule))


def endings(rule: TargetRule) -> tuple[Trigger, ...]:
    return (*rule.satisfied_by, *rule.cancelled_by, *rule.moved_by)


def heeded(rule: TargetRule, event: str) -> Heeded:
    return Heeded(
        rule,
        *(
            tuple(trigger for trigger in triggers if trigger.event == event)
            for triggers in (rule.satisfied_by, rule.cancelled_by, rule.moved_by)
        ),
    )
