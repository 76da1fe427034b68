"""casecore serve, work and migrate: open the door, follow behind it, update the database."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from api.commands.opening import database, proof_of, settings
from casecore.errors import CaseError, Unavailable

if TYPE_CHECKING:
    from api.desk import Desk

WATCH_SECONDS = 0.2
SHARDS_MAX = 64


@click.command()
@click.option("--host", help="Where to listen; the default is CASECORE_HOST, or 127.0.0.1.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Which port; the default is PORT or CASECORE_PORT, or 8000. 0 takes a free one.",
)
@click.option(
    "--follow/--no-follow",
    default=True,
    show_default=True,
    help="Whether to keep read models up, too, or leave that to other processes.",
)
def serve(host: str | None, port: int | None, follow: bool) -> None:
    """Run the API until SIGINT or SIGTERM.

    Runs its own PostgreSQL in CASECORE_DATA_DIR (./var), unless CASECORE_DATABASE_URL names one.
    The first start writes an admin key to admin.key in that folder.
    """
    import uvloop

    given = settings()
    where = (host or given.host, given.port if port is None else port)
    if given.database_url:
        uvloop.run(_serve(given.database_url, *where, None, follow))
        return
    keeper = Keeper(given.data_dir)
    try:
        uvloop.run(_serve(keeper.postgres.url, *where, keeper, follow))
    finally:
        keeper.postgres.stop()


@click.command()
@click.option(
    "--shards",
    type=click.IntRange(1, SHARDS_MAX),
    default=1,
    show_default=True,
    help="In how many shares to follow each read model; counts for those not begun yet.",
)
def work(shards: int) -> None:
    """Keep read models up and deadlines kept until SIGINT or SIGTERM, with no door.

    Any number of these and of `casecore serve` share the work; when one dies, the others go on.
    """
    import uvloop

    with database(reading=True) as url:
        uvloop.run(_work(url, shards))


@click.command()
def migrate() -> None:
    """Bring the database up to date. `serve` does so by itself.

    In production it is run beforehand, by a role that may change the schema.
    """
    import uvloop

    from casecore.database import migrate

    with database() as url:
        uvloop.run(migrate(url))
    click.echo("the database is up to date")


class Keeper:
    """Our own PostgreSQL, started again should it die."""

    def __init__(self, data_dir: Path) -> None:
        from casecore import embedded

        self.data_dir = data_dir
        self.postgres = embedded.start(data_dir, serving=True)

    async def watch(self) -> None:
        import asyncio

        from casecore import embedded

        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self.postgres.died:
                click.echo("PostgreSQL died; starting it again", err=True)
                self.postgres.stop()
                # It blocks, and may: nothing can be answered until it is back.
                self.postgres = embedded.start(self.data_dir, serving=True)


async def _work(url: str, shards: int) -> None:
    from api.desk import Desks
    from api.serving import work

    async with Desks.open(url) as desks:
        desks.shards = shards
        await work(desks, say=click.echo)


async def _serve(url: str, host: str, port: int, keeper: Keeper | None, follow: bool) -> None:
    import asyncio

    from api.desk import Desks
    from api.keys import ensure_admin
    from api.serving import serve
    from casecore.proof.notes import SealingKey

    given = settings()
    proof = proof_of(given)
    async with Desks.open(url, proof=proof) as desks:
        desks.taking = follow
        make_folder(given.data_dir)
        SealingKey.ensured(proof.key)
        desk = await desks.desk(given.ledger)
        if not desk.appender.barred:
            await ensure_policy(desk)
        click.echo(await ensure_admin(desks.pool, given.data_dir / "admin.key"))
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(keeper.watch()) if keeper else None
                await serve(desks, host, port, say=click.echo)
                if watch:
                    watch.cancel()
        except* CaseError as failures:
            # Nothing can be served without a database, or without an address.
            raise failures.exceptions[0] from None


def make_folder(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            "data-dir-unusable",
            f"{data_dir} cannot be the folder for the admin key ({error.strerror}): name another"
            " with CASECORE_DATA_DIR",
        ) from None


async def ensure_policy(desk: "Desk") -> None:
    """A desk that has published no goodwill policy begins with the one that casecore brings."""
    from casecore.actors import Actor, Role
    from casecore.goodwill.decisions import DEFAULT_TERMS, read_terms
    from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy

    seen = await desk.core.see(GoodwillPolicy, GOODWILL_POLICY_ID)
    if not seen.state.versions:
        publish = read_terms(DEFAULT_TERMS.read_text("utf-8"))
        by = Actor("casecore", Role.SYSTEM)
        await desk.core.execute(
            GoodwillPolicy, GOODWILL_POLICY_ID, publish, by=by, expected=seen.version
        )
