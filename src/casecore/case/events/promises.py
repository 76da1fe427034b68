"""Promises: what the customer was told would happen, and whether it did."""

from datetime import datetime
from typing import Literal

from casecore.facts import Event

PromiseKind = Literal[
    "resolution", "update", "callback", "decision", "payment", "personal_attention", "other"
]
PromiseBasis = Literal["elapsed", "business", "civil"]


class PromiseMade(Event, frozen=True):
    promise_id: str
    kind: PromiseKind
    text: str
    due_at: datetime
    made_by: str
    basis: PromiseBasis = "elapsed"
    replaces: str | None = None
    """The broken promise that this one was agreed upon instead of."""

    def told(self) -> str:
        return f"promised ({self.promise_id}), by {self.due_at:%Y-%m-%d %H:%M} UTC: {self.text}"


class PromiseKept(Event, frozen=True):
    promise_id: str
    kept_at: datetime
    how: str | None = None

    def told(self) -> str:
        return f"kept promise {self.promise_id}" + (f": {self.how}" if self.how else "")


class PromiseBroken(Event, frozen=True):
    promise_id: str
    due_at: datetime
    detected_at: datetime
    fulfilled_at: datetime | None = None
    """When what was promised happened after all, too late."""

    def told(self) -> str:
        return f"found promise {self.promise_id} broken: due {self.due_at:%Y-%m-%d %H:%M} UTC"


class PromiseRenegotiated(Event, frozen=True):
    promise_id: str
    due_at: datetime
    customer_agreed: bool
    reason: str

    def told(self) -> str:
        due = f"{self.due_at:%Y-%m-%d %H:%M} UTC"
        return f"moved promise {self.promise_id} to {due}: {self.reason}"


class PromiseReleased(Event, frozen=True):
    promise_id: str
    by_customer: bool
    reason: str

    def told(self) -> str:
        return f"released promise {self.promise_id}: {self.reason}"


PromiseEvent = PromiseMade | PromiseKept | PromiseBroken | PromiseRenegotiated | PromiseReleased
