"""A cycle of a clock: the facts about it, and what follows from them at any time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID, uuid5

import msgspec

from casecore.clocks.clock import FOREVER, Clock, Hours, RoundTheClock
from casecore.clocks.instants import SECOND, instant, micros
from casecore.clocks.openings import Span, merged
from casecore.clocks.targets import AnyTarget, BusinessDays, ElapsedTime, OpenTime
from casecore.errors import Rejected
from casecore.sla.book import Book
from casecore.sla.events import Pin, TargetKind, TargetRule

ClockState = Literal["running", "paused", "met", "breached", "cancelled"]
DUE = "due"
"""The threshold of the last alarm: the clock is used up."""
RESOLVED = "resolved"
"""The pause of a clock that goes on when its case is reopened (R13)."""


# There are millions of these, and none holds itself: the collector need not look (gc=False).
class Pause(msgspec.Struct, frozen=True, gc=False):
    reason: str
    """Whom the case waited for, or that it was resolved."""
    since: int
    until: int = FOREVER


class Leg(msgspec.Struct, frozen=True, gc=False):
    """A stretch of a cycle under the same rules: another begins when they change (R11)."""

    since: int
    pin: Pin
    cause: str
    """The event that began it."""
    target: AnyTarget | None = None
    due: int | None = None
    """When it is due, if the event said so."""


class Breach(msgspec.Struct, frozen=True, gc=False):
    due: int
    detected: int


class Cycle(msgspec.Struct, frozen=True, gc=False):
    """Facts only, in microseconds. What is over is changed by nothing but a rescission (R10)."""

    clock_id: UUID
    cycle: int
    name: str
    kind: TargetKind
    subject: str | None
    pinned: tuple[int, int]
    """Where in the ledger, and when, the versions it runs by were looked up."""
    started: int
    legs: tuple[Leg, ...]
    pauses: tuple[Pause, ...] = ()
    satisfied: int | None = None
    cancelled: int | None = None
    ended_by: str | None = None
    """The event that satisfied or cancelled it."""
    breach: Breach | None = None
    """As the deadline process found it."""
    warned: tuple[str, ...] = ()
    proof: int | None = None
    """When it was satisfied according to a later record, after it was over without."""

    @property
    def pin(self) -> Pin:
        return self.legs[-1].pin

    @property
    def ended(self) -> int | None:
        return self.satisfied if self.satisfied is not None else self.cancelled


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    clock_id: UUID
    cycle: int
    name: str
    kind: TargetKind
    subject: str | None
    regime: str | None
    state: ClockState
    pausable: bool
    policy_id: str
    policy_version: int
    calendar_id: str
    calendar_version: int
    started_at: datetime
    target_seconds: int
    consumed_seconds: int
    remaining_seconds: int
    due_at: datetime | None
    warn_at: datetime | None
    """The next warning that was not given yet."""
    satisfied_at: datetime | None
    cancelled_at: datetime | None
    breached_at: datetime | None
    detected_at: datetime | None
    lateness_seconds: int | None
    cause: str
    """What ended it, or gave it the target it has."""


class Alarm(NamedTuple):
    """Something only time can tell: a warning, or that the clock is used up."""

    at: datetime
    threshold: str

    @property
    def breach(self) -> bool:
        return self.threshold == DUE


class Plan(NamedTuple):
    """A cycle's time, laid out: the clock of its last leg, and how much there is in all."""

    rule: TargetRule
    clock: Clock
    total: int
    due: int | None
    """When all of it is used up, as the facts have it."""

    def due_as_of(self, at: int) -> int | None:
        """As it is known then: a pause that holds has no end yet (R7)."""
        known = self.clock.as_of(at)
        return self.due if known is self.clock else known.due

    def breached_by(self, at: int) -> bool:
        due = self.due_as_of(at)
        return due is not None and at > due


def view(
    cycle: Cycle, book: Book, now: datetime | None = None, plan: Plan | None = None
) -> ClockView:
    """The cycle as it stands; without `now`, as of the last fact about it, as tables keep it.

    Whoever has laid out its plan already passes it on, here as to `alarms`.
    """
    plan = plan or plan_of(cycle, book)
    at = reference(cycle, now)
    state = state_of(cycle, plan, None if now is None else at)
    due = due_of(cycle, plan, at if now is not None else cycle.ended)
    consumed = consumed_by(cycle, book, at)
    breached = due if state == "breached" else None
    warn_at = None
    if state in ("running", "paused"):
        warn_at = min((at for at, _ in warnings(cycle, plan)), default=None)
    pin = cycle.pin
    return ClockView(
        clock_id=cycle.clock_id,
        cycle=cycle.cycle,
        name=cycle.name,
        kind=cycle.kind,
        subject=cycle.subject,
        regime=plan.rule.regime,
        state=state,
        pausable=plan.rule.pausable,
        policy_id=pin.policy_id,
        policy_version=pin.policy_version,
        calendar_id=pin.calendar_id,
        calendar_version=pin.calendar_version,
        started_at=instant(cycle.started),
        target_seconds=plan.total // SECOND,
        consumed_seconds=consumed // SECOND,
        remaining_seconds=max(0, plan.total - consumed) // SECOND,
        due_at=optional(due),
        warn_at=optional(warn_at),
        satisfied_at=optional(cycle.satisfied),
        cancelled_at=optional(cycle.cancelled),
        breached_at=optional(breached),
        detected_at=optional(cycle.breach.detected if cycle.breach else None),
        lateness_seconds=lateness(cycle, breached, now),
        cause=cycle.ended_by or cycle.legs[-1].cause,
    )


def alarms(cycle: Cycle, book: Book, plan: Plan | None = None) -> list[Alarm]:
    """What time will tell of it, or has told and nobody recorded, in order (R7, R17)."""
    if cycle.breach is not None:
        return []
    plan = plan or plan_of(cycle, book)
    if cycle.ended is not None and state_of(cycle, plan, None) != "breached":
        return []
    due = due_of(cycle, plan, cycle.ended)
    found = [] if due is None else [Alarm(instant(due), DUE)]
    if cycle.ended is None:
        found += [
            Alarm(instant(at), threshold)
            for at, threshold in warnings(cycle, plan)
            if due is None or at < due
        ]
    return sorted(found)


def next_alarm(cycle: Cycle, book: Book, plan: Plan | None = None) -> Alarm | None:
    return next(iter(alarms(cycle, book, plan)), None)


def alarm_id(clock_id: UUID, cycle: int, threshold: str) -> UUID:
    """The key under which an alarm is recorded once, however often it goes off (R18)."""
    return uuid5(clock_id, f"{cycle}/{threshold}")


def is_over(cycle: Cycle, book: Book, at: int) -> bool:
    """Whether the cycle was met, breached or cancelled by then: nothing changes it after (R10)."""
    return (
        cycle.ended is not None or cycle.breach is not None or plan_of(cycle, book).breached_by(at)
    )


def breached_due(cycle: Cycle, book: Book, by: int) -> int | None:
    """When it was breached, as the facts have it by then; None if it was not."""
    plan = plan_of(cycle, book)
    at = by if cycle.ended is None else cycle.ended
    if cycle.breach is not None or not plan.breached_by(at):
        return None
    return due_of(cycle, plan, at)


def plan_of(cycle: Cycle, book: Book) -> Plan:
    leg = cycle.legs[-1]
    rule = book.rule(leg.pin, cycle.name)
    if leg.due is not None:
        total = max(0, leg.due - cycle.started)
        clock = Clock(RoundTheClock(), cycle.started, total)
        return Plan(rule, clock, total, cycle.started + total)
    assert leg.target is not None
    try:
        clock, total = clock_of(cycle, leg, leg.target, rule, book)
        return Plan(rule, clock, total, clock.due)
    except Rejected:
        # The calendar does not open any more: what was published since can only be rebaselined.
        stopped = Clock(RoundTheClock(), leg.since, 1, [(leg.since, FOREVER)])
        return Plan(rule, stopped, 0, None)


def clock_of(
    cycle: Cycle, leg: Leg, target: AnyTarget, rule: TargetRule, book: Book
) -> tuple[Clock, int]:
    """The clock from the last leg on, and how much there is in all."""
    changed = len(cycle.legs) > 1
    spans = pauses_of(cycle, leg, book)
    if not isinstance(target, OpenTime | ElapsedTime):
        clock = target.clock(book.openings(leg.pin), cycle.started, [])
        due = clock.due
        late = changed and due is not None and due < leg.since
        return grace(rule, leg.since, []) if late else clock, clock.amount
    total = target.seconds * SECOND
    left = total - (consumed_by(cycle, book, leg.since) if changed else 0)
    if left > 0:
        return Clock(hours_of(leg, book), leg.since, left, spans), total
    if left == 0 and consumed_by(cycle, book, leg.since - 1) < total:
        return Clock(RoundTheClock(), leg.since, 0), total  # Due right then, not before.
    return grace(rule, leg.since, spans), total


def grace(rule: TargetRule, since: int, spans: list[Span]) -> Clock:
    """What is left when a change would have had the clock overdue before it was made (R11)."""
    return Clock(RoundTheClock(), since, rule.min_remaining_seconds * SECOND, spans)


def consumed_by(cycle: Cycle, book: Book, at: int) -> int:
    """What was used up by then, each leg's time counted as was the rule (R2, R11)."""
    consumed = 0
    for leg, until in legs_until(cycle, at):
        spans = pauses_of(cycle, leg, book)
        consumed += Clock(hours_of(leg, book), leg.since, 1, spans).consumed(until)
    return consumed


def legs_until(cycle: Cycle, at: int) -> list[tuple[Leg, int]]:
    """The legs that had begun by then, each with its end."""
    ends = [*(leg.since for leg in cycle.legs[1:]), at]
    return [
        (leg, min(end, at)) for leg, end in zip(cycle.legs, ends, strict=True) if leg.since < at
    ]


def hours_of(leg: Leg, book: Book) -> Hours:
    """Which time the leg consumes."""
    counts_open_time = isinstance(leg.target, OpenTime | BusinessDays) and leg.due is None
    return book.openings(leg.pin) if counts_open_time else RoundTheClock()


def pauses_of(cycle: Cycle, leg: Leg, book: Book) -> list[Span]:
    return merged([(pause.since, pause.until) for pause in standing(cycle, leg, book)])


def standing(cycle: Cycle, leg: Leg, book: Book) -> list[Pause]:
    """The pauses in which it stands still: when somebody is waited for, if that counts, and when
    the case was resolved. Dates that a calendar or an event names do not move (R16)."""
    if leg.due is not None or not isinstance(leg.target, OpenTime | ElapsedTime):
        return []
    reasons = (*book.rule(leg.pin, cycle.name).paused_by, RESOLVED)
    return [pause for pause in cycle.pauses if pause.reason in reasons]


def state_of(cycle: Cycle, plan: Plan, now: int | None) -> ClockState:
    if cycle.breach is not None:
        return "breached"
    if cycle.satisfied is not None:
        return "breached" if plan.breached_by(cycle.satisfied) else "met"
    if cycle.cancelled is not None:
        return "breached" if plan.breached_by(cycle.cancelled) else "cancelled"
    due = plan.due if now is None else plan.due_as_of(now)
    if due is None:
        return "paused"
    return "breached" if now is not None and now > due else "running"


def due_of(cycle: Cycle, plan: Plan, at: int | None) -> int | None:
    """When it is due, as it is known then."""
    if cycle.breach is not None:
        return cycle.breach.due
    return plan.due if at is None else plan.due_as_of(at)


def reference(cycle: Cycle, now: datetime | None) -> int:
    """The time a view is of: when the cycle ended, or now, or the last thing known of it."""
    if cycle.ended is not None:
        return cycle.ended
    if now is not None:
        return micros(now)
    if cycle.breach is not None:
        return cycle.breach.due
    edges = (edge for p in cycle.pauses for edge in (p.since, p.until) if edge != FOREVER)
    return max(cycle.legs[-1].since, *edges, cycle.started)


def lateness(cycle: Cycle, breached: int | None, now: datetime | None) -> int | None:
    """How long after it was due it was answered, or has not been."""
    until = cycle.satisfied if now is None or cycle.ended is not None else micros(now)
    if breached is None or until is None:
        return None
    return max(0, until - breached) // SECOND


def warnings(cycle: Cycle, plan: Plan) -> Iterator[tuple[int, str]]:
    """The warnings not given yet. One whose time a change passed over is due at the change."""
    clock = plan.clock
    for warn in plan.rule.warnings:
        if warn.threshold in cycle.warned:
            continue
        if warn.percent is not None:
            left = plan.total - plan.total * warn.percent // 100
        else:
            assert warn.seconds_left is not None
            left = warn.seconds_left * SECOND
        if left > plan.total or clock.amount == 0:
            continue
        at = clock.warning(min(left, clock.amount))
        if at is not None:
            yield max(at, cycle.legs[-1].since), warn.threshold


def optional(at: int | None) -> datetime | None:
    return None if at is None else instant(at)
