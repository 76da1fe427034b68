"""Reads what is sealed of a ledger, and what is to be: checkpoints, tiles, leaves and proofs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from casecore.database import Pool
from casecore.errors import Unavailable
from casecore.integrity import sized_name
from casecore.proof.tree import (
    HASH_BYTES,
    Edge,
    Span,
    TileId,
    consistency,
    edge_tiles,
    extends,
    hash_of,
    includes,
    inclusion,
    tiles_of,
)

LEAVES_MAX = 4_096
"""How many leaves are read at a time."""

CHECKPOINT = "SELECT size, root, note, sealed_at FROM proof.checkpoint WHERE ledger = $1"

# As integrity.py has it. The store hashes, as it takes half as long as to send what is hashed, and
# leaves the process to those who ask it something; whoever verifies a ledger hashes for themselves.
LEAF = r"""
    sha256('\x00'::bytea
        || sha256($4 || uuid_send(stream_id) || int8send(version)
            || int4send(octet_length(type)) || textsend(type) || uuid_send(command_id)
            || int4send(octet_length(meta)) || meta || data_hash)
        || head || int8send(position)
        || int8send((extract(epoch FROM recorded_at) * 1000000)::bigint))
"""
LEAVES = f"""
    SELECT string_agg({LEAF}, ''::bytea)
    FROM (SELECT * FROM es.event WHERE ledger = $1 AND position > $2 AND position <= $3
          ORDER BY position) AS in_order
"""


class Checkpoint(NamedTuple):
    """What the tree came to when it had that many leaves, and the note that says so, signed."""

    size: int
    root: bytes
    note: str
    sealed_at: datetime


class Restore(NamedTuple):
    """That somebody went on with a ledger that is not what a checkpoint has."""

    accepted_at: datetime
    accepted_by: str
    reason: str
    code: str
    """What was found."""
    ledger_size: int
    ledger_root: bytes
    """Of the ledger as it was accepted."""
    note: str
    """The checkpoint."""
    found_in: str


class SealedLedger:
    """The proof of one ledger, as far as it goes."""

    def __init__(self, pool: Pool, id: int, ledger: str) -> None:
        self.pool = pool
        self.id = id
        self.ledger = ledger

    async def latest(self) -> Checkpoint | None:
        return await self._checkpoint(f"{CHECKPOINT} ORDER BY size DESC LIMIT 1")

    async def checkpoint(self, size: int) -> Checkpoint | None:
        return await self._checkpoint(f"{CHECKPOINT} AND size = $2", size)

    async def covering(self, position: int) -> Checkpoint | None:
        """The first one that the event at the position is under."""
        return await self._checkpoint(
            f"{CHECKPOINT} AND size >= $2 ORDER BY size LIMIT 1", position
        )

    async def size(self) -> int:
        """How far the ledger is sealed: the last position, or the number of leaves."""
        size: int = await self.pool.fetchval(
            "SELECT coalesce(max(size), 0) FROM proof.checkpoint WHERE ledger = $1", self.id
        )
        return size

    async def head(self) -> int:
        """How far it could be."""
        position: int = await self.pool.fetchval(
            "SELECT last_position FROM es.ledger WHERE ledger = $1", self.id
        )
        return position

    async def restores(self) -> list[Restore]:
        """All of them, the last one first; few ledgers have any."""
        rows = await self.pool.fetch(
            """
            SELECT accepted_at, accepted_by, reason, code, ledger_size, ledger_root, note, found_in
            FROM proof.restored WHERE ledger = $1 ORDER BY accepted_at DESC, found_in
            """,
            self.id,
        )
        return [Restore(*row) for row in rows]

    async def tiles(self, wanted: Iterable[TileId]) -> dict[TileId, bytes]:
        """These, as long as they are by now. One that is not kept is empty, and proves nothing."""
        tiles = dict.fromkeys(wanted, b"")
        rows = await self.pool.fetch(
            """
            SELECT level, number, hashes FROM proof.tile
            JOIN unnest($2::int[], $3::bigint[]) AS wanted (level, number) USING (level, number)
            WHERE ledger = $1
            """,
            *(self.id, [tile.level for tile in tiles], [tile.number for tile in tiles]),
        )
        return tiles | {TileId(row["level"], row["number"]): row["hashes"] for row in rows}

    async def leaves(self, after: int, upto: int) -> bytes:
        """Hashed from the events themselves, from behind one position to another."""
        named = b"\x03" + sized_name(self.ledger)
        leaves: bytes = await self.pool.fetchval(LEAVES, self.id, after, upto, named) or b""
        count = len(leaves) // HASH_BYTES
        if count != upto - after:
            raise broken(
                f"of the events from {after + 1} to {upto}, {upto - after - count} are missing"
            )
        return leaves

    async def edge(self, at: Checkpoint | None) -> Edge:
        """The tree that the checkpoint is of, ready to grow."""
        if at is None:
            return Edge()
        edge = Edge.of(at.size, await self.tiles(edge_tiles(at.size)))
        if edge.root() != at.root:
            raise broken(f"the tiles do not give the root that was sealed at {at.size}")
        return edge

    async def root(self, size: int) -> bytes:
        """The root at any size that the ledger has come to: from the tiles, and what is not sealed
        yet from the events."""
        latest = await self.latest()
        if latest is not None and size <= latest.size:
            return Edge.of(size, await self.tiles(edge_tiles(size))).root()
        edge = await self.edge(latest)
        while edge.size < size:
            upto = min(size, edge.size + LEAVES_MAX)
            edge, _ = edge.grow(await self.leaves(edge.size, upto))
        return edge.root()

    async def inclusion(self, position: int, under: Checkpoint) -> tuple[bytes, list[bytes]]:
        """The leaf of the event as it stands, and the proof that the checkpoint is over it."""
        leaf = await self.leaves(position - 1, position)
        proof = await self._hashes(inclusion(position - 1, under.size))
        if not includes(under.root, under.size, position - 1, leaf, proof):
            raise broken(f"the event at {position} is not what was sealed at {under.size}")
        return leaf, proof

    async def consistency(self, old: int, new: Checkpoint) -> tuple[bytes, list[bytes]]:
        """The root at the old size, and the proof that the tree only grew since to the new one."""
        root = await self.root(old)
        proof = await self._hashes(consistency(old, new.size))
        if not extends(root, old, new.root, new.size, proof):
            raise broken(f"what was sealed at {new.size} does not go on from {old}")
        return root, proof

    async def _hashes(self, spans: Sequence[Span]) -> list[bytes]:
        tiles = await self.tiles(tiles_of(spans))
        return [hash_of(span, tiles) for span in spans]

    async def _checkpoint(self, sql: str, *given: int) -> Checkpoint | None:
        row = await self.pool.fetchrow(sql, self.id, *given)
        return Checkpoint(*row) if row else None


def broken(what: str) -> Unavailable:
    return Unavailable(
        "proof-broken",
        f"{what}: somebody changed it behind casecore, or the disk did; `casecore audit verify`"
        " says where, and a backup has what was there",
    )
