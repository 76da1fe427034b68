"""Leases: processes share the shards fairly, and one that has lost its own writes nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from casecore.core import Core
from casecore.database import Pool
from casecore.following import feed as feeding
from casecore.following import follower as following
from casecore.following import generations, leases
from casecore.following.feed import Feed, read
from casecore.following.follower import Follower, move
from casecore.following.leases import Leases
from casecore.following.projection import Projection
from casecore.following.rebuilding import rebuild, rollback
from casecore.recorder import Recorder
from tests.casecore.test_following import (
    SOON,
    checkpoint,
    new_case,
    noted,
    projection,
    tallies,
)

SHARDS = 4
THREE = [projection("tally"), projection("another"), projection("third")]


@asynccontextmanager
async def follows(
    recorder: Recorder, *projections: Projection, shards: int = SHARDS
) -> AsyncIterator[Feed]:
    feed = Feed(recorder.pool, recorder, projections, shards=shards)
    try:
        await feed.start()
        yield feed
    finally:
        await feed.close()


async def die(feed: Feed) -> None:
    """As a process that is killed does: it tells nobody."""
    tasks = [*feed._tasks, *feed._behind.values()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def owners(pool: Pool) -> Counter[UUID | None]:
    """How many shards each process holds, and nobody."""
    rows = await pool.fetch(
        """
        SELECT CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner
        FROM ops.shard JOIN ops.generation USING (ledger, name, generation)
        WHERE state = 'serving'
        """
    )
    return Counter(row["owner"] for row in rows)


def id_of(feed: Feed) -> UUID:
    return feed._leases.runner


async def shared(pool: Pool, among: dict[Feed, int]) -> None:
    """Wait until each of them holds so many, and nobody anything else."""
    wanted = {id_of(feed): count for feed, count in among.items() if count}
    for _ in range(1000):
        if await owners(pool) == wanted:
            return
        await asyncio.sleep(SOON / 1000)
    raise TimeoutError(await owners(pool), wanted)


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (leases, following):
        monkeypatch.setattr(module, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(feeding, "TURN_SECONDS", 0.2)


def test_others_go_on_within_six_seconds_of_a_kill() -> None:
    assert following.STATEMENT_SECONDS_MAX < following.LEASE_SECONDS
    assert following.LEASE_SECONDS + feeding.TURN_SECONDS + feeding.POLL_SECONDS < 6 - 0.5
    assert feeding.TURN_SECONDS * 2 < following.LEASE_SECONDS  # One turn may be missed.


@pytest.mark.usefixtures("short_leases")
async def test_processes_share_the_shards_fairly_and_give_them_over_when_they_close(
    core: Core, pool: Pool
) -> None:
    async with follows(core.recorder, *THREE) as one:
        await shared(pool, {one: 12})
        async with follows(core.recorder, *THREE) as two:
            await shared(pool, {one: 6, two: 6})
            async with follows(core.recorder, *THREE) as three:
                await shared(pool, {one: 4, two: 4, three: 4})
                case_id = await new_case(core)
                position = await noted(core, case_id, "one", "two")
                for feed in (one, two, three):
                    assert await feed.reached(position, SOON) == position
            assert id_of(three) not in await owners(pool)
            await shared(pool, {one: 6, two: 6})
        await shared(pool, {one: 12})
        position = await noted(core, case_id, "three")
        assert await one.reached(position, SOON) == position
    assert await owners(pool) == {None: 12}
    for each in THREE:
        assert await tallies(pool, each.NAME) == {case_id: (3, "three")}


async def test_one_that_closes_gives_over_what_it_has_lost_sight_of(core: Core, pool: Pool) -> None:
    async with follows(core.recorder, *THREE) as feed:
        feed._lose(next(iter(feed._followers.values())))
    assert await owners(pool) == {None: 12}


@pytest.mark.usefixtures("short_leases")
async def test_what_a_dead_process_held_is_taken_once_its_lease_is_over_and_not_before(
    core: Core, pool: Pool
) -> None:
    async with follows(core.recorder, *THREE) as one, follows(core.recorder, *THREE) as two:
        await shared(pool, {one: 6, two: 6})
        await die(one)
        over: float = await pool.fetchval(
            """
            SELECT extract(epoch FROM max(lease_until) - clock_timestamp())::float8
            FROM ops.shard WHERE owner = $1
            """,
            id_of(one),
        )
        assert 0 < over <= 1
        begun = time.monotonic()
        await shared(pool, {two: 12})
        assert time.monotonic() - begun >= over - 0.05
        position = await noted(core, await new_case(core), "one")
        assert await two.reached(position, SOON) == position


async def test_the_clock_of_the_database_counts_and_not_that_of_a_process(
    core: Core, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = [projection()]
    await generations.ensure(pool, core.recorder.id, of[0], SHARDS)
    now = time.time
    for hours in (-1, 1):
        monkeypatch.setattr(time, "time", lambda hours=hours: now() + 3600 * hours)
        holder, other = (Leases(pool, core.recorder.id, of) for _ in range(2))
        _, taken = await holder.turn({})
        assert len(taken) == SHARDS
        held = {id: share.fence for id, share in taken.items()}
        assert await pool.fetchval(
            """
            SELECT bool_and(lease_until - clock_timestamp() BETWEEN interval '0' AND $1)
            FROM ops.shard
            """,
            timedelta(seconds=following.LEASE_SECONDS),
        )
        monkeypatch.setattr(time, "time", lambda hours=hours: now() - 3600 * hours)
        assert await other.visit({}) == (set(), {})
        assert await holder.turn(held) == (set(), {})
        await holder.leave()


async def taken(core: Core, of: Projection, by: Leases) -> Follower:
    """The one shard of a read model, in the hands of a process."""
    [share] = (await by.turn({}))[1].values()
    number = generations.current(core.recorder.id, of, share.generation)
    follower = Follower(core.recorder.pool, core.recorder, of, number, share)
    await follower.begin()
    return follower


async def lapse(pool: Pool) -> None:
    await pool.execute("UPDATE ops.shard SET lease_until = clock_timestamp() - interval '1 second'")


async def everything(pool: Pool) -> list[tuple[Any, ...]]:
    """All that a follower could write."""
    return [
        *await pool.fetch("SELECT position, fence, owner, lease_until, error FROM ops.shard"),
        *await pool.fetch("SELECT * FROM ops.tally ORDER BY 1, 2"),
        *await pool.fetch("SELECT * FROM ops.parked ORDER BY 1, 2, 3, 4, 5"),
    ]


@pytest.mark.parametrize("moved", [False, True], ids=["left-where-it-was", "moved-on"])
@pytest.mark.parametrize("texts", [("two",), ("bad",), ("forget",), ()])
async def test_a_zombie_writes_nothing(
    core: Core, pool: Pool, moved: bool, texts: Sequence[str]
) -> None:
    def sulking(key: Any, row: Any, recorded: Any) -> Any:
        if getattr(recorded.event, "text", "") == "bad":
            raise ValueError("I do not like it")
        return of_notes(key, row, recorded)

    of_notes = projection().fold
    of = projection(fold=sulking)
    await generations.ensure(pool, core.recorder.id, of, 1)
    case_id = await new_case(core)
    await noted(core, case_id, "one")
    news = await read(core.recorder, 0)
    zombie = await taken(core, of, Leases(pool, core.recorder.id, [of]))
    assert await zombie.apply(news)
    assert len(zombie._rows) == 1

    await lapse(pool)
    heir = await taken(core, of, Leases(pool, core.recorder.id, [of]))
    position = await noted(core, case_id, *texts) if texts else await new_stream(core)
    news = await read(core.recorder, 0)
    if moved:
        assert await heir.apply(news)
    before = await everything(pool)
    if texts:
        assert await zombie.apply(news) is False
    else:
        assert await move(pool, {zombie: zombie.position}, position) == []
        assert await zombie.apply([], position) is False
    assert await everything(pool) == before
    assert zombie.position == 2

    assert await heir.apply(news)
    assert await checkpoint(pool) == position


async def new_stream(core: Core) -> int:
    await new_case(core)
    return await core.recorder.head()


async def test_of_those_passed_over_at_once_only_the_zombies_stay(core: Core, pool: Pool) -> None:
    for each in THREE:
        await generations.ensure(pool, core.recorder.id, each, 1)
    await new_case(core)
    process = Leases(pool, core.recorder.id, THREE)
    shares = (await process.turn({}))[1]
    known = {each.NAME: each for each in THREE}
    followers = {
        name: Follower(
            pool,
            core.recorder,
            known[name],
            generations.current(core.recorder.id, known[name], number),
            share,
        )
        for (name, number, _), share in shares.items()
    }
    await pool.execute("UPDATE ops.shard SET fence = fence + 1 WHERE name = 'another'")

    moved = await move(pool, {one: one.position for one in followers.values()}, 1)
    assert {follower.projection.NAME for follower in moved} == {"tally", "third"}
    assert await checkpoint(pool, "another") == 0


async def test_what_is_given_over_in_the_middle_of_a_batch_waits_for_its_end(
    core: Core, pool: Pool
) -> None:
    of = projection()
    await generations.ensure(pool, core.recorder.id, of, 1)
    case_id = await new_case(core)
    process = Leases(pool, core.recorder.id, [of])
    follower = await taken(core, of, process)
    assert await follower.apply(await read(core.recorder, 0))
    await noted(core, case_id, "one")
    async with pool.acquire() as db, db.transaction():
        await db.execute("SELECT FROM ops.tally FOR UPDATE")  # So that the batch takes long.
        batch = asyncio.create_task(follower.apply(await read(core.recorder, 0)))
        await waiting_for_a_lock(pool, 1)
        given_over = asyncio.create_task(process.leave())
        await waiting_for_a_lock(pool, 2)
        other = Leases(pool, core.recorder.id, [of])
        assert (await other.turn({}))[1] == {}
    assert await batch
    await given_over
    assert await tallies(pool) == {case_id: (1, "one")}
    await noted(core, case_id, "two")
    assert await follower.apply(await read(core.recorder, 0)) is False

    heir = await taken(core, of, other)
    assert heir.position == 2
    assert await heir.apply(await read(core.recorder, 0))
    assert await tallies(pool) == {case_id: (2, "two")}


async def waiting_for_a_lock(pool: Pool, count: int) -> None:
    for _ in range(1000):
        waiting = await pool.fetchval(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
            """
        )
        if waiting == count:
            return
        await asyncio.sleep(SOON / 1000)
    raise TimeoutError(waiting)


@pytest.mark.usefixtures("short_leases")
async def test_positions_never_go_back_and_never_promise_too_much(core: Core, pool: Pool) -> None:
    of = [projection("tally"), projection("another")]
    stop = asyncio.Event()

    async def watch(feed: Feed) -> int:
        seen = 0
        while not stop.is_set():
            position = feed.position
            assert position >= seen
            seen = position
            assert await pool.fetchval("SELECT min(position) FROM ops.serving") >= position
            await asyncio.sleep(0.005)
        return seen

    async def write() -> int:
        cases = [await new_case(core) for _ in range(8)]
        position = 0
        while not stop.is_set():
            for case_id in cases:
                position = await noted(core, case_id, "more")
        return position

    async with follows(core.recorder, *of) as one:
        core.appender.on_appended.append(one.wake)
        writing = asyncio.create_task(write())
        looking_on = Feed(pool, core.recorder, of)
        await looking_on.start(taking=False)
        watching = [asyncio.create_task(watch(feed)) for feed in (one, looking_on)]
        try:
            async with follows(core.recorder, *of) as two:
                watching.append(asyncio.create_task(watch(two)))
                await shared(pool, {one: 4, two: 4})
                await rebuild(pool, core.recorder, of[0])
                await shared(pool, {one: 4, two: 4})
                await rollback(pool, core.recorder, of[0])
                await die(two)
                await shared(pool, {one: 8})
                async with follows(core.recorder, *of) as three:
                    watching.append(asyncio.create_task(watch(three)))
                    await shared(pool, {one: 4, three: 4})
                    await rebuild(pool, core.recorder, of[1])
                    await asyncio.sleep(0.3)
            stop.set()
            position = await writing
            for feed in (one, looking_on):
                assert await feed.reached(position, SOON) == position
            for watched in watching:
                assert await watched > 0
        finally:
            stop.set()
            await looking_on.close()
    assert await tallies(pool) == await tallies(pool, "another")
    assert sum(notes for notes, _ in (await tallies(pool)).values()) == position - 8


async def test_a_process_takes_no_more_than_its_share(core: Core, pool: Pool) -> None:
    for each in THREE:
        await generations.ensure(pool, core.recorder.id, each, SHARDS)
    three = [Leases(pool, core.recorder.id, THREE) for _ in range(3)]
    for process in three[1:]:
        async with pool.acquire() as db:
            await process._there(db)
    assert len((await three[0].turn({}))[1]) == 4


async def test_a_process_that_has_stood_still_is_there_all_the_same(
    core: Core, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await generations.ensure(pool, core.recorder.id, THREE[0], SHARDS)
    monkeypatch.setattr(leases, "LEASE_SECONDS", -1.0)
    assert len((await Leases(pool, core.recorder.id, THREE[:1]).turn({}))[1]) == SHARDS


async def test_processes_that_follow_other_versions_leave_no_shard_to_nobody(
    core: Core, pool: Pool
) -> None:
    """As while a new casecore takes the place of another, a process at a time."""
    newer = [projection(each.NAME, VERSION=2) for each in THREE]
    for each in newer:
        await generations.ensure(pool, core.recorder.id, each, SHARDS)
    old = [Leases(pool, core.recorder.id, THREE) for _ in range(2)]
    for process in old:
        assert await process.turn({}) == (set(), {})
    lone = Leases(pool, core.recorder.id, newer)
    assert len((await lone.turn({}))[1]) == 12


async def test_a_batch_that_takes_longer_than_the_lease_goes_in_halves(
    core: Core, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_notes = projection().fold

    def slow(key: Any, row: Any, recorded: Any) -> Any:
        time.sleep(0.03)
        return of_notes(key, row, recorded)

    monkeypatch.setattr(following, "STATEMENT_SECONDS_MAX", 1.0)
    case_id = await new_case(core)
    await noted(core, case_id, *(f"note {number}" for number in range(60)))
    of = projection(fold=slow, BY_STREAM=False)
    await Feed(pool, core.recorder, [of]).catch_up()
    assert await tallies(pool) == {case_id: (60, "note 59")}
    assert (await rebuild(pool, core.recorder, of)).same
