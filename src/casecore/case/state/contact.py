"""Who is waited for, and when the customer was last in touch."""

from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.contact import (
    AcknowledgementSent,
    CustomerContacted,
    ProgressUpdateSent,
    ResponseSent,
    WaitingEnded,
    WaitingFor,
    WaitingStarted,
)
from casecore.case.events.intake import CaseRegistered


class Contact(msgspec.Struct, frozen=True):
    waiting: dict[WaitingFor, WaitingStarted] = {}
    """Whom the case waits for, and for what."""
    acknowledged: frozenset[str] = frozenset()
    """The modes, oral or written, in which an acknowledgement was sent."""
    contacts: int = 0
    """How often the customer has been in touch, the complaint itself included."""
    sent: frozenset[str] = frozenset()
    """The message_refs of what was sent or received already."""
    exchanged: frozenset[ResponseSent | CustomerContacted | ProgressUpdateSent] = frozenset()

    def evolve(
        self,
        event: CaseRegistered
        | AcknowledgementSent
        | ResponseSent
        | CustomerContacted
        | ProgressUpdateSent
        | WaitingStarted
        | WaitingEnded,
    ) -> Self:
        match event:
            case CaseRegistered():
                return replace(self, contacts=1)
            case AcknowledgementSent():
                return self.noting(event.message_ref, acknowledged=self.acknowledged | {event.mode})
            case ResponseSent() | ProgressUpdateSent():
                return self.noting(event.message_ref, exchanged=self.exchanged | {event})
            case CustomerContacted():
                return self.noting(
                    event.message_ref,
                    contacts=self.contacts + 1,
                    exchanged=self.exchanged | {event},
                )
            case WaitingStarted():
                return replace(self, waiting=self.waiting | {event.reason: event})
            case WaitingEnded():
                left = {reason: w for reason, w in self.waiting.items() if reason != event.reason}
                return replace(self, waiting=left)
            case _:
                assert_never(event)

    def noting(self, message_ref: str | None, **changes: object) -> Self:
        if message_ref is not None:
            changes["sent"] = self.sent | {message_ref}
        return replace(self, **changes)
