"""Intake and listening: the complaint comes in, and the customer is heard."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from casecore.facts import Event

Channel = Literal[
    "phone", "email", "web", "chat", "letter", "social", "in_person", "referral", "other"
]
Direction = Literal["inbound", "outbound"]
ComplainantRole = Literal["self", "representative", "third_party"]
DesiredOutcome = Literal[
    "be_heard", "explanation", "apology", "correction", "refund", "compensation", "other"
]
NoteKind = Literal["fact", "feeling", "question", "answer", "request"]
Confirmation = Literal["confirmed", "corrected", "declined"]
ThanksFor = Literal["raising_concern", "input", "patience"]
Moment = Literal["start", "mid", "end"]
AssessedBy = Literal["agent", "qa", "model"]
Priority = Literal["low", "normal", "high", "urgent"]


class Customer(msgspec.Struct, frozen=True):
    """Who complains: `ref` is the customer's id in the systems around casecore."""

    ref: str
    name: str | None = None
    company: str | None = None
    role: ComplainantRole = "self"
    represents: str | None = None
    """The ref of the customer a representative speaks for."""
    tier: str | None = None
    """What the customer has agreed upon with us, such as gold: clocks may depend on it."""


class CaseRegistered(Event, frozen=True):
    case_ref: str
    channel: Channel
    received_at: datetime
    customer: Customer
    reason: str
    queue: str
    priority: Priority
    product: str | None = None
    category: str | None = None
    heat: int | None = None
    desired_outcome: DesiredOutcome | None = None
    remedy_sought: str | None = None
    language: str | None = None
    jurisdictions: tuple[str, ...] = ()
    intake_source: str | None = None
    intake_ref: str | None = None
    receipt_zone: str | None = None
    relates_to: tuple[UUID, ...] = ()

    def told(self) -> str:
        about = f" about {self.product}" if self.product else ""
        return f"registered complaint {self.case_ref}{about}, received by {self.channel}"


class AuthorityRecorded(Event, frozen=True):
    evidence: str

    def told(self) -> str:
        return f"recorded the representative's authority: {self.evidence}"


class InteractionStarted(Event, frozen=True):
    interaction_id: str
    channel: Channel
    direction: Direction
    queue_wait_seconds: int | None = None
    transfers: int = 0

    def told(self) -> str:
        return f"began {self.direction} conversation {self.interaction_id} by {self.channel}"


class InteractionEnded(Event, frozen=True):
    interaction_id: str
    duration_seconds: int
    interruptions: int | None = None
    talk_ratio_bp: int | None = None
    hold_seconds: int = 0

    def told(self) -> str:
        return f"ended conversation {self.interaction_id} after {self.duration_seconds} s"


class ListeningNoteTaken(Event, frozen=True):
    note_id: str
    kind: NoteKind
    text: str
    interaction_id: str | None = None

    def told(self) -> str:
        return f"noted a {self.kind}: {self.text}"


class NoteAdded(Event, frozen=True):
    note_id: str
    text: str

    def told(self) -> str:
        return f"added a note: {self.text}"


class ComplaintHeard(Event, frozen=True):
    customer_finished: bool
    vented: bool = False
    interaction_id: str | None = None

    def told(self) -> str:
        how = "to the end" if self.customer_finished else "without letting them finish"
        return f"heard the customer {how}"


class RecapGiven(Event, frozen=True):
    confirmation: Confirmation
    note_ids: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()
    interaction_id: str | None = None

    def told(self) -> str:
        return f"summed up what was heard; the customer {self.confirmation} it"


class ComplaintAcknowledged(Event, frozen=True):
    channel: Channel
    interaction_id: str | None = None

    def told(self) -> str:
        return f"acknowledged the complaint by {self.channel}"


class ApologyGiven(Event, frozen=True):
    channel: Channel
    on_behalf_of_business: bool = True
    liability_admitted: bool = False

    def told(self) -> str:
        return "apologised" + (", admitting fault" if self.liability_admitted else "")


class CustomerThanked(Event, frozen=True):
    thanked_for: ThanksFor

    def told(self) -> str:
        return f"thanked the customer for {self.thanked_for.replace('_', ' ')}"


class CommonGroundFound(Event, frozen=True):
    point: str

    def told(self) -> str:
        return f"found common ground: {self.point}"


class LimitsDisclosed(Event, frozen=True):
    cannot_do: tuple[str, ...]
    can_do: tuple[str, ...]
    reason: str | None = None
    interim_commitment: str | None = None
    interaction_id: str | None = None

    def told(self) -> str:
        return f"said what cannot be done ({'; '.join(self.cannot_do)}) and what can"


class ProcessExplained(Event, frozen=True):
    steps: tuple[str, ...]
    interaction_id: str | None = None

    def told(self) -> str:
        return f"explained the process: {'; '.join(self.steps)}"


class EmotionAssessed(Event, frozen=True):
    moment: Moment
    heat: int
    source: AssessedBy = "agent"
    interaction_id: str | None = None

    def told(self) -> str:
        return f"put the customer's heat at {self.heat} of 4"


class ConcernRaised(Event, frozen=True):
    concern_id: str
    text: str
    major: bool

    def told(self) -> str:
        return f"recorded {'major ' if self.major else ''}concern {self.concern_id}: {self.text}"


class ConcernSettled(Event, frozen=True):
    concern_id: str
    customer_agrees: bool | None = None
    solution_id: str | None = None

    def told(self) -> str:
        return f"settled concern {self.concern_id}"


class CustomerInsightRecorded(Event, frozen=True):
    text: str

    def told(self) -> str:
        return f"recorded what the customer taught us: {self.text}"


IntakeEvent = (
    CaseRegistered
    | AuthorityRecorded
    | InteractionStarted
    | InteractionEnded
    | ListeningNoteTaken
    | NoteAdded
    | ComplaintHeard
    | RecapGiven
    | ComplaintAcknowledged
    | ApologyGiven
    | CustomerThanked
    | CommonGroundFound
    | LimitsDisclosed
    | ProcessExplained
    | EmotionAssessed
    | ConcernRaised
    | ConcernSettled
    | CustomerInsightRecorded
)
