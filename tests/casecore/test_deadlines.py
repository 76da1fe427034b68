"""What only time can tell is recorded once, dated rightly, whoever finds it and however late."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from casecore.bookkeeping import Bookkeeper
from casecore.case.decisions.contact import RecordContact, RecordResponse, StartWaiting
from casecore.case.decisions.outcome import ResolveCase
from casecore.case.decisions.ownership import ClaimCase
from casecore.case.events.contact import WaitingEnded
from casecore.clockset.decisions import RescindResult
from casecore.clockset.events import ClockBreached, ClockWarned
from casecore.clockset.state import ClockSet, clockset_id
from casecore.database import Pool
from casecore.reactions import NEWS_MAX
from casecore.recorder import Recorder
from casecore.sla.cycle import alarm_id
from casecore.sla.events import Warn
from tests.casecore.clocks.given import HOUR
from tests.casecore.clockwork import Desk
from tests.casecore.sla.given import policy, rule, utc
from tests.spec import ADA, SAM

ANSWERED = RecordResponse(text="We found it")
WARNINGS = (Warn(percent=75), Warn(seconds_left=HOUR))


@pytest.fixture
async def desk(pool: Pool, recorder: Recorder) -> AsyncIterator[Desk]:
    async with Desk.over(pool, recorder) as desk:
        yield desk


async def alarms(desk: Desk, case_id: UUID) -> list[str]:
    told = await desk.told(clockset_id(case_id), ClockWarned, ClockBreached)
    return [getattr(recorded.event, "threshold", "due") for recorded in told]


async def breaches(desk: Desk, case_id: UUID) -> list[ClockBreached]:
    told = await desk.told(clockset_id(case_id), ClockBreached)
    return [recorded.event for recorded in told if isinstance(recorded.event, ClockBreached)]


async def test_each_threshold_is_told_once_when_it_is_reached(desk: Desk) -> None:
    await desk.publish(policy(rule("resolution", 8, warnings=WARNINGS)))
    case = await desk.register("03-04 09:30")
    await desk.turn("03-04 15:29")
    assert await alarms(desk, case) == []
    await desk.turn("03-04 15:31")  # T-19
    await desk.turn("03-04 15:32")
    assert await alarms(desk, case) == ["75%"]
    await desk.turn("03-04 16:31")
    assert await alarms(desk, case) == ["75%", "3600s"]
    await desk.turn("03-05 09:31")
    await desk.turn("03-06 09:31")
    assert await alarms(desk, case) == ["75%", "3600s", "due"]
    [warned, *_, breached] = await desk.told(clockset_id(case), ClockWarned, ClockBreached)
    cycle = await desk.cycle(case, "resolution")
    assert warned.command_id == alarm_id(cycle.clock_id, 1, "75%")
    assert breached.command_id == alarm_id(cycle.clock_id, 1, "due")
    assert breached.actor.role == "system"


async def test_a_breach_is_dated_when_it_was_due_however_late_it_is_found(desk: Desk) -> None:
    await desk.publish(policy(rule("first_response", 5)))
    case = await desk.register("03-04 09:00")
    await desk.do("03-04 14:10", case, ANSWERED)  # T-42: nobody kept time from 13:00 to 17:05.
    await desk.turn("03-04 17:05")
    [breach] = await breaches(desk, case)
    assert (breach.due_at, breach.detected_at) == (utc("03-04 14:00"), utc("03-04 17:05"))
    seen = await desk.view(case, "first_response", "03-04 17:06")
    assert (seen.state, seen.lateness_seconds) == ("breached", 600)
    assert seen.satisfied_at == utc("03-04 14:10")


@pytest.mark.parametrize(("answered", "found"), [("14:00:00.000000", 0), ("14:00:00.000001", 1)])
async def test_the_due_instant_itself_is_in_time(desk: Desk, answered: str, found: int) -> None:
    await desk.publish(policy(rule("first_response", 5)))
    case = await desk.register("03-04 09:00")
    await desk.turn("03-04 14:00")  # T-41
    assert await breaches(desk, case) == []
    await desk.do(f"03-04 {answered}", case, ANSWERED)
    await desk.turn("03-04 15:00")
    assert len(await breaches(desk, case)) == found


async def test_nothing_is_told_twice_while_the_read_models_lag(desk: Desk) -> None:
    await desk.publish(policy(rule("resolution", 8, warnings=WARNINGS)))
    case = await desk.register("03-04 09:30")
    await desk.feed.catch_up()
    desk.time = utc("03-05 10:00")
    reckoned: list[UUID] = []

    class Counting(Bookkeeper):
        async def clocks(self, case_id: UUID) -> Any:
            reckoned.append(case_id)
            return await super().clocks(case_id)

    desk.deadlines.books = Counting(desk.recorder)
    for _ in range(20):
        await desk.deadlines.sweep()
    assert await alarms(desk, case) == ["75%", "3600s", "due"]
    assert reckoned == [case]


async def test_what_cannot_be_recorded_of_one_case_keeps_no_other(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.publish(policy(rule("resolution", 8)))
    bad = await desk.register("03-04 09:29")
    good = await desk.register("03-04 09:30")

    class Failing(Bookkeeper):
        async def clocks(self, case_id: UUID) -> Any:
            if case_id == bad:
                raise KeyError("a version that nobody knows")
            return await super().clocks(case_id)

    desk.deadlines.books = Failing(desk.recorder)
    with caplog.at_level(logging.ERROR):
        await desk.turn("03-06 09:00")
    assert await alarms(desk, good) == ["due"]
    assert [str(bad) in record.getMessage() for record in caplog.records] == [True]
    desk.deadlines.books = desk.books
    desk.deadlines._left.clear()  # As if the time to leave it alone were over.
    await desk.turn("03-06 09:01")
    assert await alarms(desk, bad) == ["due"]


async def test_a_breach_that_was_taken_back_can_be_found_again(desk: Desk) -> None:
    await desk.publish(policy(rule("resolution", 8)))
    case = await desk.register("03-04 09:30")
    await desk.turn("03-05 09:31")
    wait = StartWaiting(reason="customer", asked_for="A photo?", occurred_at=utc("03-04 10:30"))
    await desk.do("03-05 09:40", case, wait)
    await desk.do("03-05 09:41", case, RecordContact(channel="email"))
    cycle = await desk.cycle(case, "resolution")
    [evidence] = await desk.told(case, WaitingEnded)
    rescind = RescindResult(
        case_id=case,
        clock_id=cycle.clock_id,
        cycle=1,
        name="resolution",
        evidence=evidence.event_id,
        reason="They had to send a photo",
    )
    await desk.core.execute(ClockSet, clockset_id(case), rescind, by=SAM)
    assert (await desk.view(case, "resolution", "03-05 09:45")).state == "running"
    await desk.turn("03-06 09:00")
    assert [b.due_at for b in await breaches(desk, case)] == [
        utc("03-05 09:30"),
        utc("03-05 16:41"),
    ]
    assert (await desk.view(case, "resolution", "03-06 09:00")).due_at == utc("03-05 16:41")


async def test_history_is_found_breached_but_nobody_is_warned_of_it(desk: Desk) -> None:
    await desk.publish(policy(rule("resolution", 8, warnings=WARNINGS)))
    long_ago = utc("03-04 09:30")
    case = await desk.register("03-04 09:30")
    desk.time = long_ago + NEWS_MAX + timedelta(days=30)
    await desk.turn(desk.time.isoformat())
    assert await alarms(desk, case) == ["due"]


async def test_waiting_ends_when_the_answer_was_expected_before_a_breach_is_judged(
    desk: Desk,
) -> None:
    await desk.publish(policy(rule("resolution", 8)))
    case = await desk.register("03-04 09:30")
    wait = StartWaiting(reason="customer", asked_for="A photo?", expected_by=utc("03-04 12:30"))
    await desk.do("03-04 10:30", case, wait)
    await desk.turn("03-04 12:00")
    assert await desk.told(case, WaitingEnded) == []
    await desk.turn("03-06 09:00")  # Nobody kept time for two days.
    [ended] = await desk.told(case, WaitingEnded)
    assert ended.event == WaitingEnded("customer", "timeout", utc("03-04 12:30"))
    assert ended.occurred_at == utc("03-04 12:30")
    [breach] = await breaches(desk, case)
    assert breach.due_at == utc("03-05 11:30")
    await desk.turn("03-06 10:00")
    assert len(await desk.told(case, WaitingEnded)) == 1


async def test_a_resolution_after_the_answer_was_expected_does_not_lengthen_the_pause(
    desk: Desk,
) -> None:
    await desk.publish(policy(rule("resolution", 8)))
    case = await desk.register("03-04 09:30")
    wait = StartWaiting(reason="customer", asked_for="A photo?", expected_by=utc("03-04 12:30"))
    await desk.do("03-04 10:30", case, wait)
    await desk.do("03-05 15:00", case, ClaimCase(), by=ADA)
    await desk.do(
        "03-05 15:00", case, ResolveCase(outcome="upheld", reasons="It was our carrier"), by=ADA
    )
    assert (await desk.view(case, "resolution", "03-05 15:01")).state == "breached"


async def test_a_burst_is_worked_off_in_bounded_batches(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("casecore.deadlines.BATCH_MAX", 4)
    await desk.publish(policy(rule("resolution", 8), rule("first_response", 4)))
    cases = [await desk.register("03-04 09:30") for _ in range(11)]
    await desk.turn("03-06 09:00")
    for case in cases:
        assert await alarms(desk, case) == ["due", "due"]


async def test_two_at_once_tell_everything_once(desk: Desk, pool: Pool, recorder: Recorder) -> None:
    await desk.publish(policy(rule("resolution", 8, warnings=WARNINGS)))
    cases = [await desk.register("03-04 09:30") for _ in range(10)]
    await desk.feed.catch_up()
    async with Desk.over(pool, recorder) as other:
        desk.time = utc("03-05 10:00")
        other.time = desk.time + timedelta(microseconds=7)
        await asyncio.gather(desk.deadlines.turn(), other.deadlines.turn())
        await desk.turn()
        await other.turn()
    for case in cases:
        assert sorted(await alarms(desk, case)) == ["3600s", "75%", "due"]
