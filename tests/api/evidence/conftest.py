"""A case with clocks among others, sealed, and a bundle of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from api.desk import Desk, Desks
from api.evidence.bundle import bundle
from casecore.actors import Actor, Role
from casecore.case.events.intake import CaseRegistered, ComplaintHeard, NoteAdded
from casecore.case.events.promises import PromiseKept, PromiseMade
from casecore.clockset.events import ClockWarned
from casecore.clockset.state import clockset_id
from casecore.proof.sealing import ProofSettings
from tests.casecore.verifying.conftest import tamper  # noqa: F401
from tests.spec import CASE_ID, NOON, SYSTEM, registered
from tests.telling import Telling

HOUR = timedelta(hours=1)
LEDGER = "told"
OTHER = UUID(int=7)
REGISTERED: CaseRegistered = replace(registered, reason="Zwölf Wochen zu spät, und keiner ruft an")
HELPED = Actor("ada", Role.AGENT, on_behalf_of="ben")


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """One whose case came to position 9, with a clock's warning, of 12 that are sealed."""
    proof = ProofSettings(tmp_path / "sealing.key", (tmp_path / "checkpoints",))
    async with Desks.open(database_url, following=False, proof=proof) as desks:
        desk = await desks.desk(LEDGER)
        telling = await Telling.into(desks.pool, LEDGER)
        await telling.tell(CASE_ID, REGISTERED)
        await telling.tell(OTHER, replace(registered, case_ref="C-0000-0000-0000"))
        await telling.tell(CASE_ID, ComplaintHeard(customer_finished=True), at=NOON + HOUR)
        made = PromiseMade("p1", "update", "News “by” tomorrow", NOON + 3 * HOUR, "ada")
        await telling.tell(CASE_ID, made, at=NOON + HOUR, by=HELPED)
        await telling.tell(OTHER, NoteAdded("n1", "Of another case"))
        warned = ClockWarned(CASE_ID, UUID(int=3), 1, "resolution", "75%", NOON + 9 * HOUR)
        await telling.tell(clockset_id(CASE_ID), warned, at=NOON + 2 * HOUR, by=SYSTEM)
        await telling.tell(CASE_ID, PromiseKept("p1", NOON + 2 * HOUR, "by phone"))
        await telling.tell(CASE_ID, NoteAdded("n1", "Two\nlines"), NoteAdded("n2", "<b>bold</b>"))
        await telling.tell(OTHER, *(NoteAdded(f"n{n}", "More") for n in range(2, 5)))
        assert desk.sealing is not None
        await desk.sealing.seal_now()
        yield desk


@pytest.fixture
async def zipped(desk: Desk, tmp_path: Path) -> Path:
    path = tmp_path / "case.zip"
    path.write_bytes((await bundle(desk, CASE_ID)).body)
    return path
