"""The live feed: what happened in a ledger, in its order; a page, or as it happens."""

import asyncio
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, NoReturn, cast
from urllib.parse import urlencode

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Send
from msgspec import Meta, Raw

from api import given
from api.answers import Answer, encode, json
from api.broadcasting import Listener, listed
from api.cloudevents import NAMESPACE, to_cloudevent
from api.desk import Desk, Desks
from api.given import AnyRequest, Door, header
from api.keys import hash_of
from api.looking import noted
from api.reading import READ, Position
from api.streaming import (
    HEARTBEAT_SECONDS,
    RETRY_SECONDS,
    STREAM_HEADERS,
    STREAM_TYPE,
    streamed,
    write,
)
from casecore.actors import Role
from casecore.errors import Malformed, Rejected
from casecore.following.feed import happens
from casecore.recording import EVENTS

PATH = "/v1/events"
READERS = frozenset({Role.AUDITOR, Role.SUPERVISOR, Role.ADMIN, Role.SERVICE})
"""The feed tells everything of everybody: it is no agent's, and names persons, so not BI's."""

LIMIT_MAX = 1_000
LIMIT = 100
PAGE_BYTES_MAX = 4 << 20
READ_MAX = 100
"""How many events are read at a time until a page is full."""
SCANNED_MAX = 50_000
"""How far a page searches the ledger for the types it is asked for."""
TYPES_MAX = 10_000

BATCH_TYPE = "application/cloudevents-batch+json"
PAGE_TYPES = frozenset({"application/json", "application/*", "*/*"})


class Feeding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where on, and what of it."""

    after: Position | None = None
    """The position after which to begin: the `next` of the page before. Without it a page begins
    with the first event, and a stream with what comes next."""
    types: Annotated[str, Meta(max_length=TYPES_MAX)] | None = None
    """Only events of these types, with commas between them."""
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] | None = None
    """How many at most; a stream ends after them."""


class EventPage(msgspec.Struct, frozen=True):
    items: list[Raw]
    next: int
    """To be given as `after` for what follows; at the end it is As-Of-Position."""


class Wanted(NamedTuple):
    """From where on, and what of it, once it is known to make sense."""

    after: int
    types: frozenset[str] | None
    limit: int | None


def feeds(door: Door) -> HTTPRouteHandler:
    @route(PATH, http_method=READ)
    async def get_events(request: AnyRequest) -> ASGIApp:
        caller = await door.caller(request)
        given.refuse_others(caller.actor, READERS)
        params = given.query(request, Feeding)
        types = None if params.types is None else types_of(params.types)
        after = last_event_id(request, params.after)
        head = await caller.desk.recorder.head()
        refuse_ahead(after, head)
        await noted(caller, request, "get_events", params)
        accepted = media_type(request)
        if accepted == STREAM_TYPE:
            wanted = Wanted(head if after is None else after, types, params.limit)
            answer: Any = Stream(door.desks, caller.desk, wanted, request)
        else:
            wanted = Wanted(after or 0, types, params.limit)
            answer = await page(caller.desk, wanted, head, batch=accepted == BATCH_TYPE)
        return cast(ASGIApp, answer)

    return get_events


async def page(desk: Desk, wanted: Wanted, head: int, *, batch: bool) -> Answer:
    position, types, limit = wanted.after, wanted.types, wanted.limit or LIMIT
    upto = head if types is None else min(head, position + SCANNED_MAX)
    lines: list[Raw] = []
    size = 0
    while position < upto and len(lines) < limit and size < PAGE_BYTES_MAX:
        some = min(READ_MAX, limit - len(lines))
        rows = await desk.recorder.read(position, limit=some, upto=upto, types=listed(types))
        told = [to_cloudevent(desk.ledger, row) for row in rows]
        lines += map(Raw, told)
        size += sum(map(len, told))
        position = rows[-1].position if len(rows) == some else upto
    headers = ((b"as-of-position", b"%d" % head), (b"vary", b"accept"))
    if not batch:
        return json(EventPage(lines, position), headers)
    link = f'<{path_of(wanted._replace(after=position))}>; rel="next"'.encode()
    content_type = (b"content-type", BATCH_TYPE.encode())
    return Answer(encode(lines), (content_type, (b"link", link), *headers))


def path_of(wanted: Wanted) -> str:
    asked: dict[str, object] = {"after": wanted.after}
    if wanted.types is not None:
        asked["types"] = ",".join(sorted(wanted.types))
    if wanted.limit is not None:
        asked["limit"] = wanted.limit
    return f"{PATH}?{urlencode(asked, safe=',')}"


def refuse_ahead(position: int | None, head: int) -> None:
    if position is not None and position > head:
        raise Rejected(
            "position-ahead",
            f"this ledger ends at position {head}, and you have come to {position}: it is another"
            " one, or was restored from before; begin anew",
            position=head,
        )


def types_of(given_types: str) -> frozenset[str]:
    names = [name.strip().removeprefix(NAMESPACE) for name in given_types.split(",")]
    for name in names:
        if name not in EVENTS:
            refuse_type(name)
    return frozenset(names)


def refuse_type(name: str) -> NoReturn:
    near = get_close_matches(name[:100], EVENTS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(EVENTS))}"
    raise Malformed(
        "schema-violation", f"types: no event is called {name[:100]!r}; {hint}", field="types"
    )


def media_type(request: AnyRequest) -> str | None:
    """What a stream or a batch is accepted as, unless plain JSON is preferred."""
    for media in (header(request, b"accept") or b"").split(b","):
        name = media.partition(b";")[0].strip().lower().decode("latin-1")
        if name in (STREAM_TYPE, BATCH_TYPE):
            return name
        if name in PAGE_TYPES:
            break
    return None


def last_event_id(request: AnyRequest, after: int | None) -> int | None:
    """Where a client that was cut off has come to; it repeats its first question with it."""
    last = header(request, b"last-event-id")
    if not last:
        return after
    try:
        return msgspec.convert(last.decode("ascii"), Position, strict=False)
    except ValueError:
        raise Malformed(
            "schema-violation",
            "Last-Event-ID is the id of the last event that came: a position",
            field="Last-Event-ID",
        ) from None


class Stream:
    """An answer that goes on for as long as its reader listens, as Server-Sent Events."""

    def __init__(self, desks: Desks, desk: Desk, wanted: Wanted, request: AnyRequest) -> None:
        self.desks = desks
        self.broadcast = desk.broadcast
        self.wanted = wanted
        self.key_hash = hash_of(given.bearer(request))

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        after, types, _ = self.wanted
        await streamed(
            *(self.desks, scope, receive, send, STREAM_HEADERS),
            lambda cut: self.broadcast.listener(after, types, self.key_hash, cut),
            self.tell,
        )

    async def tell(self, listener: Listener, send: Send) -> None:
        """Send what it wants to hear, and a sign of life when there is nothing.

        That carries the place that was come to, so nobody has to search the same again.
        """
        now = asyncio.get_running_loop().time
        await write(send, b"retry: %d\nid: %d\n\n" % (1000 * RETRY_SECONDS, listener.position))
        sent_at = now()
        remaining = self.wanted.limit
        while not listener.over and remaining != 0:
            listener.woken.clear()
            frames = await self.broadcast.news(listener, remaining or LIMIT_MAX)
            if frames:
                await write(send, b"".join([frame.sent for frame in frames]))
                sent_at = now()
                if remaining is not None:
                    remaining -= len(frames)
            elif (quiet := now() - sent_at) >= HEARTBEAT_SECONDS:
                await write(send, b": heartbeat\nid: %d\n\n" % listener.position)
                sent_at = now()
            elif listener.position >= self.broadcast.position:
                await happens(listener.woken, HEARTBEAT_SECONDS - quiet)
