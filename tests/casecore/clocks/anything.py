"""Any calendar, in any zone, around any change of its clocks: what hypothesis draws from."""

from datetime import timedelta
from typing import NamedTuple

from hypothesis import strategies as st

from casecore.clocks.calendar import Calendar, Weekly, Windows
from casecore.clocks.openings import Span
from casecore.clocks.zones import names
from tests.casecore.clocks import tzif
from tests.casecore.clocks.slow import DAY, EPOCH, MINUTE, SECOND

STRANGE = (
    "Africa/Casablanca",
    "America/Havana",
    "America/Nuuk",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
)
"""Half hours, midnights, skipped days, winter time that is the summer time of elsewhere."""

SINCE_MINUTES = 63_072_000
"""1972: from then on, offsets are whole minutes."""
UNTIL = 3_900_000_000
"""2093: while the second reader of the zone data still knows the rules."""

zones = st.sampled_from(STRANGE) | st.sampled_from(sorted(names()))
times = (
    st.integers(0, 96).map(lambda quarter: quarter * 15)
    | st.integers(0, 1440)
    | st.sampled_from([0, 60, 90, 120, 150, 180, 1380, 1410, 1440])
).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
windows = st.lists(st.tuples(times, times), max_size=3).map(tuple)
some_windows = st.lists(st.tuples(times, times), min_size=1, max_size=3).map(tuple)


class Drawn(NamedTuple):
    calendar: Calendar
    started_at: int
    pauses: list[Span]
    amount: int


@st.composite
def clocks(draw: st.DrawFn, unit: int = 1) -> Drawn:
    """Within days of a change of offset, all in multiples of the unit."""
    zone = draw(zones)
    earliest = SINCE_MINUTES if unit == MINUTE else tzif.ALWAYS + 1
    changes = [start for start, _ in tzif.offsets(zone) if earliest <= start < UNTIL]
    change = draw(st.sampled_from(changes or [1_774_746_000])) * SECOND
    started_at = multiple(change + draw(st.integers(-4 * DAY, 2 * DAY)), unit)
    pauses = []
    for _ in range(draw(st.integers(0, 4))):
        since = multiple(started_at + draw(st.integers(-DAY, 5 * DAY)), unit)
        pauses.append((since, since + multiple(draw(st.integers(0, 2 * DAY)), unit)))
    amount = max(unit, multiple(draw(st.integers(1, 5 * DAY) | st.integers(1, DAY // 2)), unit))
    return Drawn(draw(calendars(zone, started_at)), started_at, pauses, amount)


@st.composite
def calendars(draw: st.DrawFn, zone: str, around: int) -> Calendar:
    """Open at least on one weekday: one that never opens is refused, and another test."""
    week: list[Windows] = [draw(windows) for _ in range(7)]
    week[draw(st.integers(0, 6))] = draw(some_windows)
    days = draw(st.lists(st.integers(-3, 6), max_size=3, unique=True))
    today = EPOCH + timedelta(days=around // DAY)
    exceptions = {today + timedelta(days=n): draw(windows) for n in days}
    return Calendar(zone, Weekly(*week), exceptions)


def multiple(of: int, unit: int) -> int:
    return of // unit * unit
