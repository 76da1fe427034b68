"""Object-centric logs as files: OCEL 2.0 as SQLite, and as JSON.

What is known of an object comes together as the ledger is read, and many cases may be about one. So
objects wait on the disk; of JSON, the events go out meanwhile.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec

from api.exports.ocel import (
    LIBRARY,
    OBJECT_TYPES,
    OcelEvent,
    Scalar,
    Told,
    attributes_of,
    told,
    told_of_library,
)
from api.exports.ocel_store import Found, Store
from api.exports.selecting import Progress, Selection, selected
from casecore.errors import Unavailable
from casecore.ledger import Row
from casecore.recorder import Recorder
from casecore.recording import from_row
from casecore.surveying import Life

CHUNK = 1 << 16
FACTS_AT_ONCE = 1_000
"""How many are told in a thread of their own at a time, while others have theirs."""
OBJECTS_AT_ONCE = 500
LIBRARY_TYPES = [event.__name__ for event in LIBRARY]

T = TypeVar("T")

encode = msgspec.json.Encoder().encode


async def sqlite(
    recorder: Recorder, selection: Selection, upto: int, progress: Progress
) -> AsyncGenerator[bytes]:
    async with stored() as (path, store):

        def keep(telling: Told) -> None:
            add_objects(store, telling)
            store.add_events(telling.events)

        async for _ in tellings(recorder, selection, upto, progress, store, keep):
            pass
        await asyncio.to_thread(store.finish)
        with path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk


async def json(
    recorder: Recorder, selection: Selection, upto: int, progress: Progress
) -> AsyncGenerator[str]:
    async with stored() as (_, store):
        types: set[str] = set()

        def keep(telling: Told) -> list[bytes]:
            add_objects(store, telling)
            types.update(event.type for event in telling.events)
            return [encode(of_event(event)) for event in telling.events]

        yield '{"events":['
        before = "\n"
        async for lines in tellings(recorder, selection, upto, progress, store, keep):
            for line in lines:
                yield before + line.decode()
                before = ",\n"
        await asyncio.to_thread(store.finish)
        yield '\n],"objects":['
        before, after = "\n", 0
        while True:
            after, found = await asyncio.to_thread(store.objects, after, OBJECTS_AT_ONCE)
            if not found:
                break
            for one in found:
                yield before + encode(of_object(one)).decode()
                before = ",\n"
        yield f'\n],"eventTypes":{declared({name: attributes_of(name) for name in sorted(types)})}'
        yield f',"objectTypes":{declared(OBJECT_TYPES)}}}\n'


@asynccontextmanager
async def stored() -> AsyncIterator[tuple[Path, Store]]:
    try:
        folder = TemporaryDirectory(prefix="casecore-export-")
    except OSError as error:
        raise no_disk(error) from error
    with folder:
        path = Path(folder.name) / "ocel.sqlite"
        try:
            store = Store(path)
            try:
                yield path, store
            finally:
                store.close()
        except sqlite3.OperationalError as error:
            raise no_disk(error) from error


def no_disk(error: Exception) -> Unavailable:
    return Unavailable(
        "no-disk",
        f"there is no room for this export on the disk ({error}); TMPDIR, in the environment of"
        " casecore, names another place for it",
    )


async def tellings(
    recorder: Recorder,
    selection: Selection,
    upto: int,
    progress: Progress,
    store: Store,
    keep: Callable[[Told], T],
) -> AsyncGenerator[T]:
    """What `keep` makes of all that is told, first of the cases, then of the library."""

    def of_cases(batch: list[Life]) -> list[T]:
        return [keep(told(life)) for life in batch]

    def of_library(rows: list[Row]) -> list[T]:
        facts = (from_row(recorder.ledger, row) for row in rows)
        found = (told_of_library(fact, store.knows) for fact in facts)
        return [keep(telling) for telling in found if telling is not None]

    batch: list[Life] = []
    size = 0
    async for life in selected(recorder, selection, upto, progress):
        batch.append(life)
        size += len(life.facts)
        if size >= FACTS_AT_ONCE:
            for kept in await asyncio.to_thread(of_cases, batch):
                yield kept
            batch, size = [], 0
    for kept in await asyncio.to_thread(of_cases, batch):
        yield kept
    after = 0
    while rows := await recorder.read(after, FACTS_AT_ONCE, upto, LIBRARY_TYPES):
        after = rows[-1].position
        for kept in await asyncio.to_thread(of_library, rows):
            progress.events += 1
            yield kept


def add_objects(store: Store, telling: Told) -> None:
    store.add_objects(telling.objects, telling.changes)
    store.relate(telling.relations)


def of_event(event: OcelEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "time": event.at,
        "attributes": [
            {"name": name, "value": text_of(value)} for name, value in event.values.items()
        ],
        "relationships": [{"objectId": id, "qualifier": is_} for id, is_ in event.about],
    }


def of_object(found: Found) -> dict[str, Any]:
    return {
        "id": found.id,
        "type": found.type,
        "attributes": [
            {"name": name, "time": at, "value": text_of(value)}
            for name, at, value in found.attributes
        ],
        "relationships": [{"objectId": id, "qualifier": is_} for id, is_ in found.relations],
    }


def text_of(value: Scalar) -> str:
    """The schema has every value as a text."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
    return str(value)


def declared(types: dict[str, dict[str, str]]) -> str:
    return encode(
        [
            {
                "name": name,
                "attributes": [{"name": of, "type": kind} for of, kind in attributes.items()],
            }
            for name, attributes in types.items()
        ]
    ).decode()
