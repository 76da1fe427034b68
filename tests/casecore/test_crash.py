"""PostgreSQL killed under load loses nothing that was acknowledged."""

import asyncio
import os
import signal
from pathlib import Path

from casecore import embedded
from casecore.appender import Appender
from casecore.database import connect, ledger_id, migrate
from casecore.ledger import Appended, Request
from casecore.recorder import Recorder
from tests.casecore.test_appender import is_all_there
from tests.casecore.writing import Stream, asking

KILLS = 2
ACKNOWLEDGED_BEFORE_KILL = 300
WRITERS = 30


async def test_every_acknowledged_event_survives_kill_9_once_and_in_order(
    tmp_path: Path,
) -> None:
    postgres = embedded.start(tmp_path)
    try:
        await migrate(postgres.url)
        pool = await connect(postgres.url)
        appender = Appender(pool, await ledger_id(pool, "main"))
        acknowledged: list[tuple[Request, Appended]] = []
        so_far = asyncio.Semaphore(0)
        done = asyncio.Event()

        async def write() -> None:
            one, two = Stream(), Stream()
            while not done.is_set():
                request = asking(one, two, events=[1, 2])
                acknowledged.append((request, await appender.append(request)))
                so_far.release()

        async def enough() -> None:
            for _ in range(ACKNOWLEDGED_BEFORE_KILL):
                await so_far.acquire()

        writers = [asyncio.create_task(write()) for _ in range(WRITERS)]
        for _ in range(KILLS):
            await enough()
            os.kill(postgres.pid, signal.SIGKILL)
            postgres.stop()
            postgres = embedded.start(tmp_path)
        await enough()
        done.set()
        await asyncio.gather(*writers)
        await appender.close()
        await is_all_there(Recorder(pool, appender.ledger, "main"), acknowledged)
        await pool.close()
    finally:
        postgres.stop()
