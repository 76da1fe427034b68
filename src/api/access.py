"""GET /v1/access-log: who read what cases contain."""

from typing import NamedTuple
from uuid import UUID

import msgspec

from api.accesslog import Access
from api.reading import Asked, Page
from casecore.actors import Role
from casecore.asking import Code, Instant
from projections import paging

MAY_SEE = frozenset({Role.AUDITOR, Role.ADMIN})


class AccessList(Page, frozen=True, kw_only=True, forbid_unknown_fields=True):
    case_id: UUID | None = None
    actor: Code | None = None
    since: Instant | None = None


class Place(NamedTuple):
    id: UUID


async def list_accesses(asked: Asked) -> paging.Page[Access]:
    """Who read what cases contain, and when, and why if they said; the last first."""
    params: AccessList = asked.params
    place = paging.place_of(params.after, Place)
    rows = await asked.desk.pool.fetch(
        """
        SELECT id, at, actor, role, what, target, case_id, reason FROM sys.access_log
        WHERE ledger = $1
          AND ($2::uuid IS NULL OR case_id = $2)
          AND ($3::text IS NULL OR actor = $3)
          AND ($4::timestamptz IS NULL OR at >= $4)
          AND ($5::uuid IS NULL OR id < $5)
        ORDER BY id DESC LIMIT $6
        """,
        *(asked.desk.id, params.case_id, params.actor, params.since),
        *(place.id if place else None, params.limit + 1),
    )
    found = [msgspec.convert(dict(row), Access) for row in rows]
    return paging.page(found, params.limit, lambda read: Place(read.id))
