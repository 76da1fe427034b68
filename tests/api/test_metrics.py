"""Metrics: what Prometheus reads, who may ask for it, and how requests are counted."""

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.desk import Desks
from api.traffic import SECONDS, Traffic
from casecore.actors import Role
from tests.api.conftest import Client, Login
from tests.api.making import problem, registered

MAY_SCRAPE = {Role.ADMIN, Role.SUPERVISOR, Role.AUDITOR, Role.BI}
REQUESTS = "casecore_http_request_duration_seconds"


async def families(client: Client) -> dict[str, Any]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def counted(found: dict[str, Any]) -> dict[tuple[str, str, str], float]:
    """How many requests there were, by route, method and class of status."""
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for sample in found[REQUESTS].samples
        if sample.name.endswith("_count")
    }


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
async def test_who_leads_audits_or_counts_may_scrape(login: Login, role: Role) -> None:
    answer = await (await login(role, "prometheus")).get("/metrics")
    if role in MAY_SCRAPE:
        assert answer.status_code == 200
    else:
        problem(answer, 403, "role-forbidden")


async def test_without_a_key_there_are_no_metrics(stranger: Client) -> None:
    problem(await stranger.get("/metrics"), 401, "unauthenticated")


async def test_every_metric_has_a_unit_and_help_and_stands_once(admin: Client) -> None:
    await registered(admin)
    text = (await admin.get("/metrics")).text
    typed = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(typed) == len(set(typed))
    found = await families(admin)
    assert all(family.documentation for family in found.values())
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"} <= {*found}


async def test_a_key_shows_its_own_ledger_and_no_other_whatever_its_role(
    admin: Client, login: Login
) -> None:
    other = await login(Role.ADMIN, "root", "other-brand")
    await registered(admin)
    for client, ledger in ((admin, "main"), (other, "other-brand")):
        samples = [s for family in (await families(client)).values() for s in family.samples]
        assert {s.labels["ledger"] for s in samples if "ledger" in s.labels} == {ledger}


async def test_what_is_appended_and_followed_is_counted(admin: Client) -> None:
    case = await registered(admin)
    answer = await admin.post(f"{case}/notes", json={"text": "Hello"})
    position = answer.json()["position"]
    await admin.get("/v1/cases", params={"min_position": position})
    found = await families(admin)

    def value(family: str, name: str) -> float:
        [sample] = [s for s in found[family].samples if s.name == name]
        assert sample.labels == {"ledger": "main"}
        return float(sample.value)

    appended = value("casecore_append_events", "casecore_append_events_total")
    assert value("casecore_ledger_position", "casecore_ledger_position") == position
    assert 2 <= appended < position
    assert value("casecore_append_flushes", "casecore_append_flushes_total") >= 2
    assert value("casecore_append_queue_requests", "casecore_append_queue_requests") == 0
    assert value("casecore_feed_batch_events", "casecore_feed_batch_events_sum") >= appended
    assert value("casecore_feed_batch_events", "casecore_feed_batch_events_count") >= 1


async def test_requests_are_counted_by_route_method_and_class_of_status(admin: Client) -> None:
    case = await registered(admin)
    for _ in range(3):
        await admin.get(case)
    await admin.get("/v1/cases/018f6e2a-7c1b-7d3e-9a4b-5c6d7e8f9a0b")
    await admin.get("/v1/nothing/here")
    await admin.request("BREW", "/coffee/{Ada}")
    await admin.delete(case)
    requests = counted(await families(admin))
    assert requests["/v1/cases", "POST", "2xx"] == 1
    assert requests["/v1/cases/{case_id}", "GET", "2xx"] == 3
    assert requests["/v1/cases/{case_id}", "GET", "4xx"] == 1
    assert requests["none", "none", "4xx"] == 3


async def test_no_label_holds_what_a_stranger_wrote(admin: Client, stranger: Client) -> None:
    await registered(admin)
    for path in (
        "/%22} 1%0aAda 1",
        "/v1/queues/Ada%20Byron/items",
        "/docs/cust-42",
        "/v1/cases/cust-42",
    ):
        await stranger.get(path)
        await stranger.request("ADA", path)
    text = (await admin.get("/metrics")).text
    assert not [word for word in ("Ada", "ADA", "cust-42") if word in text]


async def test_each_app_counts_for_itself(admin: Client, desks: Desks) -> None:
    await registered(admin)
    async with Client(
        transport=httpx.ASGITransport(create_app(desks)),
        base_url="http://desk",
        headers=admin.headers,
    ) as another:
        assert counted(await families(another)) == {}


def timed(seconds: list[float]) -> Any:
    """The family of requests that took so long."""
    traffic = Traffic()
    clock = iter([at for second in seconds for at in (0.0, second)])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["path_template"] = "/x"
        await send({"type": "http.response.start", "status": 204})

    async def send(message: Any) -> None:
        pass

    async def requests() -> None:
        around = traffic.around(app)
        for _ in seconds:
            await around({"type": "http", "method": "GET"}, None, send)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.traffic.perf_counter", lambda: next(clock))
        asyncio.run(requests())
    [family] = traffic.collect()
    return family


@given(st.lists(st.floats(0, 10) | st.sampled_from(SECONDS), min_size=1, max_size=30))
def test_a_bucket_counts_all_that_took_no_longer_than_it_says(seconds: list[float]) -> None:
    samples = timed(seconds).samples
    buckets = {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}
    assert {*buckets} == {*map(str, SECONDS), "+Inf"}
    for le, count in buckets.items():
        assert count == sum(second <= float(le) for second in seconds)
    [total] = [s.value for s in samples if s.name.endswith("_sum")]
    assert total == pytest.approx(sum(seconds))


async def test_what_ends_without_an_answer_counts_as_failed() -> None:
    traffic = Traffic()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await traffic.around(app)({"type": "http", "method": "GET"}, None, None)  # type: ignore[arg-type]
    [family] = traffic.collect()
    assert {s.labels["status"] for s in family.samples} == {"5xx"}
