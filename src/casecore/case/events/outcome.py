"""Outcome: resolved, closed, reopened, or found to be no complaint after all."""

from datetime import datetime
from typing import Literal

import msgspec

from casecore.case.events.solutions import LibraryEntry
from casecore.facts import Event
from casecore.money import Money
from casecore.solutions.events import Proposer

Outcome = Literal["upheld", "partly_upheld", "rejected", "heard_no_action"]
ReopenReason = Literal[
    "dissatisfied", "new_information", "solution_failed", "recurrence", "external_decision"
]


class UnresolvedConcern(msgspec.Struct, frozen=True):
    """A major concern that the resolution leaves open, and why."""

    concern_id: str
    reason: str


class DoubtedSolution(msgspec.Struct, frozen=True):
    """An accepted solution that a reopening puts in doubt."""

    solution_id: str
    proposer: Proposer
    library: LibraryEntry | None = None


class ComplaintResolved(Event, frozen=True):
    outcome: Outcome
    reasons: str
    accepted_by_customer: bool | None = None
    first_contact: bool = False
    redress: tuple[Money, ...] = ()
    """The sum of accepted and paid goodwill, one per currency."""
    unresolved: tuple[UnresolvedConcern, ...] = ()

    def told(self) -> str:
        return f"resolved the complaint as {self.outcome.replace('_', ' ')}: {self.reasons}"


class CaseClosed(Event, frozen=True):
    closed_at: datetime
    reason: str | None = None

    def told(self) -> str:
        return "closed the case" + (f": {self.reason}" if self.reason else "")


class CaseReopened(Event, frozen=True):
    reason: ReopenReason
    text: str
    solutions: tuple[DoubtedSolution, ...] = ()

    def told(self) -> str:
        return f"reopened the case ({self.reason.replace('_', ' ')}): {self.text}"


class CaseWithdrawn(Event, frozen=True):
    customer_words: str

    def told(self) -> str:
        return f"recorded that the customer withdrew: {self.customer_words}"


class CaseMarkedNotComplaint(Event, frozen=True):
    reason: str

    def told(self) -> str:
        return f"found that this is not a complaint: {self.reason}"


OutcomeEvent = (
    ComplaintResolved | CaseClosed | CaseReopened | CaseWithdrawn | CaseMarkedNotComplaint
)
