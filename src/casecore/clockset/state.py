"""What was recorded of a case's clocks already, so that nothing is recorded twice."""

from datetime import datetime
from typing import Self, assert_never
from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace

from casecore.clockset.events import (
    ClockBreached,
    ClockEvent,
    ClockRebaselined,
    ClockResultRescinded,
    ClockWarned,
)
from casecore.sla.events import Pin

CycleId = tuple[UUID, int]
"""A clock, and which of its cycles."""


def clockset_id(case_id: UUID) -> UUID:
    """The stream beside the case's own, so that timers never contend with people."""
    return uuid5(case_id, "clocks")


class ClockSet(msgspec.Struct, frozen=True):
    id: UUID
    warned: frozenset[tuple[UUID, int, str]] = frozenset()
    breached: dict[CycleId, datetime] = {}
    """When each was due, by the breach that stands."""
    findings: dict[CycleId, int] = {}
    """How often it was found breached, whether or not that stands."""
    rebaselined: dict[CycleId, Pin] = {}
    rescinded: frozenset[tuple[UUID, int, UUID]] = frozenset()
    """By which evidence."""

    def evolve(self, event: ClockEvent) -> Self:
        cycle = (event.clock_id, event.cycle)
        match event:
            case ClockWarned():
                return replace(self, warned=self.warned | {(*cycle, event.threshold)})
            case ClockBreached():
                findings = self.findings | {cycle: self.findings.get(cycle, 0) + 1}
                breached = self.breached | {cycle: event.due_at}
                return replace(self, breached=breached, findings=findings)
            case ClockRebaselined():
                return replace(self, rebaselined=self.rebaselined | {cycle: event.after})
            case ClockResultRescinded():
                standing = {id: due for id, due in self.breached.items() if id != cycle}
                rescinded = self.rescinded | {(*cycle, event.evidence)}
                return replace(self, breached=standing, rescinded=rescinded)
            case _:
                assert_never(event)
