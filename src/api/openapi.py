"""The OpenAPI 3.1 document, made from the same tables that the routes are made from."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from inspect import cleandoc
from typing import Any

import msgspec

from api import proof
from api.asking import COMMANDS_MAX, PARAMETER, Row, Table
from api.bodies import BODY_MAX
from api.clocks import (
    REBASELINE,
    REBASELINE_EXAMPLE,
    RESCIND,
    RESCIND_EXAMPLE,
    Rebaseline,
    Rescind,
)
from api.cloudevents import CloudEvent
from api.events import BATCH_TYPE, PATH, READERS, Feeding
from api.examples import EXAMPLES, TOLD_EVENT
from api.exporting import EXPORTS, MAY_EXPORT, ExportAsked
from api.exports.running import FORMATS
from api.given import IDEMPOTENCY_KEY_MAX
from api.health import Health
from api.looking import REASON_MAX
from api.metrics import MAY_SCRAPE, METRICS
from api.problems import CODES
from api.queries import QUERIES
from api.routes import CASES, TABLES
from api.slabook import DRAFT, PUBLISH, SLA_FILE_EXAMPLE, SlaFile
from api.streaming import STREAM_TYPE
from api.supposing import MAY_ASK, WHAT_IF, WHAT_IF_EXAMPLE, WhatIf
from casecore.actors import Role
from casecore.asking import LEADS, Ask, QueueName
from casecore.case.decisions.intake import RegisterCase
from casecore.case.decisions.ownership import ClaimCase
from casecore.recording import EVENTS
from casecore.sla.decisions import PUBLISHERS

Json = dict[str, Any]

CLAIM_NEXT = "/v1/queues/{queue}/claim-next"

REF = "#/components/schemas/{name}"
VERSION = "1.0.0"
INTRODUCTION = f"""
Cases of complaints, as an append-only ledger. Every command is a POST; what it decided can be read
back as the case's history.

* **Keys.** Send `Authorization: Bearer <key>`; `casecore keys create` makes one. A key acts as one
  actor, in one role, in one ledger. Each operation names the roles it is for. An agent reads and
  works on their own cases, and on those that nobody owns. A service reads the cases it registered,
  and the feed. An auditor reads everything and writes nothing. BI reads only what names no person.
* **Safe retries.** With an `Idempotency-Key`, the same request may be sent again: it is carried out
  once, and answered the same each time (then with `Idempotency-Replayed: true`).
* **Versions.** A case's answer has its version as `ETag`; send it back as `If-Match` to be refused
  (412) if the case has moved on. Without it the rules decide on the newest state.
* **Reading what you wrote.** Lists show what the same key wrote before through the same process.
  Others give the `Position` that a command answered: `?min_position=` waits until what is read is
  as far, or says 503. Reads answer `As-Of-Position`.
* **Times** are RFC 3339 with an offset. **Money** is in whole minor units of a currency.
* **Problems** are `application/problem+json` with a `code`, a sentence in `detail`, and the `field`
  it is about. The codes are listed with the schemas, by status.
* **Limits.** A body has at most {BODY_MAX >> 20} MiB; names in an object occur once; texts have no
  NUL character and no lone surrogates; times lie between 1900 and 2200.
"""

TITLES = {
    400: "The request could not be read",
    401: "No valid API key",
    403: "Not for this key",
    404: "No such thing",
    408: "The body did not arrive in time",
    409: "Someone else came first",
    412: "The case has moved on",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "A rule says no",
    500: "casecore failed",
    503: "Not now; try again",
}
HEADERS: Json = {
    "ETag": {"description": "The version, to send as If-Match", "schema": {"type": "string"}},
    "Case-Version": {"schema": {"type": "integer"}},
    "Position": {
        "description": "Where in the ledger this was written, to read with ?min_position=",
        "schema": {"type": "integer"},
    },
    "Idempotency-Replayed": {
        "description": "true when this request was carried out before",
        "schema": {"type": "string", "const": "true"},
    },
}
LOCATION: Json = {"Location": {"description": "Where to see it", "schema": {"type": "string"}}}
AS_OF: Json = {
    "As-Of-Position": {
        "description": "How far in the ledger this answer reaches",
        "schema": {"type": "integer"},
    }
}
DISPOSITION: Json = {
    "Content-Disposition": {"description": "A name for it", "schema": {"type": "string"}}
}
COMMAND_HEADERS: Sequence[Json] = (
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes this request safe to send again",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": IDEMPOTENCY_KEY_MAX,
            "pattern": "^[ -~]+$",
        },
    },
    {
        "name": "If-Match",
        "in": "header",
        "description": "The version it must still be at",
        "schema": {"type": "string", "pattern": '^(\\*|(W/)?"[0-9]{1,18}")$'},
    },
)
REASON: Json = {
    "name": "X-Reason",
    "in": "header",
    "description": "Why it is read: what people read of cases is recorded, for auditors to see",
    "schema": {"type": "string", "minLength": 1, "maxLength": REASON_MAX, "pattern": "^[ -~]+$"},
}
POSITION: Json = {"type": "integer", "minimum": 0}
CHANGED: Json = {
    "type": "boolean",
    "description": "false when it was so already, and nothing was written; then no new id is told",
}
HOW_FAR: Json = {"changed": CHANGED, "version": POSITION, "position": POSITION}
UUID: Json = {"type": "string", "format": "uuid"}
QUEUE: Json = msgspec.json.schema(QueueName)
PATH_SCHEMAS: dict[str, Json] = {
    "size": msgspec.json.schema(proof.Size),
    "level": {"type": "integer", "minimum": 0, "maximum": proof.TILE_LEVELS - 1},
    "tile": {
        "type": "string",
        "pattern": f"^{proof.TILE.pattern}$",
        "description": "000, x001/x234/067, or of one that is not full 000.p/17",
    },
}
OTHER_MEDIA: dict[str, Json] = {
    "text/plain": {"type": "string"},
    "application/octet-stream": {"type": "string", "format": "binary"},
    "application/zip": {"type": "string", "format": "binary"},
}


@cache
def document() -> bytes:
    commands = [RegisterCase, *(row.command for table in TABLES for row in table.rows)]
    asked = [*commands, WhatIf, SlaFile, Rebaseline, Rescind, Health]
    read = [query.answers for query in QUERIES]
    shapes, components = msgspec.json.schema_components(
        [*asked, CloudEvent, *read], ref_template=REF
    )
    answers = dict(zip((query.path for query in QUERIES), shapes[len(asked) + 1 :], strict=True))
    paths: dict[str, Json] = {}
    for path, operation in (*commanding(components), *asking(answers)):
        paths.setdefault(path, {}).update(operation)
    paths[PATH] = {"get": feed()}
    paths["/v1/health"] = {"get": how_it_is()}
    paths[EXPORTS] = {"get": exported()}
    paths["/v1/health/live"] = {"get": healthy("Whether casecore runs", 500)}
    paths["/v1/health/ready"] = {"get": healthy("Whether casecore can answer", 500, 503)}
    paths["/v1/health/ready"]["get"]["description"] = STAYS_READY
    paths[METRICS] = {"get": metrics()}
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "casecore", "version": VERSION, "description": INTRODUCTION},
            "servers": [{"url": "/"}],
            "security": [{"key": []}],
            "paths": paths,
            "components": {
                "schemas": components
                | problems()
                | {
                    "Conversation": conversation(CASES.rows, begins=False),
                    "Beginning": conversation(CASES.rows, begins=True),
                },
                "responses": refusals(),
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def commanding(components: Json) -> Iterable[tuple[str, Json]]:
    yield (
        "/v1/cases",
        {"post": command(components, RegisterCase, "/v1/cases", {"case_id": UUID, **CASE_REF})},
    )
    for table in TABLES:
        named = {table.names: UUID} if table.names else {}
        for row in table.rows:
            made = {row.answers: {"type": "string"}} if row.makes else {}
            path = table.base + row.path
            operation = command(components, row.command, path, named, made)
            yield path, {"post": operation}
    for path, new in (("/v1/cases/commands", CASE_REF), ("/v1/cases/{case_id}/commands", {})):
        yield path, {"post": several(path, new)}
    yield CLAIM_NEXT, {"post": claim_next()}
    yield WHAT_IF, {"post": what_if(components)}
    for name, path, who in (
        ("PublishSlaPolicies", PUBLISH, PUBLISHERS),
        ("DraftSlaPolicies", DRAFT, LEADS),
    ):
        yield path, {"post": by_body(name, path, SlaFile, SLA_FILE_EXAMPLE, who, HOW_FAR)}
    overruled = {"case_id": UUID, **HOW_FAR}
    for name, path, of, example in (
        ("RebaselineClocks", REBASELINE, Rebaseline, REBASELINE_EXAMPLE),
        ("RescindResult", RESCIND, Rescind, RESCIND_EXAMPLE),
    ):
        path = re.sub(r":\w+}", "}", path)
        yield path, {"post": by_body(name, path, of, example, LEADS, overruled)}


CASE_REF: Json = {"case_ref": {"type": "string"}}


def command(
    components: Json, asked: type[Ask], path: str, answers: Json, made: Json | None = None
) -> Json:
    name = asked.__name__
    given = PARAMETER.findall(path)
    schema = components[name]
    properties = {k: v for k, v in schema["properties"].items() if k not in ("type", *given)}
    required = [k for k in schema.get("required", ()) if k in properties]
    body: Json = {
        "title": name,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    fields = answers | HOW_FAR
    return {
        "operationId": operation_id(name, path),
        "summary": summary(asked),
        "description": f"For {roles(asked.WHO)}.",
        "tags": [chapter(asked, path)],
        "parameters": [*path_parameters(path, components, asked), *COMMAND_HEADERS],
        "requestBody": {
            "required": bool(required),
            "content": {"application/json": {"schema": body, "example": EXAMPLES[name]}},
        },
        "responses": carried_out(fields, made or {}, begins=asked is RegisterCase) | REFUSED,
    }


def several(path: str, new: Json) -> Json:
    begins = bool(new)
    first = [{"type": "RegisterCase", **EXAMPLES["RegisterCase"]}] if begins else []
    then = [
        {"type": "HearComplaint", **EXAMPLES["HearComplaint"]},
        {"type": "MakePromise", **EXAMPLES["MakePromise"]},
    ]
    made = {"made": {"type": "array", "items": {"type": "object"}}}
    fields = {"case_id": UUID, **new, **made, **HOW_FAR}
    return {
        "operationId": "BeginAndConverse" if begins else "Converse",
        "summary": "Carry out a whole conversation, all or nothing"
        + ("; its first command registers the case" if begins else ""),
        "description": "Ids can be foreseen: the first promise of a case is p1. A refusal names"
        " the command in `command_index`.",
        "tags": ["cases"],
        "parameters": [*path_parameters(path, {}, Ask), *COMMAND_HEADERS],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": REF.format(name="Beginning" if begins else "Conversation")},
                    "example": {"commands": first + then},
                }
            },
        },
        "responses": carried_out(fields, {}, begins=True) | REFUSED,
    }


def exported() -> Json:
    format: Json = {"type": "string", "enum": list(FORMATS)}
    media_types = {format.media_type for format in FORMATS.values()} | {"application/gzip"}
    return {
        "operationId": "export",
        "summary": "The ledger, or some of its cases, as a file",
        "description": f"For {roles(MAY_EXPORT)}. It is sent as it is made. Of one ledger at one"
        " position, the same comes out every time. cloudevents is the ledger itself, complete, in"
        " its order: it can be restored with `casecore import`.",
        "tags": [tag(EXPORTS)],
        "parameters": [
            {"name": "format", "in": "path", "required": True, "schema": format},
            *query_parameters(ExportAsked),
            REASON,
        ],
        "responses": {
            "200": {
                "description": "As of As-Of-Position",
                "headers": AS_OF | DISPOSITION,
                "content": {media_type: {} for media_type in sorted(media_types)},
            },
            **READ_REFUSED,
        },
    }


def claim_next() -> Json:
    fields = {"case_id": UUID, **HOW_FAR}
    return {
        "operationId": "ClaimNext",
        "summary": "Take on the case that is next in a queue",
        "description": f"For {roles(ClaimCase.WHO)}.",
        "tags": ["queues"],
        "parameters": [*path_parameters(CLAIM_NEXT, {}, Ask), COMMAND_HEADERS[0]],
        "responses": carried_out(fields, {}, begins=False)
        | {"204": {"description": "Nothing waits there that this agent may take on"}}
        | REFUSED,
    }


def what_if(components: Json) -> Json:
    fields: Json = {"run_id": UUID, "state": {"type": "string"}}
    started = done("Begun: read the run until it is done", fields, required=fields)
    started["headers"] = LOCATION
    return {
        "operationId": "SupposePolicies",
        "summary": "Reckon the past as if other policies had been in force",
        "description": f"For {roles(MAY_ASK)}. Writes nothing.",
        "tags": [tag(WHAT_IF)],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": REF.format(name=WhatIf.__name__)},
                    "example": WHAT_IF_EXAMPLE,
                }
            },
        },
        "responses": {"202": started, **REFUSED},
    }


def by_body(
    name: str, path: str, of: type[Any], example: Json, who: frozenset[Role], fields: Json
) -> Json:
    """A command whose body the door turns into what the core is asked."""
    return {
        "operationId": name,
        "summary": cleandoc(of.__doc__ or "").splitlines()[0].rstrip("."),
        "description": f"For {roles(who)}.",
        "tags": [tag(path)],
        "parameters": [*path_parameters(path, {}, Ask), *COMMAND_HEADERS],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": REF.format(name=of.__name__)},
                    "example": example,
                }
            },
        },
        "responses": carried_out(fields, {}, begins=False) | REFUSED,
    }


def healthy(summary: str, *refusals: int) -> Json:
    status = {"type": "object", "properties": {"status": {"type": "string"}}}
    answer = {"description": "Yes", "content": {"application/json": {"schema": status}}}
    return {
        "operationId": "".join(word.capitalize() for word in summary.split()),
        "summary": summary,
        "tags": ["health"],
        "security": [],
        "responses": {"200": answer} | refused(*refusals),
    }


STAYS_READY = (
    "Read models that lag or have stopped, and rows that are parked, make casecore neither dead nor"
    " unready: a load balancer need not turn away from it."
)


def how_it_is() -> Json:
    schema = {"application/json": {"schema": {"$ref": REF.format(name=Health.__name__)}}}
    return {
        "operationId": "Health",
        "summary": "How casecore is: alive, ready, lagging and parked are different things",
        "description": "Needs no key, and names nobody and no ledger. `status` is the gravest that"
        " is so: not-ready, check-failed, stopped, parked, lagging, ok. Only not-ready answers 503."
        f" {STAYS_READY} What is told is a second old at most, unless it takes long to find.",
        "tags": ["health"],
        "security": [],
        "responses": {
            "200": {"description": "It can answer", "content": schema},
            "503": {"description": "It cannot answer", "content": schema},
        }
        | refused(500),
    }


def metrics() -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "Metrics",
        "summary": "Metrics, in Prometheus's text format",
        "description": f"For {roles(MAY_SCRAPE)}. Of this process, and of the key's ledger alone,"
        " whatever the role: another ledger is scraped with a key of its own.",
        "tags": ["health"],
        "responses": {"200": {"description": "As of now", "content": text}}
        | refused(401, 403, 500, 503),
    }


def conversation(rows: Sequence[Row], *, begins: bool) -> Json:
    """One that begins a case begins with its registration."""
    names = sorted({row.command.__name__ for row in rows})
    commands: Json = {
        "type": "array",
        "minItems": 1,
        "maxItems": COMMANDS_MAX,
        "items": {
            "oneOf": [{"$ref": REF.format(name=name)} for name in names],
            "discriminator": {
                "propertyName": "type",
                "mapping": {name: REF.format(name=name) for name in names},
            },
        },
    }
    if begins:
        commands["prefixItems"] = [{"$ref": REF.format(name=RegisterCase.__name__)}]
    return {
        "type": "object",
        "properties": {"commands": commands},
        "required": ["commands"],
        "additionalProperties": False,
    }


def carried_out(fields: Json, made: Json, *, begins: bool) -> Json:
    responses = {"200": done("Carried out, or so already", fields, required=fields)}
    if made or begins:
        everything = fields | made
        responses["201"] = done("Something new came about", everything, required=everything)
        responses["201"]["headers"] |= LOCATION
    return responses


def done(description: str, fields: Json, required: Iterable[str]) -> Json:
    schema = {"type": "object", "properties": fields, "required": list(required)}
    return {
        "description": description,
        "headers": dict(HEADERS),
        "content": {"application/json": {"schema": schema}},
    }


def asking(answers: dict[str, Json]) -> Iterable[tuple[str, Json]]:
    for query in QUERIES:
        parameters = [*path_parameters(query.path, {}, Ask), *query_parameters(query.params)]
        if query.opens_cases:
            parameters.append(REASON)
        yield (
            re.sub(r":\w+}", "}", query.path),
            {
                "get": {
                    "operationId": query.ask.__name__,
                    "summary": (query.ask.__doc__ or "").splitlines()[0].rstrip("."),
                    "description": f"For {roles(query.who)}.",
                    "tags": [tag(query.path)],
                    "parameters": parameters,
                    "responses": {
                        "200": {
                            "description": "As of As-Of-Position",
                            "headers": AS_OF,
                            "content": {
                                media: {"schema": OTHER_MEDIA.get(media, answers[query.path])}
                                for media in query.media
                            },
                        },
                        **READ_REFUSED,
                    },
                }
            },
        )


def feed() -> Json:
    event: Json = {"$ref": REF.format(name=CloudEvent.__name__)}
    page: Json = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": event},
            "next": POSITION
            | {"description": "To give as after; at the end it is As-Of-Position. Never null"},
        },
        "required": ["items", "next"],
    }
    link: Json = {
        "Link": {
            "description": f"Of a batch: rel=next, the page that follows ({BATCH_TYPE} has no"
            " place for it)",
            "schema": {"type": "string"},
        }
    }
    line = msgspec.json.encode(TOLD_EVENT).decode()
    streamed = f"id: {TOLD_EVENT['position']}\nevent: {TOLD_EVENT['type']}\ndata: {line}\n\n"
    contents: Json = {
        "application/json": {
            "schema": page,
            "example": {"items": [TOLD_EVENT], "next": TOLD_EVENT["position"]},
        },
        BATCH_TYPE: {"schema": {"type": "array", "items": event}, "example": [TOLD_EVENT]},
        STREAM_TYPE: {
            "schema": {
                "type": "string",
                "description": "Server-Sent Events: id is the position, event the type, data the"
                " CloudEvent on one line",
            },
            "example": streamed,
        },
    }
    last_event_id: Json = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The last id that came; it goes on behind it, whatever after says",
        "schema": POSITION,
    }
    asked = query_parameters(Feeding)
    types: Json = {
        "name": "types",
        "in": "query",
        "description": "Only events of these types, with commas between them",
        "style": "form",
        "explode": False,
        "schema": {
            "type": "array",
            "items": {"type": "string", "enum": sorted(EVENTS)},
            "minItems": 1,
            "maxItems": len(EVENTS),
        },
    }
    return {
        "operationId": "get_events",
        "summary": "What happened, in the ledger's order, as CloudEvents: a page, or as it happens",
        "description": FEED.format(roles=roles(READERS)),
        "tags": [tag(PATH)],
        "parameters": [*(types if p["name"] == "types" else p for p in asked), last_event_id],
        "responses": {
            "200": {
                "description": "A page or a batch as of As-Of-Position, or a stream",
                "headers": AS_OF | link,
                "content": contents,
            },
            **READ_REFUSED,
        },
    }


FEED = """
For {roles}. It tells everything that is recorded, personal data included.

* **A page** (`application/json`, or `application/cloudevents-batch+json` if accepted): ask again
  with `after` set to its `next`. With `types`, `next` moves past what was left out, so a page may
  be short or empty before the end; at the end, `next` is `As-Of-Position`.
* **A stream** (`Accept: text/event-stream`): Server-Sent Events. Without `after` and Last-Event-ID
  it begins with what comes next. A comment comes as a heartbeat every 15 seconds of silence, with
  the id that was come to. Whoever is cut off connects again with Last-Event-ID and misses nothing.
  A revoked key ends its stream within a minute, and so does a server that stops.
* **The order** is that of commit, without gaps in `position`; each event comes at least once, and
  `id` tells whether it came before.
* **Proof.** `meta` and `data` are exactly the bytes that were hashed: the chain can be checked, and
  the ledger filled again, from these lines alone.
"""


def path_parameters(path: str, components: Json, asked: type[Ask]) -> list[Json]:
    parameters = []
    for name in re.findall(r"{(\w+)(?::\w+)?}", path):
        properties = components.get(asked.__name__, {}).get("properties", {})
        default = PATH_SCHEMAS.get(name, UUID if name.endswith("_id") else QUEUE)
        schema = unless_null(properties.get(name, default))
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return parameters


def query_parameters(params: type[Any]) -> list[Json]:
    [_], components = msgspec.json.schema_components([params], ref_template=REF)
    shape = components[params.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in shape.get("required", ()),
            **({"description": told} if (told := schema.pop("description", None)) else {}),
            "schema": unless_null(schema),
        }
        for name, schema in shape["properties"].items()
    ]


def unless_null(schema: Json) -> Json:
    """A query leaves out what it does not say, and a path says everything: neither has a null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] if len(choices) == 1 else {k: v for k, v in schema.items() if k != "default"}


def problems() -> dict[str, Json]:
    return {
        f"Problem{status}": {
            "title": TITLES.get(status, "Problem"),
            "type": "object",
            "properties": {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer", "const": status},
                "detail": {"type": "string", "description": "A sentence that says what to do"},
                "code": {"type": "string", "enum": sorted(codes)},
                "field": {"type": "string", "description": "The field it is about"},
            },
            "required": ["type", "title", "status", "detail", "code"],
        }
        for status, codes in CODES.items()
    }


def refusals() -> dict[str, Json]:
    return {
        str(status): {
            "description": TITLES[status],
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": REF.format(name=f"Problem{status}")}
                }
            },
        }
        for status in TITLES
    }


def refused(*statuses: int) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


REFUSED = refused(400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 500, 503)
READ_REFUSED = refused(400, 401, 403, 404, 422, 500, 503)


def roles(who: frozenset[Role]) -> str:
    return ", ".join(sorted(who - {Role.SYSTEM}))


def summary(asked: type[Ask]) -> str:
    return cleandoc(asked.__doc__ or "").splitlines()[0].rstrip(".")


def tag(path: str) -> str:
    return path.split("/")[2]


def chapter(asked: type[Ask], path: str) -> str:
    """What is asked of a case has a file for each chapter of its life."""
    return asked.__module__.rpartition(".")[2] if tag(path) == "cases" else tag(path)


def operation_id(name: str, path: str) -> str:
    """The command's name, and where the command has two paths, what tells them apart."""
    return name if len(PATHS[name]) == 1 or path == PATHS[name][0] else name + path_words(path)


def path_words(path: str) -> str:
    words = PARAMETER.sub("", path).replace("/v1/cases", "").replace("-", "/").split("/")
    return "At" + "".join(word.capitalize() for word in words)


def paths_of(tables: Iterable[Table]) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {RegisterCase.__name__: ["/v1/cases"]}
    for table in tables:
        for row in table.rows:
            paths.setdefault(row.command.__name__, []).append(table.base + row.path)
    return paths


PATHS = paths_of(TABLES)
