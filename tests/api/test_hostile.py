"""Whatever is sent: never a failure of ours, never half a command, and text comes back as sent."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from api.bodies import BODY_MAX
from api.desk import Desks
from casecore.asking import TEXT_MAX
from tests.api.conftest import Client
from tests.api.making import PROMISE, REGISTER, problem, registered
from tests.api.vectors import json_texts, naughty_strings, needs_vectors

STRINGS_IN_ONE = 50
"""How many naughty strings one conversation brings: each refusal must leave nothing of them."""


async def kinds_of_routes(client: Client) -> list[str]:
    """A path of every kind that takes a body."""
    case = await registered(client)
    await client.post(f"{case}/promises", json=PROMISE)
    return [
        "/v1/cases",
        "/v1/cases/commands",
        f"{case}/commands",
        f"{case}/notes",
        f"{case}/promises/p1/keep",
        f"{case}/discounts",
        "/v1/solutions/018f6e2a-7c1b-7d3e-9a4b-5c6d7e8f9a0b/revise",
        "/v1/policies/goodwill",
        "/v1/queues/nowhere/claim-next",
    ]


async def ledger_head(client: Client) -> int:
    [*_, last] = (await client.get("/v1/projections")).json()["items"]
    head: int = last["head"]
    return head


@needs_vectors
async def test_json_texts_are_refused_or_carried_out_whole(admin: Client) -> None:
    for path in await kinds_of_routes(admin):
        before = await ledger_head(admin)
        for name, raw in json_texts().items():
            headers = {"Content-Type": "application/json"}
            answer = await admin.post(path, content=raw, headers=headers)
            harmless = raw.strip() in (b"", b"{}")
            assert answer.status_code in (400, 422) or harmless, (path, name, answer.text)
            assert answer.status_code < 500
            if answer.status_code == 400:
                problem(answer, 400, answer.json()["code"])
                assert name[0] != "n" or answer.json()["code"] != "nul-character", name
        written = await ledger_head(admin) - before
        assert written == (1 if path.endswith("/keep") else 0), path


@needs_vectors
async def test_json_texts_inside_a_field_are_refused_or_stored_as_they_are(admin: Client) -> None:
    case = await registered(admin)
    stored = []
    for name, raw in json_texts().items():
        body = b'{"text":%s}' % raw
        headers = {"Content-Type": "application/json"}
        answer = await admin.post(f"{case}/notes", content=body, headers=headers)
        assert answer.status_code in (200, 201, 400), (name, answer.text)
        if answer.status_code == 201:
            assert name[0] != "n", name
            stored.append(json.loads(body)["text"])
    assert stored
    read = (await admin.get(case)).json()
    assert [note["text"] for note in read["notes"]] == stored


@needs_vectors
async def test_naughty_strings_come_back_as_they_were_sent(admin: Client) -> None:
    case = await registered(admin)
    sent = [text for text in dict.fromkeys(naughty_strings()) if text and "\0" not in text]
    for start in range(0, len(sent), STRINGS_IN_ONE):
        notes = [{"type": "AddNote", "text": t} for t in sent[start : start + STRINGS_IN_ONE]]
        answer = await admin.post(f"{case}/commands", json={"commands": notes})
        assert answer.status_code == 201, answer.text
    read = (await admin.get(case)).json()
    assert [note["text"] for note in read["notes"]] == sent
    told, after = [], {}
    while True:
        page = (await admin.get(f"{case}/history", params={"limit": 200, **after})).json()
        told += [e["data"]["text"] for e in page["items"] if e["type"] == "NoteAdded"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert told == sent


@needs_vectors
async def test_naughty_strings_anywhere_are_kept_or_refused_in_words(admin: Client) -> None:
    for text in naughty_strings():
        customer = {"ref": text or "-", "name": text or None}
        answer = await admin.post("/v1/cases", json=REGISTER | {"customer": customer})
        if answer.status_code != 201:
            assert len(text) > 200 or "\0" in text
            problem(answer, 400, answer.json()["code"])
            continue
        read = (await admin.get(answer.headers["Location"])).json()
        assert read["customer"]["ref"] == (text or "-")
        assert read["customer"]["name"] == (text or None)


@needs_vectors
async def test_naughty_strings_in_paths_and_questions_find_nothing(admin: Client) -> None:
    case = await registered(admin)
    for text in naughty_strings():
        for params in ({"customer": text}, {"after": text}, {text or "-": "x"}):
            answer = await admin.get("/v1/cases", params=params)
            assert answer.status_code in (200, 400), (params, answer.text)
        segment = httpx.URL("/").copy_with(params={"a": text}).query.decode()[2:]
        for method, path in (
            ("GET", f"/v1/cases/{segment}"),
            ("GET", f"/v1/queues/{segment}/items"),
            ("POST", f"/v1/queues/{segment}/claim-next"),
            ("POST", f"{case}/promises/{segment}/keep"),
        ):
            answer = await admin.request(method, path)
            assert answer.status_code in (200, 204, 400, 404, 405), (path, answer.text)


async def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_so(admin: Client) -> None:
    case = await registered(admin)
    much = b'{"text":"' + b"a" * BODY_MAX + b'"}'
    headers = {"Content-Type": "application/json"}
    announced = await admin.post(f"{case}/notes", content=much, headers=headers)
    problem(announced, 413, "body-too-large")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(much), 65_536):
            yield much[start : start + 65_536]

    unannounced = await admin.post(f"{case}/notes", content=chunks(), headers=headers)
    problem(unannounced, 413, "body-too-large")


async def test_a_text_over_its_limit_is_refused_and_one_at_it_is_kept(admin: Client) -> None:
    case = await registered(admin)
    longest = "ä" * TEXT_MAX
    assert (await admin.post(f"{case}/notes", json={"text": longest})).status_code == 201
    refused = await admin.post(f"{case}/notes", json={"text": longest + "."})
    assert problem(refused, 400, "schema-violation")["field"] == "text"


async def test_a_body_that_is_not_json_by_its_name_is_refused(admin: Client) -> None:
    case = await registered(admin)
    raw = b'{"text":"Hello"}'
    for media_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "x"):
        headers = {"Content-Type": media_type}
        refused = await admin.post(f"{case}/notes", content=raw, headers=headers)
        problem(refused, 415, "unsupported-media-type")
    for media_type in ("application/json; charset=utf-8", "application/vnd.desk+json"):
        headers = {"Content-Type": media_type}
        text = json.dumps({"text": media_type}).encode()
        kept = await admin.post(f"{case}/notes", content=text, headers=headers)
        assert kept.status_code == 201
    unnamed = await admin.send(admin.build_request("POST", f"{case}/notes", content=raw))
    assert unnamed.status_code == 201


async def test_what_is_not_there_is_told_as_a_problem_like_any_other(admin: Client) -> None:
    unknown = "/v1/cases/018f6e2a-7c1b-7d3e-9a4b-5c6d7e8f9a0b"
    problem(await admin.get("/v1/nothing"), 404, "not-found")
    problem(await admin.get("/v1/cases/not-a-uuid"), 404, "not-found")
    problem(await admin.get(unknown), 404, "case-not-found")
    problem(await admin.post(f"{unknown}/notes", json={"text": "Hm"}), 404, "case-not-found")
    case = await registered(admin)
    missing = problem(await admin.post(f"{case}/promises/p9/keep"), 404, "promise-not-found")
    assert missing["field"] == "promise_id"
    odd = await admin.post(f"{case}/promises/not-an-id/keep")
    assert problem(odd, 400, "schema-violation")["field"] == "promise_id"
    wrong = await admin.delete("/v1/cases")
    problem(wrong, 405, "method-not-allowed")
    assert {"GET", "POST"} <= set(wrong.headers["Allow"].replace(" ", "").split(","))


@pytest.mark.parametrize("name", ["%00", "a" * 5_000, "docs.js/x", "nothing"])
async def test_a_name_that_no_file_has_is_told_as_not_there(stranger: Client, name: str) -> None:
    problem(await stranger.get(f"/docs/{name}"), 404, "not-found")


async def test_a_failure_of_ours_tells_a_reference_and_nothing_else(
    admin: Client, desks: Desks, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await registered(admin)
    desk = await desks.desk("main")
    monkeypatch.setattr(desk.core, "now", lambda: 1 / 0)
    failed = await admin.post(f"{case}/notes", json={"text": "Hm"})
    told = problem(failed, 500, "internal-error")
    assert told["reference"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "division" not in failed.text


async def test_without_its_database_a_question_is_told_to_come_again(
    admin: Client, desks: Desks
) -> None:
    await admin.get("/v1/cases")
    await desks.pool.close()
    gone = await admin.get("/v1/cases")
    problem(gone, 503, "store-unavailable")
    assert gone.headers["Retry-After"] == "1"
    problem(await admin.get("/v1/health/ready"), 503, "not-ready")
