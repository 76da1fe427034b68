"""Questions: read-your-writes, pages, the past, and what a bad question is told."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from casecore.actors import Role
from tests.api.conftest import Client, Login
from tests.api.making import PROMISE, problem, registered

LISTS = (
    "/v1/cases",
    "/v1/queues/complaints/items",
    "/v1/promises",
    "/v1/callbacks",
    "/v1/goodwill",
    "/v1/solutions",
)


async def test_what_was_written_is_read_when_its_position_is_asked_for(admin: Client) -> None:
    for number in range(10):
        made = await admin.post("/v1/cases", json=case_of(number))
        listed = await admin.get(
            "/v1/cases",
            params={"customer": f"cust-{number}", "min_position": made.json()["position"]},
        )
        assert [item["case_id"] for item in listed.json()["items"]] == [made.json()["case_id"]]
        assert int(listed.headers["As-Of-Position"]) >= made.json()["position"]


async def test_who_wrote_something_reads_it_without_asking_for_its_position(admin: Client) -> None:
    for number in range(10):
        await admin.post("/v1/cases", json=case_of(number))
        listed = await admin.get("/v1/cases", params={"customer": f"cust-{number}"})
        assert len(listed.json()["items"]) == 1


async def test_a_position_that_does_not_come_is_answered_with_when_to_ask_again(
    admin: Client,
) -> None:
    lagging = await admin.get("/v1/cases", params={"min_position": 10**12})
    assert problem(lagging, 503, "projection-lagging")["as_of_position"] >= 0
    assert lagging.headers["Retry-After"] == "1"


def case_of(number: int) -> dict[str, Any]:
    return {
        "channel": "web",
        "customer": {"ref": f"cust-{number}"},
        "reason": f"Complaint {number}",
        "received_at": f"2026-01-{number % 9 + 1:02}T09:00:00Z",
    }


async def test_pages_together_are_the_whole_list_in_order(admin: Client) -> None:
    answers = await asyncio.gather(
        *(admin.post("/v1/cases", json=case_of(number)) for number in range(25))
    )
    newest = max(answer.json()["position"] for answer in answers)
    whole = (await admin.get("/v1/cases", params={"min_position": newest})).json()["items"]
    assert len(whole) == 25
    pages, after = [], {}
    while True:
        page = (await admin.get("/v1/cases", params={"limit": 7, **after})).json()
        pages.append(page["items"])
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert [len(page) for page in pages] == [7, 7, 7, 4]
    assert [item for page in pages for item in page] == whole


async def test_a_cursor_that_was_tampered_with_is_refused(admin: Client) -> None:
    for path in LISTS:
        for cursor in ("x", "WzFd", "bnVsbA", "\0", "ü", "W1tbW1tbW1tb", "e30"):
            refused = await admin.get(path, params={"after": cursor})
            assert refused.status_code == 400, (path, cursor)


async def test_a_question_that_cannot_be_read_names_the_field(admin: Client) -> None:
    for path in LISTS:
        for query, field in (
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=ten", "limit"),
            ("min_position=-1", "min_position"),
            (f"min_position={2**63}", "min_position"),
            ("after=x", "after"),
            ("nothing=1", "nothing"),
            ("min_position=null", "min_position"),
        ):
            refused = await admin.get(f"{path}?{query}")
            assert problem(refused, 400, "schema-violation")["field"] == field


async def test_a_query_string_that_is_no_query_is_refused(admin: Client) -> None:
    for query, code in (
        ("customer=%ff", "invalid-utf-8"),
        ("customer=%ed%a0%80", "invalid-utf-8"),
        ("customer=a%00b", "nul-character"),
        ("customer=a&customer=b", "repeated-name"),
        ("&".join(f"a{n}=1" for n in range(40)), "schema-violation"),
    ):
        problem(await admin.get(f"/v1/cases?{query}"), 400, code)


async def test_a_case_is_read_as_it_was(admin: Client) -> None:
    case = await registered(admin)
    before = datetime.now(UTC).isoformat()
    await admin.post(f"{case}/promises", json=PROMISE)
    now = await admin.get(case)
    assert now.headers["ETag"] == '"2"'
    assert len(now.json()["promises"]) == 1
    first = await admin.get(case, params={"at_version": 1})
    assert first.json()["promises"] == []
    assert (await admin.get(case, params={"as_of": before})).json() == first.json()
    position = {"at_position": first.json()["position"]}
    assert (await admin.get(case, params=position)).json() == first.json()


async def test_a_case_is_not_read_as_it_never_was(admin: Client) -> None:
    case = await registered(admin)
    problem(await admin.get(case, params={"at_version": 2}), 404, "version-not-found")
    early = await admin.get(case, params={"as_of": "1999-01-01T00:00:00Z"})
    problem(early, 404, "case-not-found")
    both = {"at_version": 1, "as_of": "2026-01-01T00:00:00Z"}
    assert problem(await admin.get(case, params=both), 422, "version-or-time")["field"] == "as_of"
    both = {"at_version": 1, "at_position": 1, "happened_by": "2026-01-01T00:00:00Z"}
    refused = problem(await admin.get(case, params=both), 422, "version-or-time")
    assert refused["field"] == "at_position"
    problem(await admin.get(case, params={"at_position": 10**9}), 404, "position-not-found")
    impossible = await admin.get(case, params={"as_of": "0001-01-01T00:00:00+14:00"})
    problem(impossible, 422, "time-out-of-range")
    number = await admin.get(case, params={"as_of": "1767225600"})
    assert problem(number, 400, "schema-violation")["field"] == "as_of"
    naive = await admin.get(case, params={"as_of": "2026-01-01T00:00:00"})
    assert problem(naive, 400, "schema-violation")["field"] == "as_of"


async def test_a_history_tells_who_did_what_a_page_at_a_time(admin: Client) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    await admin.post(f"{case}/promises/p1/keep", json={"how": "by phone"})
    first = (await admin.get(f"{case}/history", params={"limit": 2})).json()
    rest = (await admin.get(f"{case}/history", params={"after": first["next"]})).json()
    assert [event["type"] for event in first["items"]] == ["CaseRegistered", "PromiseMade"]
    [kept] = rest["items"]
    assert rest["next"] is None
    assert kept["version"] == 3
    assert kept["sentence"].startswith("root ")
    assert kept["actor"] == {"id": "root", "role": "admin"}
    assert kept["data"]["promise_id"] == "p1"
    assert len(bytes.fromhex(kept["head"])) == 32


async def test_a_replay_tells_what_each_event_changed_a_page_at_a_time(admin: Client) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    whole = (await admin.get(f"{case}/replay")).json()
    first = (await admin.get(f"{case}/replay", params={"limit": 1})).json()
    await admin.post(f"{case}/notes", json={"text": "Late news"})
    rest = (await admin.get(f"{case}/replay", params={"after": first["next"]})).json()
    assert [*first["items"], *rest["items"]] == whole["items"]
    assert rest["next"] is None
    added = {change["path"]: change["after"] for change in first["items"][0]["changes"]}
    assert added["/reason"] == "Three weeks late"
    [made] = rest["items"]
    assert made["sentence"].startswith("root ")
    assert made["actor"] == {"id": "root", "role": "admin"}
    [change] = made["changes"]
    assert (change["path"], change["kind"], change["before"]) == ("/promises/p1", "added", None)
    assert change["after"]["text"] == PROMISE["text"]


async def test_a_call_recorded_late_is_in_its_place_in_the_order_of_happening(
    admin: Client,
) -> None:
    received = datetime.now(UTC) - timedelta(hours=3)
    case = await registered(admin, received_at=received.isoformat())
    await admin.post(f"{case}/heard", json={"customer_finished": True})
    called = {"text": "She rang", "occurred_at": (received + timedelta(hours=1)).isoformat()}
    await admin.post(f"{case}/notes", json=called)
    by = {"happened_by": (received + timedelta(hours=2)).isoformat()}
    happened = (await admin.get(f"{case}/replay", params=by)).json()["items"]
    assert [step["version"] for step in happened] == [1, 3]
    known = (await admin.get(case, params=by)).json()
    assert (len(known["notes"]), known["heard_at"]) == (1, None)
    nothing = {**by, "as_of": (received + timedelta(hours=2)).isoformat()}
    problem(await admin.get(f"{case}/replay", params=nothing), 404, "case-not-found")


async def test_head_answers_the_headers_alone(admin: Client) -> None:
    for path in ("/v1/cases", "/v1/queues", "/v1/health/live", "/v1/openapi.json"):
        got, headed = await admin.get(path), await admin.head(path)
        assert headed.status_code == got.status_code == 200
        assert headed.content == b""
        assert headed.headers["Content-Length"] == got.headers["Content-Length"]


async def test_a_policy_is_drafted_published_and_read(admin: Client) -> None:
    terms = {"limits": [{"role": "agent", "percent_bp": 500}]}
    drafted = await admin.post("/v1/policies/goodwill", json={"terms": terms})
    assert drafted.status_code == 200, drafted.text
    before = (await admin.get("/v1/policies/goodwill")).json()
    assert before["draft"]["limits"][0]["percent_bp"] == 500
    published = await admin.post("/v1/policies/goodwill/publish", json={"terms": terms})
    assert published.status_code == 200, published.text
    policy = (await admin.get("/v1/policies/goodwill")).json()
    assert policy["in_force"] == before["in_force"] + 1
    assert policy["versions"][-1]["terms"]["limits"][0]["percent_bp"] == 500


async def test_a_nominated_solution_is_found_in_the_library_and_endorsed(admin: Client) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/assign", json={"agent": "ada"})
    proposed = {"proposer": "customer", "text": "Deliver to the neighbour"}
    await admin.post(f"{case}/solutions", json=proposed)
    await admin.post(f"{case}/solutions/s1/offer")
    await admin.post(f"{case}/solutions/s1/accept", json={"in_writing": True})
    nominate = {"title": "Neighbour", "why": "It works"}
    nominated = await admin.post(f"{case}/solutions/s1/nominate", json=nominate)
    solution = f"/v1/solutions/{nominated.json()['library_solution_id']}"
    endorsed = await admin.post(f"{solution}/endorse", json={"why": "Nine of ten"})
    assert endorsed.status_code == 200, endorsed.text
    as_of = {"min_position": endorsed.json()["position"]}
    read = (await admin.get(solution, params=as_of)).json()
    assert (read["title"], read["status"]) == ("Neighbour", "endorsed")
    kinds = (await admin.get("/v1/solutions", params={"kind": "library"})).json()["items"]
    assert kinds == [read]
    unknown = await admin.get("/v1/solutions/018f6e2a-7c1b-7d3e-9a4b-5c6d7e8f9a0b")
    problem(unknown, 404, "solution-not-found")


async def test_the_read_models_say_how_far_they_are(admin: Client) -> None:
    case = await registered(admin)
    position = (await admin.get(case)).json()["position"]
    read = await admin.get("/v1/projections", params={"min_position": position})
    assert {item["name"] for item in read.json()["items"]} >= {"cases", "promises", "agent_queues"}
    assert all(item["position"] >= position for item in read.json()["items"])


async def test_health_needs_no_key_and_says_when_the_desk_is_closing(
    stranger: Client, desks: Any
) -> None:
    assert (await stranger.get("/v1/health/live")).json() == {"status": "live"}
    assert (await stranger.get("/v1/health/ready")).json() == {"status": "ready"}
    desks.closing = True
    problem(await stranger.get("/v1/health/ready"), 503, "not-ready")


async def test_two_ledgers_know_nothing_of_each_other(admin: Client, login: Login) -> None:
    case = await registered(admin)
    other = await login(Role.ADMIN, "root", "other-brand")
    problem(await other.get(case), 404, "case-not-found")
    problem(await other.post(f"{case}/notes", json={"text": "Hm"}), 404, "case-not-found")
    assert (await other.get("/v1/cases")).json()["items"] == []
