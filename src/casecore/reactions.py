"""What follows from what happened: a promise at risk goes to a supervisor, a resolution is
followed by a call.

Reads the ledger in order, and remembers how far it came. An event may be read again after a crash;
the key made of it lets what follows be recorded once all the same.
"""

import logging
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid5

from casecore.actors import Actor
from casecore.appender import UNKNOWN
from casecore.bookkeeping import Bookkeeper
from casecore.case.decisions.callbacks import ScheduleReturnCall
from casecore.case.decisions.escalation import EscalatePromise
from casecore.case.events.outcome import ComplaintResolved
from casecore.case.state import Case
from casecore.clocks.clock import HORIZON, beyond_horizon
from casecore.clocks.instants import SECOND, instant, micros
from casecore.clocks.openings import Openings
from casecore.clockset.events import ClockBreached, ClockWarned
from casecore.core import Core, Key
from casecore.errors import CaseError, Unavailable
from casecore.recording import Recorded, from_row
from casecore.sla.book import Moment
from casecore.sla.events import ReturnCall

NEWS_MAX = timedelta(hours=72)
"""How long ago something may have happened to be reacted to: as long as a desk may take to record
what it did (R20). What is older came in as history, from another system or after a long outage:
nobody is waiting for that call, and a supervisor who is sent years of broken promises reads none.
"""
STRIDE = 20_000
"""How many positions are looked through at a time."""
NAME = "reactions"
READS = [event.__name__ for event in (ComplaintResolved, ClockWarned, ClockBreached)]

logger = logging.getLogger(__name__)


class Reactions:
    """Over one ledger; whoever keeps its deadlines runs them."""

    def __init__(self, core: Core, books: Bookkeeper, by: Actor) -> None:
        self.core = core
        self.books = books
        self.by = by
        self.recorder = core.recorder
        self.pool = core.recorder.pool

    async def catch_up(self) -> None:
        """React to all that was recorded since it last did."""
        position, head = await self._place(), await self.recorder.head()
        while position < head:
            upto = min(head, position + STRIDE)
            for row in await self.recorder.read(position, STRIDE, upto, READS):
                await self._react(from_row(self.recorder.ledger, row))
            await self._move(upto)
            position = upto

    async def react(self, recorded: Recorded) -> None:
        event = recorded.event
        match event:
            case ComplaintResolved():
                await self.call_back(recorded)
            case ClockWarned() | ClockBreached():
                await self.escalate(recorded, event)

    async def call_back(self, resolved: Recorded) -> None:
        """Schedule a call in which the customer is asked whether all is settled (SP-56)."""
        now = self.core.now()
        if resolved.occurred_at < now - NEWS_MAX:
            return
        case_id = resolved.stream_id
        clocks, book = await self.books.clocks(case_id)
        then = Moment(resolved.position, micros(resolved.recorded_at))
        found = book.return_call(clocks.attributes, then)
        if found is None:
            return
        pin, rule = found
        openings = book.openings(pin)
        window = window_of(rule, openings, resolved.occurred_at)
        if window[1] <= now:
            window = window_of(rule, openings, now)
        ask = ScheduleReturnCall(window_start=window[0], window_end=window[1], zone=book.zone(pin))
        await self.core.execute(
            Case,
            case_id,
            ask,
            by=self.by,
            # The window may be reckoned anew, but there is one call for a resolution.
            key=Key(uuid5(resolved.event_id, "return call"), sha256(b"return call").digest()),
            causation_id=resolved.event_id,
            correlation_id=resolved.correlation_id,
        )

    async def escalate(self, told: Recorded, event: ClockWarned | ClockBreached) -> None:
        """Tell a supervisor of a promise at risk, once for every date it was given (SP-55)."""
        if event.due_at is None or event.due_at < self.core.now() - NEWS_MAX:
            return
        if event.name not in (await self.books.latest()).names("promise"):
            return
        clocks, _ = await self.books.clocks(event.case_id)
        cycle = clocks.cycle(event.clock_id, event.cycle)
        if cycle is None or cycle.kind != "promise" or cycle.subject is None:
            return
        ask = EscalatePromise(promise_id=cycle.subject, due_at=event.due_at)
        name = f"promise at risk/{cycle.subject}/{event.due_at.isoformat()}"
        await self.core.execute(
            Case,
            event.case_id,
            ask,
            by=self.by,
            key=Key.under(uuid5(event.case_id, name), ask),
            causation_id=told.event_id,
            correlation_id=told.correlation_id,
        )

    async def _react(self, recorded: Recorded) -> None:
        try:
            await self.react(recorded)
        except (*UNKNOWN, Unavailable):
            raise  # The store is away: this event is read again.
        except CaseError as error:
            logger.info("nothing follows from position %d: %s", recorded.position, error)
        except Exception:
            # Whatever is wrong with one case, the others go on.
            logger.exception("cannot react to position %d", recorded.position)

    async def _place(self) -> int:
        position = await self.pool.fetchval(
            "SELECT position FROM ops.process WHERE ledger = $1 AND name = $2",
            *(self.recorder.id, NAME),
        )
        return position or 0

    async def _move(self, position: int) -> None:
        """Never back: another process may have come further."""
        await self.pool.execute(
            """
            INSERT INTO ops.process AS p (ledger, name, position) VALUES ($1, $2, $3)
            ON CONFLICT (ledger, name) DO UPDATE
            SET position = greatest(p.position, EXCLUDED.position)
            """,
            *(self.recorder.id, NAME, position),
        )


def window_of(rule: ReturnCall, openings: Openings, since: datetime) -> tuple[datetime, datetime]:
    """From the first open instant after so much open time, until so much is used up."""
    at = micros(since)
    start = reached(openings, at, rule.after_seconds * SECOND + 1) - 1
    return instant(start), instant(reached(openings, at, rule.within_seconds * SECOND))


def reached(openings: Openings, since: int, passed: int) -> int:
    at = openings.when(since, passed, since + HORIZON)
    if at is None:
        raise beyond_horizon()
    return at
