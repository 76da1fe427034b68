"""Cases as CSV (RFC 4180, UTF-8), a row an event, for spreadsheets and scripts."""

import csv
from collections.abc import AsyncGenerator
from io import StringIO

from api.exports.selecting import as_happened, registration
from casecore.recording import Recorded
from casecore.surveying import Life
from projections.cells import shown

COLUMNS = (
    "case_ref",
    "case_id",
    "activity",
    "occurred_at",
    "recorded_at",
    "agent",
    "role",
    "sentence",
    "type",
    "product",
    "channel",
    "position",
    "version",
    "event_id",
)


async def document(ledger: str, upto: int, lives: AsyncGenerator[Life]) -> AsyncGenerator[str]:
    yield lined([COLUMNS])
    async for life in lives:
        yield lined(rows(life))


def rows(life: Life) -> list[tuple[object, ...]]:
    about = registration(life)
    product = shown(about.product or "")
    return [
        (
            life.case_ref,
            life.case_id,
            shown(activity_of(fact)),
            fact.occurred_at.isoformat(),
            fact.recorded_at.isoformat(),
            shown(resource_of(fact)),
            fact.actor.role.value,
            shown(f"{fact.actor.id} {fact.event.told()}"),
            type(fact.event).__name__,
            product,
            about.channel,
            fact.position,
            fact.version,
            fact.event_id,
        )
        for fact in as_happened(life)
    ]


def activity_of(fact: Recorded) -> str:
    return fact.logged.activity if fact.logged else type(fact.event).__name__


def resource_of(fact: Recorded) -> str:
    return (fact.logged.resource if fact.logged else None) or fact.actor.id


def lined(rows: list[tuple[object, ...]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
