"""Solutions: find with the customer what puts it right, offer it, and see whether it worked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid5

from msgspec import Meta

from casecore.actors import Actor
from casecore.asking import Beside, Both, Instant, LocalId, LocalIds, Short, Text, Texts
from casecore.case.decisions.base import (
    LASTING,
    CaseAsk,
    ahead,
    found,
    minute,
    next_id,
    refuse_disclosure,
    refuse_unanswerable,
    refuse_unknown,
    refuse_unless,
)
from casecore.case.events import CaseEvent
from casecore.case.events.intake import Channel
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
    VerifiedBy,
)
from casecore.case.state import Case
from casecore.case.state.outcome import OPEN, Stage
from casecore.case.state.solutions import Proposal
from casecore.errors import Conflict, NotFound, Rejected
from casecore.solutions.events import Applicability, Proposer, SolutionDrafted
from casecore.solutions.state import Solution

ANSWERABLE: frozenset[Stage] = frozenset({"investigating", "solution_offered"})
"""The stages with a solution on offer: turning one of several down leads back to investigating."""

Version = Annotated[int, Meta(ge=1, le=10**6)]


class InviteToCraft(CaseAsk, frozen=True, kw_only=True):
    """Ask the customer what would put it right."""

    OWN = False

    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, OPEN, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        if self.interaction_id in state.solutions.invited:
            return []
        return [CustomerInvitedToCraft(self.interaction_id)]


class ProposeSolution(CaseAsk, frozen=True, kw_only=True):
    """Record what might put it right, and whose idea it was."""

    proposer: Proposer
    text: Text | None = None
    """Needed unless it comes from the library, whose words are used then."""
    concern_ids: LocalIds = ()
    """The concerns it would settle; without any, all that are open."""
    offer_ids: LocalIds = ()
    """The goodwill that is part of it."""
    library_solution_id: UUID | None = None
    library_version: Version | None = None

    def beside(self, state: Case) -> Beside | None:
        if self.library_solution_id is None:
            return None
        return Beside(Solution, self.library_solution_id)

    def decide(
        self, state: Case, by: Actor, at: datetime, entry: Solution | None = None
    ) -> list[CaseEvent]:
        refuse_unless(state, OPEN, self)
        if (self.proposer == "library") != (entry is not None):
            raise Rejected(
                "proposer-mismatch",
                "a solution that comes from the library has the proposer library and a"
                " library_solution_id; any other has neither",
                field="library_solution_id",
            )
        for offer_id in self.offer_ids:
            refuse_unknown(state.goodwill.all, offer_id, "offer_ids")
        library = self.cited(entry) if entry else None
        proposal = Proposal(
            proposer=self.proposer,
            text=self.words(entry),
            concern_ids=self.covered(state),
            offer_ids=self.offer_ids,
            library=library,
        )
        if any(proposal.is_as(other) for other in state.solutions.all.values()):
            return []
        return [
            SolutionProposed(
                solution_id=next_id("s", state.solutions.all),
                proposer=proposal.proposer,
                text=proposal.text,
                concern_ids=proposal.concern_ids,
                offer_ids=proposal.offer_ids,
                library=library,
            )
        ]

    def cited(self, entry: Solution) -> LibraryEntry:
        """The version of the library's solution that is used (I-18)."""
        if entry.status == "unknown":
            raise NotFound(
                "solution-not-found",
                "the library has no such solution: check the id, or propose it as the desk's own",
                field="library_solution_id",
            )
        if entry.status in ("withdrawn", "superseded"):
            raise Rejected(
                "solution-withdrawn",
                f"the library's solution is {entry.status}: use another",
                field="library_solution_id",
                invariant="I-18",
            )
        version = self.library_version or entry.version
        if version > entry.version:
            raise NotFound(
                "solution-not-found",
                f"the library's solution has come to version {entry.version} only",
                field="library_version",
            )
        return LibraryEntry(entry.id, version)

    def words(self, entry: Solution | None) -> str:
        if self.text is not None:
            return self.text
        if entry is None or self.library_version not in (None, entry.version):
            raise Rejected(
                "text-required",
                "say in words what the solution is; only the current version of a library"
                " solution brings its own",
                field="text",
            )
        return entry.text

    def covered(self, state: Case) -> tuple[str, ...]:
        """The concerns it settles, at least one of those that are open (I-18)."""
        concerns = state.intake.concerns
        open_ids = tuple(id for id, concern in concerns.items() if not concern.settled)
        for concern_id in self.concern_ids:
            refuse_unknown(concerns, concern_id, "concern_ids")
        if self.concern_ids and open_ids and not set(open_ids) & set(self.concern_ids):
            raise Rejected(
                "no-open-concern",
                f"the concerns named are settled; still open: {', '.join(open_ids)}",
                field="concern_ids",
                invariant="I-18",
            )
        return self.concern_ids or open_ids


class AmendSolution(CaseAsk, frozen=True, kw_only=True):
    """Change a solution that is not agreed upon yet; it can be offered anew then."""

    solution_id: LocalId
    text: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, OPEN, self)
        proposal = found(state.solutions.all, self.solution_id, "solution_id")
        if proposal.text == self.text:
            return []
        if proposal.status == "accepted":
            raise Conflict(
                "already-decided",
                f"the customer has accepted {self.solution_id} as it is: propose another",
            )
        return [SolutionAmended(self.solution_id, self.text)]


class OfferSolution(CaseAsk, frozen=True, kw_only=True):
    """Offer a proposed solution to the customer."""

    solution_id: LocalId
    channel: Channel | None = None
    valid_until: Instant | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, OPEN, self)
        proposal = found(state.solutions.all, self.solution_id, "solution_id")
        refuse_unanswerable(state)
        refuse_disclosure(state)
        if proposal.status in ("offered", "accepted"):
            return []
        if proposal.status == "rejected":
            raise Conflict(
                "already-decided",
                f"the customer has rejected {self.solution_id}: amend it, or propose another",
            )
        valid_until = self.valid_until and ahead(self.valid_until, at, "valid_until")
        for offer_id in proposal.offer_ids:
            offer = state.goodwill.all[offer_id]
            if offer.status == "awaiting_approval":
                raise Rejected(
                    "goodwill-awaiting-approval",
                    f"{offer_id} is part of this solution and awaits approval by a"
                    f" {offer.required_role}: have it approved first",
                    offers=[offer_id],
                )
            if not offer.stands(at):
                raise Rejected(
                    "goodwill-gone",
                    f"{offer_id} is part of this solution and stands no more: propose the"
                    " solution without it, or with another",
                    offers=[offer_id],
                )
        return [
            SolutionOffered(
                solution_id=self.solution_id,
                proposer=proposal.proposer,
                channel=self.channel,
                valid_until=valid_until,
                library=proposal.library,
                again=proposal.offered_before,
            )
        ]


class AcceptSolution(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer accepts the solution offered."""

    solution_id: LocalId
    in_writing: bool = False
    channel: Channel | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        # Their yes may come after the resolution that was built on the offer.
        refuse_unless(state, ANSWERABLE | {"resolved"}, self)
        proposal = found(state.solutions.all, self.solution_id, "solution_id")
        if proposal.status == "accepted":
            return []
        refuse_unoffered(self.solution_id, proposal)
        if proposal.valid_until is not None and proposal.valid_until <= at:
            raise Rejected(
                "offer-expired",
                f"the offer of {self.solution_id} ended on {minute(proposal.valid_until)}: amend it"
                " and offer it anew",
            )
        return [
            SolutionAccepted(
                solution_id=self.solution_id,
                proposer=proposal.proposer,
                in_writing=self.in_writing,
                channel=self.channel,
                library=proposal.library,
            )
        ]


class RejectSolution(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer turns the solution offered down, and why."""

    solution_id: LocalId
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, ANSWERABLE, self)
        proposal = found(state.solutions.all, self.solution_id, "solution_id")
        if proposal.status == "rejected":
            return []
        refuse_unoffered(self.solution_id, proposal)
        return [
            SolutionRejected(self.solution_id, proposal.proposer, self.reason, proposal.library)
        ]


class ImplementSolution(CaseAsk, frozen=True, kw_only=True):
    """Record that an accepted solution was carried out."""

    solution_id: LocalId
    action_refs: Texts = ()

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        proposal = accepted(state, self.solution_id)
        return (
            []
            if proposal.implemented
            else [SolutionImplemented(self.solution_id, self.action_refs)]
        )


class VerifySolution(CaseAsk, frozen=True, kw_only=True):
    """Record whether an accepted solution did put it right."""

    solution_id: LocalId
    worked: bool
    verified_by: VerifiedBy = "customer"

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        proposal = accepted(state, self.solution_id)
        if proposal.worked == self.worked:
            return []
        return [
            SolutionVerified(
                solution_id=self.solution_id,
                proposer=proposal.proposer,
                worked=self.worked,
                verified_by=self.verified_by,
                library=proposal.library,
            )
        ]


class NominateSolution(CaseAsk, frozen=True, kw_only=True):
    """Put an accepted solution forward for the library, so that others can use it."""

    solution_id: LocalId
    title: Short
    why: Text
    product: Short | None = None
    category: Short | None = None
    cause_code: Short | None = None

    def beside(self, state: Case) -> Beside:
        return Beside(Solution, uuid5(state.id, f"library/{self.solution_id}"))

    def decide(
        self, state: Case, by: Actor, at: datetime, entry: Solution
    ) -> Sequence[CaseEvent] | Both:
        refuse_unless(state, LASTING, self)
        proposal = accepted(state, self.solution_id)
        if proposal.library is not None:
            raise Rejected(
                "already-in-library",
                f"{self.solution_id} came from the library: revise it there instead",
            )
        if proposal.nominated:
            return []
        nominated = BestPracticeNominated(self.solution_id, entry.id, self.why)
        drafted = SolutionDrafted(
            title=self.title,
            text=proposal.text,
            proposer=proposal.proposer,
            applies_to=Applicability(self.product, self.category, self.cause_code),
            source_case_id=state.id,
            source_solution_id=self.solution_id,
        )
        return Both(here=[nominated], there=[drafted])


CaseSolutionCommand = (
    InviteToCraft
    | ProposeSolution
    | AmendSolution
    | OfferSolution
    | AcceptSolution
    | RejectSolution
    | ImplementSolution
    | VerifySolution
    | NominateSolution
)


def refuse_unoffered(solution_id: str, proposal: Proposal) -> None:
    """Refuse an answer to what was not asked."""
    if proposal.status == "proposed":
        raise Rejected("solution-not-offered", f"{solution_id} is only proposed: offer it first")
    if proposal.status != "offered":
        raise Conflict(
            "already-decided",
            f"the customer has {proposal.status} {solution_id} already: propose another",
        )


def accepted(state: Case, solution_id: str) -> Proposal:
    """The solution of that id, which the customer has accepted."""
    proposal = found(state.solutions.all, solution_id, "solution_id")
    if proposal.status != "accepted":
        raise Rejected(
            "solution-not-accepted",
            f"{solution_id} is {proposal.status}: the customer has to accept it first",
        )
    return proposal
