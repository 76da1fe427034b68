"""Who looked: reads of what cases contain, by people, recorded without making them wait.

A read leaves a note in memory, and notes are written some at a time, a moment later. When more
wait than may, the reads wait with them: none goes unrecorded, or at least not unsaid.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import msgspec
import uuid_utils

from casecore.actors import Actor, Role
from casecore.appender import UNKNOWN
from casecore.database import Pool, quick

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


Note = tuple[uuid_utils.UUID, datetime, Actor, str, str, UUID | None, str | None]
"""What a read leaves behind, of which an `Access` is made when it is written. The log is in the
order of the ids, so these are of when it was read, whichever process writes first."""


class AccessLog:
    """Of one ledger."""

    def __init__(self, pool: Pool, ledger: int) -> None:
        self.pool = pool
        self.ledger = ledger
        self._waiting: deque[Note] = deque()
        """Not written yet, or not known to be."""
        self._done = 0
        """How many have been written since this began."""
        self._writer: asyncio.Task[None] | None = None
        """While any wait."""
        self._hurry = asyncio.Event()
        self._fewer = asyncio.Event()
        """Some were written, or the writer has ended."""
        self._flushing = 0

    async def note(
        self, actor: Actor, what: str, target: str, case_id: UUID | None, reason: str | None
    ) -> None:
        note = uuid_utils.uuid7(), datetime.now(UTC), actor, what, target, case_id, reason
        while len(self._waiting) >= WAITING_MAX:
            self._fewer.clear()
            await self._fewer.wait()
        self._waiting.append(note)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        elif len(self._waiting) >= BATCH_MAX:
            self._hurry.set()

    async def flush(self) -> None:
        """Wait until all that was noted by now is written, whatever comes meanwhile."""
        upto = self._done + len(self._waiting)
        self._flushing += 1
        self._hurry.set()
        try:
            while self._done < upto and self._writer is not None:
                self._fewer.clear()
                await self._fewer.wait()
        finally:
            self._flushing -= 1

    async def close(self) -> None:
        """Write what is waiting; what the database does not take in time is told to the log."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS_MAX):
                while self._writer is not None:
                    await self.flush()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})
        for note in self._waiting:
            logger.error(LOST, self.ledger, told(access(note)))

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                batch = [access(note) for note in islice(self._waiting, BATCH_MAX)]
                await self._insert(batch)
                for _ in batch:
                    self._waiting.popleft()
                self._done += len(batch)
                self._fewer.set()
        finally:
            self._writer = None
            self._fewer.set()

    async def _gather(self) -> None:
        if self._flushing or len(self._waiting) >= BATCH_MAX:
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


def access(note: Note) -> Access:
    id, at, actor, what, target, case_id, reason = note
    return Access(quick(id.bytes), at, actor.id, actor.role, what, target, case_id, reason)


def told(read: Access) -> str:
    return msgspec.json.encode(read).decode()
