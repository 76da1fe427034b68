"""What an auditor finds on the pages, read as text."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.desk import Desk
from api.pages.auditing import EVENTS_MAX, FOUND_MAX
from api.pages.taking_away import FILES, OF_A_CASE
from casecore.actors import Role
from casecore.clocks.calendar import Calendar, Weekly
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy
from casecore.sla.events import SLA_BOOK_ID
from casecore.sla.state import SlaBook
from tests.api.making import PROMISE, registered
from tests.casecore.sla.given import policy, rule
from tests.casecore.verifying.conftest import Tamper
from tests.casecore.verifying.conftest import tamper as tamper
from tests.pages.conftest import Visit, parsed, read
from tests.spec import SYSTEM


async def on_page(case: str) -> str:
    return f"/audit/cases/{case.rpartition('/')[2]}"


async def test_a_case_is_found_by_its_number_or_its_customer_or_among_the_latest(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    assert "no case in this ledger yet" in read(await auditor.get("/audit"))
    case = await registered(admin)
    other = await registered(admin, customer={"ref": "cust-7"}, reason="Something else")
    told = (await admin.get(case)).json()
    await desk.feed.reached((await admin.get(other)).json()["position"], 5)
    latest = read(await auditor.get("/audit"))
    assert "Three weeks late" in latest
    assert "Something else" in latest
    by_ref = read(await auditor.get("/audit", params={"q": f" {told['case_ref']} "}))
    assert told["case_ref"] in by_ref
    assert "Something else" not in by_ref
    assert "Something else" in read(await auditor.get("/audit", params={"q": "cust-7"}))
    for anything in ("", "  "):
        assert "Something else" in read(await auditor.get("/audit", params={"q": anything}))
    assert "No case has the number null" in read(await auditor.get("/audit", params={"q": "null"}))
    nothing = read(await auditor.get("/audit", params={"q": "C-NONE"}))
    assert "No case has the number C-NONE" in nothing


async def test_more_cases_than_fit_are_on_further_pages(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    for n in range(FOUND_MAX + 1):
        case = await registered(admin, reason=f"Reason number {n:02}.")
    await desk.feed.reached((await admin.get(case)).json()["position"], 5)
    first = await auditor.get("/audit")
    assert "Reason number 25." in read(first)
    assert "Reason number 00." not in read(first)
    [more] = [t["href"] for n, t in parsed(first).tags if "after=" in (t.get("href") or "")]
    assert "Reason number 00." in read(await auditor.get(str(more)))


async def test_what_is_not_there_is_a_page_that_says_so(auditor: httpx.AsyncClient) -> None:
    nobody = "0190a6c6-1f3e-7c5d-9a52-3a4f6d1f2f10"
    for path in (f"/audit/cases/{nobody}", "/audit/cases/C-1", f"/audit/cases/{nobody}/bundle"):
        assert "no such case" in read(await auditor.get(path), 404)
    for path in (
        "/audit/nowhere",
        "/desk/x/y",
        "/audit/cases",
        f"/audit/cases/{nobody}/files/xml",
        "/audit/cases/x/y",
    ):
        read(await auditor.get(path), 404)
    for path in ("/audit?after=forged", "/audit?unknown=1", "/audit?q=%00", "/audit?q=%ff"):
        read(await auditor.get(path), 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_page_takes_no_other_method_and_says_which(
    auditor: httpx.AsyncClient, method: str
) -> None:
    answer = await auditor.request(method, "/audit")
    assert "It takes GET" in read(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    read(await auditor.request(method, "/audit/nowhere"), 404)


async def test_a_case_is_told_from_its_first_event_to_its_proof(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    await admin.post(f"{case}/discounts", json={"percent_bp": 1250, "purpose": "thank_you"})
    await admin.post(f"{case}/promises/p1/keep", json={})
    page = read(await auditor.get(await on_page(case)))
    assert "root registered complaint" in page
    assert "kept promise p1" in page
    assert "12.5 %" in page
    assert "Version 4 of 4" in page
    assert "nothing is sealed yet" in page
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    page = read(await auditor.get(await on_page(case)))
    assert "Nothing in this record has changed since it was sealed" in page
    assert (await admin.get(case)).json()["head"] in page


async def test_a_record_that_was_changed_is_not_called_sound(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/notes", json={"text": "Promised nothing"})
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    await desk.pool.execute(
        "ALTER TABLE es.event DISABLE TRIGGER USER;"
        "UPDATE es.event SET data = replace(convert_from(data, 'UTF8'), 'nothing', 'much')::bytea"
        " WHERE type = 'NoteAdded'"
    )
    page = read(await auditor.get(await on_page(case)))
    assert "This record is not what was recorded" in page
    assert "What the event says is not what was recorded" in page


async def test_each_version_shows_what_it_changed_with_and_without_scripts(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient
) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    await admin.post(f"{case}/assign", json={"agent": "agent-7"})
    path = await on_page(case)
    whole = await auditor.get(path, params={"version": 2})
    part = await auditor.get(path, params={"version": 2}, headers={"HX-Request": "true"})
    assert part.text in whole.text
    said = read(part)
    assert "Version 2 of 3" in said
    assert "Promise p1" in said
    assert "News by tomorrow" in said
    assert "agent-7" not in said
    links = [t["href"] for n, t in parsed(part).tags if t.get("rel")]
    assert links == ["?version=1#versions", "?version=3#versions"]
    assert "agent-7" in read(await auditor.get(path, headers={"HX-Request": "true"}))
    for version in (0, -1, "x", 10**12):
        read(await auditor.get(path, params={"version": version}), 400)
    assert "has 3 versions" in read(await auditor.get(path, params={"version": 4}), 404)


async def test_a_time_is_shown_as_it_was_known_then_and_as_it_is_known_now(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient
) -> None:
    now = datetime.now(UTC)
    case = await registered(admin, received_at=(now - timedelta(hours=3)).isoformat())
    happened = (now - timedelta(hours=2)).isoformat()
    note = {"commands": [{"type": "AddNote", "text": "Called at home", "occurred_at": happened}]}
    answer = await admin.post(f"{case}/commands", json=note)
    assert answer.status_code == 201, answer.text
    path = await on_page(case)
    at = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    then = read(await auditor.get(path, params={"at": at}, headers={"HX-Request": "true"}))
    assert "Nothing of this case had been recorded by then" in then
    assert "recorded only later" in then
    assert "Called at home" in then
    known = {"at": at, "known": "now"}
    since = read(await auditor.get(path, params=known, headers={"HX-Request": "true"}))
    assert "was not known yet at that time" in since
    assert "Three weeks late" in since
    assert "recorded 2 h later" in read(await auditor.get(path))
    for wrong in ("yesterday", "2026-13-01T00:00", "2026-01-01", ""):
        read(await auditor.get(path, params={"at": wrong}), 400)


async def test_clocks_are_drawn_and_told(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    case = await registered(admin)
    assert "nothing has clocks" in read(await auditor.get(await on_page(case)))
    calendar = Calendar("UTC", Weekly(mon=(("09:00", "17:00"),), thu=(("09:00", "17:00"),)))
    await desk.core.execute(
        SlaBook,
        SLA_BOOK_ID,
        PublishCalendar(calendar_id="desk", calendar=calendar),
        PublishSlaPolicy(policy_id="desk", policy=policy(rule("promise"), calendar_id="desk")),
        by=SYSTEM,
    )
    assert "No SLA policy was in force" in read(await auditor.get(await on_page(case)))
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    answer = await auditor.get(await on_page(case))
    drawn = parsed(answer)
    [svg] = [attrs for tag, attrs in drawn.tags if tag == "svg"]
    assert str(svg["aria-label"]).startswith("Promise p1: Running: ")
    assert "Window by window" in read(answer)


async def test_a_case_is_taken_away_by_those_who_may(
    admin: httpx.AsyncClient,
    auditor: httpx.AsyncClient,
    visit: Visit,
    desk: Desk,
    tamper: Tamper,
) -> None:
    path = await on_page(await registered(admin))
    assert "not sealed yet" in read(await auditor.get(f"{path}/bundle"), 404)
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    supervisor = await visit(Role.SUPERVISOR, "sam")
    for client in (auditor, supervisor):
        bundle = await client.get(f"{path}/bundle")
        assert bundle.status_code == 200
        assert bundle.content.startswith(b"PK")
        assert bundle.headers["Content-Disposition"].startswith('attachment; filename="C-')


@pytest.mark.parametrize(
    "change", ["UPDATE es.event SET data = set_byte(data, 9, 1)", "DELETE FROM es.event"]
)
async def test_a_case_that_is_not_what_was_sealed_is_taken_away_as_evidence_of_that(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk, tamper: Tamper, change: str
) -> None:
    case = await registered(admin)
    path = await on_page(case)
    await admin.post(f"{case}/notes", json={"text": "Called"})
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    await tamper(f"{change} WHERE type = 'CaseRegistered'")
    assert "not what was sealed" in read(await auditor.get(f"{path}/bundle"), 409)
    assert (await auditor.get(f"{path}/bundle?anyway=true")).content.startswith(b"PK")


async def test_the_page_of_such_a_case_leads_to_it(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk, tamper: Tamper
) -> None:
    path = await on_page(await registered(admin))
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    hrefs = [attrs.get("href") for _, attrs in parsed(await auditor.get(path)).tags]
    assert f"{path}/bundle" in hrefs
    await tamper("UPDATE es.event SET recorded_at = recorded_at - interval '1 day'")
    hrefs = [attrs.get("href") for _, attrs in parsed(await auditor.get(path)).tags]
    assert f"{path}/bundle?anyway=true" in hrefs
    assert f"{path}/bundle" not in hrefs


async def test_exports_are_taken_away_by_those_who_may(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, visit: Visit
) -> None:
    path = await on_page(await registered(admin))
    supervisor = await visit(Role.SUPERVISOR, "sam")
    for format in OF_A_CASE:
        file = await auditor.get(f"{path}/files/{format}")
        assert file.status_code == 200
        assert b"CaseRegistered" in file.content
        assert file.headers["Content-Disposition"].startswith("attachment")
        read(await supervisor.get(f"{path}/files/{format}"), 403)
    for listed in FILES:
        assert (await auditor.get(f"/audit/files/{listed.format}")).status_code == 200
    assert "Other files are for auditors and admins" in read(await supervisor.get(path))


async def test_what_is_printed_bears_the_number_of_the_case(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, desk: Desk
) -> None:
    case = await registered(admin)
    told = (await admin.get(case)).json()
    await desk.feed.reached(told["position"], 5)
    sheet = await auditor.get(f"{await on_page(case)}/print.css")
    assert sheet.headers["Content-Type"] == "text/css; charset=utf-8"
    head = "".join(f"\\{ord(letter):06x}" for letter in f"Case {told['case_ref']}")
    assert head in sheet.text


async def test_pages_are_kept_by_nobody_and_their_files_for_good(
    auditor: httpx.AsyncClient,
) -> None:
    page = await auditor.get("/audit")
    assert page.headers["Cache-Control"] == "no-store"
    files = [t.get("href") or t.get("src") for n, t in parsed(page).tags if n in ("link", "script")]
    assert files
    for file in files:
        answer = await auditor.get(str(file))
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert "<style" not in page.text
    assert " style=" not in page.text


async def test_who_looked_is_noted_and_shown_to_those_who_may_know(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient, visit: Visit
) -> None:
    path = await on_page(await registered(admin))
    sam = await visit(Role.SUPERVISOR, "sam")
    for _ in range(2):
        assert "Who looked" not in read(await sam.get(path))
    await sam.get(path, params={"version": 1}, headers={"HX-Request": "true"})
    page = read(await auditor.get(path))
    assert "sam supervisor" in page
    assert "3 times since" in page
    listed = (await admin.get("/v1/access-log", params={"actor": "olga"})).json()["items"]
    assert [(one["what"], one["target"]) for one in listed] == [("get_case", path)]


async def test_a_long_case_is_told_some_events_at_a_time(
    admin: httpx.AsyncClient, auditor: httpx.AsyncClient
) -> None:
    case = await registered(admin)
    for round in range(6):
        notes = [{"type": "AddNote", "text": f"Note {round} {n}."} for n in range(100)]
        answer = await admin.post(f"{case}/commands", json={"commands": notes})
        assert answer.status_code == 201, answer.text
    path = await on_page(case)
    first = await auditor.get(path, params={"version": 1})
    assert read(first).count("added a note") == EVENTS_MAX - 1
    [later] = [t["href"] for n, t in parsed(first).tags if "first=" in (t.get("href") or "")]
    rest = await auditor.get(f"{path}{later}")
    assert "400 earlier ones" in read(rest)
    assert read(rest).count("added a note") == 600 - (EVENTS_MAX - 1) + 1
    assert "nothing comes after them" in read(await auditor.get(path, params={"first": 602}))
