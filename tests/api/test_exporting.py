"""Exports over HTTP: who gets them, how they come, and what happens when they do not."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from api import exporting
from api.exporting import Streamed
from api.exports.running import FORMATS
from casecore.actors import Role
from tests.api.conftest import Client, Login
from tests.api.making import PROMISE, problem, registered

GIVEN = {"occurred_at": "2026-03-02T12:00:00.123456Z"}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
async def test_auditors_and_admins_take_the_ledger_away(login: Login, role: Role) -> None:
    client = await login(role, "ada")
    for format in FORMATS:
        answer = await client.get(f"/v1/exports/{format}")
        if role in (Role.AUDITOR, Role.ADMIN):
            assert answer.status_code == 200
        else:
            problem(answer, 403, "role-forbidden")


async def test_nobody_does_without_a_key(stranger: Client) -> None:
    problem(await stranger.get("/v1/exports/xes"), 401, "unauthenticated")


@pytest.mark.parametrize("format", FORMATS)
async def test_an_export_has_a_name_and_says_as_of_when_it_is(admin: Client, format: str) -> None:
    case = await registered(admin)
    position = (await admin.post(f"{case}/promises", json=PROMISE)).headers["Position"]
    answer = await admin.get(f"/v1/exports/{format}")
    extension = FORMATS[format].extension
    assert answer.headers["As-Of-Position"] == position
    assert answer.headers["Content-Type"] == FORMATS[format].media_type
    name = f"casecore-main-{position}.{extension}"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    packed = await admin.get(f"/v1/exports/{format}?gzip=true")
    assert f'"{name}.gz"' in packed.headers["Content-Disposition"]
    assert packed.headers["Content-Type"] == "application/gzip"
    assert gzip.decompress(packed.content) == answer.content
    head = await admin.head(f"/v1/exports/{format}")
    assert head.headers["Content-Disposition"] == answer.headers["Content-Disposition"]
    assert head.content == b""


async def test_an_export_goes_no_further_than_the_position_or_time_it_is_of(
    admin: Client,
) -> None:
    case = await registered(admin)
    position = int((await admin.get(case)).headers["As-Of-Position"])
    [first] = [json.loads(line) async for line in lines_of(admin, f"?case_id={case[-36:]}")]
    await admin.post(f"{case}/promises", json=PROMISE)
    path = "/v1/exports/cloudevents"
    for asked in (f"at_position={first['position']}", f"as_of={first['recordedat']}"):
        answer = await admin.get(f"{path}?{asked}")
        assert answer.headers["As-Of-Position"] == str(first["position"])
        assert json.loads(answer.text.splitlines()[-1]) == first
    assert (await admin.get(f"{path}?as_of=2020-01-01T00:00:00Z")).text == ""
    ahead = await admin.get(f"{path}?at_position={position + 100}")
    assert problem(ahead, 422, "position-ahead")["head"] == first["position"] + 1
    both = await admin.get(f"{path}?at_position=1&as_of=2020-01-01T00:00:00Z")
    problem(both, 422, "version-or-time")


async def lines_of(client: Client, query: str = "") -> AsyncGenerator[str]:
    answer = await client.get(f"/v1/exports/cloudevents{query}")
    assert answer.status_code == 200, answer.text
    for line in answer.text.splitlines():
        yield line


async def test_cases_are_chosen_by_what_they_are_about(admin: Client) -> None:
    await registered(admin, product="delivery", channel="phone")
    other = await registered(admin, product="billing", channel="email")

    async def chosen(query: str) -> set[str]:
        answer = await admin.get(f"/v1/exports/csv?{query}")
        assert answer.status_code == 200, answer.text
        return {line.split(",")[1] for line in answer.text.splitlines()[1:]}

    assert len(await chosen("")) == 2
    for query in ("product=billing", "channel=email", f"case_id={other[-36:]}"):
        assert await chosen(query) == {other[-36:]}, query
    assert await chosen("product=nothing") == set()
    assert await chosen("received_before=2020-01-01T00:00:00Z") == set()
    assert len(await chosen("received_from=2020-01-01T00:00:00Z")) == 2


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("parquet", 404, "format-not-found"),
        ("xes?case_id=00000000-0000-0000-0000-000000000001", 404, "case-not-found"),
        ("xes?case_id=C-1", 400, "schema-violation"),
        ("xes?channel=pigeon", 400, "schema-violation"),
        ("xes?colour=red", 400, "schema-violation"),
        ("xes?at_position=-1", 400, "schema-violation"),
        ("xes?gzip=perhaps", 400, "schema-violation"),
        ("cloudevents?product=delivery", 422, "not-by-content"),
        (
            "csv?received_from=2026-01-02T00:00:00Z&received_before=2026-01-01T00:00:00Z",
            422,
            "no-time-between",
        ),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_sent(
    admin: Client, path: str, status: int, code: str
) -> None:
    problem(await admin.get(f"/v1/exports/{path}"), status, code)


async def test_only_so_many_at_a_time_need_the_disk(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ON_DISK_MAX", 0)
    answer = await admin.get("/v1/exports/ocel-sqlite")
    problem(answer, 503, "exports-busy")
    assert answer.headers["Retry-After"]
    assert (await admin.get("/v1/exports/xes")).status_code == 200
    monkeypatch.setattr(exporting, "ON_DISK_MAX", 1)
    for _ in range(3):
        assert (await admin.get("/v1/exports/ocel-sqlite")).status_code == 200


class Made:
    """Chunks without an end, and how many of them were made."""

    def __init__(self) -> None:
        self.chunks = 0
        self.closed = False

    async def endless(self) -> AsyncGenerator[bytes]:
        try:
            while True:
                self.chunks += 1
                yield b"x"
                await asyncio.sleep(0)
        finally:
            self.closed = True


async def test_an_export_ends_when_nobody_is_there_any_more() -> None:
    made, sent = Made(), []
    gone = asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if made.chunks == 10:
            gone.set()

    async with asyncio.timeout(5):
        await Streamed(made.endless(), [])({"method": "GET"}, receive, send)  # type: ignore[arg-type, typeddict-item]
    assert made.closed
    assert made.chunks < 20
    assert sent[-1]["more_body"]


async def test_an_export_that_takes_long_to_begin_ends_as_well() -> None:
    closed = False

    async def slow() -> AsyncGenerator[bytes]:
        nonlocal closed
        try:
            await asyncio.sleep(60)
            yield b""
        finally:
            closed = True

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    async with asyncio.timeout(5):
        await Streamed(slow(), [])({"method": "GET"}, receive, send)  # type: ignore[arg-type, typeddict-item]
    assert closed
