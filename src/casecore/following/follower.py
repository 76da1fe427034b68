"""Folds what is new into the rows of one shard, in one transaction with how far it has come."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import asyncpg

from casecore.database import Connection, Pool
from casecore.following.generations import Generation, Share
from casecore.following.projection import Projection, Reckoned, told
from casecore.recorder import Recorder
from casecore.recording import Recorded, event_of
from casecore.tables import Key

ROWS_KEPT_MAX = 1_000
"""How many rows a shard keeps at hand, those it wrote last: what is worked on now is what will be
worked on next."""
LEASE_SECONDS = 4.0
"""How long a shard stays with whoever last moved it. After a kill others go on when it is over."""
STATEMENT_SECONDS_MAX = 3.0
"""How long a statement may take, or a transaction wait between two: less than the lease."""

REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What the database says of a row that it will never take."""


TOO_LONG = (
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
)
"""How it shows that the database had no time for a batch, and may have for half of it."""


class FoldFailed(Exception):
    """A shard cannot go on, and waits until it can."""


class Parked(NamedTuple):
    """An event that waits because it could not be folded, or one about its row could not."""

    key: str
    position: int
    error: str


class Follower:
    """One shard of one generation: its rows, and how far they have come."""

    def __init__(
        self,
        pool: Pool,
        recorder: Recorder,
        projection: Projection,
        generation: Generation,
        share: Share,
    ) -> None:
        self.pool = pool
        self.recorder = recorder
        self.projection = projection
        self.reckoned = projection if isinstance(projection, Reckoned) else None
        self.ledger = generation.ledger
        """That the rows are kept under, which for those of the past is not the recorder's."""
        self.share = share
        self.position = share.position
        self.parts = generation.parts(projection)
        self._learned = self.reckoned.REFERENCE.begin() if self.reckoned else None
        self._learned_version = 0
        self._parked: frozenset[str] = frozenset()
        self._rows: dict[Key, Any] = {}
        """Some of the rows as they stand while the position is where this left it."""

    async def begin(self) -> None:
        """Learn what the fold goes by, and which rows are parked."""
        if self.reckoned is not None and self._learned is not None:
            # All there is of it: more than it needs by now does no harm.
            stream_id = self.reckoned.REFERENCE.stream_id
            for row in await self.recorder.history(stream_id, after=self._learned_version):
                self._learned.learn(event_of(row), row.position)
                self._learned_version = row.version
        rows = await self.pool.fetch(
            """
            SELECT DISTINCT key FROM ops.parked
            WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4
            """,
            *self.id,
        )
        self._parked = frozenset(row["key"] for row in rows)

    async def apply(self, news: Sequence[Recorded], upto: int = 0) -> bool:
        """Fold in what of this is new here, and move on; False when the shard is somebody else's.

        `upto` is where the news ends, when something after it was left out as of no concern.
        What cannot be folded is parked, with all that comes after it about the same row; the other
        rows go on.
        """
        news = self.new_of(news)
        position = max(upto, news[-1].position if news else 0)
        if position <= self.position:
            return True
        try:
            batches = {self: self.batch(news)}
            try:
                return self in await fold(self.pool, batches, position)
            except REFUSED:
                return self in await fold(self.pool, batches, position, carefully=True)
        except TOO_LONG as failure:
            if len(news) < 2:
                await self.stopped(f"takes too long: {failure}")
                raise
            half = news[: len(news) // 2]
            return await self.apply(half) and await self.apply(news, upto)
        except (FoldFailed, asyncpg.PostgresError) as failure:
            await self.stopped(str(failure))
            raise

    def new_of(self, news: Sequence[Recorded]) -> Sequence[Recorded]:
        return news[bisect_right(news, self.position, key=attrgetter("position")) :]

    def batch(self, news: Sequence[Recorded]) -> "Batch":
        """What of this, all of it new here, is about rows of this shard."""
        reads, keys, share = self.projection.READS, self.projection.keys, self.share
        whole = share.whole
        reference = self.reckoned.REFERENCE.stream_id if self.reckoned else None
        batch = Batch(self._parked, self.position)
        for recorded in news:
            if type(recorded.event) not in reads:
                continue
            if self._learned is not None and recorded.stream_id == reference:
                try:
                    self._learned.learn(recorded.event, recorded.position)
                except Exception as error:
                    # Every row goes by it, so there is nothing to go on with.
                    raise FoldFailed(failed(recorded, error)) from error
            if self.reckoned and not self.reckoned.concerns(recorded, self._learned):
                continue
            try:
                touched = keys(recorded)
            except Exception as error:
                if not self.projection.BY_STREAM or share.has((recorded.stream_id,)):
                    batch.park(stream_of(recorded), recorded, error)
                continue
            for key in touched:
                if whole or share.has(key):
                    batch.touch(key, recorded)
        return batch

    async def write(
        self, db: Connection, batch: "Batch", *, carefully: bool
    ) -> tuple[dict[Key, Any], list[Parked]]:
        """Write what becomes of the rows, and answer it, with what has to wait: both are to be kept
        at hand once they hold."""
        rows, parked = await self._folded_into(db, batch, carefully)
        await self._park(db, parked)
        return rows, parked

    def keep(self, rows: dict[Key, Any], parked: Sequence[Parked]) -> None:
        """Have at hand what was written."""
        self._parked |= {one.key for one in parked}
        if self.projection.ONCE:
            return
        for key, row in rows.items():
            self._rows.pop(key, None)
            if row is not None:
                self._rows[key] = row
        for key in [*self._rows][:-ROWS_KEPT_MAX]:
            del self._rows[key]

    async def fold_now(self, db: Connection, touched: Sequence[tuple[Key, Recorded]]) -> str | None:
        """Fold these whether or not their rows are parked, all or nothing; why not, if not."""
        batch = Batch(frozenset(), self.position)
        batch.touched += touched
        try:
            async with db.transaction():
                _, parked = await self._folded_into(db, batch, carefully=True)
                if parked:
                    raise FoldFailed(parked[0].error)
        except FoldFailed as failure:
            return str(failure)
        return None

    async def _folded_into(
        self, db: Connection, batch: "Batch", carefully: bool
    ) -> tuple[dict[Key, Any], list[Parked]]:
        """Write what becomes of the rows, and answer it, with what has to wait."""
        found = await self._load(db, {key for key, _ in batch.touched})
        rows, parked = self._folded(batch, found)
        changed = [key for key, row in rows.items() if row is not found.get(key)]
        details: dict[Key, Sequence[Any]] = {}
        for key in [*changed] if self.reckoned else ():
            assert self.reckoned is not None
            try:
                rows[key], details[key] = self.reckoned.settled(
                    found.get(key), rows[key], self._learned
                )
            except Exception as error:
                parked += batch.whole(key, f"what is shown of it: {error!r}")
                rows[key] = found.get(key)
                changed.remove(key)
        if carefully:
            refused = await self._write_by_halves(db, batch, rows, details, changed)
            parked += refused
            waiting = {one.key for one in refused}
            for key in [key for key in changed if waiting and told(key) in waiting]:
                del rows[key]
        else:
            await self._write(db, [rows[key] for key in changed], details.values())
        if gone := [key for key in found if key in rows and rows[key] is None]:
            await self.parts[0].remove(db, gone)
        return rows, parked

    def _folded(self, batch: "Batch", found: dict[Key, Any]) -> tuple[dict[Key, Any], list[Parked]]:
        """What becomes of the rows, and what has to wait."""
        fold = self.projection.fold
        beside = () if self._learned is None else (self._learned,)
        rows, parked = dict(found), list(batch.parked)
        stuck: dict[Key, str] = {}
        for key, recorded in batch.touched:
            if key in stuck:
                parked.append(Parked(told(key), recorded.position, stuck[key]))
                continue
            try:
                rows[key] = fold(key, rows.get(key), recorded, *beside)
            except Exception as error:
                stuck[key] = failed(recorded, error)
                parked.append(Parked(told(key), recorded.position, stuck[key]))
        return rows, parked

    async def _write(
        self, db: Connection, rows: Iterable[Any], details: Iterable[Sequence[Any]]
    ) -> None:
        if kept := [row for row in rows if row is not None]:
            await self.parts[0].store(db, kept)
        if shown := [detail for more in details for detail in more]:
            await self.parts[1].store(db, shown)

    async def _write_by_halves(
        self,
        db: Connection,
        batch: "Batch",
        rows: dict[Key, Any],
        details: dict[Key, Sequence[Any]],
        changed: Sequence[Key],
    ) -> list[Parked]:
        """Write the rows that the database takes, and park what is about the others."""
        try:
            async with db.transaction():
                await self._write(
                    db,
                    [rows[key] for key in changed],
                    [details[key] for key in changed if key in details],
                )
        except REFUSED as error:
            if len(changed) == 1:
                # Its detail would be the row itself.
                return batch.whole(changed[0], f"the database refuses the row: {error.args[0]}")
            half = len(changed) // 2
            return [
                *await self._write_by_halves(db, batch, rows, details, changed[:half]),
                *await self._write_by_halves(db, batch, rows, details, changed[half:]),
            ]
        return []

    async def _load(self, db: Connection, keys: set[Key]) -> dict[Key, Any]:
        """The rows there are of these; the position was ours to move, so those at hand hold."""
        if self.projection.ONCE:
            return {}
        found = {key: self._rows[key] for key in keys & self._rows.keys()}
        if more := keys - found.keys():
            found |= await self.parts[0].load(db, more)
        return found

    async def _park(self, db: Connection, parked: Sequence[Parked]) -> None:
        if parked:
            await db.executemany(
                """
                INSERT INTO ops.parked (ledger, name, generation, shard, key, position, error)
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
                """,
                [(*self.id, *one) for one in parked],
            )

    async def stopped(self, why: str) -> None:
        """Say why it does not go on, until it does."""
        await self.pool.execute(
            """
            UPDATE ops.shard SET error = $5
            WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4 AND fence = $6
            """,
            *(*self.id, why, self.share.fence),
        )

    @property
    def id(self) -> tuple[int, str, int, int]:
        share = self.share
        return self.ledger, self.projection.NAME, share.generation, share.shard


class Batch:
    """What is new for the rows of a shard, in order; what is about a parked row waits at once."""

    def __init__(self, parked: frozenset[str], after: int) -> None:
        self.after = after
        """The position that all this comes after: if it is another by then, it counts no more."""
        self.touched: list[tuple[Key, Recorded]] = []
        self.parked: list[Parked] = []
        self._stuck = set(parked)

    def touch(self, key: Key, recorded: Recorded) -> None:
        if self._stuck:
            for name in (stream_of(recorded), told(key)):
                if name in self._stuck:
                    self.parked.append(Parked(name, recorded.position, "waits for those before it"))
                    return
        self.touched.append((key, recorded))

    def park(self, name: str, recorded: Recorded, error: Exception) -> None:
        self.parked.append(Parked(name, recorded.position, failed(recorded, error)))
        self._stuck.add(name)

    def whole(self, key: Key, why: str) -> list[Parked]:
        """All of it that is about a row."""
        return [Parked(told(key), r.position, why) for k, r in self.touched if k == key]


async def fold(
    pool: Pool, batches: Mapping[Follower, Batch], position: int, *, carefully: bool = False
) -> list[Follower]:
    """Write what becomes of the rows of all these in one transaction with how far they have come;
    answer those whose shard is still theirs."""
    async with pool.acquire() as db:
        after = {follower: batch.after for follower, batch in batches.items()}
        written: list[tuple[Follower, dict[Key, Any], list[Parked]]] = []
        concerned = [f for f, batch in batches.items() if batch.touched or batch.parked]
        if not concerned:
            ours = await move(db, after, position)
        else:
            async with db.transaction():
                ours = await move(db, after, position)
                for follower in (f for f in ours if f in concerned):
                    batch = batches[follower]
                    rows, parked = await follower.write(db, batch, carefully=carefully)
                    written.append((follower, rows, parked))
    for follower, rows, parked in written:
        follower.keep(rows, parked)
    for follower in ours:
        follower.position = position
    return ours


async def move(db: Connection, followers: Mapping[Follower, int], position: int) -> list[Follower]:
    """Move them on in one statement, each from where it is said to be; answer those that were
    there, and whose shard is still theirs.

    Somebody else has moved the others, or has them now. They are locked in one order, so that
    nobody waits for each other. The disk is not waited for: should this be lost, rows and position
    are lost together. What is asked in the transaction from now on may not outlast the lease, and
    is planned anew each time: a plan made while a table was empty looks through all of it.
    """
    ids = [follower.id for follower in followers]
    moved = await db.fetch(
        """
        WITH ours AS MATERIALIZED (
            SELECT name, generation, shard FROM ops.shard
            JOIN unnest($2::text[], $3::int[], $4::int[], $5::bigint[], $6::bigint[])
                AS left_at (name, generation, shard, position, fence)
            USING (name, generation, shard, position, fence)
            WHERE ledger = $1 ORDER BY name, shard FOR UPDATE OF shard
        )
        UPDATE ops.shard s
        SET position = $7, updated_at = clock_timestamp(), error = NULL,
            lease_until = CASE WHEN s.owner IS NULL THEN s.lease_until
                ELSE clock_timestamp() + $8 * interval '1 second' END
        FROM ours
        WHERE s.ledger = $1
          AND (s.name, s.generation, s.shard) = (ours.name, ours.generation, ours.shard)
        RETURNING s.name, s.generation, s.shard,
            set_config('synchronous_commit', 'off', true),
            set_config('plan_cache_mode', 'force_custom_plan', true),
            set_config('statement_timeout', $9, true),
            set_config('idle_in_transaction_session_timeout', $9, true)
        """,
        ids[0][0],
        *([id[n] for id in ids] for n in (1, 2, 3)),
        [*followers.values()],
        [follower.share.fence for follower in followers],
        position,
        LEASE_SECONDS,
        f"{STATEMENT_SECONDS_MAX:.0f}s",
    )
    ours = {tuple(row)[:3] for row in moved}
    return [follower for follower in followers if follower.id[1:] in ours]


def stream_of(recorded: Recorded) -> str:
    return f"stream {recorded.stream_id}"


def failed(recorded: Recorded, error: Exception) -> str:
    return f"at position {recorded.position}, {type(recorded.event).__name__}: {error!r}"
