"""casecore audit verify: whether what is stored is what was recorded."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.history import find
from api.commands.opening import (
    at_desks,
    echo_json,
    json_option,
    ledger_option,
    printable,
    refuse_unknown,
    settings,
)
from api.commands.screens import bar
from casecore.errors import CaseError, NotFound

if TYPE_CHECKING:
    from api.desk import Desk, Desks
    from casecore.proof.notes import Head, VerifierKey
    from casecore.verifying.case import CaseReport
    from casecore.verifying.whole import Report

WRONG, UNVERIFIED = 1, 2
JOBS_MAX = 64
SHARED_EVENTS_MIN = 300_000
"""With fewer, it takes one process as long as it takes to start another."""


@click.command()
@click.option(
    "--case", metavar="CASE", help="Only one case: its chains, and its place in the tree."
)
@click.option(
    "--since",
    metavar="CHECKPOINT",
    help="Only what came after: a file with a checkpoint that you trust, or a position at which"
    " one was signed.",
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the public key to trust, as in sealing.pub; the default is that of the"
    " sealing key.",
)
@click.option("--decode", is_flag=True, help="Also see that this casecore can read every event.")
@click.option(
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    help="How many processes share the work; the default is one a core, when worth it.",
)
@ledger_option
@json_option
def verify(
    case: str | None,
    since: str | None,
    key_file: Path | None,
    decode: bool,
    jobs: int | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Hash everything again, and name the first event that is not what was recorded.

    \b
    casecore audit verify
    casecore audit verify --since last-month.note
    casecore audit verify --case C-K9D4-BRDR-Y8TB

    Every event is held against the one before it in its case, against the tree of hashes over the
    whole ledger, and the tree against its signed checkpoints, in the database and outside it.

    Exit codes: 0 nothing is wrong, 1 something is, 2 it could not be verified.
    """
    if case and since:
        raise click.UsageError("--case is verified whole: leave out --since")

    async def work(desks: "Desks") -> "Report | CaseReport":
        name = ledger or settings().ledger
        await refuse_unknown(desks, name)
        desk = await desks.desk(name)
        key = trusted(desk, key_file)
        if case:
            return await one_case(desk, case, key)
        return await everything(desks, desk, key, since, decode, jobs)

    try:
        report = at_desks(work, reading=True)
    except CaseError as error:
        click.echo(f"casecore: it could not be verified: {error}", err=True)
        raise SystemExit(UNVERIFIED) from None
    if as_json:
        echo_json(report)
    else:
        tell(report)
    if report.findings:
        raise SystemExit(WRONG)
    if report.unverified:
        raise SystemExit(UNVERIFIED)


async def one_case(desk: "Desk", case: str, key: "VerifierKey | None") -> "CaseReport":
    from casecore.verifying.case import verify_case

    return await verify_case(desk.recorder, desk.sealed, await find(desk, case), key)


async def everything(
    desks: "Desks",
    desk: "Desk",
    key: "VerifierKey | None",
    since: str | None,
    decode: bool,
    jobs: int | None,
) -> "Report":
    from casecore.verifying.whole import Asked, verify

    events = await desk.recorder.head()
    folders = desks.proof.folders if desks.proof else ()
    asked = Asked(
        key,
        [folder / desk.ledger for folder in folders],
        await trusted_since(desk, since, key) if since else None,
        decode,
        jobs or (len(os.sched_getaffinity(0)) if events >= SHARED_EVENTS_MIN else 1),
    )
    with bar(events) as shown:
        return await verify(desks.url, desk.pool, desk.id, desk.ledger, asked, shown)


def trusted(desk: "Desk", key_file: Path | None) -> "VerifierKey | None":
    """Whose signatures to believe."""
    from casecore.errors import Malformed
    from casecore.proof.notes import VerifierKey, origin

    if key_file is not None:
        key = VerifierKey.of(key_file.read_text("utf-8", "replace").strip())
        if key.name != origin(desk.ledger):
            raise Malformed("key-of-another", f"{key_file} is the key of {key.name}")
        return key
    return desk.sealing.verifier() if desk.sealing else None


async def trusted_since(desk: "Desk", since: str, key: "VerifierKey | None") -> "Head":
    from casecore.errors import Malformed
    from casecore.proof.notes import Head, origin

    if since.isdecimal():
        checkpoint = await desk.sealed.checkpoint(int(since)) if len(since) < 19 else None
        if checkpoint is None:
            raise NotFound(
                "checkpoint-not-found",
                f"no checkpoint was signed at position {since}: give a file with one",
            )
        return Head(origin(desk.ledger), checkpoint.size, checkpoint.root)
    if key is None:
        raise Malformed("key-required", "a checkpoint is believed by its key: give --key")
    head = key.opened(read_note(since))
    if head.origin != origin(desk.ledger):
        raise Malformed("checkpoint-untrusted", f"{since} is about {head.origin}")
    return head


def read_note(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError as error:
        raise NotFound(
            "checkpoint-not-found", f"{path} cannot be read ({error.strerror})"
        ) from None


def tell(report: "Report | CaseReport") -> None:
    from casecore.verifying.whole import Report

    if isinstance(report, Report):
        since = f" after position {report.after}" if report.after else ""
        say(f"{report.events:,} events{since} of ledger {report.ledger}, up to {report.upto:,}")
        say(f"{report.checkpoints:,} checkpoints, and {report.notes:,} outside the database")
        say(f"sealed up to {report.sealed:,}; {rate(report)}")
        for restore in report.restores:
            say(f"on record: {restore}")
    else:
        say(f"{report.events:,} events of case {report.case_id} in ledger {report.ledger}")
        if report.checkpoint is not None:
            say(f"{report.sealed:,} of them under the checkpoint at {report.checkpoint:,}")
    for what in report.unverified:
        say(f"not verified: {what}")
    if not report.findings:
        of = "" if isinstance(report, Report) else " with this case"
        of = " with what was verified" if report.unverified else of
        more = "" if isinstance(report, Report) else "; only the whole ledger shows what came after"
        say(f"nothing is wrong{of}{more}")
        return
    first, *others = report.findings
    say(f"WRONG: {first.sentence}")
    say(f"What that means: {first.means}")
    for other in others:
        say(f"also: {other.sentence}")


def rate(report: "Report") -> str:
    return f"{report.seconds:.1f} s, {report.events / max(report.seconds, 0.001):,.0f} events/s"


def say(line: str) -> None:
    click.echo(printable(line))
