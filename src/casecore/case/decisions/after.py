"""After: ask what the customer made of it, and whether they stayed."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from casecore.actors import Actor
from casecore.asking import FRONT, LEADS, Code, LocalId, Text
from casecore.case.decisions.base import LASTING, CaseAsk, refuse_unknown, refuse_unless
from casecore.case.events import CaseEvent
from casecore.case.events.after import (
    InteractionQualityReviewed,
    ReferralReceived,
    ReferralRequested,
    RetentionDay,
    RetentionOutcomeRecorded,
    RetentionStatus,
    SatisfactionRecorded,
    SatisfactionRequested,
    TestimonialGiven,
    TestimonialRequested,
)
from casecore.case.events.intake import Channel
from casecore.case.state import Case
from casecore.case.state.outcome import Stage
from casecore.errors import Rejected

ANSWERED: frozenset[Stage] = frozenset({"resolved", "closed"})
CSAT_CONFIRMED = 4
"""From here on a customer is satisfied enough to be asked for a favour (I-28)."""

FormVersion = Annotated[int, Meta(ge=1, le=10**6)]
OneToFive = Annotated[int, Meta(ge=1, le=5)]
OneToSeven = Annotated[int, Meta(ge=1, le=7)]
Scores = Annotated[
    dict[Code, Annotated[int, Meta(ge=0, le=100)]], Meta(min_length=1, max_length=50)
]


class RequestSatisfaction(CaseAsk, frozen=True, kw_only=True):
    """Ask the customer how it went."""

    channel: Channel
    survey_version: FormVersion = 1

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, ANSWERED, self)
        if state.after.satisfaction_requested:
            return []
        return [SatisfactionRequested(self.survey_version, self.channel)]


class RecordSatisfaction(CaseAsk, frozen=True, kw_only=True):
    """Record how the customer found it: how well, how much heard, at how much effort."""

    WHO = FRONT
    OWN = False

    csat: OneToFive | None = None
    felt_heard: OneToFive | None = None
    effort: OneToSeven | None = None
    comment: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, ANSWERED, self)
        answer = SatisfactionRecorded(self.csat, self.felt_heard, self.effort, self.comment)
        if answer == SatisfactionRecorded():
            raise Rejected(
                "nothing-answered", "give csat, felt_heard, effort or a comment", field="csat"
            )
        return [] if answer == state.after.satisfaction else [answer]


class RecordRetention(CaseAsk, frozen=True, kw_only=True):
    """Record whether the customer stayed."""

    OWN = False

    status: RetentionStatus
    at_days: RetentionDay

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, ANSWERED, self)
        if state.after.retention.get(self.at_days) == self.status:
            return []
        return [RetentionOutcomeRecorded(self.status, self.at_days)]


class RequestTestimonial(CaseAsk, frozen=True, kw_only=True):
    """Ask a satisfied customer for a testimonial."""

    __test__ = False

    customer_offered: bool = False
    """The customer came forward with it."""

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        if state.after.testimonial_requested:
            return []
        refuse_unsatisfied(state, self.customer_offered)
        return [TestimonialRequested()]


class RecordTestimonial(CaseAsk, frozen=True, kw_only=True):
    """Record what the customer says in our favour."""

    OWN = False

    text: Text
    publish_consent: bool = False

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        given = TestimonialGiven(self.text, self.publish_consent)
        return [] if given == state.after.testimonial else [given]


class RequestReferral(CaseAsk, frozen=True, kw_only=True):
    """Ask a satisfied customer to recommend us."""

    customer_offered: bool = False
    """The customer came forward with it."""

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        if state.after.referral_requested:
            return []
        refuse_unsatisfied(state, self.customer_offered)
        return [ReferralRequested()]


class RecordReferral(CaseAsk, frozen=True, kw_only=True):
    """Record whom the customer sent to us."""

    OWN = False

    referred_ref: Code

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        if self.referred_ref in state.after.referrals:
            return []
        return [ReferralReceived(self.referred_ref)]


class ReviewInteraction(CaseAsk, frozen=True, kw_only=True):
    """Rate how a conversation was held: calm, polite, seen from the customer's side."""

    WHO = LEADS

    interaction_id: LocalId
    scores: Scores
    form_version: FormVersion = 1

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        review = InteractionQualityReviewed(self.interaction_id, self.form_version, self.scores)
        return [] if review == state.after.reviews.get(self.interaction_id) else [review]


AfterCommand = (
    RequestSatisfaction
    | RecordSatisfaction
    | RecordRetention
    | RequestTestimonial
    | RecordTestimonial
    | RequestReferral
    | RecordReferral
    | ReviewInteraction
)


def refuse_unsatisfied(state: Case, customer_offered: bool) -> None:
    """Ask for favours only who is known to be satisfied, or offers them (I-28)."""
    csat = state.after.satisfaction.csat if state.after.satisfaction else None
    confirmed = state.stage == "closed" and csat is not None and csat >= CSAT_CONFIRMED
    if not confirmed and not customer_offered:
        raise Rejected(
            "satisfaction-not-confirmed",
            f"ask once the case is closed and the customer gave at least {CSAT_CONFIRMED} of 5,"
            " or say that the customer offered it",
            field="customer_offered",
            invariant="I-28",
        )
