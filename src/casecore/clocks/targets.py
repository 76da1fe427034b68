"""Targets: how much time there is, or until which day, as a policy sets it."""

from typing import Literal

import msgspec

from casecore.clocks.clock import HORIZON, Clock, RoundTheClock, beyond_horizon
from casecore.clocks.instants import DAY, SECOND
from casecore.clocks.openings import BusinessDay, Openings, Span, merged
from casecore.errors import Rejected

Receipt = Literal["as_received", "next_business_day_if_after_close"]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """What a clock is set to. Seconds are paused; civil dates never are (R8, R16)."""

    def clock(self, openings: Openings, started_at: int, pauses: list[Span]) -> Clock:
        raise NotImplementedError


class OpenTime(Target, frozen=True, tag="open_time"):
    """Seconds of the calendar's open time."""

    seconds: int

    def clock(self, openings: Openings, started_at: int, pauses: list[Span]) -> Clock:
        amount = positive(self.seconds, "seconds") * SECOND
        return Clock(openings, started_at, amount, merged(pauses))


class ElapsedTime(Target, frozen=True, tag="elapsed_time"):
    """Seconds by day and night, whatever the calendar."""

    seconds: int

    def clock(self, openings: Openings, started_at: int, pauses: list[Span]) -> Clock:
        amount = positive(self.seconds, "seconds") * SECOND
        return Clock(RoundTheClock(), started_at, amount, merged(pauses))


class BusinessDays(Target, frozen=True, tag="business_days"):
    """Until close of business on the n-th business day after the day of receipt (R16).

    It consumes open time, so its warnings fall in open time too.
    """

    days: int
    receipt: Receipt

    def clock(self, openings: Openings, started_at: int, pauses: list[Span]) -> Clock:
        nth = positive(self.days, "days")
        by = started_at + HORIZON
        received = openings.zone.date(started_at)
        if self.receipt == "next_business_day_if_after_close":
            received = deemed_received(openings, started_at, received, by).day
        last = found(openings.business_day(nth, received, by))
        return Clock(openings, started_at, openings.passed(started_at, last.close))


class CalendarDays(Target, frozen=True, tag="calendar_days"):
    """Until the end of the n-th local date after that of receipt (R16); all time is consumed."""

    days: int

    def clock(self, openings: Openings, started_at: int, pauses: list[Span]) -> Clock:
        if positive(self.days, "days") * DAY > HORIZON:
            raise beyond_horizon()
        zone = openings.zone
        due = zone.end_of(zone.date(started_at) + self.days)
        return Clock(RoundTheClock(), started_at, due - started_at)


class Weeks(Target, frozen=True, tag="weeks"):
    """Until the end of the same weekday, n weeks after receipt (R16)."""

    weeks: int

    def clock(self, openings: Openings, started_at: int, pauses: list[Span]) -> Clock:
        days = 7 * positive(self.weeks, "weeks")
        return CalendarDays(days).clock(openings, started_at, pauses)


AnyTarget = OpenTime | ElapsedTime | BusinessDays | CalendarDays | Weeks


def positive(n: int, unit: str) -> int:
    if n <= 0:
        raise Rejected(
            "target-not-positive",
            f"a target of {n} {unit} leaves no time: set 1 or more",
            field=f"target.{unit}",
        )
    return n


def deemed_received(openings: Openings, at: int, on: int, by: int) -> BusinessDay:
    """The business day it came in on: the next, from the instant of closing on (R1)."""
    day = found(openings.business_day(1, on - 1, by))
    if at >= day.close:
        return found(openings.business_day(1, on, by))
    return day


def found(day: BusinessDay | None) -> BusinessDay:
    if day is None:
        raise beyond_horizon()
    return day
