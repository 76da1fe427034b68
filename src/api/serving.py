"""Serving, or only following, until told to stop; work under way is finished then."""

import asyncio
import errno
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from api.app import create_app
from api.connections import Connection
from api.desk import Desks
from api.garbage import look_seldom
from casecore.errors import Unavailable

DRAIN_SECONDS_MAX = 10
BACKLOG = 2048
FILES_MAX = 65_536
"""How many files and connections a process may have open, as far as the machine allows it."""
STOPS = (signal.SIGINT, signal.SIGTERM)


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
        self.desks.drain()
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
    open_more_files()
    listener = listen(host, port)
    settle_down(desks)
    await Server(config, desks, say).serve([listener])


async def work(desks: Desks, say: Callable[[str], None] = print) -> None:
    """Follow the ledgers and keep their deadlines, with no door, until SIGINT or SIGTERM."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for stop in STOPS:
        loop.add_signal_handler(stop, stopped.set)
    settle_down(desks)
    say("following; stop with Ctrl-C")
    await stopped.wait()


def settle_down(desks: Desks) -> None:
    """What a process does that stays."""
    look_seldom()
    desks.stay()


def open_more_files() -> None:
    """The usual 1,024 are for processes that nobody listens to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


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
