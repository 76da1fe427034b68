"""Callbacks and follow-ups: getting back to the customer, and to whoever has the work."""

from datetime import datetime
from typing import Literal

from casecore.facts import Event

CallbackPurpose = Literal["progress", "post_resolution", "requested"]
AttemptOutcome = Literal["reached", "no_answer", "voicemail", "wrong_party", "refused"]
AssuranceScope = Literal["systemic", "personal_only"]


class CallbackScheduled(Event, frozen=True):
    callback_id: str
    purpose: CallbackPurpose
    window_start: datetime
    window_end: datetime
    zone: str
    attempts_max: int

    def told(self) -> str:
        start, end = f"{self.window_start:%Y-%m-%d %H:%M}", f"{self.window_end:%Y-%m-%d %H:%M}"
        purpose = self.purpose.replace("_", "-")
        return f"scheduled {purpose} callback {self.callback_id} from {start} to {end} UTC"


class CallbackAttempted(Event, frozen=True):
    callback_id: str
    outcome: AttemptOutcome
    attempted_at: datetime | None = None

    def told(self) -> str:
        return f"tried callback {self.callback_id}: {self.outcome.replace('_', ' ')}"


class CustomerCalledBack(Event, frozen=True):
    callback_id: str
    all_concerns_settled: bool
    new_concern_ids: tuple[str, ...] = ()
    assurance_given: bool = False
    called_at: datetime | None = None

    def told(self) -> str:
        settled = "all is settled" if self.all_concerns_settled else "not all is settled"
        return f"called the customer back ({self.callback_id}): {settled}"


class CallbackAbandoned(Event, frozen=True):
    callback_id: str
    attempts: int
    reason: str

    def told(self) -> str:
        return f"gave up callback {self.callback_id} after {self.attempts} tries: {self.reason}"


class AssuranceGiven(Event, frozen=True):
    text: str
    scope: AssuranceScope
    action_refs: tuple[str, ...] = ()

    def told(self) -> str:
        return f"assured the customer: {self.text}"


class FollowUpScheduled(Event, frozen=True):
    followup_id: str
    with_team: str
    due_at: datetime
    protects_promise_id: str | None = None

    def told(self) -> str:
        return (
            f"planned follow-up {self.followup_id} with {self.with_team}"
            f" by {self.due_at:%Y-%m-%d %H:%M} UTC"
        )


class FollowUpDone(Event, frozen=True):
    followup_id: str
    result: str

    def told(self) -> str:
        return f"followed up ({self.followup_id}): {self.result}"


CallbackEvent = (
    CallbackScheduled
    | CallbackAttempted
    | CustomerCalledBack
    | CallbackAbandoned
    | AssuranceGiven
    | FollowUpScheduled
    | FollowUpDone
)
