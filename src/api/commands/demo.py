"""casecore demo: a working day to look at."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option

if TYPE_CHECKING:
    from api.demo import DayTold
    from api.desk import Desk

SATURDAY = 5


@click.command()
@click.option("--seed", default=1, show_default=True, help="Another seed is another day.")
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Which day it was; the last working day before today unless given.",
)
@click.option("--cases", type=click.IntRange(1, 500), default=40, show_default=True)
@ledger_option
@json_option
def demo(seed: int, day: datetime | None, cases: int, ledger: str | None, as_json: bool) -> None:
    """Write a believable working day of a complaints desk into the ledger.

    Six agents, a supervisor and some forty customers, from half past eight on. The same seed and
    day are the same: run twice, it adds nothing.
    """

    async def work(desk: "Desk") -> "DayTold":
        from api.demo import play

        return await play(desk.core, seed, day.date() if day else last_working_day(), cases)

    told = at_desk(ledger, work)
    if as_json:
        echo_json(told)
        return
    for case in told.cases:
        stage = case.stage.replace("_", " ")
        click.echo(f"{case.case_ref}  {case.customer:<18} {case.title:<24} {stage}")
    if told.events:
        click.echo(f"{told.day}: {len(told.cases)} cases, {told.events} events")
    else:
        click.echo(f"{told.day}: {len(told.cases)} cases were there already; nothing was added")


def last_working_day() -> date:
    day = datetime.now(UTC).date() - timedelta(days=1)
    return day - timedelta(days=max(0, day.weekday() - SATURDAY + 1))
