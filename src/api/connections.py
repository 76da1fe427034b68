"""A connection, waited on for a while and not for ever: uvicorn itself has no such limit."""

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS_MAX = 30
"""From its first byte, or from connecting, until the last of its body is here."""
HEAD_MAX = 1 << 16
"""How many bytes of a request to take before its headers must be over."""


class Connection(HttpToolsProtocol):
    """Closes when a request does not get finished, whoever sends it."""

    until: float | None = None
    """When what is waited for must be here."""
    timer: TimerHandle | None = None
    """One for all the requests that come meanwhile: setting one for each costs them more."""
    in_head = True
    head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.await_request()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.until is None:  # It came right behind another, in what was received with that.
            self.await_request()
        # For an answer without end, whose reader may have stopped reading.
        self.scope["state"]["cut"] = self.transport.abort

    def data_received(self, data: bytes) -> None:
        if self.until is None:
            self.await_request()
        self.head_size += len(data)  # Before it is read: the end of a body begins the count anew.
        super().data_received(data)
        if self.in_head and self.head_size > HEAD_MAX and not self.transport.is_closing():
            self.send_400_response(f"The headers are larger than {HEAD_MAX} bytes.")

    def on_headers_complete(self) -> None:
        self.in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.in_head = True
        self.head_size = 0
        self.until = None
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        super().connection_lost(exc)

    def await_request(self) -> None:
        self.until = self.loop.time() + REQUEST_SECONDS_MAX
        if self.timer is None:
            self.timer = self.loop.call_at(self.until, self.look)

    def look(self) -> None:
        self.timer = None
        if self.until is None:
            return
        if self.loop.time() < self.until:
            self.timer = self.loop.call_at(self.until, self.look)
        else:
            self.transport.close()
