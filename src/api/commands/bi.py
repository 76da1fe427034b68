"""casecore bi: what BI tools read, as files, and described."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option

if TYPE_CHECKING:
    from api.desk import Desk
    from projections.bi.export import Manifest
    from projections.files import Format


@click.group()
def bi() -> None:
    """What BI tools read: the views of schema bi, which name no person."""


@bi.command()
@click.option("--format", type=click.Choice(("parquet", "csv")), default="parquet")
@click.option(
    "--out",
    "folder",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files go; it is made when it is not there.",
)
@click.option("--force", is_flag=True, help="Write over an export that was made there before.")
@ledger_option
@json_option
def export(format: "Format", folder: Path, force: bool, ledger: str | None, as_json: bool) -> None:
    """Write every table to a file, all as of the same position of the ledger.

    \b
    casecore bi export --format parquet --out out/2026-03
    casecore bi export --format csv --out out/2026-03-csv --ledger main

    manifest.json, which is written last, says the position, and the rows and the SHA-256 of each
    file. Times are in UTC; money is in the currency's smallest unit.
    """

    async def work(desk: "Desk") -> "Manifest":
        from projections.bi.export import export

        return await export(
            *(desk.pool, desk.id, desk.ledger, folder, format),
            catch_up=desk.feed.catch_up,
            force=force,
        )

    manifest = at_desk(ledger, work, reading=True)
    if as_json:
        echo_json(manifest)
        return
    for file in manifest.files:
        click.echo(f"{file.rows:>12,}  {folder / file.file}")
    click.echo(f"as of position {manifest.position:,} of ledger {manifest.ledger}")


@bi.command()
def shape() -> None:
    """Say every column and its type: what tools that read them count on."""
    from casecore.views import shape
    from projections.bi import VIEWS

    click.echo(shape(VIEWS), nl=False)


@bi.command()
def docs() -> None:
    """Say all there is to know about the tables, as docs/bi.md has it."""
    from projections.bi.manual import manual

    click.echo(manual(), nl=False)
