"""The solution library: try what cases brought up, endorse what works, retire what does not."""

from datetime import datetime
from uuid import UUID

from casecore.actors import Actor
from casecore.asking import LEADS, Ask, Beside, Short, Text
from casecore.errors import NotFound, Rejected
from casecore.solutions.events import (
    Applicability,
    SolutionEndorsed,
    SolutionEvent,
    SolutionRevised,
    SolutionSuperseded,
    SolutionTrialled,
    SolutionWithdrawn,
)
from casecore.solutions.state import Solution, SolutionStatus

USABLE: frozenset[SolutionStatus] = frozenset({"draft", "trial", "endorsed"})


class LibraryAsk(Ask, frozen=True, kw_only=True):
    """A request about a solution that was nominated for the library."""

    WHO = LEADS

    def permit(self, state: Solution, by: Actor) -> None:
        super().permit(state, by)
        if state.status == "unknown":
            raise NotFound(
                "solution-not-found",
                "the library has no such solution: check the id, or nominate one from a case",
            )


class ReviseSolution(LibraryAsk, frozen=True, kw_only=True):
    """Give the solution better words, or another field of use: a new version, to be endorsed."""

    title: Short
    text: Text
    product: Short | None = None
    """Without a product, category or cause, it fits any."""
    category: Short | None = None
    cause_code: Short | None = None

    def decide(self, state: Solution, by: Actor, at: datetime) -> list[SolutionEvent]:
        refuse_unless(state, USABLE, self)
        applies_to = Applicability(self.product, self.category, self.cause_code)
        if (self.title, self.text, applies_to) == (state.title, state.text, state.applies_to):
            return []
        return [SolutionRevised(state.version + 1, self.title, self.text, applies_to)]


class TrialSolution(LibraryAsk, frozen=True, kw_only=True):
    """Let the solution be tried in cases."""

    note: Text | None = None

    def decide(self, state: Solution, by: Actor, at: datetime) -> list[SolutionEvent]:
        refuse_unless(state, frozenset({"draft", "trial"}), self)
        return [] if state.status == "trial" else [SolutionTrialled(self.note)]


class EndorseSolution(LibraryAsk, frozen=True, kw_only=True):
    """Recommend the current version to everybody."""

    why: Text

    def decide(self, state: Solution, by: Actor, at: datetime) -> list[SolutionEvent]:
        refuse_unless(state, USABLE, self)
        return [] if state.status == "endorsed" else [SolutionEndorsed(state.version, self.why)]


class SupersedeSolution(LibraryAsk, frozen=True, kw_only=True):
    """Replace the solution by a better one of the library."""

    by_solution_id: UUID
    reason: Text

    def beside(self, state: Solution) -> Beside:
        return Beside(Solution, self.by_solution_id)

    def decide(
        self, state: Solution, by: Actor, at: datetime, better: Solution
    ) -> list[SolutionEvent]:
        if state.superseded_by == self.by_solution_id:
            return []
        refuse_unless(state, USABLE, self)
        if better.id == state.id:
            raise Rejected(
                "superseded-by-itself",
                "a solution is replaced by another: to change its words, revise it",
                field="by_solution_id",
            )
        if better.status == "unknown":
            raise NotFound(
                "solution-not-found",
                "the library has no solution of that id",
                field="by_solution_id",
            )
        if better.status not in ("trial", "endorsed"):
            raise Rejected(
                "solution-not-proven",
                f"the other solution is {better.status}: put it on trial or endorse it first",
                field="by_solution_id",
            )
        return [SolutionSuperseded(self.by_solution_id, self.reason)]


class WithdrawSolution(LibraryAsk, frozen=True, kw_only=True):
    """Take the solution out of use, and say why."""

    reason: Text

    def decide(self, state: Solution, by: Actor, at: datetime) -> list[SolutionEvent]:
        return [] if state.status == "withdrawn" else [SolutionWithdrawn(self.reason)]


LibraryCommand = (
    ReviseSolution | TrialSolution | EndorseSolution | SupersedeSolution | WithdrawSolution
)


def refuse_unless(
    state: Solution, statuses: frozenset[SolutionStatus], command: LibraryAsk
) -> None:
    if state.status not in statuses:
        name = type(command).__name__
        raise Rejected(
            "invalid-transition",
            f"{name} does not go with a solution that is {state.status}; it goes with one that is"
            f" {' or '.join(sorted(statuses))}",
            from_stage=state.status,
            command=name,
            allowed=sorted(statuses),
        )
