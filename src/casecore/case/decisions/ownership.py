"""Ownership: who is accountable for the case, and what they pass on when that changes."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from casecore.actors import Actor, Role
from casecore.asking import FRONT, LEADS, Beside, Code, Instant, LocalId, QueueName, Text, Texts
from casecore.case.decisions.base import (
    LASTING,
    UNCLOSED,
    CaseAsk,
    Heat,
    ahead,
    found,
    minute,
    next_id,
    refuse_unless,
)
from casecore.case.events import CaseEvent
from casecore.case.events.callbacks import FollowUpScheduled
from casecore.case.events.ownership import (
    AssignmentMethod,
    CaseAssigned,
    CaseHandedOff,
    CaseQueued,
    CaseReleased,
    HandoffAnswered,
    HandoverNoteRated,
    HandoverNoteWritten,
    OwnershipTransferred,
)
from casecore.case.state import Case
from casecore.case.state.ownership import Handoff
from casecore.clocks.instants import instant, micros
from casecore.clocks.openings import Openings
from casecore.errors import Conflict, Forbidden, Rejected
from casecore.sla.book import Attributes, desk_hours
from casecore.sla.events import SLA_BOOK_ID
from casecore.sla.state import SlaBook

FOLLOW_UP_LEAD = timedelta(hours=2)
CLOSED_MAX = timedelta(days=62)
"""How long a desk may be closed and its last hour still be looked for."""


class QueueCase(CaseAsk, frozen=True, kw_only=True):
    """Put a case that nobody owns into a queue."""

    WHO = FRONT
    OWN = False

    queue: QueueName
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        if state.ownership.owner is not None:
            raise already_assigned(state.ownership.owner, "release it to the queue instead")
        if state.ownership.queue == self.queue:
            return []
        return [CaseQueued(self.queue, self.reason)]


class ClaimCase(CaseAsk, frozen=True, kw_only=True):
    """Take the case on oneself."""

    WHO = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN})

    def permit_agent(self, state: Case, by: Actor) -> None:
        """Any agent may ask; whether the case is taken already is for the rule to say."""

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        return assigned(self, state, by.id, "claim")


class AssignCase(CaseAsk, frozen=True, kw_only=True):
    """Give a case that nobody owns to an agent."""

    WHO = LEADS | {Role.SERVICE}

    agent: Code

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        machine = by.role in (Role.SERVICE, Role.SYSTEM)
        return assigned(self, state, self.agent, "auto" if machine else "manual")


class ReleaseCase(CaseAsk, frozen=True, kw_only=True):
    """Put an owned case back into a queue."""

    reason: Text
    queue: QueueName | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        owner, home = state.ownership.owner, state.ownership.home_queue
        queue = self.queue or home
        if owner is None or queue is None:
            return []
        return [CaseReleased(owner, queue, self.reason)]


class TransferCase(CaseAsk, frozen=True, kw_only=True):
    """Make another agent accountable, who finds a handover note."""

    to_agent: Code
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        owner = state.ownership.owner
        if owner is None:
            raise Rejected("owner-required", "nobody owns the case: assign it instead")
        if owner == self.to_agent:
            return []
        refuse_party(state, self.to_agent)
        fresh_note(state)
        return [OwnershipTransferred(owner, self.to_agent, self.reason)]


class HandOff(CaseAsk, frozen=True, kw_only=True):
    """Ask another team for its part of the work; whoever owns the case stays accountable."""

    to_team: Code
    question: Text
    followup_due_at: Instant | None = None
    """When to ask how it stands; two hours before each running promise is due unless given, or
    when the desk closes before that."""

    def beside(self, state: Case) -> Beside | None:
        planned = self.followup_due_at is not None or not state.promises.running
        return None if planned else Beside(SlaBook, SLA_BOOK_ID)

    def decide(
        self, state: Case, by: Actor, at: datetime, book: SlaBook | None = None
    ) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        owner = state.ownership.owner
        if owner is None:
            raise Rejected(
                "owner-required",
                "nobody is accountable for the case: claim or assign it first",
                invariant="I-09",
            )
        if Handoff(self.to_team, self.question) in state.ownership.handoffs.values():
            return []
        note_id = fresh_note(state)
        return [
            CaseHandedOff(
                handoff_id=next_id("h", state.ownership.handoffs),
                to_team=self.to_team,
                question=self.question,
                accountable_owner=owner,
                handover_note_id=note_id,
            ),
            *self.follow_ups(state, at, book),
        ]

    def follow_ups(
        self, state: Case, at: datetime, book: SlaBook | None
    ) -> list[FollowUpScheduled]:
        """One for every running promise, due before it (I-17)."""
        given = self.followup_due_at
        if given is not None:
            given = ahead(given, at, "followup_due_at")
        running = state.promises.running
        for promise_id, promise in running.items():
            if promise.due_at <= (given or at):
                raise Rejected(
                    "promise-unprotected",
                    f"promise {promise_id} is due {minute(promise.due_at)}, before anyone would"
                    " follow up: follow up earlier, or keep, release or renegotiate it first",
                    field="followup_due_at",
                    invariant="I-17",
                )
        hours = desk_hours(book, attributes(state), at) if book else None
        plans: list[tuple[str | None, datetime]] = [
            (promise_id, given or before(promise.due_at, at, hours))
            for promise_id, promise in running.items()
        ]
        if given is not None and not running:
            plans.append((None, given))
        first = len(state.callbacks.follow_ups) + 1
        return [
            FollowUpScheduled(f"f{number}", self.to_team, due, promise_id)
            for number, (promise_id, due) in enumerate(plans, first)
        ]


class AnswerHandoff(CaseAsk, frozen=True, kw_only=True):
    """Record what the other team answered."""

    WHO = FRONT
    OWN = False

    handoff_id: LocalId
    answer: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        handoff = found(state.ownership.handoffs, self.handoff_id, "handoff_id")
        return [] if handoff.answered else [HandoffAnswered(self.handoff_id, self.answer)]


class WriteHandoverNote(CaseAsk, frozen=True, kw_only=True):
    """Write down what whoever works on the case next has to know."""

    situation: Text
    next_step: Text
    done: Texts = ()
    pending: Texts = ()
    risks: Texts = ()
    customer_heat: Heat | None = None
    next_step_by: Instant | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        next_step_by = self.next_step_by
        if next_step_by is not None:
            next_step_by = ahead(next_step_by, at, "next_step_by")
        heat = state.intake.heat if self.customer_heat is None else self.customer_heat
        note = HandoverNoteWritten(
            note_id=next_id("hn", state.ownership.handover_notes),
            situation=self.situation,
            next_step=self.next_step,
            done=self.done,
            pending=self.pending,
            risks=self.risks,
            open_promise_ids=tuple(state.promises.running),
            customer_heat=heat,
            next_step_by=next_step_by,
            written_by=by.id,
        )
        last = state.ownership.fresh_note
        known = last is not None and replace(note, note_id=last.note_id) == last
        return [] if known else [note]


class RateHandoverNote(CaseAsk, frozen=True, kw_only=True):
    """Say, as the one who took over, whether the handover note was enough."""

    note_id: LocalId
    sufficient: bool
    missing: Texts = ()

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        note = found(state.ownership.handover_notes, self.note_id, "note_id")
        if note.written_by == by.id:
            raise Forbidden(
                "self-rating", f"{by.id} wrote {self.note_id}: whoever took over rates it"
            )
        rating = HandoverNoteRated(self.note_id, self.sufficient, self.missing)
        return [] if note.rating == rating else [rating]


OwnershipCommand = (
    QueueCase
    | ClaimCase
    | AssignCase
    | ReleaseCase
    | TransferCase
    | HandOff
    | AnswerHandoff
    | WriteHandoverNote
    | RateHandoverNote
)


def attributes(state: Case) -> Attributes:
    """What SLA policies match the case by."""
    intake, triage = state.intake, state.triage
    return Attributes(
        triage.product,
        intake.channel,
        triage.priority,
        intake.customer.tier if intake.customer else None,
        intake.jurisdictions,
        state.ownership.home_queue,
    )


def before(due: datetime, at: datetime, hours: Openings | None) -> datetime:
    """When to ask how it stands, so that something can still be done about it: with some time
    left, while the desk is open, and never in the past. With little time left, halfway to it."""
    latest = due - FOLLOW_UP_LEAD
    if latest <= at:
        return at + (due - at) / 2
    if hours is None:
        return latest
    since = max(at, latest - CLOSED_MAX)
    windows = list(hours.between(micros(since), micros(latest)))
    return instant(windows[-1][1]) if windows else latest


def assigned(
    command: CaseAsk, state: Case, agent: str, method: AssignmentMethod
) -> list[CaseEvent]:
    refuse_unless(state, UNCLOSED, command)
    owner = state.ownership.owner
    if owner == agent:
        return []
    if owner is not None:
        raise already_assigned(owner, "transfer it, or release it first")
    refuse_party(state, agent)
    return [CaseAssigned(agent, method)]


def already_assigned(owner: str, remedy: str) -> Conflict:
    return Conflict("already-assigned", f"{owner} owns the case already: {remedy}", owner=owner)


def refuse_party(state: Case, agent: str) -> None:
    """Refuse to make anyone accountable for a complaint of their own."""
    customer = state.intake.customer
    if customer is not None and agent in (customer.ref, customer.represents):
        raise Rejected(
            "own-complaint",
            f"the complaint is {agent}'s own: give it to someone else",
            invariant="I-08",
        )


def fresh_note(state: Case) -> str:
    """The handover note that tells how things stand since the customer was last in touch."""
    note = state.ownership.fresh_note
    if note is None:
        raise Rejected(
            "handover-note-required",
            "write a handover note first: there is none since the customer was last in touch",
            invariant="I-10",
        )
    return note.note_id
