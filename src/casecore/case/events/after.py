"""After: what the customer made of it, and whether they stayed."""

from typing import Literal

from casecore.case.events.intake import Channel
from casecore.facts import Event

RetentionStatus = Literal["stayed", "reduced", "left", "unknown"]
RetentionDay = Literal[30, 90, 365]


class SatisfactionRequested(Event, frozen=True):
    survey_version: int
    channel: Channel

    def told(self) -> str:
        return f"asked the customer how it went, by {self.channel}"


class SatisfactionRecorded(Event, frozen=True):
    csat: int | None = None
    felt_heard: int | None = None
    effort: int | None = None
    comment: str | None = None

    def told(self) -> str:
        answers = {"csat": self.csat, "felt heard": self.felt_heard, "effort": self.effort}
        given = ", ".join(f"{name} {n}" for name, n in answers.items() if n is not None)
        return f"recorded the customer's rating: {given or 'in words only'}"


class RetentionOutcomeRecorded(Event, frozen=True):
    status: RetentionStatus
    at_days: RetentionDay

    def told(self) -> str:
        return f"recorded that after {self.at_days} days the customer: {self.status}"


class TestimonialRequested(Event, frozen=True):
    __test__ = False

    def told(self) -> str:
        return "asked for a testimonial"


class TestimonialGiven(Event, frozen=True):
    __test__ = False

    text: str
    publish_consent: bool

    def told(self) -> str:
        consent = "may be published" if self.publish_consent else "not for publication"
        return f"recorded a testimonial ({consent}): {self.text}"


class ReferralRequested(Event, frozen=True):
    def told(self) -> str:
        return "asked for a referral"


class ReferralReceived(Event, frozen=True):
    referred_ref: str

    def told(self) -> str:
        return f"recorded the referral of {self.referred_ref}"


class InteractionQualityReviewed(Event, frozen=True):
    interaction_id: str
    form_version: int
    scores: dict[str, int]

    def told(self) -> str:
        return f"reviewed the quality of conversation {self.interaction_id}"


AfterEvent = (
    SatisfactionRequested
    | SatisfactionRecorded
    | RetentionOutcomeRecorded
    | TestimonialRequested
    | TestimonialGiven
    | ReferralRequested
    | ReferralReceived
    | InteractionQualityReviewed
)
