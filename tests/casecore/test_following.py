"""The feed: in time, whole, and not kept by one that fails."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from casecore.case.decisions.intake import AddNote, RegisterCase
from casecore.case.events.intake import CaseRegistered, Customer, NoteAdded
from casecore.case.state import Case
from casecore.core import Core
from casecore.database import Pool, ledger_id
from casecore.errors import Conflict, NotFound, Unavailable
from casecore.following import feed as feeding
from casecore.following import filling
from casecore.following.feed import Feed
from casecore.following.follower import Follower
from casecore.following.parking import Replayed, parked, replay_parked
from casecore.following.progress import Progress
from casecore.following.projection import Projection, Reference
from casecore.following.rebuilding import alone, rebuild, rollback
from casecore.recorder import Recorder
from casecore.recording import Recorded
from casecore.tables import Shape
from tests.spec import SAM, registered
from tests.telling import Telling

SOON = 20.0
"""Seconds that what is expected may take before a test gives up."""


class Tally(msgspec.Struct, frozen=True):
    """How many notes a case has."""

    case_id: UUID
    notes: int = 0
    """Counted."""
    last: str | None = None


def keys(recorded: Recorded) -> Iterable[tuple[UUID]]:
    return [(recorded.stream_id,)]


def fold(key: tuple[UUID], row: Tally | None, recorded: Recorded) -> Tally | None:
    match recorded.event:
        case NoteAdded(text="forget"):
            return None
        case NoteAdded(text=text):
            row = row or Tally(*key)
            return replace(row, notes=row.notes + 1, last=text)
    return Tally(*key)


def projection(name: str = "tally", **changes: Any) -> Any:
    described = {
        "NAME": name,
        "VERSION": 1,
        "ROW": Tally,
        "KEY": ("case_id",),
        "BY_STREAM": True,
        "ONCE": False,
        "INDEXES": ("(ledger, notes)",),
        "READS": frozenset({CaseRegistered, NoteAdded}),
        "keys": keys,
        "fold": fold,
        "__doc__": "Counts notes.",
    }
    return SimpleNamespace(**described | changes)


class Stroke(msgspec.Struct, frozen=True):
    """The last note of a tally."""

    case_id: UUID
    number: int
    text: str


class Words:
    """What is to be read for what, as the notes of one case say it."""

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []

    def learn(self, event: Any, position: int) -> None:
        if isinstance(event, NoteAdded) and all(at < position for at, _ in self.said):
            self.said.append((position, event.text))

    def at(self, position: int) -> str:
        return next((word for at, word in reversed(self.said) if at < position), "")


def reckoned(stream_id: UUID) -> Any:
    """Tallies of what notes say in the words that are in use, and a stroke for the last of each."""

    def with_words(key: Any, row: Tally | None, recorded: Recorded, words: Words) -> Tally | None:
        row = fold(key, row, recorded)
        if row is None or row.last is None:
            return row
        return replace(row, last=f"{words.at(recorded.position)} {row.last}")

    def settled(before: Tally | None, row: Tally, words: Words) -> tuple[Tally, list[Stroke]]:
        return row, [Stroke(row.case_id, row.notes, row.last)] if row.last else []

    return projection(
        "strokes",
        TABLE="tally",
        BY_STREAM=False,
        REFERENCE=Reference(stream_id, Words),
        DETAILS=Shape("strokes", Stroke, ("case_id",), (), "The last notes."),
        keys=lambda recorded: [] if recorded.stream_id == stream_id else keys(recorded),
        fold=with_words,
        concerns=lambda recorded, words: True,
        settled=settled,
    )


class Sulking:
    """A fold that fails at the notes whose text it does not like, as long as it sulks."""

    def __init__(self) -> None:
        self.sulks = True

    def __call__(self, key: tuple[UUID], row: Tally | None, recorded: Recorded) -> Tally | None:
        if self.sulks and getattr(recorded.event, "text", "") == "bad":
            raise ValueError("I do not like it")
        return fold(key, row, recorded)


async def new_case(core: Core) -> UUID:
    case_id = uuid4()
    register = RegisterCase(channel="phone", customer=Customer(ref="cust-42"), reason="Late")
    await core.execute(Case, case_id, register, by=SAM)
    return case_id


async def noted(core: Core, case_id: UUID, *texts: str) -> int:
    notes = [AddNote(text=text) for text in texts]
    return (await core.execute(Case, case_id, *notes, by=SAM)).position


async def tallies(pool: Pool, name: str = "tally") -> dict[UUID, tuple[int, str | None]]:
    rows = await pool.fetch(f"SELECT case_id, notes, last FROM ops.{name}")
    return {row["case_id"]: (row["notes"], row["last"]) for row in rows}


async def checkpoint(pool: Pool, name: str = "tally") -> int:
    position: int = await pool.fetchval("SELECT position FROM ops.serving WHERE name = $1", name)
    return position


async def settled(feed: Feed) -> list[Progress]:
    """How things stand once each projection has come to the end, or to what stops it."""
    for _ in range(1000):
        progress = await feed.status()
        if all(one.lag == 0 or one.error for one in progress):
            return progress
        await asyncio.sleep(SOON / 1000)
    raise TimeoutError(progress)


class Feeds:
    """Feeds over the core's ledger, closed at the end."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.opened: list[Feed] = []

    def of(self, *projections: Projection) -> Feed:
        feed = Feed(self.core.recorder.pool, self.core.recorder, projections)
        self.opened.append(feed)
        return feed

    async def started(self, *projections: Projection) -> Feed:
        feed = self.of(*projections)
        await feed.start()
        return feed


@pytest.fixture
async def feeds(core: Core) -> AsyncIterator[Feeds]:
    feeds = Feeds(core)
    yield feeds
    for feed in feeds.opened:
        await feed.close()


async def test_rows_follow_what_is_appended(core: Core, pool: Pool, feeds: Feeds) -> None:
    feed = await feeds.started(projection())
    core.appender.on_appended.append(feed.wake)
    case_id = await new_case(core)
    position = await noted(core, case_id, "one", "two")

    assert await feed.reached(position, SOON) == position
    assert await tallies(pool) == {case_id: (2, "two")}
    assert await checkpoint(pool) == position


async def test_what_nobody_told_of_arrives_all_the_same(pool: Pool, feeds: Feeds) -> None:
    feed = await feeds.started(projection())
    await (await Telling.into(pool)).tell(uuid4(), registered)

    assert await feed.reached(1, SOON) == 1


async def test_the_notice_of_another_process_is_heard(
    core: Core, pool: Pool, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "POLL_SECONDS", 3600)
    feed = await feeds.started(projection())
    case_id = await new_case(core)
    for text in ("one", "two", "three"):
        position = await noted(core, case_id, text)
        assert await feed.reached(position, SOON) == position


async def test_following_goes_on_after_its_connections_are_lost(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    feed = await feeds.started(projection())
    case_id = await new_case(core)
    await feed.reached(1, SOON)
    async with pool.acquire() as connection:
        await connection.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """
        )
    position = await noted(core, case_id, "after the storm")

    assert await feed.reached(position, SOON) == position
    assert await tallies(pool) == {case_id: (1, "after the storm")}


async def test_after_an_outage_a_read_waits_for_those_that_are_not_followed_again_yet(
    core: Core, pool: Pool, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = await feeds.started(projection("one"), projection("other"))
    case_id = await new_case(core)
    await feed.reached(1, SOON)
    begin, may_begin, begun = Follower.begin, asyncio.Event(), list[Follower]()

    async def in_their_time(follower: Follower) -> None:
        begun.append(follower)
        if len(begun) > 1:
            await may_begin.wait()
        await begin(follower)

    async def lost(*_: Any) -> list[Recorded]:
        raise ConnectionResetError

    monkeypatch.setattr(Follower, "begin", in_their_time)
    with monkeypatch.context() as storm:
        storm.setattr(feeding, "read", lost)
        async with asyncio.timeout(SOON):
            while len(begun) < 2:  # noqa: ASYNC110, another task has no event
                await asyncio.sleep(0.01)
    position = await noted(core, case_id, "after the storm")
    with pytest.raises(Unavailable):
        await feed.reached(position, 0.5)
    may_begin.set()
    await feed.reached(position, SOON)
    assert await tallies(pool, "one") == await tallies(pool, "other")


async def test_a_read_waits_for_what_was_written_but_not_for_ever(core: Core, feeds: Feeds) -> None:
    feed = await feeds.started(projection())
    with pytest.raises(Unavailable) as refusal:
        await feed.reached(7, 0.01)

    assert refusal.value.code == "projection-lagging"
    assert refusal.value.context == {"as_of_position": 0, "lag": 7}


async def test_a_row_that_cannot_be_folded_waits_alone_and_goes_on_when_it_can(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    sulking = projection("sulking", fold=(sulks := Sulking()))
    feed = await feeds.started(projection(), sulking)
    case_id, other = await new_case(core), await new_case(core)
    await noted(core, case_id, "good", "bad")
    await noted(core, case_id, "last")
    position = await noted(core, other, "well")
    await feed.reached(position, SOON)

    assert await tallies(pool, "sulking") == {case_id: (1, "good"), other: (1, "well")}
    [row] = await parked(pool, core.recorder.id, ["sulking", "tally"])
    assert (row.projection, row.key) == ("sulking", f'["{case_id}"]')
    assert (row.position, row.events) == (4, 2)
    assert row.error == "at position 4, NoteAdded: ValueError('I do not like it')"
    waiting, well = await feed.status()
    assert (waiting.name, waiting.lag, waiting.error, waiting.parked) == ("sulking", 0, None, 1)
    assert waiting.parked_seconds > 0
    assert (well.name, well.parked, well.parked_seconds) == ("tally", 0, 0)

    assert await replay_parked(pool, core.recorder, sulking) == Replayed(0, 0, left=1)
    sulks.sulks = False
    assert await replay_parked(pool, core.recorder, sulking) == Replayed(1, 2, left=0)
    position = await noted(core, case_id, "later")
    await feed.reached(position, SOON)
    assert await tallies(pool, "sulking") == await tallies(pool)
    assert (await tallies(pool))[case_id] == (4, "later")
    assert await parked(pool, core.recorder.id, ["sulking"]) == []


async def test_an_event_whose_rows_cannot_be_said_keeps_its_stream_waiting(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    def picky(recorded: Recorded) -> Iterable[tuple[UUID]]:
        if sulks.sulks and getattr(recorded.event, "text", "") == "bad":
            raise ValueError("whose is it?")
        return keys(recorded)

    sulks, picky_one = Sulking(), projection(keys=picky)
    feed = await feeds.started(picky_one)
    case_id, other = await new_case(core), await new_case(core)
    await noted(core, case_id, "bad", "after")
    await feed.reached(await noted(core, other, "well"), SOON)

    assert await tallies(pool) == {case_id: (0, None), other: (1, "well")}
    [row] = await parked(pool, core.recorder.id, ["tally"])
    assert (row.key, row.events) == (f"stream {case_id}", 2)
    sulks.sulks = False
    assert await replay_parked(pool, core.recorder, picky_one) == Replayed(1, 2, left=0)
    assert (await tallies(pool))[case_id] == (2, "after")


async def test_a_row_that_the_database_refuses_waits_and_no_other_does(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    def too_much(key: tuple[UUID], row: Tally | None, recorded: Recorded) -> Tally | None:
        row = fold(key, row, recorded)
        return replace(row, notes=2**70) if row is not None and row.last == "bad" else row

    feed = feeds.of(projection(fold=too_much))
    cases = [await new_case(core) for _ in range(5)]
    for number, case_id in enumerate(cases):
        await noted(core, case_id, "bad" if number == 3 else "good")
    await feed.catch_up()

    found = await tallies(pool)
    assert [found.get(case_id) for case_id in cases] == [
        None if number == 3 else (1, "good") for number in range(5)
    ]
    [row] = await parked(pool, core.recorder.id, ["tally"])
    assert (row.key, row.events) == (f'["{cases[3]}"]', 2)
    assert row.error.startswith("the database refuses the row: ")


async def test_what_is_told_of_a_refused_row_holds_nothing_of_it(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    feed = await feeds.started(projection())
    case_id = await new_case(core)
    await feed.reached(await noted(core, case_id, "well"), SOON)
    await pool.execute(
        "ALTER TABLE ops.tally ADD CONSTRAINT brief CHECK (last <> 'Ada''s illness')"
    )
    await feed.reached(await noted(core, case_id, "Ada's illness"), SOON)

    [row] = await parked(pool, core.recorder.id, ["tally"])
    assert "brief" in row.error
    assert "illness" not in row.error


async def test_a_rebuild_that_would_park_more_is_not_let_serve(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    sulks = Sulking()
    sulks.sulks = False
    sulking = projection(fold=sulks)
    case_id = await new_case(core)
    await noted(core, case_id, "good", "bad")
    await feeds.of(sulking).catch_up()
    sulks.sulks = True
    with pytest.raises(Conflict) as refusal:
        await rebuild(pool, core.recorder, sulking)
    assert refusal.value.code == "rebuild-parked"
    assert await tallies(pool) == {case_id: (2, "bad")}

    rebuilt = await rebuild(pool, core.recorder, sulking, anyway=True)
    assert (rebuilt.parked, rebuilt.same) == (1, False)
    assert await tallies(pool) == {case_id: (1, "good")}
    back = await rollback(pool, core.recorder, sulking)
    assert (back.parked, back.generation) == (0, 1)
    assert await tallies(pool) == {case_id: (2, "bad")}


async def test_going_back_brings_the_kept_rows_up_to_those_that_serve(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    feed = await feeds.started(projection())
    case_id = await new_case(core)
    await feed.reached(await noted(core, case_id, "one"), SOON)
    with pytest.raises(NotFound):
        await rollback(pool, core.recorder, projection())
    rebuilt = await rebuild(pool, core.recorder, projection())
    assert (rebuilt.rows_before, rebuilt.rows, rebuilt.same) == (1, 1, True)
    await feed.reached(await noted(core, case_id, "two"), SOON)

    assert (await rollback(pool, core.recorder, projection())).same
    assert await tallies(pool) == {case_id: (2, "two")}
    await feed.reached(await noted(core, case_id, "three"), SOON)
    assert await tallies(pool) == {case_id: (3, "three")}


async def test_an_event_that_nobody_here_knows_stops_all_and_says_so(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    feed = await feeds.started(projection())
    await feed.reached((await core.see(Case, await new_case(core))).position, SOON)
    await pool.execute(
        """
        INSERT INTO es.event
        SELECT ledger, version + 1, position + 1, recorded_at, stream_id, command_id, slot,
               'CaseSungAbout', data_hash, head, meta, data
        FROM es.event;
        UPDATE es.ledger SET last_position = last_position + 1;
        """
    )
    [stopped] = await settled(feed)

    assert stopped.standing == "stopped"
    assert stopped.error is not None
    assert "after position 1: this casecore knows no event of type CaseSungAbout" in stopped.error


async def test_rows_and_checkpoint_are_written_together_or_not_at_all(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    feed = feeds.of(projection())
    case_id = await new_case(core)
    await feed.catch_up()
    await noted(core, case_id, "one")
    await pool.execute(
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
        CREATE TRIGGER die AFTER INSERT OR UPDATE ON ops.tally FOR EACH ROW EXECUTE FUNCTION die()
        """
    )
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await feed.catch_up()
    assert await tallies(pool) == {case_id: (0, None)}
    assert await checkpoint(pool) == 1

    await pool.execute("DROP TRIGGER die ON ops.tally")
    await feed.catch_up()
    assert await tallies(pool) == {case_id: (1, "one")}
    assert await checkpoint(pool) == 2


async def test_a_row_that_becomes_none_is_gone(core: Core, pool: Pool, feeds: Feeds) -> None:
    feed = feeds.of(projection())
    case_id = await new_case(core)
    await feed.catch_up()
    await noted(core, case_id, "forget")
    await feed.catch_up()

    assert await tallies(pool) == {}


async def test_two_that_race_write_every_event_once(core: Core, pool: Pool, feeds: Feeds) -> None:
    both = [await feeds.started(projection()), await feeds.started(projection())]
    cases = [await new_case(core) for _ in range(3)]
    position = 0
    for number in range(40):
        position = await noted(core, cases[number % 3], f"note {number}")
    for feed in both:
        await feed.reached(position, SOON)

    assert sum(notes for notes, _ in (await tallies(pool)).values()) == 40


async def test_a_new_projection_reads_for_itself_until_it_is_with_the_others(
    core: Core, pool: Pool, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "BATCH_MAX", 3)
    case_id = await new_case(core)
    await noted(core, case_id, *(f"note {number}" for number in range(10)))
    await feeds.of(projection()).catch_up()
    feed = await feeds.started(projection(), projection("another"))
    position = await noted(core, case_id, "last")
    await feed.reached(position, SOON)

    assert await tallies(pool, "another") == await tallies(pool) == {case_id: (11, "last")}


async def test_another_version_of_a_fold_fills_its_table_anew(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    case_id = await new_case(core)
    await noted(core, case_id, "one")
    old = await feeds.started(projection())
    await old.reached(2, SOON)

    class Louder(msgspec.Struct, frozen=True):
        case_id: UUID
        loud: str

    def louder(key: tuple[UUID], row: Any, recorded: Recorded) -> Any:
        return Louder(*key, getattr(recorded.event, "text", "").upper())

    await feeds.of(projection(VERSION=2, ROW=Louder, fold=louder, INDEXES=())).catch_up()
    position = await noted(core, case_id, "two")
    await feeds.of(projection(VERSION=2, ROW=Louder, fold=louder, INDEXES=())).catch_up()

    assert await pool.fetchval("SELECT loud FROM ops.tally") == "TWO"
    assert await checkpoint(pool) == position
    with pytest.raises(Unavailable) as refusal:  # The old one does not fill it anew in turn.
        await feeds.of(projection()).catch_up()
    assert refusal.value.code == "projection-newer"


async def test_one_that_goes_by_another_stream_knows_it_as_it_was_then(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    words, case_id = await new_case(core), await new_case(core)
    strokes = reckoned(words)

    async def stored() -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await pool.fetch("SELECT number, text FROM ops.strokes")]

    await noted(core, words, "twice")
    await noted(core, case_id, "one")
    await feeds.of(strokes).catch_up()
    assert await stored() == [(1, "twice one")]

    # Learned before it goes on from its checkpoint; of what comes after, none too soon.
    await noted(core, case_id, "two")
    await noted(core, words, "thrice")
    live = await feeds.started(strokes)
    await live.reached(6, SOON)
    assert await stored() == [(2, "twice two")]
    position = await noted(core, case_id, "three")
    await live.reached(position, SOON)
    assert await stored() == [(3, "thrice three")]

    await rebuild(pool, core.recorder, strokes)
    assert await tallies(pool) == {case_id: (3, "thrice three")}
    assert await stored() == [(3, "thrice three")]


async def test_one_that_cannot_learn_what_it_goes_by_stops_and_says_so_and_keeps_no_other(
    core: Core, pool: Pool, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, case_id = await new_case(core), await new_case(core)
    strokes = reckoned(words)
    feed = await feeds.started(strokes, projection("other"))
    await feed.reached(2, SOON)

    def learn(self: Words, event: Any, position: int) -> None:
        raise ValueError("that is no word")

    with monkeypatch.context() as context:
        context.setattr(Words, "learn", learn)
        await noted(core, words, "twice")
        position = await noted(core, case_id, "one")
        [other, stopped] = await settled(feed)
        assert (other.lag, stopped.standing, stopped.position) == (0, "stopped", 2)
        assert "that is no word" in str(stopped.error)
    await feed.reached(position, SOON)
    assert [row["text"] for row in await pool.fetch("SELECT text FROM ops.strokes")] == [
        "twice one"
    ]


async def test_those_that_nothing_new_is_for_come_as_far_all_the_same(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    idle = [projection(f"idle_{number}", READS=frozenset({CaseRegistered})) for number in range(3)]
    both = [await feeds.started(projection(), *idle) for _ in range(2)]
    case_id = await new_case(core)
    for number in range(10):
        position = await noted(core, case_id, f"note {number}")
        for feed in both:
            await feed.reached(position, SOON)

    for one in idle:
        assert await checkpoint(pool, one.NAME) == position
    assert await tallies(pool) == {case_id: (10, "note 9")}


async def test_a_rebuild_shows_no_reader_fewer_rows(
    core: Core, pool: Pool, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = await feeds.started(projection())
    core.appender.on_appended.append(feed.wake)
    cases = [await new_case(core) for _ in range(20)]
    await feed.reached(20, SOON)
    monkeypatch.setattr(filling, "CHUNK", 5)
    stop = asyncio.Event()

    async def read() -> list[int]:
        seen = []
        while not stop.is_set():
            seen.append(await pool.fetchval("SELECT count(*) FROM ops.tally"))
        return seen

    async def write() -> int:
        position = 0
        while not stop.is_set():
            position = await noted(core, cases[0], f"note {position}")
        return position

    reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
    for _ in range(3):
        rebuilt = await rebuild(pool, core.recorder, projection())
        assert rebuilt.rows == 20
        assert rebuilt.events >= 20
    stop.set()
    assert set(await reading) == {20}

    position = await writing
    await feed.reached(position, SOON)
    assert (await tallies(pool))[cases[0]][0] == position - 20
    generations = await pool.fetch("SELECT generation, state FROM ops.generation ORDER BY 1")
    assert [tuple(row) for row in generations] == [(3, "kept"), (4, "serving")]


async def test_a_rebuild_leaves_the_rows_of_other_ledgers(core: Core, pool: Pool) -> None:
    from casecore.appender import Appender

    id = await ledger_id(pool, "other")
    appender = Appender(pool, id)
    other = Core(Recorder(pool, id, "other"), appender)
    here, there = await new_case(core), await new_case(other)
    for recorder in (core.recorder, other.recorder):
        await Feed(pool, recorder, [projection()]).catch_up()
    await rebuild(pool, core.recorder, projection())
    await appender.close()

    assert set(await tallies(pool)) == {here, there}


async def test_only_one_rebuilds_a_projection_at_a_time(core: Core, pool: Pool) -> None:
    async with alone(pool, "tally"):
        with pytest.raises(Conflict):
            await rebuild(pool, core.recorder, projection())
    await rebuild(pool, core.recorder, projection())


async def test_columns_are_described_by_the_docstrings(
    core: Core, pool: Pool, feeds: Feeds
) -> None:
    await feeds.of(projection()).catch_up()
    columns = await pool.fetch(
        """
        SELECT a.attname, format_type(a.atttypid, NULL) AS type, a.attnotnull,
               col_description(a.attrelid, a.attnum) AS comment
        FROM pg_attribute a WHERE attrelid = 'ops.tally'::regclass AND attnum > 0 ORDER BY attnum
        """
    )
    assert [tuple(column) for column in columns] == [
        ("ledger", "integer", True, None),
        ("case_id", "uuid", True, None),
        ("notes", "bigint", True, "Counted."),
        ("last", "text", False, None),
    ]
    assert await pool.fetchval("SELECT obj_description('ops.tally'::regclass)") == "Counts notes."


async def test_a_process_follows_more_ledgers_than_it_has_connections(pool: Pool) -> None:
    feeds = []
    for number in range(pool.get_max_size() + 2):
        id = await ledger_id(pool, f"ledger-{number}")
        feeds.append(Feed(pool, Recorder(pool, id, f"ledger-{number}"), [projection()]))
        await feeds[-1].start()
    try:
        telling = await Telling.into(pool, "ledger-3")
        await telling.tell(uuid4(), registered)
        assert await feeds[3].reached(1, SOON) == 1
    finally:
        for feed in feeds:
            await feed.close()
