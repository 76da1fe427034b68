"""How far the case has come."""

from datetime import datetime
from typing import Literal, Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.callbacks import CallbackAbandoned, CustomerCalledBack
from casecore.case.events.intake import CaseRegistered
from casecore.case.events.investigation import InvestigationStarted
from casecore.case.events.outcome import (
    CaseClosed,
    CaseMarkedNotComplaint,
    CaseReopened,
    CaseWithdrawn,
    ComplaintResolved,
)
from casecore.case.events.solutions import SolutionOffered, SolutionRejected
from casecore.case.events.triage import CaseTriaged

Stage = Literal[
    "unknown",
    "registered",
    "triaged",
    "investigating",
    "solution_offered",
    "resolved",
    "closed",
    "withdrawn",
    "not_a_complaint",
]
OPEN: frozenset[Stage] = frozenset({"registered", "triaged", "investigating", "solution_offered"})
"""The stages in which the complaint is being worked on."""
ENDED: frozenset[Stage] = frozenset({"withdrawn", "not_a_complaint"})
"""The stages from which no way leads back (I-05)."""


class Course(msgspec.Struct, frozen=True):
    stage: Stage = "unknown"
    resolution: ComplaintResolved | None = None
    """The last one, while it stands."""
    reopening: CaseReopened | None = None
    """The last one, until the case is resolved again."""
    called_back: bool = False
    """Since the last resolution, a callback was completed or given up."""
    closed_at: datetime | None = None
    """When it was closed, which is when the time to reopen it begins to run."""

    def evolve(
        self,
        event: CaseRegistered
        | CaseTriaged
        | InvestigationStarted
        | SolutionOffered
        | SolutionRejected
        | ComplaintResolved
        | CustomerCalledBack
        | CallbackAbandoned
        | CaseClosed
        | CaseReopened
        | CaseWithdrawn
        | CaseMarkedNotComplaint,
    ) -> Self:
        match event:
            case CaseRegistered():
                return replace(self, stage="registered")
            case CaseTriaged():
                return replace(self, stage="triaged") if self.stage == "registered" else self
            case InvestigationStarted() | SolutionRejected():
                return replace(self, stage="investigating")
            case SolutionOffered():
                return replace(self, stage="solution_offered")
            case ComplaintResolved():
                return replace(
                    self, stage="resolved", resolution=event, reopening=None, called_back=False
                )
            case CustomerCalledBack() | CallbackAbandoned():
                return replace(self, called_back=self.stage == "resolved")
            case CaseClosed():
                return replace(self, stage="closed", closed_at=event.closed_at)
            case CaseReopened():
                return replace(
                    self, stage="investigating", resolution=None, reopening=event, closed_at=None
                )
            case CaseWithdrawn():
                return replace(self, stage="withdrawn")
            case CaseMarkedNotComplaint():
                return replace(self, stage="not_a_complaint")
            case _:
                assert_never(event)
