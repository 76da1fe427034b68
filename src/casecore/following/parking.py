"""Events that could not be folded: what waits, and going on with it once it can be."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from casecore.database import Connection, Pool
from casecore.following import generations
from casecore.following.follower import Follower
from casecore.following.generations import Generation, Share
from casecore.following.projection import Projection, told
from casecore.ledger import Row
from casecore.recorder import COLUMNS, Recorder
from casecore.recording import Recorded, from_row


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
    """Fold what waits, in order, row by row; what still cannot be folded goes on waiting."""
    of = await generations.ensure(pool, recorder.id, projection, shards=1)
    gone_on: set[tuple[str, int]] = set()
    left: set[str] = set()
    for share in await generations.shares(pool, of):
        async with pool.acquire() as db, db.transaction():
            follower = Follower(pool, recorder, projection, of, await take(db, of, share))
            await follower.begin()
            for key, waiting in (await waiting_in(db, of, share, recorder)).items():
                if await went_on(db, follower, key, waiting):
                    gone_on |= {(key, recorded.position) for recorded in waiting}
                else:
                    left.add(key)
    return Replayed(len({key for key, _ in gone_on} - left), len(gone_on), len(left))


async def take(db: Connection, of: Generation, share: Share) -> Share:
    """Whoever follows it finds that it was taken, and then knows what is parked no more."""
    row = await db.fetchrow(
        """
        UPDATE ops.shard SET fence = fence + 1
        WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4
        RETURNING position, fence
        """,
        *of[:3],
        share.shard,
    )
    assert row is not None
    return share._replace(position=row["position"], fence=row["fence"])


async def waiting_in(
    db: Connection, of: Generation, share: Share, recorder: Recorder
) -> dict[str, list[Recorded]]:
    """The events that wait, in order, of each parked row."""
    rows = await db.fetch(
        f"""
        SELECT key, {COLUMNS} FROM (
            SELECT ledger, key, position FROM ops.parked
            WHERE ledger = $1 AND name = $2 AND generation = $3 AND shard = $4
        ) AS parked JOIN es.event USING (ledger, position) ORDER BY position
        """,
        *of[:3],
        share.shard,
    )
    found: dict[str, list[Recorded]] = {}
    for key, *columns in rows:
        found.setdefault(key, []).append(from_row(recorder.ledger, Row(*columns)))
    return found


async def went_on(
    db: Connection, follower: Follower, parked: str, waiting: Sequence[Recorded]
) -> bool:
    """Whether all that waits about a row could be folded and written; if not, why is noted. Of a
    stream, each shard has what is about its own rows."""
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
