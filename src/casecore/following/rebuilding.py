"""Makes a read model anew beside the one that serves, compares the two, and lets it serve."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg

from casecore.database import Connection, Pool
from casecore.errors import Conflict, NotFound, Unavailable
from casecore.following import generations
from casecore.following.filling import FILL_SECONDS_MAX, Said, bring, fill, follow_up
from casecore.following.follower import Follower
from casecore.following.generations import Generation
from casecore.following.projection import Projection, shapes
from casecore.recorder import Recorder

CLOSE_ENOUGH = 2_000
"""From how many events on the rest is left to the switch."""
SWITCH_LOCK_MILLISECONDS = 250
SWITCH_ATTEMPTS_MAX = 40
COMPARE_ATTEMPTS_MAX = 50
WAIT_SECONDS = 0.1

# PostgreSQL's advisory locks are numbers: this is held while a read model is made anew.
REBUILDING = 0x4EB0


class Rebuilt(NamedTuple):
    events: int
    rows: int
    seconds: float
    generation: int
    rows_before: int
    same: bool | None
    """Whether all rows came out as they were; unknown when they never stood still."""
    parked: int


class Beside(NamedTuple):
    """A generation that is about to take another's place."""

    old: Generation
    new: Generation
    followers: Sequence[Follower]


async def rebuild(
    pool: Pool,
    recorder: Recorder,
    projection: Projection,
    *,
    anyway: bool = False,
    said: Said = lambda done, total: None,
) -> Rebuilt:
    """From the whole ledger; the old rows serve meanwhile, and are kept for one to go back to.

    When more rows are parked than before, it is not let serve, unless `anyway`.
    """
    begun = time.monotonic()
    await upgrade(pool, projection)
    async with alone(pool, projection.NAME):
        old = await generations.ensure(pool, recorder.id, projection, shards=1)
        beside = await build(pool, recorder, projection, old, said)
        new = beside.new
        before, after, same = await compare(pool, projection, beside)
        parked = await parked_in(pool, new)
        if parked > await parked_in(pool, old) and not anyway:
            await discard(pool, projection, [new])
            raise Conflict(
                "rebuild-parked",
                f"{parked} rows of the new {projection.NAME} cannot be made, which is more than"
                " before: it does not serve; `projections parked` tells of the old ones, and"
                " --anyway switches all the same",
            )
        await switch(pool, projection, [beside])
    seconds = time.monotonic() - begun
    events = beside.followers[0].position
    return Rebuilt(events, after, seconds, new.number, before, same, parked)


async def upgrade(pool: Pool, projection: Projection) -> None:
    """Make anew, in every ledger, what an older version of this projection made."""
    if not await generations.older(pool, projection):
        return
    async with alone(pool, projection.NAME, waiting=True):
        built: list[Beside] = []
        switched = False
        while not switched:
            built += [
                await build(pool, Recorder(pool, old.ledger, ledger), projection, old)
                for old, ledger in await generations.older(pool, projection)
                if all(old != beside.old for beside in built)
            ]
            switched = await switch(pool, projection, built)


async def rollback(pool: Pool, recorder: Recorder, projection: Projection) -> Rebuilt:
    """Let the rows serve again that did before the last rebuild, once they have caught up."""
    begun = time.monotonic()
    async with alone(pool, projection.NAME):
        old = await generations.ensure(pool, recorder.id, projection, shards=1)
        kept = await generations.in_state(pool, recorder.id, projection.NAME, "kept")
        if kept is None:
            raise NotFound(
                "nothing-kept",
                f"there is no older generation of {projection.NAME} to go back to: the one that"
                " serves is the first, or the older one was dropped",
            )
        if kept[3:] != generations.current(*old[:1], projection, 0)[3:]:
            raise Conflict(
                "kept-by-other-version",
                f"generation {kept.number} of {projection.NAME} was made by version {kept.version}"
                f" of its fold, and this casecore has version {projection.VERSION}: run that other"
                " one to go back",
            )
        head = await recorder.head()
        followers = await follow_up(pool, recorder, projection, kept, head)
        beside = Beside(old, kept, followers)
        before, after, same = await compare(pool, projection, beside)
        await switch(pool, projection, [beside])
    parked = await parked_in(pool, kept)
    seconds = time.monotonic() - begun
    return Rebuilt(followers[0].position, after, seconds, kept.number, before, same, parked)


async def build(
    pool: Pool,
    recorder: Recorder,
    projection: Projection,
    old: Generation,
    said: Said = lambda done, total: None,
) -> Beside:
    """The next generation, filled until little is missing; what was kept or begun before goes."""
    count = len(await generations.shares(pool, old))
    async with pool.acquire() as db, db.transaction():
        for state in ("building", "kept"):
            while left := await generations.in_state(db, old.ledger, old.name, state):
                await generations.drop(db, projection, [left])
        new = await generations.begin(db, old.ledger, projection, "building", count)
    await fill(pool, recorder, projection, new, await recorder.head(), said)
    followers = await follow_up(pool, recorder, projection, new, await recorder.head(), said)
    while (head := await recorder.head()) - followers[0].position > CLOSE_ENOUGH:
        await bring(followers, head, said)
    return Beside(old, new, followers)


async def compare(
    pool: Pool, projection: Projection, beside: Beside
) -> tuple[int, int, bool | None]:
    """How many rows there were, how many there are, and whether they are the same, at a moment
    when all of the old ones stand at one position. Nobody has to wait meanwhile."""
    old, new, followers = beside
    async with pool.acquire() as db:
        for _ in range(COMPARE_ATTEMPTS_MAX):
            async with db.transaction(isolation="repeatable_read", readonly=True):
                places = {share.position for share in await generations.shares(db, old)}
                position = max(places)
                if len(places) == 1 and followers[0].position <= position:
                    await bring(followers, position)
                    before = [await digest(db, old, projection)]
                    async with pool.acquire() as other:
                        after = [await digest(other, new, projection)]
                    return before[0][0][0], after[0][0][0], before == after
            await bring(followers, await followers[0].recorder.head())
            await asyncio.sleep(WAIT_SECONDS)
        return await count(db, old, projection), await count(db, new, projection), None


async def digest(db: Connection, of: Generation, projection: Projection) -> list[tuple[int, str]]:
    return [await part.digest(db, FILL_SECONDS_MAX) for part in of.parts(projection)]


async def count(db: Connection, of: Generation, projection: Projection) -> int:
    return await of.parts(projection)[0].count(db)


async def parked_in(pool: Pool, of: Generation) -> int:
    """How many rows of it wait."""
    parked: int = await pool.fetchval(
        """
        SELECT count(DISTINCT key) FROM ops.parked
        WHERE ledger = $1 AND name = $2 AND generation = $3
        """,
        *of[:3],
    )
    return parked


async def discard(pool: Pool, projection: Projection, of: Sequence[Generation]) -> None:
    async with pool.acquire() as db, db.transaction():
        await generations.drop(db, projection, of)


async def switch(pool: Pool, projection: Projection, all_of: Sequence[Beside]) -> bool:
    """Let the new rows serve, once they have come as far as those that do: readers never go back.
    False when an older process has meanwhile begun others that would have to go with them.

    A reader that takes long is not waited for with the lock at hand, which would keep all others.
    """
    shape, olds = generations.shape_of(projection), [beside.old for beside in all_of]
    for _ in range(SWITCH_ATTEMPTS_MAX):
        try:
            async with pool.acquire() as db, db.transaction():
                await db.execute(f"SET LOCAL lock_timeout = {SWITCH_LOCK_MILLISECONDS}")
                await db.execute("SELECT pg_advisory_xact_lock($1)", generations.MAKING)
                stale = [old for old, _ in await generations.older(db, projection)]
                if any(old.shape != shape and old not in olds for old in stale):
                    return False
                for old, _, followers in all_of:
                    await bring(followers, await stopped_at(db, old))
                await exchange(db, projection, all_of)
                return True
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(SWITCH_LOCK_MILLISECONDS / 1000)
    raise Unavailable(
        "rebuild-not-switched",
        f"{projection.NAME} was read without a pause, so the new rows could not be put in its"
        " place: try again when there is less to do",
    )


async def stopped_at(db: Connection, old: Generation) -> int:
    """How far it has come; it does not move until this transaction ends."""
    rows = await db.fetch(
        """
        SELECT position FROM ops.shard
        WHERE ledger = $1 AND name = $2 AND generation = $3 ORDER BY shard FOR UPDATE
        """,
        *old[:3],
    )
    positions: list[int] = [row["position"] for row in rows]
    return max(positions)


async def exchange(db: Connection, projection: Projection, all_of: Sequence[Beside]) -> None:
    for old, _, _ in all_of:
        for part in old.parts(projection):
            await part.detach(db)
    if any(old.shape != new.shape for old, new, _ in all_of):
        for shape in shapes(projection):
            await shape.drop(db)
            await shape.make(db)
    for old, new, _ in all_of:
        for part in new.parts(projection):
            await part.attach(db)
        await generations.keep(db, old)
        await generations.serve(db, new)
    await generations.let_go(db, *(of for pair in all_of for of in pair[:2]))


@asynccontextmanager
async def alone(pool: Pool, name: str, *, waiting: bool = False) -> AsyncIterator[None]:
    """While this lasts, nobody else makes this read model anew, in whichever process."""
    lock = f"{REBUILDING}/{name}"
    while True:
        async with pool.acquire() as db:
            if await db.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", lock):
                try:
                    yield
                finally:
                    await db.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", lock)
                return
        if not waiting:
            raise Conflict("rebuild-running", f"{name} is being rebuilt already")
        await asyncio.sleep(WAIT_SECONDS)  # Without a connection, which others need.
