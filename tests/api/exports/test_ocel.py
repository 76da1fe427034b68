"""Object-centric logs: valid as JSON and as SQLite, and the same in both."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from api.exports import ocel_log, ocel_store
from api.exports.ocel import ENVELOPE, LIBRARY, OBJECT_TYPES, attributes_of, fields_of
from casecore.case.events import CaseEvent
from casecore.clockset.events import ClockEvent
from casecore.core import Core
from casecore.errors import Unavailable
from casecore.recording import EVENTS
from tests.api.exports.conftest import EVERY_STORY
from tests.api.exports.exporting import exported
from tests.api.imports.shared import shared

TOLD = {event.__name__ for event in (*get_args(CaseEvent | ClockEvent), *LIBRARY)}
EPOCH = "1970-01-01T00:00:00Z"


@pytest.fixture
def schema() -> Any:
    return json.loads(shared("schema_ocel2.json").read_bytes())


def opened(raw: bytes, tmp_path: Path) -> sqlite3.Connection:
    path = tmp_path / "log.sqlite"
    path.write_bytes(raw)
    return sqlite3.connect(path)


def counted(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


async def test_the_json_is_valid_by_the_schema(day: Core, schema: Any) -> None:
    log = json.loads(await exported(day.recorder, "ocel-json"))
    jsonschema.validate(log, schema)
    for when in times_of(log):
        assert datetime.fromisoformat(when).tzinfo is not None
    empty = json.loads(await exported(day.recorder, "ocel-json", product="nothing"))
    jsonschema.validate(empty, schema)
    assert empty["events"] == empty["objects"] == []


def times_of(log: Any) -> Iterator[str]:
    for event in log["events"]:
        yield event["time"]
    for one in log["objects"]:
        yield from (attribute["time"] for attribute in one["attributes"])


async def test_what_is_named_is_there_and_declared(day: Core) -> None:
    log = json.loads(await exported(day.recorder, "ocel-json"))
    ids = Counter(one["id"] for one in log["objects"])
    assert set(ids.values()) == {1}
    assert set(Counter(event["id"] for event in log["events"]).values()) == {1}
    declared = {
        (kind, one["name"]): {attribute["name"] for attribute in one["attributes"]}
        for kind in ("eventTypes", "objectTypes")
        for one in log[kind]
    }
    for kind, types in (("events", "eventTypes"), ("objects", "objectTypes")):
        for one in log[kind]:
            names = {attribute["name"] for attribute in one["attributes"]}
            assert names <= declared[types, one["type"]]
            for relation in one["relationships"]:
                assert relation["objectId"] in ids


async def test_every_event_is_there_once_and_is_of_a_case_or_the_library(day: Core) -> None:
    log = json.loads(await exported(day.recorder, "ocel-json"))
    there = await day.recorder.read(0, 10_000)
    assert len(log["events"]) == sum(row.type in TOLD for row in there)
    kinds = Counter(one["type"] for one in log["objects"])
    assert kinds.keys() == OBJECT_TYPES.keys()
    assert kinds["case"] == EVERY_STORY
    for event in log["events"]:
        first = event["relationships"][0]
        assert first["objectId"].partition(":")[0] in ("case", "library_solution")


async def test_what_changes_of_a_case_changes_at_a_time(day: Core) -> None:
    log = json.loads(await exported(day.recorder, "ocel-json"))
    closed = 0
    for one in log["objects"]:
        if one["type"] == "case":
            stages = [a["value"] for a in one["attributes"] if a["name"] == "stage"]
            times = [a["time"] for a in one["attributes"] if a["name"] == "stage"]
            assert (stages[0], times[0]) == ("registered", EPOCH)
            assert times == sorted(times)
            closed += stages[-1] == "closed"
    assert closed > 3
    qualifiers = {
        (one["type"], relation["qualifier"])
        for one in log["objects"]
        for relation in one["relationships"]
    }
    assert {
        ("case", "raised by"),
        ("case", "owned by"),
        ("promise", "of"),
        ("goodwill", "of"),
        ("solution", "of"),
        ("library_solution", "learned from"),
    } <= qualifiers


async def test_the_tables_of_sqlite_hold_together(day: Core, tmp_path: Path) -> None:
    db = opened(await exported(day.recorder, "ocel-sqlite"), tmp_path)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    maps = dict(db.execute("SELECT ocel_type_map, ocel_type FROM event_map_type"))
    kinds = dict(db.execute("SELECT ocel_type_map, ocel_type FROM object_map_type"))
    assert tables == {
        *("event", "object", "event_object", "object_object"),
        *("event_map_type", "object_map_type"),
        *(f"event_{name}" for name in maps),
        *(f"object_{name}" for name in kinds),
    }
    assert counted(db, "event") == sum(counted(db, f"event_{name}") for name in maps)
    for name, kind in kinds.items():
        first = f'SELECT count(*) FROM "object_{name}" WHERE ocel_changed_field IS NULL'
        there = db.execute("SELECT count(*) FROM object WHERE ocel_type = ?", (kind,))
        assert db.execute(first).fetchone() == there.fetchone()
    db.close()


async def test_json_and_sqlite_tell_the_same(day: Core, tmp_path: Path) -> None:
    log = json.loads(await exported(day.recorder, "ocel-json"))
    db = opened(await exported(day.recorder, "ocel-sqlite"), tmp_path)
    assert set(db.execute("SELECT ocel_id, ocel_type FROM event")) == {
        (event["id"], event["type"]) for event in log["events"]
    }
    assert set(db.execute("SELECT ocel_id, ocel_type FROM object")) == {
        (one["id"], one["type"]) for one in log["objects"]
    }
    for table, kind in (("event_object", "events"), ("object_object", "objects")):
        assert set(db.execute(f"SELECT * FROM {table}")) == {
            (one["id"], relation["objectId"], relation["qualifier"])
            for one in log[kind]
            for relation in one["relationships"]
        }
    db.close()


async def test_what_was_not_selected_is_not_pointed_at(day: Core, tmp_path: Path) -> None:
    [row, *_] = await day.recorder.read(0, 1, types=["CaseRegistered"])
    raw = await exported(day.recorder, "ocel-sqlite", case_ids=frozenset({row.stream_id}))
    db = opened(raw, tmp_path)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    [[case]] = db.execute("SELECT ocel_id FROM object WHERE ocel_type = 'case'").fetchall()
    assert case == f"case:{row.stream_id}"
    db.close()


async def test_objects_that_cases_share_come_together_from_all_of_them(
    day: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await exported(day.recorder, "ocel-json")
    monkeypatch.setattr(ocel_log, "FACTS_AT_ONCE", 1)
    monkeypatch.setattr(ocel_log, "OBJECTS_AT_ONCE", 1)
    assert await exported(day.recorder, "ocel-json") == whole


async def test_nothing_is_left_on_the_disk(
    day: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    await exported(day.recorder, "ocel-sqlite")
    await exported(day.recorder, "ocel-json")
    assert os.listdir(tmp_path) == []


async def test_without_room_on_the_disk_it_says_so(
    morning: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(Unavailable, match="TMPDIR"):
        await exported(morning.recorder, "ocel-sqlite")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(ocel_store, "TABLES", "PRAGMA max_page_count = 20;" + ocel_store.TABLES)
    with pytest.raises(Unavailable, match="full"):
        await exported(morning.recorder, "ocel-sqlite")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", sorted(TOLD))
def test_no_event_has_a_field_that_is_called_as_its_envelope_is(name: str) -> None:
    assert not ENVELOPE.keys() & fields_of(name).keys()
    columns = ["ocel_id", "ocel_time", *attributes_of(name)]
    assert len({column.lower() for column in columns}) == len(columns)
    assert set(fields_of(name)) <= set(EVENTS[name].__struct_fields__)
