"""A read model as it was, as a file."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from casecore.database import Pool
from casecore.errors import Rejected
from casecore.following.past import Past, refuse_ahead
from casecore.following.projection import Projection, shapes
from casecore.following.rebuilding import upgrade
from casecore.recorder import Recorder
from casecore.tables import columns_of
from projections.files import Format, batches, beside, schema_of, writing

MAKING_SECONDS_MAX = 24 * 3600.0


class Written(msgspec.Struct, frozen=True):
    rows: int
    position: int


async def write(
    pool: Pool,
    recorder: Recorder,
    projection: Projection,
    position: int,
    file: Path,
    format: Format,
) -> Written:
    """Make its rows from the ledger aside, and write those that are shown of it."""
    await refuse_ahead(recorder, position)
    await upgrade(pool, projection)
    past = Past(pool, recorder, [projection])
    ledger = await past.at(position, [projection.NAME], MAKING_SECONDS_MAX)
    shown, rows = shapes(projection)[-1], 0
    columns = columns_of(shown.row)
    schema = schema_of(columns, shown.comment)
    key = ", ".join(f'"{name}"' for name in shown.key)
    source = f"{shown.table} WHERE ledger = $1 ORDER BY {key}"
    async with pool.acquire() as db, db.transaction():
        with told(file), writing(beside(file), schema, format) as writer:
            async for batch in batches(
                *(db, columns, source, ledger),
                schema=schema,
                for_spreadsheets=format == "csv",
            ):
                await asyncio.to_thread(writer.write_table, batch)
                rows += batch.num_rows
    with told(file):
        beside(file).replace(file)
    return Written(rows, position)


@contextmanager
def told(file: Path) -> Iterator[None]:
    """What is wrong with the file, as a sentence."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise  # They are of the database.
    except OSError as error:
        beside(file).unlink(missing_ok=True)
        why = os.strerror(error.errno) if error.errno else str(error)
        raise Rejected("file-unwritable", f"cannot write {file}: {why}; name another") from error
