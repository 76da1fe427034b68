"""casecore projections: where the read models stand, and one made anew."""

from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option
from api.commands.projectionstatus import status

if TYPE_CHECKING:
    from api.desk import Desk
    from casecore.following.rebuilding import Rebuilt


@click.group()
def projections() -> None:
    """The read models: cases, queues, promises and whatever else follows the ledger."""


projections.add_command(status)


@projections.command()
@click.argument("name")
@ledger_option
@json_option
def rebuild(name: str, ledger: str | None, as_json: bool) -> None:
    """Make the rows of NAME anew from the whole ledger; the old ones serve meanwhile."""

    async def work(desk: "Desk") -> "Rebuilt":
        from casecore.errors import NotFound
        from casecore.following.rebuilding import rebuild
        from projections import PROJECTIONS

        known = {projection.NAME: projection for projection in PROJECTIONS}
        if name not in known:
            raise NotFound(
                "projection-not-found", f"there is no {name}; there are {', '.join(known)}"
            )
        return await rebuild(desk.pool, desk.recorder, known[name])

    rebuilt = at_desk(ledger, work)
    if as_json:
        echo_json(rebuilt._asdict())
    else:
        click.echo(f"{name}: {rebuilt.rows:,} rows in {rebuilt.seconds:.1f} s")
