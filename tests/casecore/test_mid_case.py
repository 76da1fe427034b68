"""What changes while clocks run, from command to ledger and back: T-16 to T-31 as they happen."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from casecore.case.decisions.contact import RecordContact, RecordResponse, StartWaiting
from casecore.case.decisions.intake import AddNote
from casecore.case.decisions.outcome import ReopenCase, ResolveCase
from casecore.case.decisions.ownership import ClaimCase
from casecore.case.decisions.triage import ChangePriority
from casecore.case.events.contact import ResponseSent
from casecore.case.events.intake import Priority
from casecore.clocks.calendar import Calendar
from casecore.clocks.targets import OpenTime
from casecore.clockset.decisions import RescindResult
from casecore.clockset.events import ClockBreached, ClockRebaselined
from casecore.clockset.state import ClockSet, clockset_id
from casecore.database import Pool
from casecore.errors import Rejected
from casecore.recorder import Recorder
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy
from casecore.sla.events import SLA_BOOK_ID, SlaPolicy
from casecore.sla.state import SlaBook
from tests.casecore.clocks.given import HOUR, LONDON, closed
from tests.casecore.clockwork import Desk
from tests.casecore.sla.given import policy, rule, utc
from tests.spec import ADA, SAM, SERVICE, SYSTEM

GRADED: dict[Priority, OpenTime] = {"low": OpenTime(24 * HOUR), "high": OpenTime(8 * HOUR)}
RAISE = ChangePriority(priority="high", reason="They called again")
RESOLVE = ResolveCase(outcome="upheld", reasons="It was our carrier")
REOPEN = ReopenCase(reason="dissatisfied", text="It came back broken")
ANSWER = RecordResponse(text="We are on it")
FRIDAY_OFF = Calendar(LONDON.zone, LONDON.weekly, LONDON.exceptions | closed("2026-03-06"))


@pytest.fixture
async def desk(pool: Pool, recorder: Recorder) -> AsyncIterator[Desk]:
    async with Desk.over(pool, recorder) as desk:
        yield desk


async def due(desk: Desk, case: UUID, name: str, number: int | None = None) -> str | None:
    at = (await desk.view(case, name, number=number)).due_at
    return None if at is None else f"{at:%m-%d %H:%M}"


async def state(desk: Desk, case: UUID, name: str, now: str, number: int | None = None) -> str:
    return (await desk.view(case, name, now, number)).state


async def published(desk: Desk, at: str, what: SlaPolicy | Calendar) -> None:
    desk.time = utc(at)
    if isinstance(what, Calendar):
        ask: PublishCalendar | PublishSlaPolicy = PublishCalendar(calendar_id="lon", calendar=what)
    else:
        ask = PublishSlaPolicy(policy_id="desk", policy=what)
    await desk.core.execute(SlaBook, SLA_BOOK_ID, ask, by=SYSTEM)


async def test_a_raised_priority_keeps_what_was_used_and_what_was_met(desk: Desk) -> None:
    answers = rule("first_response", 4, by_priority={"high": OpenTime(HOUR)})
    await desk.publish(policy(rule("resolution", by_priority=GRADED), answers))
    case = await desk.register("03-02 09:00", priority="low")
    assert await due(desk, case, "resolution") == "03-04 17:00"
    await desk.do("03-02 12:00", case, ANSWER)
    await desk.do("03-02 14:00", case, RAISE)
    assert await due(desk, case, "resolution") == "03-02 17:00"  # T-21
    met = await desk.view(case, "first_response", "03-02 15:00")
    assert (met.state, met.satisfied_at) == ("met", utc("03-02 12:00"))  # T-23
    await desk.turn("03-02 17:01")
    assert await state(desk, case, "resolution", "03-02 17:01") == "breached"


async def test_a_new_version_is_for_new_cases_and_for_those_it_was_ordered_for(
    desk: Desk,
) -> None:
    await desk.publish(policy(rule("resolution", 16)))
    case = await desk.register("03-04 10:00")
    await published(desk, "03-04 15:00", policy(rule("resolution", 8)))
    assert await due(desk, case, "resolution") == "03-06 10:00"  # T-24
    later = await desk.register("03-04 15:00")
    assert await due(desk, later, "resolution") == "03-05 15:00"
    await desk.rebaseline("03-04 15:00", case, "resolution")
    assert await due(desk, case, "resolution") == "03-05 10:00"
    [moved] = await desk.told(clockset_id(case), ClockRebaselined)
    assert (moved.actor, moved.event) == (SAM, moved.event)
    assert isinstance(moved.event, ClockRebaselined)
    assert (moved.event.reason, moved.event.effective_at) == ("As ordered", utc("03-04 15:00"))


async def test_a_new_calendar_counts_only_where_it_was_ordered(desk: Desk) -> None:
    await desk.publish(policy(rule("resolution", 8)))
    case = await desk.register("03-05 13:00")
    other = await desk.register("03-05 13:00")
    await published(desk, "03-05 16:00", FRIDAY_OFF)
    await desk.rebaseline("03-05 16:00", case, "resolution")
    assert await due(desk, case, "resolution") == "03-09 13:00"  # T-25
    assert await due(desk, other, "resolution") == "03-06 13:00"


async def test_a_breach_stays_and_is_not_rebaselined(desk: Desk) -> None:
    await desk.publish(policy(rule("resolution", 8, by_priority=GRADED)))
    case = await desk.register("03-05 13:00")
    await desk.turn("03-06 13:30")
    await published(desk, "03-06 14:00", FRIDAY_OFF)
    with pytest.raises(Rejected) as refusal:
        await desk.rebaseline("03-06 14:00", case, "resolution")  # T-26
    assert refusal.value.code == "clock-over"
    await desk.do("03-06 14:01", case, ChangePriority(priority="low", reason="Calm"))  # R12
    assert await state(desk, case, "resolution", "03-06 14:02") == "breached"
    assert await due(desk, case, "resolution") == "03-06 13:00"


@pytest.mark.parametrize(
    ("mode", "cycles", "expected"),
    [("resume", 1, "03-06 15:00"), ("new_cycle", 2, "03-10 10:00")],
)
async def test_a_reopened_case_goes_on_or_begins_anew(
    desk: Desk, mode: str, cycles: int, expected: str
) -> None:
    await desk.publish(policy(rule("resolution", 16, reopen=mode)))
    case = await desk.register("03-02 09:00")
    await desk.do("03-02 09:00", case, ClaimCase(), by=ADA)
    await desk.do("03-03 12:00", case, RESOLVE, by=ADA)
    await desk.turn("03-05 17:00")  # What is resolved comes to no date.
    await desk.do("03-06 10:00", case, REOPEN)
    assert (await desk.cycle(case, "resolution")).cycle == cycles
    assert await due(desk, case, "resolution") == expected  # T-27
    if mode == "new_cycle":
        assert await state(desk, case, "resolution", "03-06 11:00", number=1) == "met"
    await desk.turn("03-10 10:01")
    [breach] = await desk.told(clockset_id(case), ClockBreached)
    assert isinstance(breach.event, ClockBreached)
    assert (breach.event.cycle, f"{breach.event.due_at:%m-%d %H:%M}") == (cycles, expected)


async def test_a_late_record_takes_back_a_breach_visibly(desk: Desk) -> None:
    await desk.publish(policy(rule("first_response", 4)))
    case = await desk.register("03-04 09:00")
    await desk.turn("03-04 14:00")
    assert await state(desk, case, "first_response", "03-04 14:00") == "breached"
    await desk.do("03-04 15:00", case, RecordResponse(text="x", occurred_at=utc("03-04 12:00")))
    cycle = await desk.cycle(case, "first_response")
    [answer] = await desk.told(case, ResponseSent)
    assert (answer.occurred_at, cycle.breach is not None) == (utc("03-04 12:00"), True)
    rescind = RescindResult(
        case_id=case,
        clock_id=cycle.clock_id,
        cycle=1,
        name="first_response",
        evidence=answer.event_id,
        reason="The call was logged late",
    )
    await desk.core.execute(ClockSet, clockset_id(case), rescind, by=SAM)
    assert await state(desk, case, "first_response", "03-04 16:00") == "met"
    await desk.turn("03-04 17:00")
    assert len(await desk.told(clockset_id(case), ClockBreached)) == 1


async def test_the_customer_ends_the_pause_when_they_write_not_when_it_is_read(
    desk: Desk,
) -> None:
    await desk.publish(policy(rule("resolution", 8)))
    case = await desk.register("03-04 09:30")
    await desk.do("03-04 11:00", case, StartWaiting(reason="customer", asked_for="A photo?"))
    await desk.turn("03-04 12:00")
    wrote = RecordContact(channel="email", occurred_at=utc("03-04 12:10"))
    await desk.do("03-04 15:40", case, wrote)
    assert await due(desk, case, "resolution") == "03-05 10:40"  # T-18


async def test_a_paused_clock_comes_to_no_date_and_is_met_in_the_pause(desk: Desk) -> None:
    await desk.publish(policy(rule("resolution", 8)))
    case = await desk.register("03-04 09:30")
    await desk.do("03-04 12:00", case, ClaimCase(), by=ADA)
    await desk.do("03-04 12:00", case, StartWaiting(reason="customer", asked_for="A photo?"))
    await desk.turn("03-10 12:00")
    paused = await desk.view(case, "resolution", "03-10 12:00")  # T-17
    assert (paused.state, paused.due_at, paused.remaining_seconds) == ("paused", None, 19_800)
    await desk.do("03-10 15:00", case, RESOLVE, by=ADA)
    met = await desk.view(case, "resolution", "03-10 16:00")  # T-16
    assert (met.state, met.consumed_seconds) == ("met", 9_000)
    await desk.turn("03-11 12:00")
    assert await desk.told(clockset_id(case), ClockBreached) == []


async def test_the_oldest_message_counts_and_only_people_answer_it(desk: Desk) -> None:
    await desk.publish(policy(rule("next_response", 4), rule("first_response", 4)))
    case = await desk.register("03-03 10:00")
    await desk.do("03-03 10:05", case, ANSWER)  # T-31: until then only the first response runs.
    for at in ("03-04 10:00", "03-04 11:30", "03-04 13:00"):
        await desk.do(at, case, RecordContact(channel="email", text=at))
    await desk.do("03-04 13:01", case, AddNote(text="They are angry"))
    await desk.do("03-04 13:05", case, RecordResponse(text="We got it"), by=SERVICE)
    await desk.do("03-04 13:10", case, RAISE)
    assert await due(desk, case, "next_response") == "03-04 14:00"  # T-28, T-29
    assert (await desk.cycle(case, "next_response")).cycle == 1
    await desk.turn("03-04 14:01")
    [breach] = await desk.told(clockset_id(case), ClockBreached)
    assert isinstance(breach.event, ClockBreached)
    assert breach.event.due_at == utc("03-04 14:00")


async def test_thanks_after_the_resolution_ask_for_no_answer(desk: Desk) -> None:
    await desk.publish(policy(rule("next_response", 4)))
    case = await desk.register("03-04 09:00")
    await desk.do("03-04 10:00", case, ClaimCase(), by=ADA)
    await desk.do("03-04 12:00", case, RESOLVE, by=ADA)
    await desk.do("03-04 12:05", case, RecordContact(channel="email", text="Thanks"))
    clocks, _ = await desk.books.clocks(case)
    assert clocks.cycles == ()  # T-30
