"""GET /v1/exports/{format}: the ledger as a file, sent as it is made."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from uuid import UUID

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPResponseStartEvent, HTTPScope, Receive, Send

from api import given
from api.exports import running
from api.exports.running import FORMATS
from api.exports.selecting import Progress, Selection, position_of
from api.given import AnyRequest, Door
from api.looking import noted
from api.reading import READ, Position
from casecore.actors import Role
from casecore.asking import Instant, Short
from casecore.case.events.intake import Channel
from casecore.errors import NotFound, Unavailable

EXPORTS = "/v1/exports/{format}"
MAY_EXPORT = frozenset({Role.AUDITOR, Role.ADMIN})
"""Those who may read everything of everyone."""
ON_DISK_MAX = 2
"""How many exports that need the disk may be made at a time."""


class ExportAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at_position: Position | None = None
    """As the ledger was when it had come to this position."""
    as_of: Instant | None = None
    """As it was known at this time."""
    case_id: UUID | None = None
    product: Short | None = None
    channel: Channel | None = None
    received_from: Instant | None = None
    received_before: Instant | None = None
    gzip: bool = False

    @property
    def selection(self) -> Selection:
        return Selection(
            at_position=self.at_position,
            as_of=self.as_of,
            case_ids=frozenset({self.case_id} if self.case_id else ()),
            product=self.product,
            channel=self.channel,
            received_from=self.received_from,
            received_before=self.received_before,
        )


class Streamed:
    """An answer that is sent while it is made, and not made on for whoever has left.

    What is wrong before the first of it is there is told as a problem; after that, all that is
    left is to break off.
    """

    def __init__(self, chunks: AsyncGenerator[bytes], headers: list[tuple[bytes, bytes]]) -> None:
        self.chunks = chunks
        self.headers = headers

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": 200,
            "headers": self.headers,
        }
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        left = asyncio.create_task(leaving(receive))
        try:
            async with aclosing(self.chunks):
                chunk = await self.next_chunk(left)
                if chunk is not None:
                    await send(start)
                while chunk is not None and not left.done():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    chunk = await self.next_chunk(left)
        finally:
            left.cancel()
        if not left.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def next_chunk(self, left: asyncio.Task[None]) -> bytes | None:
        making = asyncio.ensure_future(anext(self.chunks, None))
        try:
            await asyncio.wait({making, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not making.done():
                making.cancel()
                await asyncio.wait({making})
        return None if making.cancelled() else making.result()


async def leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Exporters:
    """How many exports are being made, of those that take more than a stream."""

    def __init__(self) -> None:
        self.on_disk = 0

    @contextmanager
    def room(self) -> Iterator[None]:
        if self.on_disk >= ON_DISK_MAX:
            raise Unavailable(
                "exports-busy",
                f"{ON_DISK_MAX} exports that need the disk are being made: ask again when one is"
                " done, or take a format that needs none (xes, csv, cloudevents)",
            )
        self.on_disk += 1
        try:
            yield
        finally:
            self.on_disk -= 1

    async def in_room(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        with self.room():
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk


def exports(door: Door) -> HTTPRouteHandler:
    exporters = Exporters()

    async def export(request: AnyRequest) -> Streamed:
        caller = await door.caller(request)
        given.refuse_others(caller.actor, MAY_EXPORT)
        format = FORMATS.get(request.path_params["format"])
        if format is None:
            raise NotFound("format-not-found", f"there is {', '.join(FORMATS)}; choose one")
        asked = given.query(request, ExportAsked)
        recorder = caller.desk.recorder
        upto = await position_of(recorder, asked.selection)
        await noted(caller, request, "export", asked)
        chunks = format.stream(recorder, asked.selection, upto, Progress())
        if format.needs_disk:
            chunks = exporters.in_room(chunks)
        if asked.gzip:
            chunks = running.gzipped(chunks)
        name = running.file_name(recorder.ledger, format, upto, gzip=asked.gzip)
        media_type = "application/gzip" if asked.gzip else format.media_type
        return Streamed(
            chunks,
            [
                (b"content-type", media_type.encode()),
                (b"content-disposition", f'attachment; filename="{name}"'.encode()),
                (b"as-of-position", b"%d" % upto),
            ],
        )

    return route(EXPORTS.replace("}", ":str}"), http_method=READ)(export)
