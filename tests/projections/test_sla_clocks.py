"""The clocks of all cases: as of now, at risk, for BI, and in the order of a queue."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from asyncpg import Record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from casecore.bookkeeping import Bookkeeper
from casecore.case.events.contact import AcknowledgementSent, WaitingStarted
from casecore.case.events.escalation import ComplaintEscalated
from casecore.case.events.outcome import ComplaintResolved
from casecore.case.events.ownership import CaseAssigned, CaseQueued
from casecore.case.events.promises import PromiseMade
from casecore.case.events.triage import CaseTriaged
from casecore.clocks.calendar import Calendar, Weekly
from casecore.clocks.instants import SECOND, micros
from casecore.clocks.targets import CalendarDays, OpenTime
from casecore.clockset.events import ClockBreached, ClockWarned
from casecore.clockset.state import clockset_id
from casecore.database import Pool
from casecore.errors import Malformed
from casecore.facts import Event
from casecore.following.feed import Feed
from casecore.following.rebuilding import rebuild
from casecore.sla.cycle import view
from casecore.sla.events import (
    SLA_BOOK_ID,
    CalendarPublished,
    Match,
    SlaPolicyPublished,
    TargetRule,
    Warn,
)
from casecore.views import make_views
from projections import agent_queues, cases, sla_clocks
from projections.agent_queues import SLACK_SECONDS, WAIT_MAX, Item
from projections.bi import clock_fact
from projections.sla_clocks import REGULATORY_LEAD, Clock
from tests.casecore.clocks.given import HOUR, LONDON
from tests.casecore.sla.given import JANUARY, policy, rule, utc
from tests.spec import SYSTEM, registered
from tests.telling import Telling

FOLLOWED = (cases, agent_queues, sla_clocks)
NINE = utc("03-02 09:00")
"""On a Monday, when the desk opens; it closes at five."""
TOKYO = Calendar("Asia/Tokyo", Weekly(*[(("10:00", "16:00"),)] * 6))
MICROSECOND = timedelta(microseconds=1)

resolution = rule("resolution", 8, warnings=(Warn(percent=75),))
acknowledgement = rule("acknowledgement", 1)


class Desk:
    """A ledger whose clocks and queues are followed, and asked about."""

    def __init__(self, telling: Telling) -> None:
        self.telling = telling
        self.pool = telling.recorder.pool
        self.id = telling.recorder.id
        self.books = Bookkeeper(telling.recorder)

    @classmethod
    async def under(cls, pool: Pool, *rules: TargetRule) -> "Desk":
        desk = cls(await Telling.into(pool, f"ledger {uuid4()}"))
        published = SlaPolicyPublished("desk", 1, policy(*rules), JANUARY)
        await desk.telling.tell(SLA_BOOK_ID, CalendarPublished("lon", 1, LONDON), published)
        return desk

    async def case(self, *events: Event, at: datetime = NINE, **changes: Any) -> UUID:
        case_id = uuid4()
        begun = replace(registered, **{"received_at": at} | changes)
        await self.telling.tell(case_id, begun, *events, at=at)
        return case_id

    async def follow(self) -> None:
        await Feed(self.pool, self.telling.recorder, FOLLOWED).catch_up()

    async def clocks(self, now: datetime, **asked: Any) -> list[Clock]:
        """All pages, as of the same time."""
        await self.follow()
        found: list[Clock] = []
        after = None
        while True:
            page = await sla_clocks.listed(
                self.pool, self.id, books=self.books, now=now, after=after, **asked
            )
            found += page.items
            if page.next is None:
                return found
            after = page.next

    async def names(self, now: datetime, **asked: Any) -> list[str]:
        return [clock.name for clock in await self.clocks(now, **asked)]

    async def queue(self, now: datetime, limit: int = 50) -> list[Item]:
        await self.follow()
        book, found, after = await self.books.latest(), [], None
        while True:
            page = await agent_queues.items(
                self.pool, self.id, "complaints", book, now, after=after, limit=limit
            )
            found += page.items
            if page.next is None:
                return found
            after = page.next
            now += timedelta(minutes=10)  # The pages go by the time of the first.


async def test_a_clock_runs_on_its_due_instant_and_is_breached_right_after(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution)
    await desk.case()
    due = utc("03-02 17:00")
    for now, state in ((due, "running"), (due + MICROSECOND, "breached")):
        for other in ("running", "breached"):
            assert await desk.names(now, state=other) == ["resolution"] * (other == state)
        [clock] = await desk.clocks(now)
        assert (clock.state, clock.due_at) == (state, due)


async def test_what_is_listed_is_as_a_view_has_it_now(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement)
    case_id = await desk.case()
    now = utc("03-02 12:30:30")
    listed = {clock.name: clock for clock in await desk.clocks(now)}
    assert listed["resolution"].consumed_seconds == 3.5 * HOUR + 30
    assert listed["resolution"].remaining_seconds == 4.5 * HOUR - 30
    assert listed["acknowledgement"].lateness_seconds == 2.5 * HOUR + 30

    clocks, book = await desk.books.clocks(case_id)
    for cycle in clocks.cycles:
        seen = asdict(listed[cycle.name])
        assert seen | asdict(view(cycle, book, now)) == seen


async def test_clocks_are_found_by_what_they_are(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement, rule("promise"))
    promise = PromiseMade("p1", "update", "News", utc("03-05 12:00"), "ada")
    mine = await desk.case(AcknowledgementSent("oral", "phone"), CaseAssigned("ada", "claim"))
    bens = await desk.case(CaseAssigned("ben", "claim"), promise)
    nobodys = await desk.case(CaseQueued("depot", "Lost there"), at=utc("03-03 09:00"))
    now = utc("03-02 11:00")

    async def found(**asked: Any) -> list[tuple[UUID, str]]:
        return [(clock.case_id, clock.name) for clock in await desk.clocks(now, **asked)]

    assert await found(state="met") == [(mine, "acknowledgement")]
    assert await found(state="breached") == [(bens, "acknowledgement")]
    assert await found(kind="promise") == [(bens, "promise")]
    assert await found(queue="depot") == [(nobodys, "acknowledgement"), (nobodys, "resolution")]
    assert await found(case_id=mine) == [(mine, "acknowledgement"), (mine, "resolution")]
    assert {case_id for case_id, _ in await found(seen_by="ada")} == {mine, nobodys}
    before = await found(due_before=utc("03-02 17:00"))
    assert sorted(before) == sorted([(mine, "acknowledgement"), (bens, "acknowledgement")])


async def test_those_due_first_come_first_and_paused_ones_at_the_end(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement)
    waiting = WaitingStarted("customer", "A photo?")
    for hours in (5, 0, 3, 3):
        await desk.case(waiting, at=NINE + timedelta(hours=hours))
        await desk.case(at=NINE + timedelta(hours=hours))
    clocks = await desk.clocks(utc("03-02 15:00"))
    dues = [clock.due_at for clock in clocks if clock.due_at]
    assert dues == sorted(dues)
    assert [clock.state for clock in clocks[len(dues) :]] == ["paused"] * 4
    for limit in (1, 3, 200):
        assert await desk.clocks(utc("03-02 15:00"), limit=limit) == clocks


async def test_a_clock_is_at_risk_from_its_first_warning_until_it_is_answered(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement)
    case_id = await desk.case()

    async def at_risk(at: str) -> list[str]:
        return await desk.names(utc(at), at_risk=True)

    assert await at_risk("03-02 09:59") == []
    assert await at_risk("03-02 10:00") == ["acknowledgement"]
    assert await at_risk("03-02 15:00") == ["acknowledgement", "resolution"]
    [_, clock] = await desk.clocks(utc("03-02 15:00"), at_risk=True)
    warned = ClockWarned(case_id, clock.clock_id, 1, "resolution", "75%", clock.due_at)
    await desk.telling.tell(clockset_id(case_id), warned, by=SYSTEM)
    assert await at_risk("03-02 14:59") == ["acknowledgement"]
    assert await at_risk("03-02 15:00") == ["acknowledgement", "resolution"]
    late = AcknowledgementSent("oral", "phone")
    await desk.telling.tell(case_id, late, at=utc("03-02 15:30"))
    assert await at_risk("03-02 16:00") == ["resolution"]
    assert await at_risk("03-04 16:00") == ["resolution"]
    waiting = WaitingStarted("customer", "A photo?")
    await desk.telling.tell(case_id, waiting, at=utc("03-02 16:00"))
    assert await at_risk("03-02 16:30") == []


async def test_what_a_resolved_case_left_unanswered_is_at_risk_no_more(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement)
    case_id = await desk.case()
    assert await desk.names(utc("03-02 15:00"), at_risk=True) == ["acknowledgement", "resolution"]
    resolved = ComplaintResolved(outcome="upheld", reasons="Lost at the depot")
    await desk.telling.tell(case_id, resolved, at=utc("03-02 15:30"))

    assert await desk.names(utc("03-03 09:00"), at_risk=True) == []
    [clock] = await desk.clocks(utc("03-03 09:00"), kind="acknowledgement")
    assert (clock.state, clock.waiting, clock.at_risk_at) == ("breached", False, None)


async def test_what_time_has_to_tell_next_is_kept_until_it_is_recorded(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement)
    case_id = await desk.case()

    async def alarms() -> dict[str, tuple[datetime | None, str | None]]:
        clocks = await desk.clocks(utc("03-09 09:00"))
        return {clock.name: (clock.next_alarm_at, clock.next_alarm) for clock in clocks}

    due = utc("03-02 10:00")
    expected = {"acknowledgement": (due, "due"), "resolution": (utc("03-02 15:00"), "75%")}
    assert await alarms() == expected
    late = AcknowledgementSent("oral", "phone")
    await desk.telling.tell(case_id, late, at=utc("03-02 15:30"))
    assert await alarms() == expected
    [clock] = await desk.clocks(due, kind="acknowledgement")
    breached = ClockBreached(case_id, clock.clock_id, 1, clock.name, due, utc("03-02 15:31"))
    await desk.telling.tell(clockset_id(case_id), breached, by=SYSTEM)
    assert (await alarms())["acknowledgement"] == (None, None)


async def test_bi_sees_how_clocks_stand_now_also_after_a_rebuild(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement, rule("promise"))
    never = datetime(2200, 1, 1, tzinfo=UTC)
    await desk.case(
        AcknowledgementSent("oral", "phone"), PromiseMade("p1", "update", "News", never, "ada")
    )
    for _ in range(2):
        facts = {fact["target_name"]: fact for fact in await seen_by_bi(desk)}
        assert (facts["acknowledgement"]["state"], facts["acknowledgement"]["is_met"]) == (
            "met",
            True,
        )
        assert (facts["promise"]["state"], facts["promise"]["is_met"]) == ("running", None)
        overdue = facts["resolution"]
        assert (overdue["state"], overdue["is_met"]) == ("breached", False)
        assert overdue["breached_at"] == utc("03-02 17:00")
        assert overdue["lateness_seconds"] > 0
        stored = await pool.fetchval("SELECT state FROM ops.sla_clocks WHERE name = 'resolution'")
        assert stored == "running"
        await rebuild(pool, desk.telling.recorder, sla_clocks)


async def seen_by_bi(desk: Desk) -> list[Record]:
    await desk.follow()
    async with desk.pool.acquire() as db:
        await make_views(db, (clock_fact.VIEW,))
    return await desk.pool.fetch("SELECT * FROM bi.clock_fact WHERE ledger = $1", desk.id)


async def test_the_state_bi_sees_is_that_of_the_lists(pool: Pool) -> None:
    desk = await Desk.under(pool, resolution, acknowledgement)
    waiting = WaitingStarted("customer", "A photo?")
    await desk.case(waiting)
    await desk.case(AcknowledgementSent("oral", "phone"), at=utc("03-03 16:00"))
    now = await pool.fetchval("SELECT now()")
    facts = [
        (
            f["clock_id"],
            f["state"],
            f["breached_at"],
            (late := f["lateness_seconds"]) and late // 60,
        )
        for f in await seen_by_bi(desk)
    ]
    listed = [
        (c.clock_id, c.state, c.breached_at, c.lateness_seconds and c.lateness_seconds // 60)
        for c in await desk.clocks(now)
    ]
    for fact, clock in zip(sorted(facts), sorted(listed), strict=True):
        assert fact[:3] == clock[:3]
        assert fact[3] in (clock[3], (clock[3] or 0) + 1)  # A minute may have begun between.


regulator = replace(
    rule("response", kind="regulatory"), name="response", target=CalendarDays(2), regime="any"
)


class Wanted(msgspec.Struct, frozen=True):
    """A case that waits."""

    minutes: int
    """When it came in, after Monday nine o'clock."""
    hours: int | None
    """Until a promise made to the customer is due."""
    product: str
    severity: int
    tier: int


WANTED = st.builds(
    Wanted,
    minutes=st.integers(0, 4 * 24 * 60),
    hours=st.none() | st.integers(1, 200),
    product=st.sampled_from(["parcels", "letters", "boats"]),
    severity=st.sampled_from([1, 5]),
    tier=st.sampled_from([0, 0, 0, 2]),
)


async def waiting_desk(pool: Pool, wanted: Iterable[Wanted]) -> Desk:
    """Parcels have a clock in London, letters one in Tokyo and a regulator's; boats have none."""
    desk = Desk(await Telling.into(pool, f"ledger {uuid4()}"))
    london = policy(replace(resolution, target=OpenTime(12 * HOUR)), rule("promise"), rank=1)
    tokyo = policy(resolution, regulator, rule("promise"), rank=2, calendar_id="tokyo")
    await desk.telling.tell(
        SLA_BOOK_ID,
        CalendarPublished("lon", 1, LONDON),
        CalendarPublished("tokyo", 1, TOKYO),
        SlaPolicyPublished("lon", 1, replace(london, match=Match(products=("parcels",))), JANUARY),
        SlaPolicyPublished("tokyo", 1, replace(tokyo, match=Match(("letters",))), JANUARY),
    )
    for case in wanted:
        at = NINE + timedelta(minutes=case.minutes)
        events: list[Event] = [CaseTriaged(case.severity, 1, 1, False, "parcels", "normal")]
        if case.hours is not None:
            due = at + timedelta(hours=case.hours)
            events.append(PromiseMade("p1", "update", "News", due, "ada"))
        if case.tier:
            escalated = ComplaintEscalated("e1", "hierarchical", case.tier, "-", "customer", "ada")
            events.append(escalated)
        await desk.case(*events, at=at, product=case.product)
    return desk


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(wanted=st.lists(WANTED, min_size=2, max_size=8), limit=st.integers(1, 9))
async def test_a_queue_is_in_the_one_order_that_tier_breach_slack_gravity_and_age_make(
    pool: Pool, wanted: list[Wanted], limit: int
) -> None:
    desk = await waiting_desk(pool, wanted)
    now = utc("03-04 13:07")
    items = await desk.queue(now, limit)
    ranked = []
    for item in items:
        breached, slack = await reckoned(desk, item.case_id, now)
        assert (item.breached, item.slack_seconds) == (breached, slack)
        step = len(SLACK_SECONDS)
        if slack is not None:
            step = sum(slack >= seconds for seconds in SLACK_SECONDS)
        order = (-item.tier, not breached, step, -item.severity, item.received_at, item.case_id)
        ranked.append(order)
    assert len(items) == len(wanted)
    assert ranked == sorted(ranked)
    assert len(set(ranked)) == len(ranked)


async def reckoned(desk: Desk, case_id: UUID, now: datetime) -> tuple[bool, int | None]:
    """Whether a clock of the case is overdue, and the slack: from the clocks themselves."""
    clocks, book = await desk.books.clocks(case_id)
    dues = [(view(cycle, book).due_at, cycle) for cycle in clocks.running]
    pressing = [
        (micros(due - REGULATORY_LEAD if cycle.kind == "regulatory" else due), cycle.pin)
        for due, cycle in dues
        if due is not None
    ]
    if not pressing:
        return False, None
    at, pin = min(pressing, key=lambda found: found[0])
    openings, since = book.openings(pin), micros(now)
    left = openings.passed(since, at) if at > since else -openings.passed(at, since)
    return any(due is not None and due < now for due, _ in dues), left // SECOND


async def test_who_waits_too_long_for_an_owner_is_among_the_most_urgent(pool: Pool) -> None:
    desk = await waiting_desk(pool, [Wanted(0, None, "boats", 1, 0)])
    recorded = await pool.fetchval("SELECT max(recorded_at) FROM es.event")
    [item] = await desk.queue(recorded + WAIT_MAX - timedelta(minutes=1))
    assert item.step == len(SLACK_SECONDS)
    [item] = await desk.queue(recorded + WAIT_MAX)
    assert item.step == 0


async def test_a_queue_says_what_is_due_first_in_it(pool: Pool) -> None:
    wanted = [Wanted(0, None, "parcels", 1, 0), Wanted(0, 2, "parcels", 1, 0)]
    desk = await waiting_desk(pool, [*wanted, Wanted(0, None, "boats", 1, 0)])
    await desk.follow()
    book = await desk.books.latest()
    [queue] = await agent_queues.queues(pool, desk.id, book, utc("03-02 10:00"))
    assert (queue.waiting, queue.breached) == (3, 0)
    assert (queue.next_due_at, queue.next_due_kind) == (utc("03-02 11:00"), "promise")
    assert queue.slack_seconds == HOUR
    [queue] = await agent_queues.queues(pool, desk.id, book, utc("03-02 12:00"))
    assert (queue.breached, queue.slack_seconds) == (1, -HOUR)


@pytest.mark.parametrize("away", [timedelta(days=-400), timedelta(hours=1)])
async def test_a_page_of_another_time_is_refused(pool: Pool, away: timedelta) -> None:
    desk = await waiting_desk(pool, [Wanted(n, None, "boats", 1, 0) for n in range(2)])
    await desk.follow()
    book, now = await desk.books.latest(), utc("03-02 10:00")
    page = await agent_queues.items(pool, desk.id, "complaints", book, now + away, limit=1)
    with pytest.raises(Malformed):
        await agent_queues.items(pool, desk.id, "complaints", book, now, after=page.next)
