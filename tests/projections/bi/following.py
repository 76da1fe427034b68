"""A ledger whose read models are followed and seen by BI."""

from typing import Any

from casecore.database import Pool
from casecore.following.feed import Feed
from casecore.recorder import Recorder
from casecore.views import ROLE, make_views
from projections import PROJECTIONS
from projections.bi import VIEWS

Row = dict[str, Any]


async def follow(pool: Pool, recorder: Recorder) -> None:
    await Feed(pool, recorder, PROJECTIONS).catch_up()
    async with pool.acquire() as db:
        await make_views(db, VIEWS)


async def seen(pool: Pool, ledger: int) -> dict[str, list[Row]]:
    """All rows of all tables."""
    return {view.name: await rows(pool, ledger, view.name) for view in VIEWS}


async def rows(pool: Pool, ledger: int, name: str) -> list[Row]:
    found = await pool.fetch(f"SELECT * FROM bi.{name} WHERE ledger = $1", ledger)
    return [dict(row) for row in found]


async def ask(pool: Pool, query: str) -> None:
    """As BI does."""
    async with pool.acquire() as db, db.transaction():
        await db.execute(f"SET LOCAL ROLE {ROLE}")
        await db.fetch(query)
