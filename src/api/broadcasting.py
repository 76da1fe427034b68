"""What is new in a ledger, read once a process and shared by all who are connected to hear of it.

Whoever listens pulls. Nothing here waits for a listener: the latest events stand in a ring, and who
falls behind it reads the ledger again. It runs only while somebody listens.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from api.cloudevents import NAMESPACE, to_cloudevent
from api.keys import still_open
from casecore.errors import Unavailable
from casecore.following.feed import happens
from casecore.ledger import Row
from casecore.outages import log
from casecore.recorder import Recorder

RING_MAX = 5_000
RING_BYTES_MAX = 16 << 20
"""How many of the latest events are at hand, and how large they may be together."""
BATCH_MAX = 200
"""How many events are taken in at a time."""
CHUNK_MAX = 64
CHUNK_BYTES_MAX = 64 << 10
"""How much a listener takes at a time; a larger event goes alone."""
SCANNED_MAX = 20_000
"""How far the ledger is searched at a time for the types that a listener asks for."""
READERS_MAX = 2
"""How many of those who have fallen behind read the ledger at the same time: the connections are
there for requests."""
TURNS_MAX = 50
"""How many listeners take something before everybody else gets their turn."""
REST = 2.0
"""How long that is then everybody else's, as a multiple of what the listeners took."""

GATHER_SECONDS = 0.05
"""How long to let more come together after something was told."""
LOOK_SECONDS = 1.0
"""How soon the ledger is read again when nobody told of anything new."""
RETRY_SECONDS = 1.0
KEYS_SECONDS = 20.0
"""How often it is asked which of the listeners' keys were revoked."""
GRACE_SECONDS = 1.0
"""How long a listener that must end has for its last words before its connection is cut."""

logger = logging.getLogger(__name__)


class Frame:
    """An event as it goes out, made once for all."""

    __slots__ = ("position", "sent", "type")

    def __init__(self, ledger: str, row: Row) -> None:
        self.position = row.position
        self.type = row.type
        name = b" ".join((NAMESPACE + row.type).encode().split())
        line = to_cloudevent(ledger, row)
        self.sent = b"id: %d\nevent: %b\ndata: %b\n\n" % (row.position, name, line)


class Listener:
    """One that is connected: a place in the ledger, and what it wants to hear of."""

    __slots__ = ("cut", "key_hash", "over", "position", "types", "woken")

    def __init__(
        self,
        position: int,
        types: frozenset[str] | None,
        key_hash: bytes,
        cut: Callable[[], None],
    ) -> None:
        self.position = position
        """It has heard all that it wants up to there."""
        self.types = types
        self.key_hash = key_hash
        self.cut = cut
        """Ends its connection, whatever still waits to be sent on it."""
        self.woken = asyncio.Event()
        self.over = False

    def end(self) -> None:
        self.over = True
        self.woken.set()

    def take(self, frames: Iterable[Frame], limit: int) -> Sequence[Frame]:
        """As many of those it wants as go out at once; its place moves behind what it has seen."""
        taken: list[Frame] = []
        size = 0
        for frame in frames:
            if self.types is None or frame.type in self.types:
                size += len(frame.sent)
                if taken and size > CHUNK_BYTES_MAX:
                    break
                taken.append(frame)
            self.position = frame.position
            if len(taken) == limit:
                break
        return taken


class Broadcast:
    """One ledger's latest events, and who listens."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.position = 0
        """How far the ledger has been read; 0 until it has."""
        self.closed = False
        self._ring: deque[Frame] = deque()
        self._ring_bytes = 0
        self._listeners: dict[Listener, None] = {}
        self._woken = asyncio.Event()
        self._reading = asyncio.Semaphore(READERS_MAX)
        self._turns: deque[asyncio.Future[None]] = deque()
        self._waited_for = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def wake(self, _news: object) -> None:
        """There is something new."""
        self._woken.set()

    @contextmanager
    def listener(
        self,
        position: int,
        types: frozenset[str] | None,
        key_hash: bytes,
        cut: Callable[[], None],
    ) -> Iterator[Listener]:
        """One that listens from this position on, while this lasts."""
        if self.closed:
            raise Unavailable("not-ready", "casecore is stopping: connect again shortly")
        listener = Listener(position, types, key_hash, cut)
        self._listeners[listener] = None
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._follow()),
                asyncio.create_task(self._give_turns()),
                asyncio.create_task(self._check_keys()),
            ]
        try:
            yield listener
        finally:
            del self._listeners[listener]
            if not self._listeners:
                self._stop()

    async def news(self, listener: Listener, limit: int) -> Sequence[Frame]:
        """Some of what it wants to hear, and its place moves behind that; it may be none yet."""
        if listener.position >= self.position:
            return ()
        limit = min(limit, CHUNK_MAX)
        await self._turn()
        if self._ring and self._ring[0].position <= listener.position + 1:
            start = listener.position + 1 - self._ring[0].position
            at_hand = (self._ring[nth] for nth in range(start, len(self._ring)))
            return listener.take(at_hand, limit)
        async with self._reading:
            upto = min(self.position, listener.position + SCANNED_MAX)
            rows = await self.recorder.read(
                listener.position,
                limit=limit,
                upto=upto,
                types=listed(listener.types),
            )
        taken = listener.take((Frame(self.recorder.ledger, row) for row in rows), limit)
        if len(taken) == len(rows) < limit:
            listener.position = upto
        return taken

    def end(self) -> None:
        """Let all who listen go, and nobody in any more."""
        self.closed = True
        self._end(list(self._listeners))

    async def close(self) -> None:
        self.end()
        tasks = self._stop()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        begun = False
        while True:
            try:
                if not begun:
                    self.position = await self.recorder.head()
                    begun = True
                    self._tell()
                self._woken.clear()
                rows = await self.recorder.read(self.position, limit=BATCH_MAX)
                if rows:
                    self._take_in(rows)
                    self._tell()
            except Exception as error:
                # Whatever it was, without this nobody would hear of anything any more.
                log(logger, error, "cannot read ledger %s; trying again", self.recorder.ledger)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not rows:
                await happens(self._woken, LOOK_SECONDS)
            elif len(rows) < BATCH_MAX:
                await asyncio.sleep(GATHER_SECONDS)

    def _take_in(self, rows: Sequence[Row]) -> None:
        for row in rows:
            frame = Frame(self.recorder.ledger, row)
            self._ring.append(frame)
            self._ring_bytes += len(frame.sent)
        while len(self._ring) > RING_MAX or self._ring_bytes > RING_BYTES_MAX:
            self._ring_bytes -= len(self._ring.popleft().sent)
        self.position = rows[-1].position

    def _tell(self) -> None:
        for listener in self._listeners:
            listener.woken.set()

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        self._waited_for.set()
        await turn

    async def _give_turns(self) -> None:
        """Let listeners take something, some at a time: however many they are, and however much
        they have to hear, requests are answered in between."""
        while True:
            await self._waited_for.wait()
            began = time.monotonic()
            for _ in range(min(TURNS_MAX, len(self._turns))):
                turn = self._turns.popleft()
                if not turn.done():
                    turn.set_result(None)
            if not self._turns:
                self._waited_for.clear()
            await asyncio.sleep(0)
            await asyncio.sleep(REST * (time.monotonic() - began))

    async def _check_keys(self) -> None:
        while True:
            await asyncio.sleep(KEYS_SECONDS)
            try:
                hashes = {listener.key_hash for listener in self._listeners}
                opening = await still_open(self.recorder.pool, hashes)
            except Exception as error:
                log(logger, error, "cannot ask which keys were revoked; trying again")
                continue
            self._end([one for one in self._listeners if one.key_hash not in opening])

    def _end(self, listeners: Sequence[Listener]) -> None:
        for listener in listeners:
            listener.end()
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._cut, listener)

    def _cut(self, listener: Listener) -> None:
        if listener in self._listeners:
            listener.cut()

    def _stop(self) -> list[asyncio.Task[None]]:
        stopped, self._tasks = self._tasks, []
        for task in stopped:
            task.cancel()
        self._ring.clear()
        self._ring_bytes = 0
        self.position = 0
        return stopped


def listed(types: frozenset[str] | None) -> list[str] | None:
    return None if types is None else sorted(types)
