"""The book of SLA policies over HTTP: publish what a file of them says, and read what there is."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler

from api.answers import Answer
from api.asking import answer, carry_out
from api.given import AnyRequest, Door
from api.reading import Asked
from casecore.actors import Role
from casecore.asking import LEADS, Ask
from casecore.clocks.calendar import Calendar
from casecore.errors import Malformed, Rejected
from casecore.sla.decisions import (
    PUBLISHERS,
    DraftCalendar,
    DraftSlaPolicy,
    PublishCalendar,
)
from casecore.sla.events import CalendarPublished, SlaPolicy, SlaPolicyPublished
from casecore.sla.files import Publish, publishing
from casecore.sla.state import SLA_BOOK_ID, SlaBook

PUBLISH = "/v1/policies/sla/publish"
DRAFT = "/v1/policies/sla/draft"


class SlaFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a TOML file of calendars and policies says, as JSON: all of it holds, or none."""

    calendars: Annotated[dict[str, Any], msgspec.Meta(description="As [calendars.<id>]")] = {}
    policies: Annotated[dict[str, Any], msgspec.Meta(description="As [policies.<id>]")] = {}


SLA_FILE_EXAMPLE: dict[str, Any] = {
    "calendars": {
        "office": {
            "zone": "Europe/London",
            "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
            "holidays": {"country": "GB", "subdivision": "ENG", "years": [2026, 2027]},
        }
    },
    "policies": {
        "office": {
            "rank": 10,
            "calendar": "office",
            "targets": {
                "resolution": {
                    "kind": "resolution",
                    "target": {"kind": "open_time", "seconds": 86_400},
                    "warnings": [{"percent": 75}],
                }
            },
        }
    },
}


class SlaPolicies(msgspec.Struct, frozen=True):
    """Every calendar and policy that was published, in all its versions."""

    in_force: dict[str, int]
    """The version of each policy that gives clocks to cases registered now."""
    since: dict[str, datetime]
    """From when on it has been in force."""
    policies: dict[str, tuple[SlaPolicyPublished, ...]]
    calendars: dict[str, tuple[CalendarPublished, ...]]
    policy_drafts: dict[str, SlaPolicy]
    calendar_drafts: dict[str, Calendar]


def publishes(door: Door) -> list[HTTPRouteHandler]:
    @post(PUBLISH)
    async def publish(request: AnyRequest) -> Answer:
        return await write(request, PUBLISHERS, lambda command: command)

    @post(DRAFT)
    async def draft(request: AnyRequest) -> Answer:
        return await write(request, LEADS, drafting)

    async def write(
        request: AnyRequest, who: frozenset[Role], to: Callable[[Publish], Ask]
    ) -> Answer:
        caller, file = await door.asked(request, who, SlaFile)
        read = await asyncio.to_thread(commands_of, file.calendars, file.policies)
        commands = [to(command) for command in read]
        written = await carry_out(door, request, caller, SlaBook, SLA_BOOK_ID, commands)
        return answer(written, {}, {})

    return [publish, draft]


def commands_of(calendars: dict[str, Any], policies: dict[str, Any]) -> list[Publish]:
    """What it takes to publish them; the body is as its schema has it, what it says may not be."""
    try:
        return publishing({"calendars": calendars, "policies": policies})
    except Malformed as error:
        raise Rejected("policies-unreadable", str(error), field=error.field) from None


def drafting(command: Publish) -> DraftCalendar | DraftSlaPolicy:
    if isinstance(command, PublishCalendar):
        return DraftCalendar(calendar_id=command.calendar_id, calendar=command.calendar)
    return DraftSlaPolicy(policy_id=command.policy_id, policy=command.policy)


async def get_sla_policies(asked: Asked) -> SlaPolicies:
    """The SLA policies: which are in force, and every version of them and of their calendars."""
    seen = await asked.desk.core.see(SlaBook, SLA_BOOK_ID)
    book: SlaBook = seen.state
    in_force = book.in_force(asked.desk.core.now())
    return SlaPolicies(
        in_force={published.policy_id: published.version for published in in_force},
        since={published.policy_id: published.effective_from for published in in_force},
        policies={id: book.versions(id) for id in book.policies},
        calendars=book.calendars,
        policy_drafts=book.policy_drafts,
        calendar_drafts=book.calendar_drafts,
    )
