"""casecore projections: where the read models stand, what waits in them, and made anew."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import (
    at_desk,
    echo_json,
    json_option,
    ledger_option,
    looked,
    printable,
    reason_option,
)
from api.commands.projectionstatus import status
from api.commands.screens import WhenParam, bar, when

if TYPE_CHECKING:
    from datetime import datetime

    from api.desk import Desk
    from casecore.following.parking import ParkedRow, Replayed
    from casecore.following.projection import Projection
    from casecore.following.rebuilding import Rebuilt
    from projections.files import Format
    from projections.then import Written


@click.group()
def projections() -> None:
    """The read models: cases, queues, promises and whatever else follows the ledger."""


projections.add_command(status)


@projections.command()
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="All of them, one after the other.")
@click.option(
    "--anyway",
    is_flag=True,
    help="Let the new rows serve even if more of them cannot be made than before.",
)
@ledger_option
@json_option
def rebuild(name: str | None, every: bool, anyway: bool, ledger: str | None, as_json: bool) -> None:
    """Make the rows of NAME anew from the whole ledger; the old ones serve meanwhile.

    The new rows are compared with the old ones, which are kept: `rollback` goes back to them. One
    that cannot be made anew now keeps no other; the exit code is 1 when one was left.
    """
    if every == (name is not None):
        raise click.UsageError("give the NAME of one, or --all")
    left: list[Exception] = []

    async def work(desk: "Desk") -> "dict[str, Rebuilt]":
        from casecore.errors import Conflict
        from casecore.following.rebuilding import rebuild

        done = {}
        for projection in named(name):
            head = await desk.recorder.head()
            with bar(head) as show:

                def said(reached: int, total: int, of: str = projection.NAME) -> None:
                    show(reached, f"{of}: {reached:,} of {total:,} events")

                try:
                    done[projection.NAME] = await rebuild(
                        desk.pool, desk.recorder, projection, anyway=anyway, said=said
                    )
                except Conflict as error:
                    left.append(error)
        return done

    tell(at_desk(ledger, work, following=True), as_json)
    for error in left:
        click.echo(f"casecore: {error}", err=True)
    if left:
        raise SystemExit(1)


@projections.command()
@click.argument("name")
@ledger_option
@json_option
def rollback(name: str, ledger: str | None, as_json: bool) -> None:
    """Let the rows of NAME serve again that did before its last rebuild, once they caught up."""

    async def work(desk: "Desk") -> "dict[str, Rebuilt]":
        from casecore.following.rebuilding import rollback

        [projection] = named(name)
        return {name: await rollback(desk.pool, desk.recorder, projection)}

    tell(at_desk(ledger, work, following=True, reading=True), as_json)


@projections.command()
@click.argument("name", required=False)
@ledger_option
@json_option
def parked(name: str | None, ledger: str | None, as_json: bool) -> None:
    """List the rows that wait because an event about them could not be folded."""

    async def work(desk: "Desk") -> "list[ParkedRow]":
        from casecore.following.parking import parked

        names = [projection.NAME for projection in named(name)]
        return await parked(desk.pool, desk.id, names)

    found = at_desk(ledger, work, reading=True)
    if as_json:
        echo_json(found)
        return
    for row in found:
        click.echo(
            printable(
                f"{row.projection}  {row.key}  {row.events:,} events since position"
                f" {row.position:,} ({when(row.since)} UTC): {row.error}"
            )
        )
    if not found:
        click.echo("nothing is parked")


@projections.command()
@click.argument("name", required=False)
@ledger_option
@json_option
def replay_parked(name: str | None, ledger: str | None, as_json: bool) -> None:
    """Fold the events that wait, in order. The exit code is 1 when some still cannot be."""

    async def work(desk: "Desk") -> "dict[str, Replayed]":
        from casecore.following.parking import replay_parked

        return {
            projection.NAME: await replay_parked(desk.pool, desk.recorder, projection)
            for projection in named(name)
        }

    done = at_desk(ledger, work, reading=True)
    if as_json:
        echo_json(done)
    else:
        for of, replayed in done.items():
            if replayed.rows or replayed.left:
                click.echo(
                    f"{of}: {replayed.rows:,} rows go on, with {replayed.events:,} events;"
                    f" {replayed.left:,} wait"
                )
        if not any(replayed.rows or replayed.left for replayed in done.values()):
            click.echo("nothing is parked")
    if any(replayed.left for replayed in done.values()):
        raise SystemExit(1)


@projections.command("as-of")
@click.argument("name")
@click.option(
    "--time", "at", type=WhenParam(end=True), metavar="TIME", help="As known at that time."
)
@click.option("--position", type=click.IntRange(0), help="As of that position of the ledger.")
@click.option("--format", type=click.Choice(("parquet", "csv")), default="csv", show_default=True)
@click.option(
    "--out",
    "file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Where the rows go.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@reason_option
@ledger_option
@json_option
def as_of(
    name: str,
    at: "datetime | None",
    position: int | None,
    format: "Format",
    file: Path,
    force: bool,
    reason: str | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Write the rows of NAME as they were, made from the ledger aside.

    \b
    casecore projections as-of cases --time 2026-03-31 --out cases.csv
    casecore projections as-of sla_clocks --position 120000 --format parquet --out clocks.parquet

    A day is its end, in UTC. What serves is not touched.
    """
    if (at is None) == (position is None):
        raise click.UsageError("give either --time or --position")
    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already: name another file, or give --force")

    async def work(desk: "Desk") -> "Written":
        from projections.then import write

        [projection] = named(name)
        at_position = position if at is None else await desk.recorder.position_at(at)
        assert at_position is not None
        await looked(desk, "as_of", f"casecore projections as-of {name}", None, reason)
        return await write(desk.pool, desk.recorder, projection, at_position, file, format)

    written = at_desk(ledger, work, reading=True)
    if as_json:
        echo_json(written)
    else:
        click.echo(f"{file}: {written.rows:,} rows of {name} as of position {written.position:,}")


def named(name: str | None) -> "list[Projection]":
    """The read model of this name, or all of them."""
    from casecore.errors import NotFound
    from projections import PROJECTIONS

    if name is None:
        return [*PROJECTIONS]
    known = {projection.NAME: projection for projection in PROJECTIONS}
    if name not in known:
        raise NotFound("projection-not-found", f"there is no {name}; there are {', '.join(known)}")
    return [known[name]]


def tell(done: "dict[str, Rebuilt]", as_json: bool) -> None:
    if as_json:
        echo_json({name: rebuilt._asdict() for name, rebuilt in done.items()})
        return
    for name, rebuilt in done.items():
        same = {
            True: "the same as before",
            False: f"not the same as before, when there were {rebuilt.rows_before:,}",
            None: "not compared, as the old ones never stood still",
        }[rebuilt.same]
        waiting = f"; {rebuilt.parked:,} rows wait" if rebuilt.parked else ""
        click.echo(
            f"{name}: generation {rebuilt.generation} serves, {rebuilt.rows:,} rows, {same}"
            f"{waiting} ({rebuilt.seconds:.1f} s)"
        )
