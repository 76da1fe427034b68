"""The database is brought to the shape this casecore needs, by whoever is first."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from casecore import database
from casecore.database import DatabaseError, Pool, connect, ledger_id, migrate, migrations
from tests.conftest import named, run


@pytest.fixture
async def empty_url(server: str) -> AsyncIterator[str]:
    name = f"casecore_{uuid4().hex[:12]}"
    await run(server, f"CREATE DATABASE {name}")
    yield named(server, name)
    await run(server, f"DROP DATABASE {name} WITH (FORCE)")


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))


async def test_five_processes_may_migrate_at_once(empty_url: str) -> None:
    code = "import asyncio, sys; from casecore.database import migrate; "
    code += "asyncio.run(migrate(sys.argv[1]))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, empty_url, env=environment)
        for _ in range(5)
    ]
    assert [await process.wait() for process in processes] == [0] * 5
    connection = await asyncpg.connect(empty_url)
    applied = await connection.fetch("SELECT number, checksum FROM es.migration ORDER BY number")
    await connection.close()
    assert [tuple(row) for row in applied] == [
        (migration.number, migration.checksum) for migration in migrations()
    ]


async def test_migrating_again_changes_nothing(database_url: str, pool: Pool) -> None:
    before = await pool.fetch("SELECT * FROM es.migration")
    await migrate(database_url)
    assert await pool.fetch("SELECT * FROM es.migration") == before


async def test_a_migration_that_was_edited_is_refused(database_url: str, pool: Pool) -> None:
    await pool.execute("UPDATE es.migration SET checksum = 'of another text' WHERE number = 1")
    with pytest.raises(DatabaseError, match="0001_ledger") as refusal:
        await migrate(database_url)
    assert refusal.value.code == "migration-edited"


async def test_a_ledger_written_by_a_newer_casecore_is_refused(
    database_url: str, pool: Pool
) -> None:
    await pool.execute("INSERT INTO es.migration VALUES (9999, '9999_later.sql', '')")
    with pytest.raises(DatabaseError, match="migration 9999") as refusal:
        await migrate(database_url)
    assert refusal.value.code == "ledger-newer"


async def test_a_migration_that_fails_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = database.Migration(1, "0001_broken.sql", "CREATE TABLE es.half (); SELECT 1 / 0")
    with monkeypatch.context() as patched:
        patched.setattr(database, "migrations", lambda: [broken])
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(empty_url)
    await migrate(empty_url)
    connection = await asyncpg.connect(empty_url)
    assert await connection.fetchval("SELECT to_regclass('es.half')") is None
    await connection.close()


async def test_an_old_server_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAJOR_MIN", 1_000)
    for doing in (migrate, connect):
        with pytest.raises(DatabaseError) as refusal:
            await doing(database_url)
        assert refusal.value.code == "postgres-too-old"


async def test_a_ledger_is_made_when_it_is_first_named(pool: Pool) -> None:
    names = ["main", "brand", "main", "brand", "main"]
    ids = await asyncio.gather(*(ledger_id(pool, name) for name in names))
    assert len(set(ids)) == 2
    assert ids[0] == ids[2] == ids[4]
