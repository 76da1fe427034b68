"""The live feed: what a thousand who listen cost, and how soon the last of them has heard."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from api import keys
from api.serving import open_more_files
from benchmarks import doors
from benchmarks.doors import Server
from benchmarks.ledgers import LEDGER, SUPERVISOR, Bench
from benchmarks.load import SERIAL, Plan
from benchmarks.measuring import Compared, Target, in_turns
from casecore.case.decisions.intake import Complainant, RegisterCase
from casecore.case.state import Case

LISTENERS = 1_000
AT_ONCE = 50
WARMED = 20
MB_MAX = Target("at most", 200.0)
HEARD_SECONDS_MAX = 30.0
READ_BYTES = 4 << 10
"""How much of a stream each keeps: they are the clients' memory, and not measured."""

REGISTER = RegisterCase(channel="phone", customer=Complainant(ref="cust-42"), reason="Late again")
BODY = '{"channel": "phone", "customer": {"ref": "cust-42"}, "reason": "Late again"}'
CONNECTIONS = 32

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def feed(bench: Bench) -> list[Compared]:
    open_more_files()
    events = await bench.events()
    pool = bench.desks.pool
    _, key = await keys.create(pool, LEDGER, SUPERVISOR.id, SUPERVISOR.role, "benchmark")
    async with doors.casecore(bench.url, bench.folder) as server:
        async with listening(server, key, WARMED) as streams:
            await heard_by_all(bench, streams)
        before = megabytes(server.pid)
        async with listening(server, key, LISTENERS) as streams:
            idle = megabytes(server.pid) - before
            took = [await heard_by_all(bench, streams) for _ in range(bench.pace.rounds)]
            told = megabytes(server.pid) - before
        beside = await in_turns(
            bench.pace.rounds,
            alone=partial(registrations, bench, server, key, 0),
            beside=partial(registrations, bench, server, key, LISTENERS),
        )
    who = f"{LISTENERS:,} who listen"
    return [
        Compared(f"{who}, memory while idle", events, "MB", [idle], target=MB_MAX),
        Compared(f"{who}, memory once all have heard", events, "MB", [told], target=MB_MAX),
        Compared(f"{who}, from a command to the last of them", events, "ms", took),
        Compared(
            f"cases registered beside {LISTENERS:,} who listen and do not read",
            events,
            "/s",
            beside["beside"],
            "the same with nobody listening",
            beside["alone"],
        ),
    ]


@asynccontextmanager
async def listening(server: Server, key: str, count: int) -> AsyncIterator[list[Stream]]:
    streams: list[Stream] = []
    try:
        while len(streams) < count:
            some = min(AT_ONCE, count - len(streams))
            streams += await asyncio.gather(*(connected(server, key) for _ in range(some)))
        yield streams
    finally:
        for _, writer in streams:
            writer.close()


async def connected(server: Server, key: str) -> Stream:
    """A stream that has said where it begins."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=READ_BYTES)
    writer.write(
        b"GET /v1/events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n"
        b"Authorization: Bearer %s\r\n\r\n" % key.encode()
    )
    async with asyncio.timeout(HEARD_SECONDS_MAX):
        await reader.readuntil(b"retry: ")
        await reader.readuntil(b"\n\n")
    return reader, writer


async def heard_by_all(bench: Bench, streams: list[Stream]) -> float:
    """Milliseconds from the beginning of a command until the last has heard of it."""
    began = perf_counter()
    await bench.desk.core.execute(Case, uuid4(), REGISTER, by=SUPERVISOR)
    async with asyncio.timeout(HEARD_SECONDS_MAX):
        await asyncio.gather(*(reader.readuntil(b"\ndata: ") for reader, _ in streams))
    return 1000 * (perf_counter() - began)


async def registrations(bench: Bench, server: Server, key: str, listeners: int) -> float:
    plan = Plan(
        port=server.port,
        method="POST",
        paths=["/v1/cases"],
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"{uuid4()}-{SERIAL}",
        },
        body=BODY,
        connections=CONNECTIONS,
        seconds=bench.pace.seconds,
        first=0,
        once=False,
    )
    async with listening(server, key, listeners):
        outcome = await server.load(plan)
    return outcome.answered / outcome.seconds


def megabytes(pid: int) -> float:
    """What the process has in memory."""
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) / 1000
