"""Intake and listening: take the complaint in, and hear the customer out."""

from collections.abc import Container, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Annotated
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from casecore.actors import Actor
from casecore.asking import (
    END,
    FRONT,
    LIST_MAX,
    Ask,
    Code,
    Instant,
    LocalId,
    LocalIds,
    QueueName,
    Short,
    Text,
    Texts,
)
from casecore.case.decisions.base import (
    LASTING,
    UNCLOSED,
    CaseAsk,
    Heat,
    found,
    minute,
    next_id,
    refuse_unknown,
    refuse_unknown_zone,
    refuse_unless,
)
from casecore.case.events import CaseEvent
from casecore.case.events.contact import WaitingEnded
from casecore.case.events.intake import (
    ApologyGiven,
    AssessedBy,
    AuthorityRecorded,
    CaseRegistered,
    Channel,
    CommonGroundFound,
    ComplainantRole,
    ComplaintAcknowledged,
    ComplaintHeard,
    ConcernRaised,
    ConcernSettled,
    Confirmation,
    Customer,
    CustomerInsightRecorded,
    CustomerThanked,
    DesiredOutcome,
    Direction,
    EmotionAssessed,
    InteractionEnded,
    InteractionStarted,
    LimitsDisclosed,
    ListeningNoteTaken,
    Moment,
    NoteAdded,
    NoteKind,
    Priority,
    ProcessExplained,
    RecapGiven,
    ThanksFor,
)
from casecore.case.state import Case
from casecore.errors import Rejected

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""No complaint that anyone still works on came in before."""
HEARD_NOTES_MAX = 100
JURISDICTIONS_MAX = 20
DAY_SECONDS = 86_400
INTAKES = UUID("7d1c9a52-8a57-5f0e-9f43-3b0f6a0e2c11")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Seconds = Annotated[int, Meta(ge=0, le=DAY_SECONDS)]
Language = Annotated[
    str,
    Meta(
        max_length=35,
        pattern=rf"^[A-Za-z]{{2,3}}(-[A-Za-z0-9]{{2,8}})*{END}",
        description="a language tag, such as en or de-CH",
    ),
]
SomeTexts = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=LIST_MAX)]


class Complainant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who complains: `ref` is the customer's id in the systems around casecore."""

    ref: Short
    name: Short | None = None
    company: Short | None = None
    role: ComplainantRole = "self"
    represents: Short | None = None
    tier: Short | None = None


class HeardNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: NoteKind
    text: Text


class RegisterCase(Ask, frozen=True, kw_only=True):
    """Register a complaint."""

    WHO = FRONT
    BEGINS = True

    channel: Channel
    customer: Complainant
    reason: Text
    received_at: Instant | None = None
    product: Short | None = None
    category: Short | None = None
    heat: Heat | None = None
    queue: QueueName = "complaints"
    priority: Priority = "normal"
    desired_outcome: DesiredOutcome | None = None
    remedy_sought: Text | None = None
    language: Language | None = None
    jurisdictions: Annotated[tuple[Code, ...], Meta(max_length=JURISDICTIONS_MAX)] = ()
    intake_source: Code | None = None
    intake_ref: Short | None = None
    receipt_zone: Short | None = None
    relates_to: Annotated[tuple[UUID, ...], Meta(max_length=LIST_MAX)] = ()

    @property
    def intake_id(self) -> UUID | None:
        """The id of the one case that this intake leads to, however often it comes in."""
        if self.intake_source is None or self.intake_ref is None:
            return None
        return uuid5(INTAKES, f"{self.intake_source} {self.intake_ref}")

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        if state.stage != "unknown":
            return []
        received_at = self.received_at or at
        if received_at > at:
            raise Rejected(
                "received-in-future",
                f"a complaint cannot be received later than {minute(at)}, when it is registered",
                field="received_at",
                invariant="I-02",
            )
        if received_at < EARLIEST:
            raise Rejected(
                "received-too-early",
                f"received_at is before {EARLIEST:%Y}: check the year",
                field="received_at",
            )
        if (self.intake_source is None) != (self.intake_ref is None):
            raise Rejected(
                "intake-incomplete",
                "intake_source and intake_ref name where the complaint came from only together:"
                " give both or neither",
                field="intake_ref" if self.intake_ref is None else "intake_source",
            )
        if (self.customer.role == "representative") != (self.customer.represents is not None):
            raise Rejected(
                "represented-required",
                "name whom a representative speaks for in customer.represents, and nobody there"
                " for anyone else",
                field="customer.represents",
                invariant="I-03",
            )
        refuse_unknown_zone(self.receipt_zone, "receipt_zone")
        return [
            CaseRegistered(
                case_ref=case_ref(state.id),
                channel=self.channel,
                received_at=received_at.astimezone(UTC),
                customer=Customer(**msgspec.structs.asdict(self.customer)),
                reason=self.reason,
                queue=self.queue,
                priority=self.priority,
                product=self.product,
                category=self.category,
                heat=self.heat,
                desired_outcome=self.desired_outcome,
                remedy_sought=self.remedy_sought,
                language=self.language,
                jurisdictions=self.jurisdictions,
                intake_source=self.intake_source,
                intake_ref=self.intake_ref,
                receipt_zone=self.receipt_zone,
                relates_to=self.relates_to,
            )
        ]


class RecordAuthority(CaseAsk, frozen=True, kw_only=True):
    """Record that whoever complains may speak for the customer."""

    OWN = False

    evidence: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        if not state.intake.speaks_for_another:
            raise Rejected(
                "authority-not-needed", "the customer speaks for themselves and needs no authority"
            )
        return [] if state.intake.authority_recorded else [AuthorityRecorded(self.evidence)]


class StartInteraction(CaseAsk, frozen=True, kw_only=True):
    """Begin a conversation with the customer."""

    WHO = FRONT
    OWN = False

    channel: Channel | None = None
    direction: Direction = "inbound"
    queue_wait_seconds: Seconds | None = None
    transfers: Annotated[int, Meta(ge=0, le=100)] = 0

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        channel = self.channel or state.intake.answer_by
        interactions = state.intake.interactions
        if any(
            not i.ended and (i.channel, i.direction) == (channel, self.direction)
            for i in interactions.values()
        ):
            return []
        started = InteractionStarted(
            interaction_id=next_id("i", interactions),
            channel=channel,
            direction=self.direction,
            queue_wait_seconds=self.queue_wait_seconds,
            transfers=self.transfers,
        )
        if self.direction == "inbound" and "customer" in state.contact.waiting:
            return [started, WaitingEnded("customer", "customer_contact", ended_at=at)]
        return [started]


class EndInteraction(CaseAsk, frozen=True, kw_only=True):
    """End a conversation, and say how it went."""

    WHO = FRONT
    OWN = False

    interaction_id: LocalId
    duration_seconds: Seconds
    interruptions: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    talk_ratio_bp: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    hold_seconds: Seconds = 0

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        if found(state.intake.interactions, self.interaction_id, "interaction_id").ended:
            return []
        return [
            InteractionEnded(
                interaction_id=self.interaction_id,
                duration_seconds=self.duration_seconds,
                interruptions=self.interruptions,
                talk_ratio_bp=self.talk_ratio_bp,
                hold_seconds=self.hold_seconds,
            )
        ]


class TakeNote(CaseAsk, frozen=True, kw_only=True):
    """Take a note while listening."""

    WHO = FRONT
    OWN = False

    kind: NoteKind
    text: Text
    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        note = HeardNote(self.kind, self.text)
        return list(new_notes(state, (note,), self.interaction_id))


class AddNote(CaseAsk, frozen=True, kw_only=True):
    """Add a note to the file."""

    WHO = FRONT
    OWN = False

    text: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        notes = state.intake.notes
        if any(isinstance(note, NoteAdded) and note.text == self.text for note in notes.values()):
            return []
        return [NoteAdded(next_id("n", notes), self.text)]


class HearComplaint(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer was heard, with the notes taken."""

    OWN = False

    customer_finished: bool
    vented: bool = False
    interaction_id: LocalId | None = None
    notes: Annotated[tuple[HeardNote, ...], Meta(max_length=HEARD_NOTES_MAX)] = ()

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        heard = ComplaintHeard(self.customer_finished, self.vented, self.interaction_id)
        return [
            *new_notes(state, self.notes, self.interaction_id),
            *unless_in(state.intake.said, heard),
        ]


class GiveRecap(CaseAsk, frozen=True, kw_only=True):
    """Sum up to the customer what was heard, and record what they say to it."""

    OWN = False

    confirmation: Confirmation
    note_ids: LocalIds = ()
    corrections: Texts = ()
    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        for note_id in self.note_ids:
            refuse_unknown(state.intake.notes, note_id, "note_id")
        if (self.confirmation == "corrected") != bool(self.corrections):
            raise Rejected(
                "corrections-required",
                "a recap was corrected by its corrections: give both or neither",
                field="corrections",
            )
        recap = RecapGiven(self.confirmation, self.note_ids, self.corrections, self.interaction_id)
        return unless_in(state.intake.said, recap)


class AcknowledgeComplaint(CaseAsk, frozen=True, kw_only=True):
    """Acknowledge the complaint to the customer, with an apology if one was given."""

    OWN = False

    channel: Channel | None = None
    apology: bool = False
    liability_admitted: bool = False
    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        if self.liability_admitted and not self.apology:
            raise Rejected(
                "apology-required",
                "fault is admitted in an apology: set apology, too",
                field="apology",
            )
        channel = self.channel or state.intake.answer_by
        said: list[CaseEvent] = [ComplaintAcknowledged(channel, self.interaction_id)]
        if self.apology:
            said.append(ApologyGiven(channel, liability_admitted=self.liability_admitted))
        return unless_in(state.intake.said, *said)


class Apologise(CaseAsk, frozen=True, kw_only=True):
    """Record an apology to the customer."""

    OWN = False

    channel: Channel | None = None
    on_behalf_of_business: bool = True
    liability_admitted: bool = False

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        apology = ApologyGiven(
            self.channel or state.intake.answer_by,
            self.on_behalf_of_business,
            self.liability_admitted,
        )
        return unless_in(state.intake.said, apology)


class ThankCustomer(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer was thanked."""

    OWN = False

    thanked_for: ThanksFor = "raising_concern"

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        return unless_in(state.intake.said, CustomerThanked(self.thanked_for))


class FindCommonGround(CaseAsk, frozen=True, kw_only=True):
    """Record a point on which the customer and the desk agree."""

    OWN = False

    point: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        return unless_in(state.intake.said, CommonGroundFound(self.point))


class DiscloseLimits(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer was told what cannot be done, and what can."""

    OWN = False

    cannot_do: SomeTexts
    can_do: Texts = ()
    reason: Text | None = None
    interim_commitment: Text | None = None
    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        if not self.can_do:
            raise Rejected(
                "can-do-required",
                "whoever is told what cannot be done is told what can: give can_do, too",
                field="can_do",
                invariant="I-12",
            )
        limits = LimitsDisclosed(
            cannot_do=self.cannot_do,
            can_do=self.can_do,
            reason=self.reason,
            interim_commitment=self.interim_commitment,
            interaction_id=self.interaction_id,
        )
        return unless_in(state.intake.said, limits)


class ExplainProcess(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer was told, step by step, what happens next."""

    OWN = False

    steps: SomeTexts
    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        return unless_in(state.intake.said, ProcessExplained(self.steps, self.interaction_id))


class AssessEmotion(CaseAsk, frozen=True, kw_only=True):
    """Record how heated the customer is, from 0 to 4."""

    WHO = FRONT
    OWN = False

    heat: Heat
    moment: Moment = "mid"
    source: AssessedBy = "agent"
    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        assessed = EmotionAssessed(self.moment, self.heat, self.source, self.interaction_id)
        return unless_in([state.intake.assessment], assessed)


class RaiseConcern(CaseAsk, frozen=True, kw_only=True):
    """Record something the customer wants settled; a major one must be before the case is."""

    OWN = False

    text: Text
    major: bool = False

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        open = state.intake.open_concerns.values()
        if any((c.text, c.major) == (self.text, self.major) for c in open):
            return []
        return [ConcernRaised(next_id("c", state.intake.concerns), self.text, self.major)]


class SettleConcern(CaseAsk, frozen=True, kw_only=True):
    """Record that a concern is settled."""

    concern_id: LocalId
    customer_agrees: bool | None = None
    solution_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        concern = found(state.intake.concerns, self.concern_id, "concern_id")
        refuse_unknown(state.solutions.all, self.solution_id, "solution_id")
        if concern.settled:
            return []
        return [ConcernSettled(self.concern_id, self.customer_agrees, self.solution_id)]


class RecordInsight(CaseAsk, frozen=True, kw_only=True):
    """Record what the customer has taught us that we did not know."""

    OWN = False

    text: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        return unless_in(state.intake.said, CustomerInsightRecorded(self.text))


IntakeCommand = (
    RegisterCase
    | RecordAuthority
    | StartInteraction
    | EndInteraction
    | TakeNote
    | AddNote
    | HearComplaint
    | GiveRecap
    | AcknowledgeComplaint
    | Apologise
    | ThankCustomer
    | FindCommonGround
    | DiscloseLimits
    | ExplainProcess
    | AssessEmotion
    | RaiseConcern
    | SettleConcern
    | RecordInsight
)


def case_ref(case_id: UUID) -> str:
    """The case's id as people say it, short enough for the phone."""
    random = case_id.int & (1 << 60) - 1
    letters = "".join(CROCKFORD[random >> shift & 31] for shift in range(55, -1, -5))
    return f"C-{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def unless_in(known: Container[object], *events: CaseEvent) -> list[CaseEvent]:
    """Those of the events that did not happen already."""
    return [event for event in events if event not in known]


def new_notes(
    state: Case, notes: tuple[HeardNote, ...], interaction_id: str | None
) -> Iterator[ListeningNoteTaken]:
    """Those of the notes that were not taken already, numbered on from the last."""
    taken = {
        replace(note, note_id="")
        for note in state.intake.notes.values()
        if isinstance(note, ListeningNoteTaken)
    }
    numbers = count(len(state.intake.notes) + 1)
    for heard in dict.fromkeys(notes):
        note = ListeningNoteTaken("", heard.kind, heard.text, interaction_id)
        if note not in taken:
            yield replace(note, note_id=f"n{next(numbers)}")
