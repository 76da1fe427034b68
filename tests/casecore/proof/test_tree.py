"""The tree is the one of RFC 6962, whichever way it grew; its proofs hold, and no others."""

import json
from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casecore.proof.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_BYTES,
    Edge,
    Span,
    TileId,
    consistency,
    edge_tiles,
    extends,
    hash_of,
    includes,
    inclusion,
    leaf_hash,
    leaf_hashes,
    node_hash,
    root_of,
    tiles_of,
)
from tests.api.vectors import VECTORS, needs_vectors

SIZE_MAX = 70_000
"""Three levels of tiles."""
LEAVES = [sha256(number.to_bytes(8, "big")).digest() for number in range(SIZE_MAX)]
ALL, TILES = Edge().grow(b"".join(LEAVES))

sizes = st.one_of(
    st.integers(1, 40),
    st.integers(1, SIZE_MAX),
    st.sampled_from([255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, SIZE_MAX]),
)


def vectors(name: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())
    return read


def decoded(vector: dict[str, Any], *names: str) -> list[bytes]:
    return [b64decode(vector[name] or "") for name in names]


def proof_of(vector: dict[str, Any]) -> list[bytes]:
    return [b64decode(hash) for hash in vector["proof"] or ()]


def the_root(leaves: list[bytes]) -> bytes:
    """As the RFC says it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while 2 * left < len(leaves):
        left *= 2
    return sha256(b"\x01" + the_root(leaves[:left]) + the_root(leaves[left:])).digest()


def proof(spans: list[Span]) -> list[bytes]:
    return [hash_of(span, {tile: TILES[tile] for tile in tiles_of([span])}) for span in spans]


def root_at(size: int) -> bytes:
    return root_of(b"".join(LEAVES[:size]))


@needs_vectors
def test_every_inclusion_vector_is_judged_as_it_should_be() -> None:
    for vector in vectors("rfc6962-inclusion.json"):
        root, leaf = decoded(vector, "root", "leafHash")
        size, index = vector["treeSize"], vector["leafIdx"]
        holds = includes(root, size, index, leaf, proof_of(vector))
        assert holds is not vector["wantErr"], vector["name"]


@needs_vectors
def test_every_consistency_vector_is_judged_as_it_should_be() -> None:
    for vector in vectors("rfc6962-consistency.json"):
        old_root, root = decoded(vector, "root1", "root2")
        holds = extends(old_root, vector["size1"], root, vector["size2"], proof_of(vector))
        assert holds is not vector["wantErr"], vector["name"]


def test_leaves_and_nodes_are_hashed_as_the_rfc_has_it() -> None:
    assert EMPTY_ROOT == root_of(b"") == Edge().root() == hash_of(Span(0, 0), {})
    assert leaf_hash(b"ab") == sha256(b"\x00ab").digest() == leaf_hashes([b"ab"])
    left, right = LEAVES[:2]
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()
    assert root_of(left + right) == node_hash(left, right)


@given(st.integers(0, 700))
@settings(deadline=None)
def test_the_root_is_what_the_definition_says(size: int) -> None:
    leaves = LEAVES[:size]
    assert root_of(b"".join(leaves)) == the_root(leaves)


@given(sizes)
@settings(deadline=None, max_examples=50)
def test_the_root_of_any_size_comes_from_the_tiles_of_a_larger_tree(size: int) -> None:
    edge = Edge.of(size, {tile: TILES[tile] for tile in edge_tiles(size)})
    assert edge.root() == root_at(size)
    assert proof([Span(0, size)]) == [root_at(size)]


@given(st.lists(sizes, max_size=6))
@settings(deadline=None, max_examples=50)
def test_however_a_tree_grew_its_tiles_are_the_same(steps: list[int]) -> None:
    edge, kept = Edge(), dict[TileId, bytes]()
    for step in steps:
        leaves = b"".join(LEAVES[edge.size : edge.size + step])
        edge, changed = edge.grow(leaves)
        for tile, hashes in changed.items():
            assert hashes.startswith(kept.get(tile, b""))
            assert len(hashes) > len(kept.get(tile, b""))
        kept |= changed
    grown, tiles = Edge().grow(b"".join(LEAVES[: edge.size]))
    assert (edge.root(), kept) == (grown.root(), tiles)
    assert Edge.of(edge.size, kept).root() == edge.root() == root_at(edge.size)


@given(sizes, st.data())
@settings(deadline=None)
def test_every_leaf_is_shown_in_every_tree_that_holds_it(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    shown = proof(inclusion(index, size))
    root = root_at(size)
    assert includes(root, size, index, LEAVES[index], shown)
    elsewhere = data.draw(st.integers(-1, size))
    assert includes(root, size, elsewhere, LEAVES[index], shown) is (elsewhere == index)
    forged = data.draw(forgeries([root, LEAVES[index], *shown]))
    assert not includes(forged[0], size, index, forged[1], forged[2:])
    assert not includes(root, size, index, LEAVES[index], [*shown, root])
    assert not shown or not includes(root, size, index, LEAVES[index], shown[1:])
    assert not shown or not includes(root, size, index, LEAVES[index], shown[:-1])


@given(sizes, st.data())
@settings(deadline=None)
def test_every_tree_is_shown_to_have_grown_out_of_those_before(
    size: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, size))
    shown = proof(consistency(old, size))
    old_root, root = root_at(old), root_at(size)
    assert extends(old_root, old, root, size, shown)
    forged = data.draw(forgeries([old_root, root, *shown]))
    assert not extends(forged[0], old, forged[1], size, forged[2:])
    assert not extends(old_root, old, root, size, [*shown, root])
    assert not shown or not extends(old_root, old, root, size, shown[1:])
    assert not shown or not extends(old_root, old, root, size, shown[:-1])
    assert not extends(root, size + 1, root, size, shown)


def test_a_tile_is_named_as_in_tlog_tiles() -> None:
    assert TileId(0, 0).path() == "tile/0/000"
    assert TileId(3, 1_234_067).path() == "tile/3/x001/x234/067"
    assert TileId(1, 1_000).path(17) == "tile/1/x001/000.p/17"


def test_a_full_tile_stands_for_one_hash_in_the_level_above() -> None:
    assert len(TILES[TileId(0, 0)]) == TILE_BYTES
    assert TILES[TileId(1, 0)][:HASH_BYTES] == root_of(TILES[TileId(0, 0)])
    assert len(TILES[TileId(2, 0)]) == SIZE_MAX // 65_536 * HASH_BYTES


@st.composite
def forgeries(draw: st.DrawFn, hashes: list[bytes]) -> list[bytes]:
    """The same hashes, with one bit changed."""
    which = draw(st.integers(0, len(hashes) - 1))
    bit = draw(st.integers(0, 8 * HASH_BYTES - 1))
    changed = bytearray(hashes[which])
    changed[bit // 8] ^= 1 << bit % 8
    return [*hashes[:which], bytes(changed), *hashes[which + 1 :]]


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 1_000])
def test_a_proof_is_no_longer_than_the_tree_is_high(size: int) -> None:
    for index in range(size):
        assert len(inclusion(index, size)) <= (size - 1).bit_length()
