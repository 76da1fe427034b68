"""A ledger with a working day in it, and a database where there is nothing yet."""

from collections.abc import AsyncIterator
from datetime import date
from uuid import uuid4

import pytest

from api.demo import play
from casecore.appender import Appender
from casecore.core import Core
from casecore.database import Pool, connect, ledger_id
from casecore.recorder import Recorder
from tests.conftest import named, run

LEDGER = "day"
MONDAY = date(2025, 11, 3)
A_FEW, EVERY_STORY = 12, 60
"""So many cases, with seed 1, tell some stories, or every one."""


@pytest.fixture
async def core(pool: Pool) -> AsyncIterator[Core]:
    id = await ledger_id(pool, LEDGER)
    appender = Appender(pool, id)
    yield Core(Recorder(pool, id, LEDGER), appender)
    await appender.close()


@pytest.fixture
async def day(core: Core) -> Core:
    await play(core, 1, MONDAY, EVERY_STORY)
    return core


@pytest.fixture
async def morning(core: Core) -> Core:
    await play(core, 1, MONDAY, A_FEW)
    return core


@pytest.fixture
async def elsewhere(server: str, template: str) -> AsyncIterator[Pool]:
    name = f"casecore_{uuid4().hex[:12]}"
    await run(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    pool = await connect(named(server, name))
    yield pool
    await pool.close()
    await run(server, f"DROP DATABASE {name} WITH (FORCE)")
