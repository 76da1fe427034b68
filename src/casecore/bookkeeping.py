"""The book of SLA policies as the ledger has it, and the clocks of a case reckoned by it."""

from operator import attrgetter
from uuid import UUID

from casecore.clockset.state import clockset_id
from casecore.recorder import Recorder
from casecore.recording import Recorded, event_of, from_row
from casecore.sla.book import Book
from casecore.sla.events import SlaEvent
from casecore.sla.reckoning import CaseClocks, reckoned
from casecore.sla.state import SLA_BOOK_ID


class Bookkeeper:
    """One a process and ledger: what it has learned it keeps."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._book = Book()
        self._version = 0

    async def latest(self) -> Book:
        """The book with all that was published by now."""
        for row in await self.recorder.history(SLA_BOOK_ID, after=self._version):
            event = event_of(row)
            assert isinstance(event, SlaEvent)
            self._book.learn(event, row.position)
            self._version = row.version
        return self._book

    async def clocks(self, case_id: UUID) -> tuple[CaseClocks, Book]:
        """The case's clocks as the ledger has them now, and the book they go by."""
        facts, book = await self.facts(case_id)
        return reckoned(case_id, facts, book), book

    async def facts(self, case_id: UUID) -> tuple[list[Recorded], Book]:
        """What its clocks are reckoned from: all of the case and its clock set, in order."""
        case = await self.recorder.history(case_id)
        beside = await self.recorder.history(clockset_id(case_id))
        # Read after the facts, so that it has come at least as far.
        book = await self.latest()
        rows = sorted((*case, *beside), key=attrgetter("position"))
        return [from_row(self.recorder.ledger, row) for row in rows], book
