"""The routes for asking what if: a run is begun, goes on beside everything else, and is read."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler

from api import answers
from api.answers import Answer
from api.given import AnyRequest, Door
from api.reading import Asked, Page
from api.slabook import SlaFile
from api.whatif import CaseDiffers, State, Supposition
from casecore.actors import Role
from casecore.asking import Instant
from casecore.errors import Malformed, Rejected
from casecore.sla.files import Publish, publishing
from casecore.sla.supposing import Total
from projections import paging

WHAT_IF = "/v1/sla/what-if"
MAY_ASK = frozenset({Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR})
"""Nothing is written, so an auditor may; it is about everybody's cases, so an agent may not."""


class WhatIf(SlaFile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policies to suppose: what a TOML file of them says, as JSON.

    They are taken as always in force, and no others. A calendar that they name and do not bring is
    the published one; calendars alone are for the policies in force.
    """

    received_from: Instant | None = None
    """Only cases received then or later."""
    received_before: Instant | None = None


WHAT_IF_EXAMPLE: dict[str, Any] = {
    "calendars": {
        "desk": {
            "zone": "Europe/London",
            "weekly": {
                day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat")
            },
        }
    },
    "policies": {
        "desk": {
            "rank": 100,
            "calendar": "desk",
            "targets": {
                "resolution": {
                    "kind": "resolution",
                    "target": {"kind": "open_time", "seconds": 86_400},
                }
            },
        }
    },
    "received_from": "2026-01-01T00:00:00Z",
    "received_before": "2026-04-01T00:00:00Z",
}


class WhatIfRun(msgspec.Struct, frozen=True, kw_only=True):
    """How far it has come; once it is done, what would be otherwise."""

    run_id: UUID
    state: State
    error: str | None
    as_of: datetime
    """Under both sets of policies, clocks are as of this time."""
    position: int
    """Under both, the ledger is as of this position."""
    reached: int
    """Up to which position the cases have been reckoned."""
    cases: int
    cases_differing: int
    """How many have a clock that would be due, breached or ended otherwise."""
    cases_turning: int
    """How many of them have one in another state."""
    cases_kept: int
    """How many of those that differ are kept, to be read here."""
    totals: list[Total]
    items: list[CaseDiffers]
    """The cases that differ, those registered first first."""
    next: str | None
    """To be given as `after` for what follows; null at the end."""


class Place(NamedTuple):
    nth: Annotated[int, msgspec.Meta(ge=0)]


def supposes(door: Door) -> HTTPRouteHandler:
    @post(WHAT_IF)
    async def suppose(request: AnyRequest) -> Answer:
        caller, asked = await door.asked(request, MAY_ASK, WhatIf)
        desk = caller.desk
        told = {"calendars": asked.calendars, "policies": asked.policies}
        supposition = await Supposition.of(
            desk.core,
            desk.books,
            await asyncio.to_thread(commands_of, told),
            caller.actor,
            asked.received_from,
            asked.received_before,
        )
        run = desk.what_ifs.start(supposition)
        location = f"{WHAT_IF}/{run.id}".encode()
        return answers.json(
            {"run_id": run.id, "state": run.state}, ((b"location", location),), status=202
        )

    return suppose


def commands_of(told: dict[str, Any]) -> list[Publish]:
    try:
        return publishing(told)
    except Malformed as error:
        # The body is as its schema has it; what it says is not what a policy is.
        raise Rejected("what-if-unreadable", str(error), field=error.field) from None


async def get_what_if(asked: Asked) -> WhatIfRun:
    """How a what-if run goes, and once it is done, what would be otherwise."""
    run = asked.desk.what_ifs.find(asked.ids["run_id"])
    page: Page = asked.params
    place = paging.place_of(page.after, Place)
    done = run.state == "done"
    first = place.nth if place else 0
    found = run.found[first : first + page.limit] if done else []
    last = first + len(found)
    more = done and last < len(run.found)
    seen = run.supposition
    return WhatIfRun(
        run_id=run.id,
        state=run.state,
        error=run.error,
        as_of=seen.as_of,
        position=seen.position,
        reached=seen.reached,
        cases=seen.cases,
        cases_differing=seen.differing,
        cases_turning=seen.turning,
        cases_kept=len(run.found),
        totals=seen.totals.by_target() if done else [],
        items=found,
        next=paging.cursor(Place(last)) if more else None,
    )
