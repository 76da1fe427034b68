"""A working day at the desk: believable, the same every time, and harmless to play again."""

import asyncio
from datetime import date, datetime
from uuid import UUID

import pytest

from api.demo import STORIES, plan, play
from casecore.case.decisions.intake import RegisterCase
from casecore.case.events.goodwill import DiscountOffered, GoodwillApproved
from casecore.case.events.solutions import BestPracticeNominated
from casecore.case.state import Case
from casecore.clockset.events import ClockBreached
from casecore.core import Core
from casecore.database import Pool, ledger_id
from casecore.errors import Rejected
from casecore.recorder import Recorder
from casecore.recording import event_of, from_row
from tests.casecore.clockwork import Desk

MONDAY = date(2025, 11, 3)
EVENING = "2025-11-03 23:00"
A_FEW, EVERY_STORY = 20, 60
"""So many cases, with seed 1, tell some stories, or every one."""


def test_a_day_is_the_same_for_the_same_seed() -> None:
    assert plan(7, MONDAY, 40) == plan(7, MONDAY, 40)
    assert plan(7, MONDAY, 40) != plan(8, MONDAY, 40)


def test_a_day_goes_by_the_clock_from_morning_to_evening() -> None:
    times = [step.at for step in plan(1, MONDAY, EVERY_STORY)]
    assert times == sorted(times)
    assert {time.date() for time in times} == {MONDAY}
    assert 8 <= times[0].hour < 10
    assert times[-1].hour <= 20


def test_a_day_has_several_agents_a_supervisor_and_services() -> None:
    steps = plan(1, MONDAY, EVERY_STORY)
    who = {step.by for step in steps}
    assert {actor.role for actor in who} == {"agent", "supervisor", "service"}
    assert sum(actor.role == "agent" for actor in who) >= 4
    told = {step.title for step in steps}
    assert told == {story.__name__.replace("_", " ") for story in STORIES}


async def test_the_rules_allow_a_whole_day_and_playing_it_again_adds_nothing(core: Core) -> None:
    before = await core.recorder.head()
    told = await play(core, 1, MONDAY, EVERY_STORY)
    head = await core.recorder.head()
    rows = await core.recorder.read(before, limit=10_000)
    ids = {case.case_id for case in told.cases}
    assert told.events == sum(row.stream_id in ids for row in rows)
    assert len(told.cases) == EVERY_STORY
    stages = {case.stage for case in told.cases}
    assert stages >= {"closed", "resolved", "registered", "withdrawn", "not_a_complaint"}
    kinds = {type(event_of(row)) for row in rows}
    assert kinds >= {DiscountOffered, GoodwillApproved, BestPracticeNominated}

    again = await play(core, 1, MONDAY, EVERY_STORY)
    assert again.events == 0
    assert again.cases == told.cases
    assert await core.recorder.head() == head


async def test_a_case_that_was_told_otherwise_before_is_left_as_it_is(core: Core) -> None:
    step, *_ = plan(1, MONDAY, 3)
    register = step.commands[0]
    assert isinstance(register, RegisterCase)
    assert register.intake_id is not None
    before = Core(core.recorder, core.appender, now=lambda: step.at)
    told = await before.execute(Case, register.intake_id, register, by=step.by)
    day = await play(core, 1, MONDAY, 3)
    assert len(day.cases) == 3
    assert day.events > 0
    assert (await core.see(Case, register.intake_id)).version == told.version


async def test_everything_happened_during_that_day(core: Core) -> None:
    before = await core.recorder.head()
    await play(core, 3, MONDAY, 5)
    rows = await core.recorder.read(before, limit=10_000)
    assert {from_row(core.recorder.ledger, row).occurred_at.date() for row in rows} == {MONDAY}


async def test_a_day_has_the_breaches_that_it_had_also_where_deadlines_are_kept_meanwhile(
    core: Core, pool: Pool, recorder: Recorder
) -> None:
    aside = Recorder(pool, await ledger_id(pool, "aside"), "aside")
    async with Desk.over(pool, recorder) as serving, Desk.over(pool, aside) as later:
        playing = asyncio.create_task(play(core, 1, MONDAY, A_FEW))
        while not playing.done():
            await serving.turn(EVENING)
        await playing
        await serving.turn(EVENING)
        await play(Core(aside, later.appender), 1, MONDAY, A_FEW)
        await later.turn(EVENING)
    assert await breaches(recorder) == await breaches(aside) != set()


async def breaches(recorder: Recorder) -> set[tuple[UUID, str, int, datetime]]:
    rows = await recorder.read(0, limit=10_000, types=[ClockBreached.__name__])
    found = [event for row in rows if isinstance(event := event_of(row), ClockBreached)]
    return {(breach.case_id, breach.name, breach.cycle, breach.due_at) for breach in found}


async def test_a_day_that_is_not_over_is_not_played(core: Core) -> None:
    before = await core.recorder.head()
    with pytest.raises(Rejected, match="not over yet"):
        await play(core, 1, date(2100, 1, 4), 3)
    assert await core.recorder.head() == before


def test_every_case_begins_by_being_registered() -> None:
    begun: set[int] = set()
    for step in plan(1, MONDAY, EVERY_STORY):
        assert (step.case in begun) != isinstance(step.commands[0], RegisterCase)
        begun.add(step.case)
