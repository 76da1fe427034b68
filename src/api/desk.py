"""Where everything is put together: the ledgers that one process serves."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from api import keys
from api.accesslog import AccessLog
from api.broadcasting import Broadcast
from api.verdicts import Check, Verdict
from api.whatif import Runs
from casecore.appender import UNKNOWN, Appender
from casecore.bookkeeping import Bookkeeper
from casecore.core import Core
from casecore.database import Pool, connect, ledger_id, ledgers, migrate
from casecore.deadlines import Deadlines
from casecore.errors import Unavailable
from casecore.following.feed import Feed
from casecore.following.past import Past
from casecore.outages import log
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.recorder import Recorder
from casecore.verifying.scrubbing import Scrubber, verdict
from casecore.views import make_views
from projections import PROJECTIONS
from projections.agenda import Agenda
from projections.bi import VIEWS
from projections.case_file import CaseFiles

READY_SECONDS_MAX = 1.0
LEDGERS_SECONDS = 5.0
"""How soon a ledger is found that somebody has a first key to."""

logger = logging.getLogger(__name__)


class Desk:
    """One ledger: what writes it, the rules over it, and what follows it."""

    def __init__(
        self,
        pool: Pool,
        id: int,
        ledger: str,
        proof: ProofSettings | None = None,
        *,
        shards: int = 1,
    ) -> None:
        self.id = id
        self.ledger = ledger
        self.pool = pool
        self.appender = Appender(pool, id)
        self.recorder = Recorder(pool, id, ledger)
        self.core = Core(self.recorder, self.appender)
        self.books = Bookkeeper(self.recorder)
        self.feed = Feed(pool, self.recorder, PROJECTIONS, shards=shards)
        self.past = Past(pool, self.recorder, PROJECTIONS)
        self.files = CaseFiles(self.feed)
        self.what_ifs = Runs()
        self.access_log = AccessLog(pool, id)
        self.appender.on_appended.append(self.feed.wake)
        self.feed.on_rows.append(self.core.learn)
        self.deadlines = Deadlines(self.core, self.books, Agenda(pool, id))
        self.feed.on_rows.append(self.deadlines.wake)
        self.broadcast = Broadcast(self.recorder)
        self.appender.on_appended.append(self.broadcast.wake)
        self.feed.on_rows.append(self.broadcast.wake)
        self.sealed = SealedLedger(pool, id, ledger)
        self.sealing = Sealing(self.sealed, self.appender, proof) if proof else None
        if self.sealing:
            self.appender.on_appended.append(self.sealing.wake)
            self.feed.on_rows.append(self.sealing.wake)
        self.scrubber = Scrubber(self.sealed, self.sealing) if self.sealing else None

    async def show_bi(self) -> None:
        """Make the views that BI reads; people are served whether or not that can be done now."""
        try:
            async with self.pool.acquire() as db:
                await make_views(db, VIEWS)
        except Unavailable as busy:
            logger.warning("%s", busy)

    def stay(self, url: str) -> None:
        """Do what one of the processes that stay must do for the ledger."""
        self.deadlines.start(url)
        if self.sealing:
            self.sealing.start(url)
        if self.scrubber:
            self.scrubber.start(url)

    async def close(self) -> None:
        await self.broadcast.close()
        await self.what_ifs.close()
        await self.past.close()
        await self.access_log.close()
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
        self.taking = True
        """Whether to take on a share of the following, or only to look on."""
        self.shards = 1
        """In how many shares a read model is followed that nobody has begun yet."""
        self.staying: asyncio.Task[None] | None = None
        self.closing = False
        self.checks: dict[str, Check] = {"sealing": self._sealed, "scrubbing": self._scrubbed}
        """Of those who watch over the record, by name, for health and metrics to ask."""
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
                    desk = Desk(self.pool, id, ledger, self.proof, shards=self.shards)
                    if desk.sealing:
                        await desk.sealing.guard()
                    if self.following:
                        await desk.feed.start(taking=self.taking)
                        await desk.show_bi()
                    if self.staying is not None:
                        desk.stay(self.url)
                    self._desks[ledger] = desk
        return self._desks[ledger]

    def stay(self) -> None:
        """From now on keep deadlines and seal, in every ledger that somebody has a key to."""
        for desk in self._desks.values():
            desk.stay(self.url)
        self.staying = asyncio.create_task(self._open_all())

    async def _open_all(self) -> None:
        while True:
            try:
                for ledger in await keys.ledgers(self.pool):
                    await self.desk(ledger)
            except Exception as error:
                log(logger, error, "cannot open all ledgers; trying again")
            await asyncio.sleep(LEDGERS_SECONDS)

    @property
    def listeners(self) -> int:
        """How many are connected to the feeds of all ledgers together."""
        return sum(len(desk.broadcast) for desk in self._desks.values())

    def drain(self) -> None:
        """Not ready any more: whoever listens is let go, as that would never end by itself."""
        self.closing = True
        for desk in self._desks.values():
            desk.broadcast.end()

    async def ledgers(self) -> list[str]:
        """The names of all there are, opened or not."""
        return await ledgers(self.pool)

    async def _sealed(self) -> Verdict:
        """Whether all ledgers are what was sealed of them, and go on being sealed."""
        sealings = [desk.sealing for desk in self._desks.values() if desk.sealing]
        if not (troubles := {code for sealing in sealings for code in sealing.troubles}):
            return Verdict(True, "nothing keeps any ledger from being sealed")
        return Verdict(False, f"{', '.join(sorted(troubles))}: docs/proof.md says what to do")

    async def _scrubbed(self) -> Verdict:
        """What those found who hash all ledgers again, over and over, in whichever process."""
        found = [await verdict(self.pool, desk.id) for desk in self._desks.values()]
        if not any(one.finding for one in found):
            return Verdict(True, "nothing was found that is not what was recorded")
        return Verdict(
            False,
            "ledger-wrong: something is not what was recorded; `casecore audit verify` says what",
        )

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
        if self.staying is not None:
            self.staying.cancel()
            await asyncio.gather(self.staying, return_exceptions=True)
        for desk in self._desks.values():
            await desk.close()
