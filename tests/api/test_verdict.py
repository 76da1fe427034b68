"""What the scrubber found, over HTTP; and a case with its proof, taken away over HTTP."""

import io
import zipfile
from pathlib import Path

import asyncpg
import pytest

from api.desk import Desk
from api.evidence import verify
from tests.api.conftest import Client
from tests.api.making import problem, registered
from tests.api.test_proof import app, auditor, desk, desks, given, seal  # noqa: F401


async def test_the_verdict_is_unknown_then_sound_and_wrong_when_something_was_changed(
    admin: Client,
    auditor: Client,  # noqa: F811
    stranger: Client,
    desk: Desk,  # noqa: F811
    database_url: str,
) -> None:
    await registered(admin)
    size = await seal(desk)
    assert (await auditor.get("/v1/proof/verdict")).json()["state"] == "unknown"
    assert desk.scrubber is not None
    await desk.scrubber.run(pause=0)
    told = (await auditor.get("/v1/proof/verdict")).json()
    assert (told["state"], told["passed_upto"], told["finding"]) == ("sound", size, None)

    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "ALTER TABLE es.event DISABLE TRIGGER USER;"
        " UPDATE es.event SET recorded_at = recorded_at + interval '1 us' WHERE position = 1"
    )
    await owner.close()
    await desk.scrubber.run(pause=0)
    told = (await auditor.get("/v1/proof/verdict")).json()
    assert (told["state"], told["finding"]["code"]) == ("wrong", "time-changed")
    assert told["finding"]["means"]
    assert (await stranger.get("/v1/health/ready")).status_code == 200
    health = (await stranger.get("/v1/health")).json()
    assert health["status"] == "check-failed"
    assert health["checks"]["scrubbing"]["told"].startswith("ledger-wrong: ")


@pytest.mark.parametrize("change", ["data = '{'", "data = set_byte(data, 20, 255)", "meta = '{'"])
async def test_what_cannot_be_read_any_more_is_told_as_that(
    admin: Client,
    auditor: Client,  # noqa: F811
    database_url: str,
    change: str,
) -> None:
    case = await registered(admin)
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "ALTER TABLE es.event DISABLE TRIGGER USER;"
        f" UPDATE es.event SET {change} WHERE type = 'CaseRegistered'"
    )
    await owner.close()
    for path in (f"{case}/history", f"{case}/replay"):
        told = problem(await auditor.get(path), 500, "event-unreadable")
        assert "casecore audit verify" in told["detail"]


async def test_a_case_is_taken_away_over_http_and_checks_itself(
    admin: Client,
    auditor: Client,  # noqa: F811
    desk: Desk,  # noqa: F811
    tmp_path: Path,
) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/notes", json={"text": "Rang back"})
    await seal(desk)
    answer = await auditor.get(f"{case}/bundle")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    ref = (await auditor.get(case)).json()["case_ref"]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{ref}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        checked = verify.check(
            verify.read_zip(opened), str(desk.sealing and desk.sealing.verifier())
        )
    assert (checked["case_ref"], len(checked["events"])) == (ref, 2)
    head = await auditor.head(f"{case}/bundle")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]
