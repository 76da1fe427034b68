"""A fold that changed: the rows are made anew beside those that serve, whatever else happens."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest

from casecore.appender import Appender
from casecore.core import Core
from casecore.database import Pool, ledger_id
from casecore.errors import Unavailable
from casecore.following import feed as feeding
from casecore.following import rebuilding
from casecore.following.feed import Feed
from casecore.following.parking import parked, replay_parked
from casecore.following.projection import Projection, Reckoned
from casecore.following.rebuilding import alone, rebuild, rollback
from casecore.recorder import Recorder
from casecore.recording import Recorded
from projections import PROJECTIONS
from tests.casecore.driving import Driving
from tests.casecore.test_following import (
    SOON,
    Sulking,
    new_case,
    noted,
    projection,
    tallies,
)
from tests.casecore.test_leases import follows
from tests.casecore.test_running import left_over
from tests.projections.test_rows import all_of, folded, stored


class Louder(msgspec.Struct, frozen=True):
    case_id: UUID
    loud: str


def louder(key: tuple[UUID], row: Any, recorded: Recorded) -> Any:
    return Louder(*key, getattr(recorded.event, "text", "").upper())


def upper(key: tuple[UUID], row: Any, recorded: Recorded) -> Any:
    row = projection().fold(key, row, recorded)
    return msgspec.structs.replace(row, last=(row.last or "").upper())


SAME_COLUMNS = projection(VERSION=2, fold=upper)
OTHER_COLUMNS = projection(VERSION=2, fold=louder, ROW=Louder, INDEXES=())


def newer(of: Projection) -> Any:
    """The same, as if its fold had changed."""
    named = [name for name in dir(of) if name.isupper()]
    described = {name: getattr(of, name) for name in (*named, "keys", "__doc__")}
    if isinstance(of, Reckoned):
        described |= {"concerns": of.concerns, "settled": of.settled}
    return SimpleNamespace(**described | {"fold": of.fold, "VERSION": of.VERSION + 1})


async def generations_of(pool: Pool, name: str = "tally") -> list[tuple[int, int, int, str]]:
    rows = await pool.fetch(
        """
        SELECT ledger, generation, version, state FROM ops.generation
        WHERE name = $1 ORDER BY ledger, generation
        """,
        name,
    )
    return [tuple(row) for row in rows]


async def other_ledger(pool: Pool) -> tuple[Core, Appender]:
    id = await ledger_id(pool, "other")
    appender = Appender(pool, id)
    return Core(Recorder(pool, id, "other"), appender), appender


async def test_old_rows_serve_while_others_of_the_same_columns_are_made(
    core: Core, pool: Pool
) -> None:
    other, appender = await other_ledger(pool)
    here, there = await new_case(core), await new_case(other)
    await noted(core, here, "one")
    await noted(other, there, "one")
    async with (
        follows(core.recorder, projection()) as old,
        follows(other.recorder, projection()) as elsewhere,
    ):
        await old.reached(2, SOON)
        await elsewhere.reached(2, SOON)
        async with alone(pool, "tally"):
            one = Feed(pool, core.recorder, [SAME_COLUMNS])
            two = Feed(pool, other.recorder, [SAME_COLUMNS])
            await one.start()
            await two.start()
            position = await noted(core, here, "two")
            for feed in (one, old):
                assert await feed.reached(position, SOON) == position
            assert await tallies(pool) == {here: (2, "two"), there: (1, "one")}
    try:
        position = await noted(core, here, "three")
        assert await one.reached(position, SOON) == position
        await until_serving(pool, SAME_COLUMNS, ledgers=2)
        assert await two.reached(await noted(other, there, "two"), SOON)
        assert await one.reached(await noted(core, here, "four"), SOON)
        assert await tallies(pool) == {here: (4, "FOUR"), there: (2, "TWO")}
        assert await generations_of(pool) == [
            (core.recorder.id, 1, 1, "kept"),
            (core.recorder.id, 2, 2, "serving"),
            (other.recorder.id, 1, 1, "kept"),
            (other.recorder.id, 2, 2, "serving"),
        ]
        assert await left_over(pool) == set()
    finally:
        await one.close()
        await two.close()
        await appender.close()


async def until_serving(pool: Pool, of: Projection, ledgers: int) -> None:
    for _ in range(1000):
        found = await generations_of(pool, of.NAME)
        if sum(one[2:] == (of.VERSION, "serving") for one in found) == ledgers:
            return
        await asyncio.sleep(SOON / 1000)
    raise TimeoutError(found)


async def test_who_needs_other_columns_waits_until_they_are_there(core: Core, pool: Pool) -> None:
    other, appender = await other_ledger(pool)
    here, there = await new_case(core), await new_case(other)
    await noted(core, here, "one")
    async with follows(core.recorder, projection()) as old:
        async with follows(other.recorder, projection()) as elsewhere:
            await old.reached(2, SOON)
            await elsewhere.reached(1, SOON)
        feeds = [Feed(pool, of.recorder, [OTHER_COLUMNS]) for of in (core, other)]
        async with alone(pool, "tally"):
            starting = [asyncio.create_task(feed.start()) for feed in feeds]
            done, _ = await asyncio.wait(starting, timeout=0.5)
            assert done == set()
            assert await old.reached(await noted(core, here, "two"), SOON)
            assert await tallies(pool) == {here: (2, "two"), there: (0, None)}
        try:
            await asyncio.gather(*starting)
            position = await noted(core, here, "three")
            assert await feeds[0].reached(position, SOON) == position
            rows = await pool.fetch("SELECT case_id, loud FROM ops.tally")
            assert {tuple(row) for row in rows} == {(here, "THREE"), (there, "")}
            assert [one[1:] for one in await generations_of(pool)] == [
                (1, 1, "kept"),
                (2, 2, "serving"),
            ] * 2
            assert await left_over(pool) == set()
        finally:
            for feed in feeds:
                await feed.close()
            await appender.close()


async def test_an_older_process_is_refused_and_changes_nothing(core: Core, pool: Pool) -> None:
    await new_case(core)
    async with follows(core.recorder, OTHER_COLUMNS) as feed:
        await feed.reached(1, SOON)
        old = Feed(pool, core.recorder, [projection()])
        for asked in (
            old.start(),
            old.catch_up(),
            rebuild(pool, core.recorder, projection()),
            rollback(pool, core.recorder, projection()),
            replay_parked(pool, core.recorder, projection()),
        ):
            with pytest.raises(Unavailable) as refusal:
                await asked
            assert refusal.value.code == "projection-newer"
        await old.close()
    assert await generations_of(pool) == [(core.recorder.id, 1, 2, "serving")]


async def test_what_is_parked_is_folded_by_the_version_that_can(core: Core, pool: Pool) -> None:
    case_id = await new_case(core)
    await noted(core, case_id, "bad", "last")
    await Feed(pool, core.recorder, [projection(fold=Sulking())]).catch_up()
    assert [row.events for row in await parked(pool, core.recorder.id, ["tally"])] == [2]

    assert (await replay_parked(pool, core.recorder, OTHER_COLUMNS)).left == 0
    assert await parked(pool, core.recorder.id, ["tally"]) == []
    assert await pool.fetchval("SELECT loud FROM ops.tally") == "LAST"


async def test_a_deploy_that_changes_every_fold_leaves_connections_for_others(
    recorder: Recorder, pool: Pool
) -> None:
    async with follows(recorder, *PROJECTIONS), Driving.over(recorder, writers=2, pause=0.01) as by:
        await asyncio.sleep(0.5)
        async with follows(recorder, *(changed := [newer(of) for of in PROJECTIONS])) as feed:
            for projection in changed:
                await until_serving(pool, projection, ledgers=1)
            position = by.position
            assert await feed.reached(position, SOON) >= position
    await Feed(pool, recorder, changed).catch_up()
    assert await stored(pool, recorder.id) == folded(await all_of(recorder))


async def test_an_upgrade_that_fails_is_tried_again_and_keeps_no_other(
    core: Core, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await new_case(core)
    await Feed(pool, core.recorder, [projection(), projection("another")]).catch_up()
    upgrade, failed = feeding.upgrade, []

    async def at_first_in_vain(pool: Pool, of: Projection) -> None:
        if of.NAME == "another" or failed:
            return await upgrade(pool, of)
        failed.append(of)
        raise OSError("the connection is lost")

    monkeypatch.setattr(feeding, "upgrade", at_first_in_vain)
    both = [projection("tally", VERSION=2, fold=upper), projection("another", VERSION=2)]
    async with follows(core.recorder, *both) as feed:
        for each in both:
            await until_serving(pool, each, ledgers=1)
        position = await noted(core, case_id, "one")
        assert await feed.reached(position, SOON) == position
    assert failed
    assert await tallies(pool) == {case_id: (1, "ONE")}
    assert await tallies(pool, "another") == {case_id: (1, "one")}


async def test_a_ledger_that_an_older_process_opens_meanwhile_is_not_forgotten(
    core: Core, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await noted(core, await new_case(core), "one")
    await Feed(pool, core.recorder, [projection()]).catch_up()
    other, appender = await other_ledger(pool)
    there = await new_case(other)
    build = rebuilding.build

    async def slowly(*args: Any, **more: Any) -> Any:
        beside = await build(*args, **more)
        await Feed(pool, other.recorder, [projection()]).catch_up()
        return beside

    monkeypatch.setattr(rebuilding, "build", slowly)
    await Feed(pool, core.recorder, [OTHER_COLUMNS]).catch_up()
    monkeypatch.undo()
    await noted(other, there, "two")
    await Feed(pool, other.recorder, [OTHER_COLUMNS]).catch_up()
    loud = await pool.fetch("SELECT loud FROM ops.tally")
    assert sorted(row["loud"] for row in loud) == ["ONE", "TWO"]
    await appender.close()
