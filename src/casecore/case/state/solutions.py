"""The solutions thought of for the case, and how far each has come."""

from datetime import datetime
from typing import Literal, Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.solutions import (
    BestPracticeNominated,
    CustomerInvitedToCraft,
    LibraryEntry,
    SolutionAccepted,
    SolutionAmended,
    SolutionImplemented,
    SolutionOffered,
    SolutionProposed,
    SolutionRejected,
    SolutionVerified,
)
from casecore.solutions.events import Proposer

SolutionStatus = Literal["proposed", "offered", "accepted", "rejected"]


class Proposal(msgspec.Struct, frozen=True):
    proposer: Proposer
    text: str
    concern_ids: tuple[str, ...] = ()
    offer_ids: tuple[str, ...] = ()
    library: LibraryEntry | None = None
    status: SolutionStatus = "proposed"
    offered_before: bool = False
    valid_until: datetime | None = None
    accepted_in_writing: bool = False
    implemented: bool = False
    worked: bool | None = None
    nominated: bool = False

    def is_as(self, other: Self) -> bool:
        """Whether it says the same as one that the customer has not turned down."""
        return other.status != "rejected" and (
            (self.proposer, self.text, self.concern_ids, self.offer_ids, self.library)
            == (other.proposer, other.text, other.concern_ids, other.offer_ids, other.library)
        )


class Solutions(msgspec.Struct, frozen=True):
    all: dict[str, Proposal] = {}
    invited: frozenset[str | None] = frozenset()
    """The conversations in which the customer was asked for ideas; None outside of any."""

    @property
    def accepted(self) -> dict[str, Proposal]:
        return {id: proposal for id, proposal in self.all.items() if proposal.status == "accepted"}

    def evolve(
        self,
        event: CustomerInvitedToCraft
        | SolutionProposed
        | SolutionAmended
        | SolutionOffered
        | SolutionAccepted
        | SolutionRejected
        | SolutionImplemented
        | SolutionVerified
        | BestPracticeNominated,
    ) -> Self:
        match event:
            case CustomerInvitedToCraft():
                return replace(self, invited=self.invited | {event.interaction_id})
            case SolutionProposed():
                proposal = Proposal(
                    proposer=event.proposer,
                    text=event.text,
                    concern_ids=event.concern_ids,
                    offer_ids=event.offer_ids,
                    library=event.library,
                )
                return replace(self, all=self.all | {event.solution_id: proposal})
            case SolutionAmended():
                return self.having(event.solution_id, text=event.text, status="proposed")
            case SolutionOffered():
                return self.having(
                    event.solution_id,
                    status="offered",
                    offered_before=True,
                    valid_until=event.valid_until,
                )
            case SolutionAccepted():
                return self.having(
                    event.solution_id, status="accepted", accepted_in_writing=event.in_writing
                )
            case SolutionRejected():
                return self.having(event.solution_id, status="rejected")
            case SolutionImplemented():
                return self.having(event.solution_id, implemented=True)
            case SolutionVerified():
                return self.having(event.solution_id, worked=event.worked)
            case BestPracticeNominated():
                return self.having(event.solution_id, nominated=True)
            case _:
                assert_never(event)

    def having(self, solution_id: str, **changes: object) -> Self:
        return replace(
            self, all=self.all | {solution_id: replace(self.all[solution_id], **changes)}
        )
