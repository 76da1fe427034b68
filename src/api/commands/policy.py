"""casecore policy: what may be given as goodwill and by whom, and how long things may take."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from api.commands.opening import at_desk, echo_json, json_option, ledger_option, operator

if TYPE_CHECKING:
    from api.desk import Desk
    from casecore.goodwill.events import GoodwillPolicyPublished
    from casecore.money import Money

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
POLICY_BYTES_MAX = 1 << 20
OF_SLA = ("calendars", "policies")
"""The tables of a file of SLA policies; one of goodwill has none of them."""
OF_GOODWILL = "limits"


@click.group()
def policy() -> None:
    """Policies, published in versions that never change: goodwill limits, calendars and SLAs."""


@policy.command()
@click.argument("file", type=FILE, required=False)
@click.option("--pack", metavar="NAME", help="SLA policies that casecore brings, instead of FILE.")
@ledger_option
def publish(file: Path | None, pack: str | None, ledger: str | None) -> None:
    """Put the policies in FILE.toml into force, now or from their effective_from on.

    \b
    casecore policy publish goodwill.toml      limits per role
    casecore policy publish sla.toml           [calendars.…] and [policies.…], all or none
    casecore policy publish --pack desk        a sensible start; others: uk_disp, au_rg271, us_cfpb

    Publishing what is in force already changes nothing. `casecore policy show` and `casecore sla
    show` say what is. Clocks that run are not touched.
    """
    if (file is None) == (pack is None):
        raise click.UsageError("give a FILE, or --pack and the name of one")
    text = text_of(file) if file else text_of_pack(pack or "")
    of, stream_id, commands = publishing(text)

    async def work(desk: "Desk") -> Sequence[Any]:
        from casecore.actors import Actor, Role

        by = Actor(operator(), Role.ADMIN)
        return (await desk.core.execute(of, stream_id, *commands, by=by)).events

    published = at_desk(ledger, work)
    for event in published:
        click.echo(told(event))
    if not published:
        click.echo("these terms are in force already")


def publishing(text: str) -> tuple[Any, Any, Sequence[Any]]:
    """What publishes a file's policies, and where: its tables tell which kind they are of."""
    import tomllib

    from casecore.errors import Malformed
    from casecore.goodwill.decisions import read_terms
    from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
    from casecore.sla.files import read_book
    from casecore.sla.state import SLA_BOOK_ID, SlaBook

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        tables = {OF_GOODWILL: {}}  # Whoever reads it says what is wrong with it.
    if any(name in tables for name in OF_SLA):
        return SlaBook, SLA_BOOK_ID, read_book(text)
    if OF_GOODWILL not in tables:
        raise Malformed(
            "policy-unreadable",
            "the file holds no policy: one of goodwill has [limits.ROLE], and one of SLAs"
            " [calendars.NAME] or [policies.NAME]",
        )
    return GoodwillPolicy, GOODWILL_POLICY_ID, [read_terms(text)]


def told(event: Any) -> str:
    from casecore.goodwill.events import GoodwillPolicyPublished
    from casecore.sla.events import CalendarPublished

    if isinstance(event, CalendarPublished):
        return f"calendar {event.calendar_id}: version {event.version} is published"
    which = "" if isinstance(event, GoodwillPolicyPublished) else f"SLA policy {event.policy_id}: "
    return (
        f"{which}version {event.version} takes effect {event.effective_from:%Y-%m-%d %H:%M:%S} UTC"
    )


@policy.command()
@ledger_option
@json_option
def show(ledger: str | None, as_json: bool) -> None:
    """Say which goodwill policy is in force; `casecore sla show` says it of SLA policies."""
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


def text_of_pack(name: str) -> str:
    from casecore.sla.files import pack, packs

    if name not in packs():
        raise click.UsageError(f"--pack: there is no {name}; there are {', '.join(packs())}")
    return pack(name)


def amounts(amounts: "tuple[Money, ...]") -> str:
    return ", ".join(map(str, amounts)) or "no money"
