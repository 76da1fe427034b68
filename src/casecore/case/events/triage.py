"""Triage: how grave the complaint is, and what it is about."""

from casecore.case.events.intake import Priority
from casecore.facts import Event


class CaseTriaged(Event, frozen=True):
    """Severity, complexity and impact run from 1 to 5 (ISO 10002:2018, 7.5)."""

    severity: int
    complexity: int
    impact: int
    immediate_action: bool
    category: str
    priority: Priority

    def told(self) -> str:
        return f"triaged the case as {self.category}, severity {self.severity}, {self.priority}"


class CaseReclassified(Event, frozen=True):
    reason: str
    category: str | None
    product: str | None
    old_category: str | None
    old_product: str | None

    def told(self) -> str:
        return f"reclassified the case as {self.product or '-'} / {self.category or '-'}"


class PriorityChanged(Event, frozen=True):
    old: Priority
    new: Priority
    reason: str

    def told(self) -> str:
        return f"changed the priority from {self.old} to {self.new}: {self.reason}"


TriageEvent = CaseTriaged | CaseReclassified | PriorityChanged
