"""An answer that goes on for as long as its reader listens, as Server-Sent Events."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from litestar.types import HTTPScope, Receive, Send

from api.broadcasting import GRACE_SECONDS, Listener
from api.desk import Desks
from casecore.appender import UNKNOWN
from casecore.errors import Unavailable

LISTENERS_MAX = 2_000
"""How many may listen to one process."""
HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS = 2
"""How long a client waits before it connects again."""
SEND_SECONDS_MAX = 120.0
"""How long to wait for a client that takes nothing of what it is sent."""

STREAM_TYPE = "text/event-stream"
STREAM_HEADERS = (
    (b"content-type", STREAM_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # What stands before us is to pass on each event as it comes.
    (b"vary", b"accept"),
)

Cut = Callable[[], None]
"""Ends the connection of a client, whatever it has not taken yet."""


async def streamed(
    desks: Desks,
    scope: HTTPScope,
    receive: Receive,
    send: Send,
    headers: Iterable[tuple[bytes, bytes]],
    listening: Callable[[Cut], AbstractContextManager[Listener]],
    tell: Callable[[Listener, Send], Awaitable[None]],
) -> None:
    """Let `tell` send what there is to say until it is over, or the reader has gone."""
    start: Any = {"type": "http.response.start", "status": 200, "headers": [*headers]}
    if scope["method"] == "HEAD":
        await send(start)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    if desks.listeners >= LISTENERS_MAX:
        raise Unavailable(
            "feed-full", f"{LISTENERS_MAX} listen already, which is the most: try again later"
        )
    cut: Cut = scope["state"].get("cut", lambda: None)
    with listening(cut) as listener:
        await send(start)
        leaving = asyncio.create_task(left(receive, listener))
        try:
            await tell(listener, send)
            await write(send, b"", more=False)
        except UNKNOWN:  # It took nothing for too long, or the ledger cannot be read.
            cut()
            await asyncio.wait([leaving], timeout=GRACE_SECONDS)
        finally:
            leaving.cancel()


async def write(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(SEND_SECONDS_MAX):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def left(receive: Receive, listener: Listener) -> None:
    """Notice that the reader has gone."""
    message: Any = None
    while message is None or message["type"] != "http.disconnect":
        message = await receive()
    listener.end()
