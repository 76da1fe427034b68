from uuid import UUID

import pytest

from casecore.asking import Ask
from casecore.solutions.decisions import (
    EndorseSolution,
    ReviseSolution,
    SupersedeSolution,
    TrialSolution,
    WithdrawSolution,
)
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
from casecore.solutions.state import Solution
from tests.spec import ADA, CASE_ID, SAM, Spec, given

SOLUTION_ID, BETTER_ID = UUID(int=1), UUID(int=2)

drafted = SolutionDrafted(
    "Neighbour", "Ask the neighbour", "customer", Applicability("delivery"), CASE_ID, "s1"
)
trialled = SolutionTrialled()
endorsed = SolutionEndorsed(1, "Nine of ten accept it")
superseded = SolutionSuperseded(BETTER_ID, "A locker is safer")
withdrawn = SolutionWithdrawn("Neighbours object")

revise = ReviseSolution(title="Neighbour", text="Ask two neighbours", product="delivery")
try_out = TrialSolution()
endorse = EndorseSolution(why="Nine of ten accept it")
supersede = SupersedeSolution(by_solution_id=BETTER_ID, reason="A locker is safer")
withdraw = WithdrawSolution(reason="Neighbours object")


def solution(*events: SolutionEvent, id: UUID = SOLUTION_ID) -> Spec:
    return given(*events, of=Solution, id=id)


def better(*events: SolutionEvent) -> Solution:
    state: Solution = solution(*events, id=BETTER_ID).state
    return state


def test_a_solution_is_revised_to_a_new_version() -> None:
    revised = SolutionRevised(2, "Neighbour", "Ask two neighbours", Applicability("delivery"))
    solution(drafted).when(revise, by=SAM).then(revised).when(revise, by=SAM).then()


def test_a_revision_is_endorsed_anew() -> None:
    revised = SolutionRevised(2, "Neighbour", "Ask two neighbours", Applicability())
    spec = solution(drafted, endorsed, revised).when(endorse, by=SAM)
    spec.then(SolutionEndorsed(2, "Nine of ten accept it"))


def test_a_solution_is_put_on_trial_and_endorsed_once() -> None:
    spec = solution(drafted).when(try_out, by=SAM).then(trialled).when(try_out, by=SAM).then()
    spec = spec.when(endorse, by=SAM).then(endorsed).when(endorse, by=SAM).then()
    spec.when(try_out, by=SAM).then_refused("invalid-transition")


def test_a_solution_is_superseded_by_one_that_is_in_use() -> None:
    spec = solution(drafted)
    spec.when(supersede, by=SAM, beside=better()).then_refused("solution-not-found")
    spec.when(supersede, by=SAM, beside=better(drafted)).then_refused("solution-not-proven")
    spec = spec.when(supersede, by=SAM, beside=better(drafted, trialled)).then(superseded)
    spec.when(supersede, by=SAM, beside=better(drafted, trialled)).then()


def test_a_solution_does_not_supersede_itself() -> None:
    itself = SupersedeSolution(by_solution_id=SOLUTION_ID, reason="Same")
    spec = solution(drafted, endorsed)
    spec.when(itself, by=SAM, beside=spec.state).then_refused("superseded-by-itself")


def test_a_solution_is_withdrawn_with_a_reason() -> None:
    solution(drafted).when(withdraw, by=SAM).then(withdrawn).when(withdraw, by=SAM).then()


@pytest.mark.parametrize("end", [superseded, withdrawn])
@pytest.mark.parametrize("command", [revise, try_out, endorse])
def test_what_is_out_of_use_stays_as_it_is(command: Ask, end: SolutionEvent) -> None:
    solution(drafted, end).when(command, by=SAM).then_refused("invalid-transition")


def test_what_was_withdrawn_is_not_superseded() -> None:
    spec = solution(drafted, withdrawn)
    spec.when(supersede, by=SAM, beside=better(drafted, endorsed)).then_refused(
        "invalid-transition"
    )


@pytest.mark.parametrize("command", [revise, try_out, endorse, supersede, withdraw])
def test_the_library_is_kept_by_supervisors(command: Ask) -> None:
    solution(drafted).when(command, by=ADA, beside=better()).then_refused("role-forbidden")
    solution().when(command, by=SAM, beside=better()).then_refused("solution-not-found")
