"""Seals a ledger as it grows: its tree in tiles, and checkpoints, which also go out of the house.

One process a ledger does this at a time, the one that holds the lease, which only saves work: a
checkpoint is kept only where the one before it is the last, and whatever tree grew out of the same
events is the same. So two at once do no harm, nor does one that dies at any moment.
"""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from casecore.appender import Appender
from casecore.leasing import lease
from casecore.outages import log
from casecore.proof.notes import Head, SealingKey, VerifierKey, origin
from casecore.proof.places import Place
from casecore.proof.restoring import Accepted, Finding, accept, examine
from casecore.proof.sealed import LEAVES_MAX, Checkpoint, SealedLedger
from casecore.proof.tree import Edge

GATHER_SECONDS = 0.4
"""How long to let more come together: a checkpoint costs as much for one event as for hundreds."""
LOOK_SECONDS = 0.5
"""How soon the ledger is looked at again when nobody told of anything new."""
YIELD_SECONDS = 0.25
"""How long to leave the store to those who append, after each `LEAVES_MAX` of a great many while
they go on. Up to 20,000 a second are sealed as they come; of more, some 16,000, and the rest when
they are done."""
EXPORT_SECONDS = 1.0
"""How long after one checkpoint the next goes out of the house; it is the newest by then."""
RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 60.0
BARRED_SECONDS = 2.0
"""How soon a ledger that was not what was sealed is held against the checkpoints again."""

# PostgreSQL's advisory locks are numbers: this one is held by who seals a ledger.
SEALING = 0x5EA1

# It may be lost with the power, as it is made again from the events, which may not.
SEAL = """
    SELECT set_config('synchronous_commit', 'off', true),
           proof.seal($1, $2, $3, $4, $5, $6, $7, $8) AS sealed
"""

logger = logging.getLogger(__name__)


class ProofSettings(NamedTuple):
    """Where the key is, and the folders that checkpoints go to, the one at hand first."""

    key: Path
    folders: tuple[Path, ...]


class Moved(Exception):
    """The ledger is not sealed as far as this process left it: another one was at it."""


class Sealing:
    """Seals one ledger, or stands by to do so. One a process and ledger."""

    def __init__(self, ledger: SealedLedger, appender: Appender, given: ProofSettings) -> None:
        self.ledger = ledger
        self.appender = appender
        self.key_path = given.key
        self.exports = [Export(Place(folder / ledger.ledger)) for folder in given.folders]
        self.findings: list[Finding] = []
        """Why nothing may be written to the ledger."""
        self.failure: str | None = None
        """Why it is not sealed further, when it is not."""
        self._edge: Edge | None = None
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def troubles(self) -> list[str]:
        """What somebody should look at, by its code."""
        found = [finding.code for finding in self.findings]
        found += ["sealing-failing"] if self.failure else []
        found += ["export-failing" for export in self.exports if export.failure]
        return found

    def verifier(self) -> VerifierKey | None:
        """Whom to believe of this ledger, once there is a key."""
        if not self.key_path.exists():
            return None
        return SealingKey.read(self.key_path).verifier(origin(self.ledger.ledger))

    async def guard(self) -> None:
        """Let nothing be written to a ledger that is not the one that was sealed."""
        self.findings = await examine(self.ledger, self.key_path, self._places)
        self.appender.barred = self.findings[0].refusal if self.findings else None

    async def accept(self, by: str, reason: str) -> Accepted:
        """Go on with a ledger that is not the one that was sealed, as somebody decided."""
        accepted = await accept(self.ledger, self.key_path, self._places, by, reason)
        await self.guard()
        return accepted

    async def seal_now(self) -> Checkpoint | None:
        """Seal all there is, and see the checkpoint out of the house, whoever else does so."""
        await self.guard()
        if self.findings:
            raise self.findings[0].refusal()
        key = SealingKey.ensured(self.key_path)
        with suppress(Moved):  # Somebody else has sealed it.
            await self.turn(key, pause=0.0)
        for export in self.exports:
            await export.bring()
        return await self.ledger.latest()

    def start(self, url: str) -> None:
        self._tasks = [asyncio.create_task(export.run()) for export in self.exports]
        self._tasks.append(asyncio.create_task(self._keep(url)))

    async def close(self) -> None:
        """Stop; whoever is next goes on from the last checkpoint."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(EXPORT_SECONDS):
                for export in self.exports:
                    await export.bring()

    def wake(self, *_news: object) -> None:
        self._woken.set()

    async def turn(self, key: SealingKey, *, pause: float = YIELD_SECONDS) -> None:
        """Seal all there is, pausing while more and more comes."""
        self._woken.clear()
        edge = self._edge
        if edge is None:
            latest = await self.ledger.latest()
            edge = self._edge = await self.ledger.edge(latest)
            if latest is not None:
                # The key may be another one than then.
                self._export(self._signed(latest.size, latest.root, key), latest.size, key)
        head = seen = await self.ledger.head()
        if head < edge.size:
            self._edge = None
            raise Moved
        while edge.size < head:
            edge = await self._seal(edge, min(head, edge.size + LEAVES_MAX), key)
            if head - edge.size >= LEAVES_MAX and seen < (seen := await self.ledger.head()):
                await asyncio.sleep(pause)

    async def _seal(self, edge: Edge, size: int, key: SealingKey) -> Edge:
        grown, tiles = edge.grow(await self.ledger.leaves(edge.size, size))
        root = grown.root()
        note = self._signed(size, root, key)
        row = await self.ledger.pool.fetchrow(
            SEAL,
            *(self.ledger.id, edge.size, size, root, note),
            *([tile.level for tile in tiles], [tile.number for tile in tiles]),
            list(tiles.values()),
        )
        assert row is not None
        if not row["sealed"]:
            self._edge = None
            raise Moved
        self._edge, self.failure = grown, None
        self._export(note, size, key)
        return grown

    def _signed(self, size: int, root: bytes, key: SealingKey) -> str:
        return key.sign(Head(origin(self.ledger.ledger), size, root))

    def _export(self, note: str, size: int, key: SealingKey) -> None:
        for export in self.exports:
            export.offer(note, size, key.verifier(origin(self.ledger.ledger)))

    async def _keep(self, url: str) -> None:
        pause = RETRY_SECONDS_MIN
        while True:
            try:
                await self._until_unbarred()
                async with lease(url, SEALING, self.ledger.id) as connection:
                    key = SealingKey.ensured(self.key_path)
                    await self._until_unbarred()
                    while not connection.is_closed():
                        try:
                            await self.turn(key)
                        except Moved:
                            await self._until_unbarred()
                        self.failure, pause = None, RETRY_SECONDS_MIN
                        await self._rest()
            except Exception as error:
                # Whatever it was, without this nothing would be sealed any more.
                self._edge, self.failure = None, str(error) or repr(error)
                log(logger, error, "cannot seal ledger %s; trying again", self.ledger.ledger)
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)

    async def _until_unbarred(self) -> None:
        """Hold the ledger against its checkpoints, until they agree or somebody has accepted it."""
        await self.guard()
        told: list[Finding] = []
        while self.findings:
            for finding in self.findings:
                if finding not in told:
                    logger.error("%s", finding.sentence)
            told = self.findings
            await asyncio.sleep(BARRED_SECONDS)
            await self.guard()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()
        if self._woken.is_set():
            await asyncio.sleep(GATHER_SECONDS)

    @property
    def _places(self) -> list[Place]:
        return [export.place for export in self.exports]


class Export:
    """Brings the newest checkpoint to a place, which may be slow or away: then it is said, and
    tried again with whichever is the newest by then."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.failure: str | None = None
        self._newest: tuple[str, int, VerifierKey] | None = None
        self._offered = asyncio.Event()

    def offer(self, note: str, size: int, key: VerifierKey) -> None:
        self._newest = note, size, key
        self._offered.set()

    async def run(self) -> None:
        pause = EXPORT_SECONDS
        while True:
            await self._offered.wait()
            pause = EXPORT_SECONDS if await self.bring() else min(2 * pause, RETRY_SECONDS_MAX)
            await asyncio.sleep(pause)

    async def bring(self) -> bool:
        """Bring the newest there now, unless it is there. Whether the place has it."""
        if self._newest is None or not self._offered.is_set():
            return True
        self._offered.clear()
        try:
            await self.place.keep(*self._newest)
        except OSError as error:
            self._offered.set()
            if self.failure is None:
                logger.error("cannot keep checkpoints in %s: %s", self.place.folder, error)
            self.failure = str(error)
            return False
        if self.failure is not None:
            logger.warning("checkpoints are kept in %s again", self.place.folder)
        self.failure = None
        return True
