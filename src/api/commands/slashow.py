"""casecore sla show: the calendars and policies that are in force."""

from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option

if TYPE_CHECKING:
    from api.desk import Desk
    from casecore.sla.state import SlaBook


@click.command("show")
@ledger_option
@json_option
def show(ledger: str | None, as_json: bool) -> None:
    """Say which SLA policies are in force, and how long they give."""
    from datetime import UTC, datetime

    from casecore.errors import NotFound
    from casecore.sla.explaining import given
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
            amounts = [] if rule.target is None else [given(rule.target)]
            amounts += [f"{priority} {given(t)}" for priority, t in rule.by_priority.items()]
            amounts += [f"as {rule.due_from} says"] if rule.due_from else []
            click.echo(f"  {rule.name:<24} {', '.join(amounts)}")
