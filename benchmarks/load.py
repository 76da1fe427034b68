"""Many clients of one HTTP server, in a process of their own: `python -m benchmarks.load`.

Reads a `Plan` from its input and writes the `Outcome`. It is ours, and small, because the machine
may have nothing but Python; it must cost less than the servers it drives.
"""

import asyncio
import sys
from itertools import count
from time import perf_counter
from typing import cast

import httptools
import msgspec
import uvloop

SERIAL = "%serial%"
"""Where a request says which one it is: always the same number of digits."""
PATIENCE_SECONDS = 30.0


class Plan(msgspec.Struct):
    port: int
    method: str
    paths: list[str]
    """Asked in turn."""
    headers: dict[str, str]
    body: str
    connections: int
    seconds: float
    first: int = 0
    """The serial number of the first request."""
    once: bool = False
    """Whether to ask for each path once, however long it takes."""


class Outcome(msgspec.Struct):
    answered: int
    seconds: float
    p50: float
    """In seconds, as p99."""
    p99: float
    refused: int
    """How many were answered with other than success."""
    refusal: str
    """One of those."""


class Requests:
    """The bytes of one request after another, until the time is up."""

    def __init__(self, plan: Plan) -> None:
        body = plan.body.replace(SERIAL, f"{0:08d}").encode()
        headers = plan.headers | {"Host": "127.0.0.1", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        # Formatted as bytes, once a request: what stands there must not be taken for a format.
        rest = f" HTTP/1.1\r\n{lines}\r\n{plan.body}".replace("%", "%%")
        rest = rest.replace(SERIAL.replace("%", "%%"), "%(serial)08d")
        self._format = f"{plan.method} %(path)b{rest}".encode()
        self._paths = [path.encode() for path in plan.paths]
        self._numbers = count(plan.first)
        self._left = len(plan.paths) if plan.once else sys.maxsize
        self._until = perf_counter() + (PATIENCE_SECONDS if plan.once else plan.seconds)

    def next(self) -> bytes | None:
        if not self._left or perf_counter() > self._until:
            return None
        self._left -= 1
        serial = next(self._numbers)
        path = self._paths[serial % len(self._paths)]
        return self._format % {b"path": path, b"serial": serial}


class Client(asyncio.Protocol):
    """One connection, which asks again as soon as it is answered."""

    transport: asyncio.Transport

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.answer = httptools.HttpResponseParser(self)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.took: list[float] = []
        self.refusals: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.ask()

    def ask(self) -> None:
        request = self.requests.next()
        if request is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self.text = b""
        self.asked = perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.answer.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.text += body

    def on_message_complete(self) -> None:
        self.took.append(perf_counter() - self.asked)
        status = self.answer.get_status_code()
        if not 200 <= status < 300:
            self.refusals.append(f"{status} {self.text.decode(errors='replace')}")
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))


async def drive(plan: Plan) -> Outcome:
    loop = asyncio.get_running_loop()
    requests = Requests(plan)
    began = perf_counter()
    made = [
        await loop.create_connection(lambda: Client(requests), "127.0.0.1", plan.port)
        for _ in range(plan.connections)
    ]
    clients = [client for _, client in made]
    async with asyncio.timeout(PATIENCE_SECONDS + plan.seconds):
        await asyncio.gather(*(client.done for client in clients))
    seconds = perf_counter() - began
    took = sorted(time for client in clients for time in client.took)
    refusals = [refusal for client in clients for refusal in client.refusals]
    return Outcome(
        answered=len(took),
        seconds=seconds,
        p50=took[len(took) // 2],
        p99=took[len(took) * 99 // 100],
        refused=len(refusals),
        refusal=next(iter(refusals), ""),
    )


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(asked))))
