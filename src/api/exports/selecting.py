"""Which part of the ledger goes out: as of which position, and which of its cases."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from casecore.case.events.intake import CaseRegistered, Channel
from casecore.clockset.events import ClockBreached, ClockWarned
from casecore.errors import NotFound, Rejected
from casecore.recorder import Recorder
from casecore.recording import Recorded
from casecore.surveying import Life, lives, refuse_no_time


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    at_position: int | None = None
    as_of: datetime | None = None
    case_ids: frozenset[UUID] = frozenset()
    product: str | None = None
    channel: Channel | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None

    @property
    def by_content(self) -> Sequence[str]:
        """What narrows it down by what cases are about, rather than by which they are."""
        names = ("product", "channel", "received_from", "received_before")
        return [name for name in names if getattr(self, name) is not None]

    def wants(self, registered: CaseRegistered) -> bool:
        product, channel = registered.product, registered.channel
        return self.product in (None, product) and self.channel in (None, channel)


class Progress:
    """How far an export has come."""

    def __init__(self) -> None:
        self.position = 0
        self.cases = 0
        self.events = 0

    def reach(self, position: int) -> None:
        self.position = position

    def __str__(self) -> str:
        cases = f"{self.cases:,} cases, " if self.cases else ""
        return f"{cases}{self.events:,} events"


async def position_of(recorder: Recorder, selection: Selection) -> int:
    """The position that is asked for: now, unless one is named, or a time."""
    refuse_no_time(selection.received_from, selection.received_before)
    if unknown := selection.case_ids - (await recorder.heads(list(selection.case_ids))).keys():
        raise NotFound("case-not-found", f"this ledger has no case {min(unknown)}: check the id")
    if selection.at_position is not None and selection.as_of is not None:
        raise Rejected("version-or-time", "name a position or a time, not both", field="as_of")
    if selection.as_of is not None:
        return await recorder.position_at(selection.as_of)
    head = await recorder.head()
    if selection.at_position is None:
        return head
    if selection.at_position > head:
        raise Rejected(
            "position-ahead",
            f"the ledger has come to position {head}, and not to {selection.at_position} yet",
            field="at_position",
            head=head,
        )
    return selection.at_position


async def selected(
    recorder: Recorder, selection: Selection, upto: int, progress: Progress
) -> AsyncGenerator[Life]:
    """The cases that are asked for, whole up to the position, some in memory at a time."""
    async for life in lives(
        recorder,
        None,
        upto,
        received_from=selection.received_from,
        received_before=selection.received_before,
        case_ids=selection.case_ids,
        wanted=selection.wants,
        moved=progress.reach,
    ):
        life = as_logged(life)
        progress.cases += 1
        progress.events += len(as_happened(life))
        yield life


def as_logged(life: Life) -> Life:
    """Of a case from a log, without what clocks tell of the time before it came in: that was not
    told then, and is no part of the log."""
    if not is_from_log(life):
        return life
    came_in = life.facts[0].recorded_at
    return life._replace(facts=[fact for fact in life.facts if not is_hindsight(fact, came_in)])


def is_hindsight(fact: Recorded, came_in: datetime) -> bool:
    match fact.event:
        case ClockWarned(due_at=due_at) | ClockBreached(due_at=due_at):
            return due_at is None or due_at <= came_in
    return False


def registration(life: Life) -> CaseRegistered:
    event = life.facts[0].event
    assert isinstance(event, CaseRegistered)
    return event


def is_from_log(life: Life) -> bool:
    """Whether its registration was made of the first event of a log, which follows it."""
    registered, *others = life.facts[:2]
    return any(
        other.logged is not None and other.command_id == registered.command_id for other in others
    )


def as_happened(life: Life) -> list[Recorded]:
    """What happened, in the order in which it happened, each event of a log once."""
    return sorted(life.facts[is_from_log(life) :], key=lambda fact: fact.occurred_at)
