"""Ownership: who is accountable, who works on it, and what they tell each other."""

from datetime import datetime
from typing import Literal

from casecore.facts import Event

AssignmentMethod = Literal["claim", "auto", "manual"]


class CaseQueued(Event, frozen=True):
    queue: str
    reason: str

    def told(self) -> str:
        return f"put the case into queue {self.queue}: {self.reason}"


class CaseAssigned(Event, frozen=True):
    agent: str
    method: AssignmentMethod

    def told(self) -> str:
        return (
            "claimed the case" if self.method == "claim" else f"assigned the case to {self.agent}"
        )


class CaseReleased(Event, frozen=True):
    agent: str
    queue: str
    reason: str

    def told(self) -> str:
        return f"released the case from {self.agent} to queue {self.queue}: {self.reason}"


class OwnershipTransferred(Event, frozen=True):
    from_agent: str
    to_agent: str
    reason: str

    def told(self) -> str:
        return f"transferred the case from {self.from_agent} to {self.to_agent}: {self.reason}"


class CaseHandedOff(Event, frozen=True):
    handoff_id: str
    to_team: str
    question: str
    accountable_owner: str
    handover_note_id: str | None = None

    def told(self) -> str:
        return (
            f"asked {self.to_team} ({self.handoff_id}): {self.question};"
            f" {self.accountable_owner} stays accountable"
        )


class HandoffAnswered(Event, frozen=True):
    handoff_id: str
    answer: str

    def told(self) -> str:
        return f"recorded the answer to {self.handoff_id}: {self.answer}"


class HandoverNoteWritten(Event, frozen=True):
    note_id: str
    situation: str
    next_step: str
    done: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    open_promise_ids: tuple[str, ...] = ()
    customer_heat: int | None = None
    next_step_by: datetime | None = None
    written_by: str | None = None
    """Who may not also rate it."""

    def told(self) -> str:
        return f"wrote handover note {self.note_id}: {self.situation}; next: {self.next_step}"


class HandoverNoteRated(Event, frozen=True):
    note_id: str
    sufficient: bool
    missing: tuple[str, ...] = ()

    def told(self) -> str:
        return f"found handover note {self.note_id} {'' if self.sufficient else 'in'}sufficient"


OwnershipEvent = (
    CaseQueued
    | CaseAssigned
    | CaseReleased
    | OwnershipTransferred
    | CaseHandedOff
    | HandoffAnswered
    | HandoverNoteWritten
    | HandoverNoteRated
)
