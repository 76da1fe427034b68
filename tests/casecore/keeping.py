"""A process that keeps the deadlines of a ledger, to be killed: python keeping.py URL NOW."""

import asyncio
import sys
from datetime import datetime, timedelta

from casecore.appender import Appender
from casecore.bookkeeping import Bookkeeper
from casecore.core import Core
from casecore.database import connect, ledger_id
from casecore.deadlines import Deadlines
from casecore.following.feed import Feed
from casecore.recorder import Recorder
from projections import PROJECTIONS
from projections.agenda import Agenda


async def keep(url: str, now: datetime) -> None:
    pool = await connect(url)
    recorder = Recorder(pool, await ledger_id(pool, "main"), "main")
    begun = datetime.now(now.tzinfo)
    appender = Appender(pool, recorder.id)
    core = Core(recorder, appender, now=lambda: now + (datetime.now(now.tzinfo) - begun))
    feed = Feed(pool, recorder, PROJECTIONS)
    appender.on_appended.append(feed.wake)
    deadlines = Deadlines(core, Bookkeeper(recorder), Agenda(pool, recorder.id))
    feed.on_rows.append(deadlines.wake)
    await feed.start()
    deadlines.start(url)
    print("keeping", flush=True)
    await asyncio.sleep(timedelta(minutes=5).total_seconds())


if __name__ == "__main__":
    asyncio.run(keep(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
