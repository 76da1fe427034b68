"""Clocks of many cases: how many events a second are folded into them, without any database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from benchmarks.measuring import Compared, Pace, Target
from casecore.actors import Actor, Role
from casecore.case.events import CaseEvent
from casecore.case.events.contact import (
    AcknowledgementSent,
    CustomerContacted,
    ResponseSent,
    WaitingStarted,
)
from casecore.case.events.intake import CaseRegistered, Customer
from casecore.case.events.outcome import CaseClosed, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.triage import CaseTriaged
from casecore.sla.book import Book
from casecore.sla.files import pack, read_book
from casecore.sla.reckoning import CaseClocks
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from casecore.sla.supposing import supposed

CLOCKS = 5
"""The pack `desk` gives each of these cases so many."""
AT_ONCE = 1_000
"""How many cases are worked on at the same time: their events come mixed."""
APART = timedelta(minutes=4)
"""How often a case comes in."""
FIRST = datetime(2026, 1, 5, 9, tzinfo=UTC)
FOLDED = Target("at least", 30_000)
AGENT = Actor("agent-7", Role.AGENT)

A_CASE: tuple[tuple[float, CaseEvent], ...] = (
    (0, CaseRegistered("-", "email", FIRST, Customer("cust-42"), "Late", "complaints", "normal")),
    (0.2, CaseTriaged(2, 2, 3, False, "service", "high")),
    (0.3, AcknowledgementSent("written", "email")),
    (1, CaseAssigned("agent-7", "claim")),
    (3, ResponseSent("email")),
    (4, WaitingStarted("customer", "A photo of the parcel?")),
    (26, CustomerContacted("email")),
    (27, ResponseSent("email")),
    (50, ComplaintResolved("upheld", "Lost at the depot")),
    (51, CaseClosed(FIRST)),
)
"""Hours after it came in, and what happens then."""


class Happened(NamedTuple):
    case: int
    position: int
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    event: CaseEvent


def folds(pace: Pace) -> list[Compared]:
    """Processor time, as nothing here waits: other work on the machine is not ours."""
    book = supposed(read_book(pack("desk")), SlaBook(SLA_BOOK_ID), AGENT, FIRST)
    cases, folded, seconds = pace.folded_cases, 0, 0.0
    for first in range(0, cases, AT_ONCE):
        facts = list(lives(first))
        began = process_time()
        fold(facts, book)
        seconds += process_time() - began
        folded += len(facts)
    what = f"folding {cases:,} cases with {CLOCKS} clocks each, events"
    return [Compared(what, 0, "/s", [folded / seconds], target=FOLDED)]


def fold(facts: list[Happened], book: Book) -> dict[int, CaseClocks]:
    clocks: dict[int, CaseClocks] = {}
    for fact in facts:
        case = fact.case
        known = clocks.get(case)
        if known is None:
            known = CaseClocks(UUID(int=case))
        clocks[case] = known.evolve(fact, book)
    return clocks


def lives(first: int) -> Iterator[Happened]:
    """So many cases from their beginning to their end, in the order in which it happened."""
    happened = [
        (FIRST + case * APART + timedelta(hours=hours), case, event)
        for case in range(first, first + AT_ONCE)
        for hours, event in A_CASE
    ]
    happened.sort(key=lambda found: found[:1])
    for position, (at, case, event) in enumerate(happened):
        if isinstance(event, CaseRegistered):
            event = replace(event, received_at=at)
        yield Happened(case, position, at, at, AGENT, event)
