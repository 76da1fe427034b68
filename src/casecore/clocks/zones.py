"""Zones: from local time to instants and back, across every change of the clocks.

The data is that of the tzdata package in the lock file, never the machine's own, so that every
process reckons alike.
"""

from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from casecore.clocks.instants import DAY, SECOND
from casecore.errors import Rejected

REACH = DAY
"""No offset is as large as a day, and no zone changes its offset twice within four: so at most one
change matters to a local time, and it lies within a day of it. The tests hold the data to that."""

TZDATA = files("tzdata")


@cache
def names() -> frozenset[str]:
    return frozenset(TZDATA.joinpath("zones").read_text().split())


@cache
def zone(name: str) -> "Zone":
    if name not in names():
        raise Rejected(
            "unknown-zone",
            f"there is no zone {name!r}: name one of the IANA time zones, like Europe/London",
            field="zone",
        )
    with TZDATA.joinpath("zoneinfo", name).open("rb") as data:
        return Zone(ZoneInfo.from_file(data, key=name))


class Zone:
    """Local times are microseconds too, counted as if they were UTC: they add up like dates."""

    def __init__(self, info: ZoneInfo) -> None:
        self._info = info

    def offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at // SECOND, self._info).utcoffset()
        assert offset is not None
        return offset.days * DAY + offset.seconds * SECOND

    def date(self, at: int) -> int:
        """The local date then, in days since 1970."""
        return (at + self.offset(at)) // DAY

    def readings(self, local: int) -> list[int]:
        """When clocks showed that time: once, twice as they went back, or never as they skipped."""
        offsets = {self.offset(local - REACH), self.offset(local + REACH)}
        return sorted(local - o for o in offsets if self.offset(local - o) == o)

    def opening(self, local: int) -> int:
        """When a window that starts at that time opens: at the earlier reading (R5)."""
        return (self.readings(local) or [self.after_gap(local)])[0]

    def closing(self, local: int) -> int:
        """When a window that ends at that time closes: at the later reading (R5)."""
        return (self.readings(local) or [self.after_gap(local)])[-1]

    def end_of(self, day: int) -> int:
        """The last microsecond of a local date; of one that was skipped, the last before it."""
        last = (day + 1) * DAY - 1
        return (self.readings(last) or [self.after_gap(last) - 1])[-1]

    def after_gap(self, local: int) -> int:
        """The first instant after clocks skipped that time; they change on whole seconds."""
        before, after = (local - REACH) // SECOND, (local + REACH) // SECOND
        skipping = self.offset(before * SECOND)
        while after - before > 1:
            middle = (before + after) // 2
            if self.offset(middle * SECOND) == skipping:
                before = middle
            else:
                after = middle
        return after * SECOND
