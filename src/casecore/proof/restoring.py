"""Whether a ledger is still the one that was sealed, and what to do when it is not.

A checkpoint that left the database knows how far the ledger had come, and what it was. A backup
that was restored ends before it; one that was written to since has come as far another way.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from casecore.errors import CaseError, Malformed, Rejected, Unavailable
from casecore.proof.notes import Head, SealingKey, origin
from casecore.proof.places import Kept, Place
from casecore.proof.sealed import SealedLedger

WAY_OUT = (
    "nothing is written to it until that is settled: bring the newer database back, or accept this"
    " one with `casecore audit accept-restore --ledger {ledger} --reason …`, which docs/proof.md"
    " explains"
)

logger = logging.getLogger(__name__)


class Finding(NamedTuple):
    """A checkpoint that the ledger does not agree with."""

    code: str
    sentence: str
    kept: Kept

    def refusal(self) -> Unavailable:
        """What whoever wants to write is told."""
        return Unavailable(self.code, self.sentence)


class Accepted(NamedTuple):
    """What was accepted, and where what spoke against it lies now."""

    size: int
    root: bytes
    findings: Sequence[Finding]
    set_aside: Sequence[Path]


async def examine(ledger: SealedLedger, key: Path, places: Sequence[Place]) -> list[Finding]:
    """Hold the ledger against the checkpoints that lie elsewhere. The key signed them, if any
    did."""
    findings = []
    for place in places:
        for kept in await _newest(place):
            if (finding := await _compared(ledger, key, kept)) is not None:
                findings.append(finding)
    return findings


async def accept(
    ledger: SealedLedger, key: Path, places: Sequence[Place], by: str, reason: str
) -> Accepted:
    """Go on with the ledger as it is. What speaks against it is kept: on record, and set aside."""
    findings = await examine(ledger, key, places)
    if not findings:
        raise Rejected(
            "nothing-to-accept",
            f"ledger {ledger.ledger} agrees with every checkpoint that was found: there is nothing"
            " to accept",
        )
    size = await ledger.head()
    root = await ledger.root(size)
    await ledger.pool.executemany(
        """
        INSERT INTO proof.restored
            (ledger, accepted_by, reason, code, ledger_size, ledger_root, note, found_in)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [
            (ledger.id, by, reason, code, size, root, kept.note, str(kept.path))
            for code, _, kept in findings
        ],
    )
    now = datetime.now(UTC)
    record = "\n".join(
        [
            f"{by} accepted ledger {ledger.ledger} on {now:%Y-%m-%d %H:%M:%S} UTC: {reason}",
            f"It ended at {size}, and its root was {root.hex()}.",
            *(finding.sentence for finding in findings),
            "",
        ]
    )
    folders = {finding.kept.path.parent for finding in findings}
    aside = [
        await place.set_aside(f"before-{now:%Y%m%dT%H%M%S}Z", record)
        for place in places
        if place.folder in folders
    ]
    return Accepted(size, root, findings, aside)


async def _newest(place: Place) -> list[Kept]:
    try:
        return await place.newest()
    except OSError as error:
        # It cannot speak against the ledger; that it is away is said where it is written to.
        logger.warning("cannot read checkpoints in %s: %s", place.folder, error)
        return []


async def _compared(ledger: SealedLedger, key: Path, kept: Kept) -> Finding | None:
    where = f"the checkpoint in {kept.path}, written {kept.written_at:%Y-%m-%d %H:%M:%S} UTC"
    way_out = WAY_OUT.format(ledger=ledger.ledger)
    try:
        head = _opened(ledger, key, kept.note)
    except CaseError as error:
        return Finding(
            "checkpoint-untrusted",
            f"{where}, cannot speak for ledger {ledger.ledger}: {error}; {way_out}",
            kept,
        )
    size = await ledger.head()
    if head.size > size:
        return Finding(
            "ledger-rolled-back",
            f"ledger {ledger.ledger} ends at position {size}, but {where}, has it at {head.size}:"
            f" what was written after {size} is gone, as when a backup was restored; {way_out}",
            kept,
        )
    try:
        root = await ledger.root(head.size)
    except Unavailable as error:
        return Finding(error.code, f"ledger {ledger.ledger}: {error}; {way_out}", kept)
    if root != head.root:
        return Finding(
            "ledger-forked",
            f"ledger {ledger.ledger} up to position {head.size} is not what was sealed: {where},"
            f" has the root {head.root.hex()}, and the ledger now {root.hex()}; so a backup was"
            f" restored and written to, or the past was changed; {way_out}",
            kept,
        )
    return None


def _opened(ledger: SealedLedger, key: Path, note: str) -> Head:
    name = origin(ledger.ledger)
    head = SealingKey.read(key).verifier(name).opened(note)
    if head.origin != name:
        raise Malformed("checkpoint-untrusted", f"it is about {head.origin}")
    return head
