"""Which shards this process follows: its fair share of all there are, each on a lease."""

import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import uuid_utils.compat as uuids

from casecore.database import Connection, Pool
from casecore.following.follower import LEASE_SECONDS
from casecore.following.generations import Share, shape_of
from casecore.following.projection import SLOTS, Projection

ShardId = tuple[str, int, int]
"""Name of the read model, generation, shard."""
Turn = Callable[[Mapping[ShardId, int]], Awaitable[tuple[set[ShardId], dict[ShardId, Share]]]]


class Leases:
    """Of one process and ledger. The clock that counts is the database's."""

    def __init__(self, pool: Pool, ledger: int, projections: Sequence[Projection]) -> None:
        self.pool = pool
        self.ledger = ledger
        self.versions = {p.NAME: f"{p.VERSION} {shape_of(p)}" for p in projections}
        """Of the read models that this process can follow: of the fold, and of the columns."""
        self._follows = ", ".join(f"{name} {of}" for name, of in sorted(self.versions.items()))
        self.runner: UUID = uuids.uuid7()

    async def turn(self, held: Mapping[ShardId, int]) -> tuple[set[ShardId], dict[ShardId, Share]]:
        """Say that we are there and keep what is held, by its fences; take on what is free, and
        leave to others what is more than our share. Answers what is not ours any more, and what
        is new."""
        async with self.pool.acquire() as db, db.transaction():
            await db.execute("SET LOCAL synchronous_commit = off")
            runners = await self._there(db)
            kept = await self._renew(db, held)
            fair = -(-await self._shards(db) // runners)
            surplus = sorted(kept)[fair:]
            await self._release(db, surplus)
            kept -= set(surplus)
            taken = await self._take(db, kept, fair - len(kept))
        return held.keys() - kept, taken

    async def visit(self, held: Mapping[ShardId, int]) -> tuple[set[ShardId], dict[ShardId, Share]]:
        """The same for who is soon gone: take nothing from those who stay, and all they leave."""
        async with self.pool.acquire() as db, db.transaction():
            kept = await self._renew(db, held)
            return held.keys() - kept, await self._take(db, kept, SLOTS * len(self.versions))

    async def leave(self) -> None:
        """Give over all there is, so that others need not wait until the leases are over. A turn
        that was broken off may still end on the server; it has our row of the runners until then.
        """
        async with self.pool.acquire() as db, db.transaction():
            await db.execute(
                "DELETE FROM ops.runner WHERE ledger = $1 AND runner = $2", self.ledger, self.runner
            )
            await db.execute(
                """
                WITH ours AS MATERIALIZED (
                    SELECT name, generation, shard FROM ops.shard
                    WHERE ledger = $1 AND owner = $2 ORDER BY name, shard FOR UPDATE
                )
                UPDATE ops.shard s
                SET owner = NULL, lease_until = '-infinity', fence = s.fence + 1
                FROM ours
                WHERE s.ledger = $1
                  AND (s.name, s.generation, s.shard) = (ours.name, ours.generation, ours.shard)
                """,
                *(self.ledger, self.runner),
            )

    async def _there(self, db: Connection) -> int:
        """How many processes share the work, with this one. Those that follow other versions are
        not counted on: they leave what they cannot follow."""
        await db.execute(
            """
            INSERT INTO ops.runner (ledger, runner, told, follows, seen_until)
            VALUES ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 second')
            ON CONFLICT (ledger, runner) DO UPDATE SET seen_until = EXCLUDED.seen_until
            """,
            *(self.ledger, self.runner, f"{socket.gethostname()}/{os.getpid()}", self._follows),
            LEASE_SECONDS,
        )
        await db.execute(
            "DELETE FROM ops.runner WHERE ledger = $1"
            " AND seen_until < clock_timestamp() - interval '1 minute'",
            self.ledger,
        )
        there: int = await db.fetchval(
            """
            SELECT count(*) FROM ops.runner
            WHERE ledger = $1 AND follows = $2
              AND (seen_until > clock_timestamp() OR runner = $3)
            """,
            *(self.ledger, self._follows, self.runner),
        )
        return there

    async def _shards(self, db: Connection) -> int:
        """How many there are that this process could follow."""
        count: int = await db.fetchval(
            f"SELECT count(*) FROM {OURS} WHERE s.ledger = $1", *self._ours()
        )
        return count

    async def _renew(self, db: Connection, held: Mapping[ShardId, int]) -> set[ShardId]:
        rows = await db.fetch(
            """
            WITH ours AS MATERIALIZED (
                SELECT name, generation, shard FROM ops.shard
                JOIN unnest($4::text[], $5::int[], $6::int[], $7::bigint[])
                    AS held (name, generation, shard, fence)
                USING (name, generation, shard, fence)
                WHERE ledger = $1 AND owner = $2 ORDER BY name, shard FOR UPDATE OF shard
            )
            UPDATE ops.shard s
            SET lease_until = clock_timestamp() + $3 * interval '1 second'
            FROM ours
            WHERE s.ledger = $1
              AND (s.name, s.generation, s.shard) = (ours.name, ours.generation, ours.shard)
            RETURNING s.name, s.generation, s.shard
            """,
            *(self.ledger, self.runner, LEASE_SECONDS),
            *([id[n] for id in held] for n in range(3)),
            [*held.values()],
        )
        return {(row["name"], row["generation"], row["shard"]) for row in rows}

    async def _release(self, db: Connection, ids: Sequence[ShardId]) -> None:
        await db.execute(
            """
            UPDATE ops.shard SET owner = NULL, lease_until = '-infinity', fence = fence + 1
            WHERE ledger = $1 AND owner = $2 AND (name, generation, shard) IN
                (SELECT * FROM unnest($3::text[], $4::int[], $5::int[]))
            """,
            *(self.ledger, self.runner),
            *([id[n] for id in ids] for n in range(3)),
        )

    async def _take(self, db: Connection, kept: set[ShardId], most: int) -> dict[ShardId, Share]:
        """Whatever nobody holds, and what is ours by name and yet not held here; at most so many,
        so what is free is found once, and not again for every shard there is."""
        rows = await db.fetch(
            f"""
            WITH free AS MATERIALIZED (
                SELECT s.name, s.generation, s.shard FROM {OURS}
                WHERE s.ledger = $1 AND (s.lease_until < clock_timestamp() OR s.owner = $4)
                  AND (s.name, s.generation, s.shard) NOT IN
                      (SELECT * FROM unnest($6::text[], $7::int[], $8::int[]))
                ORDER BY s.name, s.shard LIMIT greatest($9::int, 0) FOR UPDATE OF s SKIP LOCKED
            )
            UPDATE ops.shard s
            SET owner = $4, fence = s.fence + 1,
                lease_until = clock_timestamp() + $5 * interval '1 second'
            FROM free
            WHERE s.ledger = $1
              AND (s.name, s.generation, s.shard) = (free.name, free.generation, free.shard)
            RETURNING s.name, s.generation, s.shard, s.first_slot, s.last_slot, s.position, s.fence
            """,
            *(*self._ours(), self.runner, LEASE_SECONDS),
            *([id[n] for id in kept] for n in range(3)),
            most,
        )
        return {(name, *share[:2]): Share(*share) for name, *share in rows}

    def _ours(self) -> tuple[int, list[str], list[str]]:
        return self.ledger, [*self.versions], [*self.versions.values()]


OURS = """
    ops.shard s JOIN ops.generation g USING (ledger, name, generation)
    JOIN unnest($2::text[], $3::text[]) AS ours (name, version)
      ON g.state = 'serving' AND (g.name, g.version || ' ' || g.shape) = (ours.name, ours.version)
"""
