"""casecore audit: prove what the ledger holds, and settle what a restored backup left open."""

from typing import TYPE_CHECKING

import rich_click as click

from api.commands.bundle import bundle
from api.commands.opening import (
    at_desk,
    echo_json,
    json_option,
    ledger_option,
    operator,
    printable,
)
from api.commands.verify import verify

if TYPE_CHECKING:
    from api.desk import Desk
    from api.proof import CheckpointView, Inclusion
    from casecore.proof.restoring import Accepted
    from casecore.proof.sealing import Sealing


@click.group()
def audit() -> None:
    """Prove what a ledger holds, and that it is still what it was. docs/proof.md explains it."""


audit.add_command(verify)
audit.add_command(bundle)


@audit.command()
@click.option("--seal", is_flag=True, help="First seal what is not sealed yet.")
@ledger_option
@json_option
def checkpoint(seal: bool, ledger: str | None, as_json: bool) -> None:
    """Print the latest checkpoint: a signed note of how many events there are, and their root.

    `casecore serve` seals by itself, within a second.
    """

    async def work(desk: "Desk") -> "CheckpointView":
        from api.proof import latest, shown

        if seal:
            await sealing_of(desk).seal_now()
        return shown(await latest(desk.sealed))

    found = at_desk(ledger, work, reading=True)
    if as_json:
        echo_json(found)
    else:
        click.echo(found.note, nl=False)


@audit.command()
@click.argument("position", type=click.IntRange(1, 2**63 - 1))
@click.option("--size", type=click.IntRange(1, 2**63 - 1), help="Under which checkpoint.")
@ledger_option
@json_option
def proof(position: int, size: int | None, ledger: str | None, as_json: bool) -> None:
    """Prove that the event at POSITION is under a checkpoint; without --size, the latest."""

    async def work(desk: "Desk") -> "Inclusion":
        from api.proof import inclusion

        return await inclusion(desk, position, size)

    found = at_desk(ledger, work, reading=True)
    if as_json:
        echo_json(found)
        return
    assert found.event is not None
    event = found.event
    click.echo(printable(f"event  {event.type}, version {event.version} of {event.stream_id}"))
    click.echo(f"entry  {found.entry}\nleaf   {found.leaf}")
    for hash in found.proof:
        click.echo(f"beside {hash}")
    click.echo(f"root   {found.checkpoint.root}\n\n{found.checkpoint.note}", nl=False)


@audit.command("accept-restore")
@click.option("--reason", required=True, help="Why the ledger is what it is. Kept for ever.")
@click.option("--by", help="Who decides so; the default is who is signed in here.")
@ledger_option
@json_option
def accept_restore(reason: str, by: str | None, ledger: str | None, as_json: bool) -> None:
    """Go on with a ledger that is not the one that was sealed, as after restoring a backup.

    What was lost stays lost. Who accepted it, when, why, and what both were is kept in the
    database and beside the checkpoints, which are moved aside and not deleted. A casecore that
    runs takes it up within seconds.
    """

    async def work(desk: "Desk") -> "Accepted":
        return await sealing_of(desk).accept(by or operator(), reason)

    accepted = at_desk(ledger, work, reading=True)
    if as_json:
        told = [finding.sentence for finding in accepted.findings]
        aside = [str(path) for path in accepted.set_aside]
        echo_json({"size": accepted.size, "root": accepted.root, "found": told, "aside": aside})
        return
    click.echo(f"accepted as it is, up to position {accepted.size}")
    for path in accepted.set_aside:
        click.echo(f"what spoke against it is in {path}")


def sealing_of(desk: "Desk") -> "Sealing":
    assert desk.sealing is not None
    return desk.sealing
