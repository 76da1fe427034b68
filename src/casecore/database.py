"""The pool, the migrations, and the two names the rest of the code needs for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pgproto.pgproto import UUID as DriverUUID
from asyncpg.pool import PoolConnectionProxy

from casecore.errors import CaseError

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = PoolConnectionProxy

MAJOR_MIN = 15
COMMAND_SECONDS_MAX = 30.0
SETTINGS = {"application_name": "casecore", "jit": "off"}

# PostgreSQL's advisory locks are numbers; this one is held while migrations are applied.
MIGRATING = 0xCA5EC04E


class DatabaseError(CaseError):
    """This database cannot be worked with; the message says what to do."""


class Migration(NamedTuple):
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def quick(id: bytes) -> UUID:
    """An id as the driver has them: those are hashed and compared without calling Python."""
    return DriverUUID(id)


async def connect(url: str, *, min_size: int = 1, max_size: int = 10) -> Pool:
    with _told():
        pool = await asyncpg.create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            command_timeout=COMMAND_SECONDS_MAX,
            server_settings=SETTINGS,
            max_cached_statement_lifetime=0,
            reset=_as_it_is,
        )
    async with pool.acquire() as connection:
        _refuse_old(connection)
    return pool


async def ledger_id(pool: Pool, name: str) -> int:
    """The number of the ledger of this name, which is made when there is none yet."""
    opened: int = await pool.fetchval("SELECT es.open_ledger($1)", name)
    return opened


async def ledgers(pool: Pool) -> list[str]:
    rows = await pool.fetch("SELECT name FROM es.ledger ORDER BY name")
    return [row["name"] for row in rows]


async def migrate(url: str) -> None:
    """Bring the database to the shape this casecore needs; whoever comes second waits."""
    with _told():
        connection = await asyncpg.connect(url, server_settings=SETTINGS)
    try:
        _refuse_old(connection)
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATING)
        applied = await _applied(connection)
        ours = migrations()
        _refuse_newer(applied, ours)
        for migration in ours:
            if migration.number not in applied:
                await _apply(connection, migration)
            elif applied[migration.number] != migration.checksum:
                raise DatabaseError(
                    "migration-edited",
                    f"{migration.name} is not the file that was applied to this database:"
                    " put that one back, and change the schema by a new one",
                )
    finally:
        await connection.close()


@contextmanager
def _told() -> Iterator[None]:
    """What hinders connecting, as a sentence."""
    try:
        yield
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseError(
            "database-unreachable",
            f"cannot connect to the database: {error}; check CASECORE_DATABASE_URL",
        ) from error


def migrations() -> list[Migration]:
    found = [
        Migration(int(file.name.split("_")[0]), file.name, file.read_text())
        for file in files("casecore").joinpath("migrations").iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found)


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[int, str]:
    # Whoever may not create a schema may still find that there is nothing to do.
    if await connection.fetchval("SELECT to_regclass('es.migration') IS NULL"):
        async with connection.transaction():
            await connection.execute(
                """
                CREATE SCHEMA IF NOT EXISTS es;
                CREATE TABLE es.migration (
                    number     int PRIMARY KEY,
                    name       text NOT NULL,
                    checksum   text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
                )
                """
            )
    rows = await connection.fetch("SELECT number, checksum FROM es.migration")
    return {row["number"]: row["checksum"] for row in rows}


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO es.migration (number, name, checksum) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )


def _refuse_old(connection: "asyncpg.Connection[asyncpg.Record] | Connection") -> None:
    version = connection.get_server_version()
    if version.major < MAJOR_MIN:
        raise DatabaseError(
            "postgres-too-old",
            f"the server is PostgreSQL {version.major}, and casecore needs {MAJOR_MIN} or newer",
        )


def _refuse_newer(applied: dict[int, str], ours: list[Migration]) -> None:
    unknown = applied.keys() - {migration.number for migration in ours}
    if unknown:
        raise DatabaseError(
            "ledger-newer",
            f"this database was last written by a newer casecore (it has migration {max(unknown)},"
            f" this one knows {ours[-1].number}): run that version, or a newer one",
        )


async def _as_it_is(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing of ours outlives its transaction, so a connection goes back without a round trip."""
