"""The table of commands is complete, and its documentation is true."""

import json
import re
from typing import Any, get_args

import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from api import bodies
from api.asking import PARAMETER, Row
from api.examples import EXAMPLES
from api.openapi import document
from api.problems import CODES
from api.routes import CASES, LIBRARY, POLICY, TABLES
from casecore.asking import Ask
from casecore.case.decisions import CaseCommand
from casecore.case.decisions.intake import RegisterCase
from casecore.goodwill.decisions import GoodwillPolicyCommand
from casecore.solutions.decisions import LibraryCommand
from tests.api.conftest import Client

ROWS = [row for table in TABLES for row in table.rows]
COMMANDS: list[type[Ask]] = [RegisterCase, *(row.command for row in ROWS)]
GIVEN = {"note_id": "n1", "followup_id": "f1"}


def test_every_command_has_a_row() -> None:
    assert {row.command for row in CASES.rows} | {RegisterCase} == set(get_args(CaseCommand))
    assert {row.command for row in LIBRARY.rows} == set(get_args(LibraryCommand))
    assert {row.command for row in POLICY.rows} == set(get_args(GoodwillPolicyCommand))


def test_no_two_rows_share_a_path() -> None:
    paths = [table.base + row.path for table in TABLES for row in table.rows]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_row_fits_its_command_and_its_fact(row: Row) -> None:
    assert set(PARAMETER.findall(row.path)) <= set(row.command.__struct_fields__)
    assert (row.makes is None) == (row.answers == "")
    if row.makes:
        assert row.answers in row.makes.__struct_fields__


@pytest.mark.parametrize("row", [Row("/cases", RegisterCase), *ROWS], ids=lambda row: row.path)
def test_the_example_of_a_command_can_be_read(row: Row) -> None:
    raw = msgspec.json.encode(EXAMPLES[row.command.__name__])
    given = {name: GIVEN.get(name, "p1") for name in PARAMETER.findall(row.path)}
    assert isinstance(bodies.command(bodies.parsed(raw), row.command, given), row.command)


def test_no_example_is_left_over() -> None:
    assert set(EXAMPLES) == {command.__name__ for command in COMMANDS}


def test_whatever_a_command_takes_has_a_limit() -> None:
    _, components = msgspec.json.schema_components(COMMANDS)
    assert [where for name, s in components.items() for where in unlimited(s, name)] == []


def unlimited(schema: Any, where: str) -> list[str]:
    """The places of a schema where a text, a number or a list may be of any size."""
    match schema:
        case {"type": "string"} if not {"maxLength", "format", "enum", "pattern"} & schema.keys():
            return [where]
        case {"type": "integer"} if "maximum" not in schema and "enum" not in schema:
            return [where]
        case {"type": "array", "items": items} if "maxItems" not in schema:
            return [where, *unlimited(items, f"{where}[]")]
    found = []
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if key == "properties":
            found += [w for n, s in value.items() for w in unlimited(s, f"{where}.{n}")]
        elif key in ("items", "additionalProperties"):
            found += unlimited(value, f"{where}[]")
        elif key == "anyOf":
            found += [w for choice in value for w in unlimited(choice, where)]
    return found


def test_the_document_names_every_command_and_every_code() -> None:
    openapi = json.loads(document())
    operations = [op for path in openapi["paths"].values() for op in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert {command.__name__ for command in COMMANDS} <= set(ids)
    codes = {
        code
        for name, schema in openapi["components"]["schemas"].items()
        if name.startswith("Problem")
        for code in schema["properties"]["code"]["enum"]
    }
    assert codes == {code for listed in CODES.values() for code in listed}


async def test_every_path_there_is_is_documented(app: Litestar) -> None:
    served = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith(("/v1/", "/metrics"))
        for method in route.methods - {"HEAD", "OPTIONS"}
    }
    paths = json.loads(document())["paths"]
    documented = {(path, method) for path, item in paths.items() for method in item}
    assert documented == served - {("/v1/openapi.json", "get")}


def test_the_commands_to_a_case_are_in_chapters() -> None:
    paths = json.loads(document())["paths"]
    tags = {path: item["post"]["tags"] for path, item in paths.items() if "post" in item}
    assert tags["/v1/cases"] == tags["/v1/cases/{case_id}/notes"] == ["intake"]
    assert tags["/v1/cases/{case_id}/promises/{promise_id}/keep"] == ["promises"]
    assert tags["/v1/policies/goodwill"] == ["policies"]
    assert len({tag for [tag] in tags.values()}) > 12


async def test_the_root_leads_to_the_page(stranger: Client) -> None:
    answer = await stranger.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")


async def test_the_document_and_its_page_need_no_key_and_no_internet(stranger: Client) -> None:
    openapi = await stranger.get("/v1/openapi.json")
    assert openapi.json()["openapi"] == "3.1.0"
    page = await stranger.get("/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["Cache-Control"] == "max-age=3600"
    assert page.headers["Content-Disposition"] == 'inline; filename="index.html"'
    assert "http" not in page.text.replace("http-equiv", "")
    for asset in ("docs.js", "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert f"/docs/{asset}" in page.text
        assert (await stranger.get(f"/docs/{asset}")).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/", "/v1/openapi.json"])
async def test_who_asks_for_the_head_of_a_page_gets_it_without_the_body(
    stranger: Client, path: str
) -> None:
    whole, head = await stranger.get(path), await stranger.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers == whole.headers
