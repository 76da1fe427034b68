"""The auditor's desk: find a case, see how it came to be what it is, and take it away."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta

from api import given, scope
from api.access import MAY_SEE, AccessList, list_accesses
from api.accesslog import Access
from api.answers import Answer
from api.cases import Version
from api.desk import Desk
from api.exporting import MAY_EXPORT
from api.given import AnyRequest, Door, header
from api.looking import noted
from api.pages import telling
from api.pages.drawing import drawings
from api.pages.proving import proof_of
from api.pages.rendering import NO_STORE, SAFE, page
from api.pages.signing_in import AUDITING, OfCase, Visitor, id_of, visitor
from api.pages.taking_away import FILES, OF_A_CASE, File
from api.reading import READ, Asked, Cursor
from casecore.actors import Role
from casecore.asking import Short
from casecore.errors import Malformed, NotFound
from casecore.recording import Recorded
from casecore.verifying.scrubbing import verdict
from projections import cases, replay
from projections.replay import Known, Past, Step

CSS = (b"content-type", b"text/css; charset=utf-8")
FOUND_MAX = 25
READS_MAX = 200
LATE = timedelta(minutes=15)
"""How long after it happened something may be recorded without a word about it."""
MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?")


class Looked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody looks for."""

    q: Short | None = None
    after: Cursor | None = None


class CaseLooked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At what of a case somebody looks: a version of it, or a time."""

    version: Version | None = None
    at: Annotated[str, Meta(max_length=40)] | None = None
    """A time in UTC, as a form gives it."""
    known: Literal["then", "now"] = "then"


class Entry(NamedTuple):
    """One event in the timeline."""

    recorded: Recorded
    late: timedelta | None

    @property
    def sentence(self) -> str:
        return self.recorded.event.told()


class Day(NamedTuple):
    entries: Sequence[Entry]

    @property
    def at(self) -> datetime:
        return self.entries[0].recorded.occurred_at

    @property
    def late(self) -> bool:
        """Whether all of it was recorded later: it is said once then."""
        return all(entry.late for entry in self.entries)


class Reading(NamedTuple):
    """Reads that somebody made one after the other, and nobody else between."""

    actor: str
    role: Role
    what: str
    reason: str | None
    since: datetime
    until: datetime
    times: int


class Then(NamedTuple):
    """The case as it was, and what made it so."""

    chapters: Sequence[telling.Chapter]
    changed: Sequence[telling.Changed]
    version: int
    """How many events it is made of; of those in the order of recording, the last one's."""
    latest: int
    entry: Entry | None
    """The event that brought the version about."""
    at: datetime | None
    known: Literal["then", "now"]
    unknown: Sequence[Entry]
    """What had happened by then and was recorded later."""


def audits(door: Door) -> list[HTTPRouteHandler]:
    @route("/audit", http_method=READ)
    async def find(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        looked = given.query(request, Looked)
        sought = (looked.q or "").strip()
        desk = who.caller.desk
        found = await found_cases(desk, sought, looked.after)
        await noted(who.caller, request, "list_cases", looked)
        scrubbed = await verdict(desk.pool, desk.id)
        return page(
            "find.html",
            **about(who),
            sought=sought,
            found=found,
            files=files(who),
            scrubbed=scrubbed,
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
        file = list(replay.steps(known))[-1].file
        clocks, book = await desk.books.clocks(case_id)
        return page(
            "case.html",
            **about(who),
            case_id=case_id,
            case=file,
            then=then,
            days=days(known),
            proof=await proof_of(desk, case_id),
            clocks=drawings(clocks, book, desk.core.now()),
            policies=bool(book.events),
            readers=await readers(who, case_id),
            now=desk.core.now(),
            files=[file for file in files(who) if file.format in OF_A_CASE],
        )

    @route("/audit/cases/{case:str}/print.css", http_method=READ)
    async def sheet(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        case_id = id_of(request.path_params["case"])
        await scope.readable(who.caller, case_id)
        ref = (await cases.refs(who.caller.desk.pool, who.caller.desk.id, [case_id])).get(case_id)
        return Answer(running_head(f"Case {ref or case_id}").encode(), [CSS, NO_STORE, *SAFE])

    return [find, show, sheet]


def running_head(text: str) -> str:
    """What stands above every page that is printed, whatever is in it."""
    written = "".join(f"\\{ord(letter):06x}" for letter in text)
    return (
        f'@page {{ @top-left {{ content: "{written}"; font: 8pt sans-serif; color: #56605d }} }}\n'
    )


def about(who: Visitor) -> dict[str, Any]:
    return {"actor": who.caller.actor, "ledger": who.caller.desk.ledger}


async def readers(who: Visitor, case_id: UUID) -> Sequence[Reading] | None:
    """Who read the case last, for those who may know."""
    caller = who.caller
    if caller.actor.role not in MAY_SEE:
        return None
    await caller.desk.access_log.flush()
    params = AccessList(case_id=case_id, limit=READS_MAX)
    asked = Asked(caller, params, {}, caller.desk.id, caller.desk.core.now())
    last = (await list_accesses(asked)).items
    together = groupby(last, lambda read: (read.actor, read.role, read.what, read.reason))
    return [Reading(*of, *spanned(list(reads))) for of, reads in together]


def spanned(reads: Sequence[Access]) -> tuple[datetime, datetime, int]:
    return reads[-1].at, reads[0].at, len(reads)


def files(who: Visitor) -> Sequence[File]:
    return FILES if who.caller.actor.role in MAY_EXPORT else ()


async def found_cases(desk: Desk, sought: str, after: str | None) -> Any:
    if not sought:
        return await cases.listed(desk.pool, desk.id, after=after, limit=FOUND_MAX)
    by_ref = await cases.listed(desk.pool, desk.id, ref=sought, limit=FOUND_MAX)
    if by_ref.items:
        return by_ref
    return await cases.listed(desk.pool, desk.id, customer=sought, after=after, limit=FOUND_MAX)


def as_it_was(known: Sequence[Known], looked: CaseLooked) -> Then:
    at = None if looked.at is None else instant_of(looked.at)
    shown = list(known[: looked.version])
    unknown: list[Known] = []
    if looked.version is not None and looked.version > len(known):
        raise NotFound(
            "version-not-found",
            f"the case has {len(known)} versions, and not {looked.version}: look at one of those",
        )
    if at is not None:
        then = [one for one in known if one.recorded.recorded_at <= at]
        happened = replay.in_order_of_happening(known, at)
        shown = happened if looked.known == "now" else then
        unknown = [one for one in happened if one not in then]
    steps: list[Step] = list(replay.steps(shown))
    last = steps[-1] if steps else None
    by_version = at is None and last is not None
    return Then(
        chapters=telling.chapters(last.file, last.changes if by_version else ()) if last else [],
        changed=telling.changed(last.changes) if last and by_version else [],
        version=len(shown),
        latest=len(known),
        entry=entry(last.known.recorded) if last and by_version else None,
        at=at,
        known=looked.known,
        unknown=[entry(one.recorded) for one in unknown],
    )


def instant_of(text: str) -> datetime:
    if not MINUTE.fullmatch(text.removesuffix("Z")):
        raise Malformed(
            "schema-violation", "give a day and a time in UTC, such as 2026-11-02T09:15", field="at"
        )
    try:
        return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise Malformed(
            "schema-violation", f"there is no such time as {text}", field="at"
        ) from None


def days(known: Iterable[Known]) -> list[Day]:
    """In the order of recording; a day begins whenever the date is another."""
    entries = [entry(one.recorded) for one in known]
    return [Day(list(of)) for _, of in groupby(entries, date_of)]


def date_of(entry: Entry) -> date:
    return entry.recorded.occurred_at.astimezone(UTC).date()


def entry(recorded: Recorded) -> Entry:
    late = recorded.recorded_at - recorded.occurred_at
    return Entry(recorded, late if late >= LATE else None)
