"""What can be wrong with a ledger, and what that means to somebody who relies on it."""

from typing import Literal
from uuid import UUID

import msgspec

Code = Literal[
    "event-missing",
    "end-missing",
    "beyond-the-end",
    "order-changed",
    "version-missing",
    "data-changed",
    "data-hash-changed",
    "envelope-changed",
    "head-changed",
    "event-rewritten",
    "time-changed",
    "time-runs-back",
    "slot-changed",
    "undecodable",
    "tile-changed",
    "tile-missing",
    "checkpoint-changed",
    "checkpoint-contradicted",
    "checkpoint-untrusted",
    "ledger-rolled-back",
    "ledger-forked",
]

MEANS: dict[Code, str] = {
    "event-missing": "Something that happened is no longer in the record.",
    "end-missing": "The newest events are no longer in the record.",
    "beyond-the-end": "The ledger counts fewer events than it has: its counter was set back, or"
    " events were put in by another way than the append.",
    "order-changed": "The events are not in the order in which they were recorded.",
    "version-missing": "Something that happened in this stream is no longer in the record.",
    "data-changed": "What the event says is not what was recorded.",
    "data-hash-changed": "What the event says is as it was recorded; the hash kept beside it is"
    " not.",
    "envelope-changed": "Who did it, when, by which command or what kind of event it was is not"
    " what was recorded.",
    "head-changed": "The event is as it was recorded; the hash that chains it to the ones before it"
    " is not.",
    "event-rewritten": "The event is not the one that was sealed: it was written anew, hashes and"
    " all.",
    "time-changed": "When it was recorded, or its place in the ledger, is not what was sealed.",
    "time-runs-back": "It was recorded before the event that stands before it: a time of recording"
    " was changed.",
    "slot-changed": "The event is as it was recorded; the number by which followers share out the"
    " work is not.",
    "undecodable": "The event is as it was recorded, but this casecore cannot read it.",
    "tile-changed": "The events are as they were sealed; the proof kept of them is not.",
    "tile-missing": "A part of the proof is gone, so what it covered cannot be shown by it.",
    "checkpoint-changed": "A signed checkpoint is not what was signed.",
    "checkpoint-contradicted": "A checkpoint was signed over events that are not these.",
    "checkpoint-untrusted": "A checkpoint was not signed by the key that is trusted.",
    "ledger-rolled-back": "The ledger ends before a checkpoint that was signed over it: an older"
    " backup was restored, or the newest events were removed.",
    "ledger-forked": "The ledger is not the one over which a checkpoint was signed: the past was"
    " changed, or a backup was restored and written to.",
}


class Finding(msgspec.Struct, frozen=True):
    code: Code
    sentence: str
    """What is wrong, and where."""
    means: str
    position: int | None = None
    """Of the event, or of the last one that a checkpoint covers."""
    stream_id: UUID | None = None
    version: int | None = None


def finding(
    code: Code,
    sentence: str,
    position: int | None = None,
    stream_id: UUID | None = None,
    version: int | None = None,
) -> Finding:
    return Finding(code, sentence, MEANS[code], position, stream_id, version)
