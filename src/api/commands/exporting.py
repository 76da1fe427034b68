"""casecore export: take the ledger away, as files that other tools read."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import rich_click as click

from api.commands.history import find
from api.commands.opening import at_desk, ledger_option
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
    ledger: str | None,
) -> None:
    """Take the ledger, or some of its cases, away as a file.

    \b
    casecore export --format xes --out log.xes.gz

    Of one ledger at one position, the same file comes out every time.
    """
    gzip = gzip or out.endswith(".gz")

    async def work(desk: "Desk") -> str:
        from api.bodies import converted
        from api.exports import running
        from api.exports.selecting import Progress, Selection, position_of

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
        chunks = running.FORMATS[format].stream(desk.recorder, selection, upto, progress)
        if gzip:
            chunks = running.gzipped(chunks)
        with writing(out, force) as file, bar(upto) as moved:
            async for chunk in chunks:
                file.write(chunk)
                moved(progress.position, str(progress))
        return f"{progress} as of position {upto:,}"

    told = at_desk(ledger, work, reading=True)
    click.echo(told, err=True)


@contextmanager
def writing(out: str, force: bool) -> Iterator[BinaryIO]:
    """A file that gets its name when it is whole, and is gone when it does not come to that."""
    if out == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() and not force:
        raise Conflict("file-there", f"{path} is there already: name another, or say --force")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise Unavailable("cannot-write", f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
