"""An event's envelope is a CloudEvent, and brings back exactly what is stored."""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.cloudevents import from_cloudevent, to_cloudevent
from casecore.actors import Actor, Role
from casecore.case.events.intake import NoteAdded
from casecore.integrity import first_head
from casecore.ledger import Row
from casecore.recording import Meta, encode, from_row, seal
from tests.casecore.writing import Stream, asking, recomputed_head

AT = datetime(2026, 3, 4, 10, 15, 0, 120, tzinfo=UTC)
STREAM, COMMAND = UUID(int=1), UUID(int=2)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
texts = st.builds(
    lambda value, ascii, indent: json.dumps(value, ensure_ascii=ascii, indent=indent),
    values,
    st.booleans(),
    st.sampled_from([None, 2]),
).filter(lambda text: not re.search("[\ud800-\udfff]", text))
stored = st.binary() | texts.map(str.encode)
rows = st.builds(
    Row,
    position=st.integers(1, 2**63 - 1),
    stream_id=st.uuids(),
    version=st.integers(0, 2**31 - 1),
    type=st.text(min_size=1),
    recorded_at=st.datetimes(timezones=st.just(UTC)),
    command_id=st.uuids(),
    meta=stored,
    data=stored,
    data_hash=st.binary(min_size=32, max_size=32),
    head=st.binary(min_size=32, max_size=32),
)


def kept(data: bytes, meta: bytes | None = None, type_: str = "NoteAdded") -> Row:
    meta = meta or encode(Meta(AT, Actor("ada", Role.AGENT), UUID(int=3), UUID(int=4)))
    return Row(7, STREAM, 3, type_, AT, COMMAND, meta, data, sha256(data).digest(), b"\x99" * 32)


@given(rows, st.text(min_size=1))
@example(kept(b'{"b":1.0,"a":[1e2,1E+2,-0,0.10],"a":"\\u00e9"}'), "main")
@example(kept('{"ü":"😀\u2028"}'.encode()), "a/b?c")
@example(kept(b' {"a":1}'), "main")
@example(kept(b'1,"data":2'), "main")
@example(kept(b"[" * 10_000 + b"]" * 10_000), "main")
@example(kept(b""), "main")
@example(kept(b"\xff", meta=b"\xff"), "main")
def test_what_is_stored_comes_back_exactly(row: Row, ledger: str) -> None:
    line = to_cloudevent(ledger, row)
    assert b"\n" not in line
    assert b"\r" not in line
    assert from_cloudevent(line) == (ledger, row)
    json.loads(line)


def test_an_event_of_ours_is_a_cloudevent() -> None:
    meta = encode(Meta(AT, Actor("ada", Role.AGENT), UUID(int=3), UUID(int=4)))
    note = NoteAdded(note_id="n1", text="Ordered in “May”")
    sealed = seal("main", STREAM, 1, first_head("main", STREAM), COMMAND, meta, note)
    row = Row(
        *(7, STREAM, 1, sealed.type, AT, COMMAND, meta, sealed.data, sealed.data_hash, sealed.head)
    )
    line = to_cloudevent("main", row)
    event = json.loads(line)
    data, head = event.pop("data"), event.pop("head")
    assert sealed.data in line
    assert data == json.loads(sealed.data)
    assert bytes.fromhex(head) == sealed.head
    assert event == {
        "specversion": "1.0",
        "id": str(from_row("main", row).event_id),
        "source": f"/ledgers/main/streams/{STREAM}",
        "type": "casecore.NoteAdded",
        "subject": str(STREAM),
        "time": "2026-03-04T10:15:00.000120Z",
        "datacontenttype": "application/json",
        "position": 7,
        "version": 1,
        "recordedat": "2026-03-04T10:15:00.000120Z",
        "commandid": str(COMMAND),
        "correlationid": str(UUID(int=3)),
        "causationid": str(UUID(int=4)),
        "actor": "ada",
        "actorrole": "agent",
        "datahash": sealed.data_hash.hex(),
        "meta": meta.decode(),
    }


@given(rows)
def test_the_attributes_are_named_and_typed_as_cloudevents_says(row: Row) -> None:
    event = json.loads(to_cloudevent("main", row))
    assert {"specversion", "id", "source", "type"} <= event.keys()
    assert ("data" in event) != ("data_base64" in event)
    for name in event.keys() - {"data", "data_base64"}:
        assert re.fullmatch("[a-z0-9]{1,20}", name)
        assert isinstance(event[name], str | int)


def test_a_chain_can_be_checked_from_the_lines_alone() -> None:
    stream, at = Stream(), datetime.now(UTC)
    request = asking(stream, events=3)
    rows = [
        Row(
            nth, stream.id, nth, e.type, at, request.command_id, e.meta, e.data, e.data_hash, e.head
        )
        for nth, e in enumerate(request.writes[0].events, 1)
    ]
    told = [from_cloudevent(to_cloudevent("main", row)) for row in rows]
    assert recomputed_head("main", stream.id, [row for _, row in told]) == stream.head


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"\xff",
        to_cloudevent("main", kept(b"{}")).replace(b'"1.0"', b'"0.3"'),
        to_cloudevent("main", kept(b"{}")).replace(b"casecore.", b"other."),
        to_cloudevent("main", kept(b"{}")).replace(b"/streams/", b"/cases/"),
        to_cloudevent("main", kept(b"{}")).replace(str(STREAM).encode(), b"x"),
        to_cloudevent("main", kept(b"{}")).replace(b'"data":{}', b'"dat":{}'),
        to_cloudevent("main", kept(b"x")).replace(b'"eA=="', b'"e*=="'),
        to_cloudevent("main", kept(b"{}")).replace(b"99" * 32, b"zz"),
    ],
)
def test_what_is_no_event_of_ours_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_cloudevent(line)


def test_more_attributes_than_are_known_do_no_harm() -> None:
    row = kept(b"{}")
    line = to_cloudevent("main", row)[:-1] + b',"traceparent":"%s"}' % str(uuid4()).encode()
    assert from_cloudevent(line) == ("main", row)
