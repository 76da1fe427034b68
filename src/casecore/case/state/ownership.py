"""Who is accountable for the case, or which queue it lies in."""

from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.contact import CustomerContacted
from casecore.case.events.intake import CaseRegistered, InteractionStarted
from casecore.case.events.ownership import (
    CaseAssigned,
    CaseHandedOff,
    CaseQueued,
    CaseReleased,
    HandoffAnswered,
    HandoverNoteRated,
    HandoverNoteWritten,
    OwnershipTransferred,
)


class Handoff(msgspec.Struct, frozen=True):
    to_team: str
    question: str
    answered: bool = False


class HandoverNote(msgspec.Struct, frozen=True):
    written_by: str | None
    rating: HandoverNoteRated | None = None
    """The last one."""


class Ownership(msgspec.Struct, frozen=True):
    owner: str | None = None
    queue: str | None = None
    """Where the case waits for an owner; None while it has one."""
    home_queue: str | None = None
    """The queue it came from, and goes back to unless another is named."""
    handoffs: dict[str, Handoff] = {}
    handover_notes: dict[str, HandoverNote] = {}
    fresh_note: HandoverNoteWritten | None = None
    """The handover note written since the customer was last in touch, if any."""

    def evolve(
        self,
        event: CaseRegistered
        | CaseQueued
        | CaseAssigned
        | CaseReleased
        | OwnershipTransferred
        | CaseHandedOff
        | HandoffAnswered
        | HandoverNoteWritten
        | HandoverNoteRated
        | CustomerContacted
        | InteractionStarted,
    ) -> Self:
        match event:
            case CaseRegistered() | CaseQueued():
                return replace(self, queue=event.queue, home_queue=event.queue)
            case CaseAssigned():
                return replace(self, owner=event.agent, queue=None)
            case CaseReleased():
                return replace(self, owner=None, queue=event.queue, home_queue=event.queue)
            case OwnershipTransferred():
                return replace(self, owner=event.to_agent)
            case CaseHandedOff():
                handoff = Handoff(event.to_team, event.question)
                return replace(self, handoffs=self.handoffs | {event.handoff_id: handoff})
            case HandoffAnswered():
                answered = replace(self.handoffs[event.handoff_id], answered=True)
                return replace(self, handoffs=self.handoffs | {event.handoff_id: answered})
            case HandoverNoteWritten():
                notes = self.handover_notes | {event.note_id: HandoverNote(event.written_by)}
                return replace(self, handover_notes=notes, fresh_note=event)
            case HandoverNoteRated():
                rated = replace(self.handover_notes[event.note_id], rating=event)
                notes = self.handover_notes | {event.note_id: rated}
                return replace(self, handover_notes=notes)
            case CustomerContacted():
                return replace(self, fresh_note=None)
            case InteractionStarted():
                return replace(self, fresh_note=None) if event.direction == "inbound" else self
            case _:
                assert_never(event)
