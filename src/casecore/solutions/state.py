"""As much of a library solution as its rules need to know."""

from typing import Literal, Self, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.solutions.events import (
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
    text: str = ""
    endorsed_version: int | None = None

    def evolve(self, event: SolutionEvent) -> Self:
        match event:
            case SolutionDrafted():
                return replace(self, status="draft", version=1, text=event.text)
            case SolutionRevised():
                return replace(self, status="draft", version=event.version, text=event.text)
            case SolutionTrialled():
                return replace(self, status="trial")
            case SolutionEndorsed():
                return replace(self, status="endorsed", endorsed_version=event.version)
            case SolutionSuperseded():
                return replace(self, status="superseded")
            case SolutionWithdrawn():
                return replace(self, status="withdrawn")
            case _:
                assert_never(event)
