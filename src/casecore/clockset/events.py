"""What only time can tell of a case's clocks, or a person overrules."""

from datetime import datetime
from uuid import UUID

from casecore.facts import Event
from casecore.sla.events import Pin


class ClockWarned(Event, frozen=True):
    case_id: UUID
    clock_id: UUID
    cycle: int
    name: str
    threshold: str
    due_at: datetime | None

    def told(self) -> str:
        due = f"due {self.due_at:%Y-%m-%d %H:%M} UTC" if self.due_at else "paused"
        return f"warned that clock {self.name} is at {self.threshold}: {due}"


class ClockBreached(Event, frozen=True):
    case_id: UUID
    clock_id: UUID
    cycle: int
    name: str
    due_at: datetime
    detected_at: datetime

    def told(self) -> str:
        return f"found clock {self.name} breached: due {self.due_at:%Y-%m-%d %H:%M} UTC"


class ClockRebaselined(Event, frozen=True):
    case_id: UUID
    clock_id: UUID
    cycle: int
    name: str
    before: Pin
    after: Pin
    effective_at: datetime
    reason: str

    def told(self) -> str:
        return f"moved clock {self.name} from {self.before} to {self.after}: {self.reason}"


class ClockResultRescinded(Event, frozen=True):
    case_id: UUID
    clock_id: UUID
    cycle: int
    name: str
    evidence: UUID
    """The event that proves otherwise."""
    reason: str

    def told(self) -> str:
        return f"took back the result of clock {self.name}: {self.reason}"


ClockEvent = ClockWarned | ClockBreached | ClockRebaselined | ClockResultRescinded
