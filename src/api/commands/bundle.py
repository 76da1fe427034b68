"""casecore audit bundle: a case and its proof, to take away and check elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.history import find
from api.commands.opening import at_desk, ledger_option, looked, printable, reason_option
from casecore.errors import Rejected

if TYPE_CHECKING:
    from api.desk import Desk
    from api.evidence.bundle import Bundle


@click.command()
@click.argument("case")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it; the default is the case's ref and .zip.",
)
@click.option("--seal", is_flag=True, help="First seal what is not sealed yet.")
@reason_option
@ledger_option
def bundle(
    case: str, output: Path | None, seal: bool, reason: str | None, ledger: str | None
) -> None:
    """Write CASE with its proof into a zip file that checks itself.

    \b
    casecore audit bundle C-K9D4-BRDR-Y8TB -o case.zip
    python3 verify.py             # in the unpacked folder, on any machine, without casecore

    Its README.txt says what it is, and what it proves. Of a case that is not what was sealed it is
    evidence of that: then this says what is wrong, and the exit code is 1.
    """

    async def work(desk: "Desk") -> "Bundle":
        from api.evidence.bundle import bundle

        if seal and desk.sealing:
            await desk.sealing.seal_now()
        case_id = await find(desk, case)
        made = await bundle(desk, case_id, anyway=True)
        await looked(desk, "bundle", f"casecore audit bundle {case}", case_id, reason)
        return made

    made = at_desk(ledger, work, reading=True)
    path = output or Path(made.name)
    try:
        with path.open("xb") as file:
            file.write(made.body)
    except FileExistsError:
        raise Rejected("file-exists", f"{path} is there already: name another with -o") from None
    except OSError as error:
        path.unlink(missing_ok=True)  # What there is of it is nothing.
        raise Rejected(
            "file-unwritable", f"{path} cannot be written ({error.strerror}): name another with -o"
        ) from None
    click.echo(f"{path}: {len(made.body):,} bytes; unpack it, and type python3 verify.py")
    for found in made.findings:
        click.echo(printable(f"WRONG: {found.sentence}"), err=True)
        click.echo(f"What that means: {found.means}", err=True)
    for what in made.unverified:
        click.echo(printable(f"not verified: {what}"), err=True)
    if made.findings:
        raise SystemExit(1)
