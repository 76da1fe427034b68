"""Who read a case, for those who may know."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from api.access import MAY_SEE, AccessList, list_accesses
from api.accesslog import Access
from api.given import Caller
from api.reading import Asked
from casecore.actors import Role

READS_MAX = 200


class Reading(NamedTuple):
    """Reads that somebody made one after the other, and nobody else between."""

    actor: str
    role: Role
    what: str
    reason: str | None
    since: datetime
    until: datetime
    times: int


async def readings(caller: Caller, case_id: UUID) -> list[Reading] | None:
    """The last ones first; None for whom they are not."""
    if caller.actor.role not in MAY_SEE:
        return None
    await caller.desk.access_log.flush()
    params = AccessList(case_id=case_id, limit=READS_MAX)
    asked = Asked(caller, params, {}, caller.desk.id, caller.desk.core.now())
    last = (await list_accesses(asked)).items
    together = groupby(last, lambda read: (read.actor, read.role, read.what, read.reason))
    return [Reading(*of, *spanned(list(reads))) for of, reads in together]


def spanned(reads: Sequence[Access]) -> tuple[datetime, datetime, int]:
    return reads[-1].at, reads[0].at, len(reads)
