"""Requests over HTTP: commands, and the reading of a long case."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Self
from uuid import UUID

import httpx
import msgspec

from api import keys
from benchmarks import doors
from benchmarks.doors import Server
from benchmarks.ledgers import (
    EVENTS_PER_CASE,
    LEDGER,
    MAILBOX,
    SUPERVISOR,
    Bench,
    fill,
    long_case,
)
from benchmarks.load import SERIAL, Outcome, Plan
from benchmarks.measuring import Compared, Target, in_turns
from benchmarks.peers import keep_as_many_in_stock

CONNECTIONS = 32
CASES = 640
"""New ones each round, or commands would soon be on cases of far more than twenty events."""
STOCK_CASES = 192
REQUESTS_MAX = 100_000
"""In a round; their serial numbers make their idempotency keys."""
LONG_CASE_EVENTS = 300
CATCH_UP_SECONDS_MAX = 300.0
TURNS = 3
"""How many in each round, to tell what little a note costs."""

BODY = msgspec.json.encode(
    {"text": f"The depot was asked again, and will call back by noon. Request {SERIAL}."}
).decode()


class Doors:
    """Our server and the peers', and the load they are put under."""

    def __init__(
        self, bench: Bench, ours: Server, peer: Server, key: str, service_key: str
    ) -> None:
        self.bench = bench
        self.ours = ours
        self.peer = peer
        self.authorization = {"Authorization": f"Bearer {key}"}
        self.as_service = {"Authorization": f"Bearer {service_key}"}
        """Of what services read no note is taken."""
        self.first = 0
        self.first_touches: list[float] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, bench: Bench) -> AsyncIterator[Self]:
        pool = bench.desks.pool
        _, key = await keys.create(pool, LEDGER, SUPERVISOR.id, SUPERVISOR.role, "benchmark")
        _, other = await keys.create(pool, LEDGER, MAILBOX.id, MAILBOX.role, "benchmark")
        async with (
            doors.casecore(bench.url, bench.folder) as ours,
            doors.peer(bench.url) as peer,
        ):
            yield cls(bench, ours, peer, key, other)

    async def commands(self) -> float:
        """Commands a second on cases of twenty events, each of which had one command before."""
        ids = await fill(self.bench.desk, CASES * EVENTS_PER_CASE)
        await self.caught_up()
        paths = [f"/v1/cases/{case_id}/progress-updates" for case_id in ids]
        first = await self.ask(self.ours, paths, once=True)
        self.first_touches.append(rate(first))
        return rate(await self.ask(self.ours, paths))

    async def stock_commands(self) -> float:
        async with httpx.AsyncClient(timeout=60) as client:
            made = await client.post(
                f"http://127.0.0.1:{self.peer.port}/stock", params={"cases": STOCK_CASES}
            )
        ids = msgspec.json.decode(made.raise_for_status().content, type=list[UUID])
        return rate(await self.ask(self.peer, [f"/stock/{case_id}" for case_id in ids]))

    async def echoes(self) -> float:
        return rate(await self.ask(self.peer, ["/echo"]))

    async def ask(self, server: Server, paths: list[str], *, once: bool = False) -> Outcome:
        self.first += REQUESTS_MAX
        return await server.load(
            Plan(
                port=server.port,
                method="POST",
                paths=paths,
                headers=self.authorization
                | {"Content-Type": "application/json", "Idempotency-Key": f"bench-{SERIAL}"},
                body=BODY,
                connections=CONNECTIONS,
                seconds=self.bench.pace.seconds,
                first=self.first,
                once=once,
            )
        )

    async def get(
        self,
        server: Server,
        path: str,
        connections: int,
        authorization: dict[str, str] | None = None,
    ) -> Outcome:
        return await server.load(
            Plan(
                port=server.port,
                method="GET",
                paths=[path],
                headers=authorization or self.authorization,
                body="",
                connections=connections,
                seconds=self.bench.pace.seconds,
            )
        )

    async def caught_up(self) -> None:
        """Until our server's read models are at the ledger's head, and no longer at work."""
        head = await self.bench.desk.recorder.head()
        url = f"http://127.0.0.1:{self.ours.port}/v1/cases"
        params = {"limit": 1, "min_position": head}
        async with httpx.AsyncClient(headers=self.authorization) as client:
            async with asyncio.timeout(CATCH_UP_SECONDS_MAX):
                while (answer := await client.get(url, params=params)).status_code == 503:
                    pass
        answer.raise_for_status()


def rate(outcome: Outcome) -> float:
    return outcome.answered / outcome.seconds


async def commands(bench: Bench) -> list[Compared]:
    events = await bench.events()
    async with Doors.open(bench) as doors:
        await keep_as_many_in_stock(bench.url, "public.complaints_events")
        figures = await in_turns(
            bench.pace.rounds,
            ours=doors.commands,
            echo=doors.echoes,
            stock=doors.stock_commands,
        )
    what = f"HTTP command, case of {EVENTS_PER_CASE} events, {CONNECTIONS} connections"
    echo = "Litestar route that decodes and answers the same body"
    return [
        Compared(
            what, events, "/s", figures["ours"], echo, figures["echo"], Target("at least", 0.4)
        ),
        Compared(
            what,
            events,
            "/s",
            figures["ours"],
            "stock eventsourcing Application behind the same route",
            figures["stock"],
            Target("at least", 8),
        ),
        Compared(
            f"{what}, the first on each (read from the ledger)",
            events,
            "/s",
            doors.first_touches,
            echo,
            figures["echo"],
        ),
    ]


async def reads(bench: Bench) -> list[Compared]:
    events = await bench.events()
    path = f"/v1/cases/{await long_case(bench.desk, LONG_CASE_EVENTS)}"
    async with Doors.open(bench) as doors:
        await doors.caught_up()
        await doors.get(doors.ours, path, 1)
        alone = await in_turns(
            bench.pace.rounds,
            ours=lambda: milliseconds(doors.get(doors.ours, path, 1)),
            empty=lambda: milliseconds(doors.get(doors.peer, "/empty", 1)),
        )
        together = await in_turns(
            bench.pace.rounds,
            ours=lambda: milliseconds(doors.get(doors.ours, path, CONNECTIONS)),
            empty=lambda: milliseconds(doors.get(doors.peer, "/empty", CONNECTIONS)),
        )
        noted = await in_turns(
            TURNS * bench.pace.rounds,
            noted=lambda: milliseconds(doors.get(doors.ours, path, CONNECTIONS)),
            unnoted=lambda: milliseconds(
                doors.get(doors.ours, path, CONNECTIONS, doors.as_service)
            ),
        )
    what = f"GET /v1/cases/{{id}}, {LONG_CASE_EVENTS} events, p50"
    target = Target("at most", 2)
    return [
        *(
            Compared(
                f"{what}, {connections}",
                events,
                "ms",
                figures["ours"],
                "an empty Litestar route",
                figures["empty"],
                target,
            )
            for connections, figures in (
                ("1 connection", alone),
                (f"{CONNECTIONS} connections", together),
            )
        ),
        Compared(
            f"{what}, {CONNECTIONS} connections, by a person, which is noted",
            events,
            "ms",
            noted["noted"],
            "the same by a service, which is not",
            noted["unnoted"],
        ),
    ]


async def milliseconds(load: Awaitable[Outcome]) -> float:
    return 1000 * (await load).p50
