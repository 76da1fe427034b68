"""How far read models have come, as the database has it, whichever processes follow."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from casecore.database import Pool

LAGGING_SECONDS = 10.0
"""From when on a read model counts as lagging."""

Standing = Literal["stopped", "parked", "lagging", "ok"]
"""The gravest first: what does not go on at all, what waits for somebody, what is late."""


class Progress(msgspec.Struct, frozen=True):
    """How far a read model has come, and what keeps it."""

    name: str
    position: int
    head: int
    lag: int
    """In events."""
    lag_seconds: float
    """How long ago the first event was recorded that it has not seen."""
    lagging: bool
    """Whether that is longer than it should be."""
    error: str | None
    """Why it does not go on at all."""
    parked: int
    """How many of its rows wait for somebody to put them right."""
    parked_seconds: float
    """How long the longest has waited."""
    generation: int
    """How often it was made from the ledger; 0 when nobody has begun."""
    version: int
    """Of its fold."""
    building: int | None
    """How far the generation has come that is being made beside it."""
    shards: int
    runners: int
    """How many processes follow it."""

    @property
    def standing(self) -> Standing:
        if self.error is not None:
            return "stopped"
        if self.parked:
            return "parked"
        return "lagging" if self.lagging else "ok"


async def progress(
    pool: Pool, names: Sequence[str], ledger: int | None = None
) -> list[tuple[str, Progress]]:
    """Of the read models of these names, each with its ledger; without one, in all there are."""
    rows = await pool.fetch(
        """
        SELECT l.name AS ledger, n.name, s.position, l.last_position AS head,
               l.last_position - s.position AS lag, late.seconds AS lag_seconds,
               late.seconds > $3 AS lagging, s.error, coalesce(p.parked, 0) AS parked,
               coalesce(extract(epoch FROM clock_timestamp() - p.since), 0)::float8
                   AS parked_seconds,
               coalesce(g.generation, 0), coalesce(g.version, 0), b.position AS building,
               s.shards, s.runners
        FROM es.ledger l
        CROSS JOIN unnest($2::text[]) AS n (name)
        LEFT JOIN ops.generation g
            ON g.ledger = l.ledger AND g.name = n.name AND g.state = 'serving'
        CROSS JOIN LATERAL (
            SELECT coalesce(min(position), 0) AS position, max(error) AS error, count(*) AS shards,
                   count(DISTINCT owner) FILTER (WHERE lease_until > clock_timestamp())
                       AS runners
            FROM ops.shard
            WHERE ledger = g.ledger AND name = g.name AND generation = g.generation
        ) AS s
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT key) AS parked, min(parked_at) AS since FROM ops.parked
            WHERE ledger = g.ledger AND name = g.name AND generation = g.generation
        ) AS p ON true
        LEFT JOIN LATERAL (
            SELECT min(position) AS position FROM ops.shard
            JOIN ops.generation o USING (ledger, name, generation)
            WHERE o.ledger = l.ledger AND o.name = n.name AND o.state = 'building'
        ) AS b ON true
        LEFT JOIN es.event e ON e.ledger = l.ledger AND e.position = s.position + 1
        CROSS JOIN LATERAL (
            SELECT coalesce(extract(epoch FROM clock_timestamp() - e.recorded_at), 0)::float8
                AS seconds
        ) AS late
        WHERE l.ledger = $1 OR $1 IS NULL
        ORDER BY l.name, n.name
        """,
        *(ledger, names, LAGGING_SECONDS),
    )
    return [(ledger, Progress(*columns)) for ledger, *columns in rows]
