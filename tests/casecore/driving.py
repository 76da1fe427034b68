"""Writers that lead cases through their lives, with policies in force and clocks that run out."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

from casecore.actors import Role
from casecore.appender import Appender
from casecore.bookkeeping import Bookkeeper
from casecore.case.state import Case
from casecore.core import Core
from casecore.deadlines import Deadlines
from casecore.errors import CaseError
from casecore.goodwill.events import GoodwillPolicyPublished, GoodwillTerms, Limit
from casecore.goodwill.state import GOODWILL_POLICY_ID
from casecore.money import Money
from casecore.recorder import Recorder
from casecore.sla.events import SLA_BOOK_ID
from casecore.sla.files import pack, read_book
from casecore.sla.state import SlaBook
from casecore.solutions.events import Applicability, SolutionDrafted, SolutionEndorsed
from projections.agenda import Agenda
from tests.casecore.case.lives import LIVES
from tests.casecore.case.test_twice import LIBRARY_ID
from tests.spec import NOON, SYSTEM
from tests.telling import Telling

HASTE = 3600
"""How many seconds pass in one."""
TERMS = GoodwillTerms(
    (
        Limit(Role.AGENT, 1000, (Money(5_000, "GBP"),)),
        Limit(Role.SUPERVISOR, 5000, (Money(50_000, "GBP"),)),
    )
)


class Driving:
    """So many writers, who write until they are told to stop."""

    def __init__(self, recorder: Recorder, appender: Appender, pause: float) -> None:
        self.recorder = recorder
        self.core = Core(recorder, appender, now=self.now)
        self.pause = pause
        self.position = 0
        """How far the ledger has certainly come."""
        self.written: dict[UUID, tuple[int, int]] = {}
        """The last position of each case, and its version there."""
        self._begun = datetime.now(NOON.tzinfo)
        self._deadlines = Deadlines(
            self.core, Bookkeeper(recorder), Agenda(recorder.pool, recorder.id)
        )
        self._stopped = asyncio.Event()

    def now(self) -> datetime:
        return NOON + HASTE * (datetime.now(NOON.tzinfo) - self._begun)

    @classmethod
    @asynccontextmanager
    async def over(
        cls, recorder: Recorder, writers: int, *, pause: float = 0, clocks: bool = False
    ) -> AsyncIterator[Self]:
        appender = Appender(recorder.pool, recorder.id)
        driving = cls(recorder, appender, pause)
        await driving._publish()
        tasks = [asyncio.create_task(driving._write()) for _ in range(writers)]
        if clocks:
            tasks.append(asyncio.create_task(driving._keep_deadlines()))
        try:
            yield driving
        finally:
            driving._stopped.set()
            await asyncio.gather(*tasks)
            await driving._deadlines.close()
            await appender.close()

    async def _publish(self) -> None:
        telling = Telling(self.recorder)
        await telling.tell(
            LIBRARY_ID,
            SolutionDrafted("Go there", "Go", "agent", Applicability(), UUID(int=1), "s1"),
            SolutionEndorsed(1, "It works"),
        )
        await telling.tell(GOODWILL_POLICY_ID, GoodwillPolicyPublished(1, TERMS, NOON))
        for name in ("desk", "uk_disp"):
            await self.core.execute(SlaBook, SLA_BOOK_ID, *read_book(pack(name)), by=SYSTEM)

    async def _write(self) -> None:
        while True:
            case_id = uuid4()
            for step in LIVES[random.choice([*LIVES])]:
                if self._stopped.is_set():
                    return
                if isinstance(step, timedelta):
                    continue
                by, command = step
                try:
                    written = await self.core.execute(Case, case_id, command, by=by)
                except CaseError:
                    continue  # Another time; most others are still allowed.
                self.position = max(self.position, written.position)
                self.written[case_id] = written.position, written.version
                await asyncio.sleep(self.pause)

    async def _keep_deadlines(self) -> None:
        while not self._stopped.is_set():
            await self._deadlines.turn()
            await asyncio.sleep(0.2)
