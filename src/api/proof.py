"""The proof over HTTP: signed checkpoints, and why an event is under one. What is answered can be
checked with nothing but SHA-256 and Ed25519; docs/proof.md says how."""

import re
from base64 import b64encode
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from api.answers import Answer
from api.bodies import converted
from api.desk import Desk
from api.evidence.bundle import bundle
from api.reading import Asked, Params
from casecore.actors import Role
from casecore.asking import LEADS
from casecore.errors import NotFound
from casecore.integrity import core_hash, leaf_entry
from casecore.ledger import Row
from casecore.proof.notes import origin
from casecore.proof.sealed import Checkpoint, SealedLedger
from casecore.proof.tree import HASH_BYTES, SIZE_MAX, TILE_WIDTH, TileId
from casecore.verifying.scrubbing import Verdict, verdict
from projections.paging import Page

READERS = LEADS | {Role.AUDITOR}
PROVERS = READERS | {Role.SERVICE}
"""Who may ask: hashes tell nothing of what is in a case."""

TEXT_TYPE = (b"content-type", b"text/plain; charset=utf-8")
ZIP_TYPE = (b"content-type", b"application/zip")
BYTES_TYPE = (b"content-type", b"application/octet-stream")
UNCHANGING = (b"cache-control", b"private, max-age=31536000, immutable")

TILE_LEVELS = 8
TILE = re.compile(r"((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
"""A tile's number and, of one that is not full, how many hashes are wanted."""

Size = Annotated[int, Meta(ge=1, le=SIZE_MAX)]


class SizeAt(msgspec.Struct, frozen=True):
    size: Size


class LevelAt(msgspec.Struct, frozen=True):
    level: Annotated[int, Meta(ge=0, lt=TILE_LEVELS)]


class CheckpointAsked(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["note", "json"] = "note"


class BundleAsked(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    anyway: bool = False
    """Also of a case that is not what was sealed: as evidence of that."""


class InclusionAsked(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    position: Size
    size: Size | None = None
    """Under which checkpoint; without it, the latest."""


class ConsistencyAsked(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    old: Size = msgspec.field(name="from")
    new: Size | None = msgspec.field(name="to", default=None)
    """The size of a checkpoint; without it, of the latest."""


class CheckpointView(msgspec.Struct, frozen=True):
    size: int
    """How many events it is over: the first so many."""
    root: str
    """Of the tree over them, in Base 64, as all hashes here."""
    note: str
    """The same, signed: C2SP tlog-checkpoint."""
    sealed_at: datetime


class SealedEvent(msgspec.Struct, frozen=True):
    """An event, as its leaf has it."""

    ledger: str
    stream_id: UUID
    version: int
    type: str
    command_id: UUID
    meta: str
    """Who, when and why, as stored: its bytes in Base 64."""
    data_hash: str
    recorded_at: datetime


class Inclusion(msgspec.Struct, frozen=True):
    """That an event is under a checkpoint."""

    checkpoint: CheckpointView
    position: int
    index: int
    """Of the leaf: the position less one."""
    event: SealedEvent | None
    """Its core is made of these; not for services."""
    core: str
    head: str
    """Of its stream, with this event."""
    entry: str
    """Core, head, position and time, one after the other. The leaf is its hash."""
    leaf: str
    proof: list[str]
    """From the leaf up: the hashes beside the way to the root."""


class Consistency(msgspec.Struct, frozen=True):
    """That a ledger only grew: what was under the old root is under the checkpoint."""

    old_size: int
    old_root: str
    checkpoint: CheckpointView
    proof: list[str]


class RestoreView(msgspec.Struct, frozen=True):
    """That somebody went on with a ledger that is not what a checkpoint has."""

    accepted_at: datetime
    accepted_by: str
    reason: str
    code: str
    """What was found: the ledger rolled back, forked, or the checkpoint not to be believed."""
    ledger_size: int
    ledger_root: str
    """Of the ledger as it was accepted."""
    note: str
    """The checkpoint that it does not agree with."""
    found_in: str


async def get_checkpoint(asked: Asked) -> Answer | CheckpointView:
    """The latest checkpoint: a signed note, or the same as JSON."""
    checkpoint = await latest(asked.desk.sealed)
    if asked.params.format == "json":
        return shown(checkpoint)
    return Answer(checkpoint.note.encode(), [TEXT_TYPE])


async def get_checkpoint_at(asked: Asked) -> CheckpointView:
    """The checkpoint of a size, if one was signed at it."""
    size = converted(asked.ids, SizeAt, strict=False).size
    return shown(await at(asked.desk.sealed, size))


async def get_inclusion(asked: Asked) -> Inclusion:
    """Prove that an event is under a checkpoint."""
    proven = await inclusion(asked.desk, asked.params.position, asked.params.size)
    return proven if asked.caller.actor.role in READERS else replace(proven, event=None)


async def get_consistency(asked: Asked) -> Consistency:
    """Prove that the ledger only grew, from a size that it had to a checkpoint."""
    old, ledger = asked.params.old, asked.desk.sealed
    new = await at(ledger, asked.params.new)
    if old > new.size:
        raise NotFound(
            "position-not-sealed",
            f"the checkpoint is of {new.size}, which is before {old}: give the smaller size first",
            field="from",
        )
    root, proof = await ledger.consistency(old, new)
    return Consistency(old, base64(root), shown(new), [base64(hash) for hash in proof])


async def get_tile(asked: Asked) -> Answer:
    """Hashes of the tree that stand beside each other, named as in C2SP tlog-tiles."""
    level = converted(asked.ids, LevelAt, strict=False).level
    named = TILE.fullmatch(asked.ids["tile"].lstrip("/"))
    number = int(re.sub("[x/]", "", named[1])) if named and len(named[1]) < 32 else SIZE_MAX
    width = int(named[2] or TILE_WIDTH) if named else TILE_WIDTH
    tile = TileId(level, min(number, SIZE_MAX))
    hashes = (await asked.desk.sealed.tiles([tile]))[tile][: width * HASH_BYTES]
    if len(hashes) < width * HASH_BYTES:
        raise NotFound(
            "tile-not-found",
            "there is no such tile, or not that much of it: a checkpoint says how large the tree"
            " is, and 1234067 is written x001/x234/067",
        )
    return Answer(hashes, [BYTES_TYPE, UNCHANGING])


async def list_restores(asked: Asked) -> Page[RestoreView]:
    """When somebody accepted a ledger that was rolled back or forked, and why; the last first."""
    restores = [
        RestoreView(**restore._asdict() | {"ledger_root": base64(restore.ledger_root)})
        for restore in await asked.desk.sealed.restores()
    ]
    return Page(restores, None)


async def get_sealing_key(asked: Asked) -> Answer:
    """The key that checkpoints are signed with, for whoever verifies them: name+id+key."""
    sealing = asked.desk.sealing
    key = sealing.verifier() if sealing else None
    if key is None:
        raise NotFound("checkpoint-not-found", f"{origin(asked.desk.ledger)} has no key yet")
    return Answer(f"{key}\n".encode(), [TEXT_TYPE])


async def get_verdict(asked: Asked) -> Verdict:
    """Whether what is stored is what was recorded, as far as was looked while serving."""
    return await verdict(asked.desk.pool, asked.desk.id)


async def get_bundle(asked: Asked) -> Answer:
    """A case and its proof as a zip file, to be checked elsewhere without casecore."""
    params: BundleAsked = asked.params
    made = await bundle(asked.desk, asked.ids["case_id"], anyway=params.anyway)
    named = (b"content-disposition", b'attachment; filename="%s"' % made.name.encode())
    return Answer(made.body, [ZIP_TYPE, named])


async def inclusion(desk: Desk, position: int, size: int | None = None) -> Inclusion:
    """Why the event at the position is under the checkpoint of that size, or the latest."""
    under = await at(desk.sealed, size)
    if position > under.size:
        raise NotFound(
            "position-not-sealed",
            f"position {position} is not under the checkpoint of {under.size}: ask for a later"
            " one, or again in a second",
            field="position",
        )
    leaf, proof = await desk.sealed.inclusion(position, under)
    [row] = await desk.recorder.read(position - 1, limit=1)
    core = core_of(desk.ledger, row)
    return Inclusion(
        checkpoint=shown(under),
        position=position,
        index=position - 1,
        event=event_of(desk.ledger, row),
        core=base64(core),
        head=base64(row.head),
        entry=base64(leaf_entry(core, row.head, position, row.recorded_at)),
        leaf=base64(leaf),
        proof=[base64(hash) for hash in proof],
    )


async def at(ledger: SealedLedger, size: int | None) -> Checkpoint:
    if size is None:
        return await latest(ledger)
    checkpoint = await ledger.checkpoint(size)
    if checkpoint is None:
        after = await ledger.covering(size)
        near = f"the next one is of {after.size}" if after else "it is not sealed that far"
        raise NotFound("checkpoint-not-found", f"no checkpoint was signed at {size}: {near}")
    return checkpoint


async def latest(ledger: SealedLedger) -> Checkpoint:
    checkpoint = await ledger.latest()
    if checkpoint is None:
        raise NotFound(
            "checkpoint-not-found", "nothing is sealed yet: `casecore serve` does within a second"
        )
    return checkpoint


def core_of(ledger: str, row: Row) -> bytes:
    return core_hash(
        ledger, row.stream_id, row.version, row.type, row.command_id, row.meta, row.data_hash
    )


def event_of(ledger: str, row: Row) -> SealedEvent:
    return SealedEvent(
        ledger=ledger,
        stream_id=row.stream_id,
        version=row.version,
        type=row.type,
        command_id=row.command_id,
        meta=base64(row.meta),
        data_hash=base64(row.data_hash),
        recorded_at=row.recorded_at,
    )


def shown(checkpoint: Checkpoint) -> CheckpointView:
    size, root, note, sealed_at = checkpoint
    return CheckpointView(size, base64(root), note, sealed_at)


def base64(value: bytes) -> str:
    return b64encode(value).decode()
