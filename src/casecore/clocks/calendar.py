"""A calendar, as a desk publishes it: its zone, its week, and the dates that are otherwise."""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

TimeOfDay = Annotated[
    str, Meta(description="Local time, from 00:00 to 24:00", examples=["09:00"], max_length=5)
]
Window = tuple[TimeOfDay, TimeOfDay]
"""Open from, until; past midnight when the end is not after the start (R5)."""
Windows = tuple[Window, ...]


class Weekly(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The windows that start on each day of the week; none, and it is closed."""

    mon: Windows = ()
    tue: Windows = ()
    wed: Windows = ()
    thu: Windows = ()
    fri: Windows = ()
    sat: Windows = ()
    sun: Windows = ()


class Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a desk is open, in its own local time."""

    zone: str
    weekly: Weekly
    exceptions: dict[date, Windows] = {}
    """Dates whose windows replace those of their weekday, holidays for instance: []."""
