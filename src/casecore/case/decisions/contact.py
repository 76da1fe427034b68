"""Contact: record what went to the customer and came from them, and whom the case waits for."""

from datetime import datetime
from typing import Literal

from casecore.actors import Actor
from casecore.asking import FRONT, Instant, LocalId, Short, Text
from casecore.case.decisions.base import (
    LASTING,
    UNCLOSED,
    CaseAsk,
    ahead,
    ended,
    minute,
    refuse_disclosure,
    refuse_unknown,
    refuse_unless,
    told,
)
from casecore.case.events import CaseEvent
from casecore.case.events.contact import (
    AcknowledgementMode,
    AcknowledgementSent,
    CustomerContacted,
    ProgressUpdateSent,
    ResponseSent,
    WaitingFor,
    WaitingStarted,
)
from casecore.case.events.intake import Channel
from casecore.case.state import Case
from casecore.case.state.outcome import OPEN
from casecore.errors import Rejected


class RecordAcknowledgement(CaseAsk, frozen=True, kw_only=True):
    """Record that an acknowledgement was sent to the customer."""

    WHO = FRONT
    OWN = False

    mode: AcknowledgementMode
    channel: Channel | None = None
    message_ref: Short | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        if self.message_ref is None:
            known = self.mode in state.contact.acknowledged
        else:
            known = self.message_ref in state.contact.sent
        if known:
            return []
        channel = self.channel or state.intake.answer_by
        return [AcknowledgementSent(self.mode, channel, self.message_ref)]


class RecordResponse(CaseAsk, frozen=True, kw_only=True):
    """Record a reply to the customer."""

    WHO = FRONT
    OWN = False

    channel: Channel | None = None
    message_ref: Short | None = None
    interaction_id: LocalId | None = None
    text: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        refuse_disclosure(state)
        response = ResponseSent(
            channel=self.channel or state.intake.answer_by,
            message_ref=self.message_ref,
            interaction_id=self.interaction_id,
            text=self.text,
            sent_at=at,
        )
        known = self.message_ref in state.contact.sent or response in state.contact.exchanged
        return [] if known else [response]


class RecordContact(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer got in touch; the case no longer waits for them."""

    WHO = FRONT
    OWN = False

    channel: Channel
    message_ref: Short | None = None
    text: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        contact = CustomerContacted(self.channel, self.message_ref, self.text, contacted_at=at)
        if self.message_ref in state.contact.sent or contact in state.contact.exchanged:
            return []
        waiting = state.contact.waiting.get("customer")
        if waiting is None:
            return [contact]
        end = ended(waiting, "customer_contact", at)
        # What was over before they got in touch is told before it.
        return [end, contact] if end.cause == "timeout" else [contact, end]


class RecordProgressUpdate(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer was told how things stand."""

    WHO = FRONT
    OWN = False

    text: Text
    channel: Channel | None = None
    message_ref: Short | None = None
    next_update_by: Instant | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_disclosure(state)
        next_update_by = self.next_update_by
        if next_update_by is not None:
            next_update_by = ahead(next_update_by, at, "next_update_by")
        update = ProgressUpdateSent(
            channel=self.channel or state.intake.answer_by,
            text=self.text,
            message_ref=self.message_ref,
            next_update_by=next_update_by,
            sent_at=at,
        )
        known = self.message_ref in state.contact.sent or update in state.contact.exchanged
        return [] if known else [update]


class StartWaiting(CaseAsk, frozen=True, kw_only=True):
    """Begin to wait for what the customer or a third party was asked for."""

    reason: WaitingFor
    asked_for: Text
    """The question that was put to them: without one, nobody is waited for (I-14)."""
    expected_by: Instant | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, OPEN, self)
        expected_by = self.expected_by
        if expected_by is not None:
            expected_by = ahead(expected_by, at, "expected_by")
        started = WaitingStarted(self.reason, self.asked_for, expected_by)
        running = state.contact.waiting.get(self.reason)
        if running == started:
            return []
        if running is not None:
            raise Rejected(
                "already-waiting",
                f"the case waits for the {told(self.reason)} already, for: {running.asked_for};"
                " end that before asking for something else",
                field="reason",
            )
        return [started]


class EndWaiting(CaseAsk, frozen=True, kw_only=True):
    """Stop waiting. What the customer sends is recorded as a contact instead, which ends it."""

    reason: WaitingFor
    cause: Literal["agent", "third_party_reply", "timeout"] = "agent"

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        if self.cause == "third_party_reply" and self.reason != "third_party":
            raise Rejected(
                "wrong-cause",
                "the customer's reply is recorded as a contact, which ends the waiting by itself",
                field="cause",
            )
        waiting = state.contact.waiting.get(self.reason)
        if waiting is None:
            return []
        if self.cause == "timeout" and (waiting.expected_by is None or at < waiting.expected_by):
            until = minute(waiting.expected_by) if waiting.expected_by else "without a date"
            raise Rejected(
                "not-due",
                f"the {told(self.reason)} has time until {until}: end it by cause agent",
                field="cause",
                invariant="I-14",
            )
        return [ended(waiting, self.cause, at)]


ContactCommand = (
    RecordAcknowledgement
    | RecordResponse
    | RecordContact
    | RecordProgressUpdate
    | StartWaiting
    | EndWaiting
)
