"""A desk whose clock is set by hand, over a real ledger and its read models."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from casecore.actors import Actor
from casecore.appender import Appender
from casecore.asking import Ask
from casecore.bookkeeping import Bookkeeper
from casecore.case.decisions.intake import Complainant, RegisterCase
from casecore.case.state import Case
from casecore.clocks.calendar import Calendar
from casecore.clockset.decisions import RebaselineClocks, Running
from casecore.clockset.state import ClockSet, clockset_id
from casecore.core import Core, Written
from casecore.database import Pool
from casecore.deadlines import Deadlines
from casecore.following.feed import Feed
from casecore.recorder import Recorder
from casecore.recording import Recorded, from_row
from casecore.sla.cycle import ClockView, Cycle, view
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy
from casecore.sla.events import SLA_BOOK_ID, SlaPolicy
from casecore.sla.state import SlaBook
from projections import PROJECTIONS
from projections.agenda import Agenda
from tests.casecore.clocks.given import LONDON
from tests.casecore.sla.given import utc
from tests.spec import SAM, SYSTEM


class Desk:
    def __init__(self, pool: Pool, recorder: Recorder) -> None:
        self.pool = pool
        self.recorder = recorder
        self.appender = Appender(pool, recorder.id)
        self.time = utc("01-01 00:00")
        self.core = Core(recorder, self.appender, now=lambda: self.time)
        self.books = Bookkeeper(recorder)
        self.feed = Feed(pool, recorder, PROJECTIONS)
        self.deadlines = Deadlines(self.core, self.books, Agenda(pool, recorder.id))

    @classmethod
    @asynccontextmanager
    async def over(cls, pool: Pool, recorder: Recorder) -> "AsyncIterator[Desk]":
        desk = cls(pool, recorder)
        try:
            yield desk
        finally:
            await desk.deadlines.close()
            await desk.feed.close()
            await desk.appender.close()

    async def publish(self, *policies: SlaPolicy, calendar: Calendar = LONDON) -> None:
        commands: list[Ask] = [PublishCalendar(calendar_id="lon", calendar=calendar)]
        for policy in policies:
            commands.append(PublishSlaPolicy(policy_id="desk", policy=policy))
        await self.core.execute(SlaBook, SLA_BOOK_ID, *commands, by=SYSTEM)

    async def register(self, at: str, **more: Any) -> UUID:
        case_id = uuid4()
        asked: dict[str, Any] = {
            "channel": "email",
            "customer": Complainant(ref="cust-42", name="Ada Byron"),
            "reason": "Three weeks late",
        }
        await self.do(at, case_id, RegisterCase(**asked | more), by=SAM)
        return case_id

    async def do(self, at: str | datetime, case_id: UUID, *asks: Ask, by: Actor = SAM) -> Written:
        """Ask this then."""
        self.time = utc(at) if isinstance(at, str) else at
        return await self.core.execute(Case, case_id, *asks, by=by)

    async def rebaseline(self, at: str, case_id: UUID, name: str, **to: Any) -> Written:
        self.time = utc(at)
        cycle = await self.cycle(case_id, name)
        pin = cycle.pin
        clock = Running(
            clock_id=cycle.clock_id,
            cycle=cycle.cycle,
            name=name,
            policy_id=pin.policy_id,
            policy_version=pin.policy_version,
            calendar_id=pin.calendar_id,
            calendar_version=pin.calendar_version,
        )
        ask = RebaselineClocks(case_id=case_id, clocks=(clock,), reason="As ordered", **to)
        return await self.core.execute(ClockSet, clockset_id(case_id), ask, by=SAM)

    async def turn(self, at: str | None = None) -> None:
        """The deadline process has its turn, with the read models up to date before and after."""
        self.time = utc(at) if at else self.time + timedelta(microseconds=1)
        for _ in range(2):  # What is found in the first is reacted to in the second.
            await self.feed.catch_up()
            await self.deadlines.turn()
        await self.feed.catch_up()

    async def cycle(self, case_id: UUID, name: str, number: int | None = None) -> Cycle:
        clocks, _ = await self.books.clocks(case_id)
        found = sorted((c for c in clocks.cycles if c.name == name), key=lambda c: c.cycle)
        return found[-1] if number is None else found[number - 1]

    async def view(
        self, case_id: UUID, name: str, now: str | None = None, number: int | None = None
    ) -> ClockView:
        cycle = await self.cycle(case_id, name, number)
        return view(cycle, await self.books.latest(), utc(now) if now else None)

    async def told(self, stream_id: UUID, *types: type[Any]) -> Sequence[Recorded]:
        """What was recorded there of these types."""
        rows = await self.recorder.history(stream_id)
        found = [from_row(self.recorder.ledger, row) for row in rows]
        return [recorded for recorded in found if isinstance(recorded.event, types)]
