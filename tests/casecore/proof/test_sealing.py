"""A ledger is sealed as it grows: whatever was sealed stays, and is what the events come to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from eventsourcing.persistence import StoredEvent

from casecore import embedded
from casecore.appender import Appender
from casecore.database import Pool, connect, ledger_id, migrate
from casecore.errors import Unavailable
from casecore.eventsourced import EventRecorder
from casecore.integrity import core_hash, leaf_hash
from casecore.ledger import Row
from casecore.proof import sealing as sealing_module
from casecore.proof.notes import Head, SealingKey, VerifierKey
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import Moved, ProofSettings, Sealing
from casecore.proof.tree import extends, includes, root_of
from casecore.recorder import Recorder
from tests.casecore.proof.conftest import Write
from tests.casecore.writing import Stream, asking

ROOT = Path(__file__).parents[3]
SECONDS_MAX = 60


def leaf_of(ledger: str, row: Row) -> bytes:
    """As integrity.py says it, from what is stored."""
    core = core_hash(
        ledger, row.stream_id, row.version, row.type, row.command_id, row.meta, row.data_hash
    )
    return leaf_hash(core, row.head, row.position, row.recorded_at)


async def the_root(recorder: Recorder, size: int) -> bytes:
    rows = await recorder.read(0, limit=size)
    assert len(rows) == size
    return root_of(b"".join(leaf_of(recorder.ledger, row) for row in rows))


async def checkpoints(pool: Pool) -> Sequence[Any]:
    return await pool.fetch("SELECT size, root, note FROM proof.checkpoint ORDER BY size")


async def test_a_checkpoint_has_the_root_of_all_events_signed(
    recorder: Recorder, ledger: SealedLedger, sealing: Sealing, key: VerifierKey, write: Write
) -> None:
    assert await sealing.seal_now() is None
    for events in (1, 2, 300, 700):
        await write(events)
        sealed = await sealing.seal_now()
        assert sealed is not None
        assert sealed.size == await recorder.head() == await ledger.size()
        assert sealed.root == await the_root(recorder, sealed.size)
        assert key.opened(sealed.note) == Head("casecore/main", sealed.size, sealed.root)
    again = await sealing.seal_now()
    assert again == sealed
    assert len(await checkpoints(ledger.pool)) == 4


async def test_the_store_hashes_a_leaf_as_python_does(
    recorder: Recorder, appender: Appender, ledger: SealedLedger, write: Write
) -> None:
    await write(5)
    library = EventRecorder(recorder, appender)
    for version in (0, 1):
        stored = StoredEvent(Stream().id, version, "shop:Gekauft.Größe", b'{"\xc3\xbc":1}')
        await library.insert_events([stored])
    rows = await recorder.read(0, limit=100)
    assert len(rows) >= 6
    leaves = b"".join(leaf_of("main", row) for row in rows)
    assert await ledger.leaves(0, len(rows)) == leaves
    assert await ledger.leaves(2, 4) == leaves[64:128]


async def test_every_event_is_shown_under_every_checkpoint_over_it(
    recorder: Recorder, ledger: SealedLedger, sealing: Sealing, write: Write
) -> None:
    for events in (3, 254, 10):
        await write(events)
        await sealing.seal_now()
    rows = await recorder.read(0, limit=1_000)
    for size, root, _ in await checkpoints(ledger.pool):
        under = await ledger.checkpoint(size)
        assert under is not None
        for position in {1, 2, 3, 200, 256, 257, 258, 267} & set(range(1, size + 1)):
            leaf, proof = await ledger.inclusion(position, under)
            assert leaf == leaf_of("main", rows[position - 1])
            assert includes(root, size, position - 1, leaf, proof)
        for old in {1, 2, 3, 256, 257, 267} & set(range(1, size + 1)):
            old_root, proof = await ledger.consistency(old, under)
            assert old_root == await the_root(recorder, old) == await ledger.root(old)
            assert extends(old_root, old, root, size, proof)
    first = await ledger.covering(3)
    second = await ledger.covering(4)
    assert first is not None
    assert second is not None
    assert (first.size, second.size) == (3, 257)
    assert await ledger.covering(268) is None


async def test_the_root_at_the_head_is_known_before_it_is_sealed(
    recorder: Recorder, ledger: SealedLedger, sealing: Sealing, write: Write
) -> None:
    await write(300)
    await sealing.seal_now()
    await write(300)
    for size in (0, 299, 300, 301, 600):
        assert await ledger.root(size) == await the_root(recorder, size)


async def test_what_is_sealed_cannot_be_changed(pool: Pool, sealing: Sealing, write: Write) -> None:
    await write(5)
    await sealing.seal_now()
    for forbidden in (
        "UPDATE proof.checkpoint SET size = 4",
        "DELETE FROM proof.checkpoint",
        "TRUNCATE proof.checkpoint",
        "DELETE FROM proof.tile",
        "TRUNCATE proof.tile",
        "UPDATE proof.tile SET hashes = substr(hashes, 1, 32)",
        "UPDATE proof.tile SET hashes = sha256('') || hashes",
        "UPDATE proof.tile SET number = 1, hashes = hashes || sha256('')",
        "SET session_replication_role = replica; DELETE FROM proof.tile",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="stays as it is"):
            await pool.execute(forbidden)


async def test_of_two_that_seal_at_once_one_goes_first_and_the_tree_is_right(
    recorder: Recorder, appender: Appender, given: ProofSettings, write: Write
) -> None:
    ledgers = [SealedLedger(recorder.pool, recorder.id, "main") for _ in range(3)]
    sealings = [Sealing(ledger, appender, given) for ledger in ledgers]
    key = SealingKey.ensured(given.key)
    moved = 0
    for _ in range(20):
        await write(40)
        turns = [asyncio.create_task(sealing.turn(key)) for sealing in sealings]
        told = await asyncio.gather(*turns, return_exceptions=True)
        moved += sum(isinstance(one, Moved) for one in told)
        assert all(one is None or isinstance(one, Moved) for one in told)
    assert moved
    await are_right(recorder, 800)


async def test_what_another_turn_seals_meanwhile_stops_none_that_pauses(
    recorder: Recorder,
    sealing: Sealing,
    given: ProofSettings,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealing_module, "LEAVES_MAX", 10)
    key = SealingKey.ensured(given.key)
    await write(40)
    turns = [asyncio.create_task(sealing.turn(key, pause=0.01)) for _ in range(3)]
    async with asyncio.timeout(SECONDS_MAX):
        while not all(turn.done() for turn in turns):
            await write(1)
    told = await asyncio.gather(*turns, return_exceptions=True)
    assert [one for one in told if one is not None and not isinstance(one, Moved)] == []
    await sealing.turn(key)
    await are_right(recorder, await recorder.head())


async def test_a_great_many_are_sealed_without_a_pause_once_no_more_come(
    sealing: Sealing,
    ledger: SealedLedger,
    given: ProofSettings,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealing_module, "LEAVES_MAX", 10)
    await write(200)
    turn = asyncio.create_task(sealing.turn(SealingKey.ensured(given.key), pause=0.5))
    await until_sealed(ledger, 10)
    await write(1)
    async with asyncio.timeout(5):
        await turn
    assert await ledger.size() == 200


async def are_right(recorder: Recorder, size: int) -> None:
    """All the checkpoints, and all the tiles."""
    ledger = SealedLedger(recorder.pool, recorder.id, "main")
    latest = await ledger.latest()
    assert latest is not None
    assert latest.size == size
    leaves = b"".join(leaf_of("main", row) for row in await recorder.read(0, limit=size))
    for at, root, note in await checkpoints(recorder.pool):
        assert root == root_of(leaves[: 32 * at])
        assert Head.of(note).root == root
        under = await ledger.checkpoint(at)
        assert under is not None
        for position in {1, at // 2 + 1, at}:
            await ledger.inclusion(position, under)
    await ledger.edge(latest)


async def test_an_event_that_is_not_what_was_sealed_is_not_shown(
    pool: Pool, ledger: SealedLedger, sealing: Sealing, write: Write
) -> None:
    await write(5)
    sealed = await sealing.seal_now()
    assert sealed is not None
    await pool.execute(
        "ALTER TABLE es.event DISABLE TRIGGER stays_as_it_was;"
        "UPDATE es.event SET meta = meta || ' ' WHERE position = 3"
    )
    with pytest.raises(Unavailable, match="the event at 3 is not what was sealed at 5"):
        await ledger.inclusion(3, sealed)
    assert await ledger.inclusion(4, sealed)
    await pool.execute("DELETE FROM es.event WHERE position = 2")
    with pytest.raises(Unavailable, match="1 are missing"):
        await ledger.inclusion(2, sealed)


async def test_nothing_is_sealed_on_top_of_tiles_that_were_changed(
    pool: Pool, ledger: SealedLedger, appender: Appender, given: ProofSettings, write: Write
) -> None:
    await write(5)
    await Sealing(ledger, appender, given).seal_now()
    await pool.execute(
        "ALTER TABLE proof.tile DISABLE TRIGGER ALL;"
        "UPDATE proof.tile SET hashes = substr(hashes, 1, 128) || sha256('')"
    )
    await write(1)
    another = Sealing(ledger, appender, ProofSettings(given.key, ()))
    with pytest.raises(Unavailable, match="do not give the root that was sealed at 5"):
        await another.seal_now()
    assert await ledger.size() == 5


async def test_it_seals_soon_after_it_is_told_and_takes_the_checkpoint_out(
    database_url: str,
    ledger: SealedLedger,
    appender: Appender,
    sealing: Sealing,
    given: ProofSettings,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealing_module, "EXPORT_SECONDS", 0.05)
    appender.on_appended.append(sealing.wake)
    sealing.start(database_url)
    try:
        for size in (3, 6):
            await write(3)
            await until_sealed(ledger, size)
            for folder in given.folders:
                await until_there(folder / "main" / f"{size:020}.note")
        assert sealing.troubles == []
    finally:
        await sealing.close()
    for folder in given.folders:
        assert "\n6\n" in (folder / "main" / "latest.note").read_text()


async def until_sealed(ledger: SealedLedger, size: int) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while await ledger.size() < size:  # noqa: ASYNC110, another task has no event
            await asyncio.sleep(0.02)


async def until_there(path: Path) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not path.exists():  # noqa: ASYNC110, ASYNC240, a file has no event
            await asyncio.sleep(0.02)


async def test_a_second_place_that_fails_is_told_and_hinders_nothing(
    database_url: str,
    ledger: SealedLedger,
    sealing: Sealing,
    given: ProofSettings,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealing_module, "EXPORT_SECONDS", 0.02)
    here, elsewhere = given.folders
    elsewhere.write_text("no folder")
    sealing.start(database_url)
    try:
        await write(3)
        await until_sealed(ledger, 3)
        await until_there(here / "main" / "latest.note")
        async with asyncio.timeout(SECONDS_MAX):
            while sealing.troubles != ["export-failing"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        elsewhere.unlink()
        await write(3)
        await until_there(elsewhere / "main" / f"{6:020}.note")
        async with asyncio.timeout(SECONDS_MAX):
            while sealing.troubles:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        await sealing.close()


@asynccontextmanager
async def process(url: str, given: ProofSettings) -> AsyncIterator[Sealing]:
    """One that has just started, and looked at the checkpoints."""
    pool = await connect(url)
    id = await ledger_id(pool, "main")
    sealing = Sealing(SealedLedger(pool, id, "main"), Appender(pool, id), given)
    await sealing.guard()
    yield sealing
    await sealing.appender.close()
    pool.terminate()


@asynccontextmanager
async def another_process(url: str, given: ProofSettings) -> AsyncIterator[None]:
    """That seals, until it is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.casecore.proof.keeping", url, str(given.key), *map(str, given.folders)),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"sealing\n"
    yield
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_whenever_one_is_killed_the_next_goes_on_and_the_tree_is_right(
    database_url: str,
    recorder: Recorder,
    appender: Appender,
    ledger: SealedLedger,
    given: ProofSettings,
) -> None:
    done = asyncio.Event()

    async def keep_writing() -> None:
        stream = Stream()
        while not done.is_set():
            await appender.append(asking(stream, events=7))
            await asyncio.sleep(0.001)

    writers = [asyncio.create_task(keep_writing()) for _ in range(4)]
    async with another_process(database_url, given):
        await until_sealed(ledger, 500)
    before = await ledger.size()
    async with another_process(database_url, given), another_process(database_url, given):
        await until_sealed(ledger, before + 500)
        done.set()
        await asyncio.gather(*writers)
    sealing = Sealing(ledger, appender, given)
    await sealing.seal_now()
    await are_right(recorder, await recorder.head())


async def test_a_checkpoint_that_the_store_lost_in_a_crash_still_agrees(
    tmp_path: Path, given: ProofSettings
) -> None:
    """It left the house, and need not have been on the disk; the events were."""
    postgres = embedded.start(tmp_path / "crashing")
    try:
        await migrate(postgres.url)
        for size in (5, 10, 15):
            async with process(postgres.url, given) as sealing:
                assert sealing.findings == []
                await sealing.appender.append(asking(Stream(), events=5))
                sealed = await sealing.seal_now()
                assert sealed is not None
                os.kill(postgres.pid, signal.SIGKILL)
                postgres.stop()
                postgres = embedded.start(tmp_path / "crashing")
            async with process(postgres.url, given) as sealing:
                assert sealing.findings == []
                assert await sealing.ledger.root(size) == sealed.root
        async with process(postgres.url, given) as sealing:
            await sealing.seal_now()
            await are_right(Recorder(sealing.ledger.pool, sealing.ledger.id, "main"), 15)
    finally:
        postgres.stop()
