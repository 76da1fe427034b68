"""A route that answers a question. It changes nothing."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta

from api import answers, given
from api.answers import Answer, directly
from api.desk import Desk
from api.given import AnyRequest, Caller, Door
from api.looking import noted
from casecore.actors import Role
from casecore.asking import LEADS, Instant
from casecore.core import CLOCK_SKEW
from casecore.errors import Rejected, Unavailable
from casecore.following.past import refuse_ahead

READ = [HttpMethod.GET, HttpMethod.HEAD]

WAIT_SECONDS_MAX = 2.0
"""How long a read waits for what its caller has just written."""
LIMIT_MAX = 200

WITHOUT_CASES = ("/v1/policies/", "/v1/proof/", "/v1/access-log")
"""What is asked there is not about cases."""

PEOPLE = LEADS | {Role.AGENT, Role.AUDITOR}

Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str, Meta(max_length=2000)]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every question may be asked with."""

    min_position: Position | None = None
    """Answer no older than this: the Position that a command answered."""


class Page(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every list may be asked with that the ledger answers."""

    limit: Limit = 50
    after: Cursor | None = None
    """The `next` of the page before."""


class Then(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every read model may be asked with: as it was, made from the ledger aside."""

    at_position: Position | None = None
    """As it was when the ledger had come to this position."""
    as_of: Instant | None = None
    """As it was known at this time."""


class PageThen(Then, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every list of a read model may be asked with."""

    limit: Limit = 50
    after: Cursor | None = None
    """The `next` of the page before."""


class Asked(NamedTuple):
    """A question on its way: who asks, what they gave, and what the path names."""

    caller: Caller
    params: Any
    ids: dict[str, Any]
    ledger: int
    """Under which number the read models are that answer it."""
    now: datetime
    """The time that it is asked of."""

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
    models: tuple[str, ...] = ()
    """The read models it looks at, if any: these come after the ledger, and have been otherwise."""
    media: tuple[str, ...] = ("application/json",)

    @property
    def opens_cases(self) -> bool:
        """Whether it tells what cases contain. What BI may ask names no person."""
        return Role.BI not in self.who and not self.path.startswith(WITHOUT_CASES)


class Moment(NamedTuple):
    """What a question is answered as of."""

    ledger: int
    position: int
    now: datetime


def reads(door: Door, query: Query) -> HTTPRouteHandler:
    opens_cases = query.opens_cases

    async def read(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        given.refuse_others(caller.actor, query.who)
        params = given.query(request, query.params)
        moment = await moment_of(caller, params, query.models)
        asked = Asked(caller, params, request.path_params, moment.ledger, moment.now)
        answer = await query.ask(asked)
        if opens_cases:
            await noted(caller, request, query.ask.__name__, params)
        headers = ((b"as-of-position", b"%d" % moment.position),)
        if isinstance(answer, Answer):
            return Answer(answer.body, (*answer.headers, *headers), answer.status)
        return answers.json(answer, headers)

    return route(query.path, http_method=READ, middleware=[directly(read)])(read)


async def moment_of(caller: Caller, params: Params, models: Sequence[str]) -> Moment:
    """Now, once what is read has come as far as asked; or then, once that is made."""
    desk = caller.desk
    if isinstance(params, Then) and (params.at_position, params.as_of) != (None, None):
        return await then(desk, params, models)
    return Moment(desk.id, await as_far(caller, params.min_position, models), desk.core.now())


async def as_far(caller: Caller, min_position: int | None, models: Sequence[str]) -> int:
    """How far what is read has come. Who does not ask sees what they wrote themselves through this
    process, if that is not long in coming."""
    feed, written = caller.desk.feed, caller.desk.core.written
    if min_position is not None:
        return await feed.reached(min_position, WAIT_SECONDS_MAX)
    if models:
        with suppress(Unavailable):
            return await feed.reached(written.get(caller.actor.id, 0), WAIT_SECONDS_MAX)
    return feed.position


async def then(desk: Desk, params: Then, models: Sequence[str]) -> Moment:
    """The read models as they were, made aside from the ledger."""
    recorder = desk.recorder
    if len([one for one in (params.at_position, params.as_of, params.min_position) if one]) > 1:
        raise Rejected(
            "version-or-time",
            "give only one of at_position, as_of and min_position",
            field="as_of" if params.as_of else "at_position",
        )
    if params.as_of is None:
        assert params.at_position is not None
        position = params.at_position
        await refuse_ahead(recorder, position)
        now = await recorder.recorded_at(position) if position else desk.core.now()
    else:
        now = params.as_of
        refuse_future(now, desk.core.now())
        position = await recorder.position_at(now)
    return Moment(await desk.past.at(position, models, WAIT_SECONDS_MAX), position, now)


def refuse_future(as_of: datetime, now: datetime) -> None:
    if as_of > now + CLOCK_SKEW:
        raise Rejected(
            "as-of-in-future", "as_of is later than now: nothing is known of then", field="as_of"
        )
