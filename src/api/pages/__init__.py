"""Pages for people: the auditor's desk at /audit, the wallboard at /desk, and the way in."""

from collections.abc import Iterable

from litestar import Router, route
from litestar.datastructures import CacheControlHeader
from litestar.enums import HttpMethod
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.static_files import create_static_files_router

from api.answers import Answer
from api.errors import missing
from api.given import Door
from api.pages.auditing import audits
from api.pages.rendering import STATIC
from api.pages.signing_in import HOMES, signs_in
from api.pages.taking_away import sends_files
from api.pages.trouble import HANDLERS, trouble
from api.pages.wallboard import shows_desk

KEPT = CacheControlHeader(max_age=31_536_000, immutable=True)
NO_FILE = (ValueError, InternalServerException)
"""What the framework makes of a name that no file can have."""


def pages(door: Door) -> list[Router]:
    shown = [*signs_in(door), *audits(door), *sends_files(door), *shows_desk(door)]
    files = create_static_files_router(
        "/pages",
        [STATIC],
        name="pages",
        cache_control=KEPT,
        exception_handlers=dict.fromkeys(NO_FILE, missing),
    )
    handlers = [*shown, *refusals(shown), nowhere()]
    return [Router("/", route_handlers=handlers, exception_handlers=HANDLERS), files]


def refusals(shown: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """A page for every method that a page does not take, where the framework has a document."""
    taken: dict[str, set[str]] = {}
    for handler in shown:
        for path in handler.paths:
            taken.setdefault(path, set()).update(handler.http_methods)
    return [refuses(path, methods) for path, methods in taken.items()]


def refuses(path: str, taken: set[str]) -> HTTPRouteHandler:
    allow = ", ".join(sorted(taken))

    others = [method for method in HttpMethod if method not in {*taken, HttpMethod.OPTIONS}]

    @route(path, http_method=others, status_code=405)
    async def refuse() -> Answer:
        return trouble(405, f"It takes {allow}.", [(b"allow", allow.encode())])

    return refuse


def nowhere() -> HTTPRouteHandler:
    @route(
        [f"{home}/{{rest:path}}" for home, _ in HOMES], http_method=[*HttpMethod], status_code=404
    )
    async def miss() -> Answer:
        return trouble(404, "No page has this address. Check it, or begin at the start.")

    return miss
