"""A ledger that somebody writes to, and what seals it."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from casecore.appender import Appender
from casecore.ledger import Appended
from casecore.proof.notes import SealingKey, VerifierKey, origin
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.recorder import Recorder
from tests.casecore.writing import Stream, asking

Write = Callable[[int], Awaitable[Appended]]


@pytest.fixture
def ledger(recorder: Recorder) -> SealedLedger:
    return SealedLedger(recorder.pool, recorder.id, recorder.ledger)


@pytest.fixture
def given(tmp_path: Path) -> ProofSettings:
    return ProofSettings(tmp_path / "sealing.key", (tmp_path / "here", tmp_path / "elsewhere"))


@pytest.fixture
def key(given: ProofSettings) -> VerifierKey:
    return SealingKey.ensured(given.key).verifier(origin("main"))


@pytest.fixture
def sealing(ledger: SealedLedger, appender: Appender, given: ProofSettings) -> Sealing:
    return Sealing(ledger, appender, given)


@pytest.fixture
def write(appender: Appender) -> Write:
    """Write so many events, to two streams by turns."""
    streams = Stream(), Stream()

    async def write(events: int) -> Appended:
        appended = await appender.append(asking(streams[0], events=events - events // 2))
        if events > 1:
            appended = await appender.append(asking(streams[1], events=events // 2))
        return appended

    return write
