"""Whole cases out of the ledger: each with its clock set, in order, some at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from casecore import surveying
from casecore.case.decisions.contact import RecordResponse
from casecore.case.decisions.intake import AddNote, Complainant, RegisterCase, case_ref
from casecore.case.state import Case
from casecore.clockset.decisions import WarnClock
from casecore.clockset.state import ClockSet, clockset_id
from casecore.core import Core
from casecore.surveying import Life, lives
from tests.spec import SAM, SYSTEM

READS = frozenset({"CaseRegistered", "ResponseSent", "ClockWarned"})
NOW = datetime.now(UTC)
IDS = [UUID(int=0xCA5E << 64 | number) for number in range(5)]
"""Received on five days in turn, the last of them yesterday."""


@pytest.fixture
async def told(core: Core, monkeypatch: pytest.MonkeyPatch) -> Core:
    """Five cases whose events come mixed, read two at a time."""
    monkeypatch.setattr(surveying, "CASES_AT_ONCE", 2)
    for days, case_id in zip(range(5, 0, -1), IDS, strict=True):
        registration = RegisterCase(
            channel="phone",
            customer=Complainant(ref="cust-42"),
            reason="Late",
            received_at=NOW - timedelta(days=days),
        )
        await core.execute(Case, case_id, registration, AddNote(text="-"), by=SAM)
    for case_id in IDS:
        warning = WarnClock(
            case_id=case_id, clock_id=case_id, cycle=1, name="resolution", threshold="75%"
        )
        await core.execute(ClockSet, clockset_id(case_id), warning, by=SYSTEM)
        await core.execute(Case, case_id, RecordResponse(channel="email"), by=SAM)
    return core


async def surveyed(core: Core, **limits: Any) -> list[Life]:
    upto = limits.pop("upto", None) or await core.recorder.head()
    return [life async for life in lives(core.recorder, READS, upto, **limits)]


async def test_each_case_comes_once_with_what_is_read_of_it_and_its_clock_set(told: Core) -> None:
    found = await surveyed(told)
    assert [life.case_id for life in found] == IDS
    for life in found:
        types = [type(fact.event).__name__ for fact in life.facts]
        assert types == ["CaseRegistered", "ClockWarned", "ResponseSent"]
        assert life.case_ref == case_ref(life.case_id)
        positions = [fact.position for fact in life.facts]
        assert positions == sorted(positions)


async def test_what_was_written_since_is_left_out(told: Core) -> None:
    upto = (await surveyed(told))[2].facts[0].position
    found = await surveyed(told, upto=upto)
    assert [len(life.facts) for life in found] == [1, 1, 1]


async def test_cases_are_picked_by_when_they_were_received(told: Core) -> None:
    since, before = NOW - timedelta(days=4), NOW - timedelta(days=2)
    assert [x.case_id for x in await surveyed(told, received_from=since)] == IDS[1:]
    assert [x.case_id for x in await surveyed(told, received_before=before)] == IDS[:3]
    found = await surveyed(told, received_from=since, received_before=before)
    assert [life.case_id for life in found] == IDS[1:3]
    assert await surveyed(told, received_from=NOW) == []
