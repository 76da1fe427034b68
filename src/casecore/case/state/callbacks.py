"""The callbacks and follow-ups that are due, and those that were done."""

from datetime import datetime
from typing import Literal, Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.callbacks import (
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
    attempts_max: int
    attempts: int = 0
    status: CallbackStatus = "scheduled"


class FollowUp(msgspec.Struct, frozen=True):
    due_at: datetime
    protects_promise_id: str | None
    done: bool = False


class Callbacks(msgspec.Struct, frozen=True):
    all: dict[str, Callback] = {}
    follow_ups: dict[str, FollowUp] = {}

    @property
    def scheduled(self) -> dict[str, Callback]:
        return {id: callback for id, callback in self.all.items() if callback.status == "scheduled"}

    def evolve(
        self,
        event: CallbackScheduled
        | CallbackAttempted
        | CustomerCalledBack
        | CallbackAbandoned
        | FollowUpScheduled
        | FollowUpDone,
    ) -> Self:
        match event:
            case CallbackScheduled():
                callback = Callback(purpose=event.purpose, attempts_max=event.attempts_max)
                return replace(self, all=self.all | {event.callback_id: callback})
            case CallbackAttempted():
                attempts = self.all[event.callback_id].attempts + 1
                return self.having(event.callback_id, attempts=attempts)
            case CustomerCalledBack():
                return self.having(event.callback_id, status="completed")
            case CallbackAbandoned():
                return self.having(event.callback_id, status="abandoned")
            case FollowUpScheduled():
                follow_up = FollowUp(event.due_at, event.protects_promise_id)
                return replace(self, follow_ups=self.follow_ups | {event.followup_id: follow_up})
            case FollowUpDone():
                done = replace(self.follow_ups[event.followup_id], done=True)
                return replace(self, follow_ups=self.follow_ups | {event.followup_id: done})
            case _:
                assert_never(event)

    def having(self, callback_id: str, **changes: object) -> Self:
        callback = replace(self.all[callback_id], **changes)
        return replace(self, all=self.all | {callback_id: callback})
