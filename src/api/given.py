"""What a request brings beside its body: who asks, under which key, at which version."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import Request

from api.bodies import BODY_MAX, converted, parsed
from api.desk import Desk, Desks
from api.keys import Keys
from casecore.actors import Actor, Role
from casecore.core import Key
from casecore.errors import Conflict, Forbidden, Malformed, Unauthenticated, Unavailable

IDEMPOTENCY_KEY_MAX = 255
QUERY_FIELDS_MAX = 20
BODY_SECONDS_MAX = 20

HEADERS = "casecore_headers"
"""Where a request keeps them by name, once one was asked for."""

JSON = re.compile(rb"^application/([\w.-]+\+)?json\s*(;|$)", re.IGNORECASE)
TAG = re.compile(rb'^(?:W/)?"([0-9]{1,18})"$')
BEARER = re.compile(rb"^Bearer +(\S+)$", re.IGNORECASE)

AnyRequest = Request[Any, Any, Any]
Q = TypeVar("Q")


class Caller(NamedTuple):
    desk: Desk
    actor: Actor


class Door:
    """What every route stands on: the ledgers, the keys to them, and what is being carried out."""

    def __init__(self, desks: Desks) -> None:
        self.desks = desks
        self.keys = Keys(desks.pool)
        self._in_flight: set[tuple[str, UUID]] = set()

    async def caller(self, request: AnyRequest) -> Caller:
        ledger, actor = await self.keys.holder(bearer(request))
        return Caller(await self.desks.desk(ledger), actor)

    async def asked(
        self, request: AnyRequest, who: frozenset[Role], of: type[Q]
    ) -> tuple[Caller, Q]:
        """Who asks, if it is for them, and their body as what this door turns into commands."""
        caller = await self.caller(request)
        refuse_others(caller.actor, who)
        return caller, converted(parsed(await body(request)), of)

    @contextmanager
    def carrying_out(self, ledger: str, key: Key | None) -> Iterator[None]:
        """Of requests with one key, one at a time; across processes the ledger sees to it."""
        if key is None:
            yield
            return
        token = (ledger, key.command_id)
        if token in self._in_flight:
            raise Conflict(
                "command-in-progress",
                "a request with this Idempotency-Key is being carried out: ask again in a moment",
            )
        self._in_flight.add(token)
        try:
            yield
        finally:
            self._in_flight.discard(token)


def bearer(request: AnyRequest) -> bytes:
    """The API key."""
    sent = BEARER.match(header(request, b"authorization") or b"")
    if sent is None:
        raise Unauthenticated(
            "unauthenticated", "send the header Authorization: Bearer followed by an API key"
        )
    return sent[1]


def refuse_others(actor: Actor, who: frozenset[Role]) -> None:
    """Refuse whoever this is not for."""
    if actor.role not in who:
        roles = ", ".join(sorted(who - {Role.SYSTEM}))
        raise Forbidden("role-forbidden", f"this is for {roles}; this key's role is {actor.role}")


async def body(request: AnyRequest) -> bytes:
    try:
        raw = await received(request)
    except TimeoutError:
        raise Malformed(
            "request-timeout", f"the body must be here within {BODY_SECONDS_MAX} seconds"
        ) from None
    except asyncio.CancelledError:
        # Only the server does this, when it has waited long enough to stop.
        raise Unavailable("not-ready", "casecore is stopping: send it again shortly") from None
    media_type = header(request, b"content-type")
    if media_type is not None and raw and not JSON.match(media_type):
        raise Malformed("unsupported-media-type", "send the body as application/json")
    return raw


async def received(request: AnyRequest) -> bytes:
    """The body, which the framework would read as well, at the price of a small command."""
    refuse_large(int(header(request, b"content-length") or 0))
    raw, more = part(await request.receive())
    if not more:
        return raw
    whole = bytearray(raw)
    async with asyncio.timeout(BODY_SECONDS_MAX):
        while more:
            following, more = part(await request.receive())
            whole += following
            refuse_large(len(whole))
    return bytes(whole)


def part(message: Any) -> tuple[bytes, bool]:
    """What has come of the body, and whether there is more of it."""
    if message["type"] == "http.disconnect":
        # Nobody is left to read this.
        raise Malformed("malformed-request", "the connection ended before the body")
    return message["body"], message["more_body"]


def refuse_large(size: int) -> None:
    if size > BODY_MAX:
        raise Malformed(
            "body-too-large",
            f"a body may have {BODY_MAX >> 20} MiB at most; send long work in several commands",
        )


def query(request: AnyRequest, of: type[Q]) -> Q:
    """The query string as a struct: what it does not know is refused, not ignored."""
    raw: bytes = request.scope["query_string"]
    struct: Q = asked(raw, of) if raw else asked_nothing(of)  # type: ignore[arg-type]
    return struct


@cache
def asked_nothing(of: Any) -> Any:
    return converted({}, of)


def asked(raw: bytes, of: type[Q]) -> Q:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_FIELDS_MAX,
        )
    except UnicodeDecodeError:
        raise Malformed("invalid-utf-8", "the query string must be percent-encoded UTF-8") from None
    except ValueError:
        raise Malformed(
            "schema-violation", f"a query may have {QUERY_FIELDS_MAX} fields at most"
        ) from None
    fields = dict(pairs)
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise Malformed("nul-character", "the query string has a NUL character (%00)")
    if len(fields) < len(pairs):
        raise Malformed("repeated-name", "the query string gives the same field twice")
    struct = converted(fields, of, strict=False)
    names: Any = of
    attributes = dict(zip(names.__struct_encode_fields__, names.__struct_fields__, strict=True))
    for name, text in fields.items():
        value = getattr(struct, attributes[name])
        # Lenient conversion takes the word null for nothing, and a number for a time.
        if value is None or (isinstance(value, datetime) and ":" not in text):
            raise Malformed("schema-violation", f"{name}: this is not {text}", field=name)
    return struct


def expected(request: AnyRequest) -> int | None:
    """The version the caller last saw, if they say: If-Match carries our ETag back."""
    tag = header(request, b"if-match")
    if tag is None or tag == b"*":
        return None
    version = TAG.match(tag)
    if version is None:
        raise Malformed(
            "schema-violation",
            'If-Match takes one version in quotes, as the ETag gave it: "7"',
            field="If-Match",
        )
    return int(version[1])


def idempotency_key(
    request: AnyRequest, by: Actor, stream_id: UUID | None, commands: Sequence[Any]
) -> Key | None:
    name = header(request, b"idempotency-key")
    if name is None:
        return None
    if (
        not 0 < len(name) <= IDEMPOTENCY_KEY_MAX
        or not name.isascii()
        or not name.decode().isprintable()
    ):
        raise Malformed(
            "schema-violation",
            f"an Idempotency-Key is 1 to {IDEMPOTENCY_KEY_MAX} printable ASCII characters",
            field="Idempotency-Key",
        )
    return Key.of(by, name.decode(), stream_id, commands)


def header(request: AnyRequest, name: bytes) -> bytes | None:
    """The first of this name: by what is asked for most often, they are put in order once."""
    state = request.scope["state"]
    if (headers := state.get(HEADERS)) is None:
        headers = state[HEADERS] = dict(reversed(list(request.scope["headers"])))
    value: bytes | None = headers.get(name)
    return value
