"""casecore as the eventsourcing library's PERSISTENCE_MODULE.

Each factory has an event loop on a thread of its own, because a pool belongs to the loop that made
it. Nothing here may be called from that loop.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    ListenNotifySubscription,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from casecore import eventsourced
from casecore.appender import CHANNEL, UNKNOWN, Appender
from casecore.database import Pool, connect, ledger_id, migrate
from casecore.errors import Unavailable
from casecore.eventsourced import EventRecorder, SnapshotRecorder
from casecore.recorder import Recorder

POLL_SECONDS = 1.0

T = TypeVar("T")


class Store:
    """A ledger, and the loop and thread from which it is awaited."""

    pool: Pool
    recorder: Recorder
    appender: Appender

    def __init__(self, url: str, ledger: str, *, migrating: bool) -> None:
        self.url = url
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, name="casecore-blocking", daemon=True)
        self.thread.start()
        try:
            self.wait(self._open(ledger, migrating))
        except BaseException:
            self._end_loop()
            raise

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()
        except (*UNKNOWN, Unavailable) as error:
            raise OperationalError(str(error)) from error

    def close(self) -> None:
        if not self.loop.is_closed():
            self.wait(self._close())
            self._end_loop()

    async def _open(self, ledger: str, migrating: bool) -> None:
        if migrating:
            await migrate(self.url)
        self.pool = await connect(self.url)
        id = await ledger_id(self.pool, ledger)
        self.recorder = Recorder(self.pool, id, ledger)
        self.appender = Appender(self.pool, id)

    async def _close(self) -> None:
        await self.appender.close()
        await self.pool.close()

    def _end_loop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class BlockingAggregateRecorder(AggregateRecorder):
    def __init__(self, store: Store) -> None:
        self.store = store
        self.events = EventRecorder(store.recorder, store.appender)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        self.store.wait(self.events.insert_events(stored_events))
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        return self.store.wait(
            self.events.select_events(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        )


class BlockingApplicationRecorder(BlockingAggregateRecorder, ApplicationRecorder):
    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        return self.store.wait(self.events.insert_events(stored_events))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        return self.store.wait(
            self.events.select_notifications(
                start, limit, stop, topics, inclusive_of_start=inclusive_of_start
            )
        )

    def max_notification_id(self) -> int | None:
        return self.store.wait(self.events.max_notification_id())

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        return BlockingSubscription(self, gt, topics)


class BlockingSubscription(ListenNotifySubscription[BlockingApplicationRecorder]):
    """Looks when it is notified, when LISTEN has just become active, and from time to time."""

    _listening: Future[None] | None = None

    def __init__(
        self,
        recorder: BlockingApplicationRecorder,
        gt: int | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        super().__init__(recorder, gt, topics)
        store = recorder.store
        self._listening = asyncio.run_coroutine_threadsafe(self._listen(store.url), store.loop)
        if self._has_been_stopped:  # by its own thread, which was first
            self._listening.cancel()

    def stop(self) -> None:
        super().stop()
        if self._listening is not None:
            self._listening.cancel()

    async def _listen(self, url: str) -> None:
        while True:
            with suppress(*UNKNOWN):
                connection = await asyncpg.connect(url)
                try:
                    await connection.add_listener(CHANNEL, self._notified)
                    while not connection.is_closed():
                        self._has_been_notified.set()
                        await asyncio.sleep(POLL_SECONDS)
                finally:
                    connection.terminate()
            await asyncio.sleep(POLL_SECONDS)

    def _notified(self, *_: object) -> None:
        self._has_been_notified.set()


class BlockingTrackingRecorder(TrackingRecorder):
    def __init__(self, store: Store, follower: str) -> None:
        self.store = store
        self.trackings = eventsourced.TrackingRecorder(store.pool, store.recorder.id, follower)

    def insert_tracking(self, tracking: Tracking) -> None:
        self.store.wait(self.trackings.insert_tracking(tracking))

    def max_tracking_id(self, application_name: str) -> int | None:
        return self.store.wait(self.trackings.max_tracking_id(application_name))


class BlockingProcessRecorder(
    BlockingTrackingRecorder, BlockingApplicationRecorder, ProcessRecorder
):
    def __init__(self, store: Store, follower: str) -> None:
        BlockingTrackingRecorder.__init__(self, store, follower)
        BlockingApplicationRecorder.__init__(self, store)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], tracking: Tracking | None = None, **_: Any
    ) -> Sequence[int] | None:
        if tracking is None:
            return super().insert_events(stored_events)
        return self.store.wait(self.events.insert_tracked(stored_events, self.trackings, tracking))


class BlockingSnapshotRecorder(AggregateRecorder):
    def __init__(self, store: Store) -> None:
        self.store = store
        self.snapshots = SnapshotRecorder(store.pool, store.recorder.id)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        self.store.wait(self.snapshots.insert_events(stored_events))
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        return self.store.wait(
            self.snapshots.select_events(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        )


class Factory(InfrastructureFactory[BlockingTrackingRecorder]):
    """Reads CASECORE_DATABASE_URL, CASECORE_LEDGER (main) and CREATE_TABLE (yes: it migrates)."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get("CASECORE_DATABASE_URL")
        if not url:
            raise InfrastructureFactoryError("CASECORE_DATABASE_URL says where the ledger is")
        self.store = Store(
            url,
            self.env.get("CASECORE_LEDGER", "main"),
            migrating=strtobool(self.env.get("CREATE_TABLE", "yes")),
        )

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose == "snapshots":
            return BlockingSnapshotRecorder(self.store)
        return BlockingAggregateRecorder(self.store)

    def application_recorder(self) -> BlockingApplicationRecorder:
        return BlockingApplicationRecorder(self.store)

    def tracking_recorder(
        self, tracking_recorder_class: type[BlockingTrackingRecorder] | None = None
    ) -> BlockingTrackingRecorder:
        topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
        if tracking_recorder_class is None and topic:
            tracking_recorder_class = resolve_topic(topic)
        return (tracking_recorder_class or BlockingTrackingRecorder)(self.store, self.env.name)

    def process_recorder(self) -> ProcessRecorder:
        return BlockingProcessRecorder(self.store, self.env.name)

    def close(self) -> None:
        self.store.close()
