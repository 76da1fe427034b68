"""Databases with a ledger of a known size, filled through the rules and the append."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Self
from uuid import UUID

import uuid_utils.compat as uuids

from api.desk import Desk, Desks
from benchmarks.measuring import Pace
from benchmarks.peers import command, keep_as_many
from casecore.actors import Actor, Role
from casecore.asking import Ask
from casecore.case.decisions.contact import RecordProgressUpdate
from casecore.case.decisions.intake import (
    AcknowledgeComplaint,
    AddNote,
    Complainant,
    HearComplaint,
    HeardNote,
    RegisterCase,
)
from casecore.case.decisions.ownership import AssignCase
from casecore.case.decisions.promises import MakePromise
from casecore.case.decisions.solutions import OfferSolution, ProposeSolution
from casecore.case.state import Case
from casecore.embedded import DATABASE, Embedded

LEDGER = "main"
SUPERVISOR = Actor("sam", Role.SUPERVISOR)
MAILBOX = Actor("mailbox", Role.SERVICE)
EVENTS_PER_CASE = 20
AT_ONCE = 64
NOTES_PER_REQUEST = 50


class Bench(NamedTuple):
    """What every comparison is given."""

    pg: Embedded
    url: str
    desks: Desks
    """With nothing following: what is measured says what runs."""
    desk: Desk
    pace: Pace
    folder: Path

    @classmethod
    @asynccontextmanager
    async def filled(
        cls, pg: Embedded, events: int, pace: Pace, folder: Path
    ) -> AsyncIterator[Self]:
        """A new database of the server, with so many events in it; gone afterwards."""
        name = f"bench_{events}"
        await command(pg.url, f"CREATE DATABASE {name}")
        try:
            url = pg.url.replace(f"/{DATABASE}?", f"/{name}?")
            async with Desks.open(url, following=False) as desks:
                desk = await desks.desk(LEDGER)
                await fill(desk, events)
                await keep_as_many(url)
                await settle(url)
                (folder / name).mkdir()
                yield cls(pg, url, desks, desk, pace, folder / name)
        finally:
            await command(pg.url, f"DROP DATABASE {name} WITH (FORCE)")

    async def events(self) -> int:
        """How many there are now, in all ledgers."""
        count: int = await self.desks.pool.fetchval(
            "SELECT sum(last_position)::bigint FROM es.ledger"
        )
        return count


async def settle(url: str) -> None:
    """Let what the filling left behind be no part of what is measured."""
    await command(url, "VACUUM ANALYZE")
    await command(url, "CHECKPOINT")


async def fill(desk: Desk, events: int) -> list[UUID]:
    """Cases of twenty events each."""
    ids = [uuids.uuid7() for _ in range(events // EVENTS_PER_CASE)]
    left = iter(ids)

    async def work() -> None:
        for case_id in left:
            written = await desk.core.execute(Case, case_id, *a_complaint(), by=SUPERVISOR)
            assert len(written.events) == EVENTS_PER_CASE

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(work())
    return ids


async def long_case(desk: Desk, events: int) -> UUID:
    """One case that much was written about, registered by a service, so that it may read it."""
    case_id = uuids.uuid7()
    register, *others = a_complaint()
    await desk.core.execute(Case, case_id, register, by=MAILBOX)
    await desk.core.execute(Case, case_id, *others, by=SUPERVISOR)
    for first in range(EVENTS_PER_CASE, events, NOTES_PER_REQUEST):
        numbers = range(first, min(first + NOTES_PER_REQUEST, events))
        notes = [AddNote(text=f"Note {number}: the depot was asked again.") for number in numbers]
        await desk.core.execute(Case, case_id, *notes, by=SUPERVISOR)
    return case_id


FEELINGS = ("Ordered on 12 October", "Ignored", "Three weeks late", "Nobody calls back")


def a_complaint() -> list[Ask]:
    """A conversation that leads to twenty events."""
    notes = tuple(HeardNote("fact", text) for text in FEELINGS)
    customer = Complainant(ref="cust-42", name="Ada Byron", company="Analytical Engines")
    reason = "Three weeks late and nobody calls back"
    updates = (
        RecordProgressUpdate(text=f"The depot was asked, and says it is day {day}.")
        for day in range(1, 10)
    )
    return [
        RegisterCase(channel="phone", customer=customer, reason=reason, product="delivery", heat=3),
        HearComplaint(customer_finished=True, notes=notes),
        AcknowledgeComplaint(channel="phone"),
        AssignCase(agent="agent-7"),
        MakePromise(kind="resolution", text="An answer within 24 hours", within_seconds=86_400),
        ProposeSolution(proposer="customer", text="Deliver to the neighbour"),
        OfferSolution(solution_id="s1"),
        *updates,
    ]
