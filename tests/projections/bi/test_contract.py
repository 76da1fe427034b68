"""What tools that read schema bi count on: its shape, its descriptions, and who may read it."""

import re
from pathlib import Path

import asyncpg
import pytest

from casecore import views
from casecore.database import Pool
from casecore.errors import Unavailable
from casecore.recorder import Recorder
from casecore.views import ROLE, digest, drop_views, make_views, shape
from projections.bi import VIEWS
from projections.bi.manual import manual
from tests.projections.bi.following import ask, follow

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/golden/bi.txt"
QUERIES = re.findall(r"```sql\n(.*?)```", manual(), re.DOTALL)
FORBIDDEN = """
    SELECT format('%I.%I', nspname, relname)
    FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname IN ('es', 'ops', 'sys') AND relkind IN ('r', 'v', 'p', 'm')
"""


def test_the_shape_of_bi_changes_only_with_a_line_in_the_changelog() -> None:
    told = (
        "what BI tools read has another shape: write it anew by"
        " `casecore bi shape > tests/golden/bi.txt` and `casecore bi docs > docs/bi.md`, and say"
        f" in CHANGELOG.md what changed, with its digest: shape `{digest(shape(VIEWS))}`"
    )
    assert GOLDEN.read_text() == shape(VIEWS), told
    assert f"shape `{digest(GOLDEN.read_text())}`" in (ROOT / "CHANGELOG.md").read_text(), told


async def test_the_database_has_that_shape(pool: Pool, recorder: Recorder) -> None:
    await follow(pool, recorder)
    found = await pool.fetch(
        """
        SELECT relname || ' ' || attname || ' ' ||
               replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz')
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'bi'::regnamespace AND attnum > 0
        """
    )
    assert {line for (line,) in found} == {*GOLDEN.read_text().splitlines()}


async def test_every_table_and_column_has_a_comment(pool: Pool, recorder: Recorder) -> None:
    await follow(pool, recorder)
    described = await pool.fetch(
        """
        SELECT attrelid::regclass::text || '.' || attname, obj_description(attrelid, 'pg_class'),
               col_description(attrelid, attnum)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'bi'::regnamespace AND attnum > 0
        """
    )
    assert described
    assert [name for name, of_table, of_column in described if not (of_table and of_column)] == []


def test_the_documentation_is_that_of_the_comments() -> None:
    told = "write it anew: casecore bi docs > docs/bi.md"
    assert (ROOT / "docs/bi.md").read_text() == manual(), told


@pytest.mark.parametrize("query", QUERIES)
async def test_the_questions_in_the_documentation_can_be_asked(
    pool: Pool, recorder: Recorder, query: str
) -> None:
    await follow(pool, recorder)
    await ask(pool, query)


def test_names_say_what_they_are() -> None:
    ends = {"timestamptz": "_at", "date": "day_utc", "boolean": ("is_", "has_")}
    for view in VIEWS:
        for column in view.columns:
            match ends.get(column.type):
                case str(end):
                    assert column.name.endswith(end)
                case tuple(begins):
                    assert column.name.startswith(begins)
            if column.name.endswith("_count"):
                assert column.type == "bigint"
            assert column.type != "jsonb"


async def test_bi_reads_its_views_and_nothing_else(pool: Pool, recorder: Recorder) -> None:
    await follow(pool, recorder)
    forbidden = [name for (name,) in await pool.fetch(FORBIDDEN)]
    assert {"es.event", "ops.cases", "sys.pseudonym_salt", "sys.api_key"} <= {*forbidden}
    refused = [f"SELECT count(*) FROM {name}" for name in forbidden]
    refused += ["CREATE TABLE bi.mine ()", "SELECT es.open_ledger('mine')"]
    for view in VIEWS:
        await ask(pool, f"SELECT * FROM {view.relation}")
        writes = ROLE, view.relation, "INSERT, UPDATE, DELETE, TRUNCATE"
        assert not await pool.fetchval("SELECT has_table_privilege($1, $2, $3)", *writes)
    for statement in refused:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(pool, statement)


async def test_views_that_somebody_reads_for_long_are_not_waited_for_without_end(
    pool: Pool, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "LOCK_SECONDS_MAX", 0.1)
    await follow(pool, recorder)
    async with pool.acquire() as reader, reader.transaction(), pool.acquire() as db:
        await reader.fetch("SELECT * FROM bi.case_fact")
        with pytest.raises(Unavailable, match="when the BI tool's query is done"):
            await make_views(db, VIEWS[:1])
    assert await pool.fetchval("SELECT count(*) FROM bi.dim_ledger") == 1


async def test_views_are_made_once_and_anew_when_they_or_their_tables_are_not_as_before(
    pool: Pool, recorder: Recorder
) -> None:
    await follow(pool, recorder)
    async with pool.acquire() as db:

        async def made() -> list[int]:
            await make_views(db, VIEWS)
            oids = await db.fetch(
                "SELECT oid FROM pg_class WHERE relnamespace = 'bi'::regnamespace"
            )
            return sorted(oid for (oid,) in oids)

        first = await made()
        assert await made() == first
        async with db.transaction():
            await drop_views(db)
            second = await made()
        assert await made() == second != first
        await db.execute("DROP VIEW bi.case_fact")
        third = await made()
        assert len(third) == len(second)
        assert third != second
        other = VIEWS[0]._replace(comment="Other words")
        await make_views(db, (other, *VIEWS[1:]))
        assert (
            await db.fetchval("SELECT obj_description('bi.case_fact'::regclass)") == "Other words"
        )
        assert await made() != third
