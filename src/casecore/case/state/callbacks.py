"""The callbacks and follow-ups that are due, and those that were done."""

from datetime import datetime
from typing import Literal, Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.callbacks import (
    AssuranceGiven,
    CallbackAbandoned,
    CallbackAttempted,
    CallbackPurpose,
    CallbackScheduled,
    CustomerCalledBack,
    FollowUpDone,
    FollowUpScheduled,
)

CallbackStatus = Literal["scheduled", "completed", "abandoned"]


class Callback(msgspec.Struct, frozen=True):
    purpose: CallbackPurpose
    window_start: datetime
    window_end: datetime
    attempts_max: int
    attempts: frozenset[CallbackAttempted] = frozenset()
    status: CallbackStatus = "scheduled"


class FollowUp(msgspec.Struct, frozen=True):
    with_team: str
    due_at: datetime
    protects_promise_id: str | None
    done: bool = False


class Callbacks(msgspec.Struct, frozen=True):
    all: dict[str, Callback] = {}
    follow_ups: dict[str, FollowUp] = {}
    last_call: CustomerCalledBack | None = None
    assurances: frozenset[AssuranceGiven] = frozenset()

    @property
    def scheduled(self) -> dict[str, Callback]:
        return {id: callback for id, callback in self.all.items() if callback.status == "scheduled"}

    def evolve(
        self,
        event: CallbackScheduled
        | CallbackAttempted
        | CustomerCalledBack
        | CallbackAbandoned
        | AssuranceGiven
        | FollowUpScheduled
        | FollowUpDone,
    ) -> Self:
        match event:
            case CallbackScheduled():
                callback = Callback(
                    event.purpose, event.window_start, event.window_end, event.attempts_max
                )
                return replace(self, all=self.all | {event.callback_id: callback})
            case CallbackAttempted():
                attempts = self.all[event.callback_id].attempts | {event}
                return self.having(event.callback_id, attempts=attempts)
            case CustomerCalledBack():
                called = self.having(event.callback_id, status="completed")
                return replace(called, last_call=event)
            case CallbackAbandoned():
                return self.having(event.callback_id, status="abandoned")
            case AssuranceGiven():
                return replace(self, assurances=self.assurances | {event})
            case FollowUpScheduled():
                follow_up = FollowUp(event.with_team, event.due_at, event.protects_promise_id)
                return replace(self, follow_ups=self.follow_ups | {event.followup_id: follow_up})
            case FollowUpDone():
                done = replace(self.follow_ups[event.followup_id], done=True)
                return replace(self, follow_ups=self.follow_ups | {event.followup_id: done})
            case _:
                assert_never(event)

    def having(self, callback_id: str, **changes: object) -> Self:
        callback = replace(self.all[callback_id], **changes)
        return replace(self, all=self.all | {callback_id: callback})
