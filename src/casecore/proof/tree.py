"""The Merkle tree of RFC 6962 (and 9162), kept in tiles as C2SP tlog-tiles has them. Pure.

leaf = SHA-256(0x00 ‖ entry)      node = SHA-256(0x01 ‖ left ‖ right)

Hashes that stand beside each other are one string of bytes, 32 each. A tile of level L holds up
to 256 of those that each cover 256 to the power of L leaves; what lies between two levels is
reckoned when it is needed. The root of n leaves has on its left that of the largest power of two
below n, so a node that has no sibling yet is its own parent.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, Self

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
SIZE_MAX = 2**63 - 1

EMPTY_ROOT = sha256().digest()


class TileId(NamedTuple):
    level: int
    number: int

    def path(self, width: int = TILE_WIDTH) -> str:
        """Where tlog-tiles has it: 1234067 is x001/x234/067, and one that is not full adds .p."""
        digits = f"{self.number:d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = f".p/{width}" if width < TILE_WIDTH else ""
        return f"tile/{self.level}/{name}{partial}"


class Span(NamedTuple):
    """Leaves that stand beside each other, from `first` to before `end`, under one node."""

    first: int
    end: int


Tiles = Mapping[TileId, bytes]


class Edge(NamedTuple):
    """All that a tree must remember to grow: of each level, the tile that is not full."""

    size: int = 0
    tiles: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, size: int, tiles: Tiles) -> Self:
        """The edge of a tree of that size, out of the tiles of one that is no smaller."""
        return cls(
            size,
            tuple(
                tiles[TileId(level, index)][: width * HASH_BYTES] if width else b""
                for level, (index, width) in enumerate(_levels(size))
            ),
        )

    def grow(self, leaves: bytes) -> tuple["Edge", dict[TileId, bytes]]:
        """The edge once these leaves are added, and the tiles that this makes or lengthens."""
        changed: dict[TileId, bytes] = {}
        edge: list[bytes] = []
        added = leaves
        while added or len(edge) < len(self.tiles):
            level = len(edge)
            hashes = (self.tiles[level] if level < len(self.tiles) else b"") + added
            first = self.size >> TILE_HEIGHT * (level + 1)
            if added:
                for number, at in enumerate(range(0, len(hashes), TILE_BYTES)):
                    changed[TileId(level, first + number)] = hashes[at : at + TILE_BYTES]
            full = len(hashes) - len(hashes) % TILE_BYTES
            edge.append(hashes[full:])
            added = hashes[:full]
            for _ in range(TILE_HEIGHT):
                added = parents(added)
        return Edge(self.size + len(leaves) // HASH_BYTES, tuple(edge)), changed

    def root(self) -> bytes:
        root = b""
        for hashes in self.tiles:
            if hashes or root:
                root = root_of(hashes + root)
        return root or EMPTY_ROOT


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> bytes:
    return b"".join([sha256(b"\x00" + entry).digest() for entry in entries])


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def parents(hashes: bytes) -> bytes:
    """One level up; a last one without a sibling goes up as it is."""
    paired = len(hashes) - len(hashes) % (2 * HASH_BYTES)
    nodes = [sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, paired, 64)]
    return b"".join(nodes) + hashes[paired:]


def root_of(leaves: bytes) -> bytes:
    if not leaves:
        return EMPTY_ROOT
    while len(leaves) > HASH_BYTES:
        leaves = parents(leaves)
    return leaves


def edge_tiles(size: int) -> list[TileId]:
    """The tiles that hold the edge of a tree of that size: they give its root, too."""
    return [TileId(level, index) for level, (index, width) in enumerate(_levels(size)) if width]


def inclusion(index: int, size: int) -> list[Span]:
    """What the proof is made of that the leaf is in the tree of that size, from the leaf up."""
    path: list[Span] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _left(end - first)
        if index < middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(first, middle))
            first = middle
    return path[::-1]


def consistency(old: int, size: int) -> list[Span]:
    """What the proof is made of that the tree of the old size, 1 at least, only grew."""
    path: list[Span] = []
    first, end = 0, size
    while end != old:
        middle = first + _left(end - first)
        if old <= middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(first, middle))
            first = middle
    if first:
        path.append(Span(first, end))
    return path[::-1]


def tiles_of(spans: Iterable[Span]) -> set[TileId]:
    """The tiles out of which the hashes of these can be reckoned."""
    return {_tile(*node)[0] for span in spans for node in _nodes(span)}


def hash_of(span: Span, tiles: Tiles) -> bytes:
    """The hash of the node above these leaves; of a tree of size n, `Span(0, n)` has the root."""
    root = b""
    for height, index in reversed(_nodes(span)):
        tile, at = _tile(height, index)
        count = 1 << height % TILE_HEIGHT
        node = root_of(tiles[tile][at * HASH_BYTES : (at + count) * HASH_BYTES])
        root = node_hash(node, root) if root else node
    return root or EMPTY_ROOT


def includes(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the leaf in the tree with that root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(root, leaf, *proof):
        return False
    at, last, reckoned = index, size - 1, leaf
    for hash in proof:
        if not last:
            return False
        if at & 1 or at == last:
            reckoned = node_hash(hash, reckoned)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            reckoned = node_hash(reckoned, hash)
        at, last = at >> 1, last >> 1
    return not last and reckoned == root


def extends(old_root: bytes, old: int, root: bytes, size: int, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the old tree only grew to this one (RFC 9162, 2.1.4.2).

    Of an empty tree nothing can be shown.
    """
    if not 0 < old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if not _are_hashes(old_root, root, *proof):
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for hash in path[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            before, after = node_hash(hash, before), node_hash(hash, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, hash)
        at, last = at >> 1, last >> 1
    return not last and before == old_root and after == root


def _are_hashes(*given: bytes) -> bool:
    return all(len(hash) == HASH_BYTES for hash in given)


def _levels(size: int) -> list[tuple[int, int]]:
    """Of each level of tiles: the index of the one at the edge, and how many hashes it has."""
    levels: list[tuple[int, int]] = []
    while size:
        levels.append(divmod(size, TILE_WIDTH))
        size >>= TILE_HEIGHT
    return levels


def _left(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def _nodes(span: Span) -> list[tuple[int, int]]:
    """The complete trees that the leaves fall into, from the left: how high, and which one."""
    nodes: list[tuple[int, int]] = []
    first, left = span.first, span.end - span.first
    while left:
        height = left.bit_length() - 1
        nodes.append((height, first >> height))
        first, left = first + (1 << height), left - (1 << height)
    return nodes


def _tile(height: int, index: int) -> tuple[TileId, int]:
    """The tile below a node, and the place in it of the first hash that the node covers."""
    level, above = divmod(height, TILE_HEIGHT)
    tile, at = divmod(index << above, TILE_WIDTH)
    return TileId(level, tile), at
