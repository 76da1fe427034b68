"""Serving until told to stop: the door opens when it is ready, and work under way is finished."""

import asyncio
import errno
import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from api.app import create_app
from api.connections import Connection
from api.desk import Desks
from casecore.errors import Unavailable

DRAIN_SECONDS_MAX = 10
BACKLOG = 2048
STOPS = (signal.SIGINT, signal.SIGTERM)
GARBAGE = 10_000, 20, 100
"""How many objects more make Python look for cycles, and how seldom it looks at older ones: what is
remembered of the cases is large and has none, and to look through it took a seventh of the time."""


class Server(uvicorn.Server):
    """Says when it listens, and is not ready any more from the moment it is told to stop."""

    def __init__(self, config: uvicorn.Config, desks: Desks, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self.desks = desks
        self.say = say

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            host, port, *_ = listener.getsockname()
            self.say(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.desks.closing = True
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise them again at the end, before the ledgers are closed."""
        loop = asyncio.get_running_loop()
        for stop in STOPS:
            loop.add_signal_handler(stop, self.handle_exit, stop, None)
        try:
            yield
        finally:
            for stop in STOPS:
                loop.remove_signal_handler(stop)


async def serve(desks: Desks, host: str, port: int, say: Callable[[str], None] = print) -> None:
    """Serve until SIGINT or SIGTERM; `say` is told the address once it answers there."""
    config = uvicorn.Config(
        create_app(desks),
        loop="none",
        http=Connection,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS_MAX,
    )
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    listener = listen(host, port)
    desks.stay()
    await Server(config, desks, say).serve([listener])


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "errno", None) or socket.EAI_NONAME
        # What the look-up of a name says is a number below 0.
        if why < 0 or why == errno.EADDRNOTAVAIL:
            told = f"{host}: it is no address of this machine; give one with CASECORE_HOST"
        else:
            told = f"{host} port {port} ({os.strerror(why)}): give another with PORT=…"
        raise Unavailable("address-unavailable", f"cannot listen on {told}") from error
