"""Rows as files, for whoever goes on with them elsewhere: Parquet, or CSV."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa
from pyarrow.csv import CSVWriter
from pyarrow.parquet import ParquetWriter

from casecore.database import Connection
from projections.cells import shown

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = ("parquet", "csv")
PART = ".part"

ROWS_MAX = 20_000
"""How many rows are at hand at a time."""
QUERY_SECONDS_MAX = 3_600.0

ARROW = {
    "text": pa.string(),
    "uuid": pa.string(),
    "jsonb": pa.string(),
    "integer": pa.int32(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
}


class Described(Protocol):
    """A column."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def comment(self) -> str | None: ...


class Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...


def schema_of(columns: Sequence[Described], comment: str) -> pa.Schema:
    """With the comments, which Parquet keeps."""
    fields = [
        pa.field(column.name, ARROW[column.type], metadata={"comment": column.comment or ""})
        for column in columns
    ]
    return pa.schema(fields, metadata={"comment": comment})


@contextmanager
def writing(path: Path, schema: pa.Schema, format: Format) -> Iterator[Writer]:
    if format == "parquet":
        with ParquetWriter(path, schema, compression="zstd") as writer:
            yield writer
    else:
        with CSVWriter(path, schema) as writer:
            yield writer


async def batches(
    db: Connection,
    columns: Sequence[Described],
    source: str,
    *arguments: Any,
    schema: pa.Schema,
    for_spreadsheets: bool = False,
) -> AsyncIterator[pa.Table]:
    """The columns of what stands after FROM, some rows at a time."""
    texts = [for_spreadsheets and column.type == "text" for column in columns]
    read = ", ".join(map(selected, columns))
    cursor = await db.cursor(f"SELECT {read} FROM {source}", *arguments, timeout=QUERY_SECONDS_MAX)
    while rows := await cursor.fetch(ROWS_MAX, timeout=QUERY_SECONDS_MAX):
        by_column = zip(zip(*rows, strict=True), schema, texts, strict=True)
        arrays = [
            pa.array(map(safe, values) if text else values, field.type)
            for values, field, text in by_column
        ]
        yield pa.Table.from_arrays(arrays, schema=schema)


def safe(text: str | None) -> str | None:
    return None if text is None else shown(text)


def selected(column: Described) -> str:
    return f'"{column.name}"::text' if column.type in ("uuid", "jsonb") else f'"{column.name}"'


def beside(path: Path) -> Path:
    """What it is called until it is whole."""
    return path.with_name(f"{path.name}{PART}")
