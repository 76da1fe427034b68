"""The recorders of the eventsourcing library, awaited, over our ledger."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import asyncpg
import msgspec
import uuid_utils.compat as uuids
from eventsourcing.persistence import IntegrityError, Notification, StoredEvent, Tracking

from casecore.actors import Actor, Role
from casecore.appender import STORED, Appender, store
from casecore.database import Connection, Pool
from casecore.errors import Conflict
from casecore.integrity import core_hash, first_head, next_head
from casecore.ledger import Request, Sealed, Write
from casecore.recorder import Recorder
from casecore.recording import Meta

BY = Actor("eventsourcing", Role.SYSTEM)


class TrackingRecorder:
    """How far a follower, by its name, has come with the applications it follows."""

    def __init__(self, pool: Pool, ledger: int, follower: str) -> None:
        self.pool = pool
        self.ledger = ledger
        self.follower = follower

    async def insert_tracking(
        self, tracking: Tracking, connection: Connection | None = None
    ) -> None:
        moved = await (connection or self.pool).fetchval(
            """
            INSERT INTO es.tracking AS t (ledger, follower, application, notification_id)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (ledger, follower, application)
            DO UPDATE SET notification_id = excluded.notification_id
            WHERE t.notification_id < excluded.notification_id
            RETURNING true
            """,
            *(self.ledger, self.follower, tracking.application_name, tracking.notification_id),
        )
        if not moved:
            raise IntegrityError(f"{tracking} was recorded before, or a later one")

    async def max_tracking_id(self, application_name: str) -> int | None:
        furthest: int | None = await self.pool.fetchval(
            """
            SELECT notification_id FROM es.tracking
            WHERE ledger = $1 AND follower = $2 AND application = $3
            """,
            *(self.ledger, self.follower, application_name),
        )
        return furthest


class EventRecorder:
    """AggregateRecorder, ApplicationRecorder and ProcessRecorder, awaited."""

    def __init__(self, recorder: Recorder, appender: Appender) -> None:
        self.recorder = recorder
        self.appender = appender

    async def insert_events(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        if not stored_events:
            return []
        request = await self._sealed(stored_events)
        try:
            appended = await self.appender.append(request)
        except Conflict as conflict:
            raise IntegrityError(str(conflict)) from conflict
        return _positions(stored_events, request, appended.position)

    async def insert_tracked(
        self,
        stored_events: Sequence[StoredEvent],
        tracking_recorder: TrackingRecorder,
        tracking: Tracking,
    ) -> list[int]:
        """Write the events together with how far their follower has come."""
        if not stored_events:
            await tracking_recorder.insert_tracking(tracking)
            return []
        request = await self._sealed(stored_events)
        async with self.recorder.pool.acquire() as connection, connection.transaction():
            await tracking_recorder.insert_tracking(tracking, connection)
            [(outcome, _, position, *_)] = await store(connection, self.recorder.id, [request])
            if outcome != STORED:
                raise IntegrityError("someone else changed this first")
        return _positions(stored_events, request, position)

    async def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        rows = await self.recorder.pool.fetch(
            f"""
            SELECT stream_id, version, type, data FROM es.event
            WHERE ledger = $1 AND stream_id = $2
              AND ($3::int IS NULL OR version > $3) AND ($4::int IS NULL OR version <= $4)
            ORDER BY version {"DESC" if desc else "ASC"} LIMIT $5
            """,
            *(self.recorder.id, _id(originator_id), gt, lte, limit),
        )
        return [_stored_event(row) for row in rows]

    async def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        rows = await self.recorder.pool.fetch(
            """
            SELECT position, stream_id, version, type, data FROM es.event
            WHERE ledger = $1 AND position > $2 AND ($3::bigint IS NULL OR position <= $3)
              AND ($4::text[] = '{}' OR type = ANY ($4))
            ORDER BY position LIMIT $5
            """,
            *(self.recorder.id, (start or 0) - inclusive_of_start, stop, list(topics), limit),
        )
        return [_notification(row) for row in rows]

    async def max_notification_id(self) -> int | None:
        return await self.recorder.head() or None

    async def _sealed(self, stored_events: Sequence[StoredEvent]) -> Request:
        """One request of it all, each stream's events after what is there."""
        streams: dict[UUID, list[StoredEvent]] = {}
        for stored in stored_events:
            streams.setdefault(_id(stored.originator_id), []).append(stored)
        heads = await self.recorder.heads(list(streams))
        command_id = uuids.uuid7()
        writes = []
        for stream_id, events in streams.items():
            expected = events[0].originator_version - 1
            unbegun = min(expected, 0), first_head(self.recorder.ledger, stream_id)
            version, head = heads.get(stream_id, unbegun)
            if version != expected:
                raise IntegrityError(f"{stream_id} is at version {version}, not {expected}")
            sealed = self._chained(stream_id, version, head, command_id, events)
            writes.append(Write(stream_id, version, head, sealed))
        return Request(command_id, sha256(command_id.bytes).digest(), writes)

    def _chained(
        self,
        stream_id: UUID,
        after: int,
        head: bytes,
        command_id: UUID,
        events: Sequence[StoredEvent],
    ) -> list[Sealed]:
        sealed = []
        for version, stored in enumerate(events, after + 1):
            if stored.originator_version != version:
                raise IntegrityError(f"{stream_id} goes on with version {version}")
            meta = msgspec.json.encode(Meta(datetime.now(UTC), BY))
            data_hash = sha256(stored.state).digest()
            ledger = self.recorder.ledger
            core = core_hash(ledger, stream_id, version, stored.topic, command_id, meta, data_hash)
            head = next_head(head, core)
            sealed.append(Sealed(stored.topic, meta, stored.state, data_hash, head))
        return sealed


class SnapshotRecorder:
    """Snapshots of aggregates, for an AggregateRecorder: of whichever versions they were taken."""

    def __init__(self, pool: Pool, ledger: int) -> None:
        self.pool = pool
        self.ledger = ledger

    async def insert_events(self, stored_events: Sequence[StoredEvent]) -> None:
        try:
            await self.pool.execute(
                """
                INSERT INTO es.snapshot (ledger, stream_id, version, topic, state)
                SELECT $1, s.* FROM unnest($2::uuid[], $3::int[], $4::text[], $5::bytea[]) AS s
                """,
                self.ledger,
                [_id(stored.originator_id) for stored in stored_events],
                [stored.originator_version for stored in stored_events],
                [stored.topic for stored in stored_events],
                [stored.state for stored in stored_events],
            )
        except asyncpg.UniqueViolationError as taken:
            raise IntegrityError(str(taken)) from taken

    async def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        rows = await self.pool.fetch(
            f"""
            SELECT stream_id, version, topic AS type, state AS data FROM es.snapshot
            WHERE ledger = $1 AND stream_id = $2
              AND ($3::int IS NULL OR version > $3) AND ($4::int IS NULL OR version <= $4)
            ORDER BY version {"DESC" if desc else "ASC"} LIMIT $5
            """,
            *(self.ledger, _id(originator_id), gt, lte, limit),
        )
        return [_stored_event(row) for row in rows]


def _positions(stored_events: Sequence[StoredEvent], request: Request, last: int) -> list[int]:
    """Where each event has come to stand, up to the last: those of a stream stand together."""
    first, positions = last - len(stored_events) + 1, {}
    for write in request.writes:
        positions[write.stream_id] = iter(range(first, first + len(write.events)))
        first += len(write.events)
    return [next(positions[_id(stored.originator_id)]) for stored in stored_events]


def _stored_event(row: asyncpg.Record) -> StoredEvent:
    return StoredEvent(
        originator_id=_id(row["stream_id"]),
        originator_version=row["version"],
        topic=row["type"],
        state=row["data"],
    )


def _notification(row: asyncpg.Record) -> Notification:
    return Notification(
        id=row["position"],
        originator_id=_id(row["stream_id"]),
        originator_version=row["version"],
        topic=row["type"],
        state=row["data"],
    )


def _id(originator_id: UUID | str) -> UUID:
    """A plain UUID: the library's transcoder refuses the driver's kind of it."""
    return UUID(str(originator_id))
