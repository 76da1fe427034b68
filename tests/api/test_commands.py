"""What every command keeps to: versions, keys, replays, conversations, and what it answers."""

import asyncio
from typing import Any

from casecore.actors import Role
from tests.api.conftest import Client, Login
from tests.api.making import PROMISE, REGISTER, problem, registered


async def version(client: Client, case: str) -> int:
    read: int = (await client.get(case)).json()["version"]
    return read


async def test_an_answer_says_whether_anything_changed(admin: Client) -> None:
    case = await registered(admin)
    for path, body in ((f"{case}/promises", PROMISE), (f"{case}/claim", {})):
        assert (await admin.post(path, json=body)).json()["changed"] is True
    again = await admin.post(f"{case}/claim")
    assert (again.status_code, again.json()["changed"]) == (200, False)
    keyed = {"Idempotency-Key": "once"}
    for _ in range(2):
        note = await admin.post(f"{case}/notes", json={"text": "Hm"}, headers=keyed)
        assert (note.status_code, note.json()["changed"]) == (201, True)


async def test_a_command_answers_what_it_made_and_how_far_the_case_has_come(admin: Client) -> None:
    case = await registered(admin)
    made = await admin.post(f"{case}/promises", json=PROMISE)
    assert made.status_code == 201
    assert made.headers["Location"] == case
    body = made.json()
    assert body["promise_id"] == "p1"
    assert body["version"] == 2
    assert made.headers["ETag"] == '"2"'
    assert made.headers["Case-Version"] == "2"
    assert made.headers["Position"] == str(body["position"])
    kept = await admin.post(f"{case}/promises/p1/keep")
    assert kept.status_code == 200
    assert "Location" not in kept.headers


async def test_what_is_so_already_is_answered_with_the_version_as_it_is(admin: Client) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/thanks", json={})
    again = await admin.post(f"{case}/thanks", json={})
    assert (again.status_code, again.json()["version"]) == (200, 2)


async def test_a_command_that_needs_nothing_takes_an_empty_body_or_none(admin: Client) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    assert (await admin.post(f"{case}/promises/p1/keep")).status_code == 200
    assert (await admin.post(f"{case}/promises/p1/keep", json={})).status_code == 200


async def test_an_intake_that_is_known_gets_its_case_again(admin: Client) -> None:
    intake = REGISTER | {"intake_source": "mailbox", "intake_ref": "msg-1"}
    first = await admin.post("/v1/cases", json=intake)
    again = await admin.post("/v1/cases", json=intake | {"reason": "Sent twice"})
    assert (first.status_code, again.status_code) == (201, 200)
    position = again.json()["position"]
    assert again.json() == first.json() | {"position": position, "changed": False}


async def test_the_same_key_carries_out_once_and_answers_the_same(admin: Client) -> None:
    case = await registered(admin)
    key = {"Idempotency-Key": "call-7"}
    first = await admin.post(f"{case}/promises", json=PROMISE, headers=key)
    await admin.post(f"{case}/notes", json={"text": "Meanwhile"})
    again = await admin.post(f"{case}/promises", json=PROMISE, headers=key)
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert await version(admin, case) == 3


async def test_a_registration_sent_again_under_its_key_is_the_same_case(admin: Client) -> None:
    key = {"Idempotency-Key": "registration-1"}
    first = await admin.post("/v1/cases", json=REGISTER, headers=key)
    again = await admin.post("/v1/cases", json=REGISTER, headers=key)
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    without = await admin.post("/v1/cases", json=REGISTER)
    assert without.json()["case_id"] != first.json()["case_id"]


async def test_a_key_is_not_taken_for_another_body_or_another_case(admin: Client) -> None:
    case, other = await registered(admin), await registered(admin)
    key = {"Idempotency-Key": "k"}
    await admin.post(f"{case}/notes", json={"text": "One"}, headers=key)
    reused = await admin.post(f"{case}/notes", json={"text": "Two"}, headers=key)
    problem(reused, 422, "idempotency-key-reuse")
    elsewhere = await admin.post(f"{other}/notes", json={"text": "One"}, headers=key)
    problem(elsewhere, 422, "idempotency-key-reuse")


async def test_the_keys_of_two_actors_never_meet(admin: Client, login: Login) -> None:
    case = await registered(admin)
    key = {"Idempotency-Key": "k"}
    await admin.post(f"{case}/notes", json={"text": "One"}, headers=key)
    sam = await login(Role.SUPERVISOR, "sam")
    other = await sam.post(f"{case}/notes", json={"text": "Two"}, headers=key)
    assert other.status_code == 201


async def test_of_many_with_one_key_one_is_carried_out(admin: Client) -> None:
    case = await registered(admin)
    key = {"Idempotency-Key": "k"}
    answers = await asyncio.gather(
        *(admin.post(f"{case}/promises", json=PROMISE, headers=key) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "command-in-progress")
    assert await version(admin, case) == 2


async def test_a_key_that_is_no_key_is_refused(admin: Client) -> None:
    case = await registered(admin)
    for key in ("", "x" * 256, "tab\there", "ünfair"):
        headers = {"Idempotency-Key": key.encode()}
        refused = await admin.post(f"{case}/notes", json={"text": "One"}, headers=headers)
        assert problem(refused, 400, "schema-violation")["field"] == "Idempotency-Key"


async def test_a_command_for_the_version_it_is_at_is_carried_out(admin: Client) -> None:
    case = await registered(admin)
    for tag in ('"1"', 'W/"2"', "*"):
        headers = {"If-Match": tag}
        answer = await admin.post(f"{case}/notes", json={"text": tag}, headers=headers)
        assert answer.status_code == 201


async def test_a_command_for_a_version_that_is_over_is_refused(admin: Client) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/notes", json={"text": "One"})
    stale = await admin.post(f"{case}/notes", json={"text": "Two"}, headers={"If-Match": '"1"'})
    assert problem(stale, 412, "precondition-failed")["current_version"] == 2
    assert await version(admin, case) == 2


async def test_a_version_that_cannot_be_read_is_refused(admin: Client) -> None:
    case = await registered(admin)
    for tag in ("1", '"one"', '"1", "2"', '"' + "9" * 40 + '"', ""):
        headers = {"If-Match": tag}
        refused = await admin.post(f"{case}/notes", json={"text": "One"}, headers=headers)
        assert problem(refused, 400, "schema-violation")["field"] == "If-Match"


async def test_a_refusal_by_a_rule_says_what_would_be_allowed(admin: Client) -> None:
    case = await registered(admin)
    refused = problem(await admin.post(f"{case}/close"), 422, "invalid-transition")
    assert refused["from_stage"] == "registered"
    assert refused["allowed"]
    assert "command_index" not in refused


def conversation(*commands: dict[str, Any]) -> dict[str, Any]:
    return {"commands": list(commands)}


async def test_a_conversation_is_carried_out_whole_and_names_what_it_made(admin: Client) -> None:
    case = await registered(admin)
    answer = await admin.post(
        f"{case}/commands",
        json=conversation(
            {"type": "HearComplaint", "customer_finished": True},
            {"type": "MakePromise", **PROMISE},
            {"type": "KeepPromise", "promise_id": "p1"},
        ),
    )
    assert answer.status_code == 201
    assert answer.json()["made"] == [{"promise_id": "p1"}]
    assert answer.json()["version"] == 4


async def test_a_conversation_may_begin_its_case(admin: Client) -> None:
    answer = await admin.post(
        "/v1/cases/commands",
        json=conversation({"type": "RegisterCase", **REGISTER}, {"type": "MakePromise", **PROMISE}),
    )
    assert answer.status_code == 201
    assert answer.json()["version"] == 2
    assert (await admin.get(answer.headers["Location"])).json()["version"] == 2


async def test_of_a_conversation_that_is_refused_nothing_stays(admin: Client) -> None:
    case = await registered(admin)
    refused = await admin.post(
        f"{case}/commands",
        json=conversation({"type": "MakePromise", **PROMISE}, {"type": "CloseCase"}),
    )
    assert problem(refused, 422, "invalid-transition")["command_index"] == 1
    assert await version(admin, case) == 1


UNREADABLE: list[tuple[Any, str]] = [
    ({}, "commands"),
    ({"commands": []}, "commands"),
    ({"commands": [{"type": "CloseCase"}] * 101}, "commands"),
    ({"commands": "all of them"}, "commands"),
    ({"commands": [{"type": "RegisterCase", **REGISTER}]}, "commands[0].type"),
    ({"commands": [{"type": "CloseCase"}, {"type": "Nothing"}]}, "commands[1].type"),
    ({"commands": [{"type": ["CloseCase"]}]}, "commands[0].type"),
    ({"commands": ["CloseCase"]}, "commands[0].type"),
    ({"commands": [{"type": "AddNote"}]}, "commands[0].text"),
    ({"commands": [{"type": "AddNote", "text": "a", "b": 1}]}, "commands[0].b"),
    ({"commands": [{"type": "CloseCase"}], "more": 1}, "more"),
]


async def test_a_conversation_that_cannot_be_read_names_where(admin: Client) -> None:
    case = await registered(admin)
    for body, field in UNREADABLE:
        refused = await admin.post(f"{case}/commands", json=body)
        assert problem(refused, 400, "schema-violation")["field"] == field


async def test_the_next_case_of_a_queue_is_the_oldest_and_then_there_is_none(
    admin: Client, login: Login
) -> None:
    ada = await login(Role.AGENT, "ada")
    older = await registered(admin, received_at="2026-01-02T09:00:00Z")
    newer = await registered(admin, received_at="2026-01-03T09:00:00Z")
    await up_to_date(admin, newer)
    claimed = [await ada.post("/v1/queues/complaints/claim-next") for _ in range(3)]
    assert [answer.status_code for answer in claimed] == [200, 200, 204]
    cases = [f"/v1/cases/{answer.json()['case_id']}" for answer in claimed[:2]]
    assert cases == [older, newer]


async def test_many_who_claim_at_once_each_get_a_case_of_their_own(
    admin: Client, login: Login
) -> None:
    agents = [await login(Role.AGENT, f"agent-{n}") for n in range(6)]
    cases = [await registered(admin) for _ in range(5)]
    await up_to_date(admin, cases[-1])
    answers = await asyncio.gather(
        *(agent.post("/v1/queues/complaints/claim-next") for agent in agents)
    )
    claimed = [answer.json()["case_id"] for answer in answers if answer.status_code == 200]
    assert sorted(f"/v1/cases/{case_id}" for case_id in claimed) == sorted(cases)
    assert [answer.status_code for answer in answers].count(204) == 1


async def test_a_claim_sent_again_under_its_key_is_the_same_case(
    admin: Client, login: Login
) -> None:
    ada = await login(Role.AGENT, "ada")
    await registered(admin)
    await up_to_date(admin, await registered(admin))
    key = {"Idempotency-Key": "claim-1"}
    first = await ada.post("/v1/queues/complaints/claim-next", headers=key)
    again = await ada.post("/v1/queues/complaints/claim-next", headers=key)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"


async def up_to_date(client: Client, case: str) -> None:
    position = (await client.get(case)).json()["position"]
    await client.get("/v1/queues", params={"min_position": position})
