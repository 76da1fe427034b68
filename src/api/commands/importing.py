"""casecore import: bring in complaints and case logs from files."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_of, json_option, ledger_option, printable
from api.commands.screens import bar
from casecore.errors import Malformed

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from api.desk import Desk
    from api.imports.plan import Plans, Share
    from api.imports.running import OnError, Report

SHOWN_MAX = 10
"""How many reasons are printed; --report keeps more."""
PROGRESS_SECONDS = 0.1
JOBS_MAX = 16
JOB_BYTES_MIN = 4 << 20
"""How much of a file is worth the start of another process."""
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04")
"""How gzip and zip files begin."""

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


class LogOptions(NamedTuple):
    """How a log is to be read."""

    mapping: str | None
    case: str | None
    activity: str | None
    time: str | None
    zone: str | None
    unmapped: Literal["stop", "note"]

    def words(self) -> list[str]:
        """As they were typed."""
        given = {f"--{name}": value for name, value in self._asdict().items() if value is not None}
        return [word for option in given.items() for word in option]


@click.command("import")
@click.argument("file", type=FILE)
@click.option("--format", type=click.Choice(["cfpb", "xes", "csv", "cloudevents"]), required=True)
@click.option(
    "--mapping",
    metavar="FILE.toml",
    help="xes, csv: what activities become. helpdesk and incidents come with casecore.",
)
@click.option("--case", metavar="COLUMN", help="csv: the column that names the case.")
@click.option(
    "--activity",
    metavar="COLUMN",
    help="csv, xes: what names the activity, unless the mapping says it.",
)
@click.option("--time", metavar="COLUMN", help="csv: the column that says when.")
@click.option(
    "--zone",
    metavar="ZONE",
    help="csv, xes: where times without an offset are local, like Europe/Rome."
    " A time that the clocks showed twice is taken for the first.",
)
@click.option(
    "--unmapped",
    type=click.Choice(["stop", "note"]),
    default="stop",
    show_default=True,
    help="xes, csv: what to do with an activity that the mapping does not know.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Whether to stop at what cannot come in, or to leave it out and go on.",
)
@click.option("--report", type=NEW_FILE, help="Write what became of the file there, as JSON.")
@click.option("--dry-run", is_flag=True, help="Read and plan all of it, and write nothing.")
@click.option(
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    help="How many processes share the work; the default is one a core, for files worth it.",
)
@click.option("--share", hidden=True, help="K/N: as a helper, take on the K-th of N shares.")
@ledger_option
@json_option
def import_file(
    file: Path,
    format: Literal["cfpb", "xes", "csv", "cloudevents"],
    on_error: "OnError",
    report: Path | None,
    dry_run: bool,
    jobs: int | None,
    share: str | None,
    ledger: str | None,
    as_json: bool,
    **log: Any,
) -> None:
    """Bring in complaints (cfpb), a log of case work (xes, csv), or a ledger (cloudevents).

    \b
    casecore import --format cfpb complaints.csv
    casecore import --format xes --mapping incidents incidents-closed.xes.gz
    casecore import --format csv --mapping helpdesk --case CaseID --activity ActivityID
                    --time CompleteTimestamp --zone Europe/Rome helpdesk-log.csv
    casecore import --format cloudevents ledger.jsonl.gz

    A case comes in whole or not at all, under the name it has in the file. So importing a file
    again adds nothing, and an import that was killed goes on when it is run again. Read models
    follow while `casecore serve` runs, or once it does.

    A ledger that was exported as cloudevents comes into an empty ledger of its name, before
    `casecore serve` first runs on it: all of it, with the same positions, times and hashes, each
    of them checked, or nothing. The requests that led to it are known by their ids alone, so one
    that is sent again is refused, as a key that was used before.

    The exit code is 1 when something could not come in; the reasons name line and column.
    """
    from api.imports import running, sharing
    from api.imports.plan import Share

    if format == "cloudevents":
        unmapped = log.pop("unmapped") == "note"
        given = {
            "on-error": on_error == "skip",
            "report": report,
            "jobs": jobs,
            "unmapped": unmapped,
        }
        if more := [name for name, value in (given | log).items() if value]:
            raise click.UsageError(f"--{more[0]} is not for cloudevents, which come in as they are")
        restore_ledger(file, ledger, dry_run, as_json)
        return
    found = running.Report()
    options = LogOptions(**log)
    if share is not None:
        mine = Share(*map(int, share.split("/")))
        sharing.stop_when_told(found)
    else:
        mine = Share(0, 1 if dry_run else jobs or jobs_worth(file))
    helpers = 0 if share else mine.of - 1
    if report and not os.access(report.parent, os.W_OK | os.X_OK):
        raise click.UsageError(f"--report: {report.parent} is no folder that can be written to")
    words = ("import", str(file), "--format", format, "--on-error", on_error)

    with file.open("rb") as opened, progress(opened, found):
        plans = plans_of(opened, format, options, mine)

        async def work(desk: "Desk") -> None:
            again = (*words, *options.words(), "--ledger", desk.ledger)
            async with sharing.helped(again, helpers, found):
                await running.run(desk.core, plans, format, on_error, found)

        if dry_run:
            running.rehearse(plans, on_error, found)
        else:
            at_desk(ledger, work)
    if report:
        report.write_bytes(json_of(found))
    if as_json:
        echo_json(found)
    else:
        tell(found, dry_run)
    if found.bad:
        raise SystemExit(1)


def restore_ledger(file: Path, ledger: str | None, dry_run: bool, as_json: bool) -> None:
    from api.imports import cloudevents

    with file.open("rb") as opened, bar(file.stat().st_size) as moved:

        async def work(desk: "Desk") -> int:
            return await cloudevents.restored(
                desk.pool,
                desk.ledger,
                opened,
                lambda position: moved(opened.tell(), f"{position:,} events"),
                keep=not dry_run,
            )

        events = at_desk(ledger, work)
    if as_json:
        echo_json({"events": events, "kept": not dry_run})
    elif dry_run:
        click.echo(f"{events:,} events are as they should be; nothing was written")
    else:
        click.echo(f"{events:,} events are back, each where it was")


def jobs_worth(file: Path) -> int:
    """As many as there are cores for, and work for."""
    cores = len(os.sched_getaffinity(0))
    return min(cores, JOBS_MAX, 1 + file.stat().st_size // JOB_BYTES_MIN)


def plans_of(file: BufferedReader, format: str, log: LogOptions, share: "Share") -> "Plans":
    from api.imports import cfpb, csv_log, xes

    if format != "xes" and file.peek(4).startswith(COMPRESSED):
        raise Malformed(
            "compressed", f"{file.name} is compressed, and {format} takes plain CSV: unpack it"
        )
    if format == "cfpb":
        if given := [f"--{name}" for name in ("mapping", "case", "time") if getattr(log, name)]:
            raise click.UsageError(f"{given[0]} is for logs; the columns of cfpb are known")
        return cfpb.plans(file, share)
    from api.imports.mapping import ActivityMapping, read

    if log.mapping is None:
        raise click.UsageError("say with --mapping what the log's activities become")
    said = read(log.mapping)
    activity = f"{{{log.activity}}}" if log.activity else said.activity
    zone = zone_of(log.zone)
    if format == "xes":
        mapping = ActivityMapping(said, activity or f"{{{xes.NAME}}}", unmapped=log.unmapped)
        return xes.plans(file, zone, mapping, share)
    if log.case is None or log.time is None or activity is None:
        raise click.UsageError("name the columns of a csv log with --case, --activity and --time")
    mapping = ActivityMapping(said, activity, unmapped=log.unmapped)
    needed = [log.case, log.time, *([log.activity] if log.activity else [])]
    columns = csv_log.Columns(log.case, log.time)
    return csv_log.plans(file, columns, needed, zone, mapping, share)


def zone_of(name: str | None) -> "ZoneInfo | None":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise click.UsageError(f"{name} is no time zone; give a name like Europe/Rome") from None


@contextmanager
def progress(file: BufferedReader, report: "Report") -> Iterator[None]:
    """A bar over the bytes read, for whoever watches."""
    if not sys.stderr.isatty():
        yield
        return
    import threading

    with bar(Path(file.name).stat().st_size) as moved:
        done = threading.Event()

        def show() -> None:
            moved(file.tell(), f"{report.new + report.there:,} cases, {report.events:,} events")

        def watch() -> None:
            while not done.wait(PROGRESS_SECONDS):
                show()

        show()
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            show()


def tell(report: "Report", dry_run: bool) -> None:
    if dry_run:
        click.echo(f"{report.planned:,} cases would be asked for; nothing was written")
    else:
        click.echo(
            f"{report.new:,} cases came in with {report.events:,} events;"
            f" {report.there:,} were there already"
        )
    for reason in report.reasons[:SHOWN_MAX]:
        click.echo(printable(str(reason)), err=True)
    if report.bad > SHOWN_MAX:
        click.echo(f"… and {report.bad - SHOWN_MAX:,} more; --report keeps them", err=True)
    if report.stopped:
        click.echo(
            "stopped before the end: put it right and run it again, or go on past what is wrong"
            " with --on-error skip",
            err=True,
        )
