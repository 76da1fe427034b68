"""Keeps read models up with the ledger. Tailing, catching up and rebuilding are the same code."""

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

import asyncpg
import msgspec

from casecore.appender import CHANNEL
from casecore.database import Connection, Pool
from casecore.errors import Conflict, Unavailable
from casecore.recorder import Recorder
from casecore.recording import Recorded, event_of, from_row
from casecore.tables import Key, Part, Shape

BATCH_MAX = 2_000
CONNECTIONS_MAX = 2
"""How many projections of a ledger are written at the same time."""
ROWS_KEPT_MAX = 1_000
"""How many rows a projection keeps at hand, those it wrote last: what is worked on now is what
will be worked on next."""

POLL_SECONDS = 0.05
"""How soon the ledger is read again when nobody told of anything new: a notice can be lost."""
GATHER_SECONDS = 0.04
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

    @property
    def fold(self) -> Callable[..., Any]:
        """(key, row, recorded): what becomes of the row; None is no row."""


class Learner(Protocol):
    """Learns a stream in its order. What it says of a position must never change by what it
    learns later: then it may be ahead of those who go by it."""

    def learn(self, event: Any, position: int) -> None: ...


class Reference(NamedTuple):
    stream_id: UUID
    begin: Callable[[], Learner]
    """Makes one that has learned nothing yet."""


@runtime_checkable
class Reckoned(Projection, Protocol):
    """One whose fold goes by another stream, as commands do that name one in `beside`, and whose
    rows are shown as several: its fold gets what was learned of the stream as a fourth argument."""

    @property
    def TABLE(self) -> str:
        """Of the rows that are folded."""

    @property
    def REFERENCE(self) -> Reference:
        """Its events must be among READS, to be learned as they come."""

    @property
    def DETAILS(self) -> Shape:
        """What is shown. These rows are never dropped."""

    def settled(self, before: Any, row: Any, learned: Any) -> tuple[Any, Sequence[Any]]:
        """The row as it is written, and those of its details that are not as they were before.

        Once a row and batch, whatever the events: so it must come from the row alone.
        """


class FoldFailed(Exception):
    """A projection cannot fold an event, and waits there until it can."""


class Follower:
    """One projection over one ledger: its rows, and how far they have come."""

    def __init__(self, pool: Pool, recorder: Recorder, projection: Projection) -> None:
        self.pool = pool
        self.recorder = recorder
        self.projection = projection
        self.reckoned = projection if isinstance(projection, Reckoned) else None
        self.shapes = shapes(projection)
        self.position = 0
        self._learned = self.reckoned.REFERENCE.begin() if self.reckoned else None
        self._learned_version = 0
        self._rows: dict[Key, Any] = {}
        """Some of the rows as they stand while the checkpoint is where this left it."""

    async def begin(self) -> None:
        """Find out where to go on; without a table of this version, make it and begin anew."""
        async with self.pool.acquire() as db:
            found = await self._checkpoint(db)
            if found is None or found["version"] != self.projection.VERSION:
                async with db.transaction():
                    found = await self._make(db)
        await self._learn()
        self._stand_at(found["generation"], found["position"])

    async def beside(self) -> "Follower":
        """One that fills the next generation from zero while this one serves."""
        other = Follower(self.pool, self.recorder, self.projection)
        await other._learn()
        other._stand_at(self.generation + 1, 0)
        async with self.pool.acquire() as db, db.transaction():
            for part in other.parts:
                await part.clear(db)
                await part.make_apart(db)
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
                    moved = await move(db, [self], position) == [self]
        except (FoldFailed, asyncpg.PostgresError) as failure:
            await self._stopped(str(failure))
            raise
        if moved:
            self.position = position
        else:
            await self.begin()  # Someone else has moved it.

    async def _learn(self) -> None:
        """All there is of what the fold goes by: more than it needs by now does no harm."""
        if self.reckoned is None or self._learned is None:
            return
        stream_id = self.reckoned.REFERENCE.stream_id
        for row in await self.recorder.history(stream_id, after=self._learned_version):
            self._learned.learn(event_of(row), row.position)
            self._learned_version = row.version

    def _touched(self, news: Sequence[Recorded]) -> list[tuple[Key, Recorded]]:
        reads, keys = self.projection.READS, self.projection.keys
        reference = self.reckoned.REFERENCE.stream_id if self.reckoned else None
        touched = []
        for recorded in news:
            if type(recorded.event) in reads:
                try:
                    if self._learned is not None and recorded.stream_id == reference:
                        self._learned.learn(recorded.event, recorded.position)
                    touched += [(key, recorded) for key in keys(recorded)]
                except Exception as error:
                    raise failed(recorded, error) from error
        return touched

    async def _fold(
        self, db: Connection, touched: Sequence[tuple[Key, Recorded]], position: int
    ) -> bool:
        """Write what becomes of the rows in one transaction with the checkpoint."""
        fold = self.projection.fold
        beside = () if self._learned is None else (self._learned,)
        async with db.transaction():
            if await move(db, [self], position) != [self]:
                return False
            found = await self._load(db, {key for key, _ in touched})
            rows = dict(found)
            for key, recorded in touched:
                try:
                    rows[key] = fold(key, rows.get(key), recorded, *beside)
                except Exception as error:
                    raise failed(recorded, error) from error
            changed = [key for key, row in rows.items() if row is not found.get(key)]
            if self.reckoned is not None:
                await self._detail(db, self.reckoned, found, rows, changed)
            if kept := [rows[key] for key in changed if rows[key] is not None]:
                await self.part.store(db, kept)
            if gone := [key for key in found if rows[key] is None]:
                await self.part.drop(db, gone)
        self._keep(rows)
        return True

    async def _detail(
        self,
        db: Connection,
        reckoned: Reckoned,
        found: dict[Key, Any],
        rows: dict[Key, Any],
        changed: Sequence[Key],
    ) -> None:
        """Settle the changed rows, and write what is shown of them."""
        details: list[Any] = []
        for key in changed:
            try:
                rows[key], more = reckoned.settled(found.get(key), rows[key], self._learned)
            except Exception as error:
                raise FoldFailed(f"what is shown of {key}: {error!r}") from error
            details += more
        if details:
            await self.parts[1].store(db, details)

    async def _load(self, db: Connection, keys: set[Key]) -> dict[Key, Any]:
        """The rows there are of these; the checkpoint was ours to move, so those at hand hold."""
        found = {key: self._rows[key] for key in keys & self._rows.keys()}
        if more := keys - found.keys():
            found |= await self.part.load(db, more)
        return found

    def _keep(self, rows: dict[Key, Any]) -> None:
        for key, row in rows.items():
            self._rows.pop(key, None)
            if row is not None:
                self._rows[key] = row
        for key in [*self._rows][:-ROWS_KEPT_MAX]:
            del self._rows[key]

    async def _stopped(self, why: str) -> None:
        await self.pool.execute(
            """
            UPDATE ops.checkpoint SET error = $4
            WHERE ledger = $1 AND name = $2 AND generation = $3
            """,
            *self.name,
            self.generation,
            why,
        )

    async def _checkpoint(self, db: Connection) -> asyncpg.Record | None:
        return await db.fetchrow(
            """
            SELECT generation, version, position FROM ops.checkpoint
            WHERE ledger = $1 AND name = $2 AND serving
            """,
            *self.name,
        )

    async def _make(self, db: Connection) -> asyncpg.Record:
        await db.execute("SELECT pg_advisory_xact_lock($1)", MAKING)
        others = await db.fetch(
            "SELECT ledger, generation, version FROM ops.checkpoint WHERE name = $1",
            self.projection.NAME,
        )
        newest = max((other["version"] for other in others), default=0)
        if newest > self.projection.VERSION:
            raise Unavailable(
                "projection-newer",
                f"{self.projection.NAME} is kept by a newer casecore (version {newest}):"
                " run that one",
            )
        if newest < self.projection.VERSION:
            for shape in self.shapes:
                for other in others:
                    await Part(shape, other["ledger"], other["generation"]).clear(db)
                await shape.make(db)
            await db.execute("DELETE FROM ops.checkpoint WHERE name = $1", self.projection.NAME)
        if (found := await self._checkpoint(db)) is None:
            self._stand_at(1, 0)
            for part in self.parts:
                await part.make(db)
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
            *self.name,
            self.generation,
            self.projection.VERSION,
            serving,
        )

    def _stand_at(self, generation: int, position: int) -> None:
        self.generation = generation
        self.parts = [Part(shape, self.recorder.id, generation) for shape in self.shapes]
        self.position = position
        self._rows.clear()

    @property
    def part(self) -> Part:
        """Of the rows that are folded."""
        return self.parts[0]

    @property
    def name(self) -> tuple[int, str]:
        return self.recorder.id, self.projection.NAME


def shapes(projection: Projection) -> list[Shape]:
    """Its tables: that of the rows which are folded, then that of their details, if it has any."""
    reckoned = projection if isinstance(projection, Reckoned) else None
    folded = Shape(
        reckoned.TABLE if reckoned else projection.NAME,
        projection.ROW,
        projection.KEY,
        projection.INDEXES,
        (projection.__doc__ or "").partition("\n")[0],
    )
    return [folded, reckoned.DETAILS] if reckoned else [folded]


async def move(
    db: Connection | Pool, followers: Sequence[Follower], position: int
) -> list[Follower]:
    """Move their checkpoints, in one statement; answer whose were where they had left them.

    Someone else has moved the others. They are locked in one order, so that nobody waits for each
    other. The disk is not waited for: should this be lost, rows and checkpoint are lost together.
    """
    moved = await db.fetch(
        """
        UPDATE ops.checkpoint c
        SET position = $6, updated_at = clock_timestamp(), error = NULL
        FROM (
            SELECT name, generation FROM ops.checkpoint
            JOIN unnest($2::text[], $3::int[], $4::int[], $5::bigint[])
                AS left_at (name, generation, version, position)
            USING (name, generation, version, position)
            WHERE ledger = $1 ORDER BY name FOR UPDATE OF checkpoint
        ) AS ours
        WHERE c.ledger = $1 AND (c.name, c.generation) = (ours.name, ours.generation)
        RETURNING c.name, set_config('synchronous_commit', 'off', true)
        """,
        followers[0].recorder.id,
        [follower.projection.NAME for follower in followers],
        [follower.generation for follower in followers],
        [follower.projection.VERSION for follower in followers],
        [follower.position for follower in followers],
        position,
    )
    names = {row["name"] for row in moved}
    return [follower for follower in followers if follower.projection.NAME in names]


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
        while news := await read(self.recorder, min(f.position for f in followers)):
            for follower in followers:
                await follower.apply(news)

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
            [follower.projection.NAME for follower in self._followers],
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
            types = {type(recorded.event) for recorded in news}
            in_step = [f for f in self._followers if f.position >= before and f not in self._behind]
            idle = [f for f in in_step if f.projection.READS.isdisjoint(types)]
            await asyncio.gather(
                self._pass_over(idle, self._read_upto),
                *(self._tell(f, news) for f in in_step if f not in idle),
            )
        self._bring_up_the_rest()
        return len(news)

    async def _tell(self, follower: Follower, news: Sequence[Recorded] | None = None) -> None:
        """Of this news, or else of what it reads for itself. One that fails keeps no other."""
        try:
            async with self._writing:
                await follower.apply(await follower.news() if news is None else news)
        except Exception:
            logger.exception("%s stopped at %d", follower.projection.NAME, follower.position)
        self._moved()

    async def _pass_over(self, followers: Sequence[Follower], position: int) -> None:
        """Move those that nothing up to there is for, all at once."""
        behind = [follower for follower in followers if follower.position < position]
        if not behind:
            return
        try:
            async with self._writing:
                moved = await move(self.pool, behind, position)
                for follower in behind:
                    if follower in moved:
                        follower.position = position
                    else:
                        await follower.begin()
        except Exception:
            logger.exception("the read models that nothing was for stopped before %d", position)
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
    lock = f"{REBUILDING}/{follower.recorder.id}/{follower.projection.NAME}"
    async with pool.acquire() as db:
        if not await db.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", lock):
            name = follower.projection.NAME
            raise Conflict("rebuild-running", f"{name} is being rebuilt already")
        try:
            yield
        finally:
            await db.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", lock)


async def switch(pool: Pool, serving: Follower, new: Follower) -> None:
    """Let the new rows serve, once they have come as far as those that do: readers never go back.

    A reader that takes long is not waited for with the lock at hand, which would keep all others.
    """
    for _ in range(SWITCH_ATTEMPTS_MAX):
        try:
            async with pool.acquire() as db, db.transaction():
                await db.execute(f"SET LOCAL lock_timeout = {SWITCH_LOCK_MILLISECONDS}")
                position = await db.fetchval(
                    """
                    SELECT position FROM ops.checkpoint
                    WHERE ledger = $1 AND name = $2 AND serving FOR UPDATE
                    """,
                    *serving.name,
                )
                while new.position < position:
                    await new.apply(await new.news(upto=position))
                for old, part in zip(serving.parts, new.parts, strict=True):
                    await old.detach(db)
                    await part.attach(db)
                await db.execute(
                    "DELETE FROM ops.checkpoint WHERE ledger = $1 AND name = $2 AND serving",
                    *serving.name,
                )
                await db.execute(
                    """
                    UPDATE ops.checkpoint SET serving = true
                    WHERE ledger = $1 AND name = $2 AND generation = $3
                    """,
                    *new.name,
                    new.generation,
                )
                return
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(SWITCH_LOCK_MILLISECONDS / 1000)
    raise Unavailable(
        "rebuild-not-switched",
        f"{serving.projection.NAME} was read without a pause, so the rebuilt rows could not be put"
        " in its place: try again when there is less to do",
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
