"""What is reckoned of each case's clocks, and how much open time it has left."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple, get_args
from uuid import UUID

import msgspec
from msgspec.structs import asdict, replace

from casecore.bookkeeping import Bookkeeper
from casecore.case.events import CaseEvent
from casecore.clocks.instants import instant, micros
from casecore.clocks.openings import Openings
from casecore.clockset.events import ClockEvent
from casecore.database import Pool
from casecore.following.projection import Reference
from casecore.recording import Recorded
from casecore.sla.book import Book
from casecore.sla.cycle import (
    ClockState,
    ClockView,
    Cycle,
    Plan,
    due_of,
    next_alarm,
    plan_of,
    state_of,
    view,
)
from casecore.sla.events import SLA_BOOK_ID, SlaEvent, TargetKind
from casecore.sla.reckoning import CaseClocks, Summary, awaited, concerning, worst
from casecore.tables import Shape
from projections.paging import Instant, Number, Page, page, place_of

REGULATORY_LEAD = timedelta(days=1)
"""A regulator's date presses so much sooner than others: once missed, nobody can move it."""
MARKS_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
"""From when on the open time of calendars is counted. Any instant does; from this one, little has
to be compiled to reach today."""


class SlaCase(msgspec.Struct, frozen=True):
    case_id: UUID
    queue: str | None
    """The queue it waits in, or came from."""
    product: str | None
    state: Summary
    """How its worst clock stands that nothing has ended, as of the last event about it."""
    next_due_at: datetime | None
    """When the first of its clocks is due, or was, that nothing has ended; paused ones are not."""
    next_due_kind: TargetKind | None
    next_due_name: str | None
    presses_at: datetime | None
    """The same, but a regulator's clock counts as due a day sooner: the queue goes by this."""
    presses_mark: int | None
    """The open time, in microseconds, that its calendar has had by then since 2020."""
    calendar_id: str | None
    """The calendar of the clock that presses."""
    calendar_version: int | None
    clocks: CaseClocks
    """All that is known of its clocks, to reckon on from."""


class Clock(ClockView, frozen=True, kw_only=True):
    case_id: UUID
    queue: str | None
    """The queue its case waits in, or came from."""
    product: str | None
    waiting: bool
    """Whether somebody is to answer it yet: it is not over, and its case is open, or it outlives
    that."""
    at_risk_at: datetime | None
    """When it is to be looked after: at its first warning, or else when it is due. Null while it
    is paused, and when nobody is to answer it any more."""
    next_alarm_at: datetime | None
    """When time will have something to tell of it, or has and nobody recorded it yet."""
    next_alarm: str | None
    """What that is: the threshold of a warning, or due."""


OVER = "satisfied_at IS NOT NULL OR cancelled_at IS NOT NULL"
STATE_NOW = "CASE WHEN state = 'running' AND due_at < {now} THEN 'breached' ELSE state END"
"""Nothing else turns without a fact: a pause ends, and a clock is answered, by an event."""
LATENESS_NOW = """
    CASE WHEN waiting AND due_at < {now} AND state <> 'paused'
    THEN floor(extract(epoch FROM {now} - due_at))::bigint ELSE lateness_seconds END
"""
IN_ORDER = "(ledger, (coalesce(due_at, 'infinity')), case_id, clock_id, cycle)"

NAME = "sla_clocks"
VERSION = 2
TABLE = "sla_cases"
ROW = SlaCase
KEY: tuple[str, ...] = ("case_id",)
BY_STREAM = False
ONCE = False
READS: frozenset[type] = frozenset(
    {*get_args(CaseEvent), *get_args(ClockEvent), *get_args(SlaEvent)}
)
INDEXES: tuple[str, ...] = ()
REFERENCE = Reference(SLA_BOOK_ID, Book)
DETAILS = Shape(
    NAME,
    Clock,
    ("case_id", "clock_id", "cycle"),
    (
        IN_ORDER,
        "(ledger, at_risk_at) WHERE waiting",
        "(ledger, next_alarm_at) WHERE next_alarm_at IS NOT NULL",
    ),
    "Every clock of every case, a row for each time it ran, as of the last event about it",
)

Key = tuple[UUID]


def keys(recorded: Recorded) -> Iterable[Key]:
    event = recorded.event
    if isinstance(event, SlaEvent):
        return []
    return [(event.case_id if isinstance(event, ClockEvent) else recorded.stream_id,)]


def concerns(recorded: Recorded, book: Book) -> bool:
    return concerning(recorded, book)


def fold(key: Key, row: SlaCase | None, recorded: Recorded, book: Book) -> SlaCase:
    if row is None:
        row = begun(*key)
    clocks = row.clocks.evolve(recorded, book)
    return row if clocks is row.clocks else replace(row, clocks=clocks)


def begun(case_id: UUID) -> SlaCase:
    return SlaCase(
        case_id=case_id,
        queue=None,
        product=None,
        state="none",
        next_due_at=None,
        next_due_kind=None,
        next_due_name=None,
        presses_at=None,
        presses_mark=None,
        calendar_id=None,
        calendar_version=None,
        clocks=CaseClocks(case_id),
    )


def settled(before: SlaCase | None, row: SlaCase, book: Book) -> tuple[SlaCase, list[Clock]]:
    attributes = row.clocks.attributes
    running = [(cycle, plan_of(cycle, book)) for cycle in row.clocks.running]
    row = replace(
        row, queue=attributes.queue, product=attributes.product, **pressing(running, book)
    )
    as_they_were: set[int] = set()
    if before is not None and shared(before) == shared(row):
        as_they_were = {id(cycle) for cycle in before.clocks.cycles}
    over = ((cycle, None) for cycle in row.clocks.over)
    return row, [
        clock(row.clocks, row.queue, row.product, cycle, book, plan=plan)
        for cycle, plan in chain(over, running)
        if id(cycle) not in as_they_were
    ]


def shared(row: SlaCase) -> tuple[str | None, str | None, str]:
    """What all clocks of a case show of it."""
    return row.queue, row.product, row.clocks.stage


class Due(NamedTuple):
    at: int
    cycle: Cycle

    @property
    def presses_at(self) -> int:
        lead = REGULATORY_LEAD if self.cycle.kind == "regulatory" else timedelta()
        return self.at - lead // timedelta(microseconds=1)


def pressing(running: Sequence[tuple[Cycle, Plan]], book: Book) -> dict[str, Any]:
    """What of the clocks that run is due first, and what presses most."""
    state = worst(state_of(cycle, plan, None) for cycle, plan in running)
    found = [(due_of(cycle, plan, None), cycle) for cycle, plan in running]
    dues = [Due(at, cycle) for at, cycle in found if at is not None]
    if not dues:
        nothing = dict.fromkeys(("next_due_at", "next_due_kind", "next_due_name"))
        nothing |= dict.fromkeys(("presses_at", "presses_mark", "calendar_id", "calendar_version"))
        return {"state": state, **nothing}
    first = min(dues, key=lambda due: due.at)
    most = min(dues, key=lambda due: due.presses_at)
    pin = most.cycle.pin
    return {
        "state": state,
        "next_due_at": instant(first.at),
        "next_due_kind": first.cycle.kind,
        "next_due_name": first.cycle.name,
        "presses_at": instant(most.presses_at),
        "presses_mark": mark(book.openings(pin), most.presses_at),
        "calendar_id": pin.calendar_id,
        "calendar_version": pin.calendar_version,
    }


def mark(openings: Openings, at: int) -> int:
    """The open time until then, so that between two instants is the difference of their marks."""
    since = micros(MARKS_SINCE)
    return openings.passed(since, at) if at >= since else -openings.passed(at, since)


def clock(
    clocks: CaseClocks,
    queue: str | None,
    product: str | None,
    cycle: Cycle,
    book: Book,
    now: datetime | None = None,
    plan: Plan | None = None,
) -> Clock:
    plan = plan or plan_of(cycle, book)
    seen = view(cycle, book, now, plan)
    alarm = next_alarm(cycle, book, plan)
    waiting = awaited(clocks, cycle, book)
    return Clock(
        **asdict(seen),
        case_id=clocks.case_id,
        queue=queue,
        product=product,
        waiting=waiting,
        at_risk_at=at_risk_at(cycle, seen, book, plan) if waiting else None,
        next_alarm_at=alarm.at if alarm else None,
        next_alarm=alarm.threshold if alarm else None,
    )


def at_risk_at(cycle: Cycle, seen: ClockView, book: Book, plan: Plan) -> datetime | None:
    if seen.due_at is None:
        return None
    if cycle.breach is None and cycle.warned:
        seen = view(replace(cycle, warned=()), book, plan=plan)
    return min(filter(None, (seen.warn_at, seen.due_at)))


decode = msgspec.json.Decoder(CaseClocks).decode


class Place(NamedTuple):
    due_at: Instant | None
    case_id: UUID
    clock_id: UUID
    cycle: Number


async def listed(
    pool: Pool,
    ledger: int,
    *,
    books: Bookkeeper,
    now: datetime,
    state: ClockState | None = None,
    kind: TargetKind | None = None,
    due_before: datetime | None = None,
    queue: str | None = None,
    case_id: UUID | None = None,
    seen_by: str | None = None,
    at_risk: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page[Clock]:
    """As of now, those due first first, and those that are paused, which have no date, at the end.

    `at_risk` leaves those that nobody has answered and whose warning has come, or their end. With
    `seen_by`, only those of cases which that agent owns, or nobody.
    """
    place = place_of(after, Place)
    rows = await pool.fetch(
        f"""
        SELECT case_id, clock_id, cycle, queue, product, reckoned.clocks
        FROM ops.sla_clocks JOIN (
            SELECT ledger, case_id, clocks FROM ops.sla_cases
        ) AS reckoned USING (ledger, case_id)
        WHERE ledger = $1
          AND ($3::text IS NULL OR {STATE_NOW.format(now="$2::timestamptz")} = $3)
          AND ($4::text IS NULL OR kind = $4)
          AND ($5::timestamptz IS NULL OR due_at < $5)
          AND ($6::text IS NULL OR queue = $6)
          AND ($7::uuid IS NULL OR case_id = $7)
          AND ($8::text IS NULL OR EXISTS (
              SELECT FROM ops.cases c
              WHERE c.ledger = $1 AND c.case_id = sla_clocks.case_id
                AND coalesce(c.owner, $8) = $8
          ))
          AND (NOT $9::boolean OR waiting AND at_risk_at <= $2)
          AND ($11::uuid IS NULL OR (coalesce(due_at, 'infinity'), case_id, clock_id, cycle)
               > (coalesce($10::timestamptz, 'infinity'), $11, $12, $13))
        ORDER BY coalesce(due_at, 'infinity'), case_id, clock_id, cycle LIMIT $14
        """,
        *(ledger, now, state, kind, due_before, queue, case_id, seen_by, at_risk),
        *(place or (None, None, None, None)),
        limit + 1,
    )
    book = await books.latest()  # After the rows: so that it knows all they go by.
    known: dict[UUID, CaseClocks] = {}
    clocks = []
    for case_id, clock_id, number, queue, product, reckoned in rows:
        if case_id not in known:
            known[case_id] = decode(reckoned)
        cycle = known[case_id].cycle(clock_id, number)
        assert cycle is not None
        clocks.append(clock(known[case_id], queue, product, cycle, book, now))
    return page(clocks, limit, lambda c: Place(c.due_at, c.case_id, c.clock_id, c.cycle))
