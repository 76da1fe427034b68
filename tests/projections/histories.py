"""Random histories of several cases, as the rules allow them, and in any order between them.

In between, SLA policies are published, and what time tells of clocks is recorded, or overruled.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from casecore.actors import Actor
from casecore.clockset.events import (
    ClockBreached,
    ClockEvent,
    ClockRebaselined,
    ClockResultRescinded,
    ClockWarned,
)
from casecore.clockset.state import clockset_id
from casecore.errors import CaseError
from casecore.recording import AnyEvent, Recorded
from casecore.sla.book import Book
from casecore.sla.cycle import Cycle, view
from casecore.sla.events import (
    SLA_BOOK_ID,
    CalendarPublished,
    Pin,
    SlaEvent,
    SlaPolicyPublished,
    SlaPolicyRetired,
)
from casecore.sla.files import pack, packs, read_book
from casecore.sla.reckoning import CaseClocks
from casecore.sla.state import SlaBook
from tests.casecore.case.lives import LIVES, Step
from tests.casecore.case.test_twice import ACTORS, LIBRARY_ID, PAUSES, STEPS, World, anything
from tests.spec import CASE_ID, NOON, SYSTEM

CASES_MAX = 3
MORE_MAX = 10
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

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
    published = draw(publications())
    first = draw(st.sampled_from([len(published), 0]))
    told, coming = published[:first], [published[first:], *cases]
    clocks = Clocks()
    while coming := [source for source in coming if source]:
        told.append(draw(st.sampled_from(coming)).pop(0))
        clocks.learn(told)
        if clocks.cycles and draw(st.integers(0, 3)) == 0:
            told.append(draw(overruling(clocks, told)))
            clocks.learn(told)
    return told


@st.composite
def publications(draw: st.DrawFn) -> list[Told]:
    """Of the policies that come with casecore, some; and then all of them again, or retired."""
    chosen = draw(st.lists(st.sampled_from(packs()), min_size=1, unique=True))
    events = [event for name in chosen for event in published(name)]
    twice: bool = draw(st.booleans())
    if events and twice:
        policy = draw(st.sampled_from([e for e in events if isinstance(e, SlaPolicyPublished)]))
        calendar = draw(st.sampled_from([e for e in events if isinstance(e, CalendarPublished)]))
        later: list[SlaEvent] = [
            replace(policy, version=2),
            replace(calendar, version=2),
            SlaPolicyRetired(policy.policy_id, NOON, "Superseded"),
        ]
        events.append(draw(st.sampled_from(later)))
    return [Told(SLA_BOOK_ID, event, SYSTEM, LONG_AGO) for event in events]


@cache
def published(name: str) -> list[SlaEvent]:
    state = SlaBook(SLA_BOOK_ID)
    events: list[SlaEvent] = []
    for command in read_book(pack(name)):
        for event in command.decide(state, SYSTEM, LONG_AGO):
            state = state.evolve(event)
            events.append(event)
    return events


class Clocks:
    """The clocks of all cases, as what was told so far has them."""

    def __init__(self) -> None:
        self.book = Book()
        self.cases: dict[UUID, CaseClocks] = {}
        self._read = 0

    @property
    def cycles(self) -> list[tuple[UUID, Cycle]]:
        return [(id, cycle) for id, clocks in self.cases.items() for cycle in clocks.cycles]

    def learn(self, told: list[Told]) -> None:
        for fact in recorded(told)[self._read :]:
            event = fact.event
            if isinstance(event, SlaEvent):
                self.book.learn(event, fact.position)
            else:
                id = event.case_id if isinstance(event, ClockEvent) else fact.stream_id
                self.cases[id] = self.cases.get(id, CaseClocks(id)).evolve(fact, self.book)
        self._read = len(told)


@st.composite
def overruling(draw: st.DrawFn, clocks: Clocks, told: list[Told]) -> Told:
    """Something about one of the clocks; whether it applies is for those who reckon to say."""
    running = [found for found in clocks.cycles if found[1].ended is None]
    case_id, cycle = draw(st.sampled_from(running or clocks.cycles))
    at = told[-1].at + draw(st.sampled_from([timedelta(), timedelta(days=9)]))
    seen = view(cycle, clocks.book, at)
    which = case_id, cycle.clock_id, cycle.cycle, cycle.name
    rule = clocks.book.rule(cycle.pin, cycle.name)
    latest = Pin(
        seen.policy_id,
        seen.policy_version,
        *max(c for c in clocks.book.calendars if c[0] == seen.calendar_id),
    )
    said: list[ClockEvent] = [ClockWarned(*which, w.threshold, seen.due_at) for w in rule.warnings]
    said += [
        ClockBreached(*which, seen.due_at or at, at),
        ClockRebaselined(*which, cycle.pin, latest, at, "Summer"),
        ClockResultRescinded(*which, uuid4(), "The log shows it"),
    ]
    event: ClockEvent = draw(st.sampled_from(said))
    return Told(clockset_id(case_id), event, SYSTEM, at)


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
