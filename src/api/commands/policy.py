"""casecore policy: what may be given as goodwill, and by whom."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option, operator

if TYPE_CHECKING:
    from api.desk import Desk
    from casecore.goodwill.events import GoodwillPolicyPublished
    from casecore.money import Money

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
POLICY_BYTES_MAX = 1 << 20


@click.group()
def policy() -> None:
    """The goodwill policy: limits per role, published in versions that never change."""


@policy.command()
@click.argument("file", type=FILE)
@ledger_option
def publish(file: Path, ledger: str | None) -> None:
    """Put the policy in FILE.toml into force, now or from its effective_from on.

    Publishing what is in force already changes nothing. `casecore policy show` says what is.
    """
    from casecore.actors import Actor, Role
    from casecore.goodwill.decisions import read_terms
    from casecore.goodwill.events import GoodwillPolicyPublished
    from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy

    command = read_terms(text_of(file))

    async def work(desk: "Desk") -> list[GoodwillPolicyPublished]:
        by = Actor(operator(), Role.ADMIN)
        written = await desk.core.execute(GoodwillPolicy, GOODWILL_POLICY_ID, command, by=by)
        return [event for event in written.events if isinstance(event, GoodwillPolicyPublished)]

    for published in at_desk(ledger, work):
        click.echo(
            f"version {published.version} takes effect"
            f" {published.effective_from:%Y-%m-%d %H:%M:%S} UTC"
        )
        return
    click.echo("these terms are in force already")


@policy.command()
@ledger_option
@json_option
def show(ledger: str | None, as_json: bool) -> None:
    """Say which policy is in force."""
    from datetime import UTC, datetime

    from casecore.errors import NotFound
    from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy

    async def work(desk: "Desk") -> "GoodwillPolicyPublished | None":
        seen = await desk.core.see(GoodwillPolicy, GOODWILL_POLICY_ID)
        state: GoodwillPolicy = seen.state
        return state.at(datetime.now(UTC))

    version = at_desk(ledger, work, reading=True)
    if version is None:
        raise NotFound(
            "no-goodwill-policy", "no policy is in force: `casecore policy publish FILE` does that"
        )
    if as_json:
        echo_json(version)
        return
    since = f"{version.effective_from:%Y-%m-%d %H:%M} UTC"
    click.echo(f"version {version.version}, in force since {since}")
    for limit in version.terms.limits:
        alone = f"{limit.percent_bp / 100:g} %, {amounts(limit.amounts)}"
        click.echo(f"  {limit.role:<12} may give alone  {alone}")
    click.echo(f"  one case may be given  {amounts(version.terms.case_amounts)}")
    click.echo(f"  an offer stands for {version.terms.offer_valid_days} days")


def text_of(file: Path) -> str:
    """What a file of policies says, if it can be one."""
    from casecore.errors import Malformed

    if not file.is_file():
        raise click.UsageError(f"{file} is no ordinary file")
    with file.open("rb") as opened:
        raw = opened.read(POLICY_BYTES_MAX + 1)
    if len(raw) > POLICY_BYTES_MAX:
        raise Malformed("policy-unreadable", f"{file} is over {POLICY_BYTES_MAX >> 20} MiB")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed("policy-unreadable", f"{file} is not UTF-8") from None


def amounts(amounts: "tuple[Money, ...]") -> str:
    return ", ".join(map(str, amounts)) or "no money"
