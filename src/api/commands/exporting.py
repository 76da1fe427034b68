"""casecore export: take the ledger away, as files that other tools read."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.history import find
from api.commands.opening import at_desk, ledger_option, looked, reason_option
from api.commands.screens import WhenParam, bar, from_option, to_option
from casecore.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from api.desk import Desk

FORMATS = ("xes", "ocel-json", "ocel-sqlite", "cloudevents", "csv")
STDOUT = "-"


@click.command("export")
@click.option("--format", type=click.Choice(FORMATS), required=True)
@click.option(
    "--at-position",
    type=click.IntRange(min=0),
    metavar="N",
    help="As the ledger was when it had come to that position; the default is now.",
)
@click.option(
    "--time", "as_of", type=WhenParam(end=True), metavar="INSTANT", help="As it was known then."
)
@click.option(
    "--case", "cases", multiple=True, metavar="ID", help="Only this case, by its id or ref; often."
)
@click.option("--product", metavar="NAME", help="Only cases about it.")
@click.option("--channel", metavar="NAME", help="Only cases that came in by it.")
@from_option
@to_option
@click.option(
    "--out",
    default=STDOUT,
    show_default=True,
    metavar="FILE",
    help="Where to; - is the standard output. The file is there when it is whole.",
)
@click.option("--gzip", is_flag=True, help="Compressed; so is a FILE whose name ends in .gz.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@reason_option
@ledger_option
def export(
    format: str,
    at_position: int | None,
    as_of: datetime | None,
    cases: tuple[str, ...],
    product: str | None,
    channel: str | None,
    received_from: datetime | None,
    received_before: datetime | None,
    out: str,
    gzip: bool,
    force: bool,
    reason: str | None,
    ledger: str | None,
) -> None:
    """Take the ledger, or some of its cases, away as a file.

    \b
    casecore export --format xes --out log.xes.gz
    casecore export --format csv --product delivery --from 2026-01-01 --to 2026-03-31
    casecore export --format cloudevents --out ledger.jsonl.gz

    xes, csv and ocel have cases, whole up to the position: a log that was imported goes out in its
    own words, without what clocks tell of the time before it came in. cloudevents is the ledger
    itself, in its order; complete, it can be restored with `casecore import`. Of one ledger at one
    position, the same comes out every time.
    """
    gzip = gzip or out.endswith(".gz")
    if out == STDOUT and sys.stdout.isatty() and (gzip or format == "ocel-sqlite"):
        raise click.UsageError("this is not for a terminal: name a file with --out")

    async def work(desk: "Desk") -> str:
        from api.bodies import converted
        from api.exports import running
        from api.exports.selecting import Progress, Selection, position_of
        from api.looking import TARGET_MAX

        given = {
            "at_position": at_position,
            "as_of": as_of,
            "case_ids": [await find(desk, case) for case in cases],
            "product": product,
            "channel": channel,
            "received_from": received_from,
            "received_before": received_before,
        }
        selection = converted(given, Selection)
        upto = await position_of(desk.recorder, selection)
        progress = Progress()
        one = min(selection.case_ids) if len(selection.case_ids) == 1 else None
        typed = " ".join(("casecore", *sys.argv[1:]))
        await looked(desk, "export", typed[:TARGET_MAX], one, reason)
        chunks = running.FORMATS[format].stream(desk.recorder, selection, upto, progress)
        if gzip:
            chunks = running.gzipped(chunks)
        with writing(out, force) as write, bar(upto) as moved:
            async for chunk in chunks:
                write(chunk)
                moved(progress.position, str(progress))
        return f"{progress} as of position {upto:,}"

    told = at_desk(ledger, work, reading=True)
    click.echo(told, err=True)


@contextmanager
def writing(out: str, force: bool) -> Iterator[Callable[[bytes], object]]:
    """A file that gets its name when it is whole, and is gone when it does not come to that."""
    if out == STDOUT:
        with read_no_further():
            yield sys.stdout.buffer.write
            sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() and not force:
        raise Conflict("file-there", f"{path} is there already: name another, or say --force")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with unwritable(path):
        file = part.open("xb")

    def write(chunk: bytes) -> None:
        with unwritable(path):
            file.write(chunk)

    try:
        with file:
            yield write
            with unwritable(path):
                file.flush()
                os.fsync(file.fileno())
        with unwritable(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("cannot-write", f"cannot write {path}: {error.strerror}") from error


@contextmanager
def read_no_further() -> Iterator[None]:
    """Whoever read our output has enough of it, as `head` has."""
    try:
        yield
    except BrokenPipeError:
        # Python would flush what is left at its end, and complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
