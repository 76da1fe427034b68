"""The HTTP door: every route, and what they all stand on."""

from pathlib import Path

from litestar import Litestar, route
from litestar.datastructures import CacheControlHeader
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException, InternalServerException
from litestar.response import File
from litestar.static_files import create_static_files_router

from api.answers import JSON_TYPE, Answer
from api.asking import asks, converses, registers
from api.claiming import claims_next
from api.clocks import rebaselines, rescinds
from api.desk import Desks
from api.errors import HANDLERS, missing
from api.events import feeds
from api.exporting import exports
from api.given import Door
from api.health import tells_health
from api.metrics import shows_metrics
from api.openapi import document
from api.pages import pages
from api.pages.trouble import lost
from api.queries import QUERIES
from api.reading import READ, reads
from api.routes import CASES, TABLES
from api.slabook import publishes
from api.supposing import supposes
from api.traffic import Traffic

STATIC = Path(__file__).with_name("static")
CACHED = CacheControlHeader(max_age=3600)
ASKED_AND_COMMANDED = ["/v1/cases", "/v1/policies/goodwill"]
"""Paths that have both: of those, the framework's own answer to OPTIONS forgets one."""
NO_FILE = (ValueError, InternalServerException)
"""What the framework makes of a name that no file can have: with a NUL, too long, below a file."""


def create_app(desks: Desks) -> Litestar:
    door = Door(desks)
    traffic = Traffic()

    @route("/v1/openapi.json", http_method=READ)
    async def openapi() -> Answer:
        return Answer(document(), [JSON_TYPE])

    @route("/", http_method=READ)
    async def root() -> Answer:
        return Answer(b"", [(b"location", b"/docs")], 302)

    @route("/docs", http_method=READ, cache_control=CACHED)
    async def docs() -> File:
        # The framework's own page of a folder is none for HEAD.
        page = STATIC / "index.html"
        return File(page, filename=page.name, content_disposition_type="inline")

    @route(ASKED_AND_COMMANDED, http_method=HttpMethod.OPTIONS)
    async def options() -> Answer:
        return Answer(b"", [(b"allow", b"GET, HEAD, OPTIONS, POST")], 204)

    app = Litestar(
        route_handlers=[
            options,
            registers(door),
            *converses(door, CASES),
            *(asks(door, table, row) for table in TABLES for row in table.rows),
            claims_next(door),
            supposes(door),
            exports(door),
            *publishes(door),
            rebaselines(door),
            rescinds(door),
            feeds(door),
            *(reads(door, query) for query in QUERIES),
            *tells_health(desks),
            shows_metrics(door, traffic),
            openapi,
            root,
            docs,
            *pages(door),
            create_static_files_router(
                "/docs",
                [STATIC],
                name="docs",
                cache_control=CACHED,
                exception_handlers=dict.fromkeys(NO_FILE, missing),
            ),
        ],
        exception_handlers=HANDLERS | {HTTPException: lost},
        openapi_config=None,
        logging_config=None,
    )
    # Around the router, so that what finds no route is counted, too.
    app.asgi_handler = traffic.around(app.asgi_handler)
    return app
