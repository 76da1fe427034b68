"""The walk of the README: a complaint's whole life, over HTTP."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.api.conftest import Client

REGISTER = {
    "channel": "phone",
    "received_at": "2026-11-02T09:15:00Z",
    "customer": {"ref": "cust-42", "name": "Ada Byron", "company": "Analytical Engines"},
    "reason": "Three weeks late and nobody calls back",
    "product": "delivery",
    "heat": 3,
}


async def test_a_complaint_walks_through_its_life(admin: Client) -> None:
    registered = await admin.post("/v1/cases", json=REGISTER)
    assert registered.status_code == 201, registered.text
    body = registered.json()
    case_id = UUID(body["case_id"])
    here = f"/v1/cases/{case_id}"
    assert registered.headers["Location"] == here
    assert registered.headers["ETag"] == '"1"'
    assert registered.headers["Position"] == str(body["position"])
    assert body["version"] == 1
    assert body["case_ref"].startswith("C-")

    async def ask(path: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = await admin.post(here + path, json=asked)
        assert answer.status_code in (200, 201), answer.text
        read: dict[str, Any] = answer.json()
        assert answer.headers["ETag"] == f'"{read["version"]}"'
        return read

    notes = [
        {"kind": "fact", "text": "Ordered on 12 October"},
        {"kind": "feeling", "text": "Ignored"},
    ]
    await ask("/heard", {"customer_finished": True, "notes": notes})
    await ask("/acknowledged", {"channel": "phone", "apology": True})
    promised = {"kind": "resolution", "text": "An answer within 24 hours", "within_seconds": 86400}
    assert (await ask("/promises", promised))["promise_id"] == "p1"
    await ask("/assign", {"agent": "agent-7"})
    manager = {
        "kind": "hierarchical",
        "tier": 1,
        "reason": "Asked for a manager",
        "requested_by": "customer",
    }
    assert (await ask("/escalations", manager))["escalation_id"] == "e1"
    proposed = {"proposer": "customer", "text": "Deliver to the neighbour"}
    solution_id = (await ask("/solutions", proposed))["solution_id"]
    await ask(f"/solutions/{solution_id}/offer", {})
    await ask(f"/solutions/{solution_id}/accept", {"in_writing": False})
    offered = await ask("/discounts", {"percent_bp": 1000, "purpose": "thank_you"})
    await ask(f"/discounts/{offered['offer_id']}/accept", {})
    resolved = {"outcome": "upheld", "reasons": "Lost at the depot", "root_cause": "carrier_depot"}
    await ask("/resolve", resolved)
    before_closing = datetime.now(UTC)
    await ask("/called-back", {"reached": True, "all_concerns_settled": True})
    closed = await ask("/close", {})

    now = (await admin.get(here)).json()
    assert now["stage"] == "closed"
    assert now["version"] == closed["version"]
    third = (await admin.get(here, params={"at_version": 3})).json()
    assert third["version"] == 3
    then = (await admin.get(here, params={"as_of": before_closing.isoformat()})).json()
    assert then["stage"] == "resolved"

    history = (await admin.get(f"{here}/history")).json()["items"]
    assert [event["version"] for event in history] == list(range(1, closed["version"] + 1))
    assert "Deliver to the neighbour" in str(history)

    as_of = {"min_position": closed["position"]}
    listed = (await admin.get("/v1/cases", params={"customer": "cust-42", **as_of})).json()
    assert [item["case_id"] for item in listed["items"]] == [str(case_id)]
    assert listed["next"] is None
    promises = (await admin.get("/v1/promises", params={"state": "kept", **as_of})).json()
    assert [item["promise_id"] for item in promises["items"]] == ["p1"]
    assert (await admin.get("/v1/promises", params={"state": "open"})).json()["items"] == []
    goodwill = (await admin.get("/v1/goodwill", params={"case_id": str(case_id)})).json()
    assert [item["offer_id"] for item in goodwill["items"]] == [offered["offer_id"]]
    for path in ("/v1/queues", "/v1/queues/complaints/items", "/v1/solutions"):
        assert "items" in (await admin.get(path)).json()
