"""Case logs as XES: what is in them, and that a log that came in goes out as it came."""

import gzip
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from api.imports import xes
from api.imports.mapping import ActivityMapping, read
from api.imports.plan import Bad
from api.imports.running import Report, run
from casecore.core import Core
from tests.api.exports.exporting import exported
from tests.api.imports.shared import shared

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
