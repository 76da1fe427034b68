"""Whom cases wait for, for what, and until when."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from casecore.case.events.contact import WaitingEnded, WaitingFor, WaitingStarted
from casecore.recording import Recorded


class Wait(msgspec.Struct, frozen=True):
    case_id: UUID
    reason: WaitingFor
    asked_for: str
    since: datetime
    expected_by: datetime | None
    """When the waiting ends, whether or not they answer."""


NAME = "waits"
VERSION = 1
ROW = Wait
KEY: tuple[str, ...] = ("case_id", "reason")
BY_STREAM = True
ONCE = False
READS: frozenset[type] = frozenset({WaitingStarted, WaitingEnded})
INDEXES: tuple[str, ...] = ("(ledger, expected_by) WHERE expected_by IS NOT NULL",)

Key = tuple[UUID, WaitingFor]


def keys(recorded: Recorded) -> Iterable[Key]:
    assert isinstance(recorded.event, WaitingStarted | WaitingEnded)
    return [(recorded.stream_id, recorded.event.reason)]


def fold(key: Key, row: Wait | None, recorded: Recorded) -> Wait | None:
    event = recorded.event
    if isinstance(event, WaitingStarted):
        return Wait(*key, event.asked_for, recorded.occurred_at, event.expected_by)
    return None
