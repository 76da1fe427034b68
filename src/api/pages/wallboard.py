"""The desk on a wall: what waits, what was promised and what is at risk, as it changes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Send

from api.answers import Answer
from api.broadcasting import Listener
from api.desk import Desks
from api.given import AnyRequest, Door
from api.looking import noted
from api.pages.rendering import SAFE, page
from api.pages.signing_in import AUDITING, DESKING, Visitor, visitor
from api.reading import READ
from api.streaming import (
    HEARTBEAT_SECONDS,
    RETRY_SECONDS,
    STREAM_HEADERS,
    streamed,
    write,
)
from casecore.actors import Role
from casecore.errors import Unavailable
from casecore.following.feed import happens
from projections import agent_queues, cases, promises, sla_clocks

AHEAD = timedelta(days=1)
"""How far ahead promises are shown."""
SHOWN_MAX = 12
COUNTED_MAX = 200
"""How many promises and clocks are counted; where there are more, it says so."""
EVERY_SECONDS = 1.0
"""How often a board is told at most that something changed."""
REACHED_SECONDS_MAX = 2.0


LIMITS: dict[str, Any] = {"shown_max": SHOWN_MAX, "counted_max": COUNTED_MAX}


class Board(NamedTuple):
    now: datetime
    queues: Sequence[agent_queues.Queue]
    overdue: Sequence[promises.Promise]
    """Promises whose time has passed, and nobody said that they were kept."""
    coming: Sequence[promises.Promise]
    at_risk: Sequence[sla_clocks.Clock]
    refs: dict[UUID, str]
    policies: bool
    links: bool
    """Whether cases lead to their pages, for those who may read them there."""
    own: bool
    """Whether promises and clocks are those of whoever looks, and not everybody's."""


def shows_desk(door: Door) -> list[HTTPRouteHandler]:
    @route("/desk", http_method=READ)
    async def show(request: AnyRequest) -> Answer:
        who = await visitor(door, request, DESKING)
        board = await board_of(who)
        await noted(who.caller, request, "list_promises", None)
        actor, ledger = who.caller.actor, who.caller.desk.ledger
        return page("desk.html", actor=actor, ledger=ledger, board=board, **LIMITS)

    @route("/desk/board", http_method=READ)
    async def again(request: AnyRequest) -> Answer:
        who = await visitor(door, request, DESKING)
        return page("_board.html", board=await board_of(who), **LIMITS)

    @route("/desk/stream", http_method=READ)
    async def listen(request: AnyRequest) -> ASGIApp:
        who = await visitor(door, request, DESKING)
        return cast(ASGIApp, News(door.desks, who))

    return [show, again, listen]


async def board_of(who: Visitor) -> Board:
    desk, actor = who.caller.desk, who.caller.actor
    now, book = desk.core.now(), await desk.books.latest()
    own = actor.id if actor.role is Role.AGENT else None
    queues = await agent_queues.queues(desk.pool, desk.id, book, now)
    due = await promises.listed(
        desk.pool,
        desk.id,
        state="open",
        made_by=own,
        due_before=now + AHEAD,
        limit=COUNTED_MAX,
    )
    at_risk = await sla_clocks.listed(
        desk.pool,
        desk.id,
        books=desk.books,
        now=now,
        seen_by=own,
        at_risk=True,
        limit=COUNTED_MAX,
    )
    overdue = [promise for promise in due.items if promise.due_at < now]
    coming = [promise for promise in due.items if promise.due_at >= now]
    named = {promise.case_id for promise in due.items} | {clock.case_id for clock in at_risk.items}
    return Board(
        now=now,
        queues=queues,
        overdue=overdue,
        coming=coming,
        at_risk=at_risk.items,
        refs=await cases.refs(desk.pool, desk.id, named),
        policies=bool(book.events),
        links=actor.role in AUDITING,
        own=own is not None,
    )


class News:
    """An answer without end that says `changed` whenever the board would come out otherwise."""

    def __init__(self, desks: Desks, who: Visitor) -> None:
        self.desks = desks
        self.desk = who.caller.desk
        self.session = who.session

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        head = await self.desk.recorder.head()
        await streamed(
            *(self.desks, scope, receive, send, (*STREAM_HEADERS, *SAFE)),
            lambda cut: self.desk.broadcast.listener(head, None, self.session.key_hash, cut),
            self.tell,
        )

    async def tell(self, listener: Listener, send: Send) -> None:
        """Until whoever listens leaves, or their session ends."""
        broadcast, now = self.desk.broadcast, asyncio.get_running_loop().time
        await write(send, b"retry: %d\n\n" % (1000 * RETRY_SECONDS))
        sent_at = now()
        while not listener.over and self.desk.core.now() < self.session.expires_at:
            listener.woken.clear()
            if broadcast.position > listener.position:
                listener.position = broadcast.position
                with suppress(Unavailable):
                    await self.desk.feed.reached(listener.position, REACHED_SECONDS_MAX)
                await write(send, b"event: changed\ndata: %d\n\n" % listener.position)
                sent_at = now()
                await asyncio.sleep(EVERY_SECONDS)
            elif (quiet := now() - sent_at) >= HEARTBEAT_SECONDS:
                await write(send, b": heartbeat\n\n")
                sent_at = now()
            else:
                await happens(listener.woken, HEARTBEAT_SECONDS - quiet)
