"""Verifies a whole ledger, or what came after a checkpoint: events, tree, checkpoints and notes."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from asyncpg.exceptions import DataError

from casecore.database import Pool, connect
from casecore.errors import CaseError, Malformed, Unavailable
from casecore.proof.notes import Head, VerifierKey, origin
from casecore.proof.sealed import Checkpoint, Restore, SealedLedger
from casecore.proof.tree import TILE_HEIGHT, Edge, edge_tiles
from casecore.recorder import Recorder
from casecore.verifying.diagnosing import diagnose
from casecore.verifying.events import PART, Part, Walk
from casecore.verifying.findings import Finding, finding
from casecore.verifying.tiles import compare, compare_above

CHECKPOINTS_AT_ONCE = 256
FINDINGS_MAX = 100
"""How many findings are told. Where so many are wrong, the first one is what matters."""

Tell = Callable[[int, str], None]
"""How far it has come, in events, and with what."""


class Report(msgspec.Struct, frozen=True):
    ledger: str
    after: int
    """The position behind which was verified; 0 for all of it."""
    upto: int
    events: int
    sealed: int
    """How far the ledger is under a checkpoint."""
    checkpoints: int
    notes: int
    """How many checkpoints that lie outside the database were held against it."""
    restores: tuple[str, ...]
    """What somebody accepted although a checkpoint spoke against it; the last first."""
    seconds: float
    findings: tuple[Finding, ...]
    """By position: the first is the first that is wrong."""
    unverified: tuple[str, ...]
    """What could not be verified, and why."""


class Verified(NamedTuple):
    """What came of one part."""

    events: int
    findings: list[Finding]
    roots: bytes


class Asked(NamedTuple):
    """What to hold the ledger against, and how."""

    key: VerifierKey | None
    """Who signs its checkpoints; without it signatures are not verified."""
    folders: Sequence[Path] = ()
    """Where checkpoints were exported to."""
    since: Head | None = None
    """A checkpoint that is trusted: only what came after it is gone through."""
    decoding: bool = False
    jobs: int = 1


async def verify(
    url: str, pool: Pool, id: int, ledger: str, asked: Asked, tell: Tell = lambda at, what: None
) -> Report:
    began = asyncio.get_running_loop().time()
    sealed = SealedLedger(pool, id, ledger)
    latest, upto = await sealed.latest(), await sealed.head()
    findings: list[Finding] = []
    unverified: list[str] = []
    after = 0
    if asked.since is not None:
        findings += await _consistent(sealed, asked.since, upto, latest)
        after = min(asked.since.size, upto) >> TILE_HEIGHT << TILE_HEIGHT
    size = latest.size if latest else 0
    if latest is not None and size > upto:
        findings.append(beyond(sealed, latest, asked.key, upto))

    events, roots = 0, []
    async for verified in _parts(url, pool, id, ledger, Part(after, upto), latest, asked):
        events += verified.events
        findings += verified.findings
        roots.append(verified.roots)
        tell(events, f"{events:,} events")
    findings += await compare_above(sealed, after >> TILE_HEIGHT, b"".join(roots))
    findings += await outside(pool, id)

    checkpoints = 0
    async for some in checkpoints_of(sealed, asked.since.size if asked.since else 0, upto):
        findings += await check_checkpoints(sealed, some, asked.key)
        checkpoints += len(some)
        tell(events, f"{checkpoints:,} checkpoints")
    if checkpoints and asked.key is None:
        unverified.append("the signatures of the checkpoints: there is no key to verify them with")
    notes, wrong = await check_notes(sealed, asked.folders, asked.key)
    findings += wrong
    findings, followed = causes(findings)
    if followed is not None:
        unverified.append(f"checkpoints over position {followed}, where the tree is wrong")
    if not latest and notes:
        unverified.append(
            "the tree: the database has no checkpoint, although some lie outside it: they were"
            " removed, or a backup was restored"
        )
    elif not latest and upto:
        unverified.append("the tree: nothing is sealed yet; `casecore serve` seals")
    elif upto and asked.folders and not notes and asked.since is None:
        unverified.append("what left the database: no checkpoint was found outside of it")
    return Report(
        ledger=ledger,
        after=after,
        upto=upto,
        events=events,
        sealed=size,
        checkpoints=checkpoints,
        notes=notes,
        restores=tuple(map(accepted, await sealed.restores())),
        seconds=round(asyncio.get_running_loop().time() - began, 3),
        findings=tuple(findings[:FINDINGS_MAX]),
        unverified=tuple(unverified),
    )


async def check_part(
    walk: Walk, sealed: SealedLedger, part: Part, head: int, latest: Checkpoint | None
) -> Verified:
    """Go through a part, hold it against its tiles, and find out what is wrong with what is."""
    checked = await walk.check(part)
    compared = await compare(sealed, checked, latest)
    findings = list(compared.findings)
    findings += [gone(gap, head) for gap in checked.gaps]
    findings += [
        finding("position-twice", f"more than one event stands at position {position}", position)
        for position in checked.twice
    ]
    recorder = Recorder(walk.pool, walk.id, sealed.ledger)
    sound = latest.size if latest and not compared.findings else 0
    suspects = {suspect.position for suspect in checked.suspects} | compared.sealed_leaves.keys()
    for position in sorted(suspects)[:FINDINGS_MAX]:
        tile = compared.sealed_leaves.get(position)
        as_sealed = tile is None and position <= sound
        found = await diagnose(recorder, position, tile, as_sealed=as_sealed)
        if found is not None and (walk.decoding or found.code != "undecodable"):
            findings.append(found)
    return Verified(checked.events, findings, compared.roots)


async def checkpoints_of(
    sealed: SealedLedger, after: int, upto: int, at_once: int = CHECKPOINTS_AT_ONCE
) -> AsyncIterator[list[Checkpoint]]:
    while True:
        rows = await sealed.pool.fetch(
            """
            SELECT size, root, note, sealed_at FROM proof.checkpoint
            WHERE ledger = $1 AND size > $2 AND size <= $3 ORDER BY size LIMIT $4
            """,
            *(sealed.id, after, upto, at_once),
        )
        if not rows:
            return
        yield [Checkpoint(*row) for row in rows]
        after = rows[-1]["size"]


async def check_checkpoints(
    sealed: SealedLedger, checkpoints: Sequence[Checkpoint], key: VerifierKey | None
) -> list[Finding]:
    """Whether each was signed, and over the tree that there is."""
    findings = []
    tiles = await sealed.tiles({tile for one in checkpoints for tile in edge_tiles(one.size)})
    for one in checkpoints:
        if wrong := misstated(sealed, one, key):
            findings.append(wrong)
        elif Edge.of(one.size, tiles).root() != one.root:
            said = (
                f"the checkpoint at {one.size} has the root {one.root.hex()}, and the tree another"
            )
            findings.append(finding("checkpoint-contradicted", said, one.size))
    return findings


def misstated(
    sealed: SealedLedger, checkpoint: Checkpoint, key: VerifierKey | None
) -> Finding | None:
    """What is wrong with its note: that it was not signed, or says something else."""
    size, root, note, _ = checkpoint
    try:
        head = key.opened(note) if key else Head.of(note.partition("\n\n")[0] + "\n")
    except Malformed as error:
        return finding("checkpoint-changed", f"the checkpoint at {size}: {error}", size)
    if head != (origin(sealed.ledger), size, root):
        said = f"the checkpoint at {size} is kept with another size or root than its note says"
        return finding("checkpoint-changed", said, size)
    return None


def beyond(sealed: SealedLedger, latest: Checkpoint, key: VerifierKey | None, upto: int) -> Finding:
    """What is wrong when the last checkpoint is over more than there is."""
    return misstated(sealed, latest, key) or rolled_back(
        sealed.ledger, "the last checkpoint", latest.size, upto
    )


async def check_notes(
    sealed: SealedLedger, folders: Sequence[Path], key: VerifierKey | None
) -> tuple[int, list[Finding]]:
    """Hold the checkpoints that lie in folders against the ledger: how many, and what is wrong."""
    if key is None:
        return 0, []
    notes, findings = 0, []
    for path in await asyncio.to_thread(_notes, folders):
        notes += 1
        where = f"the checkpoint in {path}"
        try:
            head = key.opened(await asyncio.to_thread(path.read_text, "utf-8", "replace"))
            if head.origin != origin(sealed.ledger):
                raise Malformed("checkpoint-untrusted", f"it is about {head.origin}")
        except (CaseError, OSError) as error:
            findings.append(finding("checkpoint-untrusted", f"{where}: {error}"))
            continue
        if head.size > (upto := await sealed.head()):
            findings.append(rolled_back(sealed.ledger, where, head.size, upto))
        elif await _root(sealed, head.size) != head.root:
            said = f"{where} has another root at position {head.size} than the ledger"
            findings.append(finding("ledger-forked", said, head.size))
    return notes, findings


async def outside(pool: Pool, id: int) -> list[Finding]:
    """Whether there are events where the ledger counts none: before its first, or past its last."""
    row: Any = await pool.fetchrow(
        """
        SELECT coalesce((SELECT min(position) FROM es.event WHERE ledger = $1), 1),
               coalesce((SELECT max(position) FROM es.event WHERE ledger = $1), 0), last_position
        FROM es.ledger WHERE ledger = $1
        """,
        id,
    )
    first, last, upto = row
    findings = []
    if first < 1:
        said = f"the ledger begins at position 1, and has an event at position {first}"
        findings.append(finding("before-the-beginning", said, first))
    if last > upto:
        said = f"the ledger counts {upto} events, and has one at position {last}"
        findings.append(finding("beyond-the-end", said, upto + 1))
    return findings


def accepted(restore: Restore) -> str:
    return (
        f"{restore.accepted_by} accepted it up to position {restore.ledger_size} on"
        f" {restore.accepted_at:%Y-%m-%d %H:%M} UTC although a checkpoint spoke against it"
        f" ({restore.code}): {restore.reason}"
    )


def causes(findings: list[Finding]) -> tuple[list[Finding], int | None]:
    """The findings in the order of position, without what only follows from a tile that is wrong,
    and the position from which on there is such."""
    ordered = sorted(findings, key=lambda one: one.position or 0)
    wrong = [one.position or 0 for one in ordered if one.code in ("tile-changed", "tile-missing")]
    if not wrong:
        return ordered, None
    return [
        one
        for one in ordered
        if one.code not in ("checkpoint-contradicted", "ledger-forked")
        or (one.position or 0) < wrong[0]
    ], wrong[0]


def gone(gap: Part, head: int) -> Finding:
    first, last = gap.after + 1, gap.upto
    which = f"position {first}" if first == last else f"positions {first} to {last}"
    if last == head:
        said = f"the ledger came to position {head}, and has nothing at {which}"
        return finding("end-missing", said, first)
    return finding("event-missing", f"there is no event at {which}", first)


def rolled_back(ledger: str, where: str, size: int, upto: int) -> Finding:
    said = f"ledger {ledger} ends at position {upto}, and {where} is over {size} events"
    return finding("ledger-rolled-back", said, upto + 1)


async def _parts(
    url: str,
    pool: Pool,
    id: int,
    ledger: str,
    whole: Part,
    latest: Checkpoint | None,
    asked: Asked,
) -> AsyncIterator[Verified]:
    after, upto = whole
    ends = [*range(after - after % PART + PART, upto, PART), upto]
    parts = [Part(first, end) for first, end in zip([after, *ends], ends, strict=False)]
    if asked.jobs == 1 or len(parts) == 1:
        walk = Walk(pool, id, ledger, decoding=asked.decoding)
        for part in parts:
            yield await check_part(walk, SealedLedger(pool, id, ledger), part, upto, latest)
        return
    loop = asyncio.get_running_loop()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(asked.jobs, len(parts)), mp_context=context) as processes:
        given = (url, id, ledger, asked.decoding, upto, latest)
        running = [loop.run_in_executor(processes, in_process, *given, part) for part in parts]
        try:
            for one in running:
                yield await one
        finally:
            processes.shutdown(cancel_futures=True)


def in_process(
    url: str,
    id: int,
    ledger: str,
    decoding: bool,
    head: int,
    latest: Checkpoint | None,
    part: Part,
) -> Verified:
    """One part, by a process of its own."""

    async def work() -> Verified:
        pool = await connect(url, max_size=2)
        try:
            walk = Walk(pool, id, ledger, decoding=decoding)
            return await check_part(walk, SealedLedger(pool, id, ledger), part, head, latest)
        finally:
            await pool.close()

    return asyncio.run(work())


async def _consistent(
    sealed: SealedLedger, since: Head, upto: int, latest: Checkpoint | None
) -> list[Finding]:
    """Whether the ledger goes on from a checkpoint that is trusted."""
    where = "the checkpoint it is verified since"
    if since.size > upto:
        return [rolled_back(sealed.ledger, where, since.size, upto)]
    if await _root(sealed, since.size) != since.root:
        said = f"{where} has another root at position {since.size} than the ledger"
        return [finding("ledger-forked", said, since.size)]
    if latest is not None and 0 < since.size <= latest.size:
        try:
            await sealed.consistency(since.size, latest)
        except Unavailable as error:
            return [finding("tile-changed", str(error).partition(":")[0], latest.size)]
    return []


async def _root(sealed: SealedLedger, size: int) -> bytes:
    try:
        return await sealed.root(size)
    except (Unavailable, DataError):  # The tiles or the events do not even give one.
        return b""


def _notes(folders: Sequence[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*.note"))]
