"""A working day at the desk: believable, the same every time, and harmless to play again."""

from datetime import date

import pytest

from api.demo import STORIES, plan, play
from api.desk import Desk
from casecore.case.decisions.intake import RegisterCase
from casecore.case.events.goodwill import DiscountOffered, GoodwillApproved
from casecore.case.events.solutions import BestPracticeNominated
from casecore.errors import Rejected
from casecore.recording import event_of

MONDAY = date(2025, 11, 3)
EVERY_STORY = 60
"""So many cases, with seed 1, tell every story."""


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


async def test_the_rules_allow_a_whole_day_and_playing_it_again_adds_nothing(desk: Desk) -> None:
    told = await play(desk, 1, MONDAY, EVERY_STORY)
    head = await desk.recorder.head()
    assert told.events == head
    assert len(told.cases) == EVERY_STORY
    stages = {case.stage for case in told.cases}
    assert stages >= {"closed", "resolved", "registered", "withdrawn", "not_a_complaint"}
    events = [event_of(row) for row in await desk.recorder.read(0, limit=10_000)]
    kinds = {type(event) for event in events}
    assert kinds >= {DiscountOffered, GoodwillApproved, BestPracticeNominated}

    again = await play(desk, 1, MONDAY, EVERY_STORY)
    assert again.events == 0
    assert again.cases == told.cases
    assert await desk.recorder.head() == head


async def test_everything_happened_during_that_day(desk: Desk) -> None:
    from casecore.recording import from_row

    await play(desk, 3, MONDAY, 5)
    rows = await desk.recorder.read(0, limit=10_000)
    assert {from_row(desk.ledger, row).occurred_at.date() for row in rows} == {MONDAY}


async def test_a_day_that_is_not_over_is_not_played(desk: Desk) -> None:
    with pytest.raises(Rejected, match="not over yet"):
        await play(desk, 1, date(2100, 1, 4), 3)
    assert await desk.recorder.head() == 0


def test_every_case_begins_by_being_registered() -> None:
    begun: set[int] = set()
    for step in plan(1, MONDAY, EVERY_STORY):
        assert (step.case in begun) != isinstance(step.commands[0], RegisterCase)
        begun.add(step.case)
