"""What happened to a case, day by day, as people would tell it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from casecore.recording import Recorded

LATE = timedelta(minutes=15)
"""How long after it happened something may be recorded without a word about it."""


class Entry(NamedTuple):
    """One event in the timeline."""

    recorded: Recorded
    late: timedelta | None

    @property
    def sentence(self) -> str:
        return self.recorded.event.told()


class Day(NamedTuple):
    entries: Sequence[Entry]

    @property
    def at(self) -> datetime:
        return self.entries[0].recorded.occurred_at

    @property
    def late(self) -> bool:
        """Whether all of it was recorded later: it is said once then."""
        return all(entry.late for entry in self.entries)


def days(events: Iterable[Recorded]) -> list[Day]:
    """In the order of recording; a day begins whenever the date is another."""
    return [Day(list(of)) for _, of in groupby(map(entry, events), date_of)]


def entry(recorded: Recorded) -> Entry:
    late = recorded.recorded_at - recorded.occurred_at
    return Entry(recorded, late if late >= LATE else None)


def date_of(entry: Entry) -> date:
    return entry.recorded.occurred_at.astimezone(UTC).date()
