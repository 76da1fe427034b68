"""Processes that follow a ledger, to be killed: python -m tests.casecore.running URL LEASE TURN.

Each line that comes in is a process more, forked from this one, so that it is there at once; each
line that goes out is the id of one that has begun to follow. They end with this one.
"""

import asyncio
import os
import signal
import sys

from casecore.database import connect, ledger_id
from casecore.following import feed as feeding
from casecore.following import follower, leases
from casecore.following.feed import Feed
from casecore.following.projection import Projection
from casecore.recorder import Recorder
from projections import PROJECTIONS
from tests.casecore.test_following import projection

SHARDS = 3
FOLLOWED: tuple[Projection, ...] = (*PROJECTIONS, projection())
"""All there are, and one whose rows would tell if an event were folded twice."""


async def run(url: str, parent: int) -> None:
    pool = await connect(url)
    feed = Feed(
        pool, Recorder(pool, await ledger_id(pool, "main"), "main"), FOLLOWED, shards=SHARDS
    )
    await feed.start()
    os.write(1, b"%d\n" % os.getpid())
    while os.getppid() == parent:  # noqa: ASYNC110, nobody tells
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    leases.LEASE_SECONDS = follower.LEASE_SECONDS = float(sys.argv[2])
    feeding.TURN_SECONDS = float(sys.argv[3])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    here = os.getpid()
    for _ in sys.stdin:
        if os.fork() == 0:
            asyncio.run(run(sys.argv[1], here))
            os._exit(0)
