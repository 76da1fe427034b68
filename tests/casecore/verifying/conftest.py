"""A ledger that was written to and sealed, and somebody who can change anything in it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from casecore.appender import Appender
from casecore.proof.notes import VerifierKey
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.verifying.whole import Asked, Report, verify
from tests.casecore.proof.conftest import given, key, ledger, sealing  # noqa: F401
from tests.casecore.writing import Stream, asking

Tamper = Callable[[str], Awaitable[None]]
Verify = Callable[..., Awaitable[Report]]

TABLES = ("es.event", "proof.tile", "proof.checkpoint")


@pytest.fixture
async def tamper(database_url: str) -> AsyncIterator[Tamper]:
    """The owner of the database, who has put the triggers out of the way."""
    owner = await asyncpg.connect(database_url)
    for table in TABLES:
        await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")

    async def change(sql: str) -> None:
        await owner.execute(sql)

    yield change
    await owner.close()


@pytest.fixture
async def verifying(
    database_url: str,
    ledger: SealedLedger,  # noqa: F811
    given: ProofSettings,  # noqa: F811
    key: VerifierKey,  # noqa: F811
) -> Verify:
    asked = Asked(key, [folder / "main" for folder in given.folders])

    async def verifying(asked: Asked = asked) -> Report:
        return await verify(database_url, ledger.pool, ledger.id, ledger.ledger, asked)

    return verifying


@pytest.fixture
async def sealed(appender: Appender, sealing: Sealing) -> list[Stream]:  # noqa: F811
    """Three streams, of 300 events and 200 and 100, in turns of 20, and 60 checkpoints."""
    streams = [Stream(), Stream(), Stream()]
    for turn in range(30):
        stream = streams[(0, 1, 0, 2, 1, 0)[turn % 6]]
        await appender.append(asking(stream, events=10))
        if turn == 29:
            await sealing.seal_now()
        await appender.append(asking(stream, events=10))
        if turn % 5 == 0:
            await sealing.seal_now()
    await sealing.seal_now()
    return streams
