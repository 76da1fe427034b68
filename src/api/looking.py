"""Takes note of a read: who asks for what cases contain, and why, if they say."""

from typing import Any
from uuid import UUID

from api.given import AnyRequest, Caller, header
from casecore.actors import Role
from casecore.errors import Malformed

REASON_MAX = 500
TARGET_MAX = 2_000
NO_PEOPLE = frozenset({Role.SERVICE, Role.BI, Role.SYSTEM})


async def noted(caller: Caller, request: AnyRequest, what: str, params: Any) -> None:
    """Note that somebody reads; of services there is no note."""
    if caller.actor.role in NO_PEOPLE:
        return
    case_id: UUID | None = request.path_params.get("case_id") or getattr(params, "case_id", None)
    path, query = request.scope["path"], request.scope["query_string"]
    target = f"{path}?{query.decode('ascii', 'replace')}" if query else path
    log, reason = caller.desk.access_log, reason_of(request)
    await log.note(caller.actor, what, target[:TARGET_MAX], case_id, reason)


def reason_of(request: AnyRequest) -> str | None:
    given = header(request, b"x-reason")
    if given is None:
        return None
    try:
        reason = given.decode()
    except UnicodeDecodeError:
        reason = ""
    if not 0 < len(reason) <= REASON_MAX or not reason.isprintable():
        raise Malformed(
            "schema-violation",
            f"X-Reason says in 1 to {REASON_MAX} printable characters of UTF-8 why this is read",
            field="X-Reason",
        )
    return reason
