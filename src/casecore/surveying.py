"""Whole cases out of the ledger, some at a time, however many there are."""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from casecore.case.events.intake import CaseRegistered
from casecore.clockset.state import clockset_id
from casecore.errors import Rejected
from casecore.ledger import Row
from casecore.recorder import COLUMNS, Recorder
from casecore.recording import Recorded, event_of, from_row

REGISTERED = [CaseRegistered.__name__]
CASES_AT_ONCE = 200
"""How many are in memory at a time: some 5 MB of them."""


class Life(NamedTuple):
    """What happened to a case, with what its clock set recorded, in the order of the ledger."""

    case_id: UUID
    case_ref: str
    facts: list[Recorded]


async def lives(
    recorder: Recorder,
    reads: frozenset[str] | None,
    upto: int,
    *,
    received_from: datetime | None = None,
    received_before: datetime | None = None,
    case_ids: Collection[UUID] = (),
    wanted: Callable[[CaseRegistered], bool] = lambda _: True,
    moved: Callable[[int], None] = lambda _: None,
) -> AsyncGenerator[Life]:
    """The cases received between these that are wanted, each with its facts of the types that are
    read (None: of all), as the ledger had them at a position; those that were registered first
    come first. `case_ids` names those to look at, and `moved` is told how far that has come."""
    async for begun in registrations(recorder, case_ids, upto):
        moved(begun[-1].position)
        refs = {}
        for row in begun:
            event = event_of(row)
            assert isinstance(event, CaseRegistered)
            if (
                (received_from is None or received_from <= event.received_at)
                and (received_before is None or event.received_at < received_before)
                and wanted(event)
            ):
                refs[row.stream_id] = event.case_ref
        if not refs:
            continue
        rows: dict[UUID, list[Row]] = {case_id: [] for case_id in refs}
        owners = {clockset_id(case_id): case_id for case_id in refs}
        for row in await histories(recorder, [*refs, *owners], reads, upto):
            rows[owners.get(row.stream_id, row.stream_id)].append(row)
        for case_id, ref in refs.items():
            facts = [from_row(recorder.ledger, row) for row in rows[case_id]]
            yield Life(case_id, ref, facts)


def refuse_no_time(received_from: datetime | None, received_before: datetime | None) -> None:
    """Refuse to look for cases in a time that is none: that there are none would say nothing."""
    if received_from is None or received_before is None or received_from < received_before:
        return
    since, until = (
        f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" for at in (received_from, received_before)
    )
    raise Rejected(
        "no-time-between",
        f"no case can be received from {since} on and before {until}: give an end that is after"
        " the beginning",
        field="received_before",
    )


async def registrations(
    recorder: Recorder, case_ids: Collection[UUID], upto: int
) -> AsyncGenerator[list[Row]]:
    if case_ids:
        if begun := await histories(recorder, list(case_ids), frozenset(REGISTERED), upto):
            yield begun
        return
    after = 0
    while begun := await recorder.read(after, CASES_AT_ONCE, upto, REGISTERED):
        after = begun[-1].position
        yield begun


async def histories(
    recorder: Recorder, stream_ids: Sequence[UUID], types: frozenset[str] | None, upto: int
) -> list[Row]:
    rows = await recorder.pool.fetch(
        f"""
        SELECT {COLUMNS} FROM es.event
        WHERE ledger = $1 AND stream_id = ANY ($2) AND position <= $3
          AND ($4::text[] IS NULL OR type = ANY ($4))
        ORDER BY position
        """,
        *(recorder.id, stream_ids, upto, None if types is None else list(types)),
    )
    return [Row(*row) for row in rows]
