"""What else could keep these events, on the same server: each as its own users would run it."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from casecore.database import Connection
from casecore.embedded import Embedded

STOCK_THREADS = 4
"""With which it is as fast as it gets here: its appends take turns at a table lock."""
PGBENCH_CLIENTS = 32

BARE = "INSERT INTO bench.bare (stream_id, version, type, meta, data) VALUES ($1, $2, $3, $4, $5)"
SAME_ROW = """
    INSERT INTO bench.same_row (ledger, version, position, recorded_at, stream_id, command_id, slot,
                                type, data_hash, head, meta, data)
    VALUES ($1, $2, $3, now(), $4, $5, 0, $6, $7, $8, $9, $10)
"""

TABLES = """
CREATE SCHEMA bench;
CREATE TABLE bench.bare (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id uuid NOT NULL, version int NOT NULL, type text NOT NULL,
    meta bytea NOT NULL, data bytea NOT NULL
);
CREATE TABLE bench.same_row (LIKE es.event INCLUDING ALL);
"""

COPIED = (
    "ledger, version, position, recorded_at, stream_id, command_id, slot,"
    " type, data_hash, head, meta, data"
)


def stock_environment(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.removeprefix("/"),
        "POSTGRES_HOST": given["host"],
        "POSTGRES_PORT": given["port"],
        "POSTGRES_USER": given["user"],
        "POSTGRES_PASSWORD": "",
    }


class Stock:
    """The recorder of the `eventsourcing` library, in threads, one event an append.

    Not with its database functions: they are faster, but take no lock, and readers that follow
    the log miss events then.
    """

    def __init__(self, url: str, payload: bytes) -> None:
        env = stock_environment(url)
        self.datastore = PostgresDatastore(
            dbname=env["POSTGRES_DBNAME"],
            host=env["POSTGRES_HOST"],
            port=env["POSTGRES_PORT"],
            user=env["POSTGRES_USER"],
            password=env["POSTGRES_PASSWORD"],
            pool_size=STOCK_THREADS,
        )
        self.recorder = PostgresApplicationRecorder(self.datastore)
        self.recorder.create_table()
        self.payload = payload

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.datastore.close()

    async def appends_a_second(self, seconds: float) -> float:
        return await asyncio.to_thread(self._appends_a_second, seconds)

    def _appends_a_second(self, seconds: float) -> float:
        began = perf_counter()

        def append_until_time_is_up(_: int) -> int:
            written = 0
            while perf_counter() < began + seconds:
                stored = StoredEvent(
                    originator_id=uuid4(),
                    originator_version=1,
                    topic="ProgressUpdateSent",
                    state=self.payload,
                )
                self.recorder.insert_events([stored])
                written += 1
            return written

        with ThreadPoolExecutor(STOCK_THREADS) as threads:
            written = sum(threads.map(append_until_time_is_up, range(STOCK_THREADS)))
        return written / (perf_counter() - began)


async def keep_as_many(url: str) -> None:
    """The peers' tables, with the rows that our ledger has: they are to have grown as much."""
    await command(url, TABLES)
    await command(
        url,
        "INSERT INTO bench.bare (stream_id, version, type, meta, data)"
        " SELECT stream_id, version, type, meta, data FROM es.event ORDER BY position",
    )


async def keep_as_many_in_stock(url: str, table: str) -> None:
    await command(
        url,
        f"INSERT INTO {table} (originator_id, originator_version, topic, state)"
        " SELECT stream_id, version, type, meta || data FROM es.event ORDER BY position",
    )


async def command(url: str, statement: str) -> None:
    """Over a connection of its own, for however long it takes."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class PgBench:
    """PostgreSQL's own load generator: one insert of the same size a transaction."""

    def __init__(self, pg: Embedded, url: str, folder: Path, meta: bytes, data: bytes) -> None:
        # It lies beside the server that is running.
        self.program = Path(f"/proc/{pg.pid}/exe").resolve().with_name("pgbench")
        self.url = url
        self.script = folder / "insert.sql"
        self.script.write_text(
            r"\set version random(1, 1000)"
            "\nINSERT INTO bench.bare (stream_id, version, type, meta, data)"
            " VALUES (gen_random_uuid(), :version, 'ProgressUpdateSent',"
            rf" '\x{meta.hex()}', '\x{data.hex()}');"
            "\n"
        )

    async def inserts_a_second(self, a_client: int) -> float:
        process = await asyncio.create_subprocess_exec(
            self.program,
            *("--no-vacuum", "--protocol=prepared", f"--client={PGBENCH_CLIENTS}", "--jobs=2"),
            *(f"--transactions={a_client}", f"--file={self.script}", self.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, complaint = await process.communicate()
        tps = re.search(rb"tps = ([\d.]+) \(without", told)
        if process.returncode or tps is None:
            raise RuntimeError(f"pgbench failed: {complaint.decode()}")
        return float(tps[1])


class Copies:
    """COPY of the rows of one ledger, into a table of the same columns."""

    def __init__(self, connection: Connection, rows: bytes, events: int) -> None:
        self.connection = connection
        self.rows = rows
        self.events = events

    @classmethod
    async def of(cls, connection: Connection, ledger: int, events: int) -> Self:
        rows = BytesIO()
        await connection.copy_from_query(
            f"SELECT {COPIED} FROM es.event WHERE ledger = $1 ORDER BY position",
            ledger,
            output=rows,
            format="binary",
        )
        return cls(connection, rows.getvalue(), events)

    async def events_a_second(self, *, indexed: bool) -> float:
        """Into a table with the ledger's constraints and indexes, or with nothing but columns."""
        like = "INCLUDING ALL" if indexed else "INCLUDING GENERATED"
        await self.connection.execute(f"CREATE TABLE bench.copied (LIKE es.event {like})")
        began = perf_counter()
        await self.connection.copy_to_table(
            "copied",
            schema_name="bench",
            columns=COPIED.split(", "),
            source=BytesIO(self.rows),
            format="binary",
        )
        took = perf_counter() - began
        await self.connection.execute("DROP TABLE bench.copied")
        return self.events / took
