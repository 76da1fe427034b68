"""What is new in one ledger, read once a process and told to all who follow it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from casecore.appender import UNKNOWN
from casecore.database import Pool
from casecore.errors import Unavailable
from casecore.following import generations
from casecore.following.follower import Follower, fold
from casecore.following.leases import Leases, ShardId, Turn
from casecore.following.progress import Progress, progress
from casecore.following.projection import Projection
from casecore.following.rebuilding import upgrade
from casecore.notices import notices_of
from casecore.outages import log
from casecore.recorder import Recorder
from casecore.recording import Recorded, from_row

BATCH_MAX = 2_000
CONNECTIONS_MAX = 2
"""How many shards of a ledger are written at the same time."""
POLL_SECONDS = 0.05
"""How soon the ledger is read again when nobody told of anything new: a notice can be lost."""
GATHER_SECONDS = 0.02
"""How long to let more come together, unless somebody waits for it."""
TOGETHER_MAX = 500
"""How many events at most go into all read models in one transaction: it saves half the time when
they are few. When they are many, one is better folded while another is written."""
BUSY_EVENTS = 64
BUSY_GATHER_SECONDS = 0.04
"""The same when so many came at once: then requests need the time more than those who look on."""
LOOK_SECONDS = 0.01
"""How soon to look again how far other processes have come, when somebody waits for it."""
TURN_SECONDS = 1.0
"""How often leases are renewed, and free shards taken on."""
FRESH_SECONDS = 1.0
RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 10.0
CATCH_UP_SECONDS_MAX = 3600.0

logger = logging.getLogger(__name__)


class Feed:
    """Reads the ledger for this process, and follows its share of the shards."""

    def __init__(
        self,
        pool: Pool,
        recorder: Recorder,
        projections: Sequence[Projection],
        *,
        shards: int = 1,
    ) -> None:
        self.pool = pool
        self.recorder = recorder
        self.projections = projections
        self.shards = shards
        """In how many shares to follow a read model that nobody has begun yet."""
        self.on_rows: list[Callable[[Sequence[Recorded]], None]] = []
        """Told of whatever is new before the projections are; must neither wait nor fail."""
        self.batches = 0
        self.told = 0
        """Events in these batches."""
        self._leases = Leases(pool, recorder.id, projections)
        self._followers: dict[ShardId, Follower] = {}
        self._elsewhere: dict[ShardId, int] = {}
        """How far the shards have come that others follow, when last looked."""
        self._looked = False
        """Whether that, with what is followed here, is all there is."""
        self._position = 0
        self._behind: dict[Follower, asyncio.Task[None]] = {}
        self._writing = asyncio.Semaphore(CONNECTIONS_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self._read_upto = 0
        self._read_at = float("-inf")
        self._appended = 0
        self._woken = asyncio.Event()
        self._asked = asyncio.Event()
        self._lost = asyncio.Event()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def position(self) -> int:
        """How far all read models have come, here or elsewhere. It never goes back."""
        return self._position

    @property
    def fresh(self) -> bool:
        """Whether whoever listens to `on_rows` knows of all that is known to be there."""
        recent = time.monotonic() - self._read_at < FRESH_SECONDS
        return recent and self._read_upto >= self._appended

    async def start(self, *, taking: bool = True) -> None:
        """Follow from now on; not `taking`, only look on while other processes do."""
        await self._prepare()
        if taking:
            await self._take(self._leases.turn)
        await self._look()
        head = await self.recorder.head()
        self._read_upto = max((f.position for f in self._followers.values()), default=head)
        self._bring_up_the_rest()
        notices_of(self.pool).listen(self.recorder.id, self.wake)
        self._tasks += [
            asyncio.create_task(self._follow()),
            asyncio.create_task(self._keep_turns(taking)),
        ]

    async def close(self) -> None:
        await notices_of(self.pool).leave(self.recorder.id, self.wake)
        tasks = [*self._tasks, *self._behind.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []
        self._followers = {}
        with suppress(*UNKNOWN):
            await self._leases.leave()

    def wake(self, position: int) -> None:
        """There is something new, up to this position."""
        self._appended = max(self._appended, position)
        self._woken.set()

    async def reached(self, position: int, seconds: float) -> int:
        """Wait until all read models have come to this position; answer how far they have."""
        if self.position < position:
            waiter = position, asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            self._asked.set()
            try:
                async with asyncio.timeout(seconds):
                    while not waiter[1].done():
                        if self._elsewhere:
                            await self._look()
                        await asyncio.wait(
                            [waiter[1]], timeout=LOOK_SECONDS if self._elsewhere else None
                        )
            except TimeoutError:
                raise Unavailable(
                    "projection-lagging",
                    f"what can be read is as of position {self.position},"
                    f" and {position} was asked for: ask again in a moment",
                    as_of_position=self.position,
                    lag=position - self.position,
                ) from None
            finally:
                self._waiters.remove(waiter)
        return self.position

    async def catch_up(self, upto: int | None = None) -> None:
        """Fold in all there is, or what is there up to a position, whether or not this was
        started; raise what keeps it."""
        head = upto or await self.recorder.head()
        if self._tasks:
            await self.reached(head, CATCH_UP_SECONDS_MAX)
            return
        await self._prepare(waiting=True)
        try:
            while True:
                await self._take(self._leases.visit)
                await self._look()
                followers = [*self._followers.values()]
                after = min((follower.position for follower in followers), default=head)
                while news := await read(self.recorder, after, head):
                    after = news[-1].position
                    await all_of(self._apply(follower, news) for follower in followers)
                    followers = [*self._followers.values()]
                self._moved()
                if self.position >= head:
                    return
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._followers = {}
            await self._leases.leave()

    async def status(self) -> list[Progress]:
        """As the database has it, whichever processes follow."""
        names = [projection.NAME for projection in self.projections]
        return [one for _, one in await progress(self.pool, names, self.recorder.id)]

    async def _prepare(self, *, waiting: bool = False) -> None:
        """Make what is not there yet, and anew what another version made. While that takes, the
        old rows serve; those with other columns could not be read by this process, so it waits."""
        later: list[Projection] = []
        for projection in self.projections:
            stale = await generations.older(self.pool, projection)
            shape = generations.shape_of(projection)
            if waiting or any(generation.shape != shape for generation, _ in stale):
                await upgrade(self.pool, projection)
            elif stale:
                later.append(projection)
            await generations.ensure(self.pool, self.recorder.id, projection, self.shards)
        if later:
            self._tasks.append(asyncio.create_task(self._upgrade(later)))

    async def _upgrade(self, stale: Sequence[Projection]) -> None:
        """One after the other: each needs several connections, and others need some, too."""
        pause = RETRY_SECONDS_MIN
        while stale:
            left = []
            for projection in stale:
                try:
                    await upgrade(self.pool, projection)
                except Exception:
                    logger.exception("%s is as an older version made it", projection.NAME)
                    left.append(projection)
                self._lost.set()
            if stale := left:
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)

    async def _keep_turns(self, taking: bool) -> None:
        while True:
            self._lost.clear()
            try:
                if taking:
                    await self._take(self._leases.turn)
                await self._look()
            except Exception as error:
                log(
                    logger,
                    error,
                    "cannot keep the shards of %s; trying again",
                    self.recorder.ledger,
                )
            await happens(self._lost, TURN_SECONDS)

    async def _take(self, turn: Turn) -> None:
        """Follow what the leases say, and nothing else."""
        held = {id: follower.share.fence for id, follower in self._followers.items()}
        lost, taken = await turn(held)
        for id in lost:
            if id in self._followers and self._followers[id].share.fence == held[id]:
                self._lose(self._followers[id])
        known = {projection.NAME: projection for projection in self.projections}
        for id, share in taken.items():
            name, number, _ = id
            projection = known[name]
            of = generations.current(self.recorder.id, projection, number)
            follower = Follower(self.pool, self.recorder, projection, of, share)
            await follower.begin()
            self._followers[id] = follower

    def _lose(self, follower: Follower) -> None:
        """Somebody else has it, or changed what it goes by."""
        id = follower.id[1:]
        if self._followers.get(id) is follower:
            del self._followers[id]
            self._elsewhere[id] = follower.position
        self._lost.set()

    async def _look(self) -> None:
        """How far the shards have come that others follow."""
        rows = await self.pool.fetch(
            """
            SELECT name, generation, shard, position
            FROM ops.shard JOIN ops.generation USING (ledger, name, generation)
            WHERE ledger = $1 AND state = 'serving' AND name = ANY ($2)
            """,
            self.recorder.id,
            [projection.NAME for projection in self.projections],
        )
        found = {(name, number, shard): position for name, number, shard, position in rows}
        self._elsewhere = {id: at for id, at in found.items() if id not in self._followers}
        self._looked = True
        self._moved()

    async def _follow(self) -> None:
        pause = RETRY_SECONDS_MIN
        while True:
            try:
                if (found := await self._step()) < BATCH_MAX:
                    await self._rest(busy=found >= BUSY_EVENTS)
                pause = RETRY_SECONDS_MIN
            except Exception as error:
                # Whatever it was, without this nothing would be followed any more.
                log(logger, error, "cannot follow ledger %s; trying again", self.recorder.ledger)
                if isinstance(error, UNKNOWN):
                    self._begin_anew()
                else:
                    await self._stopped(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)

    async def _stopped(self, error: Exception) -> None:
        """Say of all that is followed here what keeps it."""
        with suppress(*UNKNOWN):
            for follower in [*self._followers.values()]:
                await follower.stopped(f"after position {self._read_upto}: {error}")

    def _begin_anew(self) -> None:
        """Believe nothing of how far the read models are: a store that died may have lost the last
        of it, as nothing of theirs waits for the disk."""
        self._followers.clear()
        self._elsewhere.clear()
        self._looked = False
        self._position = 0
        self._lost.set()

    async def _step(self) -> int:
        """Read what is new and tell everybody; answer how much it was."""
        self._woken.clear()
        before = self._read_upto
        news = await read(self.recorder, before)
        self._read_at = time.monotonic()
        if news:
            self.batches += 1
            self.told += len(news)
            for learn in self.on_rows:
                learn(news)
            self._read_upto = news[-1].position
            types = {type(recorded.event) for recorded in news}
            in_step = [
                follower
                for follower in self._followers.values()
                if before <= follower.position < self._read_upto and follower not in self._behind
            ]
            idle = [f for f in in_step if f.projection.READS.isdisjoint(types)]
            concerned = [f for f in in_step if f not in idle]
            if len(news) > TOGETHER_MAX or not await self._fold_together(concerned, news, idle):
                await self._fold_together([], news, idle)
                await asyncio.gather(*(self._tell(follower, news) for follower in concerned))
            self._moved()
        self._bring_up_the_rest()
        return len(news)

    async def _tell(self, follower: Follower, news: Sequence[Recorded] | None = None) -> None:
        """Let one take in this news, or else what is new to it. One that fails keeps no other."""
        try:
            await self._apply(follower, news)
        except Exception as error:
            log(logger, error, "%s stopped at %d", follower.projection.NAME, follower.position)
        self._moved()

    async def _apply(self, follower: Follower, news: Sequence[Recorded] | None) -> None:
        async with self._writing:
            if news is None:
                news = await read(self.recorder, follower.position)
            if not await follower.apply(news):
                self._lose(follower)

    async def _fold_together(
        self, concerned: Sequence[Follower], news: Sequence[Recorded], idle: Sequence[Follower]
    ) -> bool:
        """Fold what is new for those it concerns, and move the others on, all in one transaction.
        False, with nothing done, when any of them cannot: then each has to go by itself, and the
        one that fails again tells why."""
        followers = [*concerned, *idle]
        try:
            batches = {follower: follower.batch(follower.new_of(news)) for follower in concerned}
            batches |= {follower: follower.batch(()) for follower in idle}
            async with self._writing:
                ours = await fold(self.pool, batches, news[-1].position) if followers else []
        except Exception:
            return False
        for follower in followers:
            if follower not in ours:
                self._lose(follower)
        return True

    def _bring_up_the_rest(self) -> None:
        """Between two steps: nobody may be told of the same events twice at a time."""
        for follower in self._followers.values():
            if follower.position < self._read_upto and follower not in self._behind:
                self._behind[follower] = asyncio.create_task(self._bring_up(follower))

    async def _bring_up(self, follower: Follower) -> None:
        """Let one that is behind read for itself, until it is in step with the others."""
        pause = RETRY_SECONDS_MIN
        while (
            self._followers.get(follower.id[1:]) is follower
            and (before := follower.position) < self._read_upto
        ):
            await self._tell(follower)
            if follower.position > before:
                pause = RETRY_SECONDS_MIN
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
        del self._behind[follower]

    async def _rest(self, *, busy: bool) -> None:
        await happens(self._woken, POLL_SECONDS)
        self._asked.clear()
        if not self._waiters:
            await happens(self._asked, BUSY_GATHER_SECONDS if busy else GATHER_SECONDS)

    def _moved(self) -> None:
        if not self._looked:
            return  # One that is not known of yet may be further behind.
        places = [follower.position for follower in self._followers.values()]
        places += self._elsewhere.values()
        if not self.projections:
            places = [self._read_upto]
        self._position = max(self._position, min(places, default=0))
        for wanted, waiter in self._waiters:
            if wanted <= self._position and not waiter.done():
                waiter.set_result(None)


async def read(recorder: Recorder, after: int, upto: int | None = None) -> list[Recorded]:
    rows = await recorder.read(after, limit=BATCH_MAX, upto=upto)
    return [from_row(recorder.ledger, row) for row in rows]


async def all_of(work: Iterable[Awaitable[None]]) -> None:
    """Until all of it is done or has failed; raise the first failure."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if outcome is not None:
            raise outcome


async def happens(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
