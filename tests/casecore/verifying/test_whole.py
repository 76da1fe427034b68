"""A ledger is verified whole, in parts, by several processes, or from where it was trusted."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from casecore.appender import Appender
from casecore.case.events.intake import NoteAdded
from casecore.database import connect, ledger_id
from casecore.eventsourced import EventRecorder
from casecore.proof.notes import Head, SealingKey, VerifierKey, origin
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.proof.tree import TILE_BYTES, Edge
from casecore.recorder import Recorder
from casecore.verifying import events, whole
from casecore.verifying.events import Part, Walk
from casecore.verifying.findings import MEANS
from casecore.verifying.scrubbing import Scrubber
from casecore.verifying.whole import Asked, Report, verify
from tests.casecore.proof.test_restoring import backup, restored  # noqa: F401
from tests.casecore.verifying.conftest import Tamper, Verify
from tests.casecore.writing import Stream, asking
from tests.spec import CASE_ID, registered
from tests.telling import Telling


def codes(report: Report) -> list[str]:
    return [one.code for one in report.findings]


async def test_a_ledger_as_it_was_recorded_has_nothing_wrong(
    sealed: list[Stream], verifying: Verify, given: ProofSettings
) -> None:
    report = await verifying()
    assert (report.events, report.upto, report.sealed) == (600, 600, 600)
    assert (report.findings, report.unverified) == ((), ())
    assert report.checkpoints > 5
    assert report.notes == 2 * (report.checkpoints + 1)


async def test_an_empty_ledger_has_nothing_wrong(verifying: Verify) -> None:
    report = await verifying()
    assert (report.events, report.findings, report.unverified) == (0, (), ())


async def test_without_a_key_signatures_are_said_not_to_be_verified(
    sealed: list[Stream], verifying: Verify
) -> None:
    report = await verifying(Asked(None))
    assert report.findings == ()
    assert "there is no key" in report.unverified[0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("data = set_byte(data, 5, 1)", "data-changed"),
        ("meta = set_byte(meta, 5, 1)", "envelope-changed"),
        ("head = set_byte(head, 5, 1)", "head-changed"),
        ("head = substr(head, 1, 31)", "head-changed"),
        ("data_hash = '\\x'", "data-hash-changed"),
        ("recorded_at = recorded_at - interval '1 h'", "time-runs-back"),
        ("recorded_at = '-infinity'", "time-runs-back"),
        ("version = 7", "version-missing"),
    ],
)
async def test_what_is_not_sealed_yet_is_held_by_its_chain(
    appender: Appender, verifying: Verify, tamper: Tamper, change: str, code: str
) -> None:
    stream = Stream()
    for _ in range(4):
        await appender.append(asking(stream))
    report = await verifying()
    assert (codes(report), len(report.unverified)) == ([], 1)
    await tamper(f"UPDATE es.event SET {change} WHERE position = 3")
    [found, *_] = (await verifying()).findings
    assert (found.code, found.position) == (code, 3)


async def test_a_past_that_was_rewritten_to_the_last_hash_is_not_the_one_that_was_signed(
    appender: Appender,
    sealing: Sealing,
    ledger: SealedLedger,
    tamper: Tamper,
    verifying: Verify,
) -> None:
    """By somebody who can write whatever they want, and has not got the key."""
    stream, forged = Stream(), Stream()
    forged.id, forged.head = stream.id, stream.head
    await appender.append(asking(stream, events=300))
    await sealing.seal_now()
    await appender.append(asking(stream, events=300))
    await sealing.seal_now()
    await tamper("DELETE FROM es.event; DELETE FROM es.command")
    await tamper("UPDATE es.ledger SET last_position = 0")
    await Appender(ledger.pool, ledger.id).append(asking(forged, events=600))
    _, tiles = Edge().grow(await ledger.leaves(0, 600))
    for (level, number), hashes in tiles.items():
        assert len(hashes) <= TILE_BYTES
        await tamper(
            f"UPDATE proof.tile SET hashes = '\\x{hashes.hex()}'"
            f" WHERE level = {level} AND number = {number}"
        )
    [first, *_] = (await verifying()).findings
    assert (first.code, first.position) == ("checkpoint-contradicted", 300)


async def test_a_checkpoint_that_lies_elsewhere_is_held_against_the_ledger(
    sealed: list[Stream], verifying: Verify, given: ProofSettings, key: VerifierKey
) -> None:
    note = given.folders[1] / "main" / "latest.note"
    told = note.read_text()
    note.unlink()
    note.write_text(told.replace("\n600\n", "\n601\n"))
    assert codes(await verifying()) == ["checkpoint-untrusted"]
    signer = SealingKey.read(given.key)
    note.write_text(signer.sign(Head(origin("main"), 601, bytes(32))))
    assert codes(await verifying()) == ["ledger-rolled-back"]
    note.write_text(signer.sign(Head(origin("main"), 600, bytes(32))))
    assert codes(await verifying()) == ["ledger-forked"]


async def test_a_backup_that_was_restored_is_found_by_the_checkpoints_elsewhere(
    restored: str,  # noqa: F811
    given: ProofSettings,
    key: VerifierKey,
) -> None:
    pool = await connect(restored)
    asked = Asked(key, [folder / "main" for folder in given.folders])
    report = await verify(restored, pool, await ledger_id(pool, "main"), "main", asked)
    await pool.close()
    assert {*codes(report)} == {"ledger-rolled-back"}
    assert (report.upto, report.findings[0].position) == (5, 6)


async def since(ledger: SealedLedger, size: int) -> Head:
    checkpoint = await ledger.checkpoint(size)
    assert checkpoint is not None
    return Head(origin("main"), checkpoint.size, checkpoint.root)


async def test_since_a_checkpoint_only_what_came_after_is_gone_through(
    sealed: list[Stream],
    verifying: Verify,
    tamper: Tamper,
    ledger: SealedLedger,
    key: VerifierKey,
) -> None:
    asked = Asked(key, since=await since(ledger, 320))
    report = await verifying(asked)
    assert (report.after, report.events, report.findings) == (256, 344, ())
    await tamper("UPDATE es.event SET data = '{}' WHERE position IN (100, 400)")
    [found] = (await verifying(asked)).findings
    assert (found.code, found.position) == ("data-changed", 400)


async def test_a_ledger_that_does_not_go_on_from_a_checkpoint_is_said_to_be_another(
    sealed: list[Stream], verifying: Verify, ledger: SealedLedger, key: VerifierKey
) -> None:
    trusted = await since(ledger, 320)
    other = await verifying(Asked(key, since=trusted._replace(root=bytes(32))))
    assert codes(other) == ["ledger-forked"]
    later = await verifying(Asked(key, since=trusted._replace(size=9_999)))
    assert codes(later) == ["ledger-rolled-back"]


async def test_parts_are_shared_out_among_processes(
    sealed: list[Stream],
    verifying: Verify,
    tamper: Tamper,
    key: VerifierKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole, "PART", 256)
    report = await verifying(Asked(key, jobs=2))
    assert (report.events, report.findings) == (600, ())
    await tamper("UPDATE es.event SET data = '{}' WHERE position IN (100, 400)")
    found = (await verifying(Asked(key, jobs=2))).findings
    assert [(one.code, one.position) for one in found] == [
        ("data-changed", 100),
        ("data-changed", 400),
    ]


async def test_it_makes_no_difference_how_much_is_read_and_remembered(
    sealed: list[Stream], verifying: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BATCH_BYTES", 1_000)
    assert (await verifying()).findings == ()


async def test_a_ledger_that_is_written_to_and_sealed_meanwhile_has_nothing_wrong(
    appender: Appender, sealing: Sealing, verifying: Verify, database_url: str
) -> None:
    sealing.start(database_url)

    async def write() -> None:
        stream = Stream()
        while True:
            await appender.append(asking(stream, events=7))
            sealing.wake()
            await asyncio.sleep(0.001)

    writing = asyncio.create_task(write())
    scrubber = Scrubber(sealing.ledger, sealing)
    reports = []
    while len(reports) < 10 or reports[-1].checkpoints < 10:
        reports.append(await verifying())
        assert reports[-1].findings == ()
        assert (await scrubber.run(pause=0)).state == "sound"
    writing.cancel()
    await sealing.close()
    assert reports[-1].events > 500


async def test_large_events_are_read_whole(
    recorder: Recorder, verifying: Verify, key: VerifierKey, tamper: Tamper
) -> None:
    telling = Telling(recorder)
    notes = [NoteAdded(f"n{n}", "ä" * length) for n, length in enumerate((1, 8_190, 1_400_000) * 3)]
    await telling.tell(CASE_ID, registered, *notes)
    report = await verifying(Asked(key, decoding=True))
    assert (report.events, report.findings) == (10, ())
    await tamper("UPDATE es.event SET data = set_byte(data, 2000000, 65) WHERE position = 7")
    [found] = (await verifying(Asked(key))).findings
    assert (found.code, found.position) == ("data-changed", 7)


async def test_heads_that_are_not_at_hand_are_asked_for(
    sealed: list[Stream], ledger: SealedLedger
) -> None:
    walk = Walk(ledger.pool, ledger.id, ledger.ledger, heads_max=1)
    for part in (Part(256, 512), Part(0, 256), Part(512, 600)):
        checked = await walk.check(part)
        assert (checked.gaps, checked.suspects) == ([], [])


async def test_streams_of_the_library_count_from_0(
    recorder: Recorder, appender: Appender, verifying: Verify
) -> None:
    from eventsourcing.persistence import StoredEvent

    id = uuid4()
    written = [StoredEvent(id, version, "Said", b"{}") for version in range(3)]
    for one in written:
        await EventRecorder(recorder, appender).insert_events([one])
    assert (await verifying()).findings == ()


async def test_that_an_event_can_be_read_is_verified_when_asked_for(
    sealed: list[Stream], verifying: Verify, key: VerifierKey
) -> None:
    [first, *_] = (await verifying(Asked(key, decoding=True))).findings
    assert (first.code, first.position) == ("undecodable", 1)


def test_whatever_is_found_says_what_it_means(tmp_path: Path) -> None:
    assert all(sentence.endswith(".") for sentence in MEANS.values())
