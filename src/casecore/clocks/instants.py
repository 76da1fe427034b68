"""Instants and durations as whole microseconds; an instant counts from 1970, in UTC."""

from datetime import UTC, datetime, timedelta

from casecore.errors import Rejected

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

YEARS = range(1800, 2400)
"""The years an instant may lie in: all that zones have known, and more than they foresee."""


def micros(at: datetime) -> int:
    since = at - EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def instant(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


EARLIEST = micros(datetime(YEARS.start, 1, 1, tzinfo=UTC))
LATEST = micros(datetime(YEARS.stop, 1, 1, tzinfo=UTC))


def within_years(at: datetime, name: str) -> int:
    """Microseconds of an instant that reckoning can be asked about."""
    found = micros(at)
    if not EARLIEST <= found < LATEST:
        raise Rejected(
            "time-out-of-range",
            f"{name} must lie between {YEARS.start} and {YEARS.stop}",
            field=name,
        )
    return found
