"""The auditor's desk: find a case, see how it came to be what it is, and take it away."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler

from api import given, scope
from api.answers import Answer
from api.desk import Desk
from api.given import AnyRequest, Door
from api.pages.rendering import page
from api.pages.signing_in import AUDITING, Visitor, visitor
from api.reading import READ
from casecore.asking import Short
from casecore.errors import NotFound
from casecore.recording import Recorded, from_row
from projections import cases
from projections.case_file import CaseFile

FOUND_MAX = 25
LATE = timedelta(minutes=15)
"""How long after it happened something may be recorded without a word about it."""


class Looked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody looks for."""

    q: Short | None = None
    after: str | None = None


class Entry(NamedTuple):
    """One event in the timeline."""

    version: int
    position: int
    at: datetime
    recorded_at: datetime
    late: timedelta | None
    actor: str
    role: str
    on_behalf_of: str | None
    sentence: str


class Day(NamedTuple):
    day: date
    entries: Sequence[Entry]


def audits(door: Door) -> list[HTTPRouteHandler]:
    @route("/audit", http_method=READ)
    async def find(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        looked = given.query(request, Looked)
        desk = who.caller.desk
        sought = (looked.q or "").strip()
        found = await found_cases(desk, sought, looked.after)
        return page("find.html", **about(who), sought=sought, found=found)

    @route("/audit/cases/{case:str}", http_method=READ)
    async def show(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        case_id = id_of(request.path_params["case"])
        await scope.readable(who.caller, case_id)
        desk = who.caller.desk
        filed = await desk.files.get(case_id)
        file = msgspec.json.decode(filed.body, type=CaseFile)
        rows = await desk.recorder.history(case_id)
        events = [from_row(desk.ledger, row) for row in rows]
        return page("case.html", **about(who), case=file, days=days(events))

    return [find, show]


def about(who: Visitor) -> dict[str, Any]:
    return {"actor": who.caller.actor, "ledger": who.caller.desk.ledger}


async def found_cases(desk: Desk, sought: str, after: str | None) -> Any:
    if not sought:
        return await cases.listed(desk.pool, desk.id, after=after, limit=FOUND_MAX)
    by_ref = await cases.listed(desk.pool, desk.id, ref=sought, limit=FOUND_MAX)
    if by_ref.items:
        return by_ref
    return await cases.listed(desk.pool, desk.id, customer=sought, after=after, limit=FOUND_MAX)


def id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("case-not-found", "there is no such case here: check the id") from None


def days(events: Iterable[Recorded]) -> list[Day]:
    entries = [entry(event) for event in events]
    return [Day(on, list(of)) for on, of in groupby(entries, lambda one: one.at.date())]


def entry(recorded: Recorded) -> Entry:
    late = recorded.recorded_at - recorded.occurred_at
    return Entry(
        version=recorded.version,
        position=recorded.position,
        at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        late=late if late >= LATE else None,
        actor=recorded.actor.id,
        role=recorded.actor.role,
        on_behalf_of=recorded.actor.on_behalf_of,
        sentence=recorded.event.told(),
    )
