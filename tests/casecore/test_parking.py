"""Whatever cannot be folded, and whenever: it waits alone, and in the end all is as it should."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from casecore.case.events.intake import NoteAdded
from casecore.database import Pool
from casecore.following.feed import Feed
from casecore.following.parking import replay_parked
from casecore.following.rebuilding import rebuild
from casecore.recorder import Recorder
from casecore.recording import Recorded
from tests.casecore.test_following import (
    Tally,
    fold,
    keys,
    projection,
)
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
        if self.bad and getattr(recorded.event, "text", "") == "bad":
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
