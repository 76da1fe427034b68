"""Who is accountable for the case, or which queue it lies in."""

from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.contact import CustomerContacted
from casecore.case.events.intake import CaseRegistered
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


class Ownership(msgspec.Struct, frozen=True):
    owner: str | None = None
    queue: str | None = None
    """Where the case waits for an owner; None while it has one."""
    home_queue: str | None = None
    """The queue it came from, and goes back to unless another is named."""
    handoffs: dict[str, bool] = {}
    """True while the question is open."""
    handover_notes: dict[str, bool | None] = {}
    """Whether the receiver found the note sufficient; None while unrated."""
    fresh_note: str | None = None
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
        | CustomerContacted,
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
                return replace(self, handoffs=self.handoffs | {event.handoff_id: True})
            case HandoffAnswered():
                return replace(self, handoffs=self.handoffs | {event.handoff_id: False})
            case HandoverNoteWritten():
                notes = self.handover_notes | {event.note_id: None}
                return replace(self, handover_notes=notes, fresh_note=event.note_id)
            case HandoverNoteRated():
                notes = self.handover_notes | {event.note_id: event.sufficient}
                return replace(self, handover_notes=notes)
            case CustomerContacted():
                return replace(self, fresh_note=None)
            case _:
                assert_never(event)
