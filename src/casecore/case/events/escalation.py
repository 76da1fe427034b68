"""Escalation: sideways to another function, or up to a supervisor."""

from datetime import datetime
from typing import Literal

from casecore.facts import Event

EscalationKind = Literal["hierarchical", "functional"]
RequestedBy = Literal["agent", "customer", "system"]
HardTrigger = Literal["promise_at_risk", "breach", "vulnerability", "litigation_threat"]
SupervisorDecision = Literal["upheld", "varied", "overturned"]


class ComplaintEscalated(Event, frozen=True):
    escalation_id: str
    kind: EscalationKind
    tier: int
    reason: str
    requested_by: RequestedBy
    asked_by: str
    """The id of whoever recorded it, who may not also accept it."""
    trigger: HardTrigger | None = None
    alternatives_tried: tuple[str, ...] = ()
    to_team: str | None = None
    promise_id: str | None = None
    """The promise that is at risk."""
    promise_due_at: datetime | None = None

    def told(self) -> str:
        where = f"to tier {self.tier}" if self.kind == "hierarchical" else f"to {self.to_team}"
        return f"escalated the complaint {where} ({self.escalation_id}): {self.reason}"


class EscalationAccepted(Event, frozen=True):
    escalation_id: str

    def told(self) -> str:
        return f"accepted escalation {self.escalation_id}"


class EscalationDeclined(Event, frozen=True):
    escalation_id: str
    guidance: str

    def told(self) -> str:
        return f"declined escalation {self.escalation_id}, advising: {self.guidance}"


class SupervisorSpoke(Event, frozen=True):
    escalation_id: str
    decision: SupervisorDecision
    heat_before: int | None = None
    heat_after: int | None = None
    interaction_id: str | None = None

    def told(self) -> str:
        return f"spoke with the customer as supervisor: the decision was {self.decision}"


class EscalationClosed(Event, frozen=True):
    escalation_id: str
    outcome: str

    def told(self) -> str:
        return f"closed escalation {self.escalation_id}: {self.outcome}"


EscalationEvent = (
    ComplaintEscalated
    | EscalationAccepted
    | EscalationDeclined
    | SupervisorSpoke
    | EscalationClosed
)
