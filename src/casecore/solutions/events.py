"""What can happen to an entry of the solution library."""

from typing import Literal
from uuid import UUID

import msgspec

from casecore.facts import Event

Proposer = Literal["customer", "agent", "joint", "library"]


class Applicability(msgspec.Struct, frozen=True):
    """Where a solution fits; None means anywhere."""

    product: str | None = None
    category: str | None = None
    cause_code: str | None = None


class SolutionDrafted(Event, frozen=True):
    title: str
    text: str
    proposer: Proposer
    applies_to: Applicability
    source_case_id: UUID
    source_solution_id: str

    def told(self) -> str:
        return f"drafted the solution “{self.title}”"


class SolutionRevised(Event, frozen=True):
    """A new version of the text; cases cite the version they used."""

    version: int
    title: str
    text: str
    applies_to: Applicability

    def told(self) -> str:
        return f"revised the solution “{self.title}” to version {self.version}"


class SolutionTrialled(Event, frozen=True):
    note: str | None = None

    def told(self) -> str:
        return "put the solution on trial"


class SolutionEndorsed(Event, frozen=True):
    version: int
    why: str

    def told(self) -> str:
        return f"endorsed version {self.version}: {self.why}"


class SolutionSuperseded(Event, frozen=True):
    by_solution_id: UUID
    reason: str

    def told(self) -> str:
        return f"superseded the solution by {self.by_solution_id}: {self.reason}"


class SolutionWithdrawn(Event, frozen=True):
    reason: str

    def told(self) -> str:
        return f"withdrew the solution: {self.reason}"


SolutionEvent = (
    SolutionDrafted
    | SolutionRevised
    | SolutionTrialled
    | SolutionEndorsed
    | SolutionSuperseded
    | SolutionWithdrawn
)
