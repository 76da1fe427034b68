"""Triage: say how grave the complaint is, and what it is about."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from casecore.actors import Actor
from casecore.asking import Short, Text
from casecore.case.decisions.base import CaseAsk, refuse_unless
from casecore.case.events import CaseEvent
from casecore.case.events.intake import Priority
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged
from casecore.case.state import Case
from casecore.case.state.outcome import OPEN
from casecore.errors import Rejected

Grade = Annotated[int, Meta(ge=1, le=5, description="1 is slight, 5 is extreme")]

UNANSWERED = OPEN - {"solution_offered"}
"""The stages in which no solution is on offer, so that what the case is about may still change."""


class TriageCase(CaseAsk, frozen=True, kw_only=True):
    """Assess the complaint: how severe, how complex, of what impact, and of which category."""

    severity: Grade
    complexity: Grade
    impact: Grade
    category: Short
    immediate_action: bool = False
    priority: Priority | None = None
    """Without one, the case keeps the priority it has."""

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNANSWERED, self)
        triaged = CaseTriaged(
            severity=self.severity,
            complexity=self.complexity,
            impact=self.impact,
            immediate_action=self.immediate_action,
            category=self.category,
            priority=self.priority or state.triage.priority,
        )
        return [] if triaged == state.triage.assessment else [triaged]


class Reclassify(CaseAsk, frozen=True, kw_only=True):
    """Correct what the complaint is about: its category, its product, or both."""

    reason: Text
    category: Short | None = None
    product: Short | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNANSWERED, self)
        if self.category is None and self.product is None:
            raise Rejected(
                "nothing-to-reclassify", "name the new category or product", field="category"
            )
        triage = state.triage
        category, product = self.category or triage.category, self.product or triage.product
        if (category, product) == (triage.category, triage.product):
            return []
        return [CaseReclassified(self.reason, category, product, triage.category, triage.product)]


class ChangePriority(CaseAsk, frozen=True, kw_only=True):
    """Let the case be handled sooner, or later, than it would have been."""

    priority: Priority
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, OPEN, self)
        if self.priority == state.triage.priority:
            return []
        return [PriorityChanged(state.triage.priority, self.priority, self.reason)]


TriageCommand = TriageCase | Reclassify | ChangePriority
