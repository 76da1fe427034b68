"""What other processes append, heard on one connection however many ledgers are followed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from casecore.appender import CHANNEL
from casecore.database import Connection, Pool
from casecore.outages import log

LOOK_SECONDS = 1.0
"""How soon it is noticed that the connection is gone."""

logger = logging.getLogger(__name__)


class Notices:
    """Of one pool: it keeps one of its connections while anybody listens."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._wakes: dict[str, list[Callable[[int], None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def listen(self, ledger: int, wake: Callable[[int], None]) -> None:
        """Be told the last position after each append to the ledger that is heard of."""
        self._wakes.setdefault(str(ledger), []).append(wake)
        if self._task is None:
            self._task = asyncio.create_task(self._hear())

    async def leave(self, ledger: int, wake: Callable[[int], None]) -> None:
        if wake in (wakes := self._wakes.get(str(ledger), [])):
            wakes.remove(wake)
        if not any(self._wakes.values()) and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            ALL.pop(self.pool, None)

    async def _hear(self) -> None:
        while any(self._wakes.values()) and not self.pool.is_closing():
            try:
                async with self.pool.acquire() as connection:
                    await connection.add_listener(CHANNEL, self._told)
                    try:
                        await self._last(connection)
                    finally:
                        await connection.remove_listener(CHANNEL, self._told)
            except Exception as error:
                # Nothing is lost: whoever listens also looks from time to time.
                log(logger, error, "cannot hear what others append; trying again")
            await asyncio.sleep(LOOK_SECONDS)

    async def _last(self, connection: Connection) -> None:
        """As long as there is the connection; nobody would tell of its end."""
        while not (connection.is_closed() or self.pool.is_closing()):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    def _told(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        ledger, _, position = str(payload).partition(":")
        for wake in self._wakes.get(ledger, ()):
            wake(int(position))


ALL: dict[Pool, Notices] = {}
"""Those that somebody listens to."""


def notices_of(pool: Pool) -> Notices:
    return ALL.setdefault(pool, Notices(pool))
