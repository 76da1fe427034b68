"""The door, over a real ledger, and a client for whoever holds a key."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
from litestar import Litestar

from api import keys
from api.app import create_app
from api.commands.serving import ensure_policy
from api.desk import Desks
from casecore.actors import Role
from tests.conftest import named, run

Client = httpx.AsyncClient
Login = Callable[..., Awaitable[Client]]


@pytest.fixture(scope="session")
def template(template: str, server: str) -> Iterator[str]:
    """One that has the tables of the read models, and a policy: each test is quicker for it."""
    name = f"{template}_desk"
    asyncio.run(run(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    asyncio.run(opened(named(server, name)))
    yield name
    asyncio.run(run(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def opened(url: str) -> None:
    async with Desks.open(url) as desks:
        await ensure_policy(await desks.desk("main"))


@pytest.fixture
async def desks(database_url: str) -> AsyncIterator[Desks]:
    async with Desks.open(database_url) as desks:
        yield desks


@pytest.fixture
def app(desks: Desks) -> Litestar:
    return create_app(desks)


@pytest.fixture
async def login(desks: Desks, app: Litestar) -> AsyncIterator[Login]:
    """A client for an actor of a role, with a key of their own."""
    clients = []

    async def login(role: Role, actor: str, ledger: str = "main") -> Client:
        _, key = await keys.create(desks.pool, ledger, actor, role, "test")
        client = Client(
            transport=httpx.ASGITransport(app),
            base_url="http://desk",
            headers={"Authorization": f"Bearer {key}"},
        )
        clients.append(client)
        return client

    yield login
    for client in clients:
        await client.aclose()


@pytest.fixture
async def admin(login: Login) -> Client:
    return await login(Role.ADMIN, "root")


@pytest.fixture
async def stranger(app: Litestar) -> AsyncIterator[Client]:
    """Somebody without a key."""
    async with Client(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
        yield client
