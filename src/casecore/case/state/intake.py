"""What the rules need to know of the intake and of listening."""

from datetime import datetime
from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.intake import (
    ApologyGiven,
    AuthorityRecorded,
    CaseRegistered,
    Channel,
    CommonGroundFound,
    ComplaintAcknowledged,
    ComplaintHeard,
    ConcernRaised,
    ConcernSettled,
    Customer,
    CustomerInsightRecorded,
    CustomerThanked,
    Direction,
    EmotionAssessed,
    InteractionEnded,
    InteractionStarted,
    LimitsDisclosed,
    ListeningNoteTaken,
    NoteAdded,
    ProcessExplained,
    RecapGiven,
)

Note = ListeningNoteTaken | NoteAdded
Said = (
    ComplaintHeard
    | RecapGiven
    | ComplaintAcknowledged
    | ApologyGiven
    | CustomerThanked
    | CommonGroundFound
    | LimitsDisclosed
    | ProcessExplained
    | CustomerInsightRecorded
)


class Interaction(msgspec.Struct, frozen=True):
    channel: Channel
    direction: Direction
    ended: bool = False


class Concern(msgspec.Struct, frozen=True):
    text: str
    major: bool
    settled: bool = False


class Intake(msgspec.Struct, frozen=True):
    received_at: datetime | None = None
    channel: Channel | None = None
    customer: Customer | None = None
    jurisdictions: tuple[str, ...] = ()
    authority_recorded: bool = False
    heat: int | None = None
    assessment: EmotionAssessed | None = None
    """The last one."""
    heard: bool = False
    acknowledged: bool = False
    apologised: bool = False
    interactions: dict[str, Interaction] = {}
    notes: dict[str, Note] = {}
    said: frozenset[Said] = frozenset()
    """What passed between the desk and the customer, and need not be recorded twice."""
    concerns: dict[str, Concern] = {}

    @property
    def answer_by(self) -> Channel:
        """The channel to answer by, unless another is named: the one the complaint came by."""
        return self.channel or "other"

    @property
    def open_concerns(self) -> dict[str, Concern]:
        return {id: concern for id, concern in self.concerns.items() if not concern.settled}

    @property
    def open_major_concerns(self) -> list[str]:
        return [id for id, concern in self.open_concerns.items() if concern.major]

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
        | Said
        | EmotionAssessed
        | ConcernRaised
        | ConcernSettled,
    ) -> Self:
        match event:
            case CaseRegistered():
                return replace(
                    self,
                    received_at=event.received_at,
                    channel=event.channel,
                    customer=event.customer,
                    jurisdictions=event.jurisdictions,
                    heat=event.heat,
                )
            case AuthorityRecorded():
                return replace(self, authority_recorded=True)
            case InteractionStarted():
                interaction = Interaction(event.channel, event.direction)
                return self.having(event.interaction_id, interaction)
            case InteractionEnded():
                ended = replace(self.interactions[event.interaction_id], ended=True)
                return self.having(event.interaction_id, ended)
            case ListeningNoteTaken() | NoteAdded():
                return replace(self, notes=self.notes | {event.note_id: event})
            case ComplaintHeard():
                return replace(self, heard=True, said=self.said | {event})
            case ComplaintAcknowledged():
                return replace(self, acknowledged=True, said=self.said | {event})
            case ApologyGiven():
                return replace(self, apologised=True, said=self.said | {event})
            case (
                RecapGiven()
                | CustomerThanked()
                | CommonGroundFound()
                | LimitsDisclosed()
                | ProcessExplained()
                | CustomerInsightRecorded()
            ):
                return replace(self, said=self.said | {event})
            case EmotionAssessed():
                return replace(self, heat=event.heat, assessment=event)
            case ConcernRaised():
                concern = Concern(event.text, event.major)
                return replace(self, concerns=self.concerns | {event.concern_id: concern})
            case ConcernSettled():
                settled = replace(self.concerns[event.concern_id], settled=True)
                return replace(self, concerns=self.concerns | {event.concern_id: settled})
            case _:
                assert_never(event)

    def having(self, interaction_id: str, interaction: Interaction) -> Self:
        return replace(self, interactions=self.interactions | {interaction_id: interaction})
