"""Random histories of several cases, as the rules allow them, and in any order between them."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

import msgspec
from hypothesis import strategies as st

from casecore.actors import Actor
from casecore.errors import CaseError
from casecore.recording import AnyEvent, Recorded
from tests.casecore.case.lives import LIVES, Step
from tests.casecore.case.test_twice import ACTORS, LIBRARY_ID, PAUSES, STEPS, World, anything
from tests.spec import CASE_ID

CASES_MAX = 3
MORE_MAX = 10

SHARED = {str(LIBRARY_ID)}
"""The ids of what all cases have in common."""


class Told(NamedTuple):
    stream_id: UUID
    event: AnyEvent
    by: Actor
    at: datetime


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """Some cases, each a part of a life and then whatever else it allows, interleaved."""
    cases = [draw(lives(UUID(int=number))) for number in range(draw(st.integers(1, CASES_MAX)))]
    told = []
    while cases := [case for case in cases if case]:
        told.append(draw(st.sampled_from(cases)).pop(0))
    return told


@st.composite
def lives(draw: st.DrawFn, case_id: UUID) -> list[Told]:
    world = World()
    told: list[Told] = []
    life = LIVES[draw(st.sampled_from(sorted(LIVES)))]
    for step in life[: draw(st.integers(1, len(life)))]:
        told += happening(world, step)
    for _ in range(draw(st.integers(0, MORE_MAX))):
        world.at += draw(PAUSES)
        told += happening(world, draw(st.sampled_from(STEPS) | st.tuples(ACTORS, anything())))
    return [elsewhere(one, case_id) for one in told]


def happening(world: World, step: Step) -> list[Told]:
    if isinstance(step, timedelta):
        world.at += step
        return []
    by, command = step
    answer = world.ask(command, by)
    if isinstance(answer, CaseError):
        return []
    told = []
    for stream_id, events in answer.items():
        for event in events:
            world.states[stream_id] = world.states[stream_id].evolve(event)
            told.append(Told(stream_id, event, by, world.at))
    return told


def elsewhere(told: Told, case_id: UUID) -> Told:
    """The same, of another case: all worlds call theirs by the same id."""
    names = {str(CASE_ID): str(case_id)}
    if told.stream_id != CASE_ID and str(told.stream_id) not in SHARED:
        names[str(told.stream_id)] = str(uuid5(case_id, str(told.stream_id)))
    library = getattr(told.event, "library_solution_id", None)
    if library is not None:
        names[str(library)] = str(uuid5(case_id, str(library)))
    stored = msgspec.json.encode(told.event).decode()
    for name, other in names.items():
        stored = stored.replace(name, other)
    stream_id = UUID(names.get(str(told.stream_id), str(told.stream_id)))
    event: Any = msgspec.json.decode(stored, type=type(told.event))
    return Told(stream_id, event, told.by, told.at)


def recorded(history: list[Told]) -> list[Recorded]:
    """As the ledger would give it."""
    versions: dict[UUID, int] = {}
    news = []
    for position, (stream_id, event, by, at) in enumerate(history, 1):
        versions[stream_id] = versions.get(stream_id, 0) + 1
        news.append(
            Recorded(
                ledger="main",
                position=position,
                stream_id=stream_id,
                version=versions[stream_id],
                occurred_at=at,
                recorded_at=at,
                actor=by,
                command_id=uuid4(),
                correlation_id=None,
                causation_id=None,
                head=b"",
                event=event,
            )
        )
    return news
