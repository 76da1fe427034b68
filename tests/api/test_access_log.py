"""Who looked: every read of a case by a person is on record, for auditors, and stays."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api import accesslog
from api.accesslog import AccessLog
from api.desk import Desks
from api.queries import QUERIES
from casecore.actors import Actor, Role
from casecore.database import Pool
from tests.api.conftest import Client, Login
from tests.api.making import problem, registered

NAMES_NO_PERSON = {
    "list_queues",
    "list_clocks",
    "list_at_risk",
    "list_solutions",
    "get_solution",
    "list_projections",
    "get_sla_policies",
    "get_goodwill_policy",
    "get_verdict",
    "list_restores",
    "list_accesses",
    "get_checkpoint",
    "get_checkpoint_at",
    "get_inclusion",
    "get_consistency",
    "get_tile",
    "get_sealing_key",
}


@pytest.fixture
async def auditor(login: Login) -> Client:
    return await login(Role.AUDITOR, "vera")


async def log_of(desks: Desks, client: Client, query: str = "") -> list[dict[str, Any]]:
    for ledger in await desks.ledgers():
        await (await desks.desk(ledger)).access_log.flush()
    answer = await client.get(f"/v1/access-log{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_read_of_a_case_tells_who_what_when_and_why(
    desks: Desks, admin: Client, auditor: Client, login: Login
) -> None:
    case = await registered(admin)
    ada = await login(Role.AGENT, "ada")
    before = datetime.now(UTC)
    await ada.get(f"{case}/history?limit=5", headers={"X-Reason": "Call back at noon"})
    [read] = await log_of(desks, auditor)
    assert read.pop("id")
    assert before <= datetime.fromisoformat(read.pop("at")) <= datetime.now(UTC)
    assert read == {
        "actor": "ada",
        "role": "agent",
        "what": "get_history",
        "target": f"{case}/history?limit=5",
        "case_id": case[-36:],
        "reason": "Call back at noon",
    }


async def test_lists_and_exports_are_reads_too(
    desks: Desks, admin: Client, auditor: Client
) -> None:
    case = await registered(admin)
    await auditor.get("/v1/cases?stage=registered")
    await auditor.get(f"/v1/promises?case_id={case[-36:]}")
    await auditor.get("/v1/exports/csv?product=delivery")
    export, promises, cases = await log_of(desks, auditor)
    assert (cases["what"], cases["case_id"]) == ("list_cases", None)
    assert (promises["what"], promises["case_id"]) == ("list_promises", case[-36:])
    assert (export["what"], export["target"]) == ("export", "/v1/exports/csv?product=delivery")


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_the_feed_tells_what_cases_contain_so_it_is_a_read_too(
    desks: Desks, admin: Client, auditor: Client, accept: str
) -> None:
    await registered(admin)
    feed = "/v1/events?after=0&limit=1"
    assert (await auditor.get(feed, headers={"Accept": accept})).status_code == 200
    [read] = await log_of(desks, auditor)
    assert (read["what"], read["target"], read["actor"]) == ("get_events", feed, "vera")


async def test_services_are_no_people_and_what_was_refused_was_not_read(
    desks: Desks, admin: Client, auditor: Client, login: Login
) -> None:
    service = await login(Role.SERVICE, "mailbox")
    case = await registered(service)
    assert (await service.get(case)).status_code == 200
    assert (await admin.get(f"/v1/cases/{uuid4()}")).status_code == 404
    assert (await admin.post(f"{case}/notes", json={"text": "Hello"})).status_code < 300
    assert (await admin.get("/v1/solutions")).status_code == 200
    assert await log_of(desks, auditor) == []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.path)
def test_every_question_is_about_cases_or_names_no_person(query: Any) -> None:
    """One that is new is recorded, unless BI may ask it, or it is listed here."""
    assert query.opens_cases != (query.ask.__name__ in NAMES_NO_PERSON)


async def test_the_log_is_asked_by_case_actor_and_time_a_page_at_a_time(
    desks: Desks, admin: Client, auditor: Client, login: Login
) -> None:
    one, other = await registered(admin), await registered(admin)
    ada = await login(Role.SUPERVISOR, "ada")
    await ada.get(one)
    await admin.get(one)
    await admin.get(other)
    by_case = await log_of(desks, auditor, f"?case_id={one[-36:]}")
    assert [read["actor"] for read in by_case] == ["root", "ada"]
    by_actor = await log_of(desks, auditor, "?actor=ada")
    assert [read["target"] for read in by_actor] == [one]
    since = by_case[0]["at"].replace("+", "%2B")
    assert len(await log_of(desks, auditor, f"?since={since}")) == 2
    page = (await auditor.get("/v1/access-log?limit=2")).json()
    rest = (await auditor.get(f"/v1/access-log?limit=2&after={page['next']}")).json()
    targets = [read["target"] for read in page["items"] + rest["items"]]
    assert targets == [other, one, one]
    assert rest["next"] is None


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR, Role.SERVICE, Role.BI])
async def test_only_auditors_and_admins_see_it(login: Login, role: Role) -> None:
    client = await login(role, "ada")
    problem(await client.get("/v1/access-log"), 403, "role-forbidden")


async def test_another_ledgers_reads_are_not_shown(
    desks: Desks, admin: Client, login: Login
) -> None:
    await admin.get("/v1/cases")
    elsewhere = await login(Role.AUDITOR, "vera", ledger="other")
    assert await log_of(desks, elsewhere) == []


@pytest.mark.parametrize("reason", ["", "a" * 501, "line\tbreak", "\x9d"])
async def test_a_reason_is_a_line_that_can_be_read(admin: Client, reason: str) -> None:
    given = {"X-Reason": reason.encode("latin-1")}
    answer = await admin.get("/v1/cases", headers=given)  # type: ignore[arg-type]
    assert problem(answer, 400, "schema-violation")["field"] == "X-Reason"


async def test_a_reason_may_be_in_any_language(
    desks: Desks, admin: Client, auditor: Client
) -> None:
    given = {"X-Reason": "Rückruf für José".encode()}
    await admin.get("/v1/cases", headers=given)  # type: ignore[arg-type]
    [read] = await log_of(desks, auditor)
    assert read["reason"] == "Rückruf für José"


async def test_what_was_recorded_stays_whoever_asks(
    desks: Desks, admin: Client, auditor: Client
) -> None:
    await admin.get("/v1/cases")
    [read] = await log_of(desks, auditor)
    for change in (
        "UPDATE sys.access_log SET reason = 'none'",
        "DELETE FROM sys.access_log",
        "TRUNCATE sys.access_log",
        "SET session_replication_role = replica; DELETE FROM sys.access_log",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="stays recorded"):
            await desks.pool.execute(change)
        await desks.pool.execute("RESET session_replication_role")
    assert await log_of(desks, auditor) == [read]


async def test_a_read_is_on_record_within_a_second(
    desks: Desks, admin: Client, auditor: Client
) -> None:
    await admin.get("/v1/cases")
    await asyncio.sleep(1)
    assert len((await auditor.get("/v1/access-log")).json()["items"]) == 1


async def note(log: AccessLog, target: str = "/") -> None:
    await log.note(Actor("ada", Role.AGENT), "get_case", target, None, None)


async def recorded(pool: Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM sys.access_log")
    return count


async def test_when_more_wait_than_may_a_read_waits_with_them(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accesslog, "WAITING_MAX", 3)
    monkeypatch.setattr(accesslog, "BATCH_MAX", 2)
    log = AccessLog(pool, 1)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE sys.access_log")
        noting = [asyncio.create_task(note(log)) for _ in range(10)]
        await asyncio.sleep(1)
        assert 0 < sum(task.done() for task in noting) < 10
    await asyncio.gather(*noting)
    await log.close()
    assert await recorded(pool) == 10


async def test_one_that_cannot_be_recorded_does_not_hold_up_the_others(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    log = AccessLog(pool, 1)
    for target in ("/one", "/nul\0", "/other"):
        await note(log, target)
    await log.close()
    assert await recorded(pool) == 2
    assert "/nul" in caplog.text


async def test_who_waits_for_what_was_noted_does_not_wait_for_what_comes_after(
    pool: Pool,
) -> None:
    log = AccessLog(pool, 1)
    await note(log, "/before")

    async def read_on() -> None:
        while True:
            await note(log)
            await asyncio.sleep(0)

    reading = asyncio.create_task(read_on())
    try:
        await asyncio.wait_for(log.flush(), 5)
    finally:
        reading.cancel()
    assert await pool.fetchval("SELECT true FROM sys.access_log WHERE target = '/before'")
    await log.close()


async def test_reads_are_in_their_order_whichever_process_writes_first(pool: Pool) -> None:
    one, other = AccessLog(pool, 1), AccessLog(pool, 1)
    await note(one, "/first")
    await note(other, "/second")
    await other.flush()
    await one.flush()
    rows = await pool.fetch("SELECT target FROM sys.access_log ORDER BY id")
    assert [row["target"] for row in rows] == ["/first", "/second"]


async def test_closing_writes_what_waits(pool: Pool) -> None:
    log = AccessLog(pool, 1)
    for _ in range(1_200):
        await note(log)
    await log.close()
    assert await recorded(pool) == 1_200


async def test_what_cannot_be_recorded_is_told_to_the_log(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accesslog, "CLOSING_SECONDS_MAX", 0.1)
    log = AccessLog(pool, 1)
    await pool.close()
    for _ in range(3):
        await note(log)
    with caplog.at_level(logging.ERROR):
        await log.close()
    told = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 3
    assert all('"actor":"ada"' in line for line in told)
