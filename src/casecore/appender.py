"""Group commit: what arrives while a flush is under way goes out together in the next one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg

from casecore.database import Connection, Pool
from casecore.errors import Conflict, Unavailable
from casecore.ledger import Appended, Request, Sealed, key_reused

FLUSH_REQUESTS_MAX = 128
FLUSH_BYTES_MAX = 1 << 20
QUEUE_MAX = 4096
FLUSH_SECONDS_MAX = 10.0
RETRY_SECONDS_MAX = 10.0
RETRY_PAUSE_SECONDS = 0.05

CHANNEL = "casecore"
ANNOUNCE_PAUSE_SECONDS = 0.02

# Numbers go as text, which PostgreSQL reads faster than they are made an array of here.
APPEND = """
    SELECT * FROM es.append(
        $1,
        $2, $3, $4::text::int[], $5::text::int[], $6::text::int[],
        $7::text::int[], $8, $9::text::int[], $10, $11::text::int[],
        $12::text::int[], $13, $14, $15, $16, $17)
"""
APPEND_ONE = f"SELECT es.append_one({', '.join(f'${n}' for n in range(1, 12))})"
STORED, DUPLICATE, CONFLICT, KEY_REUSED = 1, 2, 3, 4

Answer = Any
"""A row, or a tuple: outcome, version, position, written, recorded_at."""

# After these nobody knows whether the flush was stored. It goes out again on another connection,
# and what was stored is then answered as a duplicate, with its first result.
UNKNOWN = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)


class Appender:
    """One a process and ledger. Requests that share a stream or a command id go out one at a time,
    in the order they came."""

    def __init__(self, pool: Pool, ledger: int) -> None:
        self.pool = pool
        self.ledger = ledger
        self.on_appended: list[Callable[[int], None]] = []
        """Told the last position after a flush; what stands here must neither wait nor fail."""
        self.flushes = 0
        self.appended = 0
        """Events, since this was made."""
        self.barred: Callable[[], Unavailable] | None = None
        """What to answer everyone with while nothing may be written to this ledger."""
        self._ready: deque[_Waiting] = deque()
        self._turns: dict[int, deque[_Waiting] | None] = {}
        """Who comes after the one whose turn it is, for each stream and command id in use."""
        self._queued = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._connection: Connection | None = None
        self._last = 0
        self._flusher: asyncio.Task[None] | None = None
        self._announcer: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, request: Request) -> Appended:
        """Store the request, or answer what it was answered before.

        A caller that is cancelled leaves its request to be stored all the same.
        """
        if self._closed:
            raise Unavailable("store-unavailable", "casecore is stopping; ask again shortly")
        if self.barred is not None:
            raise self.barred()
        if self._queued >= QUEUE_MAX:
            raise Unavailable("store-busy", "too much is waiting to be stored; ask again shortly")
        waiting = _Waiting(request)
        self._queued += 1
        self._take_turns(waiting)
        if self._idle.is_set() and self._ready:
            await self._flush_at_once()
        return await waiting.answer

    @property
    def queued(self) -> int:
        """How many requests wait for a flush."""
        return self._queued

    async def close(self) -> None:
        """Refuse what comes, and wait until what came is stored."""
        self._closed = True
        await self._idle.wait()
        if self._announcer is not None:
            await self._announcer
        await self._let_go()

    def _take_turns(self, waiting: "_Waiting") -> None:
        for key in waiting.keys:
            if key not in self._turns:
                self._turns[key] = None
                continue
            behind = self._turns[key]
            if behind is None:
                behind = self._turns[key] = deque()
            behind.append(waiting)
            waiting.turns_ahead += 1
        if not waiting.turns_ahead:
            self._ready.append(waiting)

    def _pass_on(self, done: "_Waiting") -> None:
        for key in done.keys:
            behind = self._turns[key]
            if not behind:
                del self._turns[key]
                continue
            following = behind.popleft()
            following.turns_ahead -= 1
            if not following.turns_ahead:
                self._ready.append(following)

    async def _flush_at_once(self) -> None:
        """Flush for a caller that found nobody flushing: it saves the caller a task and two turns
        of the loop. When more has come meanwhile, or the caller is cancelled, a task goes on."""
        self._idle.clear()
        batch = self._next_batch()
        try:
            await self._settle(batch, _Patience())
        except asyncio.CancelledError:
            self._flusher = asyncio.create_task(self._flush(batch))
            raise
        if self._ready:
            self._flusher = asyncio.create_task(self._flush())
        else:
            self._idle.set()

    async def _flush(self, unsettled: "Sequence[_Waiting]" = ()) -> None:
        # Nothing is awaited between finding nothing ready and being idle, so no request can come
        # in between and be left to wait.
        patience = _Patience()
        if unsettled:
            await self._drop_connection()
            await self._settle(unsettled, patience)
        while self._ready:
            await self._settle(self._next_batch(), patience)
        self._idle.set()

    def _next_batch(self) -> "list[_Waiting]":
        ready, batch, size = self._ready, [self._ready.popleft()], 0
        while ready and len(batch) < FLUSH_REQUESTS_MAX:
            size += batch[-1].size
            if size + ready[0].size > FLUSH_BYTES_MAX:
                break
            batch.append(ready.popleft())
        self._queued -= len(batch)
        return batch

    async def _settle(self, batch: "Sequence[_Waiting]", patience: "_Patience") -> None:
        """Answer every request of the batch, and give those behind them their turn."""
        try:
            answers = await self._store([waiting.request for waiting in batch], patience)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, Unavailable):
                # What is wrong with one is no fault of the others: find it by halves.
                half = len(batch) // 2
                await self._settle(batch[:half], patience)
                await self._settle(batch[half:], patience)
                return
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
                self._pass_on(waiting)
        else:
            last = 0
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.answer.done():
                    _give(waiting.answer, answer)
                self._pass_on(waiting)
                if answer[0] in (STORED, DUPLICATE):
                    last = max(last, answer[2])
                if answer[0] == STORED:
                    self.appended += answer[3]
            self.flushes += 1
            self._tell(last)

    async def _store(self, requests: Sequence[Request], patience: "_Patience") -> Sequence[Answer]:
        while True:
            patience.refuse_when_over()
            try:
                if self._connection is None:
                    self._connection = await self.pool.acquire(timeout=FLUSH_SECONDS_MAX)
                answers = await store(self._connection, self.ledger, requests)
            except UNKNOWN as error:
                patience.lose(error)
                await self._drop_connection()
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
            else:
                patience.renew()
                return answers

    async def _drop_connection(self) -> None:
        if self._connection is not None:
            with suppress(asyncpg.InterfaceError):  # the pool has already taken back a closed one
                self._connection.terminate()
        await self._let_go()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self.pool.release(connection)

    def _tell(self, position: int) -> None:
        if position <= self._last:
            return
        self._last = position
        for told in self.on_appended:
            told(position)
        if self._announcer is None:
            self._announcer = asyncio.create_task(self._announce())

    async def _announce(self) -> None:
        """Tell the followers of other processes, on another connection: a NOTIFY would make the
        commits of the whole server wait for each other. They also look from time to time."""
        announced = 0
        while announced < self._last:
            announced = self._last
            with suppress(*UNKNOWN):
                await self.pool.execute(
                    "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)",
                    *(CHANNEL, f"{self.ledger}:{announced}"),
                )
            await asyncio.sleep(ANNOUNCE_PAUSE_SECONDS)
        self._announcer = None
        if self._idle.is_set():
            await self._let_go()


class _Waiting:
    """A request, whom to answer, and how many turns it still waits for."""

    __slots__ = ("answer", "keys", "request", "size", "turns_ahead")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self.keys = {request.command_id.int}
        self.turns_ahead = 0
        self.size = 0
        for write in request.writes:
            self.keys.add(write.stream_id.int)
            for event in write.events:
                self.size += len(event.data) + len(event.meta)


class _Patience:
    """How long to go on asking a store that does not answer. It ends for all who wait by then."""

    def __init__(self) -> None:
        self.lost_at: float | None = None
        self.error: Exception | None = None

    def renew(self) -> None:
        self.lost_at = None

    def lose(self, error: Exception) -> None:
        self.lost_at = self.lost_at or time.monotonic()
        self.error = error

    def refuse_when_over(self) -> None:
        if self.lost_at and time.monotonic() - self.lost_at >= RETRY_SECONDS_MAX:
            raise Unavailable(
                "store-unavailable",
                "the store does not answer; send the same request again to learn whether it was"
                " stored",
            ) from self.error


def _give(waiting: "asyncio.Future[Appended]", answer: Answer) -> None:
    outcome, version, position, written, recorded_at = answer
    if outcome in (STORED, DUPLICATE):
        waiting.set_result(Appended(version, position, written, recorded_at, outcome == DUPLICATE))
    elif outcome == CONFLICT:
        waiting.set_exception(
            Conflict("version-conflict", "someone else changed this first; read it and ask again")
        )
    else:
        waiting.set_exception(key_reused())


async def store(
    connection: Connection, ledger: int, requests: Sequence[Request]
) -> Sequence[Answer]:
    """Append the requests in this order, in one round trip, and answer each with its verdict."""
    match requests:
        case [(command, fingerprint, [(stream, version, head, [event])])]:
            [[answer]] = await connection.fetch(
                APPEND_ONE,
                *(ledger, command, fingerprint, stream, version, head),
                *(event.type, event.data_hash, event.head, event.meta, event.data),
                timeout=FLUSH_SECONDS_MAX,
            )
            return [answer]
    commands: list[UUID] = []
    fingerprints: list[bytes] = []
    versions: list[int] = []
    counts: list[int] = []
    lasts: list[int] = []
    request_numbers: list[int] = []
    streams: list[UUID] = []
    expected: list[int] = []
    heads: list[bytes] = []
    firsts: list[int] = []
    write_numbers: list[int] = []
    events: list[Sealed] = []
    for number, (command, fingerprint, writes) in enumerate(requests, 1):
        before = len(events)
        for stream, version, head, sealed in writes:
            request_numbers.append(number)
            streams.append(stream)
            expected.append(version)
            heads.append(head)
            firsts.append(len(events) + 1)
            write_numbers += [len(streams)] * len(sealed)
            events += sealed
        commands.append(command)
        fingerprints.append(fingerprint)
        versions.append(writes[0].expected + len(writes[0].events) if writes else 0)
        counts.append(len(events) - before)
        lasts.append(len(events))
    types, metas, data, data_hashes, new_heads = zip(*events, strict=True) if events else [()] * 5
    [columns] = await connection.fetch(
        APPEND,
        ledger,
        *(commands, b"".join(fingerprints), ints(versions), ints(counts), ints(lasts)),
        *(ints(request_numbers), streams, ints(expected), b"".join(heads), ints(firsts)),
        *(ints(write_numbers), types, b"".join(data_hashes), b"".join(new_heads), metas, data),
        timeout=FLUSH_SECONDS_MAX,
    )
    return list(zip(*columns, strict=True))


def ints(numbers: Iterable[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"
