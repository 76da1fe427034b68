"""Read models as they were: made aside from the ledger when asked for, and kept for a while."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from casecore.database import Connection, Pool
from casecore.errors import Rejected, Unavailable
from casecore.following import generations
from casecore.following.filling import fill
from casecore.following.generations import Generation
from casecore.following.projection import Projection
from casecore.recorder import Recorder

KEPT_MAX = 8
"""How many pasts of a ledger to keep, those that were used last."""
USED_SECONDS = 60
"""How long one stays that was just used: somebody may be paging through it."""
PASTS_MAX = 32
"""How many there may be, all the same."""
MAKING_MAX = 4
"""How many a process makes at the same time, or has waiting."""
WAIT_SECONDS_MAX = 3600.0
"""How long to wait for another process that makes one."""

# PostgreSQL's advisory locks are numbers: this is held while a past is made or dropped.
MAKING = 0xA50F


class Model(NamedTuple):
    """A read model at a position."""

    position: int
    name: str


class Past:
    """Of one ledger. What one process has made, the others read."""

    def __init__(self, pool: Pool, recorder: Recorder, projections: Sequence[Projection]) -> None:
        self.pool = pool
        self.recorder = recorder
        self.known = {projection.NAME: projection for projection in projections}
        self._making: dict[Model, asyncio.Task[None]] = {}
        self._one_by_one = asyncio.Lock()

    async def at(self, position: int, names: Sequence[str], seconds: float) -> int:
        """The number to ask for in a ledger's place, to be answered as of the position.

        What takes longer than this to make goes on being made: ask again.
        """
        for name in names:
            await self._made(Model(position, name), seconds)
        return await self._numbered(position)

    async def close(self) -> None:
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def _made(self, model: Model, seconds: float) -> None:
        making = self._making.get(model)
        if making is None:
            if len(self._making) >= MAKING_MAX:
                raise Unavailable(
                    "as-of-busy", f"{MAKING_MAX} pasts are being made already: ask again shortly"
                )
            making = asyncio.create_task(self._make(model))
            self._making[model] = making
            making.add_done_callback(lambda _: self._making.pop(model, None))
        done, _ = await asyncio.wait([making], timeout=seconds)
        if not done:
            raise Unavailable(
                "as-of-being-made",
                f"{model.name} as of position {model.position} is being made from the ledger: ask"
                " again in a moment",
            )
        making.result()

    async def _make(self, model: Model) -> None:
        projection = self.known[model.name]
        async with self._one_by_one, self._alone():
            await self._drop_old()
            past = await self._numbered(model.position)
            if await self._there(past, projection):
                return
            async with self.pool.acquire() as db, db.transaction():
                new = await generations.begin(db, past, projection, "building", shards=1)
            await fill(self.pool, self.recorder, projection, new, model.position)
            async with self.pool.acquire() as db, db.transaction():
                await generations.make_tables(db, projection)
                for part in new.parts(projection):
                    await part.attach(db)
                await generations.serve(db, new)

    async def _there(self, past: int, projection: Projection) -> bool:
        """Whether it is made; what is left of one that was begun, or by another version, goes."""
        found = await generations.in_state(self.pool, past, projection.NAME, "serving")
        if found is not None and found == generations.current(past, projection, found.number):
            return True
        left = await generations.in_state(self.pool, past, projection.NAME, "building")
        for generation in (found, left):
            if generation is not None:
                await self._drop(generation)
        return False

    async def _numbered(self, position: int) -> int:
        number: int | None = await self.pool.fetchval(
            """
            INSERT INTO ops.past (ledger, position)
            SELECT $1, $2 WHERE (SELECT count(*) FROM ops.past WHERE ledger = $1) < $3
                OR EXISTS (SELECT FROM ops.past WHERE ledger = $1 AND position = $2)
            ON CONFLICT (ledger, position) DO UPDATE SET used_at = clock_timestamp()
            RETURNING past
            """,
            *(self.recorder.id, position, PASTS_MAX),
        )
        if number is None:
            raise Unavailable(
                "as-of-busy", f"{PASTS_MAX} pasts of this ledger are in use: ask again in a minute"
            )
        return -number

    async def _drop_old(self) -> None:
        rows = await self.pool.fetch(
            """
            SELECT past FROM (
                SELECT past, used_at FROM ops.past WHERE ledger = $1
                ORDER BY used_at DESC OFFSET $2
            ) AS surplus WHERE used_at < clock_timestamp() - $3 * interval '1 second'
            """,
            *(self.recorder.id, KEPT_MAX, USED_SECONDS),
        )
        for row in rows:
            for generation in await generations.of_ledger(self.pool, -row["past"]):
                await self._drop(generation)
            await self.pool.execute("DELETE FROM ops.past WHERE past = $1", row["past"])

    async def _drop(self, generation: Generation) -> None:
        projection = self.known.get(generation.name)
        if projection is None:
            return
        async with self.pool.acquire() as db:
            for part in generation.parts(projection):
                if await attached(db, part.name):
                    await part.leave(db)
            await generations.drop(db, projection, [generation])

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self.pool.acquire() as db:
            lock = MAKING << 32 | self.recorder.id
            await db.execute("SELECT pg_advisory_lock($1)", lock, timeout=WAIT_SECONDS_MAX)
            try:
                yield
            finally:
                await db.execute("SELECT pg_advisory_unlock($1)", lock)


async def refuse_ahead(recorder: Recorder, position: int) -> None:
    """Refuse a position that the ledger has not come to."""
    if position > (head := await recorder.head()):
        raise Rejected(
            "position-ahead",
            f"the ledger has come to position {head}, and {position} was asked for",
            field="at_position",
        )


async def attached(db: Connection, table: str) -> bool:
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass($1))", table
    )
    return found
