"""Lists as they were: made from the ledger aside, and the same as what was answered then."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api.conftest import Client
from tests.api.making import PROMISE, problem, registered

LISTS = (
    "/v1/cases",
    "/v1/queues",
    "/v1/queues/complaints/items",
    "/v1/promises",
    "/v1/callbacks",
    "/v1/goodwill",
    "/v1/solutions",
    "/v1/sla/clocks",
    "/v1/sla/at-risk",
)


async def listed(client: Client, path: str, **params: Any) -> Any:
    for _ in range(100):
        answer = await client.get(path, params=params)
        if answer.status_code != 503:
            assert answer.status_code == 200, answer.text
            return answer.json()
        problem(answer, 503, "as-of-being-made")
        await asyncio.sleep(0.1)
    raise TimeoutError(path)


async def test_a_list_as_of_a_position_is_what_it_was_then(admin: Client) -> None:
    case = await registered(admin)
    steps = [
        ("promises", PROMISE),
        ("assign", {"agent": "agent-7"}),
        ("discounts", {"percent_bp": 1000, "purpose": "thank_you"}),
        ("solutions", {"proposer": "customer", "text": "Deliver to the neighbour"}),
        ("solutions/s1/offer", {}),
        ("promises/p1/keep", {}),
    ]
    then = []
    for path, body in steps:
        written = await admin.post(f"{case}/{path}", json=body)
        assert written.status_code in (200, 201), written.text
        position = written.json()["position"]
        seen = {path: await listed(admin, path, min_position=position) for path in LISTS}
        then.append((position, seen))
    for position, seen in then:
        for path in LISTS:
            assert await listed(admin, path, at_position=position) == seen[path], path


async def test_a_list_as_of_a_time_is_what_was_known_then(admin: Client) -> None:
    before = datetime.now(UTC) - timedelta(days=1)
    case = await registered(admin)
    answer = await admin.get("/v1/cases")
    [item] = answer.json()["items"]
    at = item["updated_at"]
    await admin.post(f"{case}/assign", json={"agent": "agent-7"})

    assert (await listed(admin, "/v1/cases", as_of=at))["items"] == [item]
    assert (await listed(admin, "/v1/cases", as_of=before.isoformat()))["items"] == []
    assert (await listed(admin, "/v1/cases"))["items"] != [item]


async def test_a_past_that_cannot_be_is_refused_with_what_there_is(admin: Client) -> None:
    await registered(admin)
    beyond = await admin.get("/v1/cases", params={"at_position": 10**9})
    assert "come to position" in problem(beyond, 422, "position-ahead")["detail"]
    future = await admin.get("/v1/cases", params={"as_of": "2098-01-01T00:00:00Z"})
    problem(future, 422, "as-of-in-future")
    both = {"as_of": "2026-01-01T00:00:00Z", "at_position": 1}
    problem(await admin.get("/v1/cases", params=both), 422, "version-or-time")
    problem(await admin.get("/v1/policies/sla?at_position=1"), 400, "schema-violation")
