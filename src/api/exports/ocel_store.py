"""An object-centric log on the disk, in the tables of OCEL 2.0's SQLite format."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from api.exports.ocel import (
    OBJECT_TYPES,
    SHARED,
    Change,
    OcelEvent,
    OcelObject,
    Scalar,
    Values,
    attributes_of,
)

EPOCH = "1970-01-01T00:00:00Z"
"""The time of what an object had from the first, as OCEL 2.0 will have it."""
SQL = {"string": "TEXT", "integer": "INTEGER", "boolean": "BOOLEAN", "time": "TIMESTAMP"}

TABLES = """
CREATE TABLE event_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE object_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE event (
    ocel_id TEXT PRIMARY KEY,
    ocel_type TEXT REFERENCES event_map_type (ocel_type)
);
CREATE TABLE object (
    ocel_id TEXT PRIMARY KEY,
    ocel_type TEXT REFERENCES object_map_type (ocel_type)
);
CREATE TABLE event_object (
    ocel_event_id TEXT REFERENCES event (ocel_id),
    ocel_object_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier)
);
CREATE TABLE object_object (
    ocel_source_id TEXT REFERENCES object (ocel_id),
    ocel_target_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier)
);
CREATE TEMP TABLE shared (ocel_id TEXT PRIMARY KEY, known BLOB) WITHOUT ROWID;
"""


class Attribute(NamedTuple):
    name: str
    at: str
    value: Scalar


class Found(NamedTuple):
    """An object with all that was ever told of it."""

    id: str
    type: str
    attributes: list[Attribute]
    relations: list[tuple[str, str]]


class Store:
    """Whoever fills it does so from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # It is made anew or not at all: nothing of it need survive a crash.
        self.db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + TABLES
        )
        self.event_types: set[str] = set()
        for name, attributes in OBJECT_TYPES.items():
            self.db.execute("INSERT INTO object_map_type VALUES (?, ?)", (name, name))
            columns = columns_of(attributes)
            self.db.execute(
                f'CREATE TABLE "object_{name}" (ocel_id TEXT REFERENCES object (ocel_id),'
                f" ocel_time TIMESTAMP{columns}, ocel_changed_field TEXT)"
            )
            self.db.execute(f'CREATE INDEX "object_{name}_id" ON "object_{name}" (ocel_id)')

    def add_events(self, events: Iterable[OcelEvent]) -> None:
        for event in events:
            if event.type not in self.event_types:
                self.begin_event_type(event.type)
            self.db.execute("INSERT INTO event VALUES (?, ?)", (event.id, event.type))
            self.insert(
                f"event_{event.type}",
                {"ocel_id": event.id, "ocel_time": event.at, **event.values},
            )
            self.db.executemany(
                "INSERT INTO event_object VALUES (?, ?, ?)",
                [(event.id, id, qualifier) for id, qualifier in event.about],
            )

    def begin_event_type(self, name: str) -> None:
        self.event_types.add(name)
        self.db.execute("INSERT INTO event_map_type VALUES (?, ?)", (name, name))
        self.db.execute(
            f'CREATE TABLE "event_{name}" (ocel_id TEXT PRIMARY KEY REFERENCES event (ocel_id),'
            f" ocel_time TIMESTAMP{columns_of(attributes_of(name))})"
        )

    def add_objects(self, objects: Iterable[OcelObject], changes: Iterable[Change]) -> None:
        for found in objects:
            if found.type in SHARED:
                self.learn(found)
            else:
                self.add_object(found)
        for change in changes:
            self.add_change(change)

    def add_object(self, found: OcelObject) -> None:
        self.db.execute("INSERT INTO object VALUES (?, ?)", (found.id, found.type))
        self.insert(
            f"object_{found.type}", {"ocel_id": found.id, "ocel_time": EPOCH, **found.values}
        )

    def learn(self, found: OcelObject) -> None:
        """What was not known of it yet, it has had from the first; the rest may have changed."""
        known = self.known(found.id)
        if known is None:
            self.add_object(found)
            self.remember(found.id, found.values)
            return
        news = {name: v for name, v in found.values.items() if known.get(name) != v}
        for name, value in news.items():
            if name in known:
                self.add_change(Change(found.id, found.type, found.at, name, value))
            else:
                self.db.execute(
                    f'UPDATE "object_{found.type}" SET "{name}" = ?'
                    " WHERE ocel_id = ? AND ocel_changed_field IS NULL",
                    (stored(value), found.id),
                )
        if news:
            self.remember(found.id, {**known, **news})

    def known(self, id: str) -> Mapping[str, Scalar] | None:
        """How a shared object stands."""
        row = self.db.execute("SELECT known FROM shared WHERE ocel_id = ?", (id,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=dict[str, str])

    def remember(self, id: str, values: Values) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO shared VALUES (?, ?)", (id, msgspec.json.encode(values))
        )

    def add_change(self, change: Change) -> None:
        row: dict[str, Scalar | None] = {"ocel_id": change.object_id, "ocel_time": change.at}
        row |= {change.name: change.value, "ocel_changed_field": change.name}
        self.insert(f"object_{change.type}", row)

    def relate(self, relations: Iterable[tuple[str, str, str]]) -> None:
        self.db.executemany("INSERT OR IGNORE INTO object_object VALUES (?, ?, ?)", relations)

    def knows(self, id: str) -> bool:
        return (
            self.db.execute("SELECT 1 FROM object WHERE ocel_id = ?", (id,)).fetchone() is not None
        )

    def finish(self) -> None:
        """Leave out what leads to objects that were not selected."""
        self.db.execute(
            "DELETE FROM object_object WHERE ocel_target_id NOT IN (SELECT ocel_id FROM object)"
        )
        self.db.execute("COMMIT")

    def objects(self, after: int, limit: int) -> tuple[int, list[Found]]:
        """So many more of the objects, and where they end."""
        rows = self.db.execute(
            "SELECT rowid, ocel_id, ocel_type FROM object WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (after, limit),
        ).fetchall()
        found = [
            Found(id, type, [*self.attributes(id, type)], self.related(id)) for _, id, type in rows
        ]
        return (rows[-1][0] if rows else after), found

    def attributes(self, id: str, type: str) -> Iterator[Attribute]:
        names = tuple(OBJECT_TYPES[type])
        columns = ", ".join(f'"{name}"' for name in names)
        for at, changed, *values in self.db.execute(
            f'SELECT ocel_time, ocel_changed_field, {columns} FROM "object_{type}"'
            " WHERE ocel_id = ? ORDER BY rowid",
            (id,),
        ):
            for name, value in zip(names, values, strict=True):
                if name == changed or (changed is None and value is not None):
                    yield Attribute(name, at, "" if value is None else value)

    def related(self, id: str) -> list[tuple[str, str]]:
        return self.db.execute(
            "SELECT ocel_target_id, ocel_qualifier FROM object_object WHERE ocel_source_id = ?",
            (id,),
        ).fetchall()

    def insert(self, table: str, row: Mapping[str, Scalar | None]) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        values = [stored(value) for value in row.values()]
        self.db.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', values)

    def close(self) -> None:
        self.db.close()


def columns_of(attributes: Mapping[str, str]) -> str:
    return "".join(f', "{name}" {SQL[kind]}' for name, kind in attributes.items())


def stored(value: Scalar | None) -> str | int | None:
    return value.isoformat() if isinstance(value, datetime) else value
