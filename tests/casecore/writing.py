"""Requests as a writer makes them who remembers how its streams stand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID, uuid4

from casecore.integrity import core_hash, first_head, next_head
from casecore.ledger import Request, Row, Sealed, Write

META = b'{"actor":"ada"}'
THE_SAME, ANOTHER = sha256(b"the same").digest(), sha256(b"another").digest()
"""Fingerprints of what is asked."""


@dataclass
class Stream:
    ledger: str = "main"
    id: UUID = field(default_factory=uuid4)
    version: int = 0
    head: bytes = b""

    def __post_init__(self) -> None:
        self.head = self.head or first_head(self.ledger, self.id)

    def copy(self) -> "Stream":
        return Stream(self.ledger, self.id, self.version, self.head)

    def write(self, command_id: UUID, events: int) -> Write:
        """Go on by so many events: from now on the stream is remembered with them."""
        version, head, sealed = self.version, self.head, []
        for _ in range(events):
            self.version += 1
            data = b'{"said":%d}' % self.version
            data_hash = sha256(data).digest()
            core = core_hash(
                self.ledger, self.id, self.version, "Said", command_id, META, data_hash
            )
            self.head = next_head(self.head, core)
            sealed.append(Sealed("Said", META, data, data_hash, self.head))
        return Write(self.id, version, head, sealed)


def asking(
    *streams: Stream,
    events: int | Sequence[int] = 1,
    command_id: UUID | None = None,
    fingerprint: bytes = THE_SAME,
) -> Request:
    """A request that goes on with each of these streams, by as many events."""
    command_id = command_id or uuid4()
    counts = [events] * len(streams) if isinstance(events, int) else events
    writes = [
        stream.write(command_id, count) for stream, count in zip(streams, counts, strict=True)
    ]
    return Request(command_id, fingerprint, writes)


def recomputed_head(ledger: str, stream_id: UUID, rows: Sequence[Row]) -> bytes:
    """What the head of this stream must be, from the bytes that are stored of it."""
    head = first_head(ledger, stream_id)
    for row in rows:
        data_hash = sha256(row.data).digest()
        core = core_hash(
            ledger, row.stream_id, row.version, row.type, row.command_id, row.meta, data_hash
        )
        head = next_head(head, core)
    return head
