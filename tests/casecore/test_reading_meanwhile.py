"""Whoever reads while rows are made anew, or others hold transactions open, notices nothing."""

import asyncio
import os
import random
import time
from collections import defaultdict
from typing import Any
from uuid import UUID

from casecore.bookkeeping import Bookkeeper
from casecore.database import Pool
from casecore.following.feed import Feed
from casecore.following.rebuilding import rebuild, rollback
from casecore.recorder import Recorder
from projections import (
    PROJECTIONS,
    agent_queues,
    callbacks,
    cases,
    goodwill,
    promises,
    sla_clocks,
    solutions,
    timeline,
)
from tests.casecore.driving import Driving
from tests.casecore.test_following import SOON
from tests.casecore.test_leases import follows
from tests.casecore.test_upgrading import newer, until_serving
from tests.projections.test_rows import all_of, folded, stored

WRITERS = 8
IDLE_SECONDS = float(os.environ.get("CASECORE_IDLE_SECONDS", "3"))
SHARDS = 3
CASES_MAX, ROWS_MAX = 10_000, 500
"""More than there are, and more than there are of one case."""


class Reader:
    """Reads all the time, and remembers what it has seen."""

    def __init__(self, driving: Driving, feeds: list[Feed]) -> None:
        self.driving = driving
        self.feeds = feeds
        """Those it may ask: the last is the newest."""
        self.pool, self.ledger = driving.recorder.pool, driving.recorder.id
        self.books = Bookkeeper(driving.recorder)
        self.reads = 0
        self._seen: dict[Any, dict[Any, Any]] = defaultdict(dict)

    async def read(self) -> None:
        while True:
            feed = self.feeds[-1]
            promised, written = feed.position, dict(self.driving.written)
            await self._read_cases()
            for case_id, (position, version) in written.items():
                if position <= promised:
                    assert self._seen["cases"][case_id] >= version
            if self._seen["cases"]:
                await self._read_about(random.choice([*self._seen["cases"]]))
            assert feed.position >= promised
            self.reads += 1

    async def _read_cases(self) -> None:
        pool, ledger, now = self.pool, self.ledger, self.driving.now()
        book = await self.books.latest()
        for queue in await agent_queues.queues(pool, ledger, book, now):
            await agent_queues.items(pool, ledger, queue.queue, book, now)
        found = await cases.listed(pool, ledger, limit=CASES_MAX)
        self._remember("cases", {row.case_id: row.version for row in found.items})
        await solutions.listed(pool, ledger)

    async def _read_about(self, case_id: UUID) -> None:
        at: Any = self.pool, self.ledger
        which: Any = {"case_id": case_id, "limit": ROWS_MAX}
        promised = (await promises.listed(*at, **which)).items
        self._remember(("promises", case_id), {row.promise_id: row.updated_at for row in promised})
        clocks = await sla_clocks.listed(*at, **which, books=self.books, now=self.driving.now())
        self._remember(("clocks", case_id), {(row.clock_id, row.cycle): 0 for row in clocks.items})
        called = (await callbacks.listed(*at, **which)).items
        self._remember(("callbacks", case_id), {row.callback_id: 0 for row in called})
        offered = (await goodwill.listed(*at, **which)).items
        self._remember(("goodwill", case_id), {row.offer_id: 0 for row in offered})
        moments = (await timeline.of_case(*at, **which)).items
        self._remember(("timeline", case_id), {row.version: 0 for row in moments})
        assert [row.version for row in moments] == [*range(1, len(moments) + 1)]

    def _remember(self, of: Any, found: dict[Any, Any]) -> None:
        """That nothing is gone, and nothing as it was before."""
        seen = self._seen[of]
        assert seen.keys() <= found.keys(), of
        assert all(place <= found[key] for key, place in seen.items()), of
        self._seen[of] = found


async def test_readers_never_fail_and_never_go_back_whatever_is_made_anew(
    pool: Pool, recorder: Recorder
) -> None:
    others = [of for of in PROJECTIONS if of is not cases]
    async with (
        follows(recorder, *PROJECTIONS, shards=SHARDS) as old,
        Driving.over(recorder, WRITERS) as driving,
    ):
        feeds = [old]
        readers = [Reader(driving, feeds) for _ in range(3)]
        reading = [asyncio.create_task(reader.read()) for reader in readers]
        for remade in (cases, sla_clocks, cases):
            assert (await rebuild(pool, recorder, remade)).same is not False
        assert (await rollback(pool, recorder, cases)).same is not False
        async with follows(recorder, newer(cases), *others, shards=SHARDS) as new:
            feeds.append(new)
            await until_serving(pool, newer(cases), ledgers=1)
            assert await new.reached(position := driving.position, SOON) >= position
            await asyncio.sleep(0.5)
            for task in reading:
                assert not task.done(), task.result()
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
    assert all(reader.reads > 10 for reader in readers)
    await Feed(pool, recorder, [newer(cases), *others]).catch_up()
    assert await stored(pool, recorder.id) == folded(await all_of(recorder))


async def test_whoever_leaves_a_transaction_open_holds_up_no_read_model(
    pool: Pool, recorder: Recorder
) -> None:
    await pool.execute("CREATE TABLE scratch (said text)")
    lags: list[tuple[float, str]] = []
    async with (
        follows(recorder, *PROJECTIONS, shards=SHARDS) as feed,
        Driving.over(recorder, writers=2, pause=0.05),
        pool.acquire() as writer,
        pool.acquire() as looker,
        writer.transaction(),
        looker.transaction(isolation="repeatable_read"),
    ):
        await writer.execute("INSERT INTO scratch VALUES ('and then nothing')")
        await looker.execute("SELECT count(*) FROM ops.cases")
        over = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < over:
            lags += [(one.lag_seconds, one.name) for one in await feed.status()]
            await asyncio.sleep(0.1)
    worst, name = max(lags)
    print(f"the longest lag of {len(lags)} was {worst:.3f} s, of {name}")
    assert worst < 1
