"""Real processes that keep deadlines: one at a time, the next taking over when it is killed."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from casecore.database import Pool
from casecore.deadlines import KEEPING
from casecore.recorder import Recorder
from casecore.sla.events import Warn
from tests.casecore.clocks.given import HOUR
from tests.casecore.clockwork import Desk
from tests.casecore.sla.given import policy, rule

ROOT = Path(__file__).parents[2]
CASES = 150
WARNINGS = (Warn(percent=75), Warn(seconds_left=HOUR))
NOW = "2026-03-05T10:00:00+00:00"
SECONDS_MAX = 60
Process = asyncio.subprocess.Process


@asynccontextmanager
async def keeping(url: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.casecore.keeping", url, NOW),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"keeping\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told(pool: Pool) -> Counter[tuple[str, str]]:
    """How often each threshold of each cycle was recorded."""
    rows = await pool.fetch(
        """
        SELECT data->>'clock_id' AS clock, coalesce(data->>'threshold', 'due') AS threshold
        FROM es.event_log WHERE type IN ('ClockWarned', 'ClockBreached')
        """
    )
    return Counter((row["clock"], row["threshold"]) for row in rows)


async def holders(pool: Pool) -> int:
    found: int = await pool.fetchval(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND granted",
        KEEPING,
    )
    return found


async def until(pool: Pool, recorded: int) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while len(await told(pool)) < recorded:  # noqa: ASYNC110, another process has no event
            await asyncio.sleep(0.02)


@pytest.fixture
async def due(pool: Pool, recorder: Recorder) -> None:
    """Cases of which three alarms each have passed."""
    async with Desk.over(pool, recorder) as desk:
        await desk.publish(policy(rule("resolution", 8, warnings=WARNINGS)))
        for _ in range(CASES):
            await desk.register("03-04 09:30")
        await desk.feed.catch_up()


@pytest.mark.usefixtures("due")
async def test_what_one_process_leaves_when_it_is_killed_another_does_and_nothing_twice(
    pool: Pool, database_url: str
) -> None:
    async with keeping(database_url) as one, keeping(database_url) as two:
        for recorded, killed in ((CASES // 2, one), (CASES * 3 // 2, two)):
            await until(pool, recorded)
            assert await holders(pool) <= 1  # None, between the death of one and the next.
            if killed is one:
                killed.send_signal(signal.SIGKILL)
                await killed.wait()
        two.send_signal(signal.SIGKILL)
        await two.wait()
        async with keeping(database_url):
            await until(pool, 3 * CASES)
    counts = await told(pool)
    assert len(counts) == 3 * CASES
    assert set(counts.values()) == {1}
