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
    Purpose,
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

PAID_OUT = frozenset({"refund", "compensation", "gift"})
"""The kinds that are settled by paying; the others are by being accepted."""


class Offer(msgspec.Struct, frozen=True):
    kind: str
    """discount, or a kind of goodwill."""
    purpose: Purpose
    expires_at: datetime
    amount: Money | None = None
    percent_bp: int | None = None
    cap: Money | None = None
    status: OfferStatus = "offered"
    offered_by: str | None = None
    """Who asked for approval, and so may not give it."""
    required_role: Role | None = None
    payment_ref: str | None = None

    @classmethod
    def of(cls, event: DiscountOffered | GoodwillOffered) -> Self:
        if isinstance(event, GoodwillOffered):
            return cls(event.kind, event.purpose, event.expires_at, amount=event.amount)
        return cls(
            kind="discount",
            purpose=event.purpose,
            expires_at=event.expires_at,
            amount=event.amount,
            percent_bp=event.percent_bp,
            cap=event.cap,
        )

    @property
    def worth(self) -> Money | None:
        """The most it may come to; None for a percentage without a cap."""
        return self.amount or self.cap

    @property
    def paid_out(self) -> bool:
        return self.kind in PAID_OUT

    def is_as(self, other: Self) -> bool:
        mine = (self.kind, self.purpose, self.amount, self.percent_bp, self.cap)
        return mine == (other.kind, other.purpose, other.amount, other.percent_bp, other.cap)

    def open(self, at: datetime) -> bool:
        """Whether it still waits for an answer then, ours or the customer's."""
        return self.status in ("awaiting_approval", "offered") and at < self.expires_at

    def stands(self, at: datetime) -> bool:
        """Whether the customer has it, or may get it yet."""
        return self.status in ("accepted", "paid") or self.open(at)


class Goodwill(msgspec.Struct, frozen=True):
    all: dict[str, Offer] = {}

    def awaiting_approval(self, at: datetime) -> list[str]:
        return [
            id
            for id, offer in self.all.items()
            if offer.status == "awaiting_approval" and offer.open(at)
        ]

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
            case DiscountOffered() | GoodwillOffered():
                return replace(self, all=self.all | {event.offer_id: Offer.of(event)})
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
                return self.having(
                    event.offer_id,
                    status="paid",
                    amount=event.amount,
                    payment_ref=event.payment_ref,
                )
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
