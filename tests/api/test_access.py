"""Who may pass which door: every route, for every role."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from api.asking import PARAMETER
from api.examples import EXAMPLES
from api.queries import QUERIES
from api.routes import TABLES
from casecore.actors import Role
from casecore.case.decisions.intake import RegisterCase
from tests.api.conftest import Client, Login
from tests.api.making import PROMISE, problem, registered

KEYED = [role for role in Role if role is not Role.SYSTEM]
SOLUTION = "018f6e2a-7c1b-7d3e-9a4b-5c6d7e8f9a0b"


def filled(path: str, case: str) -> str:
    """The path with something in the place of each id."""
    path = re.sub(r"{case_id(:uuid)?}", case.rpartition("/")[2], path)
    path = re.sub(r"{\w+:uuid}", SOLUTION, path)
    path = re.sub(r":\w+}", "}", path)
    if path.startswith("/v1/solutions"):
        path = path.replace("{solution_id}", SOLUTION)
    return PARAMETER.sub("x1", path)


@pytest.mark.parametrize("role", KEYED)
async def test_a_command_opens_to_the_roles_that_it_names(
    admin: Client, login: Login, role: Role
) -> None:
    case = await registered(admin)
    client = await login(role, "ada")
    for table in TABLES:
        for row in table.rows:
            path = filled(table.base + row.path, case)
            name = row.command.__name__
            answer = await client.post(path, json=EXAMPLES[name])
            shut = answer.status_code == 403 and f"{name} is for" in answer.json()["detail"]
            assert shut == (role not in row.command.WHO), (path, answer.text)
            assert answer.status_code < 500


@pytest.mark.parametrize("role", KEYED)
async def test_a_question_opens_to_the_roles_that_it_names(
    admin: Client, login: Login, role: Role
) -> None:
    case = await registered(admin)
    client = await login(role, "ada")
    for query in QUERIES:
        path = filled(query.path, case)
        answer = await client.get(path)
        shut = answer.status_code == 403 and answer.json()["code"] == "role-forbidden"
        assert shut == (role not in query.who), (path, answer.text)
        assert answer.status_code < 500


@pytest.mark.parametrize("role", KEYED)
async def test_registering_and_conversing_and_claiming_have_their_doors(
    admin: Client, login: Login, role: Role
) -> None:
    case = await registered(admin)
    client = await login(role, "ada")
    register = EXAMPLES["RegisterCase"] | {"received_at": None}
    may_register = role in RegisterCase.WHO
    answer = await client.post("/v1/cases", json=register)
    assert answer.status_code == (201 if may_register else 403)
    begun = {"commands": [{"type": "RegisterCase", **register}]}
    answer = await client.post("/v1/cases/commands", json=begun)
    assert answer.status_code == (201 if may_register else 403)
    noted = {"commands": [{"type": "AddNote", "text": "Hello"}]}
    answer = await client.post(f"{case}/commands", json=noted)
    assert answer.status_code == (201 if may_register else 403)
    answer = await client.post("/v1/queues/nowhere/claim-next")
    claimants = (Role.AGENT, Role.SUPERVISOR, Role.ADMIN)
    assert answer.status_code == (204 if role in claimants else 403)


async def test_without_a_key_nothing_opens_but_health_and_docs(
    admin: Client, stranger: Client
) -> None:
    case = await registered(admin)
    paths = [("GET", filled(query.path, case)) for query in QUERIES]
    for table in TABLES:
        paths += [("POST", filled(table.base + row.path, case)) for row in table.rows]
    paths += [("POST", "/v1/cases"), ("POST", f"{case}/commands"), ("POST", "/v1/cases/commands")]
    paths += [("POST", "/v1/queues/complaints/claim-next")]
    paths += [("POST", "/v1/sla/what-if"), ("POST", "/v1/policies/sla/publish")]
    paths += [("POST", "/v1/policies/sla/draft")]
    paths += [("POST", f"{case}/clocks/rebaseline"), ("POST", f"{case}/clocks/x1/rescind")]
    paths += [("GET", "/v1/events")]
    paths += [("GET", "/metrics")]
    for method, path in paths:
        answer = await stranger.request(method, path)
        problem(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_what_is_no_key_opens_nothing(stranger: Client) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic cm9vdDpyb290", "Bearer cck_no", "Bearer a b"):
        answer = await stranger.get("/v1/cases", headers={"Authorization": header})
        problem(answer, 401, "unauthenticated")


async def test_an_agent_works_on_their_own_cases_and_reads_no_others(
    admin: Client, login: Login
) -> None:
    ada, ben = await login(Role.AGENT, "ada"), await login(Role.AGENT, "ben")
    case, other = await registered(admin), await registered(admin)
    assert (await ben.get(case)).status_code == 200
    assert (await ada.post(f"{case}/claim")).status_code == 200
    assert (await ada.post(f"{case}/promises", json=PROMISE)).status_code == 201
    assert (await ada.get(case)).status_code == 200
    assert (await ada.get(f"{case}/history")).status_code == 200
    for path in (case, f"{case}/history", f"{case}?at_version=1"):
        problem(await ben.get(path), 403, "not-owner")
    problem(await ben.post(f"{case}/promises", json=PROMISE), 403, "not-owner")

    claimed = (await ada.get(case)).json()["position"]
    as_of = {"min_position": claimed}
    mine = (await ada.get("/v1/cases", params=as_of)).json()["items"]
    assert [f"/v1/cases/{item['case_id']}" for item in mine] == [case]
    assert (await ben.get("/v1/cases", params=as_of)).json()["items"] == []
    problem(await ben.get("/v1/cases", params={"owner": "ada"}), 403, "not-owner")
    assert len((await ada.get("/v1/promises")).json()["items"]) == 1
    assert (await ben.get("/v1/promises")).json()["items"] == []
    case_id = case.rpartition("/")[2]
    for path in ("/v1/promises", "/v1/goodwill", "/v1/callbacks"):
        problem(await ben.get(path, params={"case_id": case_id}), 403, "not-owner")
    waiting = (await ben.get("/v1/queues/complaints/items")).json()["items"]
    assert [f"/v1/cases/{item['case_id']}" for item in waiting] == [other]


async def test_an_agent_sees_the_callbacks_that_they_scheduled_or_those_of_one_case(
    admin: Client, login: Login
) -> None:
    ada, ben = await login(Role.AGENT, "ada"), await login(Role.AGENT, "ben")
    case = await registered(admin)
    assert (await ada.post(f"{case}/claim")).status_code == 200
    start = datetime.now(UTC) + timedelta(days=1)
    window = {"window_start": start.isoformat(), "purpose": "progress", "zone": "Europe/London"}
    window["window_end"] = (start + timedelta(hours=2)).isoformat()
    scheduled = await ada.post(f"{case}/callbacks", json=window)
    as_of = {"min_position": scheduled.json()["position"]}

    async def seen(client: Client, **params: str) -> list[str]:
        answer = await client.get("/v1/callbacks", params=as_of | params)
        return [item["callback_id"] for item in answer.json()["items"]]

    assert await seen(ada) == ["b1"]
    assert await seen(ben) == []
    assert await seen(admin) == ["b1"]
    assert await seen(admin, scheduled_by="ben") == []
    problem(await ben.get("/v1/callbacks", params={"scheduled_by": "ada"}), 403, "not-owner")


async def test_a_service_reads_what_it_registered_and_no_more(admin: Client, login: Login) -> None:
    mailbox = await login(Role.SERVICE, "mailbox")
    own, other = await registered(mailbox), await registered(admin)
    assert (await mailbox.get(own)).status_code == 200
    problem(await mailbox.get(other), 403, "own-scope")


async def test_bi_learns_no_name(admin: Client, login: Login) -> None:
    await registered(admin)
    position = (await admin.get("/v1/projections")).json()["items"][0]["head"]
    lake = await login(Role.BI, "lake")
    for query in QUERIES:
        if Role.BI in query.who and "{" not in query.path:
            read = await lake.get(query.path, params={"min_position": position})
            assert read.status_code == 200
            assert not {"Ada Byron", "cust-42", "Three weeks late"} & set(strings(read.json()))


def strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [found for item in value for found in strings(item)]
        case dict():
            return [found for item in value.values() for found in strings(item)]
    return []


async def test_the_key_of_an_actor_says_who_did_it(admin: Client, login: Login) -> None:
    ada = await login(Role.AGENT, "ada")
    case = await registered(ada)
    history = msgspec.json.decode((await admin.get(f"{case}/history")).content)
    assert history["items"][0]["actor"] == {"id": "ada", "role": "agent"}
