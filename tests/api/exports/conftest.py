"""A ledger with nothing in it, for files to come into."""

from collections.abc import AsyncIterator

import pytest

from casecore.appender import Appender
from casecore.core import Core
from casecore.database import Pool, ledger_id
from casecore.recorder import Recorder


@pytest.fixture
async def core(pool: Pool) -> AsyncIterator[Core]:
    id = await ledger_id(pool, "files")
    appender = Appender(pool, id)
    yield Core(Recorder(pool, id, "files"), appender)
    await appender.close()
