"""Case logs as XES: what is in them, and that a log that came in goes out as it came."""

import csv
import gzip
import io
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from uuid import UUID
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from api.exports import xes as xes_out
from api.exports.running import FORMATS
from api.exports.selecting import Progress, Selection
from api.imports import xes
from api.imports.cloudevents import restored
from api.imports.mapping import SHIPPED, ActivityMapping, read
from api.imports.plan import Bad
from api.imports.running import Report, run
from casecore.case.events import CaseEvent
from casecore.clockset.events import ClockBreached, ClockEvent
from casecore.core import Core
from casecore.database import Pool, ledger_id
from casecore.recorder import Recorder
from tests.api.exports.conftest import EVERY_STORY, LEDGER
from tests.api.exports.exporting import exported, whole
from tests.api.imports.shared import shared
from tests.casecore.clockwork import Desk
from tests.casecore.sla.given import policy, rule

CASE_EVENTS = {event.__name__ for event in get_args(CaseEvent | ClockEvent)}
Moment = tuple[str, str, datetime]

NS = "{http://www.xes-standard.org/}"
KINDS = {f"{NS}{kind}" for kind in ("string", "date", "int", "float", "boolean", "id")}


def log_of(raw: bytes) -> Counter[tuple[str, tuple[Moment, ...]]]:
    """Every trace of a log, by its name: activity, transition and time of its events."""
    file = io.BufferedReader(io.BytesIO(raw))
    found: Counter[tuple[str, tuple[Moment, ...]]] = Counter()
    for trace in xes.traces(file):
        assert not isinstance(trace, Bad), trace
        moments = (
            (
                event.values["concept:name"],
                event.values["lifecycle:transition"],
                datetime.fromisoformat(event.values["time:timestamp"]).astimezone(UTC),
            )
            for event in trace.events
        )
        found[trace.values["concept:name"], tuple(moments)] += 1
    return found


async def came_in(core: Core, path: Path, mapping: str) -> Report:
    said = read(mapping)
    report = Report()
    with path.open("rb") as file:
        activities = ActivityMapping(said, said.activity or "{concept:name}", unmapped="stop")
        await run(core, xes.plans(file, None, activities), "xes", "stop", report)
    assert not report.reasons
    return report


async def test_a_log_goes_out_as_it_came_in(core: Core) -> None:
    path = shared("incidents-closed.xes.gz")
    await came_in(core, path, "incidents")
    there = log_of(gzip.decompress(path.read_bytes()))
    back = log_of(await exported(core.recorder, "xes"))
    assert (len(back), sum(len(moments) for _, moments in back)) == (1487, 6660)
    assert back == there
    variants = [Counter(tuple(m[:2] for m in trace) for _, trace in log) for log in (there, back)]
    assert variants[0] == variants[1]


async def test_what_clocks_tell_of_a_log_that_came_in_as_history_is_no_part_of_it(
    core: Core, tmp_path: Path
) -> None:
    path = tmp_path / "some.xes"
    text = gzip.decompress(shared("incidents-closed.xes.gz").read_bytes()).decode()
    path.write_text("</trace>".join(text.split("</trace>")[:20]) + "</trace></log>")
    async with Desk.over(core.recorder.pool, core.recorder) as desk:
        await desk.publish(policy(rule("first_response", 4), rule("resolution", 8)))
        await came_in(core, path, "incidents")
        await desk.turn(datetime.now(UTC).isoformat())
    rows = await core.recorder.read(0, 10_000, types=[ClockBreached.__name__])
    assert len(rows) >= 20
    there = log_of(path.read_bytes())
    assert log_of(await exported(core.recorder, "xes")) == there
    cells = csv.DictReader(io.StringIO((await exported(core.recorder, "csv")).decode()))
    assert [cell["activity"] for cell in cells] == [
        activity for _, moments in there for activity, *_ in moments
    ]
    for format in ("csv", "ocel-json"):
        assert ClockBreached.__name__.encode() not in await exported(core.recorder, format)
    assert ClockBreached.__name__.encode() in await exported(core.recorder, "cloudevents")


async def test_what_clocks_tell_of_a_log_since_it_came_in_goes_out_too(
    core: Core, tmp_path: Path
) -> None:
    path = tmp_path / "one.xes"
    about = {
        "concept:name": "Queued",
        "lifecycle:transition": "Awaiting Assignment",
        "org:group": "G1",
        "organization country": "se",
        "organization involved": "Org line A2",
        "product": "PROD1",
        "impact": "Low",
    }
    at = datetime.now(UTC) - timedelta(minutes=1)
    of_event = "".join(f'<string key="{key}" value="{value}"/>' for key, value in about.items())
    path.write_text(
        '<log><trace><string key="concept:name" value="1"/>'
        f'<event><date key="time:timestamp" value="{at.isoformat()}"/>{of_event}</event>'
        "</trace></log>"
    )
    async with Desk.over(core.recorder.pool, core.recorder) as desk:
        await desk.publish(policy(rule("resolution", 8)))
        await came_in(core, path, "incidents")
        await desk.turn((datetime.now(UTC) + timedelta(days=30)).isoformat())
    [(_, moments)] = log_of(await exported(core.recorder, "xes"))
    assert [activity for activity, *_ in moments] == ["Queued", ClockBreached.__name__]


async def test_as_many_events_are_counted_as_go_out(core: Core, tmp_path: Path) -> None:
    path = tmp_path / "some.xes"
    text = gzip.decompress(shared("incidents-closed.xes.gz").read_bytes()).decode()
    path.write_text("</trace>".join(text.split("</trace>")[:3]) + "</trace></log>")
    await came_in(core, path, "incidents")
    events = sum(len(moments) for _, moments in log_of(path.read_bytes()))
    upto = await core.recorder.head()
    for format in ("xes", "csv", "ocel-json", "ocel-sqlite"):
        progress = Progress()
        await whole(FORMATS[format].stream(core.recorder, Selection(), upto, progress))
        assert str(progress) == f"3 cases, {events} events"


async def test_the_document_is_as_the_standard_has_it(day: Core) -> None:
    """The XSD of IEEE 1849, as far as it speaks of what we write."""
    log = ElementTree.fromstring(await exported(day.recorder, "xes"))
    assert log.tag == f"{NS}log"
    assert (log.get("xes.version"), log.get("xes.features")) == ("1849.2016", "")
    order = ["extension", "global", "classifier", "attribute", "trace"]
    kinds = [kind_of(child) for child in log]
    assert kinds == sorted(kinds, key=order.index)
    prefixes = {child.get("prefix") for child in log.iter(f"{NS}extension")}
    assert prefixes == {"concept", "time", "org", "lifecycle"}
    for extension in log.iter(f"{NS}extension"):
        assert extension.keys() == ["name", "prefix", "uri"]
    declared = {
        of.get("scope"): {(a.tag, a.get("key")) for a in of} for of in log.iter(f"{NS}global")
    }
    assert declared.keys() == {"trace", "event"}
    keys = {key for _, key in declared["event"]}
    for classifier in log.iter(f"{NS}classifier"):
        assert set(classifier.get("keys", "").split()) <= keys
    for trace in log.iter(f"{NS}trace"):
        of_trace = [attribute(child) for child in trace if kind_of(child) == "attribute"]
        assert declared["trace"] <= set(of_trace)
        assert [kind_of(child) for child in trace][len(of_trace) :] == ["event"] * (
            len(trace) - len(of_trace)
        )
        for event in trace.iter(f"{NS}event"):
            of_event = [attribute(child) for child in event]
            assert len(set(of_event)) == len(of_event)
            assert declared["event"] <= set(of_event)


def kind_of(element: ElementTree.Element) -> str:
    return "attribute" if element.tag in KINDS else element.tag.removeprefix(NS)


def attribute(element: ElementTree.Element) -> tuple[str, str | None]:
    """Which it is, once its value is of its type, as the XSD has them."""
    assert sorted(element.keys()) == ["key", "value"]
    value = element.get("value", "")
    match element.tag.removeprefix(NS):
        case "date":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", value)
        case "int":
            int(value)
        case "id":
            UUID(value)
        case kind:
            assert kind == "string"
    return element.tag, element.get("key")


async def test_a_case_of_ours_is_told_in_our_words_in_the_order_it_happened(day: Core) -> None:
    raw = await exported(day.recorder, "xes")
    ours = [trace for trace in xes.traces(io.BufferedReader(io.BytesIO(raw)))]
    assert len(ours) == EVERY_STORY
    for trace in ours:
        assert not isinstance(trace, Bad)
        assert trace.values["concept:name"] == trace.values["casecore:case_ref"]
        first, *_ = trace.events
        assert first.values["concept:name"] == "CaseRegistered"
        assert first.values["lifecycle:transition"] == "complete"
        times = [event.values["time:timestamp"] for event in trace.events]
        assert times == sorted(times)
    events = sum(len(trace.events) for trace in ours if not isinstance(trace, Bad))
    others = await day.recorder.read(0, 10_000)
    assert events == sum(row.type in CASE_EVENTS for row in others)


async def test_a_second_log_does_not_take_the_names_of_the_first(
    core: Core, tmp_path: Path
) -> None:
    path = shared("incidents-closed.xes.gz")
    few = tmp_path / "few.xes"
    text = gzip.decompress(path.read_bytes()).decode()
    begin, end = text.index("<trace>"), text.index("</trace>") + len("</trace>")
    few.write_text(text[:end] + "</log>")
    assert begin < end
    await came_in(core, few, "incidents")
    other = tmp_path / "other.toml"
    shipped = (SHIPPED / "incidents.toml").read_text()
    other.write_text(shipped.replace("volvo-incidents", "elsewhere"))
    await came_in(core, few, str(other))
    names = [name for name, _ in log_of(await exported(core.recorder, "xes"))]
    assert names == ["1-109135791", "elsewhere/1-109135791"]


@given(st.text())
def test_any_text_is_xml_and_comes_back_as_far_as_xml_can_hold_it(text: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    read = ElementTree.fromstring(f'<a v="{xes_out.escaped(text)}"/>').get("v")
    unheld = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
    assert read == unheld.sub("\N{REPLACEMENT CHARACTER}", text)


async def test_an_empty_ledger_and_an_unknown_product_are_valid_logs(day: Core) -> None:
    for selection in ({"at_position": 0}, {"product": "nothing"}):
        log = ElementTree.fromstring(await exported(day.recorder, "xes", **selection))
        assert not list(log.iter(f"{NS}trace"))


async def test_the_same_goes_out_every_time(day: Core) -> None:
    for format in ("xes", "csv", "cloudevents", "ocel-json"):
        once = await exported(day.recorder, format)
        assert await exported(day.recorder, format) == once


async def test_a_log_goes_round_as_events_of_its_source_also_through_a_restore(
    core: Core, elsewhere: Pool
) -> None:
    path = shared("incidents-closed.xes.gz")
    await came_in(core, path, "incidents")
    lines = io.BufferedReader(io.BytesIO(await exported(core.recorder, "cloudevents")))
    await restored(elsewhere, LEDGER, lines, lambda _: None)
    recorder = Recorder(elsewhere, await ledger_id(elsewhere, LEDGER), LEDGER)
    assert await exported(recorder, "xes") == await exported(core.recorder, "xes")
