"""Solutions: what might put it right, whose idea it was, and whether it worked.

`proposer` and the library entry are repeated on what becomes of a solution, so that a read
model can count by them without looking back.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from casecore.case.events.intake import Channel
from casecore.facts import Event
from casecore.solutions.events import Proposer

VerifiedBy = Literal["customer", "agent"]


class LibraryEntry(msgspec.Struct, frozen=True):
    """A version of a solution in the library."""

    solution_id: UUID
    version: int


class CustomerInvitedToCraft(Event, frozen=True):
    interaction_id: str | None = None

    def told(self) -> str:
        return "asked the customer what would put it right"


class SolutionProposed(Event, frozen=True):
    solution_id: str
    proposer: Proposer
    text: str
    concern_ids: tuple[str, ...] = ()
    offer_ids: tuple[str, ...] = ()
    library: LibraryEntry | None = None

    def told(self) -> str:
        return f"recorded solution {self.solution_id} (idea: {self.proposer}): {self.text}"


class SolutionAmended(Event, frozen=True):
    solution_id: str
    text: str

    def told(self) -> str:
        return f"amended solution {self.solution_id}: {self.text}"


class SolutionOffered(Event, frozen=True):
    solution_id: str
    proposer: Proposer
    channel: Channel | None = None
    valid_until: datetime | None = None
    library: LibraryEntry | None = None
    again: bool = False
    """True when the same solution, amended since, had been offered before."""

    def told(self) -> str:
        return f"offered solution {self.solution_id}"


class SolutionAccepted(Event, frozen=True):
    solution_id: str
    proposer: Proposer
    in_writing: bool
    channel: Channel | None = None
    library: LibraryEntry | None = None

    def told(self) -> str:
        how = "in writing" if self.in_writing else "by word"
        return f"recorded that the customer accepted solution {self.solution_id} {how}"


class SolutionRejected(Event, frozen=True):
    solution_id: str
    proposer: Proposer
    reason: str
    library: LibraryEntry | None = None

    def told(self) -> str:
        return f"recorded that the customer rejected solution {self.solution_id}: {self.reason}"


class SolutionImplemented(Event, frozen=True):
    solution_id: str
    action_refs: tuple[str, ...] = ()

    def told(self) -> str:
        return f"carried out solution {self.solution_id}"


class SolutionVerified(Event, frozen=True):
    solution_id: str
    proposer: Proposer
    worked: bool
    verified_by: VerifiedBy
    library: LibraryEntry | None = None

    def told(self) -> str:
        worked = "worked" if self.worked else "did not work"
        return f"verified with the {self.verified_by} that solution {self.solution_id} {worked}"


class BestPracticeNominated(Event, frozen=True):
    solution_id: str
    library_solution_id: UUID
    why: str

    def told(self) -> str:
        return f"nominated solution {self.solution_id} for the library: {self.why}"


CaseSolutionEvent = (
    CustomerInvitedToCraft
    | SolutionProposed
    | SolutionAmended
    | SolutionOffered
    | SolutionAccepted
    | SolutionRejected
    | SolutionImplemented
    | SolutionVerified
    | BestPracticeNominated
)
