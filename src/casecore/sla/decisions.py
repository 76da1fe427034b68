"""The book of calendars and policies: draft what comes, publish it, and retire it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

from casecore.actors import Actor, Role
from casecore.asking import LEADS, Ask, Code, Instant, Text
from casecore.case.events import CaseEvent
from casecore.clocks.calendar import Calendar
from casecore.clocks.instants import within_years
from casecore.clocks.openings import Openings
from casecore.clocks.targets import (
    AnyTarget,
    BusinessDays,
    CalendarDays,
    ElapsedTime,
    OpenTime,
    Weeks,
)
from casecore.errors import CaseError, NotFound, Rejected
from casecore.sla.events import (
    CalendarDrafted,
    CalendarPublished,
    Match,
    SlaEvent,
    SlaPolicy,
    SlaPolicyDrafted,
    SlaPolicyPublished,
    SlaPolicyRetired,
    TargetRule,
    Trigger,
)
from casecore.sla.state import NEVER, SlaBook

AHEAD_MAX = timedelta(days=3650)
"""How long before it takes effect a policy may be published."""
PUBLISHERS = frozenset({Role.ADMIN, Role.SYSTEM})
ENDS = frozenset({"CaseWithdrawn", "CaseMarkedNotComplaint"})
"""What alone ends a regulator's clock (I-29)."""
PAUSABLE = (OpenTime, ElapsedTime)
DAY_SECONDS = 86_400
FIELDS: dict[str, dict[str, Any]] = {
    event.__name__: get_type_hints(event) for event in get_args(CaseEvent)
}


class DraftCalendar(Ask, frozen=True, kw_only=True):
    """Write down the next version of a calendar, which no clock runs by yet."""

    WHO = LEADS

    calendar_id: Code
    calendar: Calendar

    def decide(self, state: SlaBook, by: Actor, at: datetime) -> list[SlaEvent]:
        Openings(self.calendar)
        if state.calendar_drafts.get(self.calendar_id) == self.calendar:
            return []
        return [CalendarDrafted(self.calendar_id, self.calendar)]


class PublishCalendar(Ask, frozen=True, kw_only=True):
    """Publish a version of a calendar: clocks that start from now on run by it."""

    WHO = PUBLISHERS

    calendar_id: Code
    calendar: Calendar

    def decide(self, state: SlaBook, by: Actor, at: datetime) -> list[SlaEvent]:
        Openings(self.calendar)  # Refuses one that is never open, or cannot be read (R19).
        latest = state.calendar(self.calendar_id)
        if latest is not None and latest.calendar == self.calendar:
            return []
        version = latest.version + 1 if latest else 1
        return [CalendarPublished(self.calendar_id, version, self.calendar)]


class DraftSlaPolicy(Ask, frozen=True, kw_only=True):
    """Write down the next version of a policy, which no clock runs by yet."""

    WHO = LEADS

    policy_id: Code
    policy: SlaPolicy

    def decide(self, state: SlaBook, by: Actor, at: datetime) -> list[SlaEvent]:
        refuse_unsound(self.policy)
        if state.policy_drafts.get(self.policy_id) == self.policy:
            return []
        return [SlaPolicyDrafted(self.policy_id, self.policy)]


class PublishSlaPolicy(Ask, frozen=True, kw_only=True):
    """Put a policy into force, now or from a later time on. Clocks that run are not touched."""

    WHO = PUBLISHERS

    policy_id: Code
    policy: SlaPolicy
    effective_from: Instant | None = None

    def decide(self, state: SlaBook, by: Actor, at: datetime) -> list[SlaEvent]:
        refuse_unsound(self.policy)
        refuse_unreckonable(state, self.policy, at)
        since = effective(self.effective_from, at, "effective_from")
        before = state.at(self.policy_id, since)
        if before is not None and before.policy == self.policy:
            return []
        refuse_equal_rank(state, self.policy_id, self.policy, since)
        version = len(state.versions(self.policy_id)) + 1
        return [SlaPolicyPublished(self.policy_id, version, self.policy, since)]


class RetireSlaPolicy(Ask, frozen=True, kw_only=True):
    """Let a policy give no more clocks, now or from a later time on; those it gave run on."""

    WHO = PUBLISHERS

    policy_id: Code
    reason: Text
    retired_from: Instant | None = None

    def decide(self, state: SlaBook, by: Actor, at: datetime) -> list[SlaEvent]:
        if not state.versions(self.policy_id):
            raise NotFound(
                "policy-not-found",
                f"no policy {self.policy_id} was ever published: there are"
                f" {', '.join(sorted(state.policies)) or 'none'}",
                field="policy_id",
            )
        since = effective(self.retired_from, at, "retired_from")
        if all(reign.until <= since for reign in state.reigns(self.policy_id)):
            return []
        return [SlaPolicyRetired(self.policy_id, since, self.reason)]


SlaCommand = DraftCalendar | PublishCalendar | DraftSlaPolicy | PublishSlaPolicy | RetireSlaPolicy


def effective(since: datetime | None, at: datetime, field: str) -> datetime:
    if since is None:
        return at
    if not at <= since <= at + AHEAD_MAX:
        raise Rejected(
            "effective-from-invalid",
            "a policy changes when that is published or later, and within"
            f" {AHEAD_MAX.days} days: leave {field} out, or name such a time",
            field=field,
            invariant="I-32",
        )
    return since.astimezone(UTC)


def refuse_unsound(policy: SlaPolicy) -> None:
    """Refuse rules that contradict themselves, or speak of events that there are not."""
    call = policy.return_call
    if call is not None and call.within_seconds <= call.after_seconds:
        raise Rejected(
            "policy-unsound",
            "return_call begins after it ends: make within_seconds more than after_seconds",
            field="return_call",
        )
    names = [rule.name for rule in policy.targets]
    for rule in policy.targets:
        if names.count(rule.name) > 1:
            raise unsound(rule, "there are two targets of this name: keep one")
        if rule.target is None and not rule.by_priority and rule.due_from is None:
            raise unsound(rule, "says no target: give target, by_priority or due_from")
        if rule.moved_by and rule.due_from is None:
            raise unsound(rule, "is moved to a date: name the field of it in due_from")
        if rule.subject and rule.recurs != "never":
            raise unsound(rule, "has a clock for each subject, which cannot recur")
        if rule.paused_by and any(not isinstance(t, PAUSABLE) for t in targets(rule)):
            raise unsound(rule, "is a date, which no pause moves: leave paused_by out")
        for warn in rule.warnings:
            if (warn.percent is None) == (warn.seconds_left is None):
                raise unsound(rule, "each warning has either percent or seconds_left")
        for trigger in rule.starts:
            refuse_unknown(rule, trigger, rule.subject)
        for trigger in rule.moved_by:
            refuse_unknown(rule, trigger, rule.due_from)
        for trigger in (*rule.satisfied_by, *rule.cancelled_by, *rule.moved_by):
            refuse_unknown(rule, trigger)
        beginning = (*rule.starts, *(rule.satisfied_by if rule.recurs == "at_once" else ()))
        if rule.due_from and not any(rule.due_from in FIELDS[t.event] for t in beginning):
            raise unsound(rule, f"is due by {rule.due_from}, a field of no event that starts it")
        if rule.kind == "regulatory":
            refuse_lenient(rule)


def refuse_unknown(rule: TargetRule, trigger: Trigger, *fields: str | None) -> None:
    known = FIELDS.get(trigger.event)
    if known is None:
        raise Rejected(
            "unknown-event",
            f"target {rule.name} names an event {trigger.event}, and a case has none such",
            field=f"targets.{rule.name}",
        )
    for field in (*trigger.where, *filter(None, (trigger.at, *fields))):
        if field not in known:
            raise Rejected(
                "unknown-field",
                f"target {rule.name} reads {field} of {trigger.event}, which has"
                f" {', '.join(known)}",
                field=f"targets.{rule.name}",
            )
    if trigger.at is not None and datetime not in (known[trigger.at], *get_args(known[trigger.at])):
        raise unsound(rule, f"{trigger.at} of {trigger.event} is no time")


def refuse_lenient(rule: TargetRule) -> None:
    """A regulator's clock is not paused, and nothing but the end of the case ends it (I-29)."""
    if rule.paused_by:
        raise lenient(rule, "be paused: leave paused_by out")
    for trigger in rule.cancelled_by:
        if trigger.event not in ENDS:
            raise lenient(rule, f"be cancelled by {trigger.event}")


def lenient(rule: TargetRule, what: str) -> Rejected:
    return Rejected(
        "regulatory-target-lenient",
        f"target {rule.name} is regulatory and cannot {what}",
        field=f"targets.{rule.name}",
        invariant="I-29",
    )


def refuse_unreckonable(state: SlaBook, policy: SlaPolicy, at: datetime) -> None:
    """Refuse targets that leave no time, or too little for a warning, or that the calendar never
    comes to."""
    published = state.calendar(policy.calendar_id)
    if published is None:
        raise Rejected(
            "unknown-calendar",
            f"there is no calendar {policy.calendar_id}: publish it first; there are"
            f" {', '.join(sorted(state.calendars)) or 'none'}",
            field="calendar_id",
        )
    openings = Openings(published.calendar)
    for rule in policy.targets:
        for target in targets(rule):
            try:
                target.clock(openings, within_years(at, "at"), []).due  # noqa: B018
            except CaseError as refusal:
                raise Rejected(
                    refusal.code, f"target {rule.name}: {refusal}", field=f"targets.{rule.name}"
                ) from None
        refuse_never_warning(rule)


def refuse_never_warning(rule: TargetRule) -> None:
    """Refuse a warning that is before the beginning of all that the rule leaves time for."""
    if rule.due_from is not None:
        return  # An event may leave any time.
    seconds_max = max(map(longest, targets(rule)))
    for warn in rule.warnings:
        if warn.seconds_left is not None and warn.seconds_left > seconds_max:
            raise unsound(
                rule,
                f"warns with {warn.seconds_left} seconds left, of which there are never as many:"
                f" make it {seconds_max} or less, or a percent",
            )


def longest(target: AnyTarget) -> int:
    """How many seconds it leaves at most."""
    match target:
        case OpenTime(seconds=seconds) | ElapsedTime(seconds=seconds):
            return seconds
        case BusinessDays(days=days) | CalendarDays(days=days):
            # The day of receipt is another, and one for all the hours by which a day may be longer.
            return (days + 2) * DAY_SECONDS
        case Weeks(weeks=weeks):
            return (7 * weeks + 2) * DAY_SECONDS


def targets(rule: TargetRule) -> Iterator[AnyTarget]:
    if rule.target is not None:
        yield rule.target
    yield from rule.by_priority.values()


def refuse_equal_rank(state: SlaBook, policy_id: str, policy: SlaPolicy, since: datetime) -> None:
    """Refuse to leave it open which of two policies a case would go by (R19, I-32)."""
    for other_id in state.policies:
        if other_id == policy_id:
            continue
        for reign in state.reigns(other_id):
            other = reign.published.policy
            if (
                since < reign.until
                and other.rank == policy.rank
                and both_can_match(policy.match, other.match)
            ):
                when = f"from {max(since, reign.since):%Y-%m-%d %H:%M} UTC"
                when += f" to {reign.until:%Y-%m-%d %H:%M} UTC" if reign.until < NEVER else " on"
                raise Rejected(
                    "policy-rank-conflict",
                    f"{policy_id} and {other_id} have rank {policy.rank} both, and a case may"
                    f" match both {when}: give one of them another rank, or another match",
                    field="rank",
                    policy_id=other_id,
                    invariant="I-32",
                )


def both_can_match(one: Match, other: Match) -> bool:
    """Whether a case may match both. It may lie in several jurisdictions: they keep none apart."""
    return all(
        overlap(ours, theirs)
        for ours, theirs in (
            (one.products, other.products),
            (one.channels, other.channels),
            (one.priorities, other.priorities),
            (one.tiers, other.tiers),
            (one.queues, other.queues),
        )
    )


def overlap(ours: Iterable[str], theirs: Iterable[str]) -> bool:
    return not ours or not theirs or not set(ours).isdisjoint(theirs)


def unsound(rule: TargetRule, message: str) -> Rejected:
    return Rejected("policy-unsound", f"target {rule.name} {message}", field=f"targets.{rule.name}")
