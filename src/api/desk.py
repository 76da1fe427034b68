"""Where everything is put together: the ledgers that one process serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from api.accesslog import AccessLog
from api.whatif import Runs
from casecore.appender import UNKNOWN, Appender
from casecore.bookkeeping import Bookkeeper
from casecore.core import Core
from casecore.database import Pool, connect, ledger_id, ledgers, migrate
from casecore.deadlines import Deadlines
from casecore.following import Feed
from casecore.recorder import Recorder
from projections import PROJECTIONS
from projections.agenda import Agenda
from projections.case_file import CaseFiles

READY_SECONDS_MAX = 1.0


class Desk:
    """One ledger: what writes it, the rules over it, and what follows it."""

    def __init__(self, pool: Pool, id: int, ledger: str) -> None:
        self.id = id
        self.ledger = ledger
        self.pool = pool
        self.appender = Appender(pool, id)
        self.recorder = Recorder(pool, id, ledger)
        self.core = Core(self.recorder, self.appender)
        self.books = Bookkeeper(self.recorder)
        self.feed = Feed(pool, self.recorder, PROJECTIONS)
        self.files = CaseFiles(self.feed)
        self.what_ifs = Runs()
        self.access_log = AccessLog(pool, id)
        self.appender.on_appended.append(self.feed.wake)
        self.feed.on_rows.append(self.core.learn)
        self.deadlines = Deadlines(self.core, self.books, Agenda(pool, id))
        self.feed.on_rows.append(self.deadlines.wake)

    async def close(self) -> None:
        await self.what_ifs.close()
        await self.access_log.close()
        await self.deadlines.close()
        await self.appender.close()
        await self.feed.close()


class Desks:
    """Every ledger of one database, each opened when it is first asked for."""

    def __init__(self, url: str, pool: Pool, *, following: bool) -> None:
        self.url = url
        self.pool = pool
        self.following = following
        self.keeping_deadlines = False
        self.closing = False
        self._desks: dict[str, Desk] = {}
        self._opening = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, following: bool = True) -> AsyncIterator[Self]:
        """Migrate, connect, and on leaving drain and close. `following` keeps read models up."""
        await migrate(url)
        pool = await connect(url)
        desks = cls(url, pool, following=following)
        try:
            yield desks
        finally:
            await desks.close()
            await pool.close()

    async def desk(self, ledger: str) -> Desk:
        if ledger not in self._desks:
            async with self._opening:
                if ledger not in self._desks:
                    desk = Desk(self.pool, await ledger_id(self.pool, ledger), ledger)
                    if self.following:
                        await desk.feed.start()
                    if self.keeping_deadlines:
                        desk.deadlines.start(self.url)
                    self._desks[ledger] = desk
        return self._desks[ledger]

    def keep_deadlines(self) -> None:
        """From now on, in every ledger that is open or will be: for processes that stay."""
        self.keeping_deadlines = True
        for desk in self._desks.values():
            desk.deadlines.start(self.url)

    async def ledgers(self) -> list[str]:
        """The names of all there are, opened or not."""
        return await ledgers(self.pool)

    async def ready(self) -> bool:
        """Whether a request that came now could be answered."""
        if self.closing:
            return False
        try:
            await self.pool.fetchval("SELECT 1", timeout=READY_SECONDS_MAX)
        except UNKNOWN:
            return False
        return True

    async def close(self) -> None:
        self.closing = True
        for desk in self._desks.values():
            await desk.close()
