"""Imports into a real ledger: whole cases, once, whatever happens on the way."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from api.imports import cfpb, csv_log, xes
from api.imports.mapping import ActivityMapping, read
from api.imports.plan import Bad, Plan, Plans
from api.imports.running import OnError, Report, run
from casecore.case.events.intake import CaseRegistered
from casecore.case.events.outcome import CaseReopened, ComplaintResolved
from casecore.core import Core
from casecore.recording import event_of, from_row
from tests.api.imports.shared import shared
from tests.api.imports.test_cfpb import HEADER, ROW
from tests.api.imports.test_logs import COLUMNS, ROME, TOML, mapping


async def ran(core: Core, plans: Plans, on_error: OnError = "stop", format: str = "test") -> Report:
    report = Report()
    await run(core, plans, format, on_error, report)
    return report


def rows(*texts: str) -> Plans:
    raw: Any = io.BufferedReader(io.BytesIO((HEADER + "".join(texts)).encode()))
    return cfpb.plans(raw)


def log(text: str, toml: str = TOML) -> Plans:
    raw: Any = io.BufferedReader(io.BytesIO(("case,activity,time,who\n" + text).encode()))
    return csv_log.plans(raw, COLUMNS, ["case", "activity", "time"], ROME, mapping(toml))


async def events(core: Core) -> list[Any]:
    found, after = [], 0
    while page := await core.recorder.read(after, limit=2_000):
        found += [event_of(row) for row in page]
        after = page[-1].position
    return found


async def test_the_complaints_of_the_cfpb_come_in_once(core: Core) -> None:
    path = shared("cfpb-complaints.csv")
    with path.open("rb") as file:
        report = await ran(core, cfpb.plans(file), format="cfpb")
    assert (report.new, report.there, report.bad) == (2067, 0, 0)
    told = await events(core)
    assert len(told) == report.events
    assert sum(isinstance(event, CaseRegistered) for event in told) == 2067
    outcomes = Counter(e.outcome for e in told if isinstance(e, ComplaintResolved))
    assert outcomes == {
        "partly_upheld": 789, "heard_no_action": 627, "upheld": 33, "rejected": 2,
    }  # fmt: skip
    answers = Counter(
        e.reasons.partition(": ")[2].partition(". ")[0]
        for e in told
        if isinstance(e, ComplaintResolved)
    )
    assert answers == {
        "Closed with non-monetary relief": 789,
        "Closed with explanation": 627,
        "Closed with monetary relief": 33,
        "Closed without relief": 2,
    }
    assert sum(isinstance(event, CaseReopened) for event in told) == 1

    with path.open("rb") as file:
        again = await ran(core, cfpb.plans(file), format="cfpb")
    assert (again.new, again.there, again.bad, again.events) == (0, 2067, 0, 0)
    assert await core.recorder.head() == report.events


async def test_the_tickets_of_the_help_desk_come_in_once(core: Core) -> None:
    def plans(file: Any) -> Iterator[Plan | Bad]:
        helpdesk = ActivityMapping(read("helpdesk"), "{ActivityID}", unmapped="stop")
        columns = csv_log.Columns("CaseID", "CompleteTimestamp")
        return csv_log.plans(file, columns, ["ActivityID"], ZoneInfo("Europe/Rome"), helpdesk)

    with shared("helpdesk-log.csv").open("rb") as file:
        report = await ran(core, plans(file))
    assert (report.new, report.bad) == (3804, 0)
    assert report.events == 3804 + 13_710
    with shared("helpdesk-log.csv").open("rb") as file:
        again = await ran(core, plans(file))
    assert (again.new, again.there) == (0, 3804)
    assert await core.recorder.head() == report.events


async def test_the_incidents_of_volvo_come_in_once(core: Core) -> None:
    def plans(file: Any) -> Iterator[Plan | Bad]:
        said = read("incidents")
        assert said.activity is not None
        return xes.plans(file, None, ActivityMapping(said, said.activity, unmapped="stop"))

    with shared("incidents-closed.xes.gz").open("rb") as file:
        report = await ran(core, plans(file))
    assert (report.new, report.bad) == (1487, 0)
    assert report.events == 1487 + 6660
    with shared("incidents-closed.xes.gz").open("rb") as file:
        again = await ran(core, plans(file))
    assert (again.new, again.there) == (0, 1487)


async def test_what_the_rules_refuse_is_named_and_the_rest_comes_in(core: Core) -> None:
    future = ROW.replace("2023", "2099").replace("7523056", "2")
    report = await ran(core, rows(ROW, future, ROW.replace("7523056", "3")), "skip")
    assert (report.new, report.bad, report.stopped) == (2, 1, False)
    [reason] = report.reasons
    assert (reason.where, reason.case) == ("line 4", "2")
    assert "later than" in reason.why
    refs = {e.intake_ref for e in await events(core) if isinstance(e, CaseRegistered)}
    assert refs == {"7523056", "3"}


async def test_a_bad_row_stops_the_import_and_what_stood_before_it_is_in(core: Core) -> None:
    bad = ROW.replace("2023-08-25", "yesterday")
    report = await ran(core, rows(ROW, bad, ROW.replace("7523056", "3")))
    assert (report.new, report.bad, report.stopped) == (1, 1, True)
    assert report.reasons[0].column == "Date received"


async def test_a_row_that_changed_since_adds_what_is_new(core: Core) -> None:
    pending = ROW.replace("Closed with explanation", "In progress")
    await ran(core, rows(pending))
    before = await core.recorder.head()
    report = await ran(core, rows(ROW))
    assert (report.new, report.there) == (1, 0)
    added = (await events(core))[before:]
    assert [type(event).__name__ for event in added] == [
        "CaseAssigned", "FaultDetermined", "ComplaintResolved",
    ]  # fmt: skip
    assert (await ran(core, rows(ROW))).there == 1


async def test_a_case_of_a_log_comes_in_whole_or_not_at_all(core: Core) -> None:
    waits_twice = TOML.replace("More about {case}", "More, {who}")
    two = "7,wait,2012-04-05 12:00:00,ada\n7,wait,2012-04-06 12:00:00,ben\n"
    other = "8,wait,2012-04-05 12:00:00,ada\n"
    report = await ran(core, log(two + other, waits_twice), "skip")
    assert (report.new, report.bad) == (1, 1)
    [reason] = report.reasons
    assert (reason.where, reason.case) == ("line 3", "7")
    assert "waits for the customer already" in reason.why
    assert [e.intake_ref for e in await events(core) if isinstance(e, CaseRegistered)] == ["8"]


async def test_a_fact_about_what_the_case_does_not_have_is_refused(core: Core) -> None:
    kept = TOML + (
        '[activities.kept]\nevent = "PromiseKept"\n'
        'with = { promise_id = "p1", kept_at = "{time}" }\n'
    )
    report = await ran(core, log("7,kept,2012-04-05 12:00:00,\n", kept))
    assert (report.new, report.bad) == (0, 1)
    assert report.reasons[0].why == "PromiseKept speaks of 'p1', which the case does not have"


async def test_a_case_of_a_log_is_not_told_twice_when_the_log_has_grown(core: Core) -> None:
    first = "7,take,2012-04-05 12:00:00,ada\n"
    await ran(core, log(first))
    report = await ran(core, log(first + "7,take,2012-04-06 12:00:00,ben\n"))
    assert (report.new, report.bad) == (0, 1)
    assert report.reasons[0].why == "this case came in before, with other events"
    assert await core.recorder.head() == 2


async def test_an_import_says_that_it_was_one(core: Core) -> None:
    await ran(core, rows(ROW), format="cfpb")
    rows_ = [from_row(core.recorder.ledger, row) for row in await core.recorder.read(0, limit=10)]
    assert {(r.actor.id, r.actor.role) for r in rows_} == {("import:cfpb", "system")}
