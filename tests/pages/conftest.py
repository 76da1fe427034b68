"""The pages, as a visitor has them before them: through a browser's eyes, or read as text."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from api import keys
from api.app import create_app
from api.desk import Desk, Desks
from casecore.actors import Role
from casecore.proof.sealing import ProofSettings
from tests.api.conftest import opened
from tests.conftest import named, run

URL = "http://desk"
Visit = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def template(template: str, server: str) -> Iterator[str]:
    """One that has the tables of the read models, and a policy: each test is quicker for it."""
    name = f"{template}_pages"
    asyncio.run(run(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    asyncio.run(opened(named(server, name)))
    yield name
    asyncio.run(run(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def desks(database_url: str, tmp_path: Path) -> AsyncIterator[Desks]:
    proof = ProofSettings(tmp_path / "sealing.key", (tmp_path / "checkpoints",))
    async with Desks.open(database_url, proof=proof) as desks:
        yield desks


@pytest.fixture
async def desk(desks: Desks) -> Desk:
    return await desks.desk("main")


@pytest.fixture
def app(desks: Desks) -> Litestar:
    return create_app(desks)


@pytest.fixture
async def stranger(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which nobody is signed in."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:
        yield client


@pytest.fixture
async def visit(desks: Desks, app: Litestar) -> AsyncIterator[Visit]:
    """A browser in which somebody of a role is signed in."""
    clients = []

    async def visit(role: Role, actor: str = "olga") -> httpx.AsyncClient:
        _, key = await keys.create(desks.pool, "main", actor, role, "test")
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL)
        clients.append(client)
        answer = await sign_in(client, key)
        assert answer.status_code == 303, answer.text
        return client

    yield visit
    for client in clients:
        await client.aclose()


@pytest.fixture
async def auditor(visit: Visit) -> httpx.AsyncClient:
    return await visit(Role.AUDITOR)


@pytest.fixture
async def admin(desks: Desks, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, to write with."""
    _, key = await keys.create(desks.pool, "main", "root", Role.ADMIN, "test")
    headers = {"Authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
        yield client


async def sign_in(client: httpx.AsyncClient, key: str, **fields: str) -> httpx.Response:
    return await client.post("/sign-in", data={"key": key} | fields, headers={"Origin": URL})


class Text(HTMLParser):
    """What a page says, and the elements that it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def parsed(answer: httpx.Response, status: int = 200) -> Text:
    """A page that came with this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    text = Text()
    text.feed(answer.text)
    return text


def read(answer: httpx.Response, status: int = 200) -> str:
    """The words of a page, with one space between them."""
    return re.sub(r"\s+", " ", "".join(parsed(answer, status).pieces))
