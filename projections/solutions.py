"""What has been tried to put complaints right, and how well it did.

There is a row for each entry of the library, and one for each kind of proposer: so that it can
be seen whether solutions that customers thought of are accepted more often than the desk's.
"""

from collections.abc import Iterable
from datetime import datetime
from math import sqrt
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.case.events.outcome import CaseReopened, DoubtedSolution
from casecore.case.events.solutions import (
    SolutionAccepted,
    SolutionOffered,
    SolutionRejected,
    SolutionVerified,
)
from casecore.database import Pool
from casecore.recording import Recorded
from casecore.solutions.events import (
    Applicability,
    Proposer,
    SolutionDrafted,
    SolutionEndorsed,
    SolutionEvent,
    SolutionRevised,
    SolutionSuperseded,
    SolutionTrialled,
    SolutionWithdrawn,
)
from casecore.tables import columns, row_of
from projections.paging import Page, page, place_of

Z = 1.96
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""

LibraryStatus = Literal["draft", "trial", "endorsed", "superseded", "withdrawn"]
Kind = Literal["library", "proposer"]


class Solution(msgspec.Struct, frozen=True):
    entry: str
    """The id of the library's solution, or `proposer/` and the kind of proposer."""
    kind: Kind
    offered: int = 0
    """How many solutions were offered; offering an amended one again does not count."""
    accepted: int = 0
    rejected: int = 0
    verified_worked: int = 0
    verified_failed: int = 0
    reopened: int = 0
    """How many were accepted in a case that was opened again afterwards."""
    solution_id: UUID | None = None
    status: LibraryStatus | None = None
    version: int | None = None
    title: str | None = None
    text: str | None = None
    proposer: Proposer | None = None
    """Whose idea it was."""
    source_case_id: UUID | None = None
    product: str | None = None
    """What it fits: null for anything; and so with category and cause_code."""
    category: str | None = None
    cause_code: str | None = None
    superseded_by: UUID | None = None
    endorsed_by: str | None = None
    updated_at: datetime | None = None


NAME = "solutions"
VERSION = 1
ROW = Solution
KEY: tuple[str, ...] = ("entry",)
BY_STREAM = False
ONCE = False
READS: frozenset[type] = frozenset(
    {
        *get_args(SolutionEvent),
        SolutionOffered,
        SolutionAccepted,
        SolutionRejected,
        SolutionVerified,
        CaseReopened,
    }
)
INDEXES: tuple[str, ...] = ("(ledger, kind, entry)",)

Key = tuple[str]
Used = SolutionOffered | SolutionAccepted | SolutionRejected | SolutionVerified


def keys(recorded: Recorded) -> Iterable[Key]:
    event = recorded.event
    if isinstance(event, CaseReopened):
        entries = [entry for doubted in event.solutions for entry in entries_of(doubted)]
        return [(entry,) for entry in dict.fromkeys(entries)]
    if isinstance(event, Used):
        return [(entry,) for entry in entries_of(event)]
    return [(str(recorded.stream_id),)]


def entries_of(used: Used | DoubtedSolution) -> list[str]:
    """Under what a solution is counted: its proposer, and its entry in the library."""
    entries = [f"proposer/{used.proposer}"]
    return [*entries, str(used.library.solution_id)] if used.library else entries


def fold(key: Key, row: Solution | None, recorded: Recorded) -> Solution:
    [entry] = key
    event = recorded.event
    if row is None:
        kind: Kind = "proposer" if entry.startswith("proposer/") else "library"
        row = Solution(entry, kind)
    row = replace(row, updated_at=recorded.recorded_at)
    match event:
        case SolutionDrafted():
            return replace(
                described(row, event.title, event.text, event.applies_to),
                solution_id=recorded.stream_id,
                version=1,
                proposer=event.proposer,
                source_case_id=event.source_case_id,
            )
        case SolutionRevised():
            revised = described(row, event.title, event.text, event.applies_to)
            return replace(revised, version=event.version, endorsed_by=None)
        case SolutionTrialled():
            return replace(row, status="trial")
        case SolutionEndorsed():
            return replace(row, status="endorsed", endorsed_by=recorded.actor.id)
        case SolutionSuperseded():
            return replace(row, status="superseded", superseded_by=event.by_solution_id)
        case SolutionWithdrawn():
            return replace(row, status="withdrawn")
        case SolutionOffered():
            return row if event.again else replace(row, offered=row.offered + 1)
        case SolutionAccepted():
            return replace(row, accepted=row.accepted + 1)
        case SolutionRejected():
            return replace(row, rejected=row.rejected + 1)
        case SolutionVerified():
            if event.worked:
                return replace(row, verified_worked=row.verified_worked + 1)
            return replace(row, verified_failed=row.verified_failed + 1)
        case CaseReopened():
            doubts = sum(entry in entries_of(doubted) for doubted in event.solutions)
            return replace(row, reopened=row.reopened + doubts)
    return row


def described(row: Solution, title: str, text: str, applies_to: Applicability) -> Solution:
    return replace(
        row,
        status="draft",
        title=title,
        text=text,
        product=applies_to.product,
        category=applies_to.category,
        cause_code=applies_to.cause_code,
    )


class Rated(Solution, frozen=True):
    acceptance_low_bp: int | None = None
    """In hundredths of a percent: with 95 % confidence, at least so many of those offered are
    accepted. Null before any was offered."""


def rated(solution: Solution) -> Rated:
    low = wilson_low_bp(solution.accepted, solution.offered)
    return Rated(**msgspec.structs.asdict(solution), acceptance_low_bp=low)


def wilson_low_bp(successes: int, trials: int) -> int | None:
    """The lower bound of the Wilson score interval: few trials prove little."""
    if trials == 0:
        return None
    share = successes / trials
    spread = Z * sqrt(share * (1 - share) / trials + Z**2 / (4 * trials**2))
    return max(0, int(10_000 * (share + Z**2 / (2 * trials) - spread) / (1 + Z**2 / trials)))


class Place(NamedTuple):
    entry: str


async def listed(
    pool: Pool,
    ledger: int,
    *,
    kind: Kind | None = None,
    status: LibraryStatus | None = None,
    proposer: Proposer | None = None,
    product: str | None = None,
    category: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Rated]:
    """By entry; with a product or category, those that fit it."""
    place = place_of(after, Place)
    rows = await pool.fetch(
        f"""
        SELECT {columns(ROW)} FROM ops.solutions
        WHERE ledger = $1
          AND ($2::text IS NULL OR kind = $2)
          AND ($3::text IS NULL OR status = $3)
          AND ($4::text IS NULL OR proposer = $4)
          AND ($5::text IS NULL OR coalesce(product, $5) = $5)
          AND ($6::text IS NULL OR coalesce(category, $6) = $6)
          AND ($7::text IS NULL OR entry > $7)
        ORDER BY entry LIMIT $8
        """,
        ledger,
        kind,
        status,
        proposer,
        product,
        category,
        place.entry if place else None,
        limit + 1,
    )
    solutions = [rated(row_of(ROW, row)) for row in rows]
    return page(solutions, limit, lambda s: Place(s.entry))


async def one(pool: Pool, ledger: int, solution_id: UUID) -> Rated | None:
    row = await pool.fetchrow(
        f"SELECT {columns(ROW)} FROM ops.solutions WHERE ledger = $1 AND entry = $2",
        ledger,
        str(solution_id),
    )
    return rated(row_of(ROW, row)) if row else None
