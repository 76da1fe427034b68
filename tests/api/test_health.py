"""Health, metrics, the list of read models and the command line say the same truth."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from api import health, verdicts
from api.commands.projections import projections
from api.commands.projectionstatus import WATCH_SECONDS
from api.commands.serving import ensure_policy
from api.desk import Desks
from api.verdicts import Verdict
from casecore.actors import Role
from projections import PROJECTIONS
from tests.api.conftest import Client, Login
from tests.api.imports.shared import ROOT
from tests.api.making import PROMISE, registered

SOON = 30.0
PREFIX = "casecore_projection_"
STALE = "interval '70 seconds'"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen is not told again, so that a test sees what it has just done."""
    monkeypatch.setattr(health, "KEPT_SECONDS", 0)
    monkeypatch.setattr(health, "KEPT_TIMES", 0)


async def park(desks: Desks, name: str, ledger: str = "main") -> None:
    """As if two events about one row could not have been folded, a minute ago and more."""
    await desks.pool.execute(
        f"""
        INSERT INTO ops.parked (ledger, name, generation, shard, key, position, error, parked_at)
        SELECT ledger, g.name, generation, 0, '["x"]', n, 'no', clock_timestamp() - {STALE}
        FROM ops.generation g JOIN es.ledger l USING (ledger), generate_series(1, 2) n
        WHERE g.name = $1 AND l.name = $2 AND state = 'serving'
        """,
        *(name, ledger),
    )


async def stop(desks: Desks, name: str, ledger: str = "main") -> None:
    """As if its shard were somebody else's, who cannot go on from the ledger's first event."""
    await desks.pool.execute(
        """
        UPDATE ops.shard s SET error = 'cannot say\x1b[31m', position = 0, fence = fence + 1,
               owner = gen_random_uuid(), lease_until = clock_timestamp() + interval '1 hour'
        FROM es.ledger l WHERE l.ledger = s.ledger AND l.name = $2 AND s.name = $1
        """,
        *(name, ledger),
    )


async def late(desks: Desks) -> None:
    """As if all there is had been recorded a minute ago and more."""
    async with desks.pool.acquire() as db, db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("ALTER TABLE es.event DISABLE TRIGGER ALL")
        await db.execute(f"UPDATE es.event SET recorded_at = clock_timestamp() - {STALE}")
        await db.execute("ALTER TABLE es.event ENABLE ALWAYS TRIGGER stays_as_it_was")


async def told(client: Client) -> dict[str, Any]:
    answer = await client.get("/v1/health")
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def scraped(client: Client) -> dict[tuple[str, str], float]:
    """Each sample about a read model, by what it is and of which."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name.removeprefix(PREFIX), sample.labels["projection"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if "projection" in sample.labels
    }


async def listed(client: Client) -> dict[str, dict[str, Any]]:
    items = (await client.get("/v1/projections")).json()["items"]
    return {item["name"]: item for item in items}


async def status(url: str, *words: str) -> tuple[int, str]:
    """What the command line says, and exits with."""
    run = CliRunner(env={"CASECORE_DATABASE_URL": url}).invoke
    result = await asyncio.to_thread(run, projections, ["status", *words])
    return result.exit_code, result.output


@asynccontextmanager
async def watched(url: str, stdout: int) -> AsyncIterator[None]:
    """Somebody watches meanwhile, and ends it as one does."""
    words = [sys.executable, "-m", "api", "projections", "status", "--watch"]
    environ = os.environ | {
        "CASECORE_DATABASE_URL": url,
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "COLUMNS": "120",
        "TERM": "xterm",
    }
    watch = await asyncio.create_subprocess_exec(*words, env=environ, stdout=stdout, stderr=stdout)
    try:
        yield
        watch.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(watch.wait(), SOON) == 0
    finally:
        os.close(stdout)
        if watch.returncode is None:
            watch.kill()
            await watch.wait()


async def shown(screen: int, *wanted: str) -> str:
    """What is shown until all that is wanted is."""
    said = ""
    async with asyncio.timeout(SOON):
        while not all(word in said for word in wanted):
            said += (await asyncio.to_thread(os.read, screen, 1 << 16)).decode()
    return said


async def caught_up(client: Client) -> None:
    """A case came in, and every read model knows of it."""
    case = await registered(client)
    position = (await client.post(f"{case}/promises", json=PROMISE)).json()["position"]
    await client.get("/v1/cases", params={"min_position": position})


async def test_a_desk_that_is_well_says_so_everywhere(
    admin: Client, stranger: Client, database_url: str
) -> None:
    await caught_up(admin)
    seen = await told(stranger)
    assert all(check["ok"] for check in seen.pop("checks").values())
    assert seen == {
        "alive": True,
        "ready": True,
        "status": "ok",
        "lagging": 0,
        "stopped": 0,
        "parked": 0,
        "lag_seconds": 0,
        "oldest_parked_seconds": 0,
        "building": 0,
    }
    cases = (await listed(admin))["cases"]
    assert (cases["lag"], cases["lagging"], cases["parked"], cases["error"]) == (0, False, 0, None)
    samples = await scraped(admin)
    assert samples["position", "cases"] == cases["position"]
    assert samples["runners", "cases"] == 1
    for name in ("lag_events", "lag_seconds", "parked_rows", "stopped", "building"):
        assert samples[name, "cases"] == 0
    code, said = await status(database_url)
    assert (code, " ok " in said, "stopped" in said) == (0, True, False)


async def test_a_parked_row_shows_as_parked(
    admin: Client, stranger: Client, desks: Desks, database_url: str
) -> None:
    await caught_up(admin)
    await park(desks, "promises")

    seen = await told(stranger)
    assert (seen["status"], seen["ready"], seen["parked"]) == ("parked", True, 1)
    assert 70 <= seen["oldest_parked_seconds"] < 100
    assert (seen["lagging"], seen["stopped"]) == (0, 0)

    item = (await listed(admin))["promises"]
    assert (item["parked"], item["lag"], item["error"]) == (1, 0, None)
    assert 70 <= item["parked_seconds"] < 100

    samples = await scraped(admin)
    assert (samples["parked_rows", "promises"], samples["parked_rows", "cases"]) == (1, 0)
    assert 70 <= samples["oldest_parked_seconds", "promises"] < 100

    code, said = await status(database_url)
    [line] = [line for line in said.splitlines() if line.startswith("promises")]
    assert (code, line.split()[1]) == (1, "parked")
    assert "1 (1 min)" in line
    code, said = await status(database_url, "--json")
    assert (code, {one["name"]: one for one in json.loads(said)}["promises"]["parked"]) == (1, 1)


async def test_who_watches_through_a_pipe_gets_a_line_for_each_change(
    admin: Client, desks: Desks, database_url: str
) -> None:
    await caught_up(admin)
    ours, theirs = os.pipe()
    async with watched(database_url, theirs):
        said = await shown(ours, "waits ok;")
        assert said.count(" promises ") == 1
        await asyncio.sleep(2 * WATCH_SECONDS)
        await park(desks, "promises")
        said = await shown(ours, "parked 1 (1 min)")
    assert said.splitlines()[0].split()[1:3] == ["promises", "parked;"]
    assert "Traceback" not in said
    os.close(ours)


async def test_who_watches_on_a_terminal_sees_the_table_change(
    admin: Client, desks: Desks, database_url: str
) -> None:
    await caught_up(admin)
    ours, theirs = pty.openpty()
    async with watched(database_url, theirs):
        assert "promises" in await shown(ours, "runners", "waits")
        await stop(desks, "promises")
        said = await shown(ours, "promises stopped: cannot say")
    assert "\x1b[31m" not in said.partition("cannot say")[2]
    os.close(ours)


async def test_one_that_cannot_go_on_shows_as_stopped_and_lagging(
    admin: Client, stranger: Client, desks: Desks, database_url: str
) -> None:
    await caught_up(admin)
    await late(desks)
    await stop(desks, "promises")

    seen = await told(stranger)
    assert (seen["status"], seen["ready"]) == ("stopped", True)
    assert (seen["stopped"], seen["lagging"], seen["parked"]) == (1, 1, 0)
    assert 70 <= seen["lag_seconds"] < 100

    item = (await listed(admin))["promises"]
    assert (item["lag"], item["lagging"]) == (item["head"], True)
    assert item["error"].startswith("cannot say")

    samples = await scraped(admin)
    assert (samples["stopped", "promises"], samples["stopped", "cases"]) == (1, 0)
    assert samples["lag_events", "promises"] == item["head"]
    assert 70 <= samples["lag_seconds", "promises"] < 100

    code, said = await status(database_url)
    assert code == 1
    assert "promises stopped: cannot say" in said
    assert "\x1b" not in said


async def test_what_stopped_a_read_model_is_not_for_those_who_learn_no_name(
    admin: Client, login: Login, desks: Desks
) -> None:
    await caught_up(admin)
    await stop(desks, "promises")
    lake = await login(Role.BI, "lake")
    assert (await listed(lake))["promises"]["error"] == "it has stopped"
    assert (await listed(lake))["cases"]["error"] is None


async def test_one_that_is_made_anew_shows_as_building_and_is_well(
    admin: Client, stranger: Client, desks: Desks, database_url: str
) -> None:
    await caught_up(admin)
    head = (await listed(admin))["promises"]["head"]
    await desks.pool.execute(
        """
        WITH begun AS (
            INSERT INTO ops.generation (ledger, name, generation, version, shape, state)
            SELECT ledger, name, generation + 1, version, shape, 'building' FROM ops.generation
            WHERE name = 'promises' AND ledger = $1 RETURNING *
        )
        INSERT INTO ops.shard (ledger, name, generation, shard, first_slot, last_slot, position)
        SELECT ledger, name, generation, 0, 0, 1023, 1 FROM begun
        """,
        (await desks.desk("main")).id,
    )
    seen = await told(stranger)
    assert (seen["status"], seen["building"]) == ("ok", 1)
    assert (await listed(admin))["promises"]["building"] == 1
    samples = await scraped(admin)
    assert (samples["building", "promises"], samples["building", "cases"]) == (1, 0)
    code, said = await status(database_url)
    assert (code, f" {100 / head:.1f} % " in said) == (0, True)


async def test_what_nobody_follows_yet_is_behind(database_url: str) -> None:
    async with Desks.open(database_url, following=False) as desks:
        await ensure_policy(await desks.desk("imported"))
    code, said = await status(database_url, "--ledger", "imported", "--json")
    assert code == 0
    assert {one["name"] for one in json.loads(said)} == {p.NAME for p in PROJECTIONS}
    for one in json.loads(said):
        assert (one["position"], one["lag"], one["generation"], one["runners"]) == (0, 1, 0, 0)
        assert one["lag_seconds"] > 0


async def test_one_that_is_late_shows_as_lagging_and_is_no_failure(
    admin: Client, stranger: Client, desks: Desks, database_url: str
) -> None:
    await caught_up(admin)
    await late(desks)
    await stop(desks, "promises")
    await desks.pool.execute("UPDATE ops.shard SET error = NULL")

    seen = await told(stranger)
    assert (seen["status"], seen["lagging"], seen["stopped"]) == ("lagging", 1, 0)
    assert (await listed(admin))["promises"]["lagging"]
    code, said = await status(database_url)
    assert (code, "lagging" in said) == (0, True)


async def test_neither_lag_nor_parking_turns_the_load_balancer_away(
    admin: Client, stranger: Client, desks: Desks
) -> None:
    await caught_up(admin)
    await late(desks)
    await stop(desks, "promises")
    await park(desks, "cases")
    assert (await stranger.get("/v1/health/ready")).status_code == 200
    assert (await told(stranger))["ready"]


async def test_health_tells_the_gravest_of_all_ledgers_and_names_none(
    admin: Client, login: Login, stranger: Client, desks: Desks
) -> None:
    other = await login(Role.ADMIN, "root", "secret-brand")
    await caught_up(admin)
    await caught_up(other)
    await park(desks, "promises", "secret-brand")
    await park(desks, "cases")
    assert ((await told(stranger))["status"], (await told(stranger))["parked"]) == ("parked", 2)
    await stop(desks, "cases", "secret-brand")
    answer = await stranger.get("/v1/health")
    assert answer.json()["status"] == "stopped"
    for word in ("secret-brand", "main", "promises", "cannot say"):
        assert word not in answer.text


async def test_who_watches_over_the_record_has_a_say(
    admin: Client, stranger: Client, desks: Desks
) -> None:
    async def well() -> Verdict:
        return Verdict(True, "all 12 events are as they were sealed")

    async def ill() -> Verdict:
        return Verdict(False, "an event is not what was sealed: casecore audit verify names it")

    await caught_up(admin)
    desks.checks["scrubber"] = well
    seen = await told(stranger)
    assert seen["status"] == "ok"
    assert seen["checks"]["scrubber"]["told"] == "all 12 events are as they were sealed"
    assert 'casecore_check_ok{check="scrubber"} 1.0' in (await admin.get("/metrics")).text

    await park(desks, "promises")
    desks.checks["scrubber"] = ill
    seen = await told(stranger)
    assert (seen["status"], seen["ready"]) == ("check-failed", True)
    assert seen["checks"]["scrubber"]["ok"] is False
    assert 'casecore_check_ok{check="scrubber"} 0.0' in (await admin.get("/metrics")).text


async def test_a_check_that_fails_or_never_answers_is_no_good_sign(
    stranger: Client, desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> Verdict:
        raise KeyError("Ada Byron")

    async def silent() -> Verdict:
        await asyncio.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(verdicts, "CHECK_SECONDS_MAX", 0.05)
    desks.checks |= {"broken": broken, "silent": silent}
    seen = await told(stranger)
    assert seen["status"] == "check-failed"
    not_asked = {"ok": False, "told": "it could not be asked"}
    assert seen["checks"]["broken"] == seen["checks"]["silent"] == not_asked


async def test_a_desk_that_closes_or_has_no_database_is_not_ready(
    stranger: Client, desks: Desks
) -> None:
    desks.closing = True
    answer = await stranger.get("/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "not-ready")
    assert answer.json()["alive"]
    desks.closing = False
    await desks.close()
    desks.closing = False
    await desks.pool.close()
    answer = await stranger.get("/v1/health")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["lagging"] is None


async def test_however_many_ask_for_health_the_database_is_asked_once(
    stranger: Client, desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 3600)
    asked = 0

    async def counted() -> Verdict:
        nonlocal asked
        asked += 1
        return Verdict(True, "it is fine")

    desks.checks["counted"] = counted
    await asyncio.gather(*(told(stranger) for _ in range(50)))
    await park(desks, "promises")
    assert (await told(stranger))["parked"] == 0
    assert asked == 1
