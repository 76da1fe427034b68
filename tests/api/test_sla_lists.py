"""Clocks and queues over HTTP, with the policies of the pack `desk`."""

from typing import Any

import pytest

from api.desk import Desks
from casecore.actors import Role
from casecore.sla.events import SLA_BOOK_ID
from casecore.sla.files import pack, read_book
from casecore.sla.state import SlaBook
from tests.api.conftest import Client, Login
from tests.api.making import PROMISE, problem, registered
from tests.spec import SYSTEM


@pytest.fixture(autouse=True)
async def published(desks: Desks) -> None:
    desk = await desks.desk("main")
    await desk.core.execute(SlaBook, SLA_BOOK_ID, *read_book(pack("desk")), by=SYSTEM)


async def read(client: Client, path: str, at: int, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params={"min_position": at, **params})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def promised(client: Client, case: str, seconds: int) -> int:
    path = f"{case}/promises"
    answer = await client.post(path, json=PROMISE | {"within_seconds": seconds})
    assert answer.status_code == 201, answer.text
    position: int = answer.json()["position"]
    return position


async def test_an_agent_lists_the_clocks_of_cases_that_are_theirs_or_nobodys(
    admin: Client, login: Login
) -> None:
    ada, ben = await login(Role.AGENT, "ada"), await login(Role.AGENT, "ben")
    bi = await login(Role.BI, "bi")
    case = await registered(admin)
    claimed = await ada.post(f"{case}/claim")
    at = claimed.json()["position"]
    clocks = await read(ada, "/v1/sla/clocks", at)
    assert {clock["name"] for clock in clocks} >= {"acknowledgement", "resolution"}
    assert all(clock["state"] == "running" for clock in clocks)
    assert await read(bi, "/v1/sla/clocks", at, state="running") == clocks
    assert await read(ben, "/v1/sla/clocks", at) == []
    case_id = case.rsplit("/", 1)[-1]
    refused = await ben.get("/v1/sla/clocks", params={"case_id": case_id})
    problem(refused, 403, "not-owner")
    assert await read(admin, "/v1/sla/clocks", at, kind="callback") == []
    assert await read(admin, "/v1/sla/at-risk", at) == []


async def test_what_is_asked_for_wrongly_is_refused(admin: Client) -> None:
    for params in ({"state": "late"}, {"kind": "lunch"}, {"due_before": "soon"}, {"now": "later"}):
        answer = await admin.get("/v1/sla/clocks", params=params)
        assert answer.status_code == 400, answer.text
    answer = await admin.get("/v1/sla/at-risk", params={"state": "running"})
    assert answer.status_code == 400


async def test_the_queue_and_who_takes_its_next_case_go_by_the_slack(
    admin: Client, login: Login
) -> None:
    await registered(admin)
    pressing = await registered(admin)
    at = await promised(admin, pressing, 60)
    items = await read(admin, "/v1/queues/complaints/items", at)
    assert items[0]["case_id"] == pressing.rsplit("/", 1)[-1]
    assert items[0]["next_due_kind"] == "promise"
    assert items[0]["slack_seconds"] <= 60
    assert not items[0]["breached"]
    [queue] = await read(admin, "/v1/queues", at)
    assert (queue["waiting"], queue["breached"]) == (2, 0)
    assert queue["next_due_at"] == items[0]["next_due_at"]

    ada = await login(Role.AGENT, "ada")
    taken = await ada.post("/v1/queues/complaints/claim-next")
    assert taken.json()["case_id"] == items[0]["case_id"]
