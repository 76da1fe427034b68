"""A route that passes commands on. It decides nothing."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import uuid_utils.compat as uuids
from litestar import post
from litestar.handlers import HTTPRouteHandler

from api import answers, bodies
from api.answers import Answer, directly
from api.bodies import parsed
from api.given import AnyRequest, Caller, Door, body, expected, idempotency_key
from casecore.asking import Ask, State
from casecore.case.decisions.intake import RegisterCase, case_ref
from casecore.case.state import Case
from casecore.core import Written
from casecore.errors import Malformed
from casecore.facts import Event

COMMANDS_MAX = 100
"""How many commands one conversation may bring."""

PARAMETER = re.compile(r"{(\w+)}")


class Row(NamedTuple):
    """One command: where it is asked, and of which fact it answers which id."""

    path: str
    command: type[Ask]
    makes: type[Event] | None = None
    answers: str = ""


class Table(NamedTuple):
    """The commands of one kind of aggregate, below the path that names one of them."""

    base: str
    of: type[State]
    rows: Sequence[Row]
    stream_id: UUID | None = None
    """Of the only aggregate of its kind that a ledger has."""

    @property
    def names(self) -> str | None:
        """The parameter that names the aggregate, unless there is only one."""
        parameters = PARAMETER.findall(self.base)
        return parameters[0] if parameters else None


def asks(door: Door, table: Table, row: Row) -> HTTPRouteHandler:
    names, only = table.names, table.stream_id
    in_body = PARAMETER.findall(row.path)

    async def ask(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        ids = request.path_params
        stream_id = ids[names] if names else only
        assert stream_id is not None
        given = {name: ids[name] for name in in_body}
        command = bodies.command(parsed(await body(request)), row.command, given)
        written = await carry_out(door, request, caller, table.of, stream_id, [command])
        here = {names: stream_id} if names else {}
        return answer(written, here, made(written, row))

    return post(litestar_path(table, row), middleware=[directly(ask)])(ask)


def registers(door: Door) -> HTTPRouteHandler:
    """The one command that no case is there for yet."""

    @post("/v1/cases")
    async def register(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        command = bodies.command(parsed(await body(request)), RegisterCase, {})
        case_id, written = await begin(door, request, caller, [command])
        new = {"case_ref": case_ref(case_id)}
        return answer(written, {"case_id": case_id}, new)

    return register


def converses(door: Door, table: Table) -> list[HTTPRouteHandler]:
    """Several commands in one request, all or nothing."""

    @post("/v1/cases/{case_id:uuid}/commands")
    async def converse(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        case_id: UUID = request.path_params["case_id"]
        commands = conversation(parsed(await body(request)), table)
        written = await carry_out(door, request, caller, Case, case_id, commands)
        return answer(written, {"case_id": case_id}, {"made": all_made(written, table)})

    @post("/v1/cases/commands")
    async def begin_and_converse(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        commands = conversation(parsed(await body(request)), table, begins=True)
        case_id, written = await begin(door, request, caller, commands)
        new = {"case_ref": case_ref(case_id), "made": all_made(written, table)}
        return answer(written, {"case_id": case_id}, new)

    return [converse, begin_and_converse]


def conversation(value: dict[str, Any], table: Table, *, begins: bool = False) -> list[Ask]:
    items = value.pop("commands", None)
    if value:
        name = next(iter(value))[: bodies.NAME_SHOWN_MAX]
        raise Malformed("schema-violation", f"{name}: no such field; there is commands", field=name)
    if not isinstance(items, list) or not 0 < len(items) <= COMMANDS_MAX:
        raise Malformed(
            "schema-violation",
            f"commands must be a list of 1 to {COMMANDS_MAX} commands",
            field="commands",
        )
    known: dict[str, type[Ask]] = {row.command.__name__: row.command for row in table.rows}
    first: dict[str, type[Ask]] = {RegisterCase.__name__: RegisterCase}
    return [
        command_at(index, item, first if begins and index == 0 else known)
        for index, item in enumerate(items)
    ]


def command_at(index: int, item: Any, known: dict[str, type[Ask]]) -> Ask:
    where = f"commands[{index}]"
    name = item.get("type") if isinstance(item, dict) else None
    if not isinstance(name, str) or name not in known:
        raise Malformed(
            "schema-violation",
            f"{where}.type must be one of {', '.join(sorted(known))}",
            field=f"{where}.type",
            command_index=index,
        )
    try:
        return bodies.converted(item, known[name], at=f"{where}.")
    except Malformed as error:
        error.context["command_index"] = index
        raise


async def carry_out(
    door: Door,
    request: AnyRequest,
    caller: Caller,
    of: type[Any],
    stream_id: UUID,
    commands: Sequence[Ask],
) -> Written:
    key = idempotency_key(request, caller.actor, stream_id, commands)
    version = expected(request)
    with door.carrying_out(caller.desk.ledger, key):
        return await caller.desk.core.execute(
            of, stream_id, *commands, by=caller.actor, key=key, expected=version
        )


async def begin(
    door: Door, request: AnyRequest, caller: Caller, commands: Sequence[Ask]
) -> tuple[UUID, Written]:
    """Register a case under the id that its intake, or else its key, always leads to."""
    key = idempotency_key(request, caller.actor, None, commands)
    register = commands[0]
    assert isinstance(register, RegisterCase)
    case_id = register.intake_id or (key.command_id if key else uuids.uuid7())
    with door.carrying_out(caller.desk.ledger, key):
        written = await caller.desk.core.execute(
            Case, case_id, *commands, by=caller.actor, key=key, expected=expected(request)
        )
    return case_id, written


def made(written: Written, row: Row) -> dict[str, Any]:
    """The id of what came about, from the fact itself: so a replay answers the same."""
    for event in written.events:
        if type(event) is row.makes:
            return {row.answers: getattr(event, row.answers)}
    return {}


def all_made(written: Written, table: Table) -> list[dict[str, Any]]:
    answers = {row.makes: row.answers for row in table.rows if row.makes}
    return [
        {answers[type(event)]: getattr(event, answers[type(event)])}
        for event in written.events
        if type(event) in answers
    ]


def answer(written: Written, here: dict[str, Any], new: dict[str, Any]) -> Answer:
    """201 when something came about that has an id of its own; Location says where to see it."""
    changed = bool(written.events) or written.replayed
    created = bool(written.events and any(new.values()))
    headers = [
        (b"etag", b'"%d"' % written.version),
        (b"case-version", b"%d" % written.version),
        (b"position", b"%d" % written.position),
    ]
    if created:
        headers.append((b"location", b"/v1/cases/%s" % str(here["case_id"]).encode()))
    if written.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    how_far = {"changed": changed, "version": written.version, "position": written.position}
    return answers.json({**here, **new, **how_far}, headers, 201 if created else 200)


def litestar_path(table: Table, row: Row) -> str:
    """The path as the framework wants it: what names the aggregate is a UUID, the rest text."""
    return PARAMETER.sub(r"{\1:uuid}", table.base) + PARAMETER.sub(r"{\1:str}", row.path)
