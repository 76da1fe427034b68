"""A clock: an amount of time that runs from a start, stands still in pauses, and is used up."""

from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from casecore.clocks.instants import DAY
from casecore.clocks.openings import Span
from casecore.errors import Rejected

HORIZON_YEARS = 100
HORIZON = HORIZON_YEARS * 365 * DAY
"""What is not due so long after its start is refused, not searched for."""
FOREVER = 1 << 62
"""The end of a pause that has none yet; after every instant there is."""

State = Literal["running", "paused", "breached"]


class Hours(Protocol):
    """Which time counts."""

    def passed(self, since: int, until: int) -> int: ...

    def when(self, since: int, passed: int, by: int) -> int | None: ...


class RoundTheClock:
    """All of it does."""

    def passed(self, since: int, until: int) -> int:
        return until - since

    def when(self, since: int, passed: int, by: int) -> int | None:
        return since + passed if since + passed <= by else None


class Clock(msgspec.Struct, frozen=True):
    """Computed from facts whenever it is asked about; nothing is counted up (R2).

    The pauses are a union, in order, and all of them count, those to come as well. Seen from an
    instant within one, though, that pause has no end yet: see `as_of`.
    """

    hours: Hours
    started_at: int
    amount: int
    pauses: list[Span] = []

    @property
    def due(self) -> int | None:
        """When all of it is used up; never, while a pause without an end comes before (R7)."""
        return self.reaching(self.amount)

    def consumed(self, at: int) -> int:
        """What was used up of it before then; after it is due, more than there was (R2)."""
        if at <= self.started_at:
            return 0
        consumed = self.hours.passed(self.started_at, at)
        for since, until in self.pauses:
            if since >= at:
                break
            if until > self.started_at:
                consumed -= self.hours.passed(max(since, self.started_at), min(until, at))
        return consumed

    def remaining(self, at: int) -> int:
        return max(0, self.amount - self.consumed(at))

    def warning(self, left: int) -> int | None:
        """When that much remains: the first instant it runs if all of it does (R17).

        Never, if there is not so much of it.
        """
        if left > self.amount:
            return None
        if left < self.amount:
            return self.reaching(self.amount - left)
        begun = self.reaching(1)
        return None if begun is None else begun - 1

    def reaching(self, consumed: int) -> int | None:
        """The least instant at which so much is consumed, which is more than nothing (R2, R3)."""
        at, by = self.started_at, self.started_at + HORIZON
        for since, until in self.pauses:
            if until <= at:
                continue
            if since >= by:
                break
            if since > at:
                passed = self.hours.passed(at, since)
                if passed >= consumed:
                    break
                consumed -= passed
            if until == FOREVER:
                return None
            at = until
        found = self.hours.when(at, consumed, by)
        if found is None:
            raise beyond_horizon()
        return found

    def as_of(self, now: int) -> "Clock":
        """The clock as it is known then: a pause that holds has no end yet (R7)."""
        for n, (since, until) in enumerate(self.pauses):
            if since <= now < until:
                return replace(self, pauses=[*self.pauses[:n], (since, FOREVER)])
        return self

    def state(self, now: int) -> State:
        """What a case's clock is while nothing satisfies it.

        On the due instant it still runs (R4). Time that was used up before a pause began, or just
        as it did, is breached in the pause too: only what is not yet due is paused (R7).
        """
        known = self.as_of(now)
        due = known.due
        if due is not None:
            return "breached" if now > due else "running"
        return "running" if known is self else "paused"


def beyond_horizon() -> Rejected:
    return Rejected(
        "due-beyond-horizon",
        f"this is not due within {HORIZON_YEARS} years of its start: set a smaller target, or a"
        " calendar that is open more",
    )
