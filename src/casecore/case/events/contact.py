"""Contact: what went to the customer, what came from them, and who is waited for."""

from datetime import datetime
from typing import Literal

from casecore.case.events.intake import Channel
from casecore.facts import Event

AcknowledgementMode = Literal["oral", "written"]
WaitingFor = Literal["customer", "third_party"]
WaitingEnd = Literal["customer_contact", "third_party_reply", "timeout", "agent", "resolution"]


class AcknowledgementSent(Event, frozen=True):
    mode: AcknowledgementMode
    channel: Channel
    message_ref: str | None = None

    def told(self) -> str:
        return f"sent a {self.mode} acknowledgement by {self.channel}"


class ResponseSent(Event, frozen=True):
    channel: Channel
    message_ref: str | None = None
    interaction_id: str | None = None
    text: str | None = None
    sent_at: datetime | None = None

    def told(self) -> str:
        return f"replied to the customer by {self.channel}"


class CustomerContacted(Event, frozen=True):
    """The customer got in touch."""

    channel: Channel
    message_ref: str | None = None
    text: str | None = None
    contacted_at: datetime | None = None

    def told(self) -> str:
        return f"recorded that the customer got in touch by {self.channel}"


class ProgressUpdateSent(Event, frozen=True):
    channel: Channel
    text: str
    message_ref: str | None = None
    next_update_by: datetime | None = None
    sent_at: datetime | None = None

    def told(self) -> str:
        return f"told the customer how things stand: {self.text}"


class WaitingStarted(Event, frozen=True):
    reason: WaitingFor
    asked_for: str
    expected_by: datetime | None = None

    def told(self) -> str:
        return f"began to wait for the {self.reason.replace('_', ' ')}: {self.asked_for}"


class WaitingEnded(Event, frozen=True):
    reason: WaitingFor
    cause: WaitingEnd
    ended_at: datetime

    def told(self) -> str:
        cause = self.cause.replace("_", " ")
        return f"stopped waiting for the {self.reason.replace('_', ' ')} ({cause})"


ContactEvent = (
    AcknowledgementSent
    | ResponseSent
    | CustomerContacted
    | ProgressUpdateSent
    | WaitingStarted
    | WaitingEnded
)
