"""Failures, as RFC 9457 problem documents. Only this file knows status numbers."""

import logging
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from casecore.appender import UNKNOWN
from casecore.errors import (
    CaseError,
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    Rejected,
    Stale,
    Unauthenticated,
    Unavailable,
    Unreadable,
)

RETRY_AFTER_SECONDS = 1

STATUS: dict[type[CaseError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Rejected: 422,
    Unreadable: 500,
    Unavailable: 503,
}

UNSUPPORTED = "unsupported-media-type"
STATUS_OF_CODE = {"request-timeout": 408, "body-too-large": 413, UNSUPPORTED: 415}
"""What is malformed has 400, but for these."""

CODES = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
}
"""The code of a failure that the framework finds before we do."""

SENTENCES = {
    404: "nothing lives at this path; /docs lists what there is",
    405: "this path does not take that method; see the Allow header",
}

logger = logging.getLogger(__name__)


def problem(_: Request[Any, Any, Any], error: CaseError) -> Response[bytes]:
    """A failure that a rule, the ledger or this door found words for."""
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="casecore"'
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    status = STATUS_OF_CODE.get(error.code, STATUS[type(error)])
    if status == 408:
        headers["Connection"] = "close"
    more = {"field": error.field} if error.field else {}
    return document(status, error.code, str(error), headers, **more, **error.context)


def turned_away(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refused: no such path, or the wrong method."""
    status = error.status_code
    if status >= 500:
        return failed(request, error)
    return document(
        status,
        CODES.get(status, CODES[400]),
        SENTENCES.get(status, error.detail),
        {"Allow" if name == "allow" else name: v for name, v in (error.headers or {}).items()},
    )


def missing(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return document(404, CODES[404], SENTENCES[404], {})


def failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What nobody foresaw: said to the log in full, and to the caller as a reference to it."""
    reference = str(uuid4())
    logger.error("%s %s failed (%s)", request.method, request.url.path, reference, exc_info=error)
    sentence = f"casecore failed here; its log says more under {reference}"
    return document(500, "internal-error", sentence, {}, reference=reference)


def unreachable(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The database went away under a question; a command is tried again by the appender."""
    logger.warning("%s %s found no database: %r", request.method, request.url.path, error)
    gone = Unavailable("store-unavailable", "the database cannot be reached: try again shortly")
    return problem(request, gone)


HANDLERS: Any = {
    Exception: failed,
    **dict.fromkeys(UNKNOWN, unreachable),
    HTTPException: turned_away,
    CaseError: problem,
}


def document(
    status: int, code: str, sentence: str, headers: dict[str, str], **more: Any
) -> Response[bytes]:
    body = {
        "type": f"/problems/{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": sentence,
        "code": code,
        **more,
    }
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )
