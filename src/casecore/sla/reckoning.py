"""A case's clocks, folded from its events and those of its clock set."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace
from uuid_utils.compat import uuid5

from casecore.actors import Role
from casecore.case.events.contact import CustomerContacted, WaitingEnded, WaitingStarted
from casecore.case.events.intake import CaseRegistered, InteractionStarted
from casecore.case.events.outcome import (
    CaseClosed,
    CaseMarkedNotComplaint,
    CaseReopened,
    CaseWithdrawn,
    ComplaintResolved,
)
from casecore.case.events.ownership import CaseQueued, CaseReleased
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged
from casecore.clocks.clock import FOREVER
from casecore.clocks.instants import micros
from casecore.clockset.events import (
    ClockBreached,
    ClockRebaselined,
    ClockResultRescinded,
    ClockWarned,
)
from casecore.errors import Rejected
from casecore.sla.book import Attributes, Book, Choice, Fact, Heeded, Moment, target_for
from casecore.sla.cycle import (
    RESOLVED,
    Breach,
    ClockState,
    Cycle,
    Leg,
    Pause,
    breached_due,
    is_over,
    view,
)
from casecore.sla.events import TargetRule, Trigger

Stage = Literal["unknown", "open", "resolved", "ended"]
STAGES: dict[type[Any], Stage] = {
    CaseRegistered: "open",
    CaseReopened: "open",
    ComplaintResolved: "resolved",
    CaseClosed: "resolved",
    CaseWithdrawn: "ended",
    CaseMarkedNotComplaint: "ended",
}
RESOLVING = frozenset({ComplaintResolved.__name__, CaseClosed.__name__})
"""What a reopening undoes: the clocks these ended may run on (R13)."""
WAITED = frozenset({WaitingStarted, WaitingEnded, CustomerContacted, InteractionStarted})
RECORDED = frozenset({ClockWarned, ClockBreached, ClockRebaselined, ClockResultRescinded})
READ: frozenset[type[Any]] = frozenset(
    {
        *STAGES,
        *WAITED,
        *RECORDED,
        CaseTriaged,
        PriorityChanged,
        CaseReclassified,
        CaseQueued,
        CaseReleased,
    }
)
"""What is read of a case and its clock set whatever the policies say."""

Summary = ClockState | Literal["none"]
GRAVEST_FIRST: tuple[ClockState, ...] = ("breached", "running", "paused", "met", "cancelled")


class Seen(NamedTuple):
    """A fact on its way through the clocks."""

    event: Any
    name: str
    at: int
    then: Moment
    by_itself: bool
    """A service did it, on nobody's behalf."""


def concerning(fact: Fact, book: Book) -> bool:
    """Whether the fact can change the clocks of its case: most are about something else."""
    event = type(fact.event)
    return event in READ or book.speaks_of(event.__name__, fact.position)


class CaseClocks(msgspec.Struct, frozen=True, gc=False):
    """What is known of a case's clocks. A cycle that a fact does not change stays the same object,
    so that whoever keeps them can tell which did."""

    case_id: UUID
    attributes: Attributes = Attributes()
    stage: Stage = "unknown"
    received: int = 0
    firsts: dict[str, int] = {}
    """When events of each type that rules speak of first occurred."""
    running: tuple[Cycle, ...] = ()
    """The cycles that nothing has ended yet; some may be overdue."""
    over: tuple[Cycle, ...] = ()
    waits: tuple[Pause, ...] = ()
    contacts: tuple[int, ...] = ()
    """When the customer got in touch."""
    unanswered: dict[str, tuple[int, ...]] = {}
    """By clock, what it runs for: the oldest counts (R14)."""
    answered: dict[str, int] = {}
    """By such a clock, when its like was last answered."""

    @property
    def cycles(self) -> tuple[Cycle, ...]:
        return self.over + self.running

    def cycle(self, clock_id: UUID, number: int) -> Cycle | None:
        for cycle in self.cycles:
            if (cycle.clock_id, cycle.cycle) == (clock_id, number):
                return cycle
        return None

    def evolve(self, fact: Fact, book: Book) -> "CaseClocks":
        """With one more fact of the case or its clock set; the book must have come as far."""
        if not concerning(fact, book):
            return self
        event, name = fact.event, type(fact.event).__name__
        spoken_of = book.speaks_of(name, fact.position)
        then = Moment(fact.position, micros(fact.recorded_at))
        actor = fact.actor
        by_itself = actor.role is Role.SERVICE and actor.on_behalf_of is None
        seen = Seen(event, name, micros(fact.occurred_at), then, by_itself)
        if type(event) in RECORDED:
            return overruled(self, event, seen, book)
        clocks = classified(self, seen)
        if type(event) in WAITED:
            clocks = waited(clocks, seen, book)
        if spoken_of:
            clocks = triggered(clocks, seen, book)
            clocks = begun_again(clocks, clocks.over[len(self.over) :], seen, book)
        if self.stage != "unknown" and clocks.attributes != self.attributes:
            clocks = retargeted(clocks, seen, book)
        if isinstance(event, CaseReopened):
            clocks = reopened(clocks, seen, book)
        if spoken_of:
            clocks = begun(clocks, seen, book)
        return renewed(clocks, seen, book) if clocks.unanswered else clocks

    def rescinded(self, clock_id: UUID, number: int, book: Book) -> "CaseClocks":
        """With the result of a cycle taken back: what is on record decides anew."""
        found = self.cycle(clock_id, number)
        if found is None:
            return self
        cycle = replace(found, breach=None, proof=None, pauses=pauses(self, found, book))
        if found.proof is not None:
            ended_by = found.ended_by or ClockResultRescinded.__name__
            satisfied = replace(cycle, satisfied=found.proof, cancelled=None, ended_by=ended_by)
            return changed(self, found, satisfied)
        return changed(self, found, cycle)


def reckoned(case_id: UUID, facts: Iterable[Fact], book: Book) -> CaseClocks:
    """The clocks of a case, from all its facts and those of its clock set in their order."""
    clocks = CaseClocks(case_id)
    for fact in facts:
        clocks = clocks.evolve(fact, book)
    return clocks


def read_under(*books: Book) -> frozenset[str]:
    """The types of all events that any of these books, or reckoning itself, reads."""
    return frozenset(event.__name__ for event in READ).union(*(book.events for book in books))


def worst(states: Iterable[ClockState]) -> Summary:
    """How a case stands: as its worst clock does."""
    found = set(states)
    return next((state for state in GRAVEST_FIRST if state in found), "none")


def classified(clocks: CaseClocks, seen: Seen) -> CaseClocks:
    """With what the event says of the case: what policies match by, and how far it has come."""
    event, attributes = seen.event, clocks.attributes
    match event:
        case CaseRegistered():
            attributes = Attributes(
                event.product,
                event.channel,
                event.priority,
                event.customer.tier,
                event.jurisdictions,
                event.queue,
            )
            clocks = replace(clocks, received=micros(event.received_at))
        case CaseTriaged():
            attributes = attributes._replace(priority=event.priority)
        case PriorityChanged():
            attributes = attributes._replace(priority=event.new)
        case CaseReclassified():
            attributes = attributes._replace(product=event.product)
        case CaseQueued() | CaseReleased():
            attributes = attributes._replace(queue=event.queue)
    if attributes != clocks.attributes:
        clocks = replace(clocks, attributes=attributes)
    if seen.name not in clocks.firsts:
        clocks = replace(clocks, firsts=clocks.firsts | {seen.name: seen.at})
    stage = STAGES.get(type(event), clocks.stage)
    if stage != "open" and stage != clocks.stage and clocks.unanswered:
        clocks = replace(clocks, unanswered={})
    return clocks if stage == clocks.stage else replace(clocks, stage=stage)


def waited(clocks: CaseClocks, seen: Seen, book: Book) -> CaseClocks:
    """With who is waited for. The customer's contact ends waiting for them when it came (R6)."""
    event, at, waits = seen.event, seen.at, clocks.waits
    match event:
        case WaitingStarted():
            until = FOREVER
            if event.reason == "customer":
                until = min((c for c in clocks.contacts if c > at), default=FOREVER)
            waits = (*waits, Pause(event.reason, at, until))
        case WaitingEnded():
            ended = micros(event.ended_at)
            waits = tuple(
                replace(wait, until=max(wait.since, ended))
                if wait.reason == event.reason and wait.until == FOREVER
                else wait
                for wait in waits
            )
        case CustomerContacted() | InteractionStarted(direction="inbound"):
            clocks = replace(clocks, contacts=(*clocks.contacts, at))
            waits = tuple(
                replace(wait, until=at)
                if wait.reason == "customer" and wait.since <= at < wait.until
                else wait
                for wait in waits
            )
    if waits == clocks.waits:
        return clocks
    clocks = replace(clocks, waits=waits)
    running = tuple(repaused(clocks, cycle, book) for cycle in clocks.running)
    return replace(clocks, running=running)


def repaused(clocks: CaseClocks, cycle: Cycle, book: Book) -> Cycle:
    if cycle.breach is not None:
        return cycle
    found = pauses(clocks, cycle, book)
    return cycle if found == cycle.pauses else replace(cycle, pauses=found)


def pauses(clocks: CaseClocks, cycle: Cycle, book: Book) -> tuple[Pause, ...]:
    """What may stop the cycle, as it is known now."""
    if not clocks.waits and not cycle.pauses:
        return ()
    reasons = [r for leg in cycle.legs for r in book.rule(leg.pin, cycle.name).paused_by]
    resolved = [pause for pause in cycle.pauses if pause.reason == RESOLVED]
    waits = [w for w in clocks.waits if w.reason in reasons and w.until > cycle.started]
    return (*waits, *resolved)


def triggered(clocks: CaseClocks, seen: Seen, book: Book) -> CaseClocks:
    """With what the event ends or moves, as the rule of each clock's version says."""
    over: list[Cycle] = []
    running: list[Cycle] = []
    changes = False
    for cycle in clocks.over:
        after = cycle
        if heeded := book.heeded(cycle.pin, cycle.name, seen.name):
            after = proven(cycle, heeded, seen, book)
        changes = changes or after is not cycle
        over.append(after)
    for cycle in clocks.running:
        after = cycle
        if heeded := book.heeded(cycle.pin, cycle.name, seen.name):
            after = touched(cycle, heeded, seen, book)
        changes = changes or after is not cycle
        (running if after.ended is None else over).append(after)
    return replace(clocks, running=tuple(running), over=tuple(over)) if changes else clocks


def touched(cycle: Cycle, heeded: Heeded, seen: Seen, book: Book) -> Cycle:
    rule = heeded.rule
    if rule.subject and getattr(seen.event, rule.subject, cycle.subject) != cycle.subject:
        return cycle
    at = first_time(heeded.satisfied_by, seen)
    if at is not None and (at >= cycle.started or rule.recurs == "never"):
        return replace(cycle, satisfied=at, ended_by=seen.name, legs=legs_by(cycle, at))
    at = first_time(heeded.cancelled_by, seen)
    if at is not None:
        return replace(cycle, cancelled=at, ended_by=seen.name, legs=legs_by(cycle, at))
    at = first_time(heeded.moved_by, seen)
    if at is not None and not is_over(cycle, book, at):
        due = getattr(seen.event, rule.due_from or "", None)
        if due is not None:
            leg = Leg(at, cycle.pin, seen.name, due=micros(due))
            return replace(cycle, legs=(*legs_by(cycle, at), leg))
    return cycle


def proven(cycle: Cycle, heeded: Heeded, seen: Seen, book: Book) -> Cycle:
    """A breached cycle that is over, with a later record that it had been satisfied in time."""
    rule = heeded.rule
    if rule.subject and getattr(seen.event, rule.subject, cycle.subject) != cycle.subject:
        return cycle
    at = first_time(heeded.satisfied_by, seen)
    if at is None or not cycle.started <= at < (cycle.proof or cycle.ended or 0):
        return cycle
    if cycle.breach is None and breached_due(cycle, book, at) is None:
        return cycle
    return replace(cycle, proof=at)


def legs_by(cycle: Cycle, at: int) -> tuple[Leg, ...]:
    """Without what changed only after that."""
    return (cycle.legs[0], *(leg for leg in cycle.legs[1:] if leg.since <= at))


def first_time(triggers: tuple[Trigger, ...], seen: Seen) -> int | None:
    """When what one of the triggers waits for happened, if this event is it."""
    for trigger in triggers:
        if trigger.event == seen.name and (at := time_of(trigger, seen)) is not None:
            return at
    return None


def time_of(trigger: Trigger, seen: Seen) -> int | None:
    event = seen.event
    if trigger.by_people and seen.by_itself:
        return None
    for field, values in trigger.where.items():
        if getattr(event, field) not in values:
            return None
    if trigger.at is None:
        return seen.at
    at = getattr(event, trigger.at)
    return None if at is None else micros(at)


def retargeted(clocks: CaseClocks, seen: Seen, book: Book) -> CaseClocks:
    """With the targets of what the case has become, from the change on (R11)."""
    running = tuple(retarget(clocks, cycle, seen, book) for cycle in clocks.running)
    clocks = replace(clocks, running=tuple(repaused(clocks, c, book) for c in running))
    if clocks.stage != "open":
        return clocks
    for name, choice in book.chosen(clocks.attributes, seen.then).rules.items():
        if choice.rule.kind == "regulatory" and not any(c.name == name for c in clocks.cycles):
            clocks = begun_late(clocks, choice, seen, book)
    return clocks


def retarget(clocks: CaseClocks, cycle: Cycle, seen: Seen, book: Book) -> Cycle:
    """By the versions that were in force when it began: later ones never touch it (R9)."""
    leg = cycle.legs[-1]
    choice = book.chosen(clocks.attributes, Moment(*cycle.pinned)).rules.get(cycle.name)
    if choice is None or leg.due is not None or cycle.kind == "regulatory":
        return cycle
    pin, rule = choice
    if pin.policy_id == leg.pin.policy_id:
        pin, rule = leg.pin, book.rule(leg.pin, cycle.name)
    target = target_for(rule, clocks.attributes.priority)
    if target is None or rule.kind == "regulatory" or (pin, target) == (leg.pin, leg.target):
        return cycle
    return onto(cycle, Leg(seen.at, pin, seen.name, target), book)


def onto(cycle: Cycle, leg: Leg, book: Book) -> Cycle:
    """The cycle on another leg, unless it was over when that began (R10, R12)."""
    if is_over(cycle, book, leg.since):
        return cycle
    since = max(leg.since, cycle.legs[-1].since)
    return replace(cycle, legs=(*cycle.legs, replace(leg, since=since)))


def begun_late(clocks: CaseClocks, choice: Choice, seen: Seen, book: Book) -> CaseClocks:
    """With a regulator's clock that the case only now turns out to have: it runs from receipt,
    but was not breached before that was known (R11)."""
    pin, rule = choice
    registered = [t for t in rule.starts if t.event == CaseRegistered.__name__ and not t.where]
    target = target_for(rule, clocks.attributes.priority)
    if not registered or target is None:
        return clocks
    started = clocks.received if registered[0].at else clocks.firsts[CaseRegistered.__name__]
    legs = (Leg(started, pin, seen.name, target), Leg(seen.at, pin, seen.name, target))
    cycle = new_cycle(clocks, choice, seen, None, legs, book)
    done = {
        clocks.firsts[t.event]: t.event
        for t in rule.satisfied_by
        if not t.where and t.event in clocks.firsts
    }
    if not done:
        return replace(clocks, running=(*clocks.running, cycle))
    at = min(done)
    met = replace(cycle, satisfied=at, ended_by=done[at], legs=legs_by(cycle, at))
    return replace(clocks, over=(*clocks.over, met))


def reopened(clocks: CaseClocks, seen: Seen, book: Book) -> CaseClocks:
    """With the clocks that the resolution ended running again, as the rule of each says (R13)."""
    latest = {cycle.clock_id: cycle for cycle in clocks.over if cycle.subject is None}
    for cycle in latest.values():
        if any(other.clock_id == cycle.clock_id for other in clocks.running):
            continue
        rule = book.rule(cycle.pin, cycle.name)
        if rule.reopen == "resume":
            clocks = resumed(clocks, cycle, seen, book)
        elif rule.reopen == "new_cycle":
            choice = book.chosen(clocks.attributes, seen.then).rules.get(cycle.name)
            if choice is not None:
                clocks = begin(clocks, choice, seen, seen.at, book)
    return clocks


def resumed(clocks: CaseClocks, cycle: Cycle, seen: Seen, book: Book) -> CaseClocks:
    """With the cycle going on where the resolution stopped it. A breach stays; and a date that
    was kept, and has passed since, is not broken by the reopening."""
    if cycle.ended is None or cycle.ended_by not in RESOLVING:
        return clocks
    at = max(seen.at, cycle.ended)
    pause = Pause(RESOLVED, cycle.ended, at)
    running = replace(
        cycle, satisfied=None, cancelled=None, ended_by=None, pauses=(*cycle.pauses, pause)
    )
    running = replace(running, pauses=pauses(clocks, running, book))
    was_breached = cycle.breach is not None or breached_due(cycle, book, cycle.ended) is not None
    if was_breached or is_over(running, book, at):
        return clocks
    over = tuple(other for other in clocks.over if other is not cycle)
    running = retarget(clocks, running, seen, book)
    return replace(clocks, over=over, running=(*clocks.running, running))


def begun(clocks: CaseClocks, seen: Seen, book: Book) -> CaseClocks:
    """With the clocks that the event starts, or gives one more reason to run."""
    choices = book.chosen(clocks.attributes, seen.then).begun_by.get(seen.name, ())
    for choice in choices:
        rule = choice.rule
        if rule.recurs == "on_event":
            clocks = counted(clocks, rule, seen)
        elif clocks.stage == "open" or not rule.open_only:
            at = first_time(rule.starts, seen)
            subject = subject_of(rule, seen)
            if at is not None and not any(
                cycle.name == rule.name and cycle.subject == subject for cycle in clocks.cycles
            ):
                clocks = begin(clocks, choice, seen, at, book)
    return clocks


def counted(clocks: CaseClocks, rule: TargetRule, seen: Seen) -> CaseClocks:
    """With a message that waits for an answer, or without those that were answered (R14)."""
    name, times = rule.name, clocks.unanswered.get(rule.name, ())
    before = times
    answered_at = first_time(rule.satisfied_by, seen)
    if answered_at is not None:
        latest = max(answered_at, clocks.answered.get(name, answered_at))
        clocks = replace(clocks, answered=clocks.answered | {name: latest})
        times = tuple(at for at in times if at > answered_at)
    if first_time(rule.cancelled_by, seen) is not None:
        times = ()
    asked_at = first_time(rule.starts, seen)
    if (
        asked_at is not None
        and asked_at >= clocks.answered.get(name, asked_at)
        and (clocks.stage == "open" or not rule.open_only)
    ):
        times = tuple(sorted((*times, asked_at)))
    if times == before:
        return clocks
    return replace(clocks, unanswered=clocks.unanswered | {name: times})


def renewed(clocks: CaseClocks, seen: Seen, book: Book) -> CaseClocks:
    """With a clock running for the oldest message that nobody has answered (R14)."""
    for name, times in clocks.unanswered.items():
        choice = book.chosen(clocks.attributes, seen.then).rules.get(name)
        if not times or choice is None:
            continue
        running = next((cycle for cycle in clocks.running if cycle.name == name), None)
        if running is None:
            if not any(cycle.name in choice.rule.after for cycle in clocks.running):
                clocks = begin(clocks, choice, seen, times[0], book)
        elif times[0] < running.started and running.breach is None:
            legs = (replace(running.legs[0], since=times[0]), *running.legs[1:])
            earlier = replace(running, started=times[0], legs=legs)
            clocks = changed(clocks, running, repaused(clocks, earlier, book))
    return clocks


def begun_again(clocks: CaseClocks, met: tuple[Cycle, ...], seen: Seen, book: Book) -> CaseClocks:
    """With another cycle of each clock that runs from one answer to the next."""
    if not met or clocks.stage != "open":
        return clocks
    for cycle in met:
        choice = book.chosen(clocks.attributes, seen.then).rules.get(cycle.name)
        if choice and choice.rule.recurs == "at_once" and cycle.satisfied is not None:
            clocks = begin(clocks, choice, seen, cycle.satisfied, book)
    return clocks


def begin(clocks: CaseClocks, choice: Choice, seen: Seen, at: int, book: Book) -> CaseClocks:
    pin, rule = choice
    due = getattr(seen.event, rule.due_from, None) if rule.due_from else None
    target = target_for(rule, clocks.attributes.priority)
    if due is None and target is None:
        return clocks
    leg = Leg(at, pin, seen.name, target, None if due is None else micros(due))
    cycle = new_cycle(clocks, choice, seen, subject_of(rule, seen), (leg,), book)
    return replace(clocks, running=(*clocks.running, cycle))


def new_cycle(
    clocks: CaseClocks,
    choice: Choice,
    seen: Seen,
    subject: str | None,
    legs: tuple[Leg, ...],
    book: Book,
) -> Cycle:
    name = choice.rule.name
    clock_id = uuid5(clocks.case_id, name if subject is None else f"{name}/{subject}")
    earlier = [c.cycle for c in clocks.cycles if c.name == name and c.subject == subject]
    cycle = Cycle(
        clock_id=clock_id,
        cycle=max(earlier, default=0) + 1,
        name=name,
        kind=choice.rule.kind,
        subject=subject,
        pinned=(seen.then.position, seen.then.at),
        started=legs[0].since,
        legs=legs,
    )
    return repaused(clocks, cycle, book)


def subject_of(rule: TargetRule, seen: Seen) -> str | None:
    return getattr(seen.event, rule.subject, None) if rule.subject else None


def overruled(
    clocks: CaseClocks,
    event: ClockWarned | ClockBreached | ClockRebaselined | ClockResultRescinded,
    seen: Seen,
    book: Book,
) -> CaseClocks:
    """With what the clock set says of a cycle."""
    cycle = clocks.cycle(event.clock_id, event.cycle)
    if cycle is None:
        return clocks
    match event:
        case ClockWarned():
            if event.threshold in cycle.warned:
                return clocks
            return changed(clocks, cycle, replace(cycle, warned=(*cycle.warned, event.threshold)))
        case ClockBreached():
            # What the ledger knew before it outweighs what the process that wrote it knew.
            due, detected = micros(event.due_at), micros(event.detected_at)
            if breached_due(cycle, book, detected) != due:
                return clocks
            return changed(clocks, cycle, replace(cycle, breach=Breach(due, detected)))
        case ClockRebaselined():
            return changed(clocks, cycle, rebaselined(clocks, cycle, event, seen, book))
        case ClockResultRescinded():
            return clocks.rescinded(event.clock_id, event.cycle, book)


def rebaselined(
    clocks: CaseClocks, cycle: Cycle, event: ClockRebaselined, seen: Seen, book: Book
) -> Cycle:
    leg = cycle.legs[-1]
    if leg.due is not None or cycle.kind == "regulatory" or not book.has(event.after, cycle.name):
        return cycle
    if event.after == leg.pin:
        return cycle  # Nothing moves: what it was left by an earlier change is not left anew.
    rule = book.rule(event.after, cycle.name)
    target = target_for(rule, clocks.attributes.priority)
    if target is None:
        return cycle
    moved = onto(cycle, Leg(micros(event.effective_at), event.after, seen.name, target), book)
    if moved is cycle:
        return cycle
    pinned = replace(moved, pinned=(seen.then.position, seen.then.at))
    return repaused(clocks, pinned, book)


def changed(clocks: CaseClocks, old: Cycle, new: Cycle) -> CaseClocks:
    if new is old:
        return clocks
    cycles = [new if cycle is old else cycle for cycle in clocks.cycles]
    return replace(
        clocks,
        over=tuple(cycle for cycle in cycles if cycle.ended is not None),
        running=tuple(cycle for cycle in cycles if cycle.ended is None),
    )


def awaited(clocks: CaseClocks, cycle: Cycle, book: Book) -> bool:
    """Whether somebody is to answer it yet: its case is open, or it outlives that."""
    open_only = book.rule(cycle.pin, cycle.name).open_only
    return cycle.ended is None and (clocks.stage == "open" or not open_only)


def refuse_over(cycle: Cycle, book: Book, at: datetime) -> None:
    """Refuse to rebaseline what is over, or what others than the desk have set (R10, I-29)."""
    if cycle.kind == "regulatory" or cycle.legs[-1].due is not None:
        raise Rejected(
            "clock-not-ours",
            f"{cycle.name} is due when "
            + ("a regulator" if cycle.kind == "regulatory" else "what was agreed")
            + " says: no version of ours moves it",
            clock_id=cycle.clock_id,
            invariant="I-29",
        )
    if is_over(cycle, book, micros(at)):
        state = view(cycle, book, at).state
        raise Rejected(
            "clock-over",
            f"cycle {cycle.cycle} of {cycle.name} is {state} already, and stays so: only cycles"
            " that run can be moved to other versions",
            clock_id=cycle.clock_id,
        )


def refuse_unproven(
    clocks: CaseClocks, without: CaseClocks, cycle: Cycle, book: Book, at: datetime
) -> None:
    """Refuse to take back a result that the record, as it is now, would only lead to again; or to
    something else, but not by what is brought as evidence, `without` which it is reckoned, too."""
    before, then = view(cycle, book, at), taken_back(clocks, cycle, book, at)
    if (before.state, before.due_at) == then:
        raise Rejected(
            "nothing-proven",
            f"the record shows cycle {cycle.cycle} of {cycle.name} {before.state} as before:"
            " record first what happened, with the time when it did",
            clock_id=cycle.clock_id,
        )
    if taken_back(without, cycle, book, at) in (then, None):
        raise Rejected(
            "no-evidence",
            f"{cycle.name} comes out the same with and without this event: name the one that"
            " shows what happened, and when",
            field="evidence",
        )


def taken_back(
    clocks: CaseClocks, cycle: Cycle, book: Book, at: datetime
) -> tuple[ClockState, datetime | None] | None:
    """How the cycle stands when its result is decided anew, if there is such a cycle."""
    again = clocks.rescinded(cycle.clock_id, cycle.cycle, book)
    found = again.cycle(cycle.clock_id, cycle.cycle)
    if found is None:
        return None
    seen = view(found, book, at)
    return seen.state, seen.due_at
