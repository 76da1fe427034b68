"""casecore sla report: how the desk stands with its targets."""

from datetime import datetime
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option, printable
from api.commands.screens import (
    bar,
    console,
    from_option,
    lasting,
    print_whole,
    table,
    to_option,
    when,
)

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from api.desk import Desk
    from casecore.sla.reporting import Line, Report, Urgent

QUEUES_MAX = 6
"""How many are shown; --queue shows one, --json all."""
SHOWN_EVERY = 50
"""After how many cases the bar moves."""
NUMBERS = (
    *("met", "breached", "overdue", "running", "at risk", "paused"),
    *("share met", "median late", "p90 late"),
)


@click.command()
@from_option
@to_option
@click.option("--queue", metavar="NAME", help="Only cases that are in that queue.")
@ledger_option
@json_option
def report(
    received_from: datetime | None,
    received_before: datetime | None,
    queue: str | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Say what was met and breached, per target and queue, and what is still to save.

    \b
    casecore sla report --from 2026-01-01 --to 2026-03-31
    casecore sla report --queue complaints

    Breached counts what was too late; overdue are those of them that somebody still waits on. At
    risk is what runs and has come to its warning. Reckoned from the ledger itself as of now, so it
    is complete whether or not `casecore serve` runs.
    """

    async def work(desk: "Desk") -> None:
        from casecore.sla.reckoning import read_under, reckoned
        from casecore.sla.reporting import Report
        from casecore.surveying import lives, refuse_no_time

        refuse_no_time(received_from, received_before)
        book = await desk.books.latest()
        position = await desk.recorder.head()
        found = Report(desk.core.now(), queue)
        with bar(position) as moved:
            async for life in lives(
                desk.recorder,
                read_under(book),
                position,
                received_from=received_from,
                received_before=received_before,
            ):
                found.add(life.case_ref, reckoned(life.case_id, life.facts, book), book)
                if found.cases % SHOWN_EVERY == 0:
                    moved(life.facts[0].position, f"{found.cases:,} cases")
        if as_json:
            echo_json(
                {
                    "as_of": found.now,
                    "position": position,
                    "cases": found.cases,
                    "targets": found.by_target(),
                    "queues": found.by_queue(),
                    "due_next": found.due_next,
                    "longest_overdue": found.longest_overdue,
                }
            )
        else:
            show(found, published=bool(book.events))

    at_desk(ledger, work, reading=True)


def show(found: "Report", *, published: bool) -> None:
    screen = console()
    lines = found.by_target()
    if not lines:
        screen.print(nothing(found, published))
        return
    screen.print(f"{found.cases:,} cases as of {when(found.now)} UTC")
    for title, urgent in (
        ("Due next", found.due_next),
        ("Longest overdue", found.longest_overdue),
    ):
        if urgent:
            screen.print(f"\n{title}\n")
            print_whole(screen, clocks(urgent, found.now))
    screen.print("\nBy target\n")
    print_whole(screen, figures(lines))
    if unanswered := [line.name for line in lines if line.breached and not line.answered]:
        screen.print(
            f"\nNothing that would answer {', '.join(unanswered)} was ever recorded: let what is"
            " done elsewhere be recorded, or leave such targets out of the policy."
        )
    queues = found.by_queue()
    names = list(dict.fromkeys(line.queue for line in queues))
    if len(names) > 1:
        shown = names[:QUEUES_MAX]
        screen.print("\nBy queue, those with the most overdue and at risk first\n")
        print_whole(screen, figures([line for line in queues if line.queue in shown], queues=True))
    if len(names) > QUEUES_MAX:
        screen.print(
            f"\n… and {len(names) - QUEUES_MAX:,} queues more: --queue NAME shows one, --json all."
        )


def nothing(found: "Report", published: bool) -> str:
    """Why there is nothing to see, and what to do about it."""
    if not published:
        told = (
            "No SLA policy is published: `casecore policy publish --pack desk` puts one into force."
        )
    elif not found.cases:
        told = "There is no case: none has come in yet, or none in that time and queue."
    else:
        told = (
            f"None of the {found.cases:,} cases has a clock: no policy in force matched them when"
            " they were recorded."
        )
    if found.cases:
        told += (
            "\n`casecore sla what-if FILE.toml` shows what a policy would have meant for the"
            f" {found.cases:,} cases there are."
        )
    return told


def figures(lines: "list[Line]", *, queues: bool = False) -> "Table":
    made = table(*(["queue"] if queues else []), "target", *NUMBERS, text=1 + queues)
    made.columns[queues].no_wrap = True
    before: str | None = None
    for line in lines:
        queue = printable(line.queue or "-") if line.queue != before else ""
        before = line.queue
        late = (line.late_median_seconds, line.late_p90_seconds)
        made.add_row(
            *([queue] if queues else []),
            line.name,
            number(line.met),
            number(line.breached),
            number(line.overdue, "bold red"),
            number(line.running),
            number(line.at_risk, "bold yellow"),
            number(line.paused),
            "-" if line.share_met is None else f"{100 * line.share_met:.1f} %",
            *("-" if seconds is None else lasting(seconds) for seconds in late),
        )
    return made


def number(count: int, style: str = "") -> "Text":
    from rich.text import Text

    return Text(f"{count:,}", style) if count else Text("-")


def clocks(urgent: "list[Urgent]", now: datetime) -> "Table":
    made = table("case", "queue", "target", "due (UTC)", "", text=5)
    for clock in urgent:
        name = clock.name if clock.subject is None else f"{clock.name} {clock.subject}"
        seconds = int((clock.due_at - now).total_seconds())
        if seconds < 0:
            told = f"{lasting(-seconds)} late"
        else:
            told = f"{lasting(seconds)} left{', at risk' if clock.at_risk else ''}"
        made.add_row(
            clock.case_ref, printable(clock.queue or "-"), printable(name), when(clock.due_at), told
        )
    return made
