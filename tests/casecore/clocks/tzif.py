"""The zone data read a second time, from its bytes (RFC 9636), so that ours is not its own judge.

Everything is in seconds. A zone is its offsets: from when, how far ahead of UTC.
"""

import re
import struct
from calendar import monthrange
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import pairwise

LAST_YEAR = 2110
"""Rules are followed so far; the file's own transitions end before, or with it."""
ALWAYS = -(1 << 60)

NAME = r"(?:<[^>]+>|[A-Za-z]{3,})"
TIME = r"[+-]?\d+(?::\d+)?(?::\d+)?"
RULE = rf"M(\d+)\.(\d)\.(\d)(?:/({TIME}))?"
FOOTER = re.compile(rf"{NAME}({TIME})(?:{NAME}({TIME})?,{RULE},{RULE})?")

Offsets = list[tuple[int, int]]


@cache
def offsets(name: str) -> Offsets:
    data = files("tzdata").joinpath("zoneinfo", name).read_bytes()
    *_, skipped = block(data, 0, wide=False)
    times, kinds, first, end = block(data, skipped, wide=True)
    footer = data[end:].decode().strip()
    found = [(ALWAYS, first), *zip(times, kinds, strict=True)]
    found += [change for change in foretold(footer) if change[0] > found[-1][0]]
    return found[:1] + [b for a, b in pairwise(found) if a[1] != b[1]]


def block(data: bytes, at: int, wide: bool) -> tuple[list[int], list[int], int, int]:
    magic, utc, standard, leaps, times, types, letters = struct.unpack_from(">4s16x6l", data, at)
    assert magic == b"TZif"
    assert leaps == 0
    width, code = (8, "q") if wide else (4, "l")
    at += 44
    instants = struct.unpack_from(f">{times}{code}", data, at)
    at += times * width
    indices = data[at : at + times]
    at += times
    ahead = [struct.unpack_from(">lBB", data, at + 6 * n)[0] for n in range(types)]
    end = at + 6 * types + letters + utc + standard
    return list(instants), [ahead[n] for n in indices], ahead[0], end


def foretold(footer: str) -> Offsets:
    """What the POSIX rule at the end of a file says, year by year."""
    parts = FOOTER.fullmatch(footer)
    assert parts is not None, footer
    standard = -seconds(parts[1])
    if parts[3] is None:
        return [(ALWAYS, standard)]
    summer = -seconds(parts[2]) if parts[2] else standard + 3600
    found = []
    for year in range(1970, LAST_YEAR + 1):
        found.append((nth_day(year, *parts.group(3, 4, 5, 6)) - standard, summer))
        found.append((nth_day(year, *parts.group(7, 8, 9, 10)) - summer, standard))
    return sorted(found)


def nth_day(year: int, month: str, week: str, day: str, time: str | None) -> int:
    first, length = monthrange(year, int(month))
    number = 1 + (int(day) - first - 1) % 7 + 7 * (int(week) - 1)
    while number > length:
        number -= 7
    midnight = datetime(year, int(month), number, tzinfo=UTC)
    return int(midnight.timestamp()) + (seconds(time) if time else 7200)


def seconds(time: str) -> int:
    sign = -1 if time.startswith("-") else 1
    hours, minutes, rest = ([int(part) for part in time.lstrip("+-").split(":")] + [0, 0])[:3]
    return sign * (hours * 3600 + minutes * 60 + rest)
