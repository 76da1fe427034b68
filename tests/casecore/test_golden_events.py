"""Every shape an event was ever stored in can still be read, and means what it meant.

To add a line: when an event is new, or has a new field, append a line to golden/events.jsonl
with its type, the data as it is stored now (every field filled), and a meta; never edit one.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from casecore.recording import EVENTS, Meta, decode_event


class Line(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    data: msgspec.Raw
    meta: msgspec.Raw


GOLDEN = Path(__file__).parents[1] / "golden" / "events.jsonl"
LINES = [msgspec.json.decode(line, type=Line) for line in GOLDEN.read_bytes().splitlines()]


@pytest.mark.parametrize("line", LINES, ids=[line.type for line in LINES])
def test_a_stored_event_is_read_as_what_it_was(line: Line) -> None:
    event = decode_event(line.type, bytes(line.data))
    again = msgspec.json.encode(event)
    assert holds(msgspec.json.decode(again), msgspec.json.decode(line.data))
    assert event.told()


@pytest.mark.parametrize("line", LINES, ids=[line.type for line in LINES])
def test_who_and_when_of_a_stored_event_are_read_as_they_were(line: Line) -> None:
    meta = msgspec.json.decode(line.meta, type=Meta)
    assert holds(msgspec.to_builtins(meta), msgspec.json.decode(line.meta))


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_a_line_in_the_shape_of_today(name: str) -> None:
    shapes = [set(msgspec.json.decode(line.data)) for line in LINES if line.type == name]
    assert {field.name for field in msgspec.structs.fields(EVENTS[name])} in shapes


def test_no_event_was_ever_taken_away() -> None:
    assert {line.type for line in LINES} == set(EVENTS)


def holds(now: Any, then: Any) -> bool:
    """Whether all that was there is there still; a shape may have gained fields since."""
    if isinstance(then, dict):
        return all(key in now and holds(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return bool(now == then)
