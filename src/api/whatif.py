"""What if other policies had been in force: the whole past reckoned beside what it was."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from time import perf_counter
from typing import Literal
from uuid import UUID

import msgspec
import uuid_utils.compat as uuids

from casecore.actors import Actor
from casecore.bookkeeping import Bookkeeper
from casecore.core import Core
from casecore.errors import Conflict, NotFound
from casecore.recorder import Recorder
from casecore.sla.book import Book
from casecore.sla.files import Publish
from casecore.sla.reckoning import read_under
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from casecore.sla.supposing import Difference, Totals, compared, supposed
from casecore.surveying import lives, refuse_no_time

SLICE_SECONDS = 0.002
"""How long it reckons before others have their turn, which then lasts as long."""
RUN_SECONDS_MAX = 900
RUNS_MAX = 4
"""How many runs are kept, to be read."""
DIFFERING_MAX = 10_000
"""How many cases that differ a run keeps; the others are counted. They take some 25 MB."""

State = Literal["running", "done", "failed"]

logger = logging.getLogger(__name__)


class CaseDiffers(msgspec.Struct, frozen=True):
    case_id: UUID
    case_ref: str
    clocks: list[Difference]

    @property
    def turns(self) -> list[Difference]:
        """The clocks that would have come to something else, not only to another time."""
        return [clock for clock in self.clocks if clock.turns]


class Supposition:
    """The past of a ledger under two books. Reads it once, a few cases at a time."""

    def __init__(
        self,
        recorder: Recorder,
        books: tuple[Book, Book],
        position: int,
        as_of: datetime,
        received_from: datetime | None = None,
        received_before: datetime | None = None,
    ) -> None:
        self.recorder = recorder
        self.books = books
        self.position = position
        self.as_of = as_of
        self.received_from = received_from
        self.received_before = received_before
        self.reached = 0
        """How far in the ledger the cases it has reckoned were registered."""
        self.cases = 0
        self.differing = 0
        self.turning = 0
        """How many cases would have a clock in another state, not only due at another time."""
        self.totals = Totals()

    @classmethod
    async def of(
        cls,
        core: Core,
        books: Bookkeeper,
        commands: list[Publish],
        by: Actor,
        received_from: datetime | None = None,
        received_before: datetime | None = None,
    ) -> "Supposition":
        """As of now; the commands are what would be published, and is not."""
        refuse_no_time(received_from, received_before)
        now = core.now()
        published = await core.see(SlaBook, SLA_BOOK_ID)
        other = await asyncio.to_thread(supposed, commands, published.state, by, now)
        position = await core.recorder.head()
        book = await books.latest()
        return cls(core.recorder, (book, other), position, now, received_from, received_before)

    async def differences(self) -> AsyncIterator[CaseDiffers | None]:
        """Case by case, those that do not differ as nothing."""
        async for life in lives(
            self.recorder,
            read_under(*self.books),
            self.position,
            received_from=self.received_from,
            received_before=self.received_before,
        ):
            seen = compared(life.case_id, life.facts, *self.books, self.as_of)
            self.totals.add(seen)
            self.cases += 1
            self.reached = life.facts[0].position
            differs = CaseDiffers(life.case_id, life.case_ref, seen.differences())
            self.differing += bool(differs.clocks)
            self.turning += bool(differs.turns)
            yield differs if differs.clocks else None


class Run:
    """A supposition on its way through the ledger, beside whatever else the process does."""

    def __init__(self, supposition: Supposition) -> None:
        self.id: UUID = uuids.uuid7()
        self.supposition = supposition
        self.state: State = "running"
        self.error: str | None = None
        self.found: list[CaseDiffers] = []

    async def go(self) -> None:
        try:
            async with asyncio.timeout(RUN_SECONDS_MAX):
                await self._go()
            self.state = "done"
        except TimeoutError:
            self._failed(
                f"this took longer than {RUN_SECONDS_MAX} seconds: ask about less time, or run"
                " `casecore sla what-if`"
            )
        except Exception:
            # Nobody waits for it, who could be told: whoever looks at the run must be.
            logger.exception("what-if run %s failed", self.id)
            self._failed(f"casecore failed here; its log says more under {self.id}")

    async def _go(self) -> None:
        resumed = perf_counter()
        async for differs in self.supposition.differences():
            if differs is not None and len(self.found) < DIFFERING_MAX:
                self.found.append(differs)
            if perf_counter() - resumed > SLICE_SECONDS:
                await asyncio.sleep(SLICE_SECONDS)
                resumed = perf_counter()

    def _failed(self, why: str) -> None:
        self.state, self.error = "failed", why


class Runs:
    """The last few of one ledger, in this process; one is under way at a time."""

    def __init__(self) -> None:
        self._runs: dict[UUID, Run] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self, supposition: Supposition) -> Run:
        for other in self._runs.values():
            if other.state == "running":
                raise Conflict(
                    "what-if-running",
                    f"run {other.id} is under way, and they take turns: ask again when it is done",
                    run_id=other.id,
                )
        while len(self._runs) >= RUNS_MAX:
            del self._runs[next(iter(self._runs))]
        run = Run(supposition)
        self._runs[run.id] = run
        self._task = asyncio.create_task(run.go())
        return run

    def find(self, run_id: UUID) -> Run:
        if run_id not in self._runs:
            raise NotFound(
                "run-not-found",
                f"there is no such run, or no more: the last {RUNS_MAX} are kept until casecore"
                " stops",
            )
        return self._runs[run_id]

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
