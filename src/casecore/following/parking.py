"""Events that could not be folded: what waits, and going on with it once it can be."""

from collections.abc import Container, Sequence
from datetime import datetime

import msgspec

from casecore.database import Connection, Pool
from casecore.following import generations
from casecore.following.follower import Follower
from casecore.following.projection import Projection, told
from casecore.following.rebuilding import upgrade
from casecore.ledger import Row
from casecore.recorder import COLUMNS, Recorder
from casecore.recording import Recorded, from_row

ROWS_MAX = 100
"""How many rows go on in one transaction, for whose end whoever follows has to wait."""


class ParkedRow(msgspec.Struct, frozen=True):
    """A row that waits, with everything that has happened about it since."""

    projection: str
    key: str
    """As JSON; a stream, where not even the row could be said."""
    position: int
    """Of the event that could not be folded."""
    events: int
    """How many wait, with that one."""
    error: str
    since: datetime


class Replayed(msgspec.Struct, frozen=True):
    """What became of the parked rows."""

    rows: int
    """How many go on."""
    events: int
    left: int
    """How many rows still cannot be made."""


async def parked(pool: Pool, ledger: int, names: Sequence[str]) -> list[ParkedRow]:
    """What waits of these read models, the longest first."""
    rows = await pool.fetch(
        """
        SELECT name, key, min(position), count(DISTINCT position),
               (array_agg(error ORDER BY position))[1], min(parked_at)
        FROM ops.parked JOIN ops.generation USING (ledger, name, generation)
        WHERE ledger = $1 AND name = ANY ($2) AND state = 'serving'
        GROUP BY name, key ORDER BY min(parked_at), name, key
        """,
        *(ledger, names),
    )
    return [ParkedRow(*row) for row in rows]


async def replay_parked(pool: Pool, recorder: Recorder, projection: Projection) -> Replayed:
    """Fold what waits, in order, row by row; what still cannot be folded goes on waiting. Where an
    older version serves, all is folded by this one first."""
    await upgrade(pool, projection)
    of = await generations.ensure(pool, recorder.id, projection, shards=1)
    gone_on: set[tuple[str, int]] = set()
    left: set[str] = set()
    for share in await generations.shares(pool, of):
        follower = Follower(pool, recorder, projection, of, share)
        last = 0, ""
        while keys := await waiting_after(pool, follower, *last):
            last = keys[-1]
            async with pool.acquire() as db, db.transaction():
                await take(db, follower)
                await follower.begin()
                waiting = await waiting_in(db, follower, [key for _, key in keys])
                for key, events in waiting.items():
                    if await went_on(db, follower, key, events, left):
                        gone_on |= {(key, recorded.position) for recorded in events}
                    else:
                        left.add(key)
    return Replayed(len({key for key, _ in gone_on} - left), len(gone_on), len(left))


async def waiting_after(
    pool: Pool, follower: Follower, position: int, key: str
) -> list[tuple[int, str]]:
    """Some rows that are parked, in the order in which they began to wait, and since when."""
    rows = await pool.fetch(
        f"""
        SELECT min(position) AS since, key FROM ops.parked
        WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4
        GROUP BY key HAVING (min(position), key) > ($5, $6)
        ORDER BY since, key LIMIT {ROWS_MAX}
        """,
        *(*follower.id, position, key),
    )
    return [(row["since"], row["key"]) for row in rows]


async def take(db: Connection, follower: Follower) -> None:
    """Whoever follows the shard finds that it was taken, and then knows what is parked no more."""
    await db.execute(
        """
        UPDATE ops.shard SET fence = fence + 1
        WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4
        """,
        *follower.id,
    )


async def waiting_in(
    db: Connection, follower: Follower, keys: Sequence[str]
) -> dict[str, list[Recorded]]:
    """The events that wait, in order, of each of these rows, in the order of the rows."""
    rows = await db.fetch(
        f"""
        SELECT key, {COLUMNS} FROM (
            SELECT ledger, key, position FROM ops.parked
            WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4 AND key = ANY ($5)
        ) AS parked JOIN es.event USING (ledger, position) ORDER BY position
        """,
        *(*follower.id, keys),
    )
    found: dict[str, list[Recorded]] = {key: [] for key in keys}
    for key, *columns in rows:
        found[key].append(from_row(follower.recorder.ledger, Row(*columns)))
    return found


async def went_on(
    db: Connection,
    follower: Follower,
    parked: str,
    waiting: Sequence[Recorded],
    left: Container[str],
) -> bool:
    """Whether all that waits about a row could be folded and written; if not, why is noted. Of a
    stream, each shard has what is about its own rows, and what came before it must have gone on."""
    keys, whole = follower.projection.keys, parked.startswith("stream ")
    try:
        touched = [
            (key, recorded)
            for recorded in waiting
            for key in keys(recorded)
            if (whole and follower.share.has(key)) or told(key) == parked
        ]
    except Exception as error:
        await note(db, follower, parked, f"{error!r}")
        return False
    if before := [told(key) for key, _ in touched if told(key) in left and told(key) != parked]:
        await note(db, follower, parked, f"waits for {before[0]}")
        return False
    failure = await follower.fold_now(db, touched)
    if failure is None:
        await db.execute(
            """
            DELETE FROM ops.parked
            WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4 AND key = $5
            """,
            *follower.id,
            parked,
        )
        return True
    await note(db, follower, parked, failure)
    return False


async def note(db: Connection, follower: Follower, key: str, error: str) -> None:
    await db.execute(
        """
        UPDATE ops.parked p SET error = $6
        WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4 AND key = $5
          AND position = (
              SELECT min(position) FROM ops.parked f
              WHERE (f.ledger, f.name, f.generation, f.shard, f.key)
                  = (p.ledger, p.name, p.generation, p.shard, p.key)
          )
        """,
        *follower.id,
        key,
        error,
    )
