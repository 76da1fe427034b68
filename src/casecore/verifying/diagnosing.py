"""Finds out what is wrong with an event that does not agree with what is around it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from casecore.integrity import core_hash, first_head, leaf_hash, next_head
from casecore.ledger import Row
from casecore.proof.tree import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH
from casecore.recorder import Recorder
from casecore.recording import EVENTS, decode_event
from casecore.verifying.findings import Code, Finding, finding


class Command(NamedTuple):
    """What was answered to a command: where its events end, how many there are, and when it was."""

    position: int
    written: int
    recorded_at: datetime


class Around(NamedTuple):
    """An event with what it is held against."""

    row: Row
    slot: int
    before: Row | None
    """The one before it in its stream, if there is one."""
    earlier: Row | None
    """The one before that."""
    after: Row | None
    previous: Row | None
    """The one before it in the ledger."""
    sealed: bytes | None
    """The tile that was sealed of it and those beside it, where one of them is another."""
    as_sealed: bool
    """Whether its leaf is the one that was sealed, so that what disagrees is around it."""
    command: Command | None
    """The one it names, if that is on record."""


async def diagnose(
    recorder: Recorder, position: int, sealed: bytes | None, *, as_sealed: bool
) -> Finding | None:
    """What is wrong with the event at the position; nothing, if that is but what is around it."""
    around = await _around(recorder, position, sealed, as_sealed)
    if around is None:
        return None
    for code, what in wrongs(recorder.ledger, around):
        row = around.row
        sentence = f"the event at position {position} (version {row.version} of {row.stream_id},"
        sentence += f" {row.type!r}): {what}"
        return finding(code, sentence, position, row.stream_id, row.version)
    return None


def wrongs(ledger: str, around: Around) -> Iterator[tuple[Code, str]]:
    """What speaks against an event, that which says most first."""
    row, before = around.row, around.before
    if before is None and row.version > 1:
        yield "version-missing", f"there is no version {row.version - 1} before it"
        return
    if before is not None and before.position > row.position:
        yield (
            "order-changed",
            f"it stands before version {before.version} of its stream, at {before.position}",
        )
        return
    begins = first_head(ledger, row.stream_id) if before is None else before.head
    digest = sha256(row.data).digest()
    core = _core(ledger, row, row.data_hash)
    reckoned = next_head(begins, core)
    if digest != row.data_hash:
        if next_head(begins, _core(ledger, row, digest)) == row.head:
            yield "data-hash-changed", "the hash kept of its data is not the hash of its data"
            return
        hashes = f"its hash is {digest.hex()}, and {row.data_hash.hex()} was recorded"
        yield "data-changed", f"its data is not what was recorded: {hashes}"
        return
    if reckoned != row.head:
        if around.as_sealed:
            return
        leaf = _sealed_leaf(around)
        if leaf == leaf_of(row, core, reckoned, row.position) or _followed(
            ledger, around, reckoned
        ):
            yield "head-changed", f"its head is {row.head.hex()}, and was {reckoned.hex()}"
        elif _misled(ledger, around, core):
            return
        else:
            yield (
                "envelope-changed",
                f"its {' or '.join(_doubted(around))} is not what was recorded: its head would be"
                f" {reckoned.hex()}, and is {row.head.hex()}",
            )
        return
    if around.as_sealed:
        pass
    elif around.sealed is not None:
        place = _place_of(around, core)
        if place is not None:
            yield "order-changed", f"it was sealed at position {place}"
        elif around.command is not None and around.command.recorded_at == row.recorded_at:
            yield "event-rewritten", "it is not what was sealed, though its hashes fit it"
        else:
            yield (
                "time-changed",
                f"it was not recorded at {row.recorded_at.isoformat()}, or not at this position",
            )
    elif around.previous is not None and row.recorded_at < around.previous.recorded_at:
        yield (
            "time-runs-back",
            f"it was recorded at {row.recorded_at.isoformat()}, and the one before it at"
            f" {around.previous.recorded_at.isoformat()}",
        )
    if around.slot != int.from_bytes(row.stream_id.bytes[-2:], "big") & 0x3FF:
        yield "slot-changed", f"its slot is {around.slot}"
    if not _readable(row):
        yield "undecodable", "its type or the form of its data is unknown to this casecore"


async def _around(
    recorder: Recorder, position: int, sealed: bytes | None, as_sealed: bool
) -> Around | None:
    beside = await recorder.read(max(position - 2, 0), 2, upto=position)
    rows = {row.position: finite(row) for row in beside}
    row = rows.get(position)
    if row is None:
        return None
    near = await recorder.history(row.stream_id, row.version - 3, upto=row.version + 1)
    by_version = {one.version: one for one in near}
    slot = await recorder.pool.fetchval(
        "SELECT slot FROM es.event WHERE ledger = $1 AND position = $2", recorder.id, position
    )
    commands = await commands_of(recorder, [row])
    return Around(
        row=row,
        slot=slot,
        before=by_version.get(row.version - 1),
        earlier=by_version.get(row.version - 2),
        after=by_version.get(row.version + 1),
        previous=rows.get(position - 1),
        sealed=sealed,
        as_sealed=as_sealed,
        command=commands.get(row.command_id),
    )


async def commands_of(recorder: Recorder, rows: Sequence[Row]) -> dict[UUID, Command]:
    """The commands that these events name, by their ids, as far as they are on record."""
    found = await recorder.pool.fetch(
        """
        SELECT command_id, position, written, recorded_at FROM es.command
        WHERE ledger = $1 AND command_id = ANY ($2)
        """,
        *(recorder.id, [row.command_id for row in rows]),
    )
    return {id: Command(*answer) for id, *answer in found}


def finite(row: Row) -> Row:
    """PostgreSQL's endless times come without a zone."""
    at = row.recorded_at
    return row if at.tzinfo else row._replace(recorded_at=at.replace(tzinfo=UTC))


def leaf_of(row: Row, core: bytes, head: bytes, position: int) -> bytes:
    try:
        return leaf_hash(core, head, position, row.recorded_at)
    except OverflowError:  # No event was recorded at such a time.
        return b""


def _core(ledger: str, row: Row, data_hash: bytes) -> bytes:
    return core_hash(
        ledger, row.stream_id, row.version, row.type, row.command_id, row.meta, data_hash
    )


def _sealed_leaf(around: Around) -> bytes | None:
    if around.sealed is None:
        return None
    index = (around.row.position - 1) % TILE_WIDTH
    return around.sealed[index * HASH_BYTES : (index + 1) * HASH_BYTES]


def _followed(ledger: str, around: Around, head: bytes) -> bool:
    """Whether the next event of the stream follows that head."""
    after = around.after
    return (
        after is not None and next_head(head, _core(ledger, after, after.data_hash)) == after.head
    )


def _misled(ledger: str, around: Around, core: bytes) -> bool:
    """Whether it would follow, had the one before it the head that it should have."""
    before, earlier = around.before, around.earlier
    if before is None:
        return False
    begins = first_head(ledger, before.stream_id) if earlier is None else earlier.head
    head = next_head(begins, _core(ledger, before, before.data_hash))
    return next_head(head, core) == around.row.head


def _doubted(around: Around) -> list[str]:
    """What of the envelope nothing else vouches for."""
    doubted = ["meta"]
    if around.row.type not in EVENTS or not _readable(around.row):
        doubted.append("type")
    command = around.command
    if command is None or not (
        command.position - command.written < around.row.position <= command.position
    ):
        doubted.append("command")
    return doubted


def _place_of(around: Around, core: bytes) -> int | None:
    """The position at which the event was sealed, if that is beside this one."""
    row = around.row
    first = (row.position - 1 >> TILE_HEIGHT << TILE_HEIGHT) + 1
    assert around.sealed is not None
    for index in range(len(around.sealed) // HASH_BYTES):
        leaf = leaf_of(row, core, row.head, first + index)
        if leaf == around.sealed[index * HASH_BYTES : (index + 1) * HASH_BYTES]:
            return first + index
    return None


def _readable(row: Row) -> bool:
    try:
        decode_event(row.type, row.data)
    except Exception:
        return False
    return True
