"""What goes wrong, as pages that say what to do."""

import logging
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from litestar import Response
from litestar.exceptions import HTTPException

from api import errors
from api.answers import Answer
from api.errors import RETRY_AFTER_SECONDS, STATUS, STATUS_OF_CODE
from api.given import AnyRequest
from api.pages.rendering import begun, page
from api.pages.signing_in import HOMES, SIGN_IN, SIGN_OUT, SignedOut, asking_to_sign_in
from casecore.appender import UNKNOWN
from casecore.errors import CaseError

WAYS_IN = (SIGN_IN, SIGN_OUT)
TITLES = {
    400: "This could not be read",
    403: "This page is not for you",
    404: "There is nothing here",
    405: "This page cannot be used like that",
    503: "Not just now",
}
SENTENCES = {404: "No page has this address. Check it, or begin at the start."}

logger = logging.getLogger(__name__)


def refused(_: AnyRequest, error: CaseError) -> Answer:
    status = STATUS_OF_CODE.get(error.code, STATUS[type(error)])
    return trouble(status, str(error))


def unreachable(request: AnyRequest, error: Exception) -> Answer:
    logger.warning("%s %s found no database: %r", request.method, request.url.path, error)
    return trouble(503, "The database cannot be reached. Try again shortly.")


def turned_away(request: AnyRequest, error: HTTPException) -> Answer:
    """What the framework refused: no such page, or the wrong method."""
    if error.status_code >= 500:
        return failed(request, error)
    if allow := (error.headers or {}).get("allow"):
        allow = ", ".join(sorted(allow.split(", ")))
        return trouble(405, f"It takes {allow}.", [(b"allow", allow.encode())])
    return trouble(error.status_code, SENTENCES.get(error.status_code, error.detail))


def failed(request: AnyRequest, error: Exception) -> Answer:
    reference = str(uuid4())
    logger.error("%s %s failed (%s)", request.method, request.url.path, reference, exc_info=error)
    return trouble(500, f"casecore failed here; its log says more under {reference}.")


def trouble(status: int, sentence: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    if status == 503:
        headers = [*headers, (b"retry-after", b"%d" % RETRY_AFTER_SECONDS)]
    title = TITLES.get(status, "This did not work")
    return page("trouble.html", status, headers, title=title, sentence=begun(sentence))


def answering(
    told: Callable[[AnyRequest, Any], Answer],
) -> Callable[[AnyRequest, Any], Response[bytes]]:
    """The same as the framework wants it."""

    def respond(request: AnyRequest, error: Any) -> Response[bytes]:
        answer = told(request, error)
        headers = {name.decode(): value.decode() for name, value in answer.headers}
        body = b"" if request.method == "HEAD" else answer.body
        return Response(body, status_code=answer.status, headers=headers)

    return respond


HANDLERS: Any = {
    Exception: answering(failed),
    **dict.fromkeys(UNKNOWN, answering(unreachable)),
    HTTPException: answering(turned_away),
    CaseError: answering(refused),
    SignedOut: answering(lambda request, _: asking_to_sign_in(request)),
}


def lost(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """What leads nowhere: below the pages it is told on a page, and elsewhere as ever."""
    path = request.url.path
    if path in WAYS_IN or any(path == home or path.startswith(f"{home}/") for home, _ in HOMES):
        return answering(turned_away)(request, error)
    return errors.turned_away(request, error)
