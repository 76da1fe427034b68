"""What if, over HTTP: a run is begun, goes on beside everything else, and is read in pages."""

import asyncio
import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from api.desk import Desk, Desks
from casecore.actors import Role
from casecore.sla.cycle import view
from casecore.sla.files import pack, read_book
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from tests.api.conftest import Client, Login
from tests.api.making import problem, registered
from tests.spec import ADMIN

WHAT_IF = "/v1/sla/what-if"
DESK = tomllib.loads(pack("desk"))
ATTEMPTS_MAX = 2_000
ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


@pytest.fixture
async def desk(desks: Desks) -> Desk:
    """One with the pack `desk` in force."""
    desk = await desks.desk("main")
    await desk.core.execute(SlaBook, SLA_BOOK_ID, *read_book(pack("desk")), by=ADMIN)
    return desk


def under(seconds: int) -> dict[str, Any]:
    """The pack with other days to resolve a case in, and no other clock."""
    target = {"kind": "resolution", "target": {"kind": "elapsed_time", "seconds": seconds}}
    policy = {"rank": 1, "calendar": "desk", "targets": {"resolution": target}}
    return {"calendars": DESK["calendars"], "policies": {"desk": policy}}


async def run(client: Client, body: dict[str, Any], **page: Any) -> dict[str, Any]:
    begun = await client.post(WHAT_IF, json=body)
    assert begun.status_code == 202, begun.text
    return await ended(client, begun.headers["Location"], **page)


async def ended(client: Client, location: str, **page: Any) -> dict[str, Any]:
    for _ in range(ATTEMPTS_MAX):
        seen = await client.get(location, params=page)
        assert seen.status_code == 200, seen.text
        found: dict[str, Any] = seen.json()
        if found["state"] != "running":
            assert found["state"] == "done", found
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("the run does not end")


async def cases(client: Client, count: int) -> list[UUID]:
    """Received an hour ago."""
    received_at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    paths = [await registered(client, received_at=received_at) for _ in range(count)]
    return [UUID(path.rpartition("/")[2]) for path in paths]


async def test_under_the_policies_in_force_everything_is_as_it_is_stored(
    desk: Desk, admin: Client
) -> None:
    ids = await cases(admin, 3)
    await admin.post(
        f"/v1/cases/{ids[0]}/triage",
        json={
            "severity": 4,
            "complexity": 1,
            "impact": 4,
            "immediate_action": True,
            "category": "delivery",
            "priority": "urgent",
        },
    )
    await admin.post(f"/v1/cases/{ids[1]}/acknowledged", json={"channel": "phone"})
    found = await run(admin, DESK)
    assert (found["cases"], found["cases_differing"], found["items"]) == (3, 0, [])
    as_of = datetime.fromisoformat(found["as_of"])
    stored: dict[str, list[str]] = {}
    for case_id in ids:
        clocks, book = await desk.books.clocks(case_id)
        for cycle in clocks.cycles:
            stored.setdefault(cycle.name, []).append(view(cycle, book, as_of).state)
    for total in found["totals"]:
        assert total["before"] == total["after"]
        states = stored.pop(total["name"])
        assert total["before"]["cycles"] == len(states)
        for state in ("met", "breached", "cancelled", "running", "paused"):
            assert total["before"][state] == states.count(state), total
    assert stored == {}


async def test_a_stricter_policy_tells_the_cases_that_differ_page_by_page_and_writes_nothing(
    desk: Desk, admin: Client
) -> None:
    ids = await cases(admin, 5)
    head = await desk.recorder.head()
    found = await run(admin, under(1), limit=2)
    assert (found["cases"], found["cases_differing"], found["cases_turning"]) == (5, 5, 5)
    [resolution] = [t for t in found["totals"] if t["name"] == "resolution"]
    assert (resolution["before"]["running"], resolution["after"]["running"]) == (5, 0)
    assert resolution["after"]["breached"] == 5
    items = found["items"]
    while found["next"]:
        path = f"{WHAT_IF}/{found['run_id']}"
        found = (await admin.get(path, params={"limit": 2, "after": found["next"]})).json()
        items += found["items"]
    assert [UUID(item["case_id"]) for item in items] == ids
    gone = {clock["name"]: clock["after"] for clock in items[0]["clocks"]}
    assert gone["acknowledgement"] is None
    assert gone["resolution"]["state"] == "breached"
    assert await desk.recorder.head() == head


async def test_only_cases_received_between_the_times_are_reckoned(
    desk: Desk, admin: Client
) -> None:
    await registered(admin, received_at="2026-03-02T09:00:00Z")
    await registered(admin, received_at="2026-03-03T09:00:00Z")
    await registered(admin, received_at="2026-03-04T09:00:00Z")
    times = {
        "received_from": "2026-03-03T09:00:00Z",
        "received_before": "2026-03-04T09:00:00Z",
    }
    assert (await run(admin, under(1) | times))["cases"] == 1


async def test_calendars_alone_are_supposed_with_the_policies_in_force(
    desk: Desk, admin: Client
) -> None:
    await cases(admin, 1)
    calendars = {"desk": {"zone": "Europe/London", "weekly": ALWAYS}}
    found = await run(admin, {"calendars": calendars})
    [before, after] = (
        {clock["name"]: clock[book]["due_at"] for clock in found["items"][0]["clocks"]}
        for book in ("before", "after")
    )
    assert (
        before.keys()
        == after.keys()
        == {"acknowledgement", "first_response", "progress_update", "resolution"}
    )
    assert all(after[name] < before[name] for name in before)


async def test_who_leads_or_audits_may_ask_and_others_may_not(desk: Desk, login: Login) -> None:
    for role in (Role.SUPERVISOR, Role.AUDITOR):
        await run(await login(role, f"a-{role}"), under(1))
    for role in (Role.AGENT, Role.SERVICE, Role.BI):
        client = await login(role, f"a-{role}")
        problem(await client.post(WHAT_IF, json=under(1)), 403, "role-forbidden")


async def test_what_could_not_be_published_cannot_be_supposed(desk: Desk, admin: Client) -> None:
    for body, code, field in (
        ({}, "what-if-unreadable", "policies"),
        ({"policies": {"desk": {"rank": -1}}}, "what-if-unreadable", "policies.desk.rank"),
        (under(0), "target-not-positive", "targets.resolution"),
        (
            {"calendars": {"desk": {"zone": "UTC", "weekly": {}}}},
            "calendar-never-open",
            "calendars.desk",
        ),
    ):
        refused = await admin.post(WHAT_IF, json=body)
        assert problem(refused, 422, code)["field"] == field
    problem(await admin.post(WHAT_IF, json={"policy": {}}), 400, "schema-violation")


async def test_runs_take_turns_and_the_last_few_can_be_read(desk: Desk, admin: Client) -> None:
    await cases(admin, 30)
    begun = await asyncio.gather(*(admin.post(WHAT_IF, json=under(1)) for _ in range(2)))
    [first] = [answer for answer in begun if answer.status_code == 202]
    [other] = [answer for answer in begun if answer.status_code != 202]
    assert problem(other, 409, "what-if-running")["run_id"] == first.json()["run_id"]
    await ended(admin, first.headers["Location"])
    for _ in range(4):
        await run(admin, under(1))
    problem(await admin.get(first.headers["Location"]), 404, "run-not-found")


async def test_a_run_is_not_to_be_seen_from_another_ledger(
    desk: Desk, admin: Client, login: Login
) -> None:
    found = await run(admin, under(1))
    other = await login(Role.ADMIN, "root", ledger="other")
    problem(await other.get(f"{WHAT_IF}/{found['run_id']}"), 404, "run-not-found")
