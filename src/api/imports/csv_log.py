"""A log of activities as CSV, one event a line. The events of a case may be scattered.

All of it is read before anything is planned, so a case is known to be whole; a case with a bad
line is left out altogether.
"""

from collections.abc import Sequence
from io import BufferedReader
from typing import NamedTuple
from zoneinfo import ZoneInfo

from api.imports.instants import instant
from api.imports.mapping import ActivityMapping, LogEvent
from api.imports.plan import ALL, Bad, Plans, Share, Unreadable
from api.imports.records import records
from casecore.errors import Malformed

EVENTS_MAX = 2_000_000
"""They are held in memory until the last is read."""


class Columns(NamedTuple):
    case: str
    time: str


def plans(
    file: BufferedReader,
    columns: Columns,
    needed: Sequence[str],
    zone: ZoneInfo | None,
    mapping: ActivityMapping,
    share: Share = ALL,
) -> Plans:
    cases: dict[str, list[LogEvent]] = {}
    broken: set[str] = set()
    for count, record in enumerate(records(file, needed)):
        if count >= EVENTS_MAX:
            raise Malformed(
                "log-too-long", f"a log may have {EVENTS_MAX} events: split it, by case"
            )
        if isinstance(record, Bad):
            yield record
            continue
        case = record.values[columns.case]
        try:
            if not case:
                raise Unreadable(columns.case, "the event does not say of which case it is")
            time = instant(columns.time, record.values[columns.time], zone)
        except Unreadable as error:
            yield Bad(record.where, error.why, error.column, case or None)
            broken.add(case)
            continue
        cases.setdefault(case, []).append(LogEvent(record.where, time, record.values))
    for number, (case, events) in enumerate(cases.items()):
        if share.has(number) and case not in broken:
            events.sort(key=lambda event: event.time)
            yield mapping.plan(case, events[0].where, events)
