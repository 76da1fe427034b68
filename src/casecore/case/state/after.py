"""What the customer made of it."""

from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.after import (
    InteractionQualityReviewed,
    ReferralReceived,
    ReferralRequested,
    RetentionOutcomeRecorded,
    SatisfactionRecorded,
    SatisfactionRequested,
    TestimonialGiven,
    TestimonialRequested,
)


class After(msgspec.Struct, frozen=True):
    satisfaction_requested: bool = False
    satisfaction: SatisfactionRecorded | None = None
    """The last answer."""
    retention: dict[int, str] = {}
    """The outcome by the number of days after which it was recorded."""
    testimonial_requested: bool = False
    testimonial: TestimonialGiven | None = None
    referral_requested: bool = False
    referrals: frozenset[str] = frozenset()
    reviews: dict[str, InteractionQualityReviewed] = {}
    """The last review of each conversation."""

    def evolve(
        self,
        event: SatisfactionRequested
        | SatisfactionRecorded
        | RetentionOutcomeRecorded
        | TestimonialRequested
        | TestimonialGiven
        | ReferralRequested
        | ReferralReceived
        | InteractionQualityReviewed,
    ) -> Self:
        match event:
            case SatisfactionRequested():
                return replace(self, satisfaction_requested=True)
            case SatisfactionRecorded():
                return replace(self, satisfaction=event)
            case RetentionOutcomeRecorded():
                return replace(self, retention=self.retention | {event.at_days: event.status})
            case TestimonialRequested():
                return replace(self, testimonial_requested=True)
            case TestimonialGiven():
                return replace(self, testimonial=event)
            case ReferralRequested():
                return replace(self, referral_requested=True)
            case ReferralReceived():
                return replace(self, referrals=self.referrals | {event.referred_ref})
            case InteractionQualityReviewed():
                return replace(self, reviews=self.reviews | {event.interaction_id: event})
            case _:
                assert_never(event)
