"""Holds what was hashed again against the tree that was kept."""

from collections.abc import Sequence
from typing import NamedTuple

from casecore.proof.sealed import Checkpoint, SealedLedger
from casecore.proof.tree import (
    HASH_BYTES,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    TileId,
    edge_tiles,
    root_of,
)
from casecore.verifying.events import ABSENT, Checked
from casecore.verifying.findings import Finding, finding


class Compared(NamedTuple):
    findings: list[Finding]
    sealed_leaves: dict[int, bytes]
    """By position, where what is sealed is another event than what is there: its whole tile."""
    roots: bytes
    """Of the full tiles, in order: the hashes of the level above."""


async def compare(ledger: SealedLedger, checked: Checked, latest: Checkpoint | None) -> Compared:
    """Hold the leaves of a part against the tiles, as far as the checkpoint goes."""
    after, upto = checked.part
    sealed = min(latest.size, upto) if latest else 0
    numbers = range(after >> TILE_HEIGHT, -(-min(upto, sealed) >> TILE_HEIGHT))
    tiles = await ledger.tiles(
        {TileId(level, number >> TILE_HEIGHT * level) for number in numbers for level in (0, 1)}
    )
    compared = Compared([], {}, b"")
    roots: list[bytes] = []
    for number in numbers:
        first = number << TILE_HEIGHT
        ours = checked.leaves[(first - after) * HASH_BYTES :][:TILE_BYTES]
        theirs = tiles[TileId(0, number)]
        above = _nth(tiles[TileId(1, number >> TILE_HEIGHT)], number % TILE_WIDTH)
        due = min(TILE_WIDTH, sealed - first)
        root = root_of(ours)
        alike = min(len(ours), len(theirs))
        if len(theirs) < due * HASH_BYTES:
            compared.findings.append(missing(TileId(0, number), first + 1))
        elif ours[:alike] != theirs[:alike]:
            if above == root if due == TILE_WIDTH else await _gives_root(ledger, latest, ours):
                index = differing(ours, theirs)[0]
                compared.findings.append(changed(TileId(0, number), first + index + 1))
            else:
                root = root_of(theirs)
                for index in differing(ours, theirs):
                    compared.sealed_leaves[first + index + 1] = theirs
        if due == TILE_WIDTH:
            roots.append(root)
            if len(theirs) == TILE_BYTES and above != root:
                compared.findings.append(changed(TileId(1, number >> TILE_HEIGHT), first + 1))
    return compared._replace(roots=b"".join(roots))


async def compare_above(ledger: SealedLedger, first: int, roots: bytes) -> list[Finding]:
    """Hold the tiles of the second level and above against what lies below them.

    `roots` are those of full tiles, the first of which has this number.
    """
    findings: list[Finding] = []
    level = 1
    while roots:
        missed = first % TILE_WIDTH
        number = first >> TILE_HEIGHT
        if missed:
            before = (await ledger.tiles([TileId(level, number)]))[TileId(level, number)]
            roots, first = before[: missed * HASH_BYTES] + roots, first - missed
        full = len(roots) // TILE_BYTES
        above = b"".join(root_of(roots[n * TILE_BYTES :][:TILE_BYTES]) for n in range(full))
        level, first = level + 1, number
        ids = {TileId(level, (first + n) >> TILE_HEIGHT) for n in range(full)}
        tiles = await ledger.tiles(ids)
        for n in range(full):
            tile = TileId(level, (first + n) >> TILE_HEIGHT)
            kept = _nth(tiles[tile], (first + n) % TILE_WIDTH)
            if kept != _nth(above, n):
                position = (first + n << TILE_HEIGHT * level) + 1
                findings.append((changed if kept else missing)(tile, position))
        roots = above
    return findings


def differing(ours: bytes, theirs: bytes) -> Sequence[int]:
    """The indexes of the leaves that are there and are not what was sealed."""
    return [
        index
        for index in range(min(len(ours), len(theirs)) // HASH_BYTES)
        if _nth(ours, index) not in (ABSENT, _nth(theirs, index))
    ]


def changed(tile: TileId, position: int) -> Finding:
    return finding(
        "tile-changed",
        f"tile {tile.number} of level {tile.level} is not what the events from position"
        f" {position} on give",
        position,
    )


def missing(tile: TileId, position: int) -> Finding:
    return finding(
        "tile-missing",
        f"tile {tile.number} of level {tile.level}, for events from position {position} on, is"
        " gone or too short",
        position,
    )


async def _gives_root(ledger: SealedLedger, latest: Checkpoint | None, ours: bytes) -> bool:
    """Whether the checkpoint is over these leaves at its edge."""
    if latest is None:
        return False
    ids = edge_tiles(latest.size)
    tiles = await ledger.tiles(ids)
    edge = Edge.of(latest.size, tiles | {TileId(0, latest.size >> TILE_HEIGHT): ours})
    return edge.root() == latest.root


def _nth(hashes: bytes, index: int) -> bytes:
    return hashes[index * HASH_BYTES : (index + 1) * HASH_BYTES]
