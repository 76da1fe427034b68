"""Reads the ledger: a stream's history, and the one order of everything."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from casecore.database import Connection, Pool
from casecore.ledger import Appended, Row, key_reused

COLUMNS = "position, stream_id, version, type, recorded_at, command_id, meta, data, data_hash, head"


Head = tuple[int, bytes]
"""Where a stream stands: its version, and the hash that pins it."""


async def heads(db: Pool | Connection, ledger: int, stream_ids: Sequence[UUID]) -> dict[UUID, Head]:
    """Where each of these streams stands that has begun."""
    rows = await db.fetch(
        """
        SELECT stream_id, version, head
        FROM unnest($2::uuid[]) AS asked (stream_id) CROSS JOIN LATERAL (
            SELECT version, head FROM es.event e
            WHERE e.ledger = $1 AND e.stream_id = asked.stream_id
            ORDER BY version DESC LIMIT 1
        ) AS last
        """,
        *(ledger, stream_ids),
    )
    return {row["stream_id"]: (row["version"], row["head"]) for row in rows}


class Recorder:
    def __init__(self, pool: Pool, id: int, ledger: str) -> None:
        self.pool = pool
        self.id = id
        self.ledger = ledger

    async def history(
        self,
        stream_id: UUID,
        after: int = 0,
        *,
        upto: int | None = None,
        upto_position: int | None = None,
        recorded_by: datetime | None = None,
    ) -> list[Row]:
        rows = await self.pool.fetch(
            f"""
            SELECT {COLUMNS} FROM es.event
            WHERE ledger = $1 AND stream_id = $2 AND version > $3
              AND ($4::int IS NULL OR version <= $4)
              AND ($5::bigint IS NULL OR position <= $5)
              AND ($6::timestamptz IS NULL OR recorded_at <= $6)
            ORDER BY version
            """,
            *(self.id, stream_id, after, upto, upto_position, recorded_by),
        )
        return [Row(*row) for row in rows]

    async def read(
        self,
        after: int,
        limit: int,
        upto: int | None = None,
        types: Sequence[str] | None = None,
    ) -> list[Row]:
        """What follows the position, in order; with `types`, only events of these."""
        rows = await self.pool.fetch(
            f"""
            SELECT {COLUMNS} FROM es.event
            WHERE ledger = $1 AND position > $2 AND position <= coalesce($4, position)
              AND ($5::text[] IS NULL OR type = ANY ($5))
            ORDER BY position LIMIT $3
            """,
            *(self.id, after, limit, upto, types),
        )
        return [Row(*row) for row in rows]

    async def first_answer(self, command_id: UUID, fingerprint: bytes) -> Appended | None:
        row: Any = await self.pool.fetchrow(
            """
            SELECT version, position, written, recorded_at, fingerprint
            FROM es.command WHERE ledger = $1 AND command_id = $2
            """,
            *(self.id, command_id),
        )
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise key_reused()
        version, position, written, recorded_at, _ = row
        return Appended(version, position, written, recorded_at, duplicate=True)

    async def heads(self, stream_ids: Sequence[UUID]) -> dict[UUID, Head]:
        return await heads(self.pool, self.id, stream_ids)

    async def head(self) -> int:
        """The last position of the ledger."""
        position: int = await self.pool.fetchval(
            "SELECT last_position FROM es.ledger WHERE ledger = $1", self.id
        )
        return position

    async def position_at(self, at: datetime) -> int:
        """The last position that was recorded by then. Times never go back from one position to
        the next, so it is found by halves."""
        least, most = 0, await self.head()
        while least < most:
            middle = (least + most + 1) // 2
            if await self.recorded_at(middle) <= at:
                least = middle
            else:
                most = middle - 1
        return least

    async def recorded_at(self, position: int) -> datetime:
        at: datetime = await self.pool.fetchval(
            "SELECT recorded_at FROM es.event WHERE ledger = $1 AND position = $2",
            *(self.id, position),
        )
        return at
