"""Discounts and other goodwill: what was offered as thanks or redress, and who allowed it."""

from datetime import datetime
from typing import Literal

from casecore.actors import Role
from casecore.facts import Event
from casecore.money import Money

GoodwillKind = Literal["refund", "compensation", "fee_waiver", "gift"]
Purpose = Literal["thank_you", "redress", "distress", "retention"]


class DiscountOffered(Event, frozen=True):
    """Of `percent_bp` hundredths of a percent, at most `cap`, or of a fixed `amount`."""

    offer_id: str
    purpose: Purpose
    policy_version: int
    expires_at: datetime
    percent_bp: int | None = None
    amount: Money | None = None
    cap: Money | None = None

    def told(self) -> str:
        return f"offered discount {self.offer_id} of {size(self.percent_bp, self.amount)}"


class GoodwillOffered(Event, frozen=True):
    offer_id: str
    kind: GoodwillKind
    purpose: Purpose
    amount: Money
    policy_version: int
    expires_at: datetime

    def told(self) -> str:
        return f"offered {self.kind.replace('_', ' ')} {self.offer_id} of {self.amount}"


class GoodwillApprovalRequested(Event, frozen=True):
    offer_id: str
    offered_by: str
    required_role: Role

    def told(self) -> str:
        return f"asked {self.required_role.one} to approve offer {self.offer_id}"


class GoodwillApproved(Event, frozen=True):
    offer_id: str

    def told(self) -> str:
        return f"approved offer {self.offer_id}"


class GoodwillDeclined(Event, frozen=True):
    offer_id: str
    reason: str

    def told(self) -> str:
        return f"declined to approve offer {self.offer_id}: {self.reason}"


class GoodwillAccepted(Event, frozen=True):
    offer_id: str

    def told(self) -> str:
        return f"recorded that the customer accepted offer {self.offer_id}"


class GoodwillRefused(Event, frozen=True):
    offer_id: str
    reason: str | None = None

    def told(self) -> str:
        return f"recorded that the customer refused offer {self.offer_id}"


class GoodwillPaid(Event, frozen=True):
    offer_id: str
    payment_ref: str
    amount: Money
    paid_at: datetime

    def told(self) -> str:
        return f"recorded payment {self.payment_ref} of {self.amount} for offer {self.offer_id}"


class GoodwillExpired(Event, frozen=True):
    offer_id: str
    expired_at: datetime

    def told(self) -> str:
        return f"found offer {self.offer_id} expired"


class GoodwillWithdrawn(Event, frozen=True):
    offer_id: str
    reason: str

    def told(self) -> str:
        return f"withdrew offer {self.offer_id}: {self.reason}"


class GoodwillReversed(Event, frozen=True):
    offer_id: str
    reason: str

    def told(self) -> str:
        return f"reversed offer {self.offer_id}: {self.reason}"


GoodwillEvent = (
    DiscountOffered
    | GoodwillOffered
    | GoodwillApprovalRequested
    | GoodwillApproved
    | GoodwillDeclined
    | GoodwillAccepted
    | GoodwillRefused
    | GoodwillPaid
    | GoodwillExpired
    | GoodwillWithdrawn
    | GoodwillReversed
)


def size(percent_bp: int | None, amount: Money | None) -> str:
    return str(amount) if percent_bp is None else f"{percent_bp / 100:g} %"
