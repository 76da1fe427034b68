"""A log of activities as XES (IEEE 1849), plain or gzipped, read a trace at a time.

The file may come from anyone: no entity is expanded, nothing is fetched, and no tree is built.
"""

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader
from typing import NamedTuple
from xml.parsers import expat
from zoneinfo import ZoneInfo

from api.imports.instants import instant
from api.imports.mapping import ActivityMapping, LogEvent
from api.imports.plan import ALL, Bad, Plan, Plans, Share, Unreadable
from casecore.recording import Logged

CHUNK = 1 << 16
DEPTH_MAX = 64
EVENTS_MAX = 5_000
"""Of a trace: they are appended as one."""
ATTRIBUTES_MAX = 200
"""Of an event or a trace."""
VALUE_MAX = 10_000
TAG_BYTES_MAX = 1 << 20
"""How much may pass without a tag that is whole."""

GZIP = b"\x1f\x8b"
NAME = "concept:name"
TIME = "time:timestamp"
TRANSITION = "lifecycle:transition"
RESOURCE = "org:resource"
ROLE = "org:role"
GROUP = "org:group"
CUT_OFF = {
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
}
LOG, TRACE, EVENT, ATTRIBUTE = range(1, 5)
"""How deep each lies in the document; an attribute of a trace lies where an event does."""


class Event(NamedTuple):
    line: int
    values: dict[str, str]


class Trace(NamedTuple):
    line: int
    values: dict[str, str]
    events: list[Event]


class Hostile(Exception):
    """The file asks for more than any honest log does."""


def plans(
    file: BufferedReader, zone: ZoneInfo | None, mapping: ActivityMapping, share: Share = ALL
) -> Plans:
    for number, trace in enumerate(traces(file)):
        if isinstance(trace, Bad):
            yield trace
        elif share.has(number):
            yield plan(trace, zone, mapping)


def plan(trace: Trace, zone: ZoneInfo | None, mapping: ActivityMapping) -> Plan | Bad:
    where = f"line {trace.line}"
    case = trace.values.get(NAME)
    if not case:
        return Bad(where, "the trace does not say which case it is", NAME)
    if not trace.events:
        return Bad(where, "the trace has no events", case=case)
    events = []
    for number, event in enumerate(trace.events, 1):
        here = f"line {event.line} (event {number} of trace {case})"
        try:
            if TIME not in event.values:
                raise Unreadable(TIME, "the event does not say when it was")
            at = instant(TIME, event.values[TIME], zone)
        except Unreadable as error:
            return Bad(here, error.why, error.column, case)
        events.append(LogEvent(here, at, trace.values | event.values, logged(event.values)))
    return mapping.plan(case, f"{where} (trace {case})", events)


def logged(values: dict[str, str]) -> Logged | None:
    """What the log says of an event by the standard's own extensions."""
    if NAME not in values:
        return None
    return Logged(
        values[NAME],
        values.get(TRANSITION),
        values.get(RESOURCE),
        values.get(ROLE),
        values.get(GROUP),
    )


def traces(file: BufferedReader) -> Iterator[Trace | Bad]:
    """Every trace that is whole, and at last what hindered reading on, if anything did."""
    zipped = file.peek(2).startswith(GZIP)
    source = gzip.GzipFile(fileobj=file) if zipped else file
    reading = Reading()
    try:
        while chunk := source.read(CHUNK):
            reading.feed(chunk)
            yield from reading.taken()
        reading.parser.Parse(b"", True)
    except (EOFError, expat.ExpatError) as error:
        yield from reading.taken()
        yield reading.broken_off(error)
    except (Hostile, gzip.BadGzipFile, zlib.error) as error:
        yield from reading.taken()
        yield Bad(f"line {reading.parser.CurrentLineNumber}", str(error), fatal=True)
    else:
        yield from reading.taken()


class Reading:
    """What a parser has come across so far."""

    def __init__(self) -> None:
        self.depth = 0
        self.trace: Trace | None = None
        self.event: Event | None = None
        self.done: list[Trace | Bad] = []
        self.since_tag = 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.EntityDeclHandler = self.entity

    def feed(self, chunk: bytes) -> None:
        self.since_tag += len(chunk)
        self.parser.Parse(chunk, False)
        if self.since_tag > TAG_BYTES_MAX:
            raise Hostile(f"more than {TAG_BYTES_MAX >> 20} MiB without a whole tag")

    def taken(self) -> list[Trace | Bad]:
        done, self.done = self.done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.since_tag = 0
        if self.depth > DEPTH_MAX:
            raise Hostile(f"elements nest more than {DEPTH_MAX} deep")
        kind = name.rpartition(":")[2]
        if self.depth == LOG and kind != "log":
            raise Hostile(f"this is not XES: its outermost element is {kind}, not log")
        if self.depth == TRACE and kind == "trace":
            self.trace = Trace(self.parser.CurrentLineNumber, {}, [])
        elif self.depth == EVENT and kind == "event" and self.trace:
            if len(self.trace.events) >= EVENTS_MAX:
                raise Hostile(f"the trace has more than {EVENTS_MAX} events")
            self.event = Event(self.parser.CurrentLineNumber, {})
            self.trace.events.append(self.event)
        elif self.depth == ATTRIBUTE and self.event:
            self.keep(self.event.values, attributes)
        elif self.depth == EVENT and self.trace:
            self.keep(self.trace.values, attributes)

    def keep(self, values: dict[str, str], attributes: dict[str, str]) -> None:
        key, value = attributes.get("key"), attributes.get("value")
        if key is None or value is None:
            return  # A list or a container, whose own attributes lie deeper.
        if len(values) >= ATTRIBUTES_MAX or len(value) > VALUE_MAX:
            raise Hostile(
                f"more than {ATTRIBUTES_MAX} attributes, or one of over {VALUE_MAX} characters"
            )
        values[key] = value

    def end(self, name: str) -> None:
        if self.depth == EVENT:
            self.event = None
        elif self.depth == TRACE and self.trace:
            self.done.append(self.trace)
            self.trace = None
        self.depth -= 1

    def entity(self, name: str, *_: object) -> None:
        raise Hostile(f"the file declares an entity, {name}: casecore expands none")

    def broken_off(self, error: EOFError | expat.ExpatError) -> Bad:
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber
        case = self.trace.values.get(NAME) if self.trace else None
        lost = f"; trace {case} is not whole and stays out" if case else ""
        if isinstance(error, EOFError) or error.code in CUT_OFF:
            return Bad(f"line {line}", f"the file is cut off here{lost}", case=case, fatal=True)
        why = expat.ErrorString(error.code)
        return Bad(f"line {line}", f"this is not XML at column {column + 1}: {why}", fatal=True)
