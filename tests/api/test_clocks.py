"""The clocks of a case over HTTP: shown, explained, moved to other versions, taken back."""

import tomllib
from typing import Any
from uuid import UUID

import pytest

from api.desk import Desks
from casecore.actors import Role
from casecore.ledger import Row
from casecore.sla.files import pack
from tests.api.conftest import Client, Login
from tests.api.making import problem, registered

PUBLISH = "/v1/policies/sla/publish"


def desk() -> dict[str, Any]:
    """The pack as a body: what its TOML says, as JSON."""
    return tomllib.loads(pack("desk"))


def stricter() -> dict[str, Any]:
    policies = desk()
    policies["policies"]["desk"]["targets"]["resolution"] = {
        "kind": "resolution",
        "target": {"kind": "elapsed_time", "seconds": 600},
    }
    return policies


async def clocks(client: Client, case: str) -> dict[str, Any]:
    answer = await client.get(f"{case}/clocks")
    assert answer.status_code == 200, answer.text
    return {clock["name"]: clock for clock in answer.json()["items"]}


async def test_without_a_policy_there_are_no_clocks_and_a_hint(admin: Client) -> None:
    case = await registered(admin)
    answer = (await admin.get(f"{case}/clocks")).json()
    assert (answer["items"], answer["summary"]) == ([], "none")
    assert "casecore policy publish --pack desk" in answer["hint"]
    await admin.post(PUBLISH, json=desk())
    assert "what-if" in (await admin.get(f"{case}/clocks")).json()["hint"]


async def test_what_is_published_gives_clocks_and_is_published_once(
    admin: Client, login: Login
) -> None:
    answer = await admin.post(PUBLISH, json=desk())
    assert (answer.status_code, answer.json()["changed"]) == (200, True)
    assert not (await admin.post(PUBLISH, json=desk())).json()["changed"]
    there = (await admin.get("/v1/policies/sla")).json()
    assert there["in_force"] == {"desk": 1}
    assert there["calendars"]["desk"][0]["calendar"]["exceptions"], "the holidays are data in it"
    sam = await login(Role.SUPERVISOR, "sam")
    problem(await sam.post(PUBLISH, json=desk()), 403, "role-forbidden")
    case = await registered(admin)
    found = await clocks(admin, case)
    assert {"acknowledgement", "first_response", "resolution"} <= set(found)
    assert found["resolution"]["state"] == "running"
    assert found["resolution"]["policy_version"] == 1
    await admin.post(f"{case}/acknowledged", json={"channel": "phone"})
    assert (await clocks(admin, case))["acknowledgement"]["state"] == "met"


async def test_of_a_file_that_is_refused_nothing_is_published(admin: Client) -> None:
    bad = desk()
    bad["policies"]["other"] = bad["policies"]["desk"]
    refused = problem(await admin.post(PUBLISH, json=bad), 422, "policy-rank-conflict")
    assert "rank 100" in refused["detail"]
    bad = stricter()
    bad["policies"]["desk"]["targets"]["resolution"]["warnings"] = [{"seconds_left": 601}]
    refused = problem(await admin.post(PUBLISH, json=bad), 422, "policy-unsound")
    assert "make it 600 or less, or a percent" in refused["detail"]
    assert (await admin.get("/v1/policies/sla")).json()["policies"] == {}
    for told, field in (({}, "policies"), ({"policies": {"a": {"rank": 1}}}, "policies.a")):
        refused = problem(await admin.post(PUBLISH, json=told), 422, "policies-unreadable")
        assert refused["field"] == field


async def test_a_clock_is_explained_line_by_line(admin: Client) -> None:
    await admin.post(PUBLISH, json=desk())
    case = await registered(admin)
    for which in ("resolution", (await clocks(admin, case))["resolution"]["clock_id"]):
        explained = (await admin.get(f"{case}/clocks/{which}/explain")).json()
        assert explained["zone"] == "Europe/London"
        assert explained["clock"]["name"] == "resolution"
        first, *_, last = explained["lines"]
        assert first["what"] == "started"
        assert last["what"] == "stands"
        counted = [line["seconds"] for line in explained["lines"] if line["what"] == "counted"]
        assert sum(counted) == explained["clock"]["target_seconds"], "until it is due"
    refused = problem(await admin.get(f"{case}/clocks/nothing/explain"), 404, "clock-not-found")
    assert "resolution" in refused["detail"]
    problem(await admin.get(f"{case}/clocks/resolution/explain?cycle=2"), 404, "clock-not-found")


async def test_running_clocks_move_to_the_versions_in_force_and_only_once(
    admin: Client, login: Login
) -> None:
    await admin.post(PUBLISH, json=desk())
    case = await registered(admin)
    await admin.post(PUBLISH, json=stricter())
    assert (await clocks(admin, case))["resolution"]["policy_version"] == 1, "R9"
    ada = await login(Role.AGENT, "ada")
    ask = {"clocks": ["resolution"], "reason": "Ten minutes from now on"}
    problem(await ada.post(f"{case}/clocks/rebaseline", json=ask), 403, "role-forbidden")
    sam = await login(Role.SUPERVISOR, "sam")
    key = {"Idempotency-Key": "once"}
    moved = await sam.post(f"{case}/clocks/rebaseline", json=ask, headers=key)
    assert moved.json()["changed"]
    again = await sam.post(f"{case}/clocks/rebaseline", json=ask, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == moved.json()
    after = (await clocks(admin, case))["resolution"]
    assert (after["policy_version"], after["target_seconds"]) == (2, 600)
    await admin.post(f"{case}/acknowledged", json={"channel": "phone"})
    over = {"clocks": ["acknowledgement"], "reason": "Too late"}
    problem(await sam.post(f"{case}/clocks/rebaseline", json=over), 422, "clock-over")
    nothing = {"clocks": ["nothing"], "reason": "?"}
    problem(await sam.post(f"{case}/clocks/rebaseline", json=nothing), 404, "clock-not-found")
    rest = await sam.post(f"{case}/clocks/rebaseline", json={"reason": "All that run"})
    assert rest.status_code == 200, rest.text


async def test_a_result_is_taken_back_by_an_event_of_the_case_that_proves_otherwise(
    admin: Client, desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.post(PUBLISH, json=desk())
    case = await registered(admin, received_at="2026-01-05T09:00:00Z")
    await admin.post(f"{case}/acknowledged", json={"channel": "phone"})
    assert (await clocks(admin, case))["acknowledgement"]["state"] == "breached"
    path = f"{case}/clocks/acknowledgement/rescind"
    unknown = {"evidence": str(UUID(int=7)), "reason": "?"}
    problem(await admin.post(path, json=unknown), 404, "evidence-not-found")
    history = (await admin.get(f"{case}/history")).json()["items"]
    early = {"evidence": history[0]["event_id"], "reason": "?"}
    problem(await admin.post(path, json=early), 422, "nothing-proven")
    await admin.post(
        f"{case}/acknowledgements",
        json={
            "mode": "written",
            "channel": "email",
            "message_ref": "mail-1",
            "occurred_at": "2026-01-05T10:00:00Z",
        },
    )
    problem(await admin.post(path, json=early), 422, "no-evidence")
    history = (await admin.get(f"{case}/history")).json()["items"]
    proof = {"evidence": history[-1]["event_id"], "reason": "The letter went out that morning"}
    recorder, read = (await desks.desk("main")).recorder, []
    history_of = recorder.history

    async def history_noted(stream_id: UUID, **limits: Any) -> list[Row]:
        if not limits:  # The whole of it.
            read.append(stream_id)
        return await history_of(stream_id, **limits)

    monkeypatch.setattr(recorder, "history", history_noted)
    rescinded = await admin.post(path, json=proof)
    assert read.count(UUID(case[-36:])) == 1
    assert rescinded.status_code == 200, rescinded.text
    assert (await clocks(admin, case))["acknowledgement"]["state"] == "met"


async def test_an_agent_sees_the_clocks_of_their_own_cases(admin: Client, login: Login) -> None:
    await admin.post(PUBLISH, json=desk())
    case = await registered(admin)
    await admin.post(f"{case}/assign", json={"agent": "ben"})
    ada = await login(Role.AGENT, "ada")
    problem(await ada.get(f"{case}/clocks"), 403, "not-owner")
    problem(await ada.get(f"{case}/clocks/resolution/explain"), 403, "not-owner")


async def test_a_draft_gives_no_clocks_and_a_policy_that_is_retired_no_more(
    admin: Client, login: Login
) -> None:
    sam = await login(Role.SUPERVISOR, "sam")
    drafted = await sam.post("/v1/policies/sla/draft", json=desk())
    assert (drafted.status_code, drafted.json()["changed"]) == (200, True)
    there = (await sam.get("/v1/policies/sla")).json()
    assert (set(there["policy_drafts"]), there["policies"]) == ({"desk"}, {})
    await admin.post(PUBLISH, json=desk())
    assert (await sam.get("/v1/policies/sla")).json()["policy_drafts"] == {}
    before = await registered(admin)
    retire = {"reason": "The desk has closed"}
    problem(await sam.post("/v1/policies/sla/desk/retire", json=retire), 403, "role-forbidden")
    problem(await admin.post("/v1/policies/sla/x/retire", json=retire), 404, "policy-not-found")
    retired = await admin.post("/v1/policies/sla/desk/retire", json=retire)
    assert retired.json()["changed"]
    after = await registered(admin)
    assert (await clocks(admin, before))["resolution"]["state"] == "running"
    assert await clocks(admin, after) == {}
