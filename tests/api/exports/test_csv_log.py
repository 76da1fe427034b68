"""Cases as CSV: a row an event, safe to open in a spreadsheet."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from api.exports.csv_log import COLUMNS, lined
from casecore.actors import Actor, Role
from casecore.case.decisions.intake import RegisterCase
from casecore.case.events import CaseEvent
from casecore.case.events.intake import Customer
from casecore.case.state import Case
from casecore.clockset.events import ClockEvent
from casecore.core import Core
from projections.cells import FORMULA, shown
from tests.api.exports.exporting import exported

CASE_EVENTS = {event.__name__ for event in get_args(CaseEvent | ClockEvent)}


def read(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode(), newline="")))


async def test_every_event_of_a_case_is_a_row(morning: Core) -> None:
    raw = await exported(morning.recorder, "csv")
    rows = read(raw)
    assert raw.startswith(b"case_ref,case_id,activity,occurred_at,recorded_at,agent,role,sentence,")
    assert raw.count(b"\r\n") == len(rows) + 1
    there = await morning.recorder.read(0, 10_000)
    positions = {row.position for row in there if row.type in CASE_EVENTS}
    assert {int(row["position"]) for row in rows} == positions
    first = rows[0]
    assert first["case_ref"].startswith("C-")
    assert first["activity"] == first["type"] == "CaseRegistered"
    assert "registered complaint" in first["sentence"]
    assert datetime.fromisoformat(first["occurred_at"]).tzinfo is not None


async def test_what_people_wrote_is_not_reckoned_by_a_spreadsheet(core: Core) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    asked = RegisterCase(
        channel="email",
        received_at=now,
        customer=Customer("c1"),
        reason="=1+1",
        product='=HYPERLINK("x","y")',
    )
    await core.execute(Case, uuid4(), asked, by=Actor("ada", Role.AGENT))
    [row] = read(await exported(core.recorder, "csv"))
    assert row["product"] == '\'=HYPERLINK("x","y")'


@given(st.text())
def test_no_cell_begins_a_formula(text: str) -> None:
    assert not shown(text).startswith(FORMULA)
    assert shown(text).endswith(text)


@given(st.lists(st.tuples(*(st.text(alphabet=st.characters(codec="utf-8")) for _ in range(3)))))
def test_what_is_written_is_read_back(rows: list[tuple[str, ...]]) -> None:
    text = lined([tuple("abc"), *rows])
    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))][1:] == rows


async def test_nothing_selected_leaves_the_names_of_the_columns(morning: Core) -> None:
    raw = await exported(morning.recorder, "csv", product="nothing")
    assert raw.decode() == ",".join(COLUMNS) + "\r\n"
