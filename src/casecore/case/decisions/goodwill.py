"""Discounts and other goodwill: offer them within limits, have more approved, see them settled."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.asking import FRONT, LEADS, Beside, Instant, LocalId, Short, Text
from casecore.case.decisions.base import (
    LASTING,
    UNCLOSED,
    CaseAsk,
    ahead,
    found,
    minute,
    next_id,
    refuse_unless,
    told,
)
from casecore.case.events import CaseEvent
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillAccepted,
    GoodwillApprovalRequested,
    GoodwillApproved,
    GoodwillDeclined,
    GoodwillExpired,
    GoodwillKind,
    GoodwillOffered,
    GoodwillPaid,
    GoodwillRefused,
    GoodwillReversed,
    GoodwillWithdrawn,
    Purpose,
    size,
)
from casecore.case.state import Case
from casecore.case.state.goodwill import Offer
from casecore.errors import Conflict, Forbidden, Rejected
from casecore.goodwill.events import GoodwillPolicyPublished, GoodwillTerms
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy, roles_allowed
from casecore.money import Money

PercentBp = Annotated[int, Meta(ge=1, le=10_000, description="Hundredths of a percent")]


class OfferDiscount(CaseAsk, frozen=True, kw_only=True):
    """Offer a discount; above the limit of whoever offers, approval is asked for."""

    BACKDATES = False

    purpose: Purpose
    percent_bp: PercentBp | None = None
    """This or `amount`."""
    amount: Money | None = None
    cap: Money | None = None
    """The most that a percentage may come to."""
    expires_at: Instant | None = None

    def beside(self, state: Case) -> Beside:
        return Beside(GoodwillPolicy, GOODWILL_POLICY_ID)

    def decide(
        self, state: Case, by: Actor, at: datetime, policy: GoodwillPolicy
    ) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        if (self.percent_bp is None) == (self.amount is None):
            raise Rejected(
                "percent-or-amount",
                "a discount has either percent_bp or an amount",
                field="percent_bp",
            )
        if self.cap is not None and self.percent_bp is None:
            raise Rejected(
                "percent-or-amount", "only a percentage has a cap; an amount is one", field="cap"
            )
        version = in_force(policy, at)
        offered = DiscountOffered(
            offer_id=next_id("g", state.goodwill.all),
            purpose=self.purpose,
            policy_version=version.version,
            expires_at=expiry(self.expires_at, at, version.terms),
            percent_bp=self.percent_bp,
            amount=self.amount,
            cap=self.cap,
        )
        return within_limits(state, offered, by, at, version.terms)


class OfferGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Offer a refund, compensation, a waiver or a gift; above one's limit, it needs approval."""

    BACKDATES = False

    kind: GoodwillKind
    purpose: Purpose
    amount: Money
    expires_at: Instant | None = None

    def beside(self, state: Case) -> Beside:
        return Beside(GoodwillPolicy, GOODWILL_POLICY_ID)

    def decide(
        self, state: Case, by: Actor, at: datetime, policy: GoodwillPolicy
    ) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        version = in_force(policy, at)
        offered = GoodwillOffered(
            offer_id=next_id("g", state.goodwill.all),
            kind=self.kind,
            purpose=self.purpose,
            amount=self.amount,
            policy_version=version.version,
            expires_at=expiry(self.expires_at, at, version.terms),
        )
        return within_limits(state, offered, by, at, version.terms)


class ApproveGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Allow what somebody else may not offer alone."""

    WHO = LEADS
    BACKDATES = False

    offer_id: LocalId

    def beside(self, state: Case) -> Beside:
        return Beside(GoodwillPolicy, GOODWILL_POLICY_ID)

    def decide(
        self, state: Case, by: Actor, at: datetime, policy: GoodwillPolicy
    ) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status in ("offered", "accepted", "paid"):
            return []
        if offer.status != "awaiting_approval":
            raise decided_already(self.offer_id, offer)
        if offer.offered_by == by.id:
            raise Forbidden(
                "self-approval",
                f"{by.id} offered {self.offer_id}: somebody else has to approve it",
                invariant="I-08",
            )
        refuse_expired(self.offer_id, offer, at)
        given = [o for o in standing(state, at) if o.status != "awaiting_approval"]
        roles = allowed(in_force(policy, at).terms, offer, given)
        if rank(by) not in roles:
            raise over_limit(
                f"{self.offer_id} is, with what stands on the case, more than {rank(by).one}"
                " may give",
                roles[0],
            )
        return [GoodwillApproved(self.offer_id)]


class DeclineGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Do not allow an offer that awaits approval, and say why."""

    WHO = LEADS
    BACKDATES = False

    offer_id: LocalId
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status == "declined":
            return []
        if offer.status != "awaiting_approval":
            raise decided_already(self.offer_id, offer)
        return [GoodwillDeclined(self.offer_id, self.reason)]


class AcceptGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer accepts the offer."""

    BACKDATES = False

    offer_id: LocalId

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status in ("accepted", "paid"):
            return []
        refuse_unoffered(self.offer_id, offer)
        refuse_expired(self.offer_id, offer, at)
        return [GoodwillAccepted(self.offer_id)]


class RefuseGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer does not want the offer."""

    offer_id: LocalId
    reason: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status == "refused":
            return []
        refuse_unoffered(self.offer_id, offer)
        return [GoodwillRefused(self.offer_id, self.reason)]


class RecordGoodwillPaid(CaseAsk, frozen=True, kw_only=True):
    """Record that the refund, compensation or gift that the customer accepted was paid."""

    WHO = FRONT

    offer_id: LocalId
    payment_ref: Short
    amount: Money | None = None
    """Without one, all of it was paid."""
    paid_at: Instant | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status == "paid" and offer.payment_ref == self.payment_ref:
            return []
        if offer.status in ("awaiting_approval", "offered"):
            raise Rejected(
                "goodwill-not-accepted",
                f"{self.offer_id} is {told(offer.status)}: the customer has to accept it first",
            )
        if offer.status != "accepted":
            raise decided_already(self.offer_id, offer)
        amount, most = self.amount or offer.amount, offer.amount
        if not offer.paid_out or amount is None or most is None:
            raise Rejected(
                "nothing-to-pay",
                f"{self.offer_id} is a {told(offer.kind)}, which the customer has once they accept"
                " it: only a refund, compensation or a gift is paid",
                field="offer_id",
            )
        if amount.minor == 0:
            raise Rejected("nothing-to-pay", "amount must be more than nothing", field="amount")
        if amount.currency != most.currency or amount.minor > most.minor:
            raise Rejected(
                "payment-exceeds-offer",
                f"the customer was offered {most}, and {amount} is more, or another currency:"
                " offer the rest, too",
                field="amount",
            )
        paid_at = self.paid_at or at
        if not (state.intake.received_at or at) <= paid_at <= at:
            raise Rejected(
                "paid-at-impossible",
                "a payment is recorded once it is made, and is made after the complaint came in",
                field="paid_at",
            )
        return [GoodwillPaid(self.offer_id, self.payment_ref, amount, paid_at.astimezone(UTC))]


class ExpireGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Note that nobody answered the offer in time."""

    WHO = LEADS

    offer_id: LocalId

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status not in ("awaiting_approval", "offered"):
            return []  # Answered since the clock was read.
        if offer.open(at):
            raise Rejected(
                "goodwill-still-valid",
                f"{self.offer_id} is valid until {minute(offer.expires_at)}: withdraw it, or wait",
            )
        return [GoodwillExpired(self.offer_id, offer.expires_at)]


class WithdrawGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Take back an offer that was not accepted yet."""

    offer_id: LocalId
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status == "withdrawn":
            return []
        if offer.status not in ("awaiting_approval", "offered"):
            raise decided_already(self.offer_id, offer)
        return [GoodwillWithdrawn(self.offer_id, self.reason)]


class ReverseGoodwill(CaseAsk, frozen=True, kw_only=True):
    """Undo goodwill that the customer had accepted, or was paid."""

    WHO = LEADS

    offer_id: LocalId
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        offer = found(state.goodwill.all, self.offer_id, "offer_id")
        if offer.status == "reversed":
            return []
        if offer.status not in ("accepted", "paid"):
            raise Rejected(
                "nothing-to-reverse",
                f"{self.offer_id} is {told(offer.status)}; only what was accepted or paid can be"
                " reversed, and what is still open can be withdrawn",
            )
        return [GoodwillReversed(self.offer_id, self.reason)]


GoodwillCommand = (
    OfferDiscount
    | OfferGoodwill
    | ApproveGoodwill
    | DeclineGoodwill
    | AcceptGoodwill
    | RefuseGoodwill
    | RecordGoodwillPaid
    | ExpireGoodwill
    | WithdrawGoodwill
    | ReverseGoodwill
)


def in_force(policy: GoodwillPolicy, at: datetime) -> GoodwillPolicyPublished:
    version = policy.at(at)
    if version is None:
        raise Rejected(
            "no-goodwill-policy",
            "no goodwill policy is in force: have an administrator publish one"
            " with `casecore policy publish FILE`",
        )
    return version


def expiry(expires_at: datetime | None, at: datetime, terms: GoodwillTerms) -> datetime:
    """When the offer ends: as was said, or after as long as the policy gives."""
    if expires_at is None:
        return at + timedelta(days=terms.offer_valid_days)
    return ahead(expires_at, at, "expires_at")


def within_limits(
    state: Case,
    offered: DiscountOffered | GoodwillOffered,
    by: Actor,
    at: datetime,
    terms: GoodwillTerms,
) -> list[CaseEvent]:
    """The offer, with the approval that it needs, unless it is too much altogether (I-24)."""
    offer = Offer.of(offered)
    if offer.worth is not None and offer.worth.minor == 0:
        raise Rejected("nothing-offered", "an offer of nothing is none", field="amount")
    others = standing(state, at)
    if any(offer.is_as(other) for other in others):
        return []
    roles = allowed(terms, offer, others)
    refuse_over_case_limit(offer, others, terms)
    if rank(by) in roles:
        return [offered]
    return [offered, GoodwillApprovalRequested(offered.offer_id, by.id, roles[0])]


def standing(state: Case, at: datetime) -> list[Offer]:
    return [offer for offer in state.goodwill.all.values() if offer.stands(at)]


def allowed(terms: GoodwillTerms, offer: Offer, others: list[Offer]) -> tuple[Role, ...]:
    """Who may give the offer on top of the others, the lowest first; refused if nobody may."""
    percent_bp, worth = offer.percent_bp, offer.worth
    if percent_bp is not None:
        percent_bp += sum(o.percent_bp for o in others if o.percent_bp is not None)
        if not roles_allowed(terms, percent_bp, None):
            raise over_limit(
                f"{size(percent_bp, None)} altogether is more than anybody may give",
                field="percent_bp",
            )
    if worth is not None:
        worth = altogether(worth, others)
    roles = roles_allowed(terms, percent_bp, worth)
    if not roles:
        what, field = ("a cap", "cap") if offer.cap else ("an amount", "amount")
        raise over_limit(
            f"{what} of {offer.worth}, {worth} altogether, is more than anybody may give",
            field=field,
        )
    return roles


def altogether(new: Money, others: list[Offer]) -> Money:
    """The new amount with all that the others may come to in its currency."""
    given = [o.worth.minor for o in others if o.worth and o.worth.currency == new.currency]
    return Money(new.minor + sum(given), new.currency)


def refuse_over_case_limit(offer: Offer, others: list[Offer], terms: GoodwillTerms) -> None:
    """Hold all that the case is offered against what one case may be given.

    A percentage without a cap counts for nothing here: what it comes to is not known.
    """
    new = offer.worth
    if new is None:
        return
    total = altogether(new, others)
    for most in terms.case_amounts:
        if most.currency == new.currency and total.minor > most.minor:
            raise over_limit(
                f"the case would be given {total} in all, and the policy stops at {most}",
                limit=most,
            )


def over_limit(
    what: str,
    required_role: Role | None = None,
    limit: Money | None = None,
    field: str | None = None,
) -> Rejected:
    remedy = f"ask {required_role.one}" if required_role else "offer less"
    return Rejected(
        "goodwill-limit-exceeded",
        f"{what}: {remedy}",
        field=field,
        required_role=required_role,
        limit=limit,
        invariant="I-24",
    )


def rank(by: Actor) -> Role:
    """casecore itself may give what an administrator may."""
    return Role.ADMIN if by.role is Role.SYSTEM else by.role


def refuse_unoffered(offer_id: str, offer: Offer) -> None:
    """Refuse the customer's answer to what they were not offered."""
    if offer.status == "awaiting_approval":
        assert offer.required_role
        raise Rejected(
            "goodwill-awaiting-approval",
            f"{offer_id} awaits approval by {offer.required_role.one}: have it approved first,"
            " or withdraw it",
            offers=[offer_id],
        )
    if offer.status != "offered":
        raise decided_already(offer_id, offer)


def refuse_expired(offer_id: str, offer: Offer, at: datetime) -> None:
    if offer.expires_at <= at:
        raise Rejected(
            "offer-expired",
            f"{offer_id} ended on {minute(offer.expires_at)}: offer it anew",
        )


def decided_already(offer_id: str, offer: Offer) -> Conflict:
    paid = f" as {offer.payment_ref}" if offer.status == "paid" else ""
    return Conflict(
        "already-decided",
        f"{offer_id} is {told(offer.status)}{paid} already: make a new offer, or, if it is"
        " accepted or paid, have a supervisor reverse it",
    )
