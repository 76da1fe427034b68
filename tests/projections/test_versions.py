"""A read model whose rows come out otherwise than before has another VERSION, and so is made anew.

When one does: raise its VERSION, and write the golden file anew by running this module
(`python -m tests.projections.test_versions`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec

from casecore.case.events import CaseEvent
from casecore.clockset.events import ClockEvent
from casecore.clockset.state import clockset_id
from casecore.following.generations import shape_of
from casecore.following.projection import Projection, Reckoned
from casecore.goodwill.events import GoodwillPolicyEvent
from casecore.recording import AnyEvent, Meta, Recorded, decode_event
from casecore.sla.events import SLA_BOOK_ID, SlaEvent
from projections import PROJECTIONS
from tests.casecore.test_golden_events import LINES

GOLDEN = Path(__file__).parents[1] / "golden" / "versions.txt"
CASE = UUID("01900000-0000-7000-8000-000000000001")
BEGAN = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def history() -> Iterator[Recorded]:
    """One of every event that there is: first the policies, then a case as nobody's was."""
    told = [(decode_event(line.type, bytes(line.data)), line) for line in LINES]
    told.sort(key=lambda pair: not isinstance(pair[0], SlaEvent))  # Stable: the rest as it stands.
    versions: dict[UUID, int] = {}
    for position, (event, line) in enumerate(told, 1):
        meta = msgspec.json.decode(line.meta, type=Meta)
        stream_id = stream_of(event)
        versions[stream_id] = versions.get(stream_id, 0) + 1
        yield Recorded(
            ledger="golden",
            position=position,
            stream_id=stream_id,
            version=versions[stream_id],
            occurred_at=BEGAN + timedelta(minutes=position),
            recorded_at=BEGAN + timedelta(minutes=position, seconds=1),
            actor=meta.actor,
            command_id=uuid5(CASE, str(position)),
            correlation_id=meta.correlation_id,
            causation_id=meta.causation_id,
            head=sha256(line.data).digest(),
            event=event,
        )


def stream_of(event: AnyEvent) -> UUID:
    if isinstance(event, CaseEvent):
        return CASE
    if isinstance(event, ClockEvent):
        return clockset_id(CASE)
    if isinstance(event, SlaEvent):
        return SLA_BOOK_ID
    return uuid5(CASE, "policy" if isinstance(event, GoodwillPolicyEvent) else "solution")


def rows(projection: Projection) -> list[tuple[Any, Any]]:
    """What it makes of each event; one that no case could have had then leaves no trace."""
    learned = projection.REFERENCE.begin() if isinstance(projection, Reckoned) else None
    beside = [] if learned is None else [learned]
    rows: dict[Any, Any] = {}
    made = []
    for recorded in history():
        if type(recorded.event) not in projection.READS:
            continue
        if learned is not None and isinstance(recorded.event, SlaEvent):
            learned.learn(recorded.event, recorded.position)
        for key in projection.keys(recorded):
            try:
                rows[key] = projection.fold(key, rows.get(key), recorded, *beside)
            except (AssertionError, LookupError):
                continue
            shown: tuple[Any, ...] = (rows[key],)
            if isinstance(projection, Reckoned):
                shown = projection.settled(None, rows[key], learned)
            made.append((key, shown))
    return made


def line(projection: Projection) -> str:
    folded = sha256(msgspec.json.encode(rows(projection), order="sorted")).hexdigest()[:16]
    return f"{projection.NAME} {projection.VERSION} {folded} {shape_of(projection)}\n"


def test_rows_that_come_out_otherwise_are_of_another_version() -> None:
    kept = dict(one.split(" ", 1) for one in GOLDEN.read_text().splitlines(keepends=True))
    assert set(kept) == {projection.NAME for projection in PROJECTIONS}
    for projection in PROJECTIONS:
        now = line(projection).split(" ", 1)[1]
        version, was = int(now.split()[0]), int(kept[projection.NAME].split()[0])
        assert now == kept[projection.NAME] or version > was, (
            f"the rows of {projection.NAME} come out otherwise: raise its VERSION to {was + 1}"
        )
        assert now == kept[projection.NAME], f"write {GOLDEN.name} anew, as the docstring says"


def test_the_history_touches_rows_of_every_read_model() -> None:
    for projection in PROJECTIONS:
        assert any(shown[0] is not None for _, shown in rows(projection)), projection.NAME


if __name__ == "__main__":
    GOLDEN.write_text("".join(line(projection) for projection in PROJECTIONS))
