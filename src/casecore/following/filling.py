"""Fills the tables of a generation from the ledger, up to a position, as fast as can be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from casecore.database import Pool
from casecore.following.follower import REFUSED, Follower, Parked, failed, stream_of
from casecore.following.generations import Generation, Share, shares
from casecore.following.projection import Projection, slot_of, told, types_read
from casecore.ledger import Row
from casecore.recorder import COLUMNS, Recorder
from casecore.recording import Recorded, from_row
from casecore.tables import Key, Part

CHUNK = 5_000
"""How many events to read at a time."""
COPY_ROWS = 5_000
"""How many rows to write at a time."""
FILL_SECONDS_MAX = 24 * 3600.0
"""How long a statement may take that looks at all rows, or makes an index over them."""

NOBODY = UUID(int=0)

Said = Callable[[int, int], None]
"""Told how many events are done, of how many."""


async def fill(
    pool: Pool,
    recorder: Recorder,
    projection: Projection,
    of: Generation,
    upto: int,
    said: Said = lambda done, total: None,
) -> None:
    """Make its tables, with what the ledger had come to by the position, and their indexes."""
    parts = of.parts(projection)
    async with pool.acquire() as db, db.transaction():
        for part in parts:
            await part.make(db)
    if projection.BY_STREAM:
        with suppress(*REFUSED):
            parked = await _stream_by_stream(pool, recorder, projection, parts[0], upto, said)
            await _index(pool, parts)
            await _stand_at(pool, of, upto, parked)
            return
        # Which rows it is that the database refuses, whoever follows finds out.
        async with pool.acquire() as db:
            await parts[0].empty(db)
    await _index(pool, parts)
    await follow_up(pool, recorder, projection, of, upto, said)


async def follow_up(
    pool: Pool,
    recorder: Recorder,
    projection: Projection,
    of: Generation,
    upto: int,
    said: Said = lambda done, total: None,
) -> list[Follower]:
    """Bring it on in the order of the ledger, as whoever follows does."""
    followers = [
        Follower(pool, recorder, projection, of, share) for share in await shares(pool, of)
    ]
    for follower in followers:
        await follower.begin()
    await bring(followers, upto, said)
    return followers


async def bring(
    followers: Sequence[Follower], upto: int, said: Said = lambda done, total: None
) -> None:
    recorder, projection = followers[0].recorder, followers[0].projection
    after = min(follower.position for follower in followers)
    async for rows, position in _ahead(recorder, types_read(projection), after, upto):
        news = [from_row(recorder.ledger, row) for row in rows]
        for follower in followers:
            if not await follower.apply(news, position):
                raise RuntimeError(f"somebody else moves generation {follower.share.generation}")
        said(position, upto)


async def _ahead(
    recorder: Recorder, types: Sequence[str], after: int, upto: int
) -> AsyncIterator[tuple[list[Row], int]]:
    """Some events at a time, and where they end; the next ones are read meanwhile."""
    reading: asyncio.Task[list[Row]] | None = None
    try:
        while after < upto:
            rows = await (reading or recorder.read(after, CHUNK, upto, types))
            after = rows[-1].position if len(rows) == CHUNK else upto
            if after < upto:
                reading = asyncio.create_task(recorder.read(after, CHUNK, upto, types))
                await asyncio.sleep(0)
            yield rows, after
    finally:
        if reading is not None:
            reading.cancel()


async def _stream_by_stream(
    pool: Pool,
    recorder: Recorder,
    projection: Projection,
    part: Part,
    upto: int,
    said: Said,
) -> list[Parked]:
    """Make each stream's rows at once, and write each a single time. However long the ledger is,
    there is one stream in memory, and some rows on their way."""
    keys, fold = projection.keys, projection.fold
    types = types_read(projection)
    parked: list[Parked] = []
    rows: dict[Key, Any] = {}
    stuck: set[str] = set()
    made: list[Any] = []
    stream, version, done = NOBODY, 0, 0
    ahead = asyncio.create_task(_chunk(recorder, types, upto, stream, version))
    writing: asyncio.Task[None] | None = None
    try:
        while chunk := await ahead:
            ahead = asyncio.create_task(
                _chunk(recorder, types, upto, chunk[-1].stream_id, chunk[-1].version)
            )
            await asyncio.sleep(0)  # So that it is asked for while these are folded.
            for row in chunk:
                recorded = from_row(recorder.ledger, row)
                if recorded.stream_id != stream:
                    made += [one for one in rows.values() if one is not None]
                    rows, stuck, stream = {}, set(), recorded.stream_id
                _fold(keys, fold, rows, stuck, recorded, parked)
            if len(made) >= COPY_ROWS:
                if writing is not None:
                    await writing
                writing = asyncio.create_task(_copy(pool, part, made))
                made = []
            done += len(chunk)
            said(min(done, upto), upto)
        made += [one for one in rows.values() if one is not None]
        if writing is not None:
            await writing
        await _copy(pool, part, made)
    finally:
        begun = [ahead, writing] if writing is not None else [ahead]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
    said(upto, upto)
    return parked


def _fold(
    keys: Callable[[Recorded], Any],
    fold: Callable[..., Any],
    rows: dict[Key, Any],
    stuck: set[str],
    recorded: Recorded,
    parked: list[Parked],
) -> None:
    """As a follower does: what cannot be folded waits, with what comes after it."""
    try:
        touched = keys(recorded)
    except Exception as error:
        name = stream_of(recorded)
        parked.append(Parked(name, recorded.position, failed(recorded, error)))
        stuck.add(name)
        return
    for key in touched:
        if stuck and (
            waits := [name for name in (stream_of(recorded), told(key)) if name in stuck]
        ):
            parked.append(Parked(waits[0], recorded.position, "waits for those before it"))
            continue
        try:
            rows[key] = fold(key, rows.get(key), recorded)
        except Exception as error:
            stuck.add(told(key))
            parked.append(Parked(told(key), recorded.position, failed(recorded, error)))


async def _chunk(
    recorder: Recorder, types: Sequence[str], upto: int, stream: UUID, version: int
) -> list[Row]:
    rows = await recorder.pool.fetch(
        f"""
        SELECT {COLUMNS} FROM es.event
        WHERE ledger = $1 AND (stream_id, version) > ($2, $3)
          AND position <= $4 AND type = ANY ($5)
        ORDER BY stream_id, version LIMIT {CHUNK}
        """,
        *(recorder.id, stream, version, upto, types),
    )
    return [Row(*row) for row in rows]


async def _copy(pool: Pool, part: Part, rows: Sequence[Any]) -> None:
    async with pool.acquire() as db:
        await part.copy(db, rows)


async def _index(pool: Pool, parts: Sequence[Part]) -> None:
    async with pool.acquire() as db:
        for part in parts:
            await part.index(db, FILL_SECONDS_MAX)


async def _stand_at(pool: Pool, of: Generation, position: int, parked: Sequence[Parked]) -> None:
    async with pool.acquire() as db, db.transaction():
        await db.execute(
            """
            UPDATE ops.shard SET position = $4, updated_at = clock_timestamp()
            WHERE ledger = $1 AND name = $2 AND generation = $3
            """,
            *of[:3],
            position,
        )
        of_share = await shares(db, of)
        await db.executemany(
            """
            INSERT INTO ops.parked (ledger, name, generation, shard, key, position, error)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            [(*of[:3], shard_of(one, of_share), *one) for one in parked],
        )


def shard_of(parked: Parked, of: Sequence[Share]) -> int:
    """Whose rows it is about. Its key begins with the id of its stream, if nothing else."""
    first = parked.key.removeprefix("stream ").strip('["').partition('"')[0]
    slot = slot_of((UUID(first),))
    return next(share.shard for share in of if share.first_slot <= slot <= share.last_slot)
