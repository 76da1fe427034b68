"""A ledger that is not the one that was sealed is not written to, until somebody accepts it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from casecore.appender import Appender
from casecore.database import connect, ledger_id
from casecore.errors import Rejected, Unavailable
from casecore.proof import places
from casecore.proof.notes import SealingKey
from casecore.proof.places import ALL_FOR, HOURLY_FOR, Place, surplus
from casecore.proof.restoring import Finding
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import ProofSettings, Sealing
from tests.casecore.writing import Stream, asking
from tests.conftest import named, run

Backup = Callable[[], Awaitable[str]]


@asynccontextmanager
async def casecore(url: str, given: ProofSettings) -> AsyncIterator[Sealing]:
    """Started on a database, having looked at the checkpoints."""
    pool = await connect(url)
    id = await ledger_id(pool, "main")
    appender = Appender(pool, id)
    sealing = Sealing(SealedLedger(pool, id, "main"), appender, given)
    await sealing.guard()
    yield sealing
    await appender.close()
    await pool.close()


async def write(sealing: Sealing, events: int) -> None:
    await sealing.appender.append(asking(Stream(), events=events))


@pytest.fixture
async def backup(server: str, database_url: str) -> AsyncIterator[Backup]:
    """Make a copy of the database, as it is now: its address."""
    made: list[str] = []

    async def backup() -> str:
        made.append(f"casecore_{uuid4().hex[:12]}")
        source = urlsplit(database_url).path[1:]
        await run(server, f"CREATE DATABASE {made[-1]} TEMPLATE {source}")
        return named(server, made[-1])

    yield backup
    for name in made:
        await run(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def restored(database_url: str, backup: Backup, given: ProofSettings) -> str:
    """A backup of when the ledger ended at 5; it came to 12 since."""
    async with casecore(database_url, given) as sealing:
        await write(sealing, 5)
        await sealing.seal_now()
    url = await backup()
    async with casecore(database_url, given) as sealing:
        assert sealing.findings == []
        await write(sealing, 7)
        await sealing.seal_now()
    return url


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


async def test_a_ledger_that_only_grew_is_written_to(
    database_url: str, restored: str, given: ProofSettings
) -> None:
    async with casecore(database_url, given) as sealing:
        assert sealing.findings == []
        await write(sealing, 1)


async def test_an_old_backup_is_found_and_not_written_to(
    restored: str, given: ProofSettings
) -> None:
    async with casecore(restored, given) as sealing:
        assert codes(sealing.findings) == ["ledger-rolled-back"] * 2
        assert sealing.troubles == ["ledger-rolled-back"] * 2
        with pytest.raises(Unavailable) as refused:
            await write(sealing, 1)
        assert refused.value.code == "ledger-rolled-back"
        for told in ("ends at position 5", "has it at 12", "here/main/latest.note", "UTC"):
            assert told in str(refused.value)
        assert "casecore audit accept-restore --ledger main --reason" in str(refused.value)
        with pytest.raises(Unavailable):
            await sealing.seal_now()
        assert await sealing.ledger.size() == 5
        assert await sealing.ledger.inclusion(2, await must_be(sealing.ledger, 5))


async def must_be(ledger: SealedLedger, size: int) -> object:
    checkpoint = await ledger.checkpoint(size)
    assert checkpoint is not None
    return checkpoint


async def test_one_that_was_written_to_since_is_a_fork(
    restored: str, given: ProofSettings, tmp_path: Path
) -> None:
    unaware = ProofSettings(given.key, (tmp_path / "nowhere",))
    for more in (7, 1):
        async with casecore(restored, unaware) as sealing:
            await write(sealing, more)
        async with casecore(restored, given) as sealing:
            assert codes(sealing.findings) == ["ledger-forked"] * 2
            with pytest.raises(Unavailable, match="up to position 12 is not what was sealed"):
                await write(sealing, 1)
    async with casecore(restored, unaware) as sealing:
        await sealing.seal_now()
    async with casecore(restored, given) as sealing:
        assert codes(sealing.findings) == ["ledger-forked"] * 2


async def test_the_second_place_alone_finds_it(restored: str, given: ProofSettings) -> None:
    key, (_, elsewhere) = given
    async with casecore(restored, ProofSettings(key, (elsewhere,))) as sealing:
        assert codes(sealing.findings) == ["ledger-rolled-back"]


async def test_without_the_latest_note_the_one_of_the_largest_size_speaks(
    restored: str, given: ProofSettings
) -> None:
    for folder in given.folders:
        (folder / "main" / "latest.note").unlink()
    async with casecore(restored, given) as sealing:
        assert codes(sealing.findings) == ["ledger-rolled-back"] * 2


async def test_what_was_accepted_is_on_record_and_written_to(
    restored: str, given: ProofSettings
) -> None:
    async with casecore(restored, given) as sealing:
        root = await sealing.ledger.root(5)
        accepted = await sealing.accept("olga", "The disk failed; the backup of 3 a.m. is back")
        assert (accepted.size, accepted.root) == (5, root)
        assert sealing.findings == []
        await write(sealing, 1)
        sealed = await sealing.seal_now()
        assert sealed is not None
        assert sealed.size == 6
        rows = await sealing.ledger.pool.fetch("SELECT * FROM proof.restored ORDER BY found_in")
        assert [row["code"] for row in rows] == ["ledger-rolled-back"] * 2
        for row in rows:
            assert (row["ledger_size"], row["ledger_root"]) == (5, root)
            assert (row["accepted_by"], row["reason"][:8]) == ("olga", "The disk")
            assert "\n12\n" in row["note"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sealing.ledger.pool.execute("DELETE FROM proof.restored")
    for folder in given.folders:
        [aside] = (folder / "main").glob("before-*")
        assert "\n12\n" in (aside / "latest.note").read_text()
        assert (aside / f"{12:020}.note").exists()
        told = (aside / "restored.txt").read_text()
        assert "olga accepted ledger main" in told
        assert "The disk failed" in told
        assert "\n6\n" in (folder / "main" / "latest.note").read_text()
    async with casecore(restored, given) as sealing:
        assert sealing.findings == []
        with pytest.raises(Rejected, match="agrees with every checkpoint"):
            await sealing.accept("olga", "Again")


async def test_a_checkpoint_of_another_key_or_none_at_all_is_not_believed(
    database_url: str, restored: str, given: ProofSettings
) -> None:
    given.key.unlink()
    async with casecore(database_url, given) as sealing:
        assert codes(sealing.findings) == ["checkpoint-untrusted"] * 2
        SealingKey.ensured(given.key)
        await sealing.guard()
        assert codes(sealing.findings) == ["checkpoint-untrusted"] * 2
        with pytest.raises(Unavailable, match="is not signed with casecore/main"):
            await write(sealing, 1)
        await sealing.accept("olga", "The key was lost with the old machine")
        await sealing.seal_now()
    async with casecore(database_url, given) as sealing:
        assert sealing.findings == []
        await write(sealing, 1)


async def test_a_changed_note_is_not_believed(
    database_url: str, restored: str, given: ProofSettings
) -> None:
    latest = given.folders[0] / "main" / "latest.note"
    for text in (latest.read_text().replace("\n12\n", "\n11\n"), "", "\0"):
        latest.write_text(text)
        async with casecore(database_url, given) as sealing:
            assert codes(sealing.findings) == ["checkpoint-untrusted"]


async def test_a_place_that_cannot_be_read_speaks_against_nothing(
    database_url: str, restored: str, given: ProofSettings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    key, (here, _) = given
    async with casecore(database_url, ProofSettings(key, (here, tmp_path / "file"))) as sealing:
        assert sealing.findings == []


async def test_a_place_that_hangs_is_left_alone_and_asked_again_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = Place(tmp_path)
    answers = Event()
    monkeypatch.setattr(places, "SECONDS_MAX", 0.05)
    monkeypatch.setattr(mounted, "_newest", answers.wait)
    for told in ("does not answer", "still does not answer"):
        with pytest.raises(OSError, match=told):
            await mounted.newest()
    monkeypatch.undo()
    answers.set()
    async with asyncio.timeout(5):
        while True:
            with suppress(TimeoutError):
                assert await mounted.newest() == []
                break
            await asyncio.sleep(0.01)


def test_of_old_checkpoints_the_last_of_an_hour_and_then_of_a_day_is_kept() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    notes = [
        (now - timedelta(minutes=10) * n, Path(str(n)))
        for n in range(int(timedelta(days=60) / timedelta(minutes=10)), -1, -1)
    ]
    gone = set(surplus(notes, now))
    kept = [at for at, path in notes if path not in gone]
    assert kept[-1] == now
    recent = [at for at in kept if at > now - ALL_FOR]
    hourly = [at for at in kept if now - HOURLY_FOR < at <= now - ALL_FOR]
    daily = [at for at in kept if at <= now - HOURLY_FOR]
    assert len(recent) == 6
    assert len(hourly) in range(30 * 24 - 2, 30 * 24 + 1)
    assert {at.minute for at in hourly} <= {50, 0}
    assert len(daily) in (30, 31)
    assert surplus([note for note in notes if note[1] not in gone], now) == []
