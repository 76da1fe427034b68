"""A lease: what one process at a time does for a ledger.

It is an advisory lock of PostgreSQL on a connection of its own, which the server takes back when
that connection ends, however its process died.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from casecore.database import SETTINGS

LEASE_SECONDS = 1.0
"""How often the others ask whether the lease is free. Waiting for the lock in PostgreSQL instead
would hold a snapshot open, and keep the whole server from clearing up old rows."""
KEEPALIVE = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
}
"""By which the server notices that the machine of the holder is gone."""


@asynccontextmanager
async def lease(
    url: str, what: int, ledger: int
) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """Wait until nobody else does this for the ledger, and hold that while it lasts."""
    connection: Any = await asyncpg.connect(url, server_settings=SETTINGS | KEEPALIVE)
    try:
        lock = "SELECT pg_try_advisory_lock($1, $2)"
        while not await connection.fetchval(lock, what, ledger):  # noqa: ASYNC110
            await asyncio.sleep(LEASE_SECONDS)
        yield connection
    finally:
        connection.terminate()
