"""casecore replay: a case gone through again, event by event, with what each changed."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.history import find
from api.commands.opening import (
    at_desk,
    echo_json,
    json_of,
    json_option,
    ledger_option,
    looked,
    printable,
    reason_option,
)
from api.commands.screens import WhenParam, console, lasting, when

if TYPE_CHECKING:
    from rich.console import Console

    from api.cases import Replayed
    from api.desk import Desk
    from projections.replay import Change

LATE_SECONDS = 60
"""From when on it is said that something was recorded later than it happened."""
MARKS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}
STOP = ("q", "Q", "\x1b")


@click.command()
@click.argument("case")
@click.option("--step", is_flag=True, help="Wait for a key after each event; q stops.")
@click.option(
    "--as-of",
    type=WhenParam(end=True),
    metavar="WHEN",
    help="As it was known then: a day, by its end in UTC, or a time like 2026-03-31T12:00:00Z.",
)
@click.option(
    "--happened-by",
    type=WhenParam(end=True),
    metavar="WHEN",
    help="What had happened by then, also if recorded later, in the order of happening.",
)
@reason_option
@ledger_option
@json_option
def replay(
    case: str,
    step: bool,
    as_of: datetime | None,
    happened_by: datetime | None,
    reason: str | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Go through CASE again, given by its id or as people say it.

    \b
    casecore replay C-K9D4-BRDR-Y8TB
    casecore replay C-K9D4-BRDR-Y8TB --as-of 2026-03-31        # as it was known then
    casecore replay C-K9D4-BRDR-Y8TB --happened-by 2026-03-31  # as is known now

    Each event is told with when it happened and was recorded, by which command and from what
    cause, and what it changed: + for what is new, ~ for what is otherwise, - for what is gone.
    """
    if step and as_json:
        raise click.UsageError("--step is for people and --json for programs: give one of them")
    if step and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("--step waits for keys, and here is no terminal: leave it out")

    async def work(desk: "Desk") -> "list[Replayed]":
        from api.cases import replayed
        from projections.replay import Past, history, steps

        past = Past(as_of=as_of, happened_by=happened_by)
        case_id = await find(desk, case)
        known = await history(desk.recorder, case_id, past)
        await looked(desk, "replay", f"casecore replay {case}", case_id, reason)
        return [replayed(step) for step in steps(known)]

    steps = at_desk(ledger, work, reading=True)
    if as_json:
        echo_json(steps)
        return
    screen = console()
    for number, one in enumerate(steps, 1):
        tell(screen, one)
        if step and number < len(steps) and stopped(len(steps) - number):
            return


def tell(screen: "Console", step: "Replayed") -> None:
    actor = step.actor
    behalf = f" for {actor.on_behalf_of}" if actor.on_behalf_of else ""
    happened = f"{step.version:>4}  {when(step.occurred_at)}  "
    say(screen, f"{happened}{step.sentence} ({actor.role}{behalf})", "bold")
    late = (step.recorded_at - step.occurred_at).total_seconds()
    later = f", {lasting(int(late))} later" if late >= LATE_SECONDS else ""
    cause = f", caused by {step.causation_id}" if step.causation_id else ""
    say(
        screen,
        f"      position {step.position}, recorded {when(step.recorded_at)}{later},"
        f" command {step.command_id}{cause}",
        "dim",
    )
    for change in step.changes:
        mark, style = MARKS[change.kind]
        say(screen, f"      {mark} {change.path}  {difference(change)}", style)


def difference(change: "Change") -> str:
    before, after = (json_of(value).decode() for value in (change.before, change.after))
    match change.kind:
        case "added":
            return after
        case "removed":
            return before
        case "changed":
            return f"{before} → {after}"


def say(screen: "Console", text: str, style: str) -> None:
    screen.print(printable(text), style=style, soft_wrap=True)


def stopped(more: int) -> bool:
    """Whether whoever watches has seen enough."""
    click.secho(f"      {more} more: any key for the next, q to stop", dim=True, nl=False)
    key = click.getchar()
    click.echo("\r\x1b[2K", nl=False)
    return key in STOP
