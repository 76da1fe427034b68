"""The wallboard: what it shows to whom, and that it hears of what happens."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from api.desk import Desk, Desks
from casecore.actors import Role
from casecore.case.decisions.intake import Complainant, RegisterCase
from casecore.case.state import Case
from casecore.clocks.calendar import Calendar, Weekly
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy
from casecore.sla.events import SLA_BOOK_ID
from casecore.sla.state import SlaBook
from tests.api.making import PROMISE, registered
from tests.casecore.sla.given import policy, rule
from tests.pages.conftest import Visit, parsed, read
from tests.spec import SAM, SYSTEM

SECONDS_MAX = 10
SAM_CASES = [UUID(int=n) for n in range(1, 6)]


async def test_an_empty_desk_says_what_to_do(auditor: httpx.AsyncClient) -> None:
    page = read(await auditor.get("/desk"))
    assert "Nothing waits for an owner" in page
    assert "casecore policy publish --pack desk" in page
    assert "No promise is overdue" in page


async def test_what_waits_and_was_promised_is_on_the_wall(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    calendar = Calendar(
        "UTC", Weekly(**dict.fromkeys(Weekly.__struct_fields__, (("00:00", "24:00"),)))
    )
    await desk.core.execute(
        SlaBook,
        SLA_BOOK_ID,
        PublishCalendar(calendar_id="always", calendar=calendar),
        PublishSlaPolicy(policy_id="desk", policy=policy(rule("promise"), calendar_id="always")),
        by=SYSTEM,
    )
    case = await registered(admin)
    soon = PROMISE | {"text": "News at once", "within_seconds": 1}
    for promise in (PROMISE | {"text": "News at noon", "within_seconds": 3600}, soon):
        answer = await admin.post(f"{case}/promises", json=promise)
        assert answer.status_code == 201
    await desk.feed.reached(answer.json()["position"], 5)
    await asyncio.sleep(1)
    page = read(await auditor.get("/desk"))
    assert "1 waiting for an owner" in page
    assert "1 promise overdue" in page
    assert "1 promise due within a day" in page
    assert "1 clock at risk" in page
    ref = (await admin.get(case)).json()["case_ref"]
    assert f"{ref} News at once" in page
    board = await auditor.get("/desk/board")
    assert "News at noon" in read(board)
    assert "<html" not in board.text
    links = [attrs["href"] for tag, attrs in parsed(board).tags if tag == "a"]
    assert f"/audit/cases/{case.rpartition('/')[2]}" in links


async def test_an_agent_sees_their_own_promises_and_no_way_into_the_audit(
    admin: httpx.AsyncClient, visit: Visit, desk: Desk
) -> None:
    case = await registered(admin)
    answer = await admin.post(f"{case}/promises", json=PROMISE)
    await desk.feed.reached(answer.json()["position"], 5)
    ada, sam = await visit(Role.AGENT, "ada"), await visit(Role.SUPERVISOR, "sam")
    assert "News by tomorrow" in read(await sam.get("/desk"))
    page = await ada.get("/desk")
    assert "News by tomorrow" not in read(page)
    assert "Your promises" in read(page)
    assert not [attrs for tag, attrs in parsed(page).tags if "/audit" in (attrs.get("href") or "")]


async def test_a_part_of_the_page_sends_the_whole_to_sign_in_again(
    stranger: httpx.AsyncClient,
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://desk/desk"}
    answer = await stranger.get("/desk/board", headers=headers)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/sign-in?next=/desk")


class Listening:
    """One that listens to the stream, below HTTP: httpx would wait for its end."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient) -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        self.scope: Any = {
            "type": "http",
            "method": "GET",
            "path": "/desk/stream",
            "raw_path": b"/desk/stream",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "headers": [(b"host", b"desk"), (b"cookie", cookie.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("desk", 80),
            "state": {},
            "extensions": {},
        }
        self.app = app
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.left = asyncio.Event()

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def __aenter__(self) -> "Listening":
        self.task = asyncio.create_task(self.app(self.scope, self.receive, self.sent.put))
        start = await self.next()
        assert start["status"] == 200, start
        assert (b"content-type", b"text/event-stream") in start["headers"]
        return self

    async def next(self) -> Any:
        return await asyncio.wait_for(self.sent.get(), SECONDS_MAX)

    async def __aexit__(self, *_: object) -> None:
        self.left.set()
        await asyncio.wait_for(self.task, SECONDS_MAX)


async def test_a_board_is_told_at_most_once_a_second_that_something_changed(
    app: Litestar, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    register = RegisterCase(channel="phone", customer=Complainant(ref="c-1"), reason="Late")
    now = asyncio.get_running_loop().time
    async with Listening(app, auditor) as listening:
        assert (await listening.next())["body"].startswith(b"retry: ")
        began = now()
        for n in range(5):
            await desk.core.execute(Case, SAM_CASES[n], register, by=SAM)
        first = await listening.next()
        assert first["body"].startswith(b"event: changed\n")
        head = await desk.recorder.head()
        while not first["body"].endswith(b"data: %d\n\n" % head):
            first = await listening.next()
            assert now() - began >= 0.9
        assert desk.feed.position == head


async def test_who_listens_is_let_go_when_their_session_is_over_and_when_casecore_stops(
    app: Litestar, auditor: httpx.AsyncClient, desks: Desks, desk: Desk
) -> None:
    async with Listening(app, auditor) as listening:
        await listening.next()
        desks.drain()
        assert (await listening.next())["more_body"] is False
    answer = await auditor.get("/desk/stream")
    assert "asecore is stopping" in read(answer, 503)
    await desks.pool.execute("UPDATE sys.session SET expires_at = now()")
    assert (await auditor.get("/desk/stream")).status_code == 303


@pytest.mark.parametrize("path", ["/desk", "/desk/board", "/desk/stream", "/audit"])
async def test_head_gets_the_headers_alone(auditor: httpx.AsyncClient, path: str) -> None:
    answer = await auditor.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
