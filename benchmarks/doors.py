"""Servers in processes of their own, and the load that is put on them from another."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec

from benchmarks.load import Outcome, Plan

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 15.0


class Server(NamedTuple):
    port: int
    pid: int

    async def load(self, plan: Plan) -> Outcome:
        """Put this load on it; an answer that is not a success spoils the measurement."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.load"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate(msgspec.json.encode(plan))
        if process.returncode:
            raise RuntimeError(f"the load on {plan.paths[0]} broke off")
        outcome = msgspec.json.decode(told, type=Outcome)
        if outcome.refused:
            raise RuntimeError(f"{outcome.refused} times {plan.paths[0]}: {outcome.refusal}")
        return outcome


@asynccontextmanager
async def casecore(url: str, folder: Path) -> AsyncIterator[Server]:
    """As `make serve` runs it."""
    port = free_port()
    environment = {
        "CASECORE_DATABASE_URL": url,
        "CASECORE_DATA_DIR": str(folder),
        "PORT": str(port),
    }
    async with running("casecore", ["api", "serve"], environment, port, "/v1/health/ready") as pid:
        yield Server(port, pid)


@asynccontextmanager
async def peer(url: str) -> AsyncIterator[Server]:
    port = free_port()
    async with running("peer", ["benchmarks.peer_app", str(port), url], {}, port, "/empty") as pid:
        yield Server(port, pid)


@asynccontextmanager
async def running(
    name: str, module: list[str], environment: dict[str, str], port: int, ready: str
) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *module),
        env=os.environ | environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECONDS_MAX), httpx.AsyncClient() as client:
            while not await answers(client, f"http://127.0.0.1:{port}{ready}"):
                if process.returncode is not None:
                    raise RuntimeError(f"the {name} server ended with {process.returncode}")
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)


async def answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
