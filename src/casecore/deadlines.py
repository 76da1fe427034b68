"""What only time can tell: warns of clocks, finds them breached, and ends waits that ran out.

One process a ledger does this at a time: the one that holds the lease, which only saves work. That
nothing is recorded twice is the ledger's doing: an alarm goes by the key that its clock, cycle and
threshold make (R18), and is decided on the clock set as it stands. So two holders for a moment, or
one that died between its append and the answer, do no harm.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID, uuid5

from casecore.actors import Actor, Role
from casecore.appender import UNKNOWN
from casecore.bookkeeping import Bookkeeper
from casecore.case.decisions.contact import EndWaiting
from casecore.case.events.contact import WaitingFor
from casecore.case.state import Case
from casecore.clockset.decisions import BreachClock, WarnClock
from casecore.clockset.state import ClockSet, clockset_id
from casecore.core import Core, Key
from casecore.errors import CaseError, Unavailable
from casecore.following.feed import happens
from casecore.leasing import lease
from casecore.outages import log
from casecore.reactions import NEWS_MAX, Reactions
from casecore.recording import Recorded
from casecore.sla.cycle import DUE, Alarm, Cycle, alarm_id, alarms

BATCH_MAX = 200
"""How much of the agenda is read at a time."""
IN_FLIGHT = 3
"""How many cases are looked at side by side: a burst of alarms leaves the store to requests."""
LOOK_SECONDS = 1.0
"""How soon the agenda is read again when nobody told of anything new, and nothing was due."""
GATHER_SECONDS = 0.1
"""How long to let more news come together: read models need a moment to take it in."""
RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 300.0
"""How long to leave a case alone that was looked at in vain: at first, and at most."""

# PostgreSQL's advisory locks are numbers: this one is held by who keeps a ledger's deadlines.
KEEPING = 0xDEAD11

BY = Actor("casecore", Role.SYSTEM)

logger = logging.getLogger(__name__)


class Entry(NamedTuple):
    """A case to look at, and from when on."""

    at: datetime
    case_id: UUID
    wait: WaitingFor | None
    """Whom it waited for until then; without one, a clock has come to a threshold."""


class Agenda(Protocol):
    """What is to be looked at, as far as the read models know."""

    async def next_after(self, now: datetime) -> datetime | None: ...

    async def due(self, now: datetime, after: Entry | None, limit: int) -> list[Entry]: ...


class Left(NamedTuple):
    """A case that is left alone for a while: it was looked at, and stays on the agenda."""

    at: datetime
    until: float
    seconds: float


class Deadlines:
    """Keeps one ledger's deadlines, or stands by to do so. One a process and ledger."""

    def __init__(self, core: Core, books: Bookkeeper, agenda: Agenda) -> None:
        self.core = core
        self.books = books
        self.agenda = agenda
        self.reactions = Reactions(core, books, BY)
        self._left: dict[tuple[UUID, WaitingFor | None], Left] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, url: str) -> None:
        self._task = asyncio.create_task(self._keep(url))

    async def close(self) -> None:
        """Stop; what is under way goes on where it was found, by whoever is next."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def wake(self, _news: Sequence[Recorded]) -> None:
        self._woken.set()

    async def turn(self) -> None:
        """Do all that is to be done by now."""
        self._woken.clear()
        await self.reactions.catch_up()
        await self.sweep()

    async def sweep(self) -> None:
        """Look once at every case on the agenda whose time has come."""
        now, last = self.core.now(), None
        looked: set[tuple[UUID, WaitingFor | None]] = set()
        while entries := await self.agenda.due(now, last, BATCH_MAX):
            last = entries[-1]
            ready = (entry for entry in entries if self._is_ready(entry, looked))
            async with asyncio.TaskGroup() as workers:
                for _ in range(IN_FLIGHT):
                    workers.create_task(self._work(ready))
            if len(entries) < BATCH_MAX:
                break
        self._left = {key: left for key, left in self._left.items() if key in looked}

    async def look(self, entry: Entry) -> None:
        """Record what time has told of the case, if the ledger, too, has it so."""
        if entry.wait is not None:
            await self.end_wait(entry.case_id, entry.wait, entry.at)
            return
        clocks, book = await self.books.clocks(entry.case_id)
        now = self.core.now()
        for cycle in clocks.cycles:
            told = alarms(cycle, book)
            due_at = next((alarm.at for alarm in told if alarm.breach), None)
            for alarm in worth_recording(told, now):
                await self._record(entry.case_id, cycle, alarm, due_at)

    async def end_wait(self, case_id: UUID, reason: WaitingFor, at: datetime) -> None:
        """The waiting ended when the answer was expected, however late that is found (I-14)."""
        end = EndWaiting(reason=reason, cause="timeout", occurred_at=at)
        key = Key.under(uuid5(case_id, f"waiting/{reason}/{at.isoformat()}"), end)
        await self.core.execute(Case, case_id, end, by=BY, key=key)

    async def _record(
        self, case_id: UUID, cycle: Cycle, alarm: Alarm, due_at: datetime | None
    ) -> None:
        name, threshold = cycle.name, alarm.threshold
        id, number = cycle.clock_id, cycle.cycle
        stream_id = clockset_id(case_id)
        ask: WarnClock | BreachClock
        if alarm.breach:
            ask = BreachClock(
                case_id=case_id, clock_id=id, cycle=number, name=name, due_at=alarm.at
            )
            seen = await self.core.see(ClockSet, stream_id)
            if findings := seen.state.findings.get((id, number), 0):
                # What was found before was taken back, or did not hold: this is another finding.
                threshold = f"{DUE}/{findings + 1}"
        else:
            ask = WarnClock(
                case_id=case_id,
                clock_id=id,
                cycle=number,
                name=name,
                threshold=threshold,
                due_at=due_at,
            )
        command_id = alarm_id(id, number, threshold)
        await self.core.execute(ClockSet, stream_id, ask, by=BY, key=Key.under(command_id, ask))

    def _is_ready(self, entry: Entry, looked: set[tuple[UUID, WaitingFor | None]]) -> bool:
        """Whether to look at it now: once a sweep, and seldom when that did not help before."""
        key = entry.case_id, entry.wait
        if key in looked:
            return False
        looked.add(key)
        left = self._left.get(key)
        if left is not None and left.at == entry.at:
            if time.monotonic() < left.until:
                return False
            seconds = min(2 * left.seconds, RETRY_SECONDS_MAX)
        else:
            seconds = RETRY_SECONDS_MIN
        # The read model has yet to see what is recorded now; until then the case stays there.
        self._left[key] = Left(entry.at, time.monotonic() + seconds, seconds)
        return True

    async def _work(self, ready: Iterator[Entry]) -> None:
        for entry in ready:
            try:
                await self.look(entry)
            except (*UNKNOWN, Unavailable):
                raise  # The store is away, for all cases.
            except CaseError as error:
                logger.warning("left case %s alone for now: %s", entry.case_id, error)
            except Exception:
                # Whatever is wrong with one case, the others have their deadlines.
                logger.exception("cannot keep the deadlines of case %s", entry.case_id)

    async def _keep(self, url: str) -> None:
        pause = RETRY_SECONDS_MIN
        while True:
            try:
                async with lease(url, KEEPING, self.core.recorder.id) as connection:
                    while not connection.is_closed():
                        await self.turn()
                        pause = RETRY_SECONDS_MIN
                        await self._rest()
            except Exception as error:
                # Whatever it was, without this nobody would find a breach any more.
                ledger = self.core.recorder.ledger
                log(logger, error, "cannot keep the deadlines of ledger %s; trying again", ledger)
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)

    async def _rest(self) -> None:
        """Until the next alarm, or some news, or for a while: both may have been missed."""
        now = self.core.now()
        coming = await self.agenda.next_after(now)
        ahead = LOOK_SECONDS if coming is None else (coming - now) / timedelta(seconds=1)
        await happens(self._woken, min(LOOK_SECONDS, max(ahead, 0.001)))
        if self._woken.is_set():
            await asyncio.sleep(GATHER_SECONDS)


def worth_recording(alarms: Sequence[Alarm], now: datetime) -> list[Alarm]:
    """Those whose time has come. A breach is recorded however old it is, and once; a warning of it
    that nobody could have heeded, as it all came in as history, is not."""
    due = [alarm for alarm in alarms if alarm.at < now]
    if any(alarm.breach for alarm in due):
        return [alarm for alarm in due if alarm.breach or alarm.at >= now - NEWS_MAX]
    return due
