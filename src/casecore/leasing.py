"""A lease: what one process at a time does for a ledger.

It is an advisory lock of PostgreSQL on a connection that a process keeps for all its leases. The
server takes them back when that connection ends, however the process died.
"""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

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

Lock = tuple[int, int]
"""What is done, and for which ledger."""


@asynccontextmanager
async def lease(
    url: str, what: int, ledger: int
) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """Wait until nobody else does this for the ledger, and hold that while the connection lasts.

    Others hold theirs on the same connection: it is to be looked at, and not to be used.
    """
    session = session_of(url)
    session.users += 1
    try:
        while (connection := await session.locked((what, ledger))) is None:  # noqa: ASYNC110
            await asyncio.sleep(LEASE_SECONDS)
        try:
            yield connection
        finally:
            await session.unlock((what, ledger), connection)
    finally:
        session.users -= 1
        session.end_unless_used()


class Session:
    """The connection on which a process holds its leases of one database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.users = 0
        self._connection: Any = None
        self._held: set[Lock] = set()
        self._asking = asyncio.Lock()

    async def locked(self, lock: Lock) -> Any:
        """The connection, if the lock could be had."""
        async with self._asking:
            if self._connection is None or self._connection.is_closed():
                self._held.clear()
                self._connection = await asyncpg.connect(
                    self.url, server_settings=SETTINGS | KEEPALIVE
                )
            # The server would give it to whoever asks on the connection that has it already.
            if lock in self._held:
                return None
            if not await self._connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *lock):
                return None
            self._held.add(lock)
            return self._connection

    async def unlock(self, lock: Lock, connection: Any) -> None:
        """Give it back; what goes wrong then, as when it is cancelled, ends the connection."""
        async with self._asking:
            if connection is not self._connection or connection.is_closed():
                return  # It went with its connection.
            self._held.discard(lock)
            try:
                await connection.fetchval("SELECT pg_advisory_unlock($1, $2)", *lock)
            except BaseException:
                connection.terminate()
                raise

    def end_unless_used(self) -> None:
        if not self.users and self._connection is not None:
            self._connection.terminate()
            self._connection = None
            self._held.clear()


SESSIONS: "WeakKeyDictionary[AbstractEventLoop, dict[str, Session]]" = WeakKeyDictionary()
"""Of each loop: a connection belongs to one."""


def session_of(url: str) -> Session:
    sessions = SESSIONS.setdefault(asyncio.get_running_loop(), {})
    return sessions.setdefault(url, Session(url))
