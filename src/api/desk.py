"""Where everything is put together: the ledgers that one process serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from api.whatif import Runs
from casecore.appender import UNKNOWN, Appender
from casecore.bookkeeping import Bookkeeper
from casecore.core import Core
from casecore.database import Pool, connect, ledger_id, ledgers, migrate
from casecore.deadlines import Deadlines
from casecore.following import Feed
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.recorder import Recorder
from casecore.verifying.scrubbing import Scrubber
from projections import PROJECTIONS
from projections.agenda import Agenda
from projections.case_file import CaseFiles

READY_SECONDS_MAX = 1.0


class Desk:
    """One ledger: what writes it, the rules over it, and what follows it."""

    def __init__(
        self, pool: Pool, id: int, ledger: str, proof: ProofSettings | None = None
    ) -> None:
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
        self.appender.on_appended.append(self.feed.wake)
        self.feed.on_rows.append(self.core.learn)
        self.deadlines = Deadlines(self.core, self.books, Agenda(pool, id))
        self.feed.on_rows.append(self.deadlines.wake)
        self.sealed = SealedLedger(pool, id, ledger)
        self.sealing = Sealing(self.sealed, self.appender, proof) if proof else None
        if self.sealing:
            self.appender.on_appended.append(self.sealing.wake)
            self.feed.on_rows.append(self.sealing.wake)
        self.scrubber = Scrubber(self.sealed, self.sealing) if self.sealing else None

    def stay(self, url: str) -> None:
        """Do what one of the processes that stay must do for the ledger."""
        self.deadlines.start(url)
        if self.sealing:
            self.sealing.start(url)
        if self.scrubber:
            self.scrubber.start(url)

    async def close(self) -> None:
        await self.what_ifs.close()
        if self.scrubber:
            await self.scrubber.close()
        await self.deadlines.close()
        await self.appender.close()
        if self.sealing:
            await self.sealing.close()
        await self.feed.close()


class Desks:
    """Every ledger of one database, each opened when it is first asked for."""

    def __init__(
        self, url: str, pool: Pool, *, following: bool, proof: ProofSettings | None
    ) -> None:
        self.url = url
        self.pool = pool
        self.following = following
        self.proof = proof
        self.staying = False
        self.closing = False
        self._desks: dict[str, Desk] = {}
        self._opening = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, following: bool = True, proof: ProofSettings | None = None
    ) -> AsyncIterator[Self]:
        """Migrate, connect, and on leaving drain and close. `following` keeps read models up;
        with `proof`, nothing is written to a ledger that is not the one that was sealed."""
        await migrate(url)
        pool = await connect(url)
        desks = cls(url, pool, following=following, proof=proof)
        try:
            yield desks
        finally:
            await desks.close()
            await pool.close()

    async def desk(self, ledger: str) -> Desk:
        if ledger not in self._desks:
            async with self._opening:
                if ledger not in self._desks:
                    id = await ledger_id(self.pool, ledger)
                    desk = Desk(self.pool, id, ledger, self.proof)
                    if desk.sealing:
                        await desk.sealing.guard()
                    if self.following:
                        await desk.feed.start()
                    if self.staying:
                        desk.stay(self.url)
                    self._desks[ledger] = desk
        return self._desks[ledger]

    def stay(self) -> None:
        """Keep deadlines and seal, in every ledger that is open or will be: for processes that
        stay."""
        self.staying = True
        for desk in self._desks.values():
            desk.stay(self.url)

    async def ledgers(self) -> list[str]:
        """The names of all there are, opened or not."""
        return await ledgers(self.pool)

    @property
    def troubles(self) -> list[str]:
        """The codes of what somebody should look at, while everything is answered."""
        troubled = [part for desk in self._desks.values() for part in (desk.sealing, desk.scrubber)]
        return sorted({code for part in troubled if part for code in part.troubles})

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
