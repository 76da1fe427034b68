"""How casecore is: whether it runs, whether it can answer, and what its read models wait for."""

import asyncio
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler

from api.answers import Answer, json
from api.desk import Desks
from api.reading import READ
from api.verdicts import Verdict, verdicts
from casecore.appender import UNKNOWN
from casecore.errors import Unavailable
from casecore.following.progress import Progress, progress
from projections import PROJECTIONS

LOOK_SECONDS_MAX = 5.0
KEPT_SECONDS = 1.0
KEPT_TIMES = 10
"""How long what was seen is told again, or else how many times as long as it took to see: nobody
needs a key to ask, and nobody shall load the database by it."""
NO_STORE = (b"cache-control", b"no-store")
NAMES = [projection.NAME for projection in PROJECTIONS]

Status = Literal["not-ready", "check-failed", "stopped", "parked", "lagging", "ok"]
"""The gravest that is so, in this order."""


class Counts(NamedTuple):
    """Of all read models, in all ledgers, whichever processes follow."""

    lagging: int
    stopped: int
    parked: int
    lag_seconds: float
    oldest_parked_seconds: float
    building: int


class Health(msgspec.Struct, frozen=True):
    """Alive, ready, lagging and parked are different things. `status` is the gravest that is so:
    not-ready, check-failed, stopped, parked, lagging, ok."""

    alive: bool
    ready: bool
    """Whether a request that came now could be answered. Nothing below makes it false."""
    status: Status
    lagging: int | None
    """How many read models are more than 10 s late, in all ledgers; like all of these counts, null
    when the database does not tell."""
    stopped: int | None
    """How many read models cannot go on at all."""
    parked: int | None
    """How many of their rows wait for somebody to put them right."""
    lag_seconds: float | None
    """How late the latest read model is."""
    oldest_parked_seconds: float | None
    """How long the row has waited that waits longest."""
    building: int | None
    """How many read models are being made anew, while the old ones serve."""
    checks: dict[str, Verdict]
    """What those say who watch over the record."""


def tells_health(desks: Desks) -> list[HTTPRouteHandler]:
    outlook = Outlook(desks)

    @route("/v1/health", http_method=READ)
    async def health() -> Answer:
        found = await outlook.health()
        return json(found, [NO_STORE], 200 if found.ready else 503)

    @route("/v1/health/live", http_method=READ)
    async def live() -> Answer:
        return json({"status": "live"})

    @route("/v1/health/ready", http_method=READ)
    async def ready() -> Answer:
        if not await desks.ready():
            raise Unavailable(
                "not-ready", "casecore is starting, stopping, or without its database"
            )
        return json({"status": "ready"})

    return [health, live, ready]


class Outlook:
    """What was last seen, for as long as it is told again."""

    def __init__(self, desks: Desks) -> None:
        self.desks = desks
        self._seen: tuple[Counts | None, dict[str, Verdict]] = None, {}
        self._until = float("-inf")
        self._looking = asyncio.Lock()

    async def health(self) -> Health:
        async with self._looking:
            if time.monotonic() >= self._until:
                self._seen = await asyncio.gather(self._look(), verdicts(self.desks.checks))
        counts, checks = self._seen
        ready = counts is not None and not self.desks.closing
        told = counts._asdict() if counts else dict.fromkeys(Counts._fields)
        return Health(True, ready, status(ready, checks, counts), **told, checks=checks)

    async def _look(self) -> Counts | None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                found = await progress(self.desks.pool, NAMES)
        except UNKNOWN:
            self._until = time.monotonic() + KEPT_SECONDS
            return None
        ended = time.monotonic()
        self._until = ended + max(KEPT_SECONDS, KEPT_TIMES * (ended - began))
        return summed([one for _, one in found])


def summed(found: Sequence[Progress]) -> Counts:
    return Counts(
        lagging=sum(one.lagging for one in found),
        stopped=sum(one.error is not None for one in found),
        parked=sum(one.parked for one in found),
        lag_seconds=max((one.lag_seconds for one in found), default=0.0),
        oldest_parked_seconds=max((one.parked_seconds for one in found), default=0.0),
        building=sum(one.building is not None for one in found),
    )


def status(ready: bool, checks: dict[str, Verdict], counts: Counts | None) -> Status:
    if not ready or counts is None:
        return "not-ready"
    if not all(verdict.ok for verdict in checks.values()):
        return "check-failed"
    if counts.stopped:
        return "stopped"
    if counts.parked:
        return "parked"
    return "lagging" if counts.lagging else "ok"
