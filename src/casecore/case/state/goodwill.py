"""The offers of goodwill, and which of them await approval, an answer or payment."""

from datetime import datetime
from typing import Literal, Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.actors import Role
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillAccepted,
    GoodwillApprovalRequested,
    GoodwillApproved,
    GoodwillDeclined,
    GoodwillExpired,
    GoodwillOffered,
    GoodwillPaid,
    GoodwillRefused,
    GoodwillReversed,
    GoodwillWithdrawn,
)
from casecore.money import Money

OfferStatus = Literal[
    "awaiting_approval",
    "offered",
    "accepted",
    "paid",
    "declined",
    "refused",
    "expired",
    "withdrawn",
    "reversed",
]


class Offer(msgspec.Struct, frozen=True):
    kind: str
    """discount, or a kind of goodwill."""
    amount: Money | None
    percent_bp: int | None
    cap: Money | None
    expires_at: datetime
    status: OfferStatus = "offered"
    offered_by: str | None = None
    """Who asked for approval, and so may not give it."""
    required_role: Role | None = None


class Goodwill(msgspec.Struct, frozen=True):
    all: dict[str, Offer] = {}

    def evolve(
        self,
        event: DiscountOffered
        | GoodwillOffered
        | GoodwillApprovalRequested
        | GoodwillApproved
        | GoodwillDeclined
        | GoodwillAccepted
        | GoodwillRefused
        | GoodwillPaid
        | GoodwillExpired
        | GoodwillWithdrawn
        | GoodwillReversed,
    ) -> Self:
        match event:
            case DiscountOffered():
                offer = Offer(
                    "discount", event.amount, event.percent_bp, event.cap, event.expires_at
                )
                return replace(self, all=self.all | {event.offer_id: offer})
            case GoodwillOffered():
                offer = Offer(event.kind, event.amount, None, None, event.expires_at)
                return replace(self, all=self.all | {event.offer_id: offer})
            case GoodwillApprovalRequested():
                return self.having(
                    event.offer_id,
                    status="awaiting_approval",
                    offered_by=event.offered_by,
                    required_role=event.required_role,
                )
            case GoodwillApproved():
                return self.having(event.offer_id, status="offered")
            case GoodwillDeclined():
                return self.having(event.offer_id, status="declined")
            case GoodwillAccepted():
                return self.having(event.offer_id, status="accepted")
            case GoodwillRefused():
                return self.having(event.offer_id, status="refused")
            case GoodwillPaid():
                return self.having(event.offer_id, status="paid", amount=event.amount)
            case GoodwillExpired():
                return self.having(event.offer_id, status="expired")
            case GoodwillWithdrawn():
                return self.having(event.offer_id, status="withdrawn")
            case GoodwillReversed():
                return self.having(event.offer_id, status="reversed")
            case _:
                assert_never(event)

    def having(self, offer_id: str, **changes: object) -> Self:
        return replace(self, all=self.all | {offer_id: replace(self.all[offer_id], **changes)})
