"""Processes that follow a ledger, to be killed: python -m tests.casecore.running URL LEASE TURN.

Each line that comes in is a process more, forked from this one, so that it is there at once; each
line that goes out is the id of one that has begun. An empty line asks for one that follows, a name
for one that makes this read model anew. They end with this one.
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
from casecore.following.rebuilding import rebuild
from casecore.recorder import Recorder
from projections import PROJECTIONS
from tests.casecore.test_following import projection

SHARDS = 3
FOLLOWED: tuple[Projection, ...] = (*PROJECTIONS, projection())
"""All there are, and one whose rows would tell if an event were folded twice."""


async def run(url: str, name: str, parent: int) -> None:
    pool = await connect(url)
    recorder = Recorder(pool, await ledger_id(pool, "main"), "main")
    if name:
        [projection] = (one for one in FOLLOWED if name == one.NAME)
        begun()
        await rebuild(pool, recorder, projection)
        return
    feed = Feed(pool, recorder, FOLLOWED, shards=SHARDS)
    await feed.start()
    begun()
    while os.getppid() == parent:  # noqa: ASYNC110, nobody tells
        await asyncio.sleep(0.5)


def begun() -> None:
    os.write(1, b"%d\n" % os.getpid())


if __name__ == "__main__":
    leases.LEASE_SECONDS = follower.LEASE_SECONDS = float(sys.argv[2])
    feeding.TURN_SECONDS = float(sys.argv[3])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    here = os.getpid()
    for line in sys.stdin:
        if os.fork() == 0:
            asyncio.run(run(sys.argv[1], line.strip(), here))
            os._exit(0)
