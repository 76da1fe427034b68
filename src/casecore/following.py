"""Keeps read models up with the ledger. Tailing, catching up and rebuilding are the same code."""

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import asyncpg
import msgspec

from casecore.appender import CHANNEL
from casecore.database import Connection, Pool
from casecore.errors import Conflict, Unavailable
from casecore.recorder import Recorder
from casecore.recording import Recorded, from_row
from casecore.tables import Key, Part, Shape

BATCH_MAX = 2_000
CONNECTIONS_MAX = 2
"""How many projections of a ledger are written at the same time."""

POLL_SECONDS = 0.05
"""How soon the ledger is read again when nobody told of anything new: a notice can be lost."""
GATHER_SECONDS = 0.02
"""How long to let more come together, unless somebody waits for it."""
FRESH_SECONDS = 1.0
RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 10.0
SWITCH_LOCK_MILLISECONDS = 250
SWITCH_ATTEMPTS_MAX = 40

# PostgreSQL's advisory locks are numbers: these are held while tables are made, and while a
# projection is rebuilt.
MAKING = 0xCA5E7AB1
REBUILDING = 0x4EB0

logger = logging.getLogger(__name__)


class Projection(Protocol):
    """A module that says which rows an event touches, and what becomes of each. It does no I/O."""

    @property
    def NAME(self) -> str: ...
    @property
    def VERSION(self) -> int:
        """To be raised when the rows would come out otherwise: they are made anew then."""

    @property
    def ROW(self) -> type[Any]:
        """A struct whose fields are the columns, the key's first."""

    @property
    def KEY(self) -> tuple[str, ...]: ...
    @property
    def INDEXES(self) -> tuple[str, ...]: ...
    @property
    def READS(self) -> frozenset[type]:
        """The events it is about."""

    def keys(self, recorded: Recorded) -> Iterable[Any]:
        """The rows that an event it reads touches, each once."""

    def fold(self, key: Any, row: Any, recorded: Recorded) -> Any:
        """What becomes of the row; None is no row."""


class FoldFailed(Exception):
    """A projection cannot fold an event, and waits there until it can."""


class Follower:
    """One projection over one ledger: its rows, and how far they have come."""

    def __init__(self, pool: Pool, recorder: Recorder, projection: Projection) -> None:
        self.pool = pool
        self.recorder = recorder
        self.projection = projection
        self.shape = Shape(
            projection.NAME,
            projection.ROW,
            projection.KEY,
            projection.INDEXES,
            (projection.__doc__ or "").partition("\n")[0],
        )
        self.position = 0

    async def begin(self) -> None:
        """Find out where to go on; without a table of this version, make it and begin anew."""
        async with self.pool.acquire() as db:
            found = await self._checkpoint(db)
            if found is None or found["version"] != self.projection.VERSION:
                async with db.transaction():
                    found = await self._make(db)
        self._stand_at(found["generation"], found["position"])

    async def beside(self) -> "Follower":
        """One that fills the next generation from zero while this one serves."""
        other = Follower(self.pool, self.recorder, self.projection)
        other._stand_at(self.part.generation + 1, 0)
        async with self.pool.acquire() as db, db.transaction():
            await other.part.clear(db)
            await other.part.make_apart(db)
            await other._set_out(db, serving=False)
        return other

    async def news(self, upto: int | None = None) -> list[Recorded]:
        return await read(self.recorder, self.position, upto)

    async def apply(self, news: Sequence[Recorded]) -> None:
        """Fold in what of this is new here, and move the checkpoint."""
        news = news[bisect_right(news, self.position, key=attrgetter("position")) :]
        if not news:
            return
        try:
            touched, position = self._touched(news), news[-1].position
            async with self.pool.acquire() as db:
                if touched:
                    moved = await self._fold(db, touched, position)
                else:
                    moved = await self._move(db, position)
        except (FoldFailed, asyncpg.PostgresError) as failure:
            await self._stopped(str(failure))
            raise
        if moved:
            self.position = position
        else:
            await self.begin()  # Someone else has moved it.

    def _touched(self, news: Sequence[Recorded]) -> list[tuple[Key, Recorded]]:
        reads, keys = self.projection.READS, self.projection.keys
        touched = []
        for recorded in news:
            if type(recorded.event) in reads:
                try:
                    touched += [(key, recorded) for key in keys(recorded)]
                except Exception as error:
                    raise failed(recorded, error) from error
        return touched

    async def _fold(
        self, db: Connection, touched: Sequence[tuple[Key, Recorded]], position: int
    ) -> bool:
        """Write what becomes of the rows in one transaction with the checkpoint."""
        fold = self.projection.fold
        async with db.transaction():
            if not await self._move(db, position):
                return False
            found = await self.part.load(db, {key for key, _ in touched})
            rows = dict(found)
            for key, recorded in touched:
                try:
                    rows[key] = fold(key, rows.get(key), recorded)
                except Exception as error:
                    raise failed(recorded, error) from error
            changed = (row for key, row in rows.items() if row is not found.get(key))
            if kept := [row for row in changed if row is not None]:
                await self.part.store(db, kept)
            if gone := [key for key in found if rows[key] is None]:
                await self.part.drop(db, gone)
            return True

    async def _move(self, db: Connection, position: int) -> bool:
        """Move the checkpoint, if it is where it was left; else someone else has moved it.

        The disk is not waited for: should this be lost, rows and checkpoint are lost together.
        """
        moved = await db.fetchval(
            """
            UPDATE ops.checkpoint SET position = $5, updated_at = clock_timestamp(), error = NULL
            WHERE ledger = $1 AND name = $2 AND generation = $3 AND version = $4 AND position = $6
            RETURNING set_config('synchronous_commit', 'off', true)
            """,
            *self._name,
            self.part.generation,
            self.projection.VERSION,
            position,
            self.position,
        )
        return moved is not None

    async def _stopped(self, why: str) -> None:
        await self.pool.execute(
            """
            UPDATE ops.checkpoint SET error = $4
            WHERE ledger = $1 AND name = $2 AND generation = $3
            """,
            *self._name,
            self.part.generation,
            why,
        )

    async def _checkpoint(self, db: Connection) -> asyncpg.Record | None:
        return await db.fetchrow(
            """
            SELECT generation, version, position FROM ops.checkpoint
            WHERE ledger = $1 AND name = $2 AND serving
            """,
            *self._name,
        )

    async def _make(self, db: Connection) -> asyncpg.Record:
        await db.execute("SELECT pg_advisory_xact_lock($1)", MAKING)
        others = await db.fetch(
            "SELECT ledger, generation, version FROM ops.checkpoint WHERE name = $1",
            self.shape.name,
        )
        newest = max((other["version"] for other in others), default=0)
        if newest > self.projection.VERSION:
            raise Unavailable(
                "projection-newer",
                f"{self.shape.name} is kept by a newer casecore (version {newest}): run that one",
            )
        if newest < self.projection.VERSION:
            for other in others:
                await Part(self.shape, other["ledger"], other["generation"]).clear(db)
            await self.shape.make(db)
            await db.execute("DELETE FROM ops.checkpoint WHERE name = $1", self.shape.name)
        if (found := await self._checkpoint(db)) is None:
            self._stand_at(1, 0)
            await self.part.make(db)
            await self._set_out(db, serving=True)
            found = await self._checkpoint(db)
            assert found is not None
        return found

    async def _set_out(self, db: Connection, *, serving: bool) -> None:
        await db.execute(
            """
            INSERT INTO ops.checkpoint (ledger, name, generation, version, serving)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (ledger, name, generation) DO UPDATE
            SET version = EXCLUDED.version, position = 0, error = NULL
            """,
            *self._name,
            self.part.generation,
            self.projection.VERSION,
            serving,
        )

    def _stand_at(self, generation: int, position: int) -> None:
        self.part = Part(self.shape, self.recorder.id, generation)
        self.position = position

    @property
    def _name(self) -> tuple[int, str]:
        return self.recorder.id, self.shape.name


class Progress(msgspec.Struct, frozen=True):
    """How far a projection has come, and what keeps it."""

    name: str
    position: int
    head: int
    lag: int
    """In events."""
    lag_seconds: float
    """How long ago the first event was recorded that it has not seen."""
    error: str | None


class Feed:
    """What is new in one ledger, read once and told to all who follow it. One a process."""

    def __init__(self, pool: Pool, recorder: Recorder, projections: Sequence[Projection]) -> None:
        self.pool = pool
        self.recorder = recorder
        self.on_rows: list[Callable[[Sequence[Recorded]], None]] = []
        """Told of whatever is new before the projections are; must neither wait nor fail."""
        self._followers = [Follower(pool, recorder, projection) for projection in projections]
        self._behind: dict[Follower, asyncio.Task[None]] = {}
        self._writing = asyncio.Semaphore(CONNECTIONS_MAX)
        self._task: asyncio.Task[None] | None = None
        self._read_upto = 0
        self._read_at = float("-inf")
        self._appended = 0
        self._woken = asyncio.Event()
        self._asked = asyncio.Event()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def position(self) -> int:
        """How far all projections have come."""
        return min((follower.position for follower in self._followers), default=self._read_upto)

    @property
    def fresh(self) -> bool:
        """Whether whoever listens to `on_rows` knows of all that is known to be there."""
        recent = time.monotonic() - self._read_at < FRESH_SECONDS
        return recent and self._read_upto >= self._appended

    async def start(self) -> None:
        for follower in self._followers:
            await follower.begin()
        self._read_upto = max((follower.position for follower in self._followers), default=0)
        self._bring_up_the_rest()
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        tasks = [task for task in (self._task, *self._behind.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    def wake(self, position: int) -> None:
        """There is something new, up to this position."""
        self._appended = max(self._appended, position)
        self._woken.set()

    async def reached(self, position: int, seconds: float) -> int:
        """Wait until all projections have come to this position; answer how far they have."""
        if self.position < position:
            waiter = position, asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            self._asked.set()
            try:
                async with asyncio.timeout(seconds):
                    await waiter[1]
            except TimeoutError:
                raise Unavailable(
                    "projection-lagging",
                    f"what can be read is as of position {self.position},"
                    f" and {position} was asked for: ask again in a moment",
                    as_of_position=self.position,
                    lag=position - self.position,
                ) from None
            finally:
                self._waiters.remove(waiter)
        return self.position

    async def catch_up(self) -> None:
        """Fold in all there is, whether or not this was started; raise what keeps it."""
        followers = self._followers
        if self._task is not None:  # It goes on by itself; these race it, which is harmless.
            followers = [Follower(self.pool, self.recorder, f.projection) for f in followers]
        for follower in followers:
            await follower.begin()
        position = min((follower.position for follower in followers), default=0)
        while news := await read(self.recorder, position):
            for follower in followers:
                await follower.apply(news)
            position = news[-1].position

    async def status(self) -> list[Progress]:
        """As the database has it, so whichever process it is that follows."""
        rows = await self.pool.fetch(
            """
            SELECT c.name, c.position, l.last_position AS head,
                   l.last_position - c.position AS lag,
                   coalesce(extract(epoch FROM clock_timestamp() - e.recorded_at), 0)::float8
                       AS lag_seconds,
                   c.error
            FROM ops.checkpoint c
            JOIN es.ledger l USING (ledger)
            LEFT JOIN es.event e ON e.ledger = c.ledger AND e.position = c.position + 1
            WHERE c.ledger = $1 AND c.serving AND c.name = ANY ($2)
            ORDER BY c.name
            """,
            self.recorder.id,
            [follower.shape.name for follower in self._followers],
        )
        return [Progress(**row) for row in rows]

    async def _follow(self) -> None:
        pause = RETRY_SECONDS_MIN
        while True:
            try:
                async with self._told_by_others() as connection:
                    while not connection.is_closed():
                        if await self._step() < BATCH_MAX:
                            await self._rest()
                        pause = RETRY_SECONDS_MIN
            except Exception:
                # Whatever it was, without this nothing would be followed any more.
                logger.exception("cannot follow ledger %s; trying again", self.recorder.ledger)
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)

    @asynccontextmanager
    async def _told_by_others(self) -> AsyncIterator[Connection]:
        """While this lasts, what other processes append wakes us, too."""

        def told(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
            ledger, _, position = str(payload).partition(":")
            if ledger == str(self.recorder.id):
                self.wake(int(position))

        async with self.pool.acquire() as connection:
            await connection.add_listener(CHANNEL, told)
            try:
                yield connection
            finally:
                await connection.remove_listener(CHANNEL, told)

    async def _step(self) -> int:
        """Read what is new and tell everybody; answer how much it was."""
        self._woken.clear()
        before = self._read_upto
        news = await read(self.recorder, before)
        self._read_at = time.monotonic()
        if news:
            for learn in self.on_rows:
                learn(news)
            self._read_upto = news[-1].position
            in_step = [f for f in self._followers if f.position >= before]
            await asyncio.gather(*(self._tell(f, news) for f in in_step if f not in self._behind))
        self._bring_up_the_rest()
        return len(news)

    async def _tell(self, follower: Follower, news: Sequence[Recorded] | None = None) -> None:
        """Of this news, or else of what it reads for itself. One that fails keeps no other."""
        try:
            async with self._writing:
                await follower.apply(await follower.news() if news is None else news)
        except Exception:
            logger.exception("%s stopped at %d", follower.shape.name, follower.position)
        self._moved()

    def _bring_up_the_rest(self) -> None:
        for follower in self._followers:
            if follower.position < self._read_upto and follower not in self._behind:
                self._behind[follower] = asyncio.create_task(self._bring_up(follower))

    async def _bring_up(self, follower: Follower) -> None:
        """Let one that is behind read for itself, until it is in step with the others."""
        pause = RETRY_SECONDS_MIN
        while (before := follower.position) < self._read_upto:
            await self._tell(follower)
            if follower.position > before:
                pause = RETRY_SECONDS_MIN
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
        del self._behind[follower]

    async def _rest(self) -> None:
        await happens(self._woken, POLL_SECONDS)
        self._asked.clear()
        if not self._waiters:
            await happens(self._asked, GATHER_SECONDS)

    def _moved(self) -> None:
        position = self.position
        for wanted, waiter in self._waiters:
            if wanted <= position and not waiter.done():
                waiter.set_result(None)


class Rebuilt(NamedTuple):
    events: int
    rows: int
    seconds: float


async def rebuild(pool: Pool, recorder: Recorder, projection: Projection) -> Rebuilt:
    """Make a projection's rows anew beside those that serve, and switch when they are complete."""
    begun = time.monotonic()
    serving = Follower(pool, recorder, projection)
    await serving.begin()
    async with alone(pool, serving):
        new = await serving.beside()
        while news := await new.news():
            await new.apply(news)
        await switch(pool, serving, new)
    rows = await pool.fetchval(f"SELECT count(*) FROM {new.part.name}")
    return Rebuilt(new.position, rows, time.monotonic() - begun)


@asynccontextmanager
async def alone(pool: Pool, follower: Follower) -> AsyncIterator[None]:
    lock = f"{REBUILDING}/{follower.recorder.id}/{follower.shape.name}"
    async with pool.acquire() as db:
        if not await db.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", lock):
            raise Conflict("rebuild-running", f"{follower.shape.name} is being rebuilt already")
        try:
            yield
        finally:
            await db.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", lock)


async def switch(pool: Pool, serving: Follower, new: Follower) -> None:
    """Let the new rows serve, once they have come as far as those that do: readers never go back.

    A reader that takes long is not waited for with the lock at hand, which would keep all others.
    """
    name = serving.recorder.id, serving.shape.name
    for _ in range(SWITCH_ATTEMPTS_MAX):
        try:
            async with pool.acquire() as db, db.transaction():
                await db.execute(f"SET LOCAL lock_timeout = {SWITCH_LOCK_MILLISECONDS}")
                position = await db.fetchval(
                    """
                    SELECT position FROM ops.checkpoint
                    WHERE ledger = $1 AND name = $2 AND serving FOR UPDATE
                    """,
                    *name,
                )
                while new.position < position:
                    await new.apply(await new.news(upto=position))
                await serving.part.detach(db)
                await new.part.attach(db)
                await db.execute(
                    "DELETE FROM ops.checkpoint WHERE ledger = $1 AND name = $2 AND serving", *name
                )
                await db.execute(
                    """
                    UPDATE ops.checkpoint SET serving = true
                    WHERE ledger = $1 AND name = $2 AND generation = $3
                    """,
                    *name,
                    new.part.generation,
                )
                return
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(SWITCH_LOCK_MILLISECONDS / 1000)
    raise Unavailable(
        "rebuild-not-switched",
        f"{serving.shape.name} was read without a pause, so the rebuilt rows could not be put in"
        " its place: try again when there is less to do",
    )


async def read(recorder: Recorder, after: int, upto: int | None = None) -> list[Recorded]:
    rows = await recorder.read(after, limit=BATCH_MAX, upto=upto)
    return [from_row(recorder.ledger, row) for row in rows]


async def happens(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def failed(recorded: Recorded, error: Exception) -> FoldFailed:
    what = type(recorded.event).__name__
    return FoldFailed(f"at position {recorded.position}, {what}: {error!r}")
