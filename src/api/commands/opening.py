"""How every command comes to the database: the one given, or the one of the data folder."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import rich_click as click

from casecore.errors import Malformed, NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from api.desk import Desk, Desks
    from api.settings import Settings
    from casecore.proof.sealing import ProofSettings

T = TypeVar("T")


def ledger_name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    import msgspec

    from api.settings import EXPECTED, LedgerName

    try:
        return msgspec.convert(name, LedgerName)
    except msgspec.ValidationError:
        raise click.BadParameter(f"the name of a ledger is {EXPECTED['ledger']}") from None


ledger_option = click.option(
    "--ledger",
    metavar="NAME",
    callback=ledger_name,
    help="Which ledger; the default is CASECORE_LEDGER, or main.",
)
reason_option = click.option(
    "--reason", metavar="TEXT", help="Why; what people read of cases is recorded, for auditors."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON, for programs.")


def settings() -> "Settings":
    from api.settings import read

    try:
        return read(os.environ)
    except Malformed as error:
        raise click.UsageError(str(error)) from None


def proof_of(given: "Settings") -> "ProofSettings":
    from casecore.proof.sealing import ProofSettings

    key = given.sealing_key or given.data_dir / "sealing.key"
    elsewhere = (given.checkpoints_to,) if given.checkpoints_to else ()
    return ProofSettings(key, (given.data_dir / "checkpoints", *elsewhere))


@contextmanager
def database(*, reading: bool = False) -> Iterator[str]:
    """Where PostgreSQL is: joins the one that runs in the data folder, or starts it meanwhile.

    Who is only `reading` makes no new one.
    """
    given = settings()
    if given.database_url:
        yield given.database_url
        return
    from casecore import embedded

    if reading and not embedded.has_database(given.data_dir):
        raise NotFound(
            "no-database",
            f"there is no casecore in {given.data_dir.resolve()}: `casecore serve` makes one;"
            " CASECORE_DATA_DIR names another folder, CASECORE_DATABASE_URL another database",
        )
    with embedded.start(given.data_dir) as postgres:
        yield postgres.url


def at_desks(
    work: "Callable[[Desks], Awaitable[T]]", *, following: bool = False, reading: bool = False
) -> T:
    import uvloop

    from api.desk import Desks
    from api.garbage import look_seldom

    proof = proof_of(settings())
    look_seldom()

    async def working(url: str) -> T:
        async with Desks.open(url, following=following, proof=proof) as desks:
            return await work(desks)

    with database(reading=reading) as url:
        return uvloop.run(working(url))


def at_desk(
    ledger: str | None,
    work: "Callable[[Desk], Awaitable[T]]",
    *,
    following: bool = False,
    reading: bool = False,
) -> T:
    name = ledger or settings().ledger

    async def working(desks: "Desks") -> T:
        if reading:
            await refuse_unknown(desks, name)
        return await work(await desks.desk(name))

    return at_desks(working, following=following, reading=reading)


async def refuse_unknown(desks: "Desks", name: str) -> None:
    """Whoever only reads a ledger does not make it."""
    if name not in (ledgers := await desks.ledgers()):
        raise NotFound(
            "ledger-not-found",
            f"there is no ledger {name}: there is {', '.join(ledgers) or 'none yet'}",
        )


def operator() -> str:
    """Who sits at the command line, as far as the machine knows."""
    name = os.environ.get("SUDO_USER") or os.environ.get("USER")
    return name or f"uid-{os.getuid()}"


async def looked(
    desk: "Desk", what: str, target: str, case_id: "UUID | None", reason: str | None
) -> None:
    """Note that whoever sits here reads what cases contain."""
    from casecore.actors import Actor, Role

    by = Actor(operator(), Role.ADMIN)
    await desk.access_log.note(by, what, target, case_id, reason)


def printable(text: str) -> str:
    """On one line, and harmless to the terminal: stored text comes from anyone."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def json_of(value: object) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def echo_json(value: object) -> None:
    click.echo(json_of(value))
