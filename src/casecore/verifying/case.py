"""Verifies one case: the chains of its events, and that the tree has each of them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from casecore.clockset.state import clockset_id
from casecore.errors import NotFound
from casecore.integrity import core_hash
from casecore.ledger import Row
from casecore.proof.notes import VerifierKey
from casecore.proof.sealed import Checkpoint, SealedLedger
from casecore.proof.tree import (
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TileId,
    hash_of,
    includes,
    inclusion,
    tiles_of,
)
from casecore.recorder import Recorder
from casecore.verifying.diagnosing import Around, Command, commands_of, finite, leaf_of, wrongs
from casecore.verifying.findings import Finding, finding
from casecore.verifying.scrubbing import verdict
from casecore.verifying.whole import check_checkpoints

PROVED_AT_ONCE = 64
"""For how many events the tiles of their proofs are held at the same time."""


class CaseReport(msgspec.Struct, frozen=True):
    case_id: UUID
    ledger: str
    events: int
    """Those of the case, and those of its clocks."""
    head: str
    """The hash that pins all the events of the case, in hexadecimal."""
    sealed: int
    """How many of them are under the last checkpoint."""
    checkpoint: int | None
    """The size of that checkpoint."""
    findings: tuple[Finding, ...]
    unverified: tuple[str, ...]


class Proved(NamedTuple):
    """An event, with the proof that it is under a checkpoint, if it is."""

    row: Row
    core: bytes
    leaf: bytes
    path: list[bytes] | None


async def verify_case(
    recorder: Recorder, sealed: SealedLedger, case_id: UUID, key: VerifierKey | None
) -> CaseReport:
    streams = await streams_of(recorder, case_id)
    if not streams[0]:
        raise NotFound("case-not-found", f"this ledger has no case {case_id}: check the id")
    return await verify_streams(recorder, sealed, case_id, streams, key)


async def verify_streams(
    recorder: Recorder,
    sealed: SealedLedger,
    case_id: UUID,
    streams: Sequence[Sequence[Row]],
    key: VerifierKey | None,
) -> CaseReport:
    """Verify a case as it was read: its events, and those of its clocks."""
    latest = await sealed.latest()
    findings: list[Finding] = []
    unverified: list[str] = []
    rows = [row for stream in streams for row in stream]
    proved = await prove(sealed, rows, latest)
    if latest is None:
        astray: list[Proved] = []
        unverified.append("that the tree has its events: nothing is sealed yet")
    else:
        findings += await check_checkpoints(sealed, [latest], key)
        astray = [one for one in proved if not _under(one, latest)]
        if key is None:
            unverified.append("the signature of the checkpoint: there is no key to verify it with")
    tiles, commands = await _tiles_of(sealed, astray), await commands_of(recorder, rows)
    sound = {one.row.position for one in proved if one.path is not None and one not in astray}
    for stream in streams:
        findings += _wrong(recorder.ledger, stream, tiles, commands, sound)
    named = {found.position for found in findings}
    for row in (one.row for one in astray if one.row.position not in named):
        said = f"the tree does not lead from the event at position {row.position} to its checkpoint"
        findings.append(finding("tile-changed", said, row.position, row.stream_id, row.version))
    under = sum(one.path is not None for one in proved)
    if latest is not None and under < len(rows):
        unverified.append(
            f"that the tree has the last {len(rows) - under}: they are not sealed yet"
        )
    whole = (await verdict(sealed.pool, sealed.id)).finding
    if whole is not None and not findings:
        # What was removed at its end shows nowhere else.
        unverified.append(
            f"that nothing was removed from it: of the ledger as a whole {whole.sentence}"
        )
    return CaseReport(
        case_id=case_id,
        ledger=recorder.ledger,
        events=len(rows),
        head=streams[0][-1].head.hex(),
        sealed=under,
        checkpoint=latest.size if latest else None,
        findings=tuple(sorted(findings, key=lambda found: found.position or 0)),
        unverified=tuple(unverified),
    )


async def streams_of(recorder: Recorder, case_id: UUID) -> list[list[Row]]:
    """The events of a case, and those of its clocks."""
    return [
        [finite(row) for row in await recorder.history(id, after=-1)]
        for id in (case_id, clockset_id(case_id))
    ]


async def prove(
    sealed: SealedLedger, rows: Sequence[Row], under: Checkpoint | None
) -> list[Proved]:
    """Hash each event again, and find the path from it to the root that was signed."""
    proved = []
    for first in range(0, len(rows), PROVED_AT_ONCE):
        some = rows[first : first + PROVED_AT_ONCE]
        paths = {
            row.position: inclusion(row.position - 1, under.size)
            for row in some
            if under is not None and row.position <= under.size
        }
        tiles = await sealed.tiles(tiles_of(span for path in paths.values() for span in path))
        for row in some:
            core = core_hash(
                sealed.ledger,
                row.stream_id,
                row.version,
                row.type,
                row.command_id,
                row.meta,
                row.data_hash,
            )
            leaf = leaf_of(row, core, row.head, row.position)
            path = paths.get(row.position)
            hashes = None if path is None else [hash_of(span, tiles) for span in path]
            proved.append(Proved(row, core, leaf, hashes))
    return proved


def _under(proved: Proved, latest: Checkpoint) -> bool:
    """Whether the path leads to the root, or there is none to be expected."""
    position, path = proved.row.position, proved.path
    return path is None or includes(latest.root, latest.size, position - 1, proved.leaf, path)


async def _tiles_of(sealed: SealedLedger, astray: Sequence[Proved]) -> dict[int, bytes]:
    """By position, the tile that has another leaf than the event, for those of which there is."""
    tiles = await sealed.tiles({_tile(one.row.position) for one in astray})
    found = {}
    for one in astray:
        position, tile = one.row.position, tiles[_tile(one.row.position)]
        if tile[(position - 1) % TILE_WIDTH * HASH_BYTES :][:HASH_BYTES] != one.leaf:
            found[position] = tile
    return found


def _tile(position: int) -> TileId:
    return TileId(0, position - 1 >> TILE_HEIGHT)


def _wrong(
    ledger: str,
    stream: Sequence[Row],
    tiles: dict[int, bytes],
    commands: dict[UUID, Command],
    sound: set[int],
) -> list[Finding]:
    findings = []
    at = {row.version: row for row in stream}
    for previous, row in zip([None, *stream], stream, strict=False):
        around = Around(
            row=row,
            slot=int.from_bytes(row.stream_id.bytes[-2:], "big") & 0x3FF,
            before=at.get(row.version - 1),
            earlier=at.get(row.version - 2),
            after=at.get(row.version + 1),
            previous=previous,
            sealed=tiles.get(row.position),
            as_sealed=row.position in sound,
            command=commands.get(row.command_id),
        )
        for code, what in wrongs(ledger, around):
            said = f"version {row.version} ({row.type!r}, at position {row.position}): {what}"
            findings.append(finding(code, said, row.position, row.stream_id, row.version))
            break
    return findings
