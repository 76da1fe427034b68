"""Tables made from what their rows look like: a struct's fields are the columns."""

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from hashlib import sha256
from inspect import cleandoc, getsource
from textwrap import dedent
from typing import Any, NamedTuple, TypeVar, get_type_hints

import asyncpg
import msgspec
from msgspec import inspect

from casecore.database import Connection

Row = TypeVar("Row", bound=msgspec.Struct)
Key = tuple[Any, ...]


class Column(NamedTuple):
    name: str
    type: str
    nullable: bool
    read: Callable[[Any], Any] | None
    """What makes the field's value of the column's, where that is not the same."""
    comment: str | None

    @property
    def quoted(self) -> str:
        return f'"{self.name}"'


@cache
def columns_of(row: type[msgspec.Struct]) -> tuple[Column, ...]:
    described = inspect.type_info(row)
    assert isinstance(described, inspect.StructType)
    comments, annotations = docstrings(row), get_type_hints(row)
    columns = []
    for field in described.fields:
        type_, nullable = sql_type(field.type)
        read: Callable[[Any], Any] | None = None
        if type_ == "jsonb":
            read = msgspec.json.Decoder(annotations[field.name]).decode
        columns.append(Column(field.name, type_, nullable, read, comments.get(field.name)))
    return tuple(columns)


def sql_type(of: inspect.Type) -> tuple[str, bool]:
    match of:
        case inspect.Metadata():
            return sql_type(of.type)
        case inspect.UnionType():
            kinds = {sql_type(kind)[0] for kind in of.types if kind != inspect.NoneType()}
            [type_] = kinds
            return type_, inspect.NoneType() in of.types
        case inspect.UUIDType():
            return "uuid", False
        case inspect.IntType():
            return "bigint", False
        case inspect.BoolType():
            return "boolean", False
        case inspect.StrType() | inspect.LiteralType() | inspect.EnumType():
            return "text", False
        case inspect.DateTimeType():
            return "timestamptz", False
        case inspect.StructType() | inspect.DictType():
            return "jsonb", False
        case inspect.VarTupleType() | inspect.TupleType() | inspect.ListType():
            return "jsonb", False
    raise TypeError(f"no column can hold {of}")


def docstrings(of: type[msgspec.Struct]) -> dict[str, str]:
    """The sentence below each field, which Python itself does not keep."""
    if of is msgspec.Struct:
        return {}
    [body] = ast.parse(dedent(getsource(of))).body
    assert isinstance(body, ast.ClassDef)
    assert of.__base__ is not None
    found = docstrings(of.__base__)
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(cleandoc(text).split())
    return found


@cache
def columns(row: type[msgspec.Struct], of: str = "") -> str:
    """The columns of a row, to be named in a SELECT from which `row_of` makes it again."""
    return ", ".join(f"{of}{column.quoted}" for column in columns_of(row))


def row_of(of: type[Row], record: Iterable[Any]) -> Row:
    values = [*record]
    for index, read in readers(of):
        if values[index] is not None:
            values[index] = read(values[index])
    return of(*values)


@cache
def readers(of: type[msgspec.Struct]) -> list[tuple[int, Callable[[Any], Any]]]:
    return [(i, column.read) for i, column in enumerate(columns_of(of)) if column.read]


class Shape(NamedTuple):
    """A table as its projection describes it. Each ledger has a part, to be rebuilt alone."""

    name: str
    row: type[msgspec.Struct]
    key: tuple[str, ...]
    indexes: tuple[str, ...]
    comment: str

    @property
    def table(self) -> str:
        return f"ops.{self.name}"

    @property
    def defined(self) -> str:
        """Its columns, as they are declared."""
        return ", ".join(
            [
                "ledger int NOT NULL",
                *(
                    f"{c.quoted} {c.type}{'' if c.nullable else ' NOT NULL'}"
                    for c in columns_of(self.row)
                ),
            ]
        )

    @property
    def primary_key(self) -> str:
        return f"PRIMARY KEY (ledger, {', '.join(quoted(self.key))})"

    async def make(self, db: Connection) -> None:
        """Make the table, without any rows, unless it is there already."""
        table, columns = self.table, columns_of(self.row)
        if await db.fetchval("SELECT to_regclass($1)", table) is not None:
            return
        statements = [
            f"CREATE TABLE {table} ({self.defined}, {self.primary_key}) PARTITION BY LIST (ledger)",
            *(f"CREATE INDEX ON {table} {index}" for index in self.indexes),
            f"COMMENT ON TABLE {table} IS {literal(self.comment)}",
            *commented(table, columns),
        ]
        await db.execute(";\n".join(statements))

    async def drop(self, db: Connection) -> None:
        """With the views of it, and the parts that are still attached."""
        await db.execute(f"DROP TABLE IF EXISTS {self.table} CASCADE")

    @property
    def digest(self) -> str:
        """Tells it from the table of another casecore with other columns or indexes."""
        described = [self.defined, self.primary_key, *self.indexes]
        return sha256("\n".join(described).encode()).hexdigest()[:16]


class Part:
    """The rows of one ledger in one generation."""

    def __init__(self, shape: Shape, ledger: int, generation: int) -> None:
        self.shape = shape
        self.ledger = ledger
        self.generation = generation
        of = str(ledger) if ledger > 0 else f"past_{-ledger}"
        self.name = f"ops.{shape.name}_{of}_{generation}"
        described = columns_of(shape.row)
        types = {column.name: column.type for column in described}
        key, keys = ", ".join(quoted(shape.key)), arrays(types[name] for name in shape.key)
        values = ", ".join(f"{c.quoted} = EXCLUDED.{c.quoted}" for c in described)
        defined = ", ".join(f"{c.quoted} {c.type}" for c in described)
        at_key = " AND ".join(f"row.{name} = k.{name}" for name in quoted(shape.key))
        # A row at a time, by its key. As a join it would be planned by statistics, which a table
        # that is being filled has not got, and then all of its rows are looked through.
        found = f"""
            FROM unnest({keys}) AS k ({key}) CROSS JOIN LATERAL (
                SELECT row.ctid, row.* FROM {self.name} row
                WHERE row.ledger = {ledger} AND {at_key} LIMIT 1
            ) AS row
        """
        self._load = f"SELECT {columns(shape.row, 'row.')} {found}"
        self._remove = f"DELETE FROM {self.name} WHERE ctid = ANY (ARRAY (SELECT row.ctid {found}))"
        self._store = f"""
            INSERT INTO {self.name} (ledger, {columns(shape.row)})
            SELECT {ledger}, * FROM json_to_recordset($1::json) AS rows ({defined})
            ON CONFLICT (ledger, {key}) DO UPDATE SET {values}
        """

    async def make(self, db: Connection) -> None:
        """Make it apart, without its key and indexes: whoever fills it first is the faster."""
        await db.execute(
            f"CREATE TABLE {self.name} ({self.shape.defined}, CHECK (ledger = {self.ledger}))"
        )

    async def index(self, db: Connection, seconds: float | None = None) -> None:
        """Give it what attaching asks for, so that then nothing has to be looked through."""
        statements = [
            f"ALTER TABLE {self.name} ADD {self.shape.primary_key}",
            *(f"CREATE INDEX ON {self.name} {index}" for index in self.shape.indexes),
        ]
        await db.execute(";\n".join(statements), timeout=seconds)

    async def attach(self, db: Connection) -> None:
        await db.execute(
            f"""
            ALTER TABLE {self.shape.table}
            ATTACH PARTITION {self.name} FOR VALUES IN ({self.ledger})
            """
        )

    async def detach(self, db: Connection) -> None:
        await db.execute(f"ALTER TABLE {self.shape.table} DETACH PARTITION {self.name}")

    async def leave(self, db: Connection) -> None:
        """Detach it without keeping any reader waiting; in no transaction."""
        await db.execute(
            f"ALTER TABLE {self.shape.table} DETACH PARTITION {self.name} CONCURRENTLY"
        )

    async def drop(self, db: Connection) -> None:
        await db.execute(f"DROP TABLE IF EXISTS {self.name}")

    async def empty(self, db: Connection) -> None:
        await db.execute(f"TRUNCATE {self.name}")

    async def count(self, db: Connection) -> int:
        rows: int = await db.fetchval(f"SELECT count(*) FROM {self.name}")
        return rows

    async def digest(self, db: Connection, seconds: float | None = None) -> tuple[int, str]:
        """How many rows, and what they come to, in whichever order they lie."""
        named = columns(self.shape.row)
        row = await db.fetchrow(
            f"""
            SELECT count(*), coalesce(sum(hashtextextended(row::text, 0)::numeric), 0)::text
            FROM (SELECT {named} FROM {self.name}) AS row
            """,
            timeout=seconds,
        )
        assert row is not None
        return row[0], row[1]

    async def load(self, db: Connection, keys: Iterable[Key]) -> dict[Key, Any]:
        """The rows there are of these."""
        found = await db.fetch(self._load, *transposed(keys))
        width = len(self.shape.key)
        return {tuple(record.values())[:width]: row_of(self.shape.row, record) for record in found}

    async def store(self, db: Connection, rows: Sequence[msgspec.Struct]) -> None:
        """Write them all in one statement, however many they are; as JSON, which costs this side
        a fifth of what an array for each column does."""
        await db.execute(self._store, msgspec.json.encode(rows).decode())

    async def remove(self, db: Connection, keys: Iterable[Key]) -> None:
        await db.execute(self._remove, *transposed(keys))

    async def copy(self, db: Connection, rows: Iterable[msgspec.Struct]) -> None:
        """Add rows that are not there yet: the fastest way that there is."""
        described = columns_of(self.shape.row)
        texts = [n for n, column in enumerate(described, 1) if column.type == "jsonb"]
        schema, _, table = self.name.partition(".")
        try:
            await db.copy_records_to_table(
                table,
                schema_name=schema,
                columns=["ledger", *(column.name for column in described)],
                records=[record_of(self.ledger, row, texts) for row in rows],
            )
        except (OverflowError, ValueError) as error:
            raise asyncpg.DataError(f"no column takes this: {error}") from error


def record_of(ledger: int, row: msgspec.Struct, texts: Sequence[int]) -> Sequence[Any]:
    record = [ledger, *msgspec.structs.astuple(row)]
    for n in texts:
        if record[n] is not None:
            record[n] = msgspec.json.encode(record[n]).decode()
    return record


def commented(relation: str, columns: Iterable[Column]) -> list[str]:
    return [
        f"COMMENT ON COLUMN {relation}.{c.quoted} IS {literal(c.comment)}"
        for c in columns
        if c.comment
    ]


def quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def arrays(types: Iterable[str]) -> str:
    return ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(types, 1))


def transposed(rows: Iterable[Iterable[Any]]) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True))
