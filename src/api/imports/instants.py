"""The times in a log: with their own offset, or local to the zone that was named."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from api.imports.plan import Unreadable


def instant(column: str, text: str, zone: ZoneInfo | None) -> datetime:
    """In UTC. A local time that the clocks showed twice is taken for the first."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(column, f"{text!r} is not a time like 2026-03-02 12:00:00") from None
    if time.tzinfo is not None:
        return time.astimezone(UTC)
    if zone is None:
        raise Unreadable(column, f"{text} has no offset: name the zone it is local to with --zone")
    at = time.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != time:
        raise Unreadable(column, f"{text} never was in {zone}: the clocks were put forward over it")
    return at
