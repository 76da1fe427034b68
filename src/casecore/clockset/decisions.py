"""A case's clocks: say once that one warned or was breached, and overrule one with a reason.

Whether a clock runs, and until when, follows from the case's own events: who asks has reckoned it
(`casecore.sla.reckoning`), and says which cycle they mean. What the ledger knew before outweighs
what they knew: a breach that does not follow from it changes nothing.
"""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.asking import LEADS, Ask, Beside, Code, Instant, Short, Text
from casecore.clockset.events import (
    ClockBreached,
    ClockEvent,
    ClockRebaselined,
    ClockResultRescinded,
    ClockWarned,
)
from casecore.clockset.state import ClockSet, clockset_id
from casecore.errors import Malformed, NotFound, Rejected
from casecore.sla.events import Pin
from casecore.sla.state import SLA_BOOK_ID, SlaBook

PROCESS = frozenset({Role.SYSTEM})
CLOCKS_MAX = 100


class ClockAsk(Ask, frozen=True, kw_only=True):
    """A request about the clocks of a case, in the stream beside it."""

    case_id: UUID

    def permit(self, state: ClockSet, by: Actor) -> None:
        super().permit(state, by)
        if clockset_id(self.case_id) != state.id:
            raise Malformed("wrong-case", "these are the clocks of another case", field="case_id")


class WarnClock(ClockAsk, frozen=True, kw_only=True):
    """Record that a clock has come to a threshold of its warnings."""

    WHO = PROCESS

    clock_id: UUID
    cycle: int
    name: Code
    threshold: Short
    due_at: Instant | None = None

    def decide(self, state: ClockSet, by: Actor, at: datetime) -> list[ClockEvent]:
        if (self.clock_id, self.cycle, self.threshold) in state.warned:
            return []
        due_at = None if self.due_at is None else self.due_at.astimezone(UTC)
        return [
            ClockWarned(self.case_id, self.clock_id, self.cycle, self.name, self.threshold, due_at)
        ]


class BreachClock(ClockAsk, frozen=True, kw_only=True):
    """Record that a clock was used up; `at` is when that was found, however late."""

    WHO = PROCESS

    clock_id: UUID
    cycle: int
    name: Code
    due_at: Instant

    def decide(self, state: ClockSet, by: Actor, at: datetime) -> list[ClockEvent]:
        due_at = self.due_at.astimezone(UTC)
        if state.breached.get((self.clock_id, self.cycle)) == due_at:
            return []
        if at <= due_at:
            raise Rejected(
                "not-due", f"clock {self.name} can be met until {due_at:%Y-%m-%d %H:%M:%S.%f} UTC"
            )
        return [ClockBreached(self.case_id, self.clock_id, self.cycle, self.name, due_at, at)]


class Running(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A cycle that runs, as whoever asks has seen it."""

    clock_id: UUID
    cycle: int
    name: Code
    policy_id: Code
    policy_version: int
    calendar_id: Code
    calendar_version: int

    @property
    def pin(self) -> Pin:
        return Pin(self.policy_id, self.policy_version, self.calendar_id, self.calendar_version)


class RebaselineClocks(ClockAsk, frozen=True, kw_only=True):
    """Let running clocks go on by other versions, from now on (R9)."""

    WHO = LEADS

    clocks: Annotated[tuple[Running, ...], Meta(min_length=1, max_length=CLOCKS_MAX)]
    reason: Text
    policy_version: int | None = None
    """Of each clock's own policy; without one, the version in force now."""
    calendar_version: int | None = None
    """Of that policy's calendar; without one, the latest."""

    def beside(self, state: ClockSet) -> Beside:
        return Beside(SlaBook, SLA_BOOK_ID)

    def decide(self, state: ClockSet, by: Actor, at: datetime, book: SlaBook) -> list[ClockEvent]:
        events: list[ClockEvent] = []
        for clock in self.clocks:
            cycle = (clock.clock_id, clock.cycle)
            if cycle in state.breached:
                raise Rejected(
                    "clock-over",
                    f"cycle {clock.cycle} of {clock.name} is breached already, and stays so: only"
                    " cycles that run can be moved to other versions",
                    clock_id=clock.clock_id,
                )
            after = self.after(clock, book, at)
            if after not in (clock.pin, state.rebaselined.get(cycle)):
                events.append(
                    ClockRebaselined(
                        case_id=self.case_id,
                        clock_id=clock.clock_id,
                        cycle=clock.cycle,
                        name=clock.name,
                        before=clock.pin,
                        after=after,
                        effective_at=at,
                        reason=self.reason,
                    )
                )
        return events

    def after(self, clock: Running, book: SlaBook, at: datetime) -> Pin:
        if self.policy_version is None:
            published = book.at(clock.policy_id, at)
        else:
            published = book.policy(clock.policy_id, self.policy_version)
        if published is None:
            raise NotFound(
                "policy-not-found",
                f"there is no such version of policy {clock.policy_id}, or none is in force",
                field="policy_version",
            )
        rule = published.policy.rule(clock.name)
        if rule is None:
            raise Rejected(
                "target-not-found",
                f"version {published.version} of policy {clock.policy_id} has no target"
                f" {clock.name}",
                field="clocks",
            )
        if rule.kind == "regulatory":
            raise Rejected(
                "clock-not-ours",
                f"{clock.name} is due when a regulator says: no version of ours moves it",
                field="clocks",
                invariant="I-29",
            )
        calendar_id = published.policy.calendar_id
        calendar = book.calendar(calendar_id, self.calendar_version)
        if calendar is None:
            raise NotFound(
                "calendar-not-found",
                f"there is no version {self.calendar_version} of calendar {calendar_id}",
                field="calendar_version",
            )
        return Pin(clock.policy_id, published.version, calendar_id, calendar.version)


class RescindResult(ClockAsk, frozen=True, kw_only=True):
    """Take back the result of a clock that a later record has proven wrong (R10, R20)."""

    WHO = LEADS

    clock_id: UUID
    cycle: int
    name: Code
    evidence: UUID
    """The event that proves it."""
    reason: Text

    def decide(self, state: ClockSet, by: Actor, at: datetime) -> list[ClockEvent]:
        if (self.clock_id, self.cycle, self.evidence) in state.rescinded:
            return []
        return [
            ClockResultRescinded(
                case_id=self.case_id,
                clock_id=self.clock_id,
                cycle=self.cycle,
                name=self.name,
                evidence=self.evidence,
                reason=self.reason,
            )
        ]


ClockCommand = WarnClock | BreachClock | RebaselineClocks | RescindResult
