"""Who looked: reads of what cases contain, by people, recorded without making them wait.

A read leaves a note in memory, and notes are written some at a time, a moment later. When more
wait than may, the reads wait with them: none goes unrecorded, or at least not unsaid.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import uuid_utils.compat as uuids

from casecore.actors import Actor, Role
from casecore.appender import UNKNOWN
from casecore.database import Pool

LATE_SECONDS_MAX = 0.5
"""How long a note waits for others to be written with."""
BATCH_MAX = 500
WAITING_MAX = 10_000
RETRY_SECONDS = 0.5
CLOSING_SECONDS_MAX = 5.0
LOST = "a read of ledger %d could not be recorded: %s"

logger = logging.getLogger(__name__)


class Access(msgspec.Struct, frozen=True):
    """One read."""

    id: UUID
    at: datetime
    actor: str
    role: Role
    what: str
    """The question, by its name in the API's description."""
    target: str
    """The path and query it was asked at."""
    case_id: UUID | None
    """The case it was about; null where it was about many."""
    reason: str | None
    """Why, if they said."""


class AccessLog:
    """Of one ledger."""

    def __init__(self, pool: Pool, ledger: int) -> None:
        self.pool = pool
        self.ledger = ledger
        self._waiting: asyncio.Queue[Access] = asyncio.Queue(WAITING_MAX)
        self._writing: list[Access] = []
        self._writer: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._flushing = 0

    async def note(
        self, actor: Actor, what: str, target: str, case_id: UUID | None, reason: str | None
    ) -> None:
        at = datetime.now(UTC)
        read = Access(uuids.uuid7(), at, actor.id, actor.role, what, target, case_id, reason)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await self._waiting.put(read)
        if self._waiting.qsize() >= BATCH_MAX:
            self._hurry.set()

    async def flush(self) -> None:
        """Wait until all that was noted is written."""
        self._flushing += 1
        self._hurry.set()
        try:
            await self._waiting.join()
        finally:
            self._flushing -= 1

    async def close(self) -> None:
        """Write what is waiting; what the database does not take in time is told to the log."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS_MAX):
                await self.flush()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})
        while not self._waiting.empty():
            self._writing.append(self._waiting.get_nowait())
        for read in self._writing:
            logger.error(LOST, self.ledger, told(read))

    async def _write(self) -> None:
        while True:
            self._writing.append(await self._waiting.get())
            await self._gather()
            while len(self._writing) < BATCH_MAX and not self._waiting.empty():
                self._writing.append(self._waiting.get_nowait())
            await self._insert(self._writing)
            for _ in self._writing:
                self._waiting.task_done()
            self._writing = []

    async def _gather(self) -> None:
        if self._flushing or self._waiting.qsize() >= BATCH_MAX:
            return
        self._hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_SECONDS_MAX):
                await self._hurry.wait()

    async def _insert(self, batch: Sequence[Access]) -> None:
        # As JSON, which costs this side a fifth of what an array for each column does.
        rows = msgspec.json.encode(batch).decode()
        while True:
            try:
                await self.pool.execute(
                    """
                    INSERT INTO sys.access_log
                        (ledger, id, at, actor, role, what, target, case_id, reason)
                    SELECT $1, * FROM json_to_recordset($2::json) AS read (
                        id uuid, at timestamptz, actor text, role text, what text,
                        target text, case_id uuid, reason text
                    )
                    ON CONFLICT DO NOTHING
                    """,
                    *(self.ledger, rows),
                )
            except UNKNOWN as error:
                logger.warning("reads cannot be recorded now, and wait: %r", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                if len(batch) == 1:
                    logger.exception(LOST, self.ledger, told(batch[0]))
                    return
                # One of them is at fault: the others are recorded.
                for one in batch:
                    await self._insert([one])
                return
            else:
                return


def told(read: Access) -> str:
    return msgspec.json.encode(read).decode()
