"""Real processes that follow, killed at any moment: nothing is lost, and nothing folded twice."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from casecore.case.events.intake import CaseRegistered, NoteAdded
from casecore.database import Pool
from casecore.following.feed import Feed
from casecore.following.rebuilding import rebuild
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

    async def one(self) -> int:
        """Another; it follows when this is over."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(b"\n")
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
