"""The hash chain: what each stream's head is made of, so that 32 bytes pin a whole case.

core = SHA-256(0x03 ‖ ledger ‖ stream ‖ version ‖ type ‖ command ‖ meta ‖ SHA-256(data))
head = SHA-256(0x02 ‖ previous head ‖ core)      the head before the first event:
       SHA-256("casecore" ‖ ledger ‖ stream)
leaf = SHA-256(0x00 ‖ core ‖ head ‖ position ‖ recorded_at)
       of the tree over the whole ledger, in which the event's index is its position less one

Numbers are eight bytes, big-endian; ids their sixteen; texts and meta are preceded by their
length in four; a time is the number of microseconds since 1970 began, in UTC. Meta and data are
the bytes that are stored. Data comes in by its hash alone, so a chain can still be checked when
data had to be destroyed.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

NAMES_MAX = 1_000
"""How many names of ledgers and types, which come again and again, are kept as bytes."""


def first_head(ledger: str, stream_id: UUID) -> bytes:
    return sha256(b"casecore" + sized(ledger.encode()) + stream_id.bytes).digest()


def next_head(head: bytes, core: bytes) -> bytes:
    return sha256(b"\x02" + head + core).digest()


def core_hash(
    ledger: str,
    stream_id: UUID,
    version: int,
    type_: str,
    command_id: UUID,
    meta: bytes,
    data_hash: bytes,
) -> bytes:
    parts = (
        b"\x03",
        sized_name(ledger),
        stream_id.bytes,
        version.to_bytes(8, "big"),
        sized_name(type_),
        command_id.bytes,
        sized(meta),
        data_hash,
    )
    return sha256(b"".join(parts)).digest()


def leaf_hash(core: bytes, head: bytes, position: int, recorded_at: datetime) -> bytes:
    return sha256(b"\x00" + leaf_entry(core, head, position, recorded_at)).digest()


def leaf_entry(core: bytes, head: bytes, position: int, recorded_at: datetime) -> bytes:
    """What the tree has of an event: RFC 6962 calls it the entry that a leaf is the hash of."""
    microseconds = (recorded_at - EPOCH) // MICROSECOND
    return core + head + position.to_bytes(8, "big") + microseconds.to_bytes(8, "big")


@lru_cache(maxsize=NAMES_MAX)
def sized_name(name: str) -> bytes:
    return sized(name.encode())


def sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
