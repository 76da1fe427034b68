"""casecore sla show: the calendars and policies that are in force."""

from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option

if TYPE_CHECKING:
    from api.desk import Desk
    from casecore.clocks.targets import AnyTarget
    from casecore.sla.state import SlaBook


@click.command("show")
@ledger_option
@json_option
def show(ledger: str | None, as_json: bool) -> None:
    """Say which SLA policies are in force, and how long they give."""
    from datetime import UTC, datetime

    from casecore.errors import NotFound
    from casecore.sla.state import SLA_BOOK_ID, SlaBook

    async def work(desk: "Desk") -> "SlaBook":
        book: SlaBook = (await desk.core.see(SlaBook, SLA_BOOK_ID)).state
        return book

    book = at_desk(ledger, work, reading=True)
    in_force = book.in_force(datetime.now(UTC))
    if not in_force:
        raise NotFound(
            "no-sla-policy",
            "no SLA policy is in force: `casecore policy publish --pack desk` is a start, or write"
            " a FILE.toml and publish that",
        )
    if as_json:
        echo_json(in_force)
        return
    for published in in_force:
        policy = published.policy
        calendar = book.calendar(policy.calendar_id)
        assert calendar is not None
        click.echo(
            f"{published.policy_id}  version {published.version}, rank {policy.rank}, since"
            f" {published.effective_from:%Y-%m-%d %H:%M} UTC, calendar {policy.calendar_id}"
            f" v{calendar.version} ({calendar.calendar.zone})"
        )
        for rule in policy.targets:
            given = [] if rule.target is None else [amount(rule.target)]
            given += [f"{priority} {amount(t)}" for priority, t in rule.by_priority.items()]
            given += [f"as {rule.due_from} says"] if rule.due_from else []
            click.echo(f"  {rule.name:<24} {', '.join(given)}")


def amount(target: "AnyTarget") -> str:
    from casecore.clocks.instants import SECOND
    from casecore.clocks.targets import BusinessDays, CalendarDays, ElapsedTime, OpenTime
    from casecore.sla.explaining import length

    match target:
        case OpenTime(seconds=n):
            return f"{length(n * SECOND)} of open time"
        case ElapsedTime(seconds=n):
            return f"{length(n * SECOND)} by day and night"
        case BusinessDays(days=n):
            return f"{n} business days"
        case CalendarDays(days=n):
            return f"{n} calendar days"
        case _:
            return f"{target.weeks} weeks"
