"""casecore sla what-if: the past under other policies."""

import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import (
    at_desk,
    json_of,
    json_option,
    ledger_option,
    operator,
    printable,
)
from api.commands.policy import FILE, text_of
from api.commands.screens import (
    bar,
    console,
    from_option,
    lasting,
    print_whole,
    share,
    table,
    to_option,
    when,
)

if TYPE_CHECKING:
    from rich.table import Table

    from api.desk import Desk
    from api.whatif import CaseDiffers, Supposition
    from casecore.sla.supposing import Standing, Total

SHOWN_MAX = 20
"""How many cases are shown; --json tells all that differ."""
SHOWN_EVERY = 50
"""After how many cases the bar moves."""


@click.command("what-if")
@click.argument("file", type=FILE)
@from_option
@to_option
@ledger_option
@json_option
def what_if(
    file: Path,
    received_from: datetime | None,
    received_before: datetime | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Reckon the past as if the policies in FILE.toml had always been in force, and no others.

    \b
    casecore sla what-if stricter.toml --from 2026-01-01 --to 2026-03-31

    Tells what would have been met and breached beside what was, and which cases differ. A calendar
    that the file only names is the published one; a file of calendars alone is about the policies
    in force. Nothing is written to the ledger.
    """
    from casecore.sla.files import read_book

    commands = read_book(text_of(file))

    async def work(desk: "Desk") -> None:
        from api.whatif import Supposition
        from casecore.actors import Actor, Role

        by = Actor(operator(), Role.ADMIN)
        supposition = await Supposition.of(
            desk.core, desk.books, commands, by, received_from, received_before
        )
        with bar(supposition.position) as moved:
            found = watched(supposition, moved)
            if as_json:
                await write(supposition, found)
                return
            shown = [
                differs
                async for differs in found
                if differs.turns and supposition.turning <= SHOWN_MAX
            ]
        show(supposition, shown)

    at_desk(ledger, work, reading=True)


async def watched(
    supposition: "Supposition", moved: Callable[[int, str], None]
) -> "AsyncIterator[CaseDiffers]":
    async for differs in supposition.differences():
        if supposition.cases % SHOWN_EVERY == 0:
            told = f"{supposition.cases:,} cases, {supposition.differing:,} differ"
            moved(supposition.reached, told)
        if differs is not None:
            yield differs


async def write(supposition: "Supposition", found: "AsyncIterator[CaseDiffers]") -> None:
    """As JSON, each case as soon as it is known: there may be more than fit into memory."""
    out, between = sys.stdout.buffer, b'{"differing":['
    async for differs in found:
        out.write(between + json_of(differs))
        between = b","
    if between != b",":
        out.write(between)
    rest = json_of(
        {
            "as_of": supposition.as_of,
            "position": supposition.position,
            "cases": supposition.cases,
            "cases_differing": supposition.differing,
            "cases_turning": supposition.turning,
            "totals": supposition.totals.by_target(),
        }
    )
    out.write(b"]," + rest[1:] + b"\n")


def show(supposition: "Supposition", shown: "list[CaseDiffers]") -> None:
    screen = console()
    if not supposition.cases:
        screen.print("No case was received then: there is nothing to reckon.")
        return
    screen.print(
        f"{supposition.cases:,} cases as of {when(supposition.as_of)} UTC;"
        f" {supposition.differing:,} would differ, {supposition.turning:,} of them in what a clock"
        " has come to\n"
    )
    totals = supposition.totals.by_target()
    if not totals:
        screen.print("Neither the policies in force nor these give any of them a clock.")
        return
    print_whole(screen, before_and_after(totals))
    if shown:
        screen.print(f"\n{len(shown):,} of the {supposition.turning:,} cases:\n")
        print_whole(screen, cases(shown))
    if len(shown) < supposition.differing:
        screen.print("\n--json tells all that differ.")


def before_and_after(totals: "list[Total]") -> "Table":
    made = table(
        "target", "cycles", "met", "breached", "running", "paused", "cancelled", "share met"
    )
    for total in totals:
        before, after = total.before, total.after
        counts = (
            changed(f"{getattr(before, name):,}", f"{getattr(after, name):,}")
            for name in ("cycles", "met", "breached", "running", "paused", "cancelled")
        )
        shares = (share(c.met, c.met + c.breached) for c in (before, after))
        made.add_row(total.name, *counts, changed(*shares))
    return made


def cases(shown: "list[CaseDiffers]") -> "Table":
    made = table("case", "target", "was", "would be", text=4)
    for differs in shown:
        for clock in differs.turns:
            name = clock.name if clock.subject is None else f"{clock.name} {clock.subject}"
            cycle = f" ({clock.cycle})" if clock.cycle > 1 else ""
            made.add_row(
                differs.case_ref,
                printable(name + cycle),
                stands(clock.before),
                stands(clock.after),
            )
    return made


def stands(standing: "Standing | None") -> str:
    if standing is None:
        return "-"
    told: str = standing.state
    if standing.due_at is not None:
        told += f", due {when(standing.due_at)}"
    if standing.lateness_seconds:
        told += f", {lasting(standing.lateness_seconds)} late"
    return told


def changed(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"
