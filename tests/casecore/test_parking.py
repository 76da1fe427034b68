"""Whatever cannot be folded, and whenever: it waits alone, and in the end all is as it should."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from casecore.case.events.intake import NoteAdded
from casecore.core import Core
from casecore.database import Pool
from casecore.following import parking
from casecore.following.feed import Feed
from casecore.following.parking import Replayed, parked, replay_parked
from casecore.following.rebuilding import rebuild
from casecore.recorder import Recorder
from casecore.recording import Recorded
from tests.casecore.test_following import (
    SOON,
    Tally,
    fold,
    keys,
    new_case,
    noted,
    projection,
    tallies,
)
from tests.casecore.test_leases import die, follows
from tests.projections.test_rows import all_of
from tests.spec import registered
from tests.telling import Telling

SHARDS = 4
TEXTS = st.sampled_from(["a", "b", "forget", "whose?", "bad", "huge"])
STORIES = st.lists(st.tuples(st.integers(0, 4), TEXTS), min_size=1, max_size=25)


class Moods:
    """A read model that cannot fold some notes, nor say whose some are, nor write some rows: as
    long as it is in the mood."""

    def __init__(self, **described: Any) -> None:
        self.bad = True
        self.projection = projection(keys=self.keys, fold=self.fold, **described)

    def keys(self, recorded: Recorded) -> Iterable[tuple[UUID]]:
        if self.bad and getattr(recorded.event, "text", "") == "whose?":
            raise ValueError("whose is it?")
        return keys(recorded)

    def fold(self, key: tuple[UUID], row: Tally | None, recorded: Recorded) -> Tally | None:
        if self.bad and getattr(recorded.event, "text", "").startswith("bad"):
            raise ValueError("I do not like it")
        row = fold(key, row, recorded)
        if self.bad and row is not None and row.last == "huge":
            return replace(row, notes=2**70)
        return row


def folded(told: list[tuple[UUID, Any]]) -> dict[UUID, tuple[int, str | None]]:
    rows: dict[UUID, tuple[int, str | None]] = {}
    for case_id, event in told:
        notes, _ = rows.get(case_id, (0, None))
        match event:
            case NoteAdded(text="forget"):
                rows.pop(case_id, None)
            case NoteAdded(text=text):
                rows[case_id] = notes + 1, text
            case _:
                rows[case_id] = 0, None
    return rows


async def stored(pool: Pool, recorder: Recorder) -> dict[UUID, tuple[int, str | None]]:
    rows = await pool.fetch(
        "SELECT case_id, notes, last FROM ops.tally WHERE ledger = $1", recorder.id
    )
    return {row["case_id"]: (row["notes"], row["last"]) for row in rows}


async def waiting(pool: Pool, recorder: Recorder) -> set[tuple[str, int]]:
    rows = await pool.fetch(
        """
        SELECT key, position FROM ops.parked JOIN ops.generation USING (ledger, name, generation)
        WHERE ledger = $1 AND state = 'serving'
        """,
        recorder.id,
    )
    return {tuple(row) for row in rows}


def cases_of(waits: Iterable[tuple[str, int]]) -> set[UUID]:
    return {UUID(key.removeprefix("stream ").strip('[]"')) for key, _ in waits}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=STORIES, cut=st.integers(1, 6), shards=st.sampled_from([1, SHARDS]))
async def test_what_is_parked_waits_alone_and_in_the_end_everything_is_folded_in_order(
    pool: Pool, story: list[tuple[int, str]], cut: int, shards: int
) -> None:
    telling = await Telling.into(pool, f"ledger {uuid4()}")
    recorder, moods = telling.recorder, Moods()
    cases = [uuid4() for _ in range(5)]
    told: list[tuple[UUID, Any]] = [(case_id, registered) for case_id in cases]
    told += [
        (cases[n], NoteAdded(note_id=f"n{at}", text=text)) for at, (n, text) in enumerate(story)
    ]
    feed = Feed(pool, recorder, [moods.projection], shards=shards)
    for at, (case_id, event) in enumerate(told):
        await telling.tell(case_id, event)
        if at % cut == 0:
            await feed.catch_up()
    await feed.catch_up()

    live = await waiting(pool, recorder)
    stuck, expected = cases_of(live), folded(told)
    rows = await stored(pool, recorder)
    assert {id: row for id, row in rows.items() if id not in stuck} == {
        id: row for id, row in expected.items() if id not in stuck
    }
    await rebuild(pool, recorder, moods.projection, anyway=True)
    again = await waiting(pool, recorder)
    if any(text == "huge" for _, text in story):
        assert cases_of(again) <= stuck  # A row may have been too much in between only.
    else:
        assert again == live
        assert await stored(pool, recorder) == rows

    moods.bad = False
    assert (await replay_parked(pool, recorder, moods.projection)).left == 0
    assert await stored(pool, recorder) == expected
    assert await waiting(pool, recorder) == set()


class Word(msgspec.Struct, frozen=True):
    """How often a word was said, in whichever case."""

    word: str
    times: int


def of_words(moods: "Moods") -> Any:
    """A read model whose rows are about many streams."""

    def words(recorded: Recorded) -> Iterable[tuple[str]]:
        moods.keys(recorded)
        text = getattr(recorded.event, "text", "hello")
        return [(f"{text} {n}",) for n in range(5)]

    def count(key: tuple[str], row: Word | None, recorded: Recorded) -> Word:
        return Word(*key, (row.times if row else 0) + 1)

    return projection(
        "words", ROW=Word, KEY=("word",), INDEXES=(), BY_STREAM=False, keys=words, fold=count
    )


async def test_rows_that_many_streams_are_about_are_written_by_their_own_shard_alone(
    core: Core, pool: Pool
) -> None:
    of = of_words(moods := Moods())
    async with follows(core.recorder, of, shards=SHARDS) as feed:
        case_id, other, third = [await new_case(core) for _ in range(3)]
        await noted(core, case_id, "whose?", "again")
        await feed.reached(await noted(core, other, "again"), SOON)
        [row] = await parked(pool, core.recorder.id, ["words"])
        assert (row.key, row.events) == (f"stream {case_id}", 2)
        again = [f"again {n}" for n in range(5)]
        assert await times(pool, *again) == [1] * 5

        moods.bad = False
        assert await replay_parked(pool, core.recorder, of) == Replayed(1, 2, left=0)
        assert await times(pool, *again) == [2] * 5
        await noted(core, third, "whose?", "again")
        await feed.reached(await noted(core, other, "whose?"), SOON)
        assert await times(pool, *again) == [3] * 5
        assert await times(pool, *(f"whose? {n}" for n in range(5))) == [3] * 5
    assert (await rebuild(pool, core.recorder, of)).same


async def times(pool: Pool, *words: str) -> list[int]:
    rows = await pool.fetch("SELECT times FROM ops.words WHERE word = ANY ($1)", words)
    return [row["times"] for row in rows]


async def test_what_is_parked_outlives_processes_and_changes_of_hands(
    core: Core, pool: Pool
) -> None:
    moods = Moods()
    cases = [await new_case(core) for _ in range(8)]
    async with follows(core.recorder, moods.projection, shards=SHARDS) as one:
        for case_id in cases[:4]:
            position = await noted(core, case_id, "bad")
        await one.reached(position, SOON)
        async with follows(core.recorder, moods.projection) as two:
            for case_id in cases:
                position = await noted(core, case_id, "after")
            await two.reached(position, SOON)
            await die(two)
            for case_id in cases:
                position = await noted(core, case_id, "later")
            await one.reached(position, SOON)
        assert await tallies(pool) == {
            case_id: (0, None) if case_id in cases[:4] else (2, "later") for case_id in cases
        }
        rows = await parked(pool, core.recorder.id, ["tally"])
        assert [row.events for row in rows] == [3] * 4
    moods.bad = False
    assert await replay_parked(pool, core.recorder, moods.projection) == Replayed(4, 12, left=0)
    async with follows(core.recorder, moods.projection) as three:
        await three.reached(await noted(core, cases[0], "at last"), SOON)
    assert await tallies(pool) == {
        case_id: (3 if case_id in cases[:4] else 2, "later") for case_id in cases
    } | {cases[0]: (4, "at last")}


async def test_what_was_parked_is_folded_beside_those_who_write_and_follow(
    core: Core, pool: Pool
) -> None:
    moods = Moods()
    cases = [await new_case(core) for _ in range(12)]
    stop = asyncio.Event()

    async def write(mine: list[UUID]) -> int:
        number = position = 0
        while not stop.is_set():
            number += 1
            for case_id in mine:
                text = f"{'bad' if number % 7 == 0 else 'note'} {number}"
                position = await noted(core, case_id, text)
        return position

    async with (
        follows(core.recorder, moods.projection, shards=SHARDS) as one,
        follows(core.recorder, moods.projection) as two,
    ):
        core.appender.on_appended.append(one.wake)
        writing = [asyncio.create_task(write(cases[n::4])) for n in range(4)]
        for _ in range(5):
            moods.bad = True
            while not await waiting(pool, core.recorder):  # noqa: ASYNC110, nobody tells
                await asyncio.sleep(0.02)
            moods.bad = False
            for _ in range(3):
                assert (await replay_parked(pool, core.recorder, moods.projection)).left == 0
        stop.set()
        position = max(await asyncio.gather(*writing))
        for feed in (one, two):
            await feed.reached(position, SOON)
        await replay_parked(pool, core.recorder, moods.projection)
    news = await all_of(core.recorder)
    assert await tallies(pool) == folded([(one.stream_id, one.event) for one in news])
    assert (await rebuild(pool, core.recorder, moods.projection)).same


async def test_what_waits_with_its_stream_comes_after_what_waited_with_its_row(
    core: Core, pool: Pool
) -> None:
    moods = Moods()
    feed = Feed(pool, core.recorder, [moods.projection])
    case_id = await new_case(core)
    await noted(core, case_id, "bad", "b", "whose?", "last")
    await feed.catch_up()
    before = await waiting(pool, core.recorder)
    assert before == {
        (f'["{case_id}"]', 2),
        (f'["{case_id}"]', 3),
        (f"stream {case_id}", 4),
        (f"stream {case_id}", 5),
    }
    whose = moods.keys
    moods.projection.keys = keys
    assert await replay_parked(pool, core.recorder, moods.projection) == Replayed(0, 0, left=2)
    rows = await parked(pool, core.recorder.id, ["tally"])
    assert {row.key: row.error for row in rows}[f"stream {case_id}"] == f'waits for ["{case_id}"]'
    moods.projection.keys = whose
    await rebuild(pool, core.recorder, moods.projection)
    assert await waiting(pool, core.recorder) == before

    moods.bad = False
    assert await replay_parked(pool, core.recorder, moods.projection) == Replayed(2, 4, left=0)
    assert await tallies(pool) == {case_id: (4, "last")}


async def test_a_replay_of_many_rows_keeps_nobody_waiting_for_all_of_them(
    core: Core, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "ROWS_MAX", 2)
    moods = Moods()
    cases = [await new_case(core) for _ in range(7)]
    for case_id in cases:
        await noted(core, case_id, "bad")
    await Feed(pool, core.recorder, [moods.projection], shards=2).catch_up()
    fences = await pool.fetchval("SELECT sum(fence) FROM ops.shard")
    moods.bad = False
    assert await replay_parked(pool, core.recorder, moods.projection) == Replayed(7, 7, left=0)
    assert await pool.fetchval("SELECT sum(fence) FROM ops.shard") >= fences + 4
    assert await replay_parked(pool, core.recorder, moods.projection) == Replayed(0, 0, left=0)
    assert await tallies(pool) == {case_id: (1, "bad") for case_id in cases}
