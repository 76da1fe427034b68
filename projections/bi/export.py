"""Files of all that BI tools read of a ledger, as of one position."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

import msgspec

from casecore.database import Connection, Pool
from casecore.errors import CaseError, Unavailable
from casecore.views import View, digest, make_views, shape
from projections.bi import VIEWS
from projections.files import FORMATS, PART, Format, batches, beside, schema_of, writing

MANIFEST = "manifest.json"

ATTEMPTS_MAX = 20
PAUSE_SECONDS = 0.25


class ExportError(CaseError):
    """The files cannot be written there; the message says what to do."""


class File(msgspec.Struct, frozen=True):
    table: str
    file: str
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """Written last: who finds it finds the files it names whole."""

    ledger: str
    position: int
    """All events up to it are in every file, and none after it."""
    as_of: datetime
    """When; for what goes by the time, such as whether a clock is breached."""
    format: Format
    shape: str
    """The digest of the tables' names, columns and types: it changes with them."""
    files: tuple[File, ...]


async def export(
    pool: Pool,
    ledger: int,
    name: str,
    folder: Path,
    format: Format,
    *,
    catch_up: Callable[[], Awaitable[None]],
    force: bool = False,
) -> Manifest:
    """Write a file for each view, and what they are to manifest.json.

    `catch_up` brings all read models of the ledger to its head, where they agree.
    """
    with told(folder):
        await asyncio.to_thread(make_room, folder, force)
        try:
            async with snapshot(pool, ledger, catch_up) as (db, position):
                as_of = await db.fetchval("SELECT now()")
                files = [await write(db, ledger, view, folder, format) for view in VIEWS]
            manifest = Manifest(name, position, as_of, format, digest(shape(VIEWS)), tuple(files))
            await asyncio.to_thread(publish, folder, manifest)
        finally:
            await asyncio.to_thread(discard, folder)
    return manifest


def make_room(folder: Path, force: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        return
    if not force:
        raise ExportError(
            "folder-not-empty",
            f"there is something in {folder} already: name another folder, or --force to write"
            " over an export that was made there before",
        )
    (folder / MANIFEST).unlink(missing_ok=True)
    for view in VIEWS:
        for format in FORMATS:
            (folder / f"{view.name}.{format}").unlink(missing_ok=True)


@asynccontextmanager
async def snapshot(
    pool: Pool, ledger: int, catch_up: Callable[[], Awaitable[None]]
) -> AsyncIterator[tuple[Connection, int]]:
    """A transaction in which all read models stand at the same position, and that position."""
    models = {model for view in VIEWS for model in view.models}
    relations = ", ".join(view.relation for view in VIEWS)
    for _ in range(ATTEMPTS_MAX):
        await catch_up()
        async with pool.acquire() as db:
            await make_views(db, VIEWS)
            async with db.transaction(isolation="repeatable_read", readonly=True):
                # Before anything is read: rows that a rebuild let serve later would not be seen.
                await db.execute(f"LOCK TABLE {relations} IN ACCESS SHARE MODE")
                found = await db.fetch(
                    """
                    SELECT DISTINCT position FROM ops.serving
                    WHERE ledger = $1 AND name = ANY ($2)
                    """,
                    *(ledger, models),
                )
                if len(found) == 1:
                    yield db, found[0]["position"]
                    return
        await asyncio.sleep(PAUSE_SECONDS)
    raise Unavailable(
        "export-unsettled",
        f"so much is written that the read models were never at the same position, in"
        f" {ATTEMPTS_MAX} attempts: try again when there is less to do, or export from a standby",
    )


async def write(db: Connection, ledger: int, view: View, folder: Path, format: Format) -> File:
    """Write it beside its name: only whole files have theirs, once all are."""
    path = beside(folder / f"{view.name}.{format}")
    rows, schema = 0, schema_of(view.columns, view.comment)
    source = f"{view.relation} WHERE ledger = $1 ORDER BY {', '.join(('ledger', *view.key))}"
    with writing(path, schema, format) as writer:
        async for batch in batches(db, view.columns, source, ledger, schema=schema):
            writer.write_table(batch)
            rows += batch.num_rows
    with path.open("rb") as written:
        return File(
            view.name, f"{view.name}.{format}", rows, file_digest(written, "sha256").hexdigest()
        )


def publish(folder: Path, manifest: Manifest) -> None:
    for file in manifest.files:
        beside(folder / file.file).replace(folder / file.file)
    path = folder / MANIFEST
    beside(path).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    beside(path).replace(path)


def discard(folder: Path) -> None:
    """What never became whole."""
    for path in folder.glob(f"*{PART}"):
        path.unlink()


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """What is wrong with the folder, as a sentence."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise  # They are of the database.
    except OSError as error:
        raise ExportError(
            "folder-unusable",
            f"cannot write into {folder}: {error.strerror or error}; make room, or name another",
        ) from error
