"""What the deadline process has to look at: alarms of clocks, and waits with a date."""

from datetime import datetime

from casecore.database import Pool
from casecore.deadlines import Entry

COMING = """
    SELECT next_alarm_at AS at, case_id, NULL AS wait
    FROM ops.sla_clocks WHERE ledger = $1 AND next_alarm_at IS NOT NULL
    UNION ALL
    SELECT expected_by, case_id, reason
    FROM ops.waits WHERE ledger = $1 AND expected_by IS NOT NULL
"""


class Agenda:
    """Of one ledger, as far as its read models have come."""

    def __init__(self, pool: Pool, ledger: int) -> None:
        self.pool = pool
        self.ledger = ledger

    async def next_after(self, now: datetime) -> datetime | None:
        """When the next is due that was not yet."""
        found: datetime | None = await self.pool.fetchval(
            f"SELECT at FROM ({COMING}) AS coming WHERE at >= $2 ORDER BY at LIMIT 1",
            *(self.ledger, now),
        )
        return found

    async def due(self, now: datetime, after: Entry | None, limit: int) -> list[Entry]:
        """Those whose time has come, in order, from the one after that on."""
        at, case_id, wait = after or (None, None, None)
        rows = await self.pool.fetch(
            f"""
            SELECT at, case_id, wait FROM ({COMING}) AS coming
            WHERE at < $2
              AND ($3::timestamptz IS NULL
                   OR (at, case_id, coalesce(wait, '')) > ($3, $4::uuid, coalesce($5::text, '')))
            ORDER BY at, case_id, coalesce(wait, '') LIMIT $6
            """,
            *(self.ledger, now, at, case_id, wait, limit),
        )
        return [Entry(*row) for row in rows]
