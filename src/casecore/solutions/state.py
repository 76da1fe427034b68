"""As much of a library solution as its rules need to know."""

from typing import Literal, Self, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.solutions.events import (
    Applicability,
    SolutionDrafted,
    SolutionEndorsed,
    SolutionEvent,
    SolutionRevised,
    SolutionSuperseded,
    SolutionTrialled,
    SolutionWithdrawn,
)

SolutionStatus = Literal["unknown", "draft", "trial", "endorsed", "superseded", "withdrawn"]


class Solution(msgspec.Struct, frozen=True):
    id: UUID
    status: SolutionStatus = "unknown"
    version: int = 0
    title: str = ""
    text: str = ""
    applies_to: Applicability = Applicability()
    superseded_by: UUID | None = None

    def evolve(self, event: SolutionEvent) -> Self:
        match event:
            case SolutionDrafted():
                return replace(
                    self,
                    status="draft",
                    version=1,
                    title=event.title,
                    text=event.text,
                    applies_to=event.applies_to,
                )
            case SolutionRevised():
                return replace(
                    self,
                    status="draft",
                    version=event.version,
                    title=event.title,
                    text=event.text,
                    applies_to=event.applies_to,
                )
            case SolutionTrialled():
                return replace(self, status="trial")
            case SolutionEndorsed():
                return replace(self, status="endorsed")
            case SolutionSuperseded():
                return replace(self, status="superseded", superseded_by=event.by_solution_id)
            case SolutionWithdrawn():
                return replace(self, status="withdrawn")
            case _:
                assert_never(event)
