"""casecore history: what happened to a case, as people say it."""

from typing import TYPE_CHECKING
from uuid import UUID

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

if TYPE_CHECKING:
    from api.desk import Desk
    from projections.timeline import Moment


@click.command()
@click.argument("case")
@reason_option
@ledger_option
@json_option
def history(case: str, reason: str | None, ledger: str | None, as_json: bool) -> None:
    """Tell what happened to CASE, given by its id or as people say it.

    \b
    casecore history C-K9D4-BRDR-Y8TB

    Read from the ledger itself, so it is complete whether or not `casecore serve` runs.
    """

    async def work(desk: "Desk") -> "list[Moment]":
        from casecore.recording import from_row
        from projections import timeline

        case_id = await find(desk, case)
        rows = [from_row(desk.ledger, row) for row in await desk.recorder.history(case_id)]
        if rows:
            await looked(desk, "history", f"casecore history {case}", case_id, reason)
        return [timeline.fold((case_id, row.version), None, row) for row in rows]

    moments = at_desk(ledger, work, reading=True)
    if not moments:
        raise nothing(case)
    if as_json:
        echo_json(moments)
        return
    for moment in moments:
        at = f"{moment.occurred_at:%Y-%m-%d %H:%M}"
        click.echo(printable(f"{moment.version:>4}  {at}  {moment.sentence}"))


async def find(desk: "Desk", case: str) -> UUID:
    """The id of the case: a ref is looked up, once the read models know of all cases."""
    from projections import cases

    try:
        return UUID(case)
    except ValueError:
        await desk.feed.catch_up()
        page = await cases.listed(desk.pool, desk.recorder.id, ref=case.upper(), limit=1)
        if not page.items:
            raise nothing(case) from None
        return page.items[0].case_id


def nothing(case: str) -> Exception:
    from casecore.errors import NotFound

    return NotFound(
        "case-not-found", f"this ledger has no case {case}; give its id, or a ref like C-K9D4-…"
    )
