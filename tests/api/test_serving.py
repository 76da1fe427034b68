"""The real server: it says where it is, answers there, and finishes what it began."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
import pytest

from api import connections, given, keys, serving
from api.desk import Desk, Desks
from api.serving import listen, serve
from casecore.actors import Role
from casecore.case.events.escalation import ComplaintEscalated
from casecore.clocks.calendar import Calendar, Weekly
from casecore.errors import Unavailable
from casecore.recording import event_of
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy
from casecore.sla.events import SLA_BOOK_ID
from casecore.sla.state import SlaBook
from tests.api.making import REGISTER
from tests.casecore.sla.given import policy, rule
from tests.spec import SYSTEM

STARTING_SECONDS_MAX = 20


async def started(desks: Desks) -> tuple[str, asyncio.Task[None]]:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(desks, "127.0.0.1", 0, say=address.set_result))
    return await asyncio.wait_for(address, STARTING_SECONDS_MAX), task


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_it_answers_where_it_says_until_it_is_told_to_stop(
    desks: Desks, told: signal.Signals
) -> None:
    _, key = await keys.create(desks.pool, "main", "root", Role.ADMIN, "")
    url, task = await started(desks)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        assert (await client.get("/v1/health/ready")).status_code == 200
        registered = await client.post("/v1/cases", json=REGISTER)
        assert registered.status_code == 201
        read = await client.get(registered.headers["Location"])
        assert read.json()["version"] == 1
    os.kill(os.getpid(), told)
    await asyncio.wait_for(task, STARTING_SECONDS_MAX)
    assert not await desks.ready()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/v1/health/live")


async def test_it_keeps_deadlines_while_it_serves(desks: Desks) -> None:
    desk = await desks.desk("main")
    calendar = Calendar("UTC", Weekly(mon=(("00:00", "24:00"),)))
    promises = policy(rule("promise"), calendar_id="always")
    await desk.core.execute(
        SlaBook,
        SLA_BOOK_ID,
        PublishCalendar(calendar_id="always", calendar=calendar),
        PublishSlaPolicy(policy_id="desk", policy=promises),
        by=SYSTEM,
    )
    _, key = await keys.create(desks.pool, "main", "root", Role.ADMIN, "")
    url, task = await started(desks)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        case = (await client.post("/v1/cases", json=REGISTER)).headers["Location"]
        promise = {"kind": "update", "text": "News at once", "within_seconds": 1}
        assert (await client.post(f"{case}/promises", json=promise)).status_code == 201
        case_id = UUID(case.rpartition("/")[2])
        async with asyncio.timeout(STARTING_SECONDS_MAX):
            while not (told := await escalated(desk, case_id)):  # noqa: ASYNC110, no event for it
                await asyncio.sleep(0.1)
    assert told == [("promise_at_risk", "p1")]
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, STARTING_SECONDS_MAX)


async def escalated(desk: Desk, case_id: UUID) -> list[tuple[str | None, str | None]]:
    events = [event_of(row) for row in await desk.recorder.history(case_id)]
    return [(e.trigger, e.promise_id) for e in events if isinstance(e, ComplaintEscalated)]


async def test_a_command_under_way_when_it_is_told_to_stop_is_answered(desks: Desks) -> None:
    _, key = await keys.create(desks.pool, "main", "root", Role.ADMIN, "")
    url, task = await started(desks)
    headers = {"Authorization": f"Bearer {key}"}
    desk = await desks.desk("main")
    storing, told_to_stop = asyncio.Event(), asyncio.Event()
    append = desk.appender.append

    async def slow(request):  # type: ignore[no-untyped-def]
        storing.set()
        await told_to_stop.wait()
        return await append(request)

    desk.appender.append = slow  # type: ignore[method-assign]
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        asked = asyncio.create_task(client.post("/v1/cases", json=REGISTER))
        await storing.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        while not desks.closing:  # noqa: ASYNC110, the server has no event for it
            await asyncio.sleep(0)
        told_to_stop.set()
        assert (await asked).status_code == 201
    await asyncio.wait_for(task, STARTING_SECONDS_MAX)


async def test_whoever_does_not_finish_a_request_is_cut_off(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS_MAX", 0.3)
    unkeyed = b"POST /v1/cases HTTP/1.1\r\nHost: desk\r\nContent-Length: 9\r\n\r\n{"
    async with raw(desks) as connect:
        for begun, answered in (
            (b"", b""),
            (b"GET /v1/health/live HTTP/1.1\r\nHo", b""),
            (unkeyed, b"HTTP/1.1 401"),
        ):
            reader, writer = await connect()
            writer.write(begun)
            dripping = asyncio.create_task(drip(writer))
            assert (await asyncio.wait_for(reader.read(), 5)).startswith(answered)
            await dripping
        reader, writer = await connect()
        for _ in range(2):
            writer.write(b"GET /v1/health/live HTTP/1.1\r\nHost: desk\r\n\r\n")
            assert b'"live"' in await reader.readuntil(b"}")
            await asyncio.sleep(0.4)
        writer.close()


async def test_nor_does_one_that_came_right_behind_another_wait_for_ever(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS_MAX", 0.3)
    begun = b"POST /sign-in HTTP/1.1\r\nHost: desk\r\nContent-Length: 9\r\n\r\n"
    async with raw(desks) as connect:
        reader, writer = await connect()
        writer.write(b"GET /v1/health/live HTTP/1.1\r\nHost: desk\r\n\r\n" + begun)
        assert b'"live"' in await asyncio.wait_for(reader.read(), 3)


async def test_a_body_that_does_not_come_is_answered_and_one_cut_short_is_not_logged(
    desks: Desks,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(given, "BODY_SECONDS_MAX", 0.3)
    monkeypatch.setattr(serving, "DRAIN_SECONDS_MAX", 0.1)
    _, key = await keys.create(desks.pool, "main", "root", Role.ADMIN, "")
    half = (
        b"POST /v1/cases HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: 9\r\n\r\n{" % key.encode()
    )
    async with raw(desks) as connect:
        reader, writer = await connect()
        writer.write(half)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer.lower()
        _, writer = await connect()
        writer.write(half)
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.sleep(0.1)
        monkeypatch.setattr(given, "BODY_SECONDS_MAX", 20)
        reader, writer = await connect()
        writer.write(half)
        last = asyncio.create_task(reader.read())
        await asyncio.sleep(0.1)
    assert (await last).startswith(b"HTTP/1.1 503")
    assert "Traceback" not in capsys.readouterr().err
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_large_body_is_not_taken_for_headers(desks: Desks) -> None:
    body = b'{"text": "' + b"a" * (2 * connections.HEAD_MAX) + b'"}'
    async with raw(desks) as connect:
        reader, writer = await connect()
        head = f"POST /v1/cases HTTP/1.1\r\nHost: desk\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 401")


async def test_headers_without_end_are_refused(desks: Desks) -> None:
    async with raw(desks) as connect:
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * (connections.HEAD_MAX + 1))
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400")


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@asynccontextmanager
async def raw(desks: Desks) -> AsyncIterator[Connect]:
    """Connections to a running server, to send half a request on."""
    url, task = await started(desks)
    address = httpx.URL(url)
    writers = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writers.append(writer)
        return reader, writer

    yield connect
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, STARTING_SECONDS_MAX)
    await asyncio.sleep(0.1)
    for writer in writers:
        writer.close()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Something now and then, never the end."""
    for _ in range(6):
        await asyncio.sleep(0.1)
        writer.write(b" ")
    writer.close()


def test_a_port_that_is_taken_is_told_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=str(port)):
            listen("127.0.0.1", port)
