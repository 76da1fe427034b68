"""Signing in to the pages with an API key, and what stands guard before them."""

import time
from collections import OrderedDict, deque
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID

from litestar import post, route
from litestar.handlers import HTTPRouteHandler

from api import given
from api.answers import Answer
from api.given import AnyRequest, Caller, Door, header, received
from api.pages import sessions
from api.pages.rendering import page
from api.pages.sessions import Session
from api.reading import READ
from casecore.actors import Role
from casecore.errors import Forbidden, Malformed, NotFound, Unauthenticated

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
COOKIE = "casecore_session"
FORM_MAX = 4_096
KEY_MAX = 200
FIELDS_MAX = 10

FAILURES_MAX = 10
FAILURE_SECONDS = 60.0
"""How many wrong keys from one address, within how long, before it has to wait."""
ADDRESSES_MAX = 10_000

AUDITING = frozenset({Role.AUDITOR, Role.ADMIN, Role.SUPERVISOR})
DESKING = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR})
HOMES = (("/audit", AUDITING), ("/desk", DESKING))
"""The pages, and whom they are for."""


class SignedOut(Exception):
    """Nobody is signed in: the sign-in page leads back to where they wanted to go."""


class Visitor(NamedTuple):
    """Who looks at a page."""

    caller: Caller
    session: Session


class OfCase(NamedTuple):
    """What the note of a read says it was about."""

    case_id: UUID | None


class Failures:
    """Wrong keys, by the address they came from."""

    def __init__(self) -> None:
        self._at: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """How long this address has to wait; 0 when it may try."""
        at = self._at.get(address)
        if at is None or len(at) < FAILURES_MAX:
            return 0
        return max(0, -int(-(at[0] + FAILURE_SECONDS - time.monotonic()) // 1))

    def add(self, address: str) -> None:
        at = self._at.setdefault(address, deque(maxlen=FAILURES_MAX))
        at.append(time.monotonic())
        self._at.move_to_end(address)
        if len(self._at) > ADDRESSES_MAX:
            self._at.popitem(last=False)


async def visitor(door: Door, request: AnyRequest, who: frozenset[Role]) -> Visitor:
    """Who asks for this page, if it is for them."""
    id = session_id(request)
    session = await sessions.current(door.desks.pool, id) if id else None
    if session is None:
        raise SignedOut
    ledger, actor = session.holder
    given.refuse_others(actor, who)
    return Visitor(Caller(await door.desks.desk(ledger), actor), session)


def id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("case-not-found", "there is no such case here: check the id") from None


def signs_in(door: Door) -> list[HTTPRouteHandler]:
    failures = Failures()

    @route(SIGN_IN, http_method=READ)
    async def ask(request: AnyRequest) -> Answer:
        return page(
            "sign_in.html", told=None, next=inside(dict(request.query_params).get("next", ""))
        )

    @post(SIGN_IN)
    async def sign_in(request: AnyRequest) -> Answer:
        refuse_foreign(request)
        form = await fields(request)
        target = inside(form.get("next", ""))
        address = request.client.host if request.client else ""
        if wait := failures.wait_seconds(address):
            told = f"Too many wrong keys came from here. Try again in {wait} seconds."
            retry = (b"retry-after", b"%d" % wait)
            return page("sign_in.html", 429, [retry], next=target, told=told)
        key = form.get("key", "").strip()[:KEY_MAX].encode()
        try:
            holder = await door.keys.holder(key)
        except Unauthenticated:
            failures.add(address)
            told = "This key is unknown here, or was revoked. Check that all of it was copied."
            return page("sign_in.html", 401, next=target, told=told)
        home = target or home_of(holder.actor.role)
        if home is None:
            told = (
                f"There are no pages for a key of the role {holder.actor.role}; the API takes it."
            )
            return page("sign_in.html", 403, next=target, told=told)
        id = await sessions.begin(door.desks.pool, key)
        return leads_to(home, cookie(request, id, sessions.SESSION_SECONDS))

    @post(SIGN_OUT)
    async def sign_out(request: AnyRequest) -> Answer:
        refuse_foreign(request)
        if id := session_id(request):
            await sessions.end(door.desks.pool, id)
        return leads_to(SIGN_IN, cookie(request, "", 0))

    return [ask, sign_in, sign_out]


def leads_to(path: str, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(
        b"", [(b"location", path.encode()), (b"cache-control", b"no-store"), *headers], 303
    )


def home_of(role: Role) -> str | None:
    return next((path for path, who in HOMES if role in who), None)


def asking_to_sign_in(request: AnyRequest) -> Answer:
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if header(request, b"hx-request"):  # For a part of the page: it is the page that must go.
        there = quote(urlsplit((header(request, b"hx-current-url") or b"").decode("latin-1")).path)
        return Answer(b"", [(b"hx-redirect", f"{SIGN_IN}?next={there}".encode())], 204)
    return leads_to(f"{SIGN_IN}?next={quote(asked, safe='/')}")


def inside(path: str) -> str:
    """The path, if it is one of our pages: a link may lead nowhere else."""
    parts = urlsplit(path)
    ours = any(parts.path == home or parts.path.startswith(f"{home}/") for home, _ in HOMES)
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if ours and plain and not parts.scheme and not parts.netloc else ""


def session_id(request: AnyRequest) -> str | None:
    try:
        cookies = SimpleCookie((header(request, b"cookie") or b"").decode("latin-1"))
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None


def cookie(request: AnyRequest, value: str, seconds: int) -> tuple[bytes, bytes]:
    """Not for scripts, nor for requests that another site has a browser make."""
    secure = "; Secure" if is_encrypted(request) else ""
    kept = f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", kept.encode()


def is_encrypted(request: AnyRequest) -> bool:
    """Also when something before us speaks TLS, and says so."""
    return "https" in (request.url.scheme, (header(request, b"x-forwarded-proto") or b"").decode())


def refuse_foreign(request: AnyRequest) -> None:
    """Refuse a form that another site sent. Browsers say where one comes from."""
    if header(request, b"sec-fetch-site") == b"same-origin":
        return
    origin = urlsplit((header(request, b"origin") or b"").decode("latin-1"))
    host = (header(request, b"host") or b"").decode("latin-1")
    if not origin.netloc or origin.netloc != host:
        raise Forbidden(
            "other-origin",
            "this form did not come from the page it belongs to: open the sign-in page and try"
            " again (a proxy before casecore must pass on the headers Host and Origin)",
        )


async def fields(request: AnyRequest) -> dict[str, str]:
    """What a form was filled in with."""
    raw = await received(request)
    if len(raw) > FORM_MAX:
        raise Malformed("body-too-large", "this is more than the form can hold: paste the key only")
    try:
        return dict(parse_qsl(raw.decode(), errors="strict", max_num_fields=FIELDS_MAX))
    except ValueError:
        raise Malformed("malformed-request", "the form could not be read: send it again") from None
