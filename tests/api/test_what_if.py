"""What if, over HTTP: a run is begun, goes on beside everything else, and is read in pages."""

import asyncio
import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from api import whatif
from api.desk import Desk, Desks
from casecore.actors import Role
from casecore.clockset.decisions import BreachClock
from casecore.clockset.state import ClockSet, clockset_id
from casecore.recording import event_of
from casecore.sla.book import Book
from casecore.sla.cycle import ClockView, view
from casecore.sla.events import SlaEvent
from casecore.sla.files import pack, read_book
from casecore.sla.reckoning import READ
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from casecore.sla.supposing import compared, supposed
from casecore.surveying import lives
from projections import sla_clocks
from tests.api.conftest import Client, Login
from tests.api.making import problem, registered
from tests.spec import ADMIN, SYSTEM

WHAT_IF = "/v1/sla/what-if"
DESK = tomllib.loads(pack("desk"))
ATTEMPTS_MAX = 2_000
LISTED_MAX = 200
URGENT = {
    "severity": 4,
    "complexity": 1,
    "impact": 4,
    "immediate_action": True,
    "category": "delivery",
    "priority": "urgent",
}
RESOLVED = {"outcome": "upheld", "reasons": "Lost at the depot", "root_cause": "carrier_depot"}
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


async def ended(client: Client, location: str, state: str = "done", **page: Any) -> dict[str, Any]:
    for _ in range(ATTEMPTS_MAX):
        seen = await client.get(location, params=page)
        assert seen.status_code == 200, seen.text
        found: dict[str, Any] = seen.json()
        if found["state"] != "running":
            assert found["state"] == state, found
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("the run does not end")


async def cases(client: Client, count: int, hours: int = 1) -> list[UUID]:
    """Received so many hours ago."""
    received_at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    paths = [await registered(client, received_at=received_at) for _ in range(count)]
    return [UUID(path.rpartition("/")[2]) for path in paths]


@pytest.fixture
async def worked(desk: Desk, admin: Client) -> list[UUID]:
    """Cases with clocks in every state; one was found breached, and then resolved."""
    late, met, waiting, open_ = ids = await cases(admin, 4, hours=24 * 20)
    clocks, book = await desk.books.clocks(late)
    for cycle in clocks.running:
        due_at = view(cycle, book, desk.core.now()).due_at
        assert due_at is not None
        breach = BreachClock(
            case_id=late, clock_id=cycle.clock_id, cycle=1, name=cycle.name, due_at=due_at
        )
        await desk.core.execute(ClockSet, clockset_id(late), breach, by=SYSTEM)
    for case_id, path, body in (
        (late, "assign", {"agent": "ben"}),
        (late, "resolve", RESOLVED),
        (met, "acknowledged", {"channel": "phone"}),
        (met, "triage", URGENT),
        (waiting, "waiting", {"reason": "third_party", "asked_for": "The depot's log"}),
        (open_, "promises", {"kind": "update", "text": "News", "within_seconds": 86_400}),
    ):
        done = await admin.post(f"/v1/cases/{case_id}/{path}", json=body)
        assert done.status_code in (200, 201), done.text
    await admin.get("/v1/cases", params={"min_position": await desk.recorder.head()})
    return ids


async def test_under_the_policies_in_force_everything_is_as_it_is_stored(
    desk: Desk, admin: Client, worked: list[UUID]
) -> None:
    """T-56: supposed as they are, or as a file of them says it."""
    now, position = desk.core.now(), await desk.recorder.head()
    book = await desk.books.latest()
    again = Book()
    for row in await desk.recorder.history(SLA_BOOK_ID):
        event = event_of(row)
        assert isinstance(event, SlaEvent)
        again.learn(event, row.position)
    stored = await sla_clocks.listed(
        desk.pool, desk.id, books=desk.books, now=now, limit=LISTED_MAX
    )
    left = {(clock.clock_id, clock.cycle): clock for clock in stored.items}
    assert {clock.state for clock in stored.items} >= {"running", "breached"}
    from_file = supposed(read_book(pack("desk")), SlaBook(SLA_BOOK_ID), ADMIN, now)
    reads = book.events | {event.__name__ for event in READ}
    async for life in lives(desk.recorder, reads, position):
        as_it_is = compared(life.case_id, life.facts, book, again, now)
        for seen in as_it_is.after:
            clock = left.pop((seen.clock_id, seen.cycle))
            assert seen == ClockView(**{f: getattr(clock, f) for f in seen.__struct_fields__})
        assert as_it_is.differences() == []
        assert compared(life.case_id, life.facts, book, from_file, now).differences() == []
    assert left == {}
    found = await run(admin, DESK)
    assert (found["cases"], found["cases_differing"], found["items"]) == (len(worked), 0, [])
    for total in found["totals"]:
        assert total["before"] == total["after"]
        states = [clock.state for clock in stored.items if clock.name == total["name"]]
        assert total["before"]["cycles"] == len(states)
        for state in ("met", "breached", "cancelled", "running", "paused"):
            assert total["before"][state] == states.count(state), total


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
    times["received_before"] = times["received_from"]
    answer = await admin.post(WHAT_IF, json=under(1) | times)
    assert problem(answer, 422, "no-time-between")["field"] == "received_before"


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


async def test_a_run_keeps_so_many_cases_and_counts_the_others(
    desk: Desk, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whatif, "DIFFERING_MAX", 2)
    await cases(admin, 5)
    found = await run(admin, under(1))
    assert (found["cases_differing"], found["cases_kept"]) == (5, 2)
    assert (len(found["items"]), found["next"]) == (2, None)


async def test_a_run_that_takes_too_long_ends_and_says_what_to_do(
    desk: Desk, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whatif, "RUN_SECONDS_MAX", 0)
    await cases(admin, 1)
    begun = await admin.post(WHAT_IF, json=under(1))
    found = await ended(admin, begun.headers["Location"], state="failed")
    assert "casecore sla what-if" in found["error"]
    assert (found["items"], found["totals"]) == ([], [])
    monkeypatch.undo()
    assert (await run(admin, under(1)))["cases"] == 1
