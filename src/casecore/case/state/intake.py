"""What the rules need to know of the intake and of listening."""

from datetime import datetime
from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.intake import (
    ApologyGiven,
    AuthorityRecorded,
    CaseRegistered,
    ComplaintAcknowledged,
    ComplaintHeard,
    ConcernRaised,
    ConcernSettled,
    Customer,
    EmotionAssessed,
    InteractionEnded,
    InteractionStarted,
    ListeningNoteTaken,
    NoteAdded,
)


class Concern(msgspec.Struct, frozen=True):
    major: bool
    settled: bool = False


class Intake(msgspec.Struct, frozen=True):
    received_at: datetime | None = None
    customer: Customer | None = None
    authority_recorded: bool = False
    heat: int | None = None
    heard: bool = False
    acknowledged: bool = False
    apologised: bool = False
    interactions: dict[str, bool] = {}
    """True while the conversation goes on."""
    notes: tuple[str, ...] = ()
    concerns: dict[str, Concern] = {}

    @property
    def open_major_concerns(self) -> list[str]:
        return [
            id for id, concern in self.concerns.items() if concern.major and not concern.settled
        ]

    @property
    def speaks_for_another(self) -> bool:
        return self.customer is not None and self.customer.role != "self"

    def evolve(
        self,
        event: CaseRegistered
        | AuthorityRecorded
        | InteractionStarted
        | InteractionEnded
        | ListeningNoteTaken
        | NoteAdded
        | ComplaintHeard
        | ComplaintAcknowledged
        | ApologyGiven
        | EmotionAssessed
        | ConcernRaised
        | ConcernSettled,
    ) -> Self:
        match event:
            case CaseRegistered():
                return replace(
                    self, received_at=event.received_at, customer=event.customer, heat=event.heat
                )
            case AuthorityRecorded():
                return replace(self, authority_recorded=True)
            case InteractionStarted():
                return replace(self, interactions=self.interactions | {event.interaction_id: True})
            case InteractionEnded():
                return replace(self, interactions=self.interactions | {event.interaction_id: False})
            case ListeningNoteTaken() | NoteAdded():
                return replace(self, notes=(*self.notes, event.note_id))
            case ComplaintHeard():
                return replace(self, heard=True)
                return self
            case ComplaintAcknowledged():
                return replace(self, acknowledged=True)
            case ApologyGiven():
                return replace(self, apologised=True)
            case EmotionAssessed():
                return replace(self, heat=event.heat)
            case ConcernRaised():
                concern = Concern(major=event.major)
                return replace(self, concerns=self.concerns | {event.concern_id: concern})
            case ConcernSettled():
                settled = replace(self.concerns[event.concern_id], settled=True)
                return replace(self, concerns=self.concerns | {event.concern_id: settled})
            case _:
                assert_never(event)
