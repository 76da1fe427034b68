"""Files to take away: what the API exports, for whoever is signed in at a browser."""

import re
from typing import NamedTuple

from litestar import route
from litestar.handlers import HTTPRouteHandler

from api import given
from api.answers import Answer
from api.evidence.bundle import bundle
from api.exporting import MAY_EXPORT, Exporters, Streamed
from api.exports.running import FORMATS, file_name
from api.exports.selecting import Progress, Selection, position_of
from api.given import AnyRequest, Door
from api.looking import noted
from api.pages.rendering import NO_STORE, SAFE
from api.pages.signing_in import AUDITING, OfCase, id_of, visitor
from api.proof import BundleAsked
from api.reading import READ
from casecore.errors import NotFound

OF_A_CASE = ("csv", "xes", "cloudevents")


class File(NamedTuple):
    format: str
    title: str
    what: str


FILES = (
    File("csv", "CSV", "a row an event, for spreadsheets"),
    File("xes", "XES", "IEEE 1849, for process mining with pm4py or ProM"),
    File("cloudevents", "CloudEvents", "every event exactly as it is kept and hashed, one a line"),
    File("ocel-json", "OCEL 2.0 as JSON", "cases, customers, agents and solutions as objects"),
    File("ocel-sqlite", "OCEL 2.0 as SQLite", "the same as a database"),
)
"""What can be taken of the whole ledger, and of a case, where that makes sense."""


def sends_files(door: Door) -> list[HTTPRouteHandler]:
    exporters = Exporters()

    async def sent(request: AnyRequest, selection: Selection, allowed: set[str]) -> Streamed:
        who = await visitor(door, request, AUDITING)
        given.refuse_others(who.caller.actor, MAY_EXPORT)
        format = FORMATS.get(request.path_params["format"])
        if format is None or format.name not in allowed:
            raise NotFound("format-not-found", f"there is {', '.join(sorted(allowed))}; choose one")
        recorder = who.caller.desk.recorder
        upto = await position_of(recorder, selection)
        await noted(who.caller, request, "export", OfCase(*selection.case_ids or [None]))
        chunks = format.stream(recorder, selection, upto, Progress())
        if format.needs_disk:
            chunks = exporters.in_room(chunks)
        name = file_name(recorder.ledger, format, upto, gzip=False)
        return Streamed(
            chunks,
            [(b"content-type", format.media_type.encode()), *attached(name)],
        )

    @route("/audit/files/{format:str}", http_method=READ)
    async def of_ledger(request: AnyRequest) -> Streamed:
        return await sent(request, Selection(), {file.format for file in FILES})

    @route("/audit/cases/{case:str}/files/{format:str}", http_method=READ)
    async def of_case(request: AnyRequest) -> Streamed:
        case_id = id_of(request.path_params["case"])
        return await sent(request, Selection(case_ids=frozenset({case_id})), {*OF_A_CASE})

    @route("/audit/cases/{case:str}/bundle", http_method=READ)
    async def evidence(request: AnyRequest) -> Answer:
        who = await visitor(door, request, AUDITING)
        case_id = id_of(request.path_params["case"])
        asked = given.query(request, BundleAsked)
        made = await bundle(who.caller.desk, case_id, anyway=asked.anyway)
        await noted(who.caller, request, "get_bundle", OfCase(case_id))
        return Answer(made.body, [(b"content-type", b"application/zip"), *attached(made.name)])

    return [of_ledger, of_case, evidence]


def attached(name: str) -> list[tuple[bytes, bytes]]:
    """A file to be kept, and not shown: nothing in it can act for who is signed in."""
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    return [(b"content-disposition", f'attachment; filename="{plain}"'.encode()), NO_STORE, *SAFE]
