"""Where checkpoints are kept outside the database: a folder for each ledger, here or elsewhere."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Thread, get_ident
from typing import Any, NamedTuple, TypeVar

from casecore.proof.notes import VerifierKey

LATEST = "latest.note"
KEY = "sealing.pub"
SUFFIX = ".note"

ALL_FOR = timedelta(hours=1)
HOURLY_FOR = timedelta(days=30)
"""How long all checkpoints are kept here, then the last of each hour; then the last of each day.
The database has every one of them."""
THIN_EVERY = timedelta(minutes=10)
SECONDS_MAX = 5.0
"""How long to wait for a folder."""

T = TypeVar("T")


class Kept(NamedTuple):
    """A note as it lies in a folder."""

    note: str
    path: Path
    written_at: datetime


class Place:
    """A folder with the checkpoints of one ledger. It may be slow, and a mounted one may hang:
    then what is asked of it fails with TimeoutError, an OSError as any other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thinned_at = datetime.min.replace(tzinfo=UTC)
        self._turn = asyncio.Lock()
        self._working: Future[Any] | None = None

    async def newest(self) -> list[Kept]:
        """The latest note, and the one of the largest size when that is another."""
        return await self._patiently(self._newest)

    async def keep(self, note: str, size: int, key: VerifierKey) -> None:
        """Put the note there, under its size and as the latest."""
        await self._patiently(self._keep, note, size, key)

    async def set_aside(self, name: str, record: str) -> Path:
        """Move all that is there into a folder of that name, with a record of why."""
        return await self._patiently(self._set_aside, name, record)

    async def _patiently(self, work: Callable[..., T], *given: object) -> T:
        """In a thread that the process does not wait for when it ends; one at a time."""
        async with self._turn:
            if self._working is not None and not self._working.done():
                raise TimeoutError(f"{self.folder} still does not answer")
            working: Future[T] = Future()

            def run() -> None:
                try:
                    working.set_result(work(*given))
                except Exception as error:
                    working.set_exception(error)

            self._working = working
            Thread(target=run, name=f"checkpoints in {self.folder}", daemon=True).start()
            try:
                async with asyncio.timeout(SECONDS_MAX):
                    return await asyncio.shield(asyncio.wrap_future(working))
            except TimeoutError:
                raise TimeoutError(f"{self.folder} does not answer") from None

    def _newest(self) -> list[Kept]:
        paths = [path for path in [self.folder / LATEST, *self._numbered()[-1:]] if path.exists()]
        kept = [Kept(path.read_text("utf-8", "replace"), path, _written_at(path)) for path in paths]
        return kept[:1] if len({found.note for found in kept}) == 1 else kept

    def _keep(self, note: str, size: int, key: VerifierKey) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / KEY).exists():
            _write(self.folder / KEY, f"{key}\n")
        numbered = self.folder / f"{size:020}{SUFFIX}"
        _write(numbered, note)
        self._point_to(numbered, note)
        now = datetime.now(UTC)
        if now >= self._thinned_at + THIN_EVERY:
            self._thinned_at = now
            for path in surplus([(_written_at(path), path) for path in self._numbered()], now):
                path.unlink(missing_ok=True)

    def _set_aside(self, name: str, record: str) -> Path:
        notes = [*self._numbered(), *(self.folder / name for name in (LATEST, KEY))]
        aside = self.folder / name
        aside.mkdir(parents=True)
        _write(aside / "restored.txt", record)
        for path in notes:
            with suppress(FileNotFoundError):
                path.rename(aside / path.name)
        return aside

    def _point_to(self, numbered: Path, note: str) -> None:
        """By another name of the file where that can be: to sync it twice would hold up others who
        wait for the disk, as appends do."""
        link = _draft(self.folder / LATEST)
        link.unlink(missing_ok=True)
        try:
            link.hardlink_to(numbered)
        except OSError:
            _write(self.folder / LATEST, note)
        else:
            link.replace(self.folder / LATEST)
            link.unlink(missing_ok=True)  # It stays when both were the same file already.

    def _numbered(self) -> list[Path]:
        return sorted(self.folder.glob(f"{'[0-9]' * 20}{SUFFIX}"))


def surplus(notes: Sequence[tuple[datetime, Path]], now: datetime) -> list[Path]:
    """Of notes in their order, those that a later one stands for by now."""
    found: list[Path] = []
    for (at, path), (later, _) in pairwise(notes):
        age = now - at
        unit = "%Y-%m-%d %H" if age < HOURLY_FOR else "%Y-%m-%d"
        if age >= ALL_FOR and f"{at:{unit}}" == f"{later:{unit}}":
            found.append(path)
    return found


def _written_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, whatever happens meanwhile."""
    draft = _draft(path)
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
