"""Pages for people: the auditor's desk at /audit, the wallboard at /desk, and the way in."""

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import InternalServerException
from litestar.static_files import create_static_files_router

from api.errors import missing
from api.given import Door
from api.pages.auditing import audits
from api.pages.rendering import STATIC
from api.pages.signing_in import signs_in
from api.pages.taking_away import sends_files
from api.pages.trouble import HANDLERS
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
    return [Router("/", route_handlers=shown, exception_handlers=HANDLERS), files]
