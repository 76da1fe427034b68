"""Runs an import: a fixed number of workers take the next case each, until the file ends."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from api.imports.plan import Bad, Plan, Plans
from casecore.actors import Actor, Role
from casecore.case.state import Case
from casecore.core import Core
from casecore.errors import CaseError, Unavailable

IN_FLIGHT = 256
REASONS_MAX = 10_000
"""How many reasons a report keeps; the others are counted."""
ALLOCATIONS_MAX = 200_000
"""How much is made before rubbish is looked for: cases are many, and hold no cycles."""
KEY_REUSED = "idempotency-key-reuse"

OnError = Literal["stop", "skip"]


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    where: str
    why: str
    column: str | None = None
    case: str | None = None

    def __str__(self) -> str:
        return f"{self.where}{f', {self.column}' if self.column else ''}: {self.why}"


class Report(msgspec.Struct):
    """What became of the file."""

    new: int = 0
    """Cases that are in the ledger now and were not, or have grown."""
    there: int = 0
    """Cases that were there already, as the file has them."""
    events: int = 0
    bad: int = 0
    reasons: list[Reason] = []
    stopped: bool = False
    """Whether it ended before the file did."""
    planned: int = 0
    """Cases that a rehearsal would have asked for."""

    def refuse(self, bad: Bad, on_error: OnError) -> None:
        self.bad += 1
        if len(self.reasons) < REASONS_MAX:
            self.reasons.append(Reason(bad.where, bad.why, bad.column, bad.case))
        self.stopped = self.stopped or bad.fatal or on_error == "stop"

    def add(self, other: "Report") -> None:
        """Take in what another process did. What both found wrong with the file counts once."""
        known = set(self.reasons)
        news = [reason for reason in other.reasons if reason not in known]
        self.bad += other.bad - (len(other.reasons) - len(news))
        self.reasons = (self.reasons + news)[:REASONS_MAX]
        self.new += other.new
        self.there += other.there
        self.events += other.events
        self.planned += other.planned
        self.stopped |= other.stopped


async def run(core: Core, plans: Plans, format: str, on_error: OnError, report: Report) -> None:
    """Everything that is right comes in; when it stops, what is under way still does."""
    by = Actor(f"import:{format}", Role.SYSTEM)
    core.remembered_max = IN_FLIGHT  # A file has a case once: more would only fill the memory.

    async def work() -> None:
        for plan in plans:
            if report.stopped:
                return
            if isinstance(plan, Bad):
                report.refuse(plan, on_error)
                continue
            try:
                written = await core.execute(
                    Case, plan.case_id, *plan.commands, by=by, key=plan.key, logged=plan.logged
                )
            except Unavailable:
                raise
            except CaseError as error:
                report.refuse(refused(plan, error), on_error)
                continue
            if written.replayed or not written.events:
                report.there += 1
            else:
                report.new += 1
                report.events += len(written.events)

    try:
        with tidying_seldom():
            async with asyncio.TaskGroup() as workers:
                for _ in range(IN_FLIGHT):
                    workers.create_task(work())
    except ExceptionGroup as failures:
        # What one worker fails of, the others fail of too: the first says it for all.
        raise failures.exceptions[0] from None


@contextmanager
def tidying_seldom() -> Iterator[None]:
    usual = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS_MAX, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def rehearse(plans: Plans, on_error: OnError, report: Report) -> None:
    """Read and plan all of it, and write nothing."""
    for plan in plans:
        if isinstance(plan, Bad):
            report.refuse(plan, on_error)
        else:
            report.planned += 1
        if report.stopped:
            return


def refused(plan: Plan, error: CaseError) -> Bad:
    """What the rules or the ledger said, at the line of the command they said it to."""
    if error.code == KEY_REUSED:
        return Bad(plan.where, "this case came in before, with other events", case=plan.case)
    index = error.context.get("command_index", 0)
    where = plan.places[index] if index < len(plan.places) else plan.where
    return Bad(where, str(error), case=plan.case)
