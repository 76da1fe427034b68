"""Logs of activities: what CSV and XES hold, and what a mapping makes of it."""

import gzip
import io
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest

from api.bodies import converted
from api.imports import csv_log, xes
from api.imports.fact import RecordFact
from api.imports.mapping import ActivityMapping, MappingFile, read
from api.imports.plan import Bad, Plan
from casecore.case.decisions.contact import StartWaiting
from casecore.case.decisions.intake import AddNote, RegisterCase
from casecore.case.events.outcome import CaseClosed, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.errors import Malformed
from tests.api.imports.shared import shared

ROME = ZoneInfo("Europe/Rome")
TOML = """
source = "tickets"

[case]
channel = "other"
customer = { ref = "customer-{case}", company = "{company|optional}" }
reason = "Ticket {case}"

[activities.wait]
command = "StartWaiting"
with = { reason = "customer", asked_for = "More about {case}" }

[activities.take]
event = "CaseAssigned"
with = { agent = "{who|code}", method = "claim" }

[activities.close]
event = "CaseClosed"
with = { closed_at = "{time}" }

[activities.solve]
event = "ComplaintResolved"
with = { outcome = "upheld", reasons = "{what|optional}" }
"""
COLUMNS = csv_log.Columns("case", "time")


def mapping(
    toml: str = TOML, activity: str = "{activity}", unmapped: Literal["stop", "note"] = "stop"
) -> ActivityMapping:
    file = converted(tomllib.loads(toml), MappingFile)
    return ActivityMapping(file, activity, unmapped=unmapped)


def planned(text: str, mapping: ActivityMapping) -> list[Plan | Bad]:
    file = io.BufferedReader(io.BytesIO(text.encode()))
    return list(csv_log.plans(file, COLUMNS, ["case", "activity", "time"], ROME, mapping))


def one(rows: str, mapping: ActivityMapping) -> Plan:
    [plan] = planned("case,activity,time,who\n" + rows, mapping)
    assert isinstance(plan, Plan), plan
    return plan


def bad(rows: str, mapping: ActivityMapping) -> Bad:
    [found] = planned("case,activity,time,who\n" + rows, mapping)
    assert isinstance(found, Bad)
    return found


def test_the_events_of_a_case_are_gathered_and_put_in_order() -> None:
    plan = one(
        "7,close,2012-04-05 12:00:00,\n"
        "7,take,2012-04-03 16:55:38,Ada B\n"
        "7,wait,2012-04-04 10:00:00,\n",
        mapping(),
    )
    register, take, wait, close = plan.commands
    taken_at = datetime(2012, 4, 3, 14, 55, 38, tzinfo=UTC)
    assert isinstance(register, RegisterCase)
    assert (register.received_at, register.occurred_at) == (taken_at, taken_at)
    assert (register.intake_source, register.intake_ref) == ("tickets", "7")
    assert (register.customer.ref, register.customer.company) == ("customer-7", None)
    assert take == RecordFact(event=CaseAssigned("Ada-B", "claim"), occurred_at=taken_at)
    assert isinstance(wait, StartWaiting)
    assert wait.asked_for == "More about 7"
    closed_at = datetime(2012, 4, 5, 10, tzinfo=UTC)
    assert close == RecordFact(event=CaseClosed(closed_at), occurred_at=closed_at)
    assert plan.places == ("line 3", "line 3", "line 4", "line 2")


def test_events_of_the_same_second_keep_the_order_of_their_lines() -> None:
    plan = one("7,wait,2012-04-05 12:00:00,\n7,take,2012-04-05 12:00:00,ada\n", mapping())
    assert plan.places[1:] == ("line 2", "line 3")


def test_an_activity_that_is_not_mapped_stops_the_import() -> None:
    found = bad("7,dance,2012-04-05 12:00:00,\n", mapping())
    assert found.fatal
    assert found.where == "line 2"
    assert "activity 'dance'" in found.why
    assert "--unmapped note" in found.why


def test_an_activity_that_is_not_mapped_is_kept_as_a_note_where_asked() -> None:
    rows = "7,dance,2012-04-05 12:00:00,\n7,dance,2012-04-05 12:00:00,\n"
    _, first, second = one(rows, mapping(unmapped="note")).commands
    assert isinstance(first, AddNote)
    assert isinstance(second, AddNote)
    assert first.text == "dance (event 1 of the log)"
    assert second.text == "dance (event 2 of the log)"


def test_a_time_that_never_was_is_refused() -> None:
    found = bad("7,wait,2012-03-25 02:30:00,\n", mapping())
    assert (found.where, found.column, found.case) == ("line 2", "time", "7")
    assert "never was in Europe/Rome" in found.why


def test_a_time_that_was_twice_is_the_first() -> None:
    plan = one("7,wait,2012-10-28 02:30:00,\n", mapping())
    assert plan.commands[0].occurred_at == datetime(2012, 10, 28, 0, 30, tzinfo=UTC)


def test_a_time_with_an_offset_needs_no_zone() -> None:
    plan = one("7,wait,2012-10-28T02:30:00+05:00,\n", mapping())
    assert plan.commands[0].occurred_at == datetime(2012, 10, 27, 21, 30, tzinfo=UTC)


def test_a_local_time_without_a_zone_is_refused() -> None:
    file = io.BufferedReader(io.BytesIO(b"case,activity,time\n7,wait,2012-04-05 12:00:00\n"))
    [found] = csv_log.plans(file, COLUMNS, ["case", "activity", "time"], None, mapping())
    assert isinstance(found, Bad)
    assert "--zone" in found.why


def test_a_bad_line_keeps_its_whole_case_out_and_no_other() -> None:
    found, other = planned(
        "case,activity,time\n"
        "7,wait,2012-04-05 12:00:00\n"
        "8,wait,2012-04-05 12:00:00\n"
        "7,wait,yesterday\n",
        mapping(),
    )
    assert isinstance(found, Bad)
    assert (found.where, found.column, found.case) == ("line 4", "time", "7")
    assert isinstance(other, Plan)
    assert other.case == "8"


def test_a_column_that_a_field_needs_and_the_event_lacks_is_named() -> None:
    file = io.BufferedReader(io.BytesIO(b"case,activity,time\n7,take,2012-04-05 12:00:00\n"))
    [found] = csv_log.plans(file, COLUMNS, ["case", "activity", "time"], ROME, mapping())
    assert isinstance(found, Bad)
    assert found.column == "who"


def test_a_value_that_does_not_fit_its_field_is_named() -> None:
    found = bad("7,take,2012-04-05 12:00:00,\n7,solve,2012-04-05 12:00:00,\n", mapping())
    assert found.where == "line 3"
    assert "reasons" in found.why


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("StartWaiting", "StartDancing", "there is no StartDancing; there are AbandonCallback"),
        ("CaseAssigned", "CaseEaten", "there is no CaseEaten"),
        ("asked_for", "asked", "StartWaiting takes no asked here; it takes"),
        ("|code", "|spell", "|spell is not known"),
        ('command = "StartWaiting"\n', "", "must name a command or an event"),
        ("channel =", "chanel =", "RegisterCase takes no chanel here"),
        ('source = "tickets"', "", "source: this is required"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_at_once(old: str, new: str, told: str) -> None:
    with pytest.raises(Malformed) as refusal:
        mapping(TOML.replace(old, new))
    assert told in str(refusal.value)


def test_a_mapping_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(Malformed, match="one of helpdesk, incidents"):
        read("nowhere")


LOG = """<?xml version="1.0"?>
<log xmlns="http://www.xes-standard.org/"><string key="origin" value="a test"/>
<trace><string key="concept:name" value="7"/><string key="company" value="Byron &amp; Co"/>
<event><string key="activity" value="take"/><string key="who" value="ada"/>
<date key="time:timestamp" value="2012-04-03T16:55:38.000+02:00"/></event>
<event><string key="activity" value="solve"/>
<string key="what" value="done"><string key="who" value="nested"/></string>
<list key="parts"><string key="what" value="inner"/></list>
<date key="time:timestamp" value="2012-04-04T16:55:38+02:00"/></event>
</trace>
<trace><string key="concept:name" value="8"/>
<event><string key="activity" value="take"/><string key="who" value="ben"/>
<date key="time:timestamp" value="2012-04-03T16:55:38+02:00"/></event></trace>
</log>
"""


def traced(raw: str | bytes) -> list[Plan | Bad]:
    file = io.BufferedReader(io.BytesIO(raw.encode() if isinstance(raw, str) else raw))
    return list(xes.plans(file, None, mapping()))


def refused(raw: str | bytes) -> Bad:
    found = traced(raw)[-1]
    assert isinstance(found, Bad)
    return found


def test_a_trace_is_a_case_and_its_attributes_are_its_events_too() -> None:
    first, second = traced(LOG)
    assert isinstance(first, Plan)
    assert isinstance(second, Plan)
    register, take, solve = first.commands
    assert isinstance(register, RegisterCase)
    assert register.customer.company == "Byron & Co"
    assert isinstance(take, RecordFact)
    assert take.occurred_at == datetime(2012, 4, 3, 14, 55, 38, tzinfo=UTC)
    assert isinstance(solve, RecordFact)
    assert solve.event == ComplaintResolved("upheld", "done")
    assert first.places[2] == "line 6 (event 2 of trace 7)"
    assert second.case == "8"


def test_a_gzipped_log_is_read_like_a_plain_one() -> None:
    assert traced(gzip.compress(LOG.encode())) == traced(LOG)


@pytest.mark.parametrize("end", range(30, len(LOG) - 1, 7))
def test_wherever_a_log_is_cut_only_whole_traces_come_in(end: int) -> None:
    *whole, found = traced(LOG[:end])
    assert isinstance(found, Bad)
    assert found.fatal
    assert "cut off" in found.why
    assert len(whole) == LOG[:end].count("</trace>")
    assert whole == traced(LOG)[: len(whole)]


def test_a_gzipped_log_that_is_cut_off_says_so() -> None:
    zipped = gzip.compress(LOG.encode())
    assert "cut off" in refused(zipped[: len(zipped) // 2]).why


def test_a_gzipped_log_whose_bytes_were_changed_is_refused() -> None:
    zipped = bytearray(gzip.compress(LOG.encode()))
    zipped[-6] ^= 1
    assert refused(bytes(zipped)).fatal


def test_entities_are_not_expanded() -> None:
    lol = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    found = refused(f"<!DOCTYPE log [{lol}]><log><string key='x' value='&j;'/></log>")
    assert "declares an entity" in found.why


def test_files_of_the_machine_cannot_be_read_through_a_log() -> None:
    doctype = '<!DOCTYPE log [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert "declares an entity" in refused(doctype + LOG.replace('<?xml version="1.0"?>', "")).why


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        ("<log>" + "<list>" * 100, "nest more than"),
        ("<log>" + " " * (3 << 20), "without a whole tag"),
        ('<log><trace><string key="' + "x" * (3 << 20), "without a whole tag"),
        ("<html/>", "this is not XES: its outermost element is html"),
        ("<log><trace>" + "<event></event>" * 5001, "more than 5000 events"),
        ("<log><trace>" + '<string key="a" value="%s"/>' % ("x" * 10_001), "one of over 10000"),
        ("<log><trace></log>", "not XML at column"),
        ("", "cut off"),
    ],
)  # fmt: skip
def test_a_hostile_log_is_refused(hostile: str, why: str) -> None:
    assert why in refused(hostile).why


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('<string key="concept:name" value="7"/>', "", "does not say which case"),
        ("2012-04-04T16:55:38+02:00", "soon", "'soon' is not a time"),
        ('<date key="time:timestamp" value="2012-04-04T16:55:38+02:00"/>', "", "when it was"),
        ("2012-04-04T16:55:38+02:00", "2012-04-04T16:55:38", "--zone"),
    ],
)
def test_a_bad_event_keeps_its_trace_out_and_no_other(old: str, new: str, why: str) -> None:
    found, other = traced(LOG.replace(old, new))
    assert isinstance(found, Bad)
    assert not found.fatal
    assert why in found.why
    assert isinstance(other, Plan)


def test_every_ticket_of_the_real_help_desk_log_can_be_planned() -> None:
    columns = csv_log.Columns("CaseID", "CompleteTimestamp")
    needed = ["CaseID", "ActivityID", "CompleteTimestamp"]
    helpdesk = ActivityMapping(read("helpdesk"), "{ActivityID}", unmapped="stop")
    with shared("helpdesk-log.csv").open("rb") as file:
        plans = list(csv_log.plans(file, columns, needed, ROME, helpdesk))
    assert len(plans) == 3804
    assert sum(len(plan.commands) - 1 for plan in plans if isinstance(plan, Plan)) == 13_710


def test_every_trace_of_the_real_incidents_log_can_be_planned() -> None:
    file = read("incidents")
    assert file.activity is not None
    incidents = ActivityMapping(file, file.activity, unmapped="stop")
    with shared("incidents-closed.xes.gz").open("rb") as opened:
        plans = list(xes.plans(opened, None, incidents))
    assert len(plans) == 1487
    assert sum(len(plan.commands) - 1 for plan in plans if isinstance(plan, Plan)) == 6660


def test_every_shipped_mapping_can_be_read() -> None:
    from api.imports.mapping import SHIPPED

    for path in Path(SHIPPED).glob("*.toml"):
        ActivityMapping(read(path.stem), "{x}", unmapped="stop")
