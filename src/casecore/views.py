"""The views that BI tools read, described as data and made in schema bi."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import asyncpg

from casecore.database import Connection
from casecore.errors import Unavailable
from casecore.tables import literal

ROLE = "casecore_bi"
"""Who may read them, and nothing else."""
LOCK_SECONDS_MAX = 10
# PostgreSQL's advisory locks are numbers; this one is held while views are made.
MAKING = 0xCA5E00B1


class Column(NamedTuple):
    name: str
    type: str
    comment: str
    sql: str = ""
    """What it is worked out from; the column of the same name unless given."""

    @property
    def selected(self) -> str:
        return f"({self.sql or f'f.{self.name}'})::{self.type} AS {self.name}"


LEDGER = Column("ledger", "integer", "The ledger it belongs to: dim_ledger has its name")
AS_OF = Column(
    "as_of_position",
    "bigint",
    "How far in the ledger what is seen here has come: all events up to this position are in it",
    "served.position",
)


class View(NamedTuple):
    """Rows of the read models, as they mean something to whoever reads them."""

    name: str
    comment: str
    key: tuple[str, ...]
    """What, within a ledger, there is one row for."""
    own: tuple[Column, ...]
    source: str
    """What stands after FROM; the relation a row comes from is called f, and has a ledger."""
    models: tuple[str, ...]
    """The read models it is made from: it is as old as the one that has come the least far."""

    @property
    def relation(self) -> str:
        return f"bi.{self.name}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return LEDGER, *self.own, AS_OF

    @property
    def sql(self) -> str:
        return f"""
            SELECT {", ".join(column.selected for column in self.columns)}
            FROM {self.source}
            JOIN (
                SELECT ledger, min(position) AS position FROM ops.serving
                WHERE name IN ({", ".join(map(literal, self.models))}) GROUP BY ledger
            ) AS served ON served.ledger = f.ledger
        """

    def make(self) -> list[str]:
        return [
            f"CREATE VIEW {self.relation} AS {self.sql}",
            f"COMMENT ON VIEW {self.relation} IS {literal(self.comment)}",
            *(
                f"COMMENT ON COLUMN {self.relation}.{column.name} IS {literal(column.comment)}"
                for column in self.columns
            ),
        ]


def shape(views: Sequence[View]) -> str:
    """What whoever reads them counts on: a line for each column, with its type."""
    return "".join(
        f"{view.name} {column.name} {column.type}\n" for view in views for column in view.columns
    )


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


async def make_views(db: Connection, views: Sequence[View]) -> None:
    """Make them all as they are described here, unless they are so already."""
    statements = [statement for view in views for statement in view.make()]
    async with db.transaction():
        if await db.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", ROLE):
            names = ", ".join(view.relation for view in views)
            statements.append(f"GRANT SELECT ON {names} TO {ROLE}")
        made_from = digest("".join(statements))
        if await stand(db, views, made_from):
            return
        await db.execute("SELECT pg_advisory_xact_lock($1)", MAKING)
        if await stand(db, views, made_from):
            return  # Another process has made them meanwhile.
        await drop_views(db)
        await db.execute(";\n".join(statements))
        await db.execute("INSERT INTO ops.views_made (digest) VALUES ($1)", made_from)


async def drop_views(db: Connection) -> None:
    """Drop them all, and what others have made of them; make them anew in the same transaction."""
    await db.execute("DELETE FROM ops.views_made")
    if not (names := await present(db)):
        return
    await db.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'")
    try:
        await db.execute(f"DROP VIEW {', '.join(f'bi.{name}' for name in names)} CASCADE")
    except asyncpg.LockNotAvailableError:
        raise Unavailable(
            "bi-in-use",
            f"the views of schema bi have to be made anew, and for {LOCK_SECONDS_MAX} s somebody"
            " has been reading them: start again when the BI tool's query is done, or end it",
        ) from None
    await db.execute("SET LOCAL lock_timeout = DEFAULT")


async def stand(db: Connection, views: Sequence[View], made_from: str) -> bool:
    """Whether they are there as described: a table that is dropped takes its views with it."""
    if await present(db) != sorted(view.name for view in views):
        return False
    found: str | None = await db.fetchval("SELECT digest FROM ops.views_made")
    return found == made_from


async def present(db: Connection) -> list[str]:
    rows = await db.fetch(
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'bi'::regnamespace AND relkind = 'v' ORDER BY relname COLLATE "C"
        """
    )
    return [row["relname"] for row in rows]
