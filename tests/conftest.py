"""A PostgreSQL for the whole run, and a migrated database of its own for every test."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from casecore import embedded
from casecore.appender import Appender
from casecore.core import Core
from casecore.database import Pool, connect, ledger_id, migrate
from casecore.recorder import Recorder


def named(url: str, database: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{database}?{parts.query}"


async def run(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the server: the one that is given, or an embedded one of our own."""
    if given := os.environ.get("CASECORE_TEST_DATABASE_URL"):
        yield given
        return
    with embedded.start(Path(tmp_path_factory.mktemp("var"))) as postgres:
        yield postgres.url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    name = f"casecore_template_{uuid4().hex[:12]}"
    asyncio.run(run(server, f"CREATE DATABASE {name}"))
    asyncio.run(migrate(named(server, name)))
    yield name
    asyncio.run(run(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def database_url(server: str, template: str) -> AsyncIterator[str]:
    name = f"casecore_{uuid4().hex[:12]}"
    await run(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield named(server, name)
    await run(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await connect(database_url)
    yield pool
    await pool.close()


@pytest.fixture
async def recorder(pool: Pool) -> Recorder:
    return Recorder(pool, await ledger_id(pool, "main"), "main")


@pytest.fixture
async def appender(recorder: Recorder) -> AsyncIterator[Appender]:
    appender = Appender(recorder.pool, recorder.id)
    yield appender
    await appender.close()


@pytest.fixture
async def core(recorder: Recorder, appender: Appender) -> Core:
    return Core(recorder, appender)
