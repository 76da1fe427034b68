"""One case is verified: its chains, and that the tree has its events."""

from uuid import UUID

import pytest

from casecore.case.decisions.intake import AddNote, Complainant, RegisterCase
from casecore.case.state import Case
from casecore.core import Core
from casecore.proof.notes import VerifierKey
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import Sealing
from casecore.recorder import Recorder
from casecore.verifying.case import verify_case
from casecore.verifying.scrubbing import Scrubber
from tests.casecore.verifying.conftest import Tamper
from tests.spec import CASE_ID, SAM

REGISTER = RegisterCase(channel="phone", customer=Complainant(ref="c-1"), reason="Late")
OTHER = UUID(int=7)


@pytest.fixture
async def case(core: Core, sealing: Sealing) -> None:
    """Eight events, every other one of them of another case, and one that is not sealed."""
    await core.execute(Case, CASE_ID, REGISTER, by=SAM)
    await core.execute(Case, OTHER, REGISTER, by=SAM)
    for text in ("one", "two", "three"):
        await core.execute(Case, CASE_ID, AddNote(text=text), by=SAM)
        await core.execute(Case, OTHER, AddNote(text=text), by=SAM)
    await sealing.seal_now()
    await core.execute(Case, CASE_ID, AddNote(text="four"), by=SAM)


async def test_a_case_as_it_was_recorded_has_nothing_wrong(
    case: None, recorder: Recorder, ledger: SealedLedger, key: VerifierKey
) -> None:
    report = await verify_case(recorder, ledger, CASE_ID, key)
    assert (report.events, report.sealed, report.findings) == (5, 4, ())
    assert report.head == (await recorder.history(CASE_ID))[-1].head.hex()
    [not_yet] = report.unverified
    assert "not sealed yet" in not_yet


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("es.event SET data = set_byte(data, 9, 1)", "data-changed"),
        ("es.event SET meta = set_byte(meta, 9, 1)", "envelope-changed"),
        ("es.event SET head = set_byte(head, 9, 1)", "head-changed"),
        ("es.event SET recorded_at = recorded_at + interval '1 us'", "time-changed"),
    ],
)
async def test_what_was_changed_in_a_case_is_named(
    case: None,
    recorder: Recorder,
    ledger: SealedLedger,
    key: VerifierKey,
    tamper: Tamper,
    change: str,
    code: str,
) -> None:
    await tamper(f"UPDATE {change} WHERE position = 5")
    [found, *_] = (await verify_case(recorder, ledger, CASE_ID, key)).findings
    assert (found.code, found.position, found.version) == (code, 5, 3)
    other = await verify_case(recorder, ledger, OTHER, key)
    assert other.findings == ()


async def test_an_event_missing_from_a_case_is_named(
    case: None, recorder: Recorder, ledger: SealedLedger, key: VerifierKey, tamper: Tamper
) -> None:
    await tamper("DELETE FROM es.event WHERE position = 5")
    [found, *_] = (await verify_case(recorder, ledger, CASE_ID, key)).findings
    assert (found.code, found.version) == ("version-missing", 4)


async def test_what_was_removed_at_the_end_is_not_said_to_be_right_once_the_scrubber_knows(
    case: None,
    recorder: Recorder,
    sealing: Sealing,
    ledger: SealedLedger,
    key: VerifierKey,
    tamper: Tamper,
) -> None:
    await sealing.seal_now()
    await tamper("DELETE FROM es.event WHERE position = 9")
    await Scrubber(ledger, sealing).run(pause=0)
    report = await verify_case(recorder, ledger, CASE_ID, key)
    [removed] = report.unverified
    assert removed.startswith("that nothing was removed from it: of the ledger as a whole ")
    assert "position 9" in removed


async def test_a_tile_or_a_checkpoint_that_was_changed_is_named(
    case: None, recorder: Recorder, ledger: SealedLedger, key: VerifierKey, tamper: Tamper
) -> None:
    await tamper("UPDATE proof.tile SET hashes = set_byte(hashes, 40, 1)")
    found = (await verify_case(recorder, ledger, CASE_ID, key)).findings
    assert {one.code for one in found} == {"tile-changed", "checkpoint-contradicted"}
    await tamper("UPDATE proof.checkpoint SET note = 'no'")
    found = (await verify_case(recorder, ledger, CASE_ID, key)).findings
    assert "checkpoint-changed" in {one.code for one in found}
