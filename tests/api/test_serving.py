"""The real server: it says where it is, answers there, and finishes what it began."""

import asyncio
import os
import signal
import socket

import httpx
import pytest

from api import keys
from api.desk import Desks
from api.serving import listen, serve
from casecore.actors import Role
from casecore.errors import Unavailable
from tests.api.making import REGISTER

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


def test_a_port_that_is_taken_is_told_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=str(port)):
            listen("127.0.0.1", port)
