"""casecore keys: who may come in, and as whom."""

from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from api.commands.opening import (
    at_desks,
    echo_json,
    json_option,
    ledger_option,
    printable,
    settings,
)
from casecore.actors import Role

if TYPE_CHECKING:
    from api.desk import Desks
    from api.keys import ApiKey

ROLES = [role.value for role in Role if role is not Role.SYSTEM]


@click.group()
def keys() -> None:
    """API keys. Each stands for an actor, in a role, in a ledger; only hashes are kept."""


def actor_id(_: click.Context, __: click.Parameter, actor: str) -> str:
    import msgspec

    from casecore.asking import Code

    try:
        return msgspec.convert(actor, Code)
    except msgspec.ValidationError:
        raise click.BadParameter(
            "an actor is letters, digits and any of _ . : / @ + -, at most 100 of them"
        ) from None


@keys.command()
@click.option(
    "--actor", required=True, callback=actor_id, help="Whom it stands for: agent-7, mailbox."
)
@click.option("--role", required=True, type=click.Choice(ROLES), help="What they may do.")
@click.option("--name", default="", help="What it is for, to know it again by in the list.")
@ledger_option
@json_option
def create(actor: str, role: str, name: str, ledger: str | None, as_json: bool) -> None:
    """Make a key, and print it: it cannot be shown again.

    casecore keys create --actor agent-7 --role agent --name "Ada's laptop"
    """

    async def work(desks: "Desks") -> tuple[UUID, str]:
        from api.keys import create

        where = ledger or settings().ledger
        there = where in await desks.ledgers()
        made = await create(desks.pool, where, actor, Role(role), name)
        if not there:
            await desks.desk(where)
            # Apart from the key, which scripts read.
            click.echo(f"ledger {where} is new", err=True)
        return made

    id, key = at_desks(work)
    echo_json({"id": id, "key": key}) if as_json else click.echo(key)


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys there are, by id, without the keys themselves."""

    async def work(desks: "Desks") -> "list[ApiKey]":
        from api.keys import all

        return await all(desks.pool)

    found = at_desks(work, reading=True)
    if as_json:
        echo_json([key._asdict() for key in found])
        return
    if not found:
        click.echo("there are no keys; `casecore keys create` makes one")
        return
    echo_row("id", "role", "actor", "ledger", "key", "name")
    for key in found:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else f"…{key.last4}"
        echo_row(str(key.id), key.role, key.actor, key.ledger, state, key.name)


def echo_row(id: str, role: str, actor: str, ledger: str, state: str, name: str) -> None:
    row = f"{id:<36}  {role:<10} {actor:<20} {ledger:<10} {state:<24} {name}"
    click.echo(printable(row).rstrip())


@keys.command()
@click.argument("id", type=click.UUID)
def revoke(id: UUID) -> None:
    """Close what a key opens, within two seconds."""

    async def work(desks: "Desks") -> None:
        from api.keys import revoke

        await revoke(desks.pool, id)

    at_desks(work)
    click.echo(f"{id} opens nothing any more")
