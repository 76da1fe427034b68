"""The rows of a read model, as often as they are made: tables, and where their shards stand."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from casecore.database import Connection, Pool
from casecore.errors import Unavailable
from casecore.following.projection import SLOTS, Projection, shapes, slot_of
from casecore.tables import Key, Part

State = Literal["building", "serving", "kept"]

# PostgreSQL's advisory locks are numbers: this is held while tables are made.
MAKING = 0xCA5E7AB1


class Generation(NamedTuple):
    ledger: int
    name: str
    number: int
    version: int
    shape: str
    """Tells its columns and indexes from others."""

    def parts(self, projection: Projection) -> list[Part]:
        return [Part(shape, self.ledger, self.number) for shape in shapes(projection)]


class Share(NamedTuple):
    """A shard as it was taken: where it stands, and the fence that says whose it is."""

    generation: int
    shard: int
    first_slot: int
    last_slot: int
    position: int
    fence: int

    @property
    def whole(self) -> bool:
        return self.last_slot - self.first_slot + 1 == SLOTS

    def has(self, key: Key) -> bool:
        return self.whole or self.first_slot <= slot_of(key) <= self.last_slot


async def ensure(pool: Pool, ledger: int, projection: Projection, shards: int) -> Generation:
    """The generation that serves; where there is none yet, an empty one that begins now."""
    async with pool.acquire() as db:
        if found := await in_state(db, ledger, projection.NAME, "serving"):
            return known(found, projection)
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", MAKING)
            if found := await in_state(db, ledger, projection.NAME, "serving"):
                return known(found, projection)
            newest = await db.fetchrow(
                """
                SELECT ledger, name, generation, version, shape FROM ops.generation
                WHERE name = $1 AND state = 'serving' ORDER BY version DESC LIMIT 1
                """,
                projection.NAME,
            )
            if newest is not None:
                known(Generation(*newest), projection)
            await make_tables(db, projection)
            new = await begin(db, ledger, projection, "serving", shards)
            for part in new.parts(projection):
                await part.make(db)
                await part.index(db)
                await part.attach(db)
            return new


async def make_tables(db: Connection, projection: Projection) -> None:
    """Those that all ledgers share, unless they are there."""
    await db.execute("SELECT pg_advisory_xact_lock($1)", MAKING)
    for shape in shapes(projection):
        await shape.make(db)


def current(ledger: int, projection: Projection, number: int) -> Generation:
    """One of this version."""
    return Generation(ledger, projection.NAME, number, projection.VERSION, shape_of(projection))


def known(found: Generation, projection: Projection) -> Generation:
    if found.version > projection.VERSION:
        raise Unavailable(
            "projection-newer",
            f"{found.name} is kept by a newer casecore (version {found.version}): run that one",
        )
    return found


async def begin(
    db: Connection, ledger: int, projection: Projection, state: State, shards: int
) -> Generation:
    """Write down another generation that has seen nothing yet."""
    number = await db.fetchval(
        """
        INSERT INTO ops.generation (ledger, name, generation, version, shape, state)
        SELECT $1, $2, coalesce(max(generation), 0) + 1, $3, $4, $5
        FROM ops.generation WHERE ledger = $1 AND name = $2
        RETURNING generation
        """,
        *(ledger, projection.NAME, projection.VERSION, shape_of(projection), state),
    )
    ends = [SLOTS * n // shards for n in range(shards + 1)]
    await db.executemany(
        """
        INSERT INTO ops.shard (ledger, name, generation, shard, first_slot, last_slot)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(ledger, projection.NAME, number, n, ends[n], ends[n + 1] - 1) for n in range(shards)],
    )
    return current(ledger, projection, number)


def shape_of(projection: Projection) -> str:
    return "-".join(shape.digest for shape in shapes(projection))


async def in_state(
    db: Connection | Pool, ledger: int, name: str, state: State
) -> Generation | None:
    row = await db.fetchrow(
        """
        SELECT ledger, name, generation, version, shape FROM ops.generation
        WHERE ledger = $1 AND name = $2 AND state = $3
        ORDER BY generation DESC LIMIT 1
        """,
        *(ledger, name, state),
    )
    return Generation(*row) if row else None


async def of_ledger(pool: Pool, ledger: int) -> list[Generation]:
    rows = await pool.fetch(
        "SELECT ledger, name, generation, version, shape FROM ops.generation WHERE ledger = $1",
        ledger,
    )
    return [Generation(*row) for row in rows]


async def older(db: Connection | Pool, projection: Projection) -> list[tuple[Generation, str]]:
    """What serves of older versions, and the names of their ledgers."""
    rows = await db.fetch(
        """
        SELECT g.ledger, g.name, g.generation, g.version, g.shape, l.name
        FROM ops.generation g JOIN es.ledger l USING (ledger)
        WHERE g.name = $1 AND g.state = 'serving'
          AND (g.version < $2 OR g.version = $2 AND g.shape <> $3)
        ORDER BY g.ledger
        """,
        *(projection.NAME, projection.VERSION, shape_of(projection)),
    )
    return [(Generation(*generation), name) for *generation, name in rows]


async def shares(db: Connection | Pool, of: Generation) -> list[Share]:
    rows = await db.fetch(
        """
        SELECT generation, shard, first_slot, last_slot, position, fence FROM ops.shard
        WHERE ledger = $1 AND name = $2 AND generation = $3 ORDER BY shard
        """,
        *of[:3],
    )
    return [Share(*row) for row in rows]


async def keep(db: Connection, of: Generation) -> None:
    """Say that it serves no more, and is there to go back to."""
    await _say(db, of, "kept")


async def serve(db: Connection, of: Generation) -> None:
    await _say(db, of, "serving")


async def _say(db: Connection, of: Generation, state: State) -> None:
    await db.execute(
        """
        UPDATE ops.generation SET state = $4
        WHERE ledger = $1 AND name = $2 AND generation = $3
        """,
        *of[:3],
        state,
    )


async def let_go(db: Connection, *of: Generation) -> None:
    """From now on nobody's: whoever follows them finds that out, and begins anew."""
    for generation in of:
        await db.execute(
            """
            UPDATE ops.shard SET fence = fence + 1, owner = NULL, lease_until = '-infinity'
            WHERE ledger = $1 AND name = $2 AND generation = $3
            """,
            *generation[:3],
        )


async def drop(db: Connection, projection: Projection, of: Sequence[Generation]) -> None:
    for generation in of:
        for part in generation.parts(projection):
            await part.drop(db)
        await db.execute(
            "DELETE FROM ops.generation WHERE ledger = $1 AND name = $2 AND generation = $3",
            *generation[:3],
        )
