"""A key opens the pages, for a while, in one browser; and nothing else does."""

import httpx
import pytest

from api import keys
from api.app import create_app
from api.desk import Desks
from api.pages import sessions, signing_in
from api.pages.signing_in import inside
from casecore.actors import Role
from tests.pages.conftest import URL, Visit, parsed, read, sign_in

PAGES = ("/audit", "/audit/cases/x", "/desk", "/desk/board", "/desk/stream", "/audit/files/xes")


async def test_who_is_not_signed_in_is_asked_to_and_comes_back_to_where_they_were_going(
    stranger: httpx.AsyncClient, desks: Desks
) -> None:
    for path in PAGES:
        answer = await stranger.get(path, params={"q": "C-1"} if path == "/audit" else None)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith(f"/sign-in?next={path}")
    asked = await stranger.get("/audit?q=C-1&after=x")
    form = parsed(await stranger.get(asked.headers["Location"]))
    [target] = [tag["value"] for name, tag in form.tags if tag.get("name") == "next"]
    assert target == "/audit?q=C-1&after=x"
    _, key = await keys.create(desks.pool, "main", "olga", Role.AUDITOR, "")
    answer = await sign_in(stranger, key, next=target)
    assert (answer.status_code, answer.headers["Location"]) == (303, target)


async def test_the_cookie_is_not_the_key_and_no_script_gets_it(
    stranger: httpx.AsyncClient, desks: Desks
) -> None:
    _, key = await keys.create(desks.pool, "main", "olga", Role.AUDITOR, "")
    cookie = (await sign_in(stranger, f"  {key}\n")).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert key not in cookie
    headers = {"Origin": URL, "X-Forwarded-Proto": "https"}
    answer = await stranger.post("/sign-in", data={"key": key}, headers=headers)
    assert "; Secure" in answer.headers["Set-Cookie"]
    kept = await desks.pool.fetchval("SELECT string_agg(s::text, ' ') FROM sys.session s")
    assert stranger.cookies[signing_in.COOKIE] not in kept


async def test_a_wrong_key_opens_nothing_and_says_so_and_so_do_too_many(
    stranger: httpx.AsyncClient, desks: Desks
) -> None:
    for key in ("", "cck_wrong", "ü" * 300, "\0"):
        assert "unknown here" in read(await sign_in(stranger, key), 401)
    assert (await stranger.get("/audit")).status_code == 303
    for n in range(signing_in.FAILURES_MAX):
        answer = await sign_in(stranger, f"cck_{n}")
    assert "Too many wrong keys" in read(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= signing_in.FAILURE_SECONDS


async def test_a_form_of_another_site_signs_nobody_in_or_out(
    stranger: httpx.AsyncClient, auditor: httpx.AsyncClient, desks: Desks
) -> None:
    _, key = await keys.create(desks.pool, "main", "olga", Role.AUDITOR, "")
    for origin in ({}, {"Origin": "https://elsewhere"}, {"Origin": "null"}):
        for path in ("/sign-in", "/sign-out"):
            answer = await auditor.post(path, data={"key": key}, headers=origin)
            assert "did not come from the page" in read(answer, 403)
    assert (await auditor.get("/audit")).status_code == 200
    proxied = {"Origin": "https://desk.example", "Sec-Fetch-Site": "same-origin"}
    answer = await stranger.post("/sign-in", data={"key": key}, headers=proxied)
    assert answer.status_code == 303


async def test_signing_out_ends_the_session_wherever_its_cookie_is(
    auditor: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    stranger.cookies = auditor.cookies
    assert (await stranger.get("/audit")).status_code == 200
    left = await auditor.post("/sign-out", headers={"Origin": URL})
    assert (left.status_code, left.headers["Location"]) == (303, "/sign-in")
    assert (await stranger.get("/audit")).status_code == 303


async def test_a_session_ends_with_its_key_and_with_its_time(desks: Desks, visit: Visit) -> None:
    olga, sam = await visit(Role.AUDITOR, "olga"), await visit(Role.SUPERVISOR, "sam")
    [key] = [one for one in await keys.all(desks.pool) if one.actor == "olga"]
    await keys.revoke(desks.pool, key.id)
    assert (await olga.get("/audit")).status_code == 303
    assert (await sam.get("/audit")).status_code == 200
    await desks.pool.execute("UPDATE sys.session SET expires_at = now()")
    assert (await sam.get("/audit")).status_code == 303


async def test_a_session_opens_every_process(auditor: httpx.AsyncClient, database_url: str) -> None:
    async with Desks.open(database_url) as elsewhere:
        transport = httpx.ASGITransport(create_app(elsewhere))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            client.cookies = auditor.cookies
            assert (await client.get("/audit")).status_code == 200


async def test_a_key_has_so_many_sessions_and_the_oldest_ends(desks: Desks) -> None:
    _, key = await keys.create(desks.pool, "main", "olga", Role.AUDITOR, "")
    ids = [await sessions.begin(desks.pool, key.encode()) for _ in range(sessions.SESSIONS_MAX + 1)]
    assert await sessions.current(desks.pool, ids[0]) is None
    assert await sessions.current(desks.pool, ids[1]) is not None
    assert await sessions.current(desks.pool, ids[-1]) is not None


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
async def test_each_role_comes_to_its_pages_and_is_told_of_those_that_are_not_for_it(
    stranger: httpx.AsyncClient, desks: Desks, role: Role
) -> None:
    _, key = await keys.create(desks.pool, "main", "olga", role, "")
    answer = await sign_in(stranger, key)
    if role in (Role.SERVICE, Role.BI):
        assert f"no pages for a key of the role {role}" in read(answer, 403)
        return
    assert answer.headers["Location"] == ("/desk" if role is Role.AGENT else "/audit")
    audit, desk = await stranger.get("/audit"), await stranger.get("/desk")
    assert read(desk).count("The desk")
    if role is Role.AGENT:
        assert "key's role is agent" in read(audit, 403)
    else:
        assert "Find a case" in read(audit)


def test_a_link_leads_to_our_pages_only() -> None:
    for path in ("/audit", "/desk", "/audit/cases/1?version=2"):
        assert inside(path) == path
    for path in (
        *("", "/", "//evil", "https://evil/audit", "/auditor", "/v1/cases", "javascript:alert(1)"),
        *("/audit\\evil", "/audit\n/x", "\\\\evil/audit", "/audit/../é"),
    ):
        assert inside(path) == ""
