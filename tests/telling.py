"""Writes events straight into a ledger: no rule is asked, and nobody is told."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid4

from casecore.actors import Actor
from casecore.appender import store
from casecore.database import Pool, ledger_id
from casecore.facts import Event
from casecore.integrity import first_head
from casecore.ledger import Request, Write
from casecore.recorder import Recorder
from casecore.recording import Meta, encode, seal
from tests.spec import NOON, SAM


class Telling:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._heads: dict[UUID, tuple[int, bytes]] = {}

    @classmethod
    async def into(cls, pool: Pool, ledger: str = "main") -> "Telling":
        return cls(Recorder(pool, await ledger_id(pool, ledger), ledger))

    async def tell(
        self, stream_id: UUID, *events: Event, by: Actor = SAM, at: datetime = NOON
    ) -> None:
        ledger = self.recorder.ledger
        begin = 0, first_head(ledger, stream_id)
        version, head = seen = self._heads.get(stream_id, begin)
        command_id, sealed = uuid4(), []
        for event in events:
            version += 1
            meta = Meta(at, by)
            sealed.append(seal(ledger, stream_id, version, head, command_id, encode(meta), event))
            head = sealed[-1].head
        fingerprint = sha256(command_id.bytes).digest()
        request = Request(command_id, fingerprint, [Write(stream_id, *seen, sealed)])
        async with self.recorder.pool.acquire() as connection:
            await store(connection, self.recorder.id, [request])
        self._heads[stream_id] = version, head
