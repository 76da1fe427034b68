"""The language of the ledger: what is asked of an append, and what it answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from casecore.errors import Rejected


class Sealed(NamedTuple):
    """An event as it will be stored, its place in the chain worked out."""

    type: str
    meta: bytes
    data: bytes
    data_hash: bytes
    head: bytes


class Write(NamedTuple):
    """Events for one stream, to follow the version and head that the writer saw.

    Without events it only claims that the stream is still there.
    """

    stream_id: UUID
    expected: int
    head: bytes
    events: Sequence[Sealed]


class Request(NamedTuple):
    """One command's writes, all or nothing. The first is to the stream the command was about."""

    command_id: UUID
    fingerprint: bytes
    """SHA-256 of the canonical request: tells a retry from another request under the same id."""
    writes: Sequence[Write]


class Appended(NamedTuple):
    """What an append answers, at first and to every retry of it."""

    version: int
    """Of the stream the command was about, once it had been carried out."""
    position: int
    """Of the last event written, or the ledger's head when the command changed nothing."""
    written: int
    """How many events it wrote: they hold the positions up to and including `position`."""
    recorded_at: datetime
    duplicate: bool


class Row(NamedTuple):
    """An event as it is stored."""

    position: int
    stream_id: UUID
    version: int
    type: str
    recorded_at: datetime
    command_id: UUID
    meta: bytes
    data: bytes
    data_hash: bytes
    head: bytes


def key_reused() -> Rejected:
    """The refusal of a command id that stands for another request already."""
    return Rejected(
        "idempotency-key-reuse",
        "this key was used for another request; use a new key for a new request",
    )
