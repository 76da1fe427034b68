"""A whole ledger from its rows, as they once were: into an empty one, and all or nothing.

What is appended gets the time of its recording from the ledger; what is restored brings it along.
So this goes past `es.append`, which only the role that owns the tables may. Every row is checked to
follow those before it, and nothing shows before the last one has been.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

import asyncpg

from casecore.database import Connection, Pool
from casecore.errors import Forbidden, Rejected
from casecore.integrity import core_hash, first_head, next_head
from casecore.ledger import Row
from casecore.recorder import Head, heads

COMMON = ("ledger", "version", "position", "recorded_at", "command_id")
EVENT = (*COMMON, "stream_id", "slot", "type", "data_hash", "head", "meta", "data")
COMMAND = (*COMMON, "written", "fingerprint")
UNKNOWN = bytes(32)
"""The fingerprint of a request that is not known any more: no request has it, so that a command
that comes again is refused, rather than carried out twice."""
SLOTS = 1024


class Wrong(Exception):
    """A row that does not follow from those before it: the how-manieth, and why."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.number = number


class Command(NamedTuple):
    """What is known of a request by the events it led to."""

    command_id: UUID
    stream_id: UUID
    version: int
    position: int
    written: int
    recorded_at: datetime


async def restore(
    pool: Pool,
    ledger: str,
    batches: Iterable[Sequence[Row]],
    moved: Callable[[int], None] = lambda _: None,
    *,
    keep: bool = True,
) -> int:
    """Fill the ledger, and answer how many events it has; not to `keep` it is to check the rows."""
    try:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            kept = False
            try:
                position = await _fill(connection, ledger, batches, moved)
                kept = keep
            finally:
                await (transaction.commit() if kept else transaction.rollback())
    except asyncpg.InsufficientPrivilegeError:
        raise Forbidden(
            "owner-needed",
            "only the role that owns the tables may restore a ledger: give CASECORE_DATABASE_URL"
            " as for `casecore migrate`",
        ) from None
    return position


async def _fill(
    connection: Connection,
    ledger: str,
    batches: Iterable[Sequence[Row]],
    moved: Callable[[int], None],
) -> int:
    id: int = await connection.fetchval("SELECT es.open_ledger($1)", ledger)
    # Whoever would append meanwhile waits.
    stood = await connection.fetchval(
        "SELECT last_position FROM es.ledger WHERE ledger = $1 FOR UPDATE", id
    )
    if stood:
        raise Rejected(
            "ledger-not-empty",
            f"ledger {ledger} has {stood} events already, and only an empty one can be restored:"
            " take a new database or data folder, before `casecore serve` first runs on it",
        )
    # Statistics know nothing of what this transaction has written.
    await connection.execute("SET LOCAL enable_seqscan = off")
    position, at = 0, datetime.min.replace(tzinfo=UTC)
    open_command: Command | None = None
    for batch in batches:
        places = await heads(connection, id, list({row.stream_id for row in batch}))
        for row in batch:
            check(ledger, row, position + 1, at, places)
            position, at = row.position, row.recorded_at
        *whole, open_command = commands(batch, open_command)
        await _copy(connection, "event", EVENT, (stored(id, row) for row in batch))
        await _copy_commands(connection, id, whole)
        moved(position)
    if open_command is not None:
        await _copy_commands(connection, id, [open_command])
        await connection.execute(
            "UPDATE es.ledger SET last_position = $2, last_at = $3 WHERE ledger = $1",
            *(id, position, open_command.recorded_at),
        )
    return position


def check(ledger: str, row: Row, position: int, at: datetime, places: dict[UUID, Head]) -> None:
    """Whether the row may stand there, after those before it; its stream then stands at it."""
    if row.position != position:
        raise Wrong(position, f"it has position {row.position}, where {position} should follow")
    if row.recorded_at < at:
        raise Wrong(position, "it was recorded before the one that it follows")
    if sha256(row.data).digest() != row.data_hash:
        raise Wrong(position, "its data are not those that its hash was made of")
    version, head = places.get(row.stream_id, (None, first_head(ledger, row.stream_id)))
    if row.version not in ((0, 1) if version is None else (version + 1,)):
        came = "begins" if version is None else f"has come to version {version}"
        raise Wrong(position, f"it has version {row.version}, and its stream {came}")
    core = core_hash(
        ledger,
        *(row.stream_id, row.version, row.type, row.command_id, row.meta, row.data_hash),
    )
    if next_head(head, core) != row.head:
        raise Wrong(
            position, "its head does not follow: its type, command, meta or data were changed"
        )
    places[row.stream_id] = row.version, row.head


def commands(rows: Sequence[Row], first: Command | None) -> list[Command]:
    """The requests that led to these; the first may have begun before them, the last go on."""
    found = [first] if first else []
    for command_id, group in groupby(rows, key=lambda row: row.command_id):
        for row in group:
            last = found[-1] if found else None
            if last is None or last.command_id != command_id:
                last = Command(command_id, row.stream_id, 0, 0, 0, row.recorded_at)
                found.append(last)
            found[-1] = last._replace(
                version=row.version if row.stream_id == last.stream_id else last.version,
                position=row.position,
                written=last.written + 1,
            )
    return found


def stored(id: int, row: Row) -> tuple[object, ...]:
    return (
        *(id, row.version, row.position, row.recorded_at, row.command_id, row.stream_id),
        *(row.stream_id.int % SLOTS, row.type, row.data_hash, row.head, row.meta, row.data),
    )


async def _copy_commands(connection: Connection, id: int, found: Sequence[Command]) -> None:
    rows = (
        (id, c.version, c.position, c.recorded_at, c.command_id, c.written, UNKNOWN) for c in found
    )
    try:
        await _copy(connection, "command", COMMAND, rows)
    except asyncpg.UniqueViolationError as error:
        raise Rejected(
            "command-twice", f"the file has a command twice, at two places: {error.detail}"
        ) from None


async def _copy(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[tuple[object, ...]],
) -> None:
    await connection.copy_records_to_table(table, schema_name="es", columns=columns, records=rows)
