"""A route that answers a question. It changes nothing."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta

from api import answers, given
from api.answers import Answer
from api.desk import Desk
from api.given import AnyRequest, Caller, Door
from casecore.actors import Role
from casecore.asking import LEADS

READ = [HttpMethod.GET, HttpMethod.HEAD]

WAIT_SECONDS_MAX = 2.0
"""How long a read waits for what its caller has just written."""
LIMIT_MAX = 200

PEOPLE = LEADS | {Role.AGENT, Role.AUDITOR}

Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str, Meta(max_length=2000)]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every question may be asked with."""

    min_position: Position | None = None
    """Answer no older than this: the Position that a command answered."""


class Page(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every list may be asked with."""

    limit: Limit = 50
    after: Cursor | None = None
    """The `next` of the page before."""


class Asked(NamedTuple):
    """A question on its way: who asks, what they gave, and what the path names."""

    caller: Caller
    params: Any
    ids: dict[str, Any]

    @property
    def desk(self) -> Desk:
        return self.caller.desk


class Query(NamedTuple):
    """One question: its path, who may ask it, and what answers it."""

    path: str
    params: type[Params]
    who: frozenset[Role]
    answers: Any
    ask: Callable[[Asked], Awaitable[Any]]
    media: tuple[str, ...] = ("application/json",)


def reads(door: Door, query: Query) -> HTTPRouteHandler:
    async def read(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        given.refuse_others(caller.actor, query.who)
        params = given.query(request, query.params)
        position = await as_of(caller.desk, params.min_position)
        answer = await query.ask(Asked(caller, params, request.path_params))
        headers = ((b"as-of-position", b"%d" % position),)
        if isinstance(answer, Answer):
            return Answer(answer.body, (*answer.headers, *headers), answer.status)
        return answers.json(answer, headers)

    return route(query.path, http_method=READ)(read)


async def as_of(desk: Desk, min_position: int | None) -> int:
    """The position that what is read now has come to, once it is as far as asked."""
    if min_position is None:
        return desk.feed.position
    return await desk.feed.reached(min_position, WAIT_SECONDS_MAX)
