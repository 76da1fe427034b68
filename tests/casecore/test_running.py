"""Real processes that follow, killed at any moment: nothing is lost, and nothing folded twice."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from casecore.case.events.intake import CaseRegistered, NoteAdded
from casecore.database import Pool
from casecore.following.feed import TURN_SECONDS, Feed
from casecore.following.follower import LEASE_SECONDS
from casecore.following.past import Past
from casecore.following.rebuilding import alone, rebuild
from casecore.recorder import Recorder
from casecore.recording import Recorded
from tests.casecore.driving import Driving
from tests.casecore.running import FOLLOWED, SHARDS
from tests.casecore.test_following import tallies
from tests.projections.test_rows import all_of, folded, stored

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("CASECORE_KILLS", "200"))
AT_ONCE = 3
SECONDS_MAX = 0.4
"""How long one lives at most."""
STOPPED_SECONDS = 0.6
"""How long one is stopped now and then, while the others take over."""
SHORT_LEASE, SHORT_TURN = 0.4, 0.1
REBUILDS_KILLED = 5


class Runners:
    """Processes that follow a ledger, forked as often as they are asked for."""

    def __init__(self, nursery: asyncio.subprocess.Process) -> None:
        self._nursery = nursery
        self._reading = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str, lease: float, turn: float) -> "AsyncIterator[Runners]":
        nursery = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.casecore.running", url, str(lease), str(turn)),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield cls(nursery)
        finally:
            nursery.kill()
            await nursery.wait()

    async def one(self, rebuilding: str = "") -> int:
        """Another; it follows when this is over, or makes a read model anew."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{rebuilding}\n".encode())
        async with self._reading:
            return int(await self._nursery.stdout.readline())


async def kill_in_a_loop(runners: Runners, kills: int) -> None:
    for _ in range(kills):
        process = await runners.one()
        await asyncio.sleep(random.uniform(0.01, SECONDS_MAX))
        if random.random() < 0.1:
            os.kill(process, signal.SIGSTOP)
            await asyncio.sleep(STOPPED_SECONDS)
            os.kill(process, signal.SIGCONT)
            await asyncio.sleep(random.uniform(0.01, SECONDS_MAX))
        os.kill(process, signal.SIGKILL)


def counted(news: list[Recorded]) -> dict[UUID, tuple[int, str | None]]:
    """The tallies, as they must be."""
    notes: dict[UUID, tuple[int, str | None]] = {}
    for recorded in news:
        match recorded.event:
            case CaseRegistered():
                notes[recorded.stream_id] = 0, None
            case NoteAdded(text=text):
                notes[recorded.stream_id] = notes[recorded.stream_id][0] + 1, text
    return notes


async def test_whatever_is_killed_no_event_is_lost_and_none_is_folded_twice(
    pool: Pool, recorder: Recorder, database_url: str
) -> None:
    async with Runners.of(database_url, SHORT_LEASE, SHORT_TURN) as runners:
        first = await runners.one()
        async with Driving.over(recorder, writers=4, pause=0.02, clocks=True):
            os.kill(first, signal.SIGKILL)
            each, more = divmod(KILLS, AT_ONCE)
            await asyncio.gather(
                *(kill_in_a_loop(runners, each + (n < more)) for n in range(AT_ONCE))
            )
    moved = await pool.fetchval("SELECT count(*) FROM ops.shard WHERE fence > 3")
    await Feed(pool, recorder, FOLLOWED).catch_up()

    news = await all_of(recorder)
    expected, tally = folded(news), counted(news)
    assert moved == SHARDS * len(FOLLOWED)
    assert await pool.fetchval("SELECT count(*) FROM ops.parked") == 0
    assert await stored(pool, recorder.id) == expected
    assert await tallies(pool) == tally
    for projection in FOLLOWED:
        assert (await rebuild(pool, recorder, projection)).same
    assert await stored(pool, recorder.id) == expected
    assert await tallies(pool) == tally

    past = Past(pool, recorder, FOLLOWED)
    for position in (random.randint(1, len(news)), len(news)):
        ledger = await past.at(position, [projection.NAME for projection in FOLLOWED], 60)
        assert await stored(pool, ledger) == folded(news[:position])


async def test_others_take_over_within_six_seconds_of_a_kill(
    pool: Pool, recorder: Recorder, database_url: str
) -> None:
    shards = SHARDS * len(FOLLOWED)
    async with Runners.of(database_url, LEASE_SECONDS, TURN_SECONDS) as runners:
        victim, other = await runners.one(), await runners.one()
        dead = await holder(pool, victim, shards // 2)
        await holder(pool, other, shards // 2)
        async with Driving.over(recorder, writers=2, pause=0.02) as driving:
            await asyncio.sleep(1)
            os.kill(victim, signal.SIGKILL)
            begun = time.monotonic()
            await until(pool, "owner <> $1 AND lease_until > clock_timestamp()", dead, shards)
            taken_over = time.monotonic() - begun
            position = driving.position
            await until(pool, "position >= $1", position, shards)
            caught_up = time.monotonic() - begun
    print(f"taken over after {taken_over:.1f} s, caught up after {caught_up:.1f} s")


async def holder(pool: Pool, process: int, shards: int) -> UUID:
    """Who that is, once it holds so many shards."""
    runner: UUID | None = None
    async with asyncio.timeout(20):
        while runner is None:
            await asyncio.sleep(0.02)
            runner = await pool.fetchval(
                """
                SELECT owner FROM ops.runner JOIN ops.shard ON owner = runner
                WHERE told LIKE '%/' || $1::int GROUP BY owner HAVING count(*) = $2
                """,
                *(process, shards),
            )
    return runner


async def until(pool: Pool, holds: str, of: Any, shards: int) -> None:
    """Of so many shards."""
    async with asyncio.timeout(20):
        query = f"SELECT count(*) FROM ops.shard WHERE {holds}"
        while await pool.fetchval(query, of) < shards:  # noqa: ASYNC110, nobody tells
            await asyncio.sleep(0.02)


async def test_a_rebuild_that_is_killed_leaves_nothing_behind_that_the_next_does_not_clear_up(
    pool: Pool, recorder: Recorder, database_url: str
) -> None:
    feed = Feed(pool, recorder, FOLLOWED, shards=SHARDS)
    await feed.catch_up()
    async with (
        Runners.of(database_url, SHORT_LEASE, SHORT_TURN) as runners,
        Driving.over(recorder, writers=2, pause=0.01),
    ):
        await feed.start()
        for _ in range(REBUILDS_KILLED):
            for name in ("sla_clocks", "cases"):
                process = await runners.one(rebuilding=name)
                await asyncio.sleep(random.uniform(0, SECONDS_MAX))
                with suppress(ProcessLookupError):  # It is done already.
                    os.kill(process, signal.SIGKILL)
    await feed.close()
    for projection in FOLLOWED:
        await released(pool, projection.NAME)
        assert (await rebuild(pool, recorder, projection)).same is not False
    assert await left_over(pool) == set()
    await Feed(pool, recorder, FOLLOWED).catch_up()
    assert await stored(pool, recorder.id) == folded(await all_of(recorder))


async def released(pool: Pool, name: str) -> None:
    """The server finds out that a process is gone a moment later."""
    async with alone(pool, name, waiting=True):
        pass


async def left_over(pool: Pool) -> set[str]:
    """Tables of generations that there are not."""
    rows = await pool.fetch(
        r"""
        SELECT relname FROM pg_class
        WHERE relnamespace = 'ops'::regnamespace AND relkind = 'r' AND relname ~ '_\d+_\d+$'
          AND NOT EXISTS (
              SELECT FROM ops.generation
              WHERE relname LIKE '%\_' || ledger || '\_' || generation
          )
        """
    )
    return {row["relname"] for row in rows}
