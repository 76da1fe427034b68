"""The auditor's desk: find a case, and see how it came to be what it is."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta

from api import given, scope
from api.answers import Answer
from api.desk import Desk
from api.exporting import MAY_EXPORT
from api.given import AnyRequest, Door, header
from api.looking import noted
from api.pages.drawing import drawings
from api.pages.proving import proof_of
from api.pages.readers import readings
from api.pages.rendering import NO_STORE, SAFE, page
from api.pages.signing_in import AUDITING, OfCase, Visitor, id_of, visitor
from api.pages.taking_away import FILES, OF_A_CASE, File
from api.pages.timeline import days
from api.pages.versions import CaseLooked, as_it_was, folded
from api.reading import READ, Cursor
from casecore.verifying.scrubbing import verdict
from projections import cases, replay
from projections.replay import Past

CSS = (b"content-type", b"text/css; charset=utf-8")
SOUGHT_MAX = 200
FOUND_MAX = 25
EVENTS_MAX = 500
"""How many events of a case are told on one page."""
CLOCKS_MAX = 100
"""How many clocks of a case are drawn: the last ones."""


class Looked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody looks for."""

    q: Annotated[str, Meta(max_length=SOUGHT_MAX)] = ""
    after: Cursor | None = None


def audits(door: Door) -> list[HTTPRouteHandler]:
    @route("/audit", http_method=READ)
    async def find(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        looked = given.query(request, Looked)
        sought = looked.q.strip()
        desk = who.caller.desk
        found = await found_cases(desk, sought, looked.after)
        await noted(who.caller, request, "list_cases", looked)
        return page(
            "find.html",
            **about(who),
            sought=sought,
            found=found,
            files=files(who),
            scrubbed=await verdict(desk.pool, desk.id),
        )

    @route("/audit/cases/{case:str}", http_method=READ)
    async def show(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        looked = given.query(request, CaseLooked)
        desk, case_id = who.caller.desk, id_of(request.path_params["case"])
        await scope.readable(who.caller, case_id)
        known = await replay.history(desk.recorder, case_id, Past())
        then = as_it_was(known, looked)
        await noted(who.caller, request, "get_case", OfCase(case_id))
        if header(request, b"hx-request"):
            return page("_then.html", case_id=case_id, then=then)
        shown = known[looked.first - 1 :][:EVENTS_MAX]
        clocks, book = await desk.books.clocks(case_id)
        now = desk.core.now()
        return page(
            "case.html",
            **about(who),
            case_id=case_id,
            case=folded(known),
            then=then,
            days=days(one.recorded for one in shown),
            first=looked.first,
            shown=len(shown),
            events_max=EVENTS_MAX,
            proof=await proof_of(desk, case_id),
            clocks=drawings(clocks, book, now, CLOCKS_MAX),
            more_clocks=max(0, len(clocks.cycles) - CLOCKS_MAX),
            policies=bool(book.events),
            readers=await readings(who.caller, case_id),
            files=[file for file in files(who) if file.format in OF_A_CASE],
            now=now,
        )

    @route("/audit/cases/{case:str}/print.css", http_method=READ)
    async def sheet(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        case_id = id_of(request.path_params["case"])
        await scope.readable(who.caller, case_id)
        refs = await cases.refs(who.caller.desk.pool, who.caller.desk.id, [case_id])
        head = running_head(f"Case {refs.get(case_id, case_id)}")
        return Answer(head.encode(), [CSS, NO_STORE, *SAFE])

    return [find, show, sheet]


def about(who: Visitor) -> dict[str, Any]:
    return {"actor": who.caller.actor, "ledger": who.caller.desk.ledger}


async def found_cases(desk: Desk, sought: str, after: str | None) -> Any:
    if not sought:
        return await cases.listed(desk.pool, desk.id, after=after, limit=FOUND_MAX)
    by_ref = await cases.listed(desk.pool, desk.id, ref=sought, limit=FOUND_MAX)
    if by_ref.items:
        return by_ref
    return await cases.listed(desk.pool, desk.id, customer=sought, after=after, limit=FOUND_MAX)


def files(who: Visitor) -> Sequence[File]:
    return FILES if who.caller.actor.role in MAY_EXPORT else ()


def running_head(text: str) -> str:
    """What stands above every page that is printed, whatever is in it."""
    written = "".join(f"\\{ord(letter):06x}" for letter in text)
    return (
        f'@page {{ @top-left {{ content: "{written}"; font: 8pt sans-serif; color: #56605d }} }}\n'
    )
