"""What follows from what happened, once: escalations of promises at risk, and return calls."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from casecore.case.decisions.callbacks import ScheduleCallback
from casecore.case.decisions.outcome import ReopenCase, ResolveCase
from casecore.case.decisions.ownership import ClaimCase
from casecore.case.decisions.promises import KeepPromise, MakePromise, RenegotiatePromise
from casecore.case.events.callbacks import CallbackScheduled
from casecore.case.events.escalation import ComplaintEscalated
from casecore.case.events.outcome import ComplaintResolved
from casecore.clockset.events import ClockWarned
from casecore.clockset.state import clockset_id
from casecore.database import Pool
from casecore.reactions import NAME, NEWS_MAX
from casecore.recorder import Recorder
from casecore.sla.events import ReturnCall, Warn
from tests.casecore.clocks.given import HOUR
from tests.casecore.clockwork import Desk
from tests.casecore.sla.given import policy, rule, utc
from tests.spec import ADA

RESOLVE = ResolveCase(outcome="upheld", reasons="It was our carrier")
PROMISE = MakePromise(kind="update", text="News by tomorrow", due_at=utc("03-05 10:00"))
POLICY = policy(
    rule("promise", warnings=(Warn(percent=75),)),
    rule("callback"),
    return_call=ReturnCall(after_seconds=8 * HOUR, within_seconds=24 * HOUR),
)


@pytest.fixture
async def desk(pool: Pool, recorder: Recorder) -> AsyncIterator[Desk]:
    async with Desk.over(pool, recorder) as desk:
        await desk.publish(POLICY)
        yield desk


async def escalations(desk: Desk, case: UUID) -> list[ComplaintEscalated]:
    told = await desk.told(case, ComplaintEscalated)
    return [r.event for r in told if isinstance(r.event, ComplaintEscalated)]


async def callbacks(desk: Desk, case: UUID) -> list[CallbackScheduled]:
    told = await desk.told(case, CallbackScheduled)
    return [r.event for r in told if isinstance(r.event, CallbackScheduled)]


async def resolved(desk: Desk, registered: str, at: str) -> UUID:
    case = await desk.register(registered)
    await desk.do(at, case, ClaimCase(), by=ADA)
    await desk.do(at, case, RESOLVE, by=ADA)
    return case


async def again(desk: Desk) -> None:
    """The process died before it could remember how far it had come."""
    await desk.pool.execute("DELETE FROM ops.process WHERE name = $1", NAME)
    await desk.turn()


async def test_a_promise_at_risk_goes_to_a_supervisor_once_for_each_date(desk: Desk) -> None:
    case = await desk.register("03-04 10:00")
    await desk.do("03-04 10:00", case, PROMISE)
    await desk.turn("03-05 03:59")
    assert await escalations(desk, case) == []
    await desk.turn("03-05 04:01")
    await again(desk)
    [escalated] = await escalations(desk, case)
    assert (escalated.kind, escalated.tier, escalated.trigger, escalated.promise_id) == (
        "hierarchical",
        1,
        "promise_at_risk",
        "p1",
    )
    assert escalated.requested_by == "system"
    [warned] = await desk.told(clockset_id(case), ClockWarned)
    [told] = await desk.told(case, ComplaintEscalated)
    assert told.causation_id == warned.event_id
    moved = RenegotiatePromise(
        promise_id="p1", due_at=utc("03-05 12:00"), customer_agreed=True, reason="The van is late"
    )
    await desk.do("03-05 09:00", case, moved)
    await desk.turn("03-05 12:01")
    await desk.turn("03-05 12:30")
    dates = [e.promise_due_at for e in await escalations(desk, case)]
    assert dates == [utc("03-05 10:00"), utc("03-05 12:00")]


async def test_two_promises_at_risk_are_two_escalations(desk: Desk) -> None:
    case = await desk.register("03-04 10:00")
    other = MakePromise(kind="payment", text="The refund", due_at=utc("03-05 10:00"))
    await desk.do("03-04 10:00", case, PROMISE, other)
    await desk.turn("03-05 09:00")
    assert sorted(str(e.promise_id) for e in await escalations(desk, case)) == ["p1", "p2"]


async def test_a_promise_kept_meanwhile_is_at_no_risk(desk: Desk) -> None:
    case = await desk.register("03-04 10:00")
    await desk.do("03-04 10:00", case, PROMISE)
    desk.time = utc("03-05 09:00")
    await desk.feed.catch_up()
    await desk.deadlines.sweep()  # Warned of, and kept before anybody reacted.
    await desk.do("03-05 09:01", case, KeepPromise(promise_id="p1"))
    await desk.turn("03-05 09:02")
    assert len(await desk.told(clockset_id(case), ClockWarned)) == 1
    assert await escalations(desk, case) == []


async def test_a_resolution_is_followed_by_a_call_in_the_desk_s_hours(desk: Desk) -> None:
    case = await resolved(desk, "03-04 09:00", "03-04 12:00")
    await desk.turn("03-04 12:01")
    await again(desk)
    [call] = await callbacks(desk, case)
    assert (call.purpose, call.zone) == ("post_resolution", "Europe/London")
    assert (call.window_start, call.window_end) == (utc("03-05 12:00"), utc("03-09 12:00"))
    [resolution] = await desk.told(case, ComplaintResolved)
    [told] = await desk.told(case, CallbackScheduled)
    assert told.causation_id == resolution.event_id


async def test_a_call_window_never_opens_as_the_desk_closes(desk: Desk) -> None:
    case = await resolved(desk, "03-04 08:00", "03-04 09:00")
    await desk.turn("03-04 12:01")
    [call] = await callbacks(desk, case)
    assert (call.window_start, call.window_end) == (utc("03-05 09:00"), utc("03-06 17:00"))


async def test_nobody_is_called_twice_for_one_resolution(desk: Desk) -> None:
    case = await desk.register("03-04 09:00")
    await desk.do("03-04 10:00", case, ClaimCase(), by=ADA)
    by_hand = ScheduleCallback(
        window_start=utc("03-05 10:00"),
        window_end=utc("03-05 11:00"),
        zone="Europe/London",
        purpose="post_resolution",
    )
    await desk.do("03-04 10:00", case, RESOLVE, by_hand, by=ADA)
    await desk.turn("03-04 12:00")
    assert len(await callbacks(desk, case)) == 1


async def test_a_case_reopened_meanwhile_is_not_called_about_being_settled(desk: Desk) -> None:
    case = await resolved(desk, "03-04 09:00", "03-04 12:00")
    await desk.do("03-04 12:01", case, ReopenCase(reason="dissatisfied", text="No"), by=ADA)
    await desk.turn("03-04 12:02")
    assert await callbacks(desk, case) == []


async def test_nothing_follows_from_history(desk: Desk) -> None:
    old = await resolved(desk, "03-04 09:00", "03-04 12:00")
    await desk.do("03-04 12:30", old, PROMISE)
    desk.time = utc("03-05 10:00") + NEWS_MAX + timedelta(hours=1)
    await desk.turn(desk.time.isoformat())
    assert await callbacks(desk, old) == []
    assert await escalations(desk, old) == []
