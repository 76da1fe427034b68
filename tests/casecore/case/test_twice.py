"""For any history, deciding the same command twice is harmless."""

import re
from datetime import timedelta
from functools import cache
from typing import Any, get_args
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as whatever
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import inspect

from casecore.actors import Actor, Role
from casecore.asking import Ask, Both
from casecore.case.decisions import CaseCommand
from casecore.case.state import Case
from casecore.errors import CaseError
from casecore.facts import Event
from casecore.goodwill.events import GoodwillPolicyPublished, GoodwillTerms, Limit
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.money import Money
from casecore.solutions.events import Applicability, SolutionDrafted, SolutionEndorsed
from casecore.solutions.state import Solution
from tests.casecore.case.lives import LIVES, Step
from tests.spec import ADA, ADMIN, BEN, CASE_ID, NOON, SAM, SERVICE, SYSTEM

MORE_MAX = 15
"""How many commands follow at random on what a life has come to."""
LIBRARY_ID = UUID(int=7)
COMMANDS: list[type[Ask]] = list(get_args(CaseCommand))
STEPS = [step for life in LIVES.values() for step in life]
ACTORS = st.sampled_from([ADA, ADMIN, SAM, SERVICE, SYSTEM, BEN])
PAUSES = st.sampled_from([0, 0, 0, 1, 60 * 5, 60 * 24 * 3]).map(lambda m: timedelta(minutes=m))
PREFIXES = {
    "interaction": "i",
    "note": "n",
    "concern": "c",
    "promise": "p",
    "callback": "b",
    "followup": "f",
    "handoff": "h",
    "escalation": "e",
    "solution": "s",
    "offer": "g",
}
"""What the ids begin with that a field of this name takes."""

Effect = dict[UUID, list[Event]]


class World:
    """A case and what stands beside it, as commands change them."""

    def __init__(self) -> None:
        self.at = NOON
        drafted = SolutionDrafted("Go there", "Go", "agent", Applicability(), UUID(int=1), "s1")
        terms = GoodwillTerms(
            (
                Limit(Role.AGENT, 1000, (Money(5_000, "GBP"),)),
                Limit(Role.SUPERVISOR, 5000, (Money(50_000, "GBP"),)),
            )
        )
        published = GoodwillPolicyPublished(1, terms, NOON)
        entry = Solution(LIBRARY_ID).evolve(drafted).evolve(SolutionEndorsed(1, "It works"))
        self.states: dict[UUID, Any] = {
            CASE_ID: Case(CASE_ID),
            LIBRARY_ID: entry,
            GOODWILL_POLICY_ID: GoodwillPolicy(GOODWILL_POLICY_ID).evolve(published),
        }

    def then(self) -> "World":
        """The same, to go on from while this one stays as it is."""
        world = World.__new__(World)
        world.at, world.states = self.at, dict(self.states)
        return world

    def live(self, *steps: Step) -> None:
        for step in steps:
            if isinstance(step, timedelta):
                self.at += step
            else:
                by, command = step
                self.twice(command, by)

    def twice(self, command: Ask, by: Actor) -> Effect | CaseError:
        """Ask, see that the answer is sound, let it happen, and see that asking again is."""
        first = self.ask(command, by)
        assert told(self.ask(command, by)) == told(first), "deciding depends on something else"
        if isinstance(first, CaseError):
            return first
        for stream_id, events in first.items():
            for event in events:
                assert event.told().strip()
                stored = msgspec.json.encode(event)
                assert msgspec.json.decode(stored, type=type(event)) == event
                self.states[stream_id] = self.states[stream_id].evolve(event)
        again = self.ask(command, by)
        assert isinstance(again, CaseError) or not any(again.values()), f"{command}: {again}"
        return first

    def ask(self, command: Ask, by: Actor) -> Effect | CaseError:
        """What each stream is to be told, or why it is not."""
        state = self.states[CASE_ID]
        try:
            command.permit(state, by)
            beside = command.beside(state)
            if beside is None:
                return {CASE_ID: list(command.decide(state, by, self.at))}
            other = self.states.setdefault(beside.stream_id, beside.of(beside.stream_id))
            decided = command.decide(state, by, self.at, other)
        except CaseError as refusal:
            return refusal
        if isinstance(decided, Both):
            return {CASE_ID: list(decided.here), beside.stream_id: list(decided.there)}
        return {CASE_ID: list(decided)}


def told(answer: Effect | CaseError) -> Any:
    return str(answer) if isinstance(answer, CaseError) else answer


@pytest.mark.parametrize("life", LIVES)
def test_every_step_of_a_life_happens_and_asking_again_changes_nothing(life: str) -> None:
    world = World()
    for step in LIVES[life]:
        if isinstance(step, timedelta):
            world.live(step)
            continue
        by, command = step
        answer = world.twice(command, by)
        assert isinstance(answer, dict), f"{command} was refused: {answer!r}"
        assert answer[CASE_ID], f"{command} changed nothing"


def test_every_command_has_its_place_in_a_life() -> None:
    asked = {type(step[1]) for life in LIVES.values() for step in life if isinstance(step, tuple)}

    assert asked == set(COMMANDS)


@cache
def lived() -> list[World]:
    """Every moment of every life."""
    worlds = []
    for life in LIVES.values():
        world = World()
        for step in life:
            world.live(step)
            worlds.append(world.then())
    return worlds


@settings(max_examples=500, deadline=None)
@whatever(st.data())
def test_whatever_has_happened_asking_again_changes_nothing(data: st.DataObject) -> None:
    world = data.draw(st.sampled_from(range(len(lived()))).map(lambda i: lived()[i])).then()
    for _ in range(data.draw(st.integers(1, MORE_MAX))):
        world.at += data.draw(PAUSES)
        world.live(data.draw(st.sampled_from(STEPS) | st.tuples(ACTORS, anything())))


@cache
def anything() -> st.SearchStrategy[Ask]:
    return st.sampled_from(COMMANDS).flatmap(commands)


@cache
def commands(of: type[Ask]) -> st.SearchStrategy[Ask]:
    return built(inspect.type_info(of), of.__name__)


def built(of: inspect.Type, field: str) -> st.SearchStrategy[Any]:
    """Values of the type, drawn from few, so that the same ones come together again."""
    match of:
        case inspect.StructType(cls=cls):
            fields = [f for f in of.fields if f.name != "occurred_at"]
            return st.fixed_dictionaries(
                {f.name: built(f.type, f.name) for f in fields if f.required},
                optional={f.name: built(f.type, f.name) for f in fields if not f.required},
            ).map(lambda values: cls(**values))
        case inspect.Metadata():
            return built(of.type, field)
        case inspect.UnionType():
            return st.one_of([built(choice, field) for choice in of.types])
        case inspect.LiteralType():
            return st.sampled_from(of.values)
        case inspect.EnumType():
            return st.sampled_from(list(of.cls))
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            least = of.ge or 0
            return st.integers(least, min(of.le or 10**6, least + 10_000))
        case inspect.DateTimeType():
            hours = st.sampled_from([-72, -1, 0, 1, 24, 24 * 9, 24 * 40])
            return hours.map(lambda hours: NOON + timedelta(hours=hours))
        case inspect.UUIDType():
            return st.sampled_from([LIBRARY_ID, UUID(int=1)])
        case inspect.VarTupleType():
            least = of.min_length or 0
            return st.lists(built(of.item_type, field), min_size=least, max_size=2).map(tuple)
        case inspect.DictType():
            values = built(of.value_type, field)
            return st.dictionaries(built(of.key_type, field), values, min_size=1, max_size=2)
        case inspect.StrType():
            return words(of, field)
    raise NotImplementedError(f"{field}: {of}")


def words(of: inspect.StrType, field: str) -> st.SearchStrategy[str]:
    noun = field.removesuffix("s").removesuffix("_id").split("_")[-1]
    if field.removesuffix("s").endswith("_id") and noun in PREFIXES:
        return st.sampled_from([f"{PREFIXES[noun]}{n}" for n in (1, 2, 3, 4)])
    if "zone" in field:
        return st.sampled_from(["Europe/London", "Mars/Olympus"])
    if of.pattern is None:
        return st.sampled_from(["Late again and again, for weeks", "Nobody calls back"])
    usual = [word for word in ("ada", "ben", "GBP") if re.search(of.pattern, word)]
    return st.sampled_from(usual) if usual else st.from_regex(of.pattern, fullmatch=True)
