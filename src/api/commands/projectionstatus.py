"""casecore projections status: where the read models stand, once or for as long as one looks."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option, printable
from api.commands.screens import console, lasting, share, table

if TYPE_CHECKING:
    from rich.console import Group

    from api.desk import Desk
    from casecore.following.progress import Progress

WATCH_SECONDS = 1.0
COLUMNS = (
    *("read model", "state", "position", "events behind", "seconds behind", "parked"),
    *("generation /version", "built", "runners"),
)
STYLES = {"stopped": "bold red", "parked": "red", "lagging": "yellow", "ok": "green"}


@click.command()
@click.option("--watch", is_flag=True, help="Show it anew every second, until Ctrl-C.")
@ledger_option
@json_option
def status(watch: bool, ledger: str | None, as_json: bool) -> None:
    """Say how far each has come, and what keeps it.

    A read model is stopped when it cannot go on at all; parked, when rows wait for somebody to put
    them right while the others go on; lagging, when it is more than 10 s late. With --watch, where
    no terminal is, each change is a line.

    The exit code is 1 when one is stopped or has parked rows; of --watch, 0.
    """
    if watch and as_json:
        raise click.UsageError("--watch is for people: ask for --json once, or again and again")
    if watch:
        with suppress(KeyboardInterrupt):
            at_desk(ledger, watching, reading=True)
        return
    found = at_desk(ledger, seen, reading=True)
    if as_json:
        echo_json(found)
    else:
        console().print(drawn(found))
    if any(one.standing in ("stopped", "parked") for one in found):
        raise SystemExit(1)


async def seen(desk: "Desk") -> "list[Progress]":
    return await desk.feed.status()


async def watching(desk: "Desk") -> None:
    import asyncio
    import logging

    from casecore.appender import UNKNOWN

    # That the database is gone is said here, once a second, and in fewer words.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    with screen() if sys.stdout.isatty() else lines() as show:
        while True:
            try:
                show(await seen(desk))
            except UNKNOWN as error:
                click.echo(f"the database does not answer ({type(error).__name__})", err=True)
            await asyncio.sleep(WATCH_SECONDS)


@contextmanager
def screen() -> "Iterator[Callable[[Sequence[Progress]], None]]":
    from rich.live import Live

    with Live(console=console(), auto_refresh=False, screen=False) as live:
        yield lambda found: live.update(drawn(found), refresh=True)


@contextmanager
def lines() -> "Iterator[Callable[[Sequence[Progress]], None]]":
    """What changed since it was last shown, but for what only time changes."""
    from msgspec.structs import replace

    before: dict[str, Progress] = {}

    def show(found: "Sequence[Progress]") -> None:
        for one in found:
            timeless = replace(one, lag_seconds=0, parked_seconds=0)
            if before.get(one.name) != timeless:
                before[one.name] = timeless
                click.echo(line(one))

    yield show


def drawn(found: "Sequence[Progress]") -> "Group":
    from rich.console import Group
    from rich.text import Text

    made = table(*COLUMNS, text=2)
    for one in found:
        name, standing, *numbers = cells(one)
        made.add_row(name, Text(standing, STYLES[one.standing]), *numbers)
    errors = [printable(f"{one.name} stopped: {one.error}") for one in found if one.error]
    return Group(made, *errors)


def cells(one: "Progress") -> tuple[str, ...]:
    waited = f" ({lasting(int(one.parked_seconds))})" if one.parked else ""
    return (
        one.name,
        one.standing,
        f"{one.position:,}",
        f"{one.lag:,}",
        f"{one.lag_seconds:,.1f}",
        f"{one.parked:,}{waited}",
        f"{one.generation}/{one.version}",
        "-" if one.building is None else share(one.building, one.head),
        f"{one.runners}",
    )


def line(one: "Progress") -> str:
    name, standing, position, lag, seconds, parked, made, built, runners = cells(one)
    told = [
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {name} {standing}",
        f"at {position}, {lag} events and {seconds} s behind",
        f"parked {parked}",
        f"generation/version {made}",
        f"built {built}",
        f"runners {runners}",
    ]
    return printable("; ".join([*told, one.error] if one.error else told))
