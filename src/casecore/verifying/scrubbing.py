"""Goes through a ledger over and over while casecore serves, a little at a time, and keeps what it
found: what is changed behind casecore is known within a pass, without anybody asking."""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from casecore.database import Pool
from casecore.leasing import lease
from casecore.outages import log
from casecore.proof.sealed import Checkpoint, SealedLedger
from casecore.proof.sealing import Sealing
from casecore.proof.tree import TILE_HEIGHT, TILE_WIDTH
from casecore.verifying.events import Part, Walk
from casecore.verifying.findings import Finding
from casecore.verifying.tiles import compare_above
from casecore.verifying.whole import (
    beyond,
    causes,
    check_checkpoints,
    check_notes,
    check_part,
    checkpoints_of,
    outside,
)

EVENTS_AT_ONCE = 2 * TILE_WIDTH
"""How many are gone through between pauses: it takes some milliseconds, in which nobody is
answered."""
CHECKPOINTS_AT_ONCE = 16
PAUSE_SECONDS = 0.25
"""With it a pass goes through 2,000 events a second, a million in nine minutes."""
PASS_SECONDS_MIN = 60.0
"""From the beginning of one pass to that of the next, when there is little to go through."""
KEEP_SECONDS = 5.0
"""How often it is kept how far a pass has come."""
RETRY_SECONDS = 30.0
HEADS_MAX = 10_000

# PostgreSQL's advisory locks are numbers: this one is held by who goes through a ledger.
SCRUBBING = 0x5C2B

State = Literal["unknown", "sound", "wrong"]

logger = logging.getLogger(__name__)


class Verdict(msgspec.Struct, frozen=True):
    """Whether what is stored is what was recorded, as far as was looked."""

    state: State
    """Unknown until all of the ledger was gone through once."""
    position: int
    """How far the pass under way has come, of `upto`."""
    upto: int
    began_at: datetime | None
    looked_at: datetime | None
    passed_at: datetime | None
    """When a pass last came to its end, at `passed_upto`."""
    passed_upto: int | None
    finding: Finding | None
    """The first thing found wrong. A whole pass that finds nothing takes it away."""
    found_at: datetime | None


UNKNOWN = Verdict("unknown", 0, 0, None, None, None, None, None, None)


async def verdict(pool: Pool, ledger: int) -> Verdict:
    row: Any = await pool.fetchrow(
        """
        SELECT position, upto, began_at, looked_at, passed_at, passed_upto, finding, found_at
        FROM proof.scrub WHERE ledger = $1
        """,
        ledger,
    )
    if row is None:
        return UNKNOWN
    known = dict(row)
    finding = msgspec.json.decode(raw, type=Finding) if (raw := known.pop("finding")) else None
    state: State = "wrong" if finding else "sound" if row["passed_at"] else "unknown"
    return Verdict(state=state, finding=finding, **known)


class Scrubber:
    """Goes through one ledger, or stands by to do so. One a process and ledger."""

    def __init__(self, sealed: SealedLedger, sealing: Sealing) -> None:
        self.sealed = sealed
        self.sealing = sealing
        self.pool = sealed.pool
        self.verdict = UNKNOWN
        """As far as this process knows, when it is the one that does it."""
        self._found = False
        self._kept_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self, url: str) -> None:
        self._task = asyncio.create_task(self._keep(url))

    async def close(self) -> None:
        """Stop; whoever is next goes on from where it was last kept."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def run(self, *, pause: float = PAUSE_SECONDS) -> Verdict:
        """One pass, from where the last one was left to the end."""
        latest, upto = await self.sealed.latest(), await self.sealed.head()
        known = await verdict(self.pool, self.sealed.id)
        after = known.position >> TILE_HEIGHT << TILE_HEIGHT
        now = datetime.now(UTC)
        if known.position >= known.upto or known.began_at is None or after > upto:
            after = 0
            known = replace(known, position=0, began_at=now)
        self.verdict = replace(known, upto=upto, looked_at=now)
        self._found = False
        found = await self._events(after, upto, latest, pause)
        found += await self._checkpoints(upto, latest, pause)
        ordered, _ = causes(found)
        if ordered:
            await self._tell(ordered[0])
        elif after == 0:  # A pass that went on from somewhere does not know of what is before.
            self.verdict = replace(self.verdict, finding=None, found_at=None)
        state: State = "wrong" if self.verdict.finding else "sound"
        now = datetime.now(UTC)
        self.verdict = replace(
            self.verdict,
            state=state,
            position=upto,
            looked_at=now,
            passed_at=now,
            passed_upto=upto,
        )
        await self._save()
        return self.verdict

    async def _events(
        self, after: int, upto: int, latest: Checkpoint | None, pause: float
    ) -> list[Finding]:
        walk = Walk(self.pool, self.sealed.id, self.sealed.ledger, heads_max=HEADS_MAX)
        first, roots = after >> TILE_HEIGHT, bytearray()
        found: list[Finding] = []
        while after < upto:
            part = Part(after, min(after + EVENTS_AT_ONCE, upto))
            checked = await check_part(walk, self.sealed, part, upto, latest)
            roots += checked.roots
            found += checked.findings
            if checked.findings:
                await self._tell(checked.findings[0])
            after = part.upto
            await self._look(after)
            await asyncio.sleep(pause)
        return found + await compare_above(self.sealed, first, bytes(roots))

    async def _checkpoints(
        self, upto: int, latest: Checkpoint | None, pause: float
    ) -> list[Finding]:
        key, found = self.sealing.verifier(), await outside(self.pool, self.sealed.id)
        if latest is not None and latest.size > upto:
            found.append(beyond(self.sealed, latest, key, upto))
        async for some in checkpoints_of(self.sealed, 0, upto, CHECKPOINTS_AT_ONCE):
            found += await check_checkpoints(self.sealed, some, key)
            await asyncio.sleep(pause)
        folders = [export.place.folder for export in self.sealing.exports]
        _, wrong = await check_notes(self.sealed, folders, key)
        return found + wrong

    async def _tell(self, finding: Finding) -> None:
        """Keep the first that a pass finds, and since when it is known."""
        if self._found:
            return
        self._found = True
        if self.verdict.finding != finding:
            logger.error("%s. %s", finding.sentence, finding.means)
            now = datetime.now(UTC)
            self.verdict = replace(self.verdict, state="wrong", finding=finding, found_at=now)
        await self._save()

    async def _look(self, position: int) -> None:
        self.verdict = replace(self.verdict, position=position, looked_at=datetime.now(UTC))
        now = asyncio.get_running_loop().time()
        if now >= self._kept_at + KEEP_SECONDS:
            self._kept_at = now
            await self._save()

    async def _save(self) -> None:
        told = self.verdict
        finding = msgspec.json.encode(told.finding).decode() if told.finding else None
        await self.pool.execute(
            """
            INSERT INTO proof.scrub AS s
                (ledger, position, upto, began_at, looked_at, passed_at, passed_upto, finding,
                 found_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (ledger) DO UPDATE
            SET position = excluded.position, upto = excluded.upto, began_at = excluded.began_at,
                looked_at = excluded.looked_at, passed_at = excluded.passed_at,
                passed_upto = excluded.passed_upto, finding = excluded.finding,
                found_at = excluded.found_at
            """,
            *(self.sealed.id, told.position, told.upto, told.began_at, told.looked_at),
            *(told.passed_at, told.passed_upto, finding, told.found_at),
        )

    async def _keep(self, url: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with lease(url, SCRUBBING, self.sealed.id) as connection:
                    while not connection.is_closed():
                        began = loop.time()
                        await self.run()
                        await asyncio.sleep(max(0.0, began + PASS_SECONDS_MIN - loop.time()))
            except Exception as error:
                # Whatever it was, without this nobody would look any more.
                log(logger, error, "cannot go through ledger %s; trying again", self.sealed.ledger)
            self.verdict = UNKNOWN
            await asyncio.sleep(RETRY_SECONDS)
