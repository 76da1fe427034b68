"""Goes through a part of a ledger in the order of its positions, and hashes everything again.

An event is held against the stored head of the one before it in its stream, so parts can be gone
through by themselves, in any order; heads at hand only save asking for them. What does not agree is
a suspect, and `diagnosing` finds out what is wrong with it.
"""

from hashlib import sha256
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from casecore.database import Pool
from casecore.integrity import sized
from casecore.proof.tree import HASH_BYTES, TILE_WIDTH
from casecore.recording import decode_event

PART = TILE_WIDTH * TILE_WIDTH
"""How many events make a part: those below one tile of the second level."""
BATCH_BYTES = 1 << 21
"""How much is read before it is checked, so that large events take no more memory than small."""
HEADS_MAX = 200_000
"""How many heads are kept at hand."""
SUSPECTS_MAX = 100
"""How many events of a part are suspected. When more are wrong, these say enough."""
READ_SECONDS_MAX = 600.0

ABSENT = bytes(HASH_BYTES)
"""In the place of the leaf of an event that is not there."""

# What is hashed comes as it is: type and meta have their lengths before them, as in the core.
EVENTS = """
    SELECT position, recorded_at, stream_id, version, slot, command_id, data_hash, head,
           type, meta, data
    FROM es.event WHERE ledger = {ledger} AND position > {after} AND position <= {upto}
    ORDER BY position
"""
HEADER_BYTES = 19
COLUMNS = 11
FIXED = Struct(">hiqiqi16siiihi16s")
"""The columns of one length, each after its length, and how many columns there are."""
LENGTH = Struct(">i")
PLACE = Struct(">qQ")
VERSION = Struct(">q")
BEFORE_2000 = 946_684_800_000_000
"""Microseconds from 1970, from when integrity.py counts, to 2000, from when PostgreSQL does."""
UNSIGNED = (1 << 64) - 1
LONG_AGO = -(1 << 63)
SLOTS = 1_023


class Part(NamedTuple):
    """The events from behind one position, where a tile ends, to another."""

    after: int
    upto: int


class Suspect(NamedTuple):
    position: int
    stream_id: UUID
    version: int


class Checked(NamedTuple):
    part: Part
    events: int
    gaps: list[Part]
    suspects: list[Suspect]
    leaves: bytes
    """Of every position of the part; in that of an event that is not there are zeros."""


class Walk:
    """Checks parts of one ledger. With `decoding`, also that each event can be read."""

    def __init__(
        self,
        pool: Pool,
        id: int,
        ledger: str,
        *,
        decoding: bool = False,
        heads_max: int = HEADS_MAX,
    ) -> None:
        self.pool = pool
        self.id = id
        self.decoding = decoding
        self.heads_max = heads_max
        self.begins_core = b"\x03" + sized(ledger.encode())
        self.begins_first_head = b"casecore" + sized(ledger.encode())
        self.heads: dict[bytes, tuple[int, bytes]] = {}

    async def check(self, part: Part) -> Checked:
        checking = _Checking(self, part, await self._recorded_at(part.after))
        query = EVENTS.format(ledger=self.id, after=part.after, upto=part.upto)
        async with self.pool.acquire() as connection:
            await connection.copy_from_query(
                query, output=checking.take, format="binary", timeout=READ_SECONDS_MAX
            )
        await checking.end()
        return Checked(
            part, checking.events, checking.gaps, checking.suspects, b"".join(checking.leaves)
        )

    async def stored_heads(self, wanted: list[tuple[bytes, int]]) -> list[tuple[int, bytes] | None]:
        """The position and head of each of these versions of streams, where there is one."""
        rows = await self.pool.fetch(
            """
            SELECT e.position, e.head
            FROM unnest($2::uuid[], $3::int[]) WITH ORDINALITY AS asked (stream_id, version, nth)
            LEFT JOIN LATERAL (
                SELECT position, head FROM es.event e
                WHERE e.ledger = $1 AND e.stream_id = asked.stream_id
                  AND e.version = asked.version
                LIMIT 1
            ) AS e ON true
            ORDER BY nth
            """,
            *(self.id, [UUID(bytes=stream) for stream, _ in wanted], [v for _, v in wanted]),
        )
        return [None if row["position"] is None else (row["position"], row["head"]) for row in rows]

    async def _recorded_at(self, position: int) -> int:
        """When the event there was recorded, as PostgreSQL counts; where none is, before all."""
        sent: bytes | None = await self.pool.fetchval(
            """
            SELECT timestamptz_send(recorded_at) FROM es.event
            WHERE ledger = $1 AND position = $2
            """,
            *(self.id, position),
        )
        return LONG_AGO if sent is None else int.from_bytes(sent, "big", signed=True)


class _Checking:
    """What one walk through a part has come to."""

    def __init__(self, walk: Walk, part: Part, recorded_at: int) -> None:
        self.walk = walk
        self.part = part
        self.events = 0
        self.gaps: list[Part] = []
        self.suspects: list[Suspect] = []
        self.leaves: list[bytes] = []
        self._position = part.after
        self._recorded_at = recorded_at
        self._read: list[bytes] = []
        self._bytes = 0
        self._skip = HEADER_BYTES

    async def take(self, read: bytes) -> None:
        self._read.append(read)
        self._bytes += len(read)
        if self._bytes >= BATCH_BYTES:
            await self._check()

    async def end(self) -> None:
        await self._check()
        self._gap(self.part.upto + 1)

    async def _check(self) -> None:
        read = b"".join(self._read)
        rows, befores, at = await self._parsed(read)
        self._read, self._bytes, self._skip = [read[at:]], len(read) - at, 0
        self.events += len(rows)
        core_of, first_of = self.walk.begins_core, self.walk.begins_first_head
        decoding = self.walk.decoding
        leaves, hashed = self.leaves, sha256
        last_position, last_recorded = self._position, self._recorded_at
        for row, before in zip(rows, befores, strict=True):
            (
                position,
                recorded,
                stream,
                version,
                slot,
                command,
                data_hash,
                head,
                kind,
                meta,
                data,
            ) = row
            if position != last_position + 1:
                self._position = last_position
                self._gap(position)
            last_position = position
            core = hashed(
                b"".join((core_of, stream, VERSION.pack(version), kind, command, meta, data_hash))
            ).digest()
            if before is None:
                before = hashed(first_of + stream).digest()
            place = PLACE.pack(position, recorded + BEFORE_2000 & UNSIGNED)
            leaves.append(hashed(b"".join((b"\x00", core, head, place))).digest())
            if (
                hashed(data).digest() != data_hash
                or hashed(b"\x02" + before + core).digest() != head
                or recorded < last_recorded
                or slot != ((stream[14] & 3) << 8 | stream[15])
                or (decoding and not _readable(kind, data))
            ):
                self.suspect(position, stream, version)
            last_recorded = recorded
        self._position, self._recorded_at = last_position, last_recorded

    async def _parsed(self, read: bytes) -> tuple[list["Row"], list[bytes | None], int]:
        """The rows that are whole, with the head before each, and where the next one begins."""
        fixed, fixed_size, length = FIXED.unpack_from, FIXED.size, LENGTH.unpack_from
        heads = self.walk.heads
        rows: list[Row] = []
        befores: list[bytes | None] = []
        unknown: list[tuple[bytes, int]] = []
        unknown_at: list[int] = []
        at, size = self._skip, len(read)
        while size - at > fixed_size:
            (_, _, position, _, recorded, _, stream, _, version, _, slot, _, command) = fixed(
                read, at
            )
            o = at + fixed_size
            end = o + 4 + length(read, o)[0]
            data_hash = read[o + 4 : end]
            o, end = end, end + 4 + length(read, end)[0]
            head = read[o + 4 : end]
            o, end = end, end + 4 + length(read, end)[0]
            kind = read[o:end]
            o, end = end, end + 4 + length(read, end)[0]
            meta = read[o:end]
            o, end = end, end + 4 + length(read, end)[0]
            data = read[o + 4 : end]
            at = end
            rows.append(
                (
                    position,
                    recorded,
                    stream,
                    version,
                    slot,
                    command,
                    data_hash,
                    head,
                    kind,
                    meta,
                    data,
                )
            )
            known = heads.get(stream)
            if known is not None and known[0] == version - 1:
                befores.append(known[1])
            elif version <= 1:
                befores.append(None)
            else:
                unknown.append((stream, version - 1))
                unknown_at.append(len(befores))
                befores.append(b"")
            heads[stream] = version, head
        if unknown:
            stored = await self.walk.stored_heads(unknown)
            for index, found in zip(unknown_at, stored, strict=True):
                # One that stands behind what follows it is no head before it.
                if found is not None and found[0] < rows[index][0]:
                    befores[index] = found[1]
        if len(heads) > self.walk.heads_max:
            heads.clear()
        return rows, befores, at

    def suspect(self, position: int, stream: bytes, version: int) -> None:
        if len(self.suspects) < SUSPECTS_MAX:
            self.suspects.append(Suspect(position, UUID(bytes=stream), version))

    def _gap(self, position: int) -> None:
        """Between what was seen last and this position nothing is."""
        if position > self._position + 1:
            self.gaps.append(Part(self._position, position - 1))
            self.leaves += [ABSENT] * (position - 1 - self._position)


Row = tuple[int, int, bytes, int, int, bytes, bytes, bytes, bytes, bytes, bytes]


def _readable(type_: bytes, data: bytes) -> bool:
    try:
        decode_event(type_[LENGTH.size :].decode(), data)
    except Exception:
        return False
    return True
