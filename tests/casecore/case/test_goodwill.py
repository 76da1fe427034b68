from datetime import timedelta

import pytest

from casecore.actors import Actor, Role
from casecore.asking import Ask
from casecore.case.decisions.goodwill import (
    AcceptGoodwill,
    ApproveGoodwill,
    DeclineGoodwill,
    ExpireGoodwill,
    OfferDiscount,
    OfferGoodwill,
    RecordGoodwillPaid,
    RefuseGoodwill,
    ReverseGoodwill,
    WithdrawGoodwill,
)
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
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.facts import Event
from casecore.goodwill.events import GoodwillPolicyPublished, GoodwillTerms, Limit
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.money import Money
from tests.spec import ADA, ADMIN, BEN, NOON, SAM, SERVICE, SYSTEM, Spec, given, registered

SUE = Actor("sue", Role.SUPERVISOR)
BOTH_HATS = Actor("ada", Role.SUPERVISOR)
MONTH = NOON + timedelta(days=30)
DAY = NOON + timedelta(days=1)


def pounds(amount: int) -> Money:
    return Money(amount * 100, "GBP")


terms = GoodwillTerms(
    limits=(
        Limit(Role.AGENT, 1000, (pounds(50),)),
        Limit(Role.SUPERVISOR, 3000, (pounds(200),)),
        Limit(Role.ADMIN, 5000, (pounds(1000),)),
    ),
    case_amounts=(pounds(600),),
)
policy = GoodwillPolicy(
    GOODWILL_POLICY_ID, versions=(GoodwillPolicyPublished(1, terms, NOON - timedelta(days=9)),)
)

assigned = CaseAssigned("ada", "claim")
resolved = ComplaintResolved(outcome="upheld", reasons="Lost at the depot")
discount = DiscountOffered("g1", "thank_you", 1, MONTH, percent_bp=1000)
refund = GoodwillOffered("g1", "refund", "redress", pounds(40), 1, MONTH)
asked = GoodwillApprovalRequested("g1", "ada", Role.SUPERVISOR)
approved = GoodwillApproved("g1")
accepted = GoodwillAccepted("g1")
paid = GoodwillPaid("g1", "pay-1", pounds(40), NOON)

thank = OfferDiscount(percent_bp=1000, purpose="thank_you")
give_back = OfferGoodwill(kind="refund", purpose="redress", amount=pounds(40))
approve = ApproveGoodwill(offer_id="g1")
decline = DeclineGoodwill(offer_id="g1", reason="Too much")
accept = AcceptGoodwill(offer_id="g1")
refuse = RefuseGoodwill(offer_id="g1", reason="Wants an apology")
pay = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-1")
expire = ExpireGoodwill(offer_id="g1")
withdraw = WithdrawGoodwill(offer_id="g1", reason="A mistake")
reverse = ReverseGoodwill(offer_id="g1", reason="Paid twice")


def case(*events: Event) -> Spec:
    return given(registered, assigned, *events)


def awaiting(offer: DiscountOffered | GoodwillOffered = discount) -> Spec:
    return case(offer, asked)


def test_a_discount_within_the_limit_is_offered_at_once() -> None:
    case().when(thank, beside=policy).then(discount).when(thank, beside=policy).then()


def test_other_goodwill_within_the_limit_is_offered_at_once() -> None:
    case().when(give_back, beside=policy).then(refund).when(give_back, beside=policy).then()


def test_an_offer_ends_when_it_says_or_else_when_the_policy_does() -> None:
    soon = OfferDiscount(percent_bp=1000, purpose="thank_you", expires_at=DAY)
    case().when(soon, beside=policy).then(
        DiscountOffered("g1", "thank_you", 1, DAY, percent_bp=1000)
    )
    gone = OfferDiscount(percent_bp=1000, purpose="thank_you", expires_at=NOON)
    case().when(gone, beside=policy).then_refused("not-ahead")


def test_a_discount_is_a_percentage_or_an_amount() -> None:
    neither = OfferDiscount(purpose="thank_you")
    both = OfferDiscount(purpose="thank_you", percent_bp=100, amount=pounds(1))
    capped = OfferDiscount(purpose="thank_you", amount=pounds(1), cap=pounds(2))
    for command in (neither, both, capped):
        case().when(command, beside=policy).then_refused("percent-or-amount")
    nothing = OfferDiscount(purpose="thank_you", amount=pounds(0))
    case().when(nothing, beside=policy).then_refused("nothing-offered")


def test_without_a_policy_nothing_is_offered() -> None:
    error = (
        case()
        .when(thank, beside=GoodwillPolicy(GOODWILL_POLICY_ID))
        .then_refused("no-goodwill-policy")
    )
    assert "casecore policy publish" in str(error)
    to_come = GoodwillPolicyPublished(1, terms, DAY)
    not_yet = GoodwillPolicy(GOODWILL_POLICY_ID, versions=(to_come,))
    case().when(thank, beside=not_yet).then_refused("no-goodwill-policy")
    case().when(thank, beside=not_yet, at=DAY).then(
        DiscountOffered("g1", "thank_you", 1, DAY + timedelta(days=30), percent_bp=1000)
    )


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (OfferDiscount(percent_bp=1001, purpose="retention"), Role.SUPERVISOR),
        (OfferDiscount(percent_bp=3001, purpose="retention"), Role.ADMIN),
        (OfferDiscount(amount=pounds(51), purpose="retention"), Role.SUPERVISOR),
        (OfferDiscount(percent_bp=100, cap=pounds(201), purpose="retention"), Role.ADMIN),
        (OfferDiscount(percent_bp=5000, cap=pounds(1), purpose="retention"), Role.ADMIN),
        (OfferGoodwill(kind="gift", purpose="distress", amount=pounds(200)), Role.SUPERVISOR),
        (OfferGoodwill(kind="gift", purpose="distress", amount=pounds(201)), Role.ADMIN),
    ],
)
def test_above_ones_limit_the_lowest_rank_that_may_is_asked(command: Ask, role: Role) -> None:
    spec = case().when(command, beside=policy)
    assert isinstance(spec.outcome, list)
    [offered, request] = spec.outcome
    assert request == GoodwillApprovalRequested("g1", "ada", role)
    spec.then(offered, request).when(command, beside=policy).then()


@pytest.mark.parametrize(
    "command",
    [
        OfferDiscount(percent_bp=5001, purpose="retention"),
        OfferGoodwill(kind="refund", purpose="redress", amount=Money(1, "JPY")),
        OfferGoodwill(kind="refund", purpose="redress", amount=pounds(1001)),
    ],
)
def test_more_than_anybody_may_give_is_refused(command: Ask) -> None:
    case().when(command, by=ADMIN, beside=policy).then_refused("goodwill-limit-exceeded")


@pytest.mark.parametrize(
    ("offer", "field", "words"),
    [
        (OfferDiscount(percent_bp=100, cap=pounds(1001), purpose="retention"), "cap", "a cap of"),
        (OfferDiscount(amount=pounds(1001), purpose="retention"), "amount", "an amount of"),
        (OfferDiscount(percent_bp=5001, cap=pounds(1), purpose="retention"), "percent_bp", "50.01"),
    ],
)
def test_the_refusal_says_what_of_the_offer_is_too_much(offer: Ask, field: str, words: str) -> None:
    error = case().when(offer, beside=policy).then_refused("goodwill-limit-exceeded")
    assert error.field == field
    assert words in str(error)


def test_an_offer_in_slices_needs_the_approval_that_it_needs_at_once() -> None:
    spec = case(DiscountOffered("g1", "thank_you", 1, MONTH, percent_bp=999))
    slice_ = OfferDiscount(percent_bp=998, purpose="thank_you")
    sliced = DiscountOffered("g2", "thank_you", 1, MONTH, percent_bp=998)
    spec.when(slice_, beside=policy).then(
        sliced, GoodwillApprovalRequested("g2", "ada", Role.SUPERVISOR)
    )
    more = OfferGoodwill(kind="gift", purpose="redress", amount=pounds(11))
    case(refund).when(more, beside=policy).then(
        GoodwillOffered("g2", "gift", "redress", pounds(11), 1, MONTH),
        GoodwillApprovalRequested("g2", "ada", Role.SUPERVISOR),
    )
    rest = OfferGoodwill(kind="gift", purpose="redress", amount=pounds(10))
    case(refund, accepted, paid).when(rest, beside=policy).then(
        GoodwillOffered("g2", "gift", "redress", pounds(10), 1, MONTH)
    )


def test_percentages_and_amounts_are_held_against_their_own_limits() -> None:
    case(refund).when(thank, beside=policy).then(
        DiscountOffered("g2", "thank_you", 1, MONTH, percent_bp=1000)
    )


def test_percentages_together_are_no_more_than_anybody_may_give() -> None:
    half = DiscountOffered("g1", "thank_you", 1, MONTH, percent_bp=5000)
    case(half).when(thank, by=ADMIN, beside=policy).then_refused("goodwill-limit-exceeded")
    free = GoodwillTerms(limits=(Limit(Role.AGENT, 10_000),))
    generous = GoodwillPolicy(
        GOODWILL_POLICY_ID, versions=(GoodwillPolicyPublished(1, free, NOON),)
    )
    rest = OfferDiscount(percent_bp=5001, purpose="thank_you")
    case(half).when(rest, beside=generous).then_refused("goodwill-limit-exceeded")


def test_slices_are_approved_as_far_as_the_approver_may_give_altogether() -> None:
    slices = [
        GoodwillOffered(f"g{n}", "gift", "distress", pounds(99 + n), 1, MONTH) for n in (1, 2)
    ]
    asked = [GoodwillApprovalRequested(f"g{n}", "ada", Role.SUPERVISOR) for n in (1, 2)]
    spec = case(slices[0], asked[0], slices[1], asked[1])
    spec = spec.when(approve, by=SAM, beside=policy).then(approved)
    second = ApproveGoodwill(offer_id="g2")
    error = spec.when(second, by=SAM, beside=policy).then_refused("goodwill-limit-exceeded")
    assert "ask an admin" in str(error)
    spec.when(second, by=ADMIN, beside=policy).then(GoodwillApproved("g2"))


def test_a_higher_rank_may_give_what_those_below_it_may() -> None:
    agents_only = GoodwillTerms(limits=(Limit(Role.AGENT, 1000),))
    loose = GoodwillPolicy(
        GOODWILL_POLICY_ID, versions=(GoodwillPolicyPublished(1, agents_only, NOON),)
    )
    for by in (SAM, ADMIN, SYSTEM):
        case().when(thank, by=by, beside=loose).then(discount)


def test_a_case_is_given_no_more_in_all_than_the_policy_says() -> None:
    large = OfferGoodwill(kind="refund", purpose="redress", amount=pounds(600))
    first = case(refund)
    error = first.when(large, by=ADMIN, beside=policy).then_refused("goodwill-limit-exceeded")
    assert error.context["limit"] == pounds(600)
    rest = OfferGoodwill(kind="refund", purpose="redress", amount=pounds(560))
    assert first.when(rest, by=ADMIN, beside=policy).then(
        GoodwillOffered("g2", "refund", "redress", pounds(560), 1, MONTH)
    )


@pytest.mark.parametrize("end", [GoodwillRefused("g1"), GoodwillWithdrawn("g1", "A mistake")])
def test_what_stands_no_more_does_not_count(end: Event) -> None:
    all_of_it = OfferGoodwill(kind="refund", purpose="redress", amount=pounds(600))
    case(refund, end).when(all_of_it, by=ADMIN, beside=policy).then(
        GoodwillOffered("g2", "refund", "redress", pounds(600), 1, MONTH)
    )


def test_an_offer_that_ended_unnoticed_does_not_count_and_can_be_made_again() -> None:
    again = replace_time(refund, "g2")
    case(refund).when(give_back, at=MONTH, beside=policy).then(again)


def replace_time(offer: GoodwillOffered, offer_id: str) -> GoodwillOffered:
    ends = MONTH + timedelta(days=30)
    return GoodwillOffered(offer_id, offer.kind, offer.purpose, offer.amount, 1, ends)


def test_only_the_owner_offers_goodwill_and_services_never() -> None:
    case().when(thank, by=BEN, beside=policy).then_refused("not-owner")
    case().when(thank, by=SERVICE, beside=policy).then_refused("role-forbidden")


def test_goodwill_may_follow_the_resolution_but_not_the_closing() -> None:
    case(resolved).when(thank, beside=policy).then(discount)
    closed = case(resolved, CaseClosed(NOON))
    closed.when(thank, beside=policy).then_refused("invalid-transition")


def test_a_supervisor_approves_what_an_agent_may_not_offer_alone() -> None:
    spec = awaiting().when(approve, by=SAM, beside=policy).then(approved)
    spec.when(approve, by=SAM, beside=policy).then()
    spec.when(decline, by=SUE).then_refused("already-decided")


def test_nobody_approves_their_own_offer() -> None:
    awaiting().when(approve, by=ADA, beside=policy).then_refused("role-forbidden")
    error = awaiting().when(approve, by=BOTH_HATS, beside=policy).then_refused("self-approval")
    assert error.context["invariant"] == "I-08"


def test_who_approves_must_be_allowed_that_much() -> None:
    large = GoodwillOffered("g1", "gift", "distress", pounds(500), 1, MONTH)
    error = (
        awaiting(large).when(approve, by=SAM, beside=policy).then_refused("goodwill-limit-exceeded")
    )
    assert error.context["required_role"] is Role.ADMIN
    awaiting(large).when(approve, by=ADMIN, beside=policy).then(approved)


def test_an_offer_that_ended_is_neither_approved_nor_accepted() -> None:
    awaiting().when(approve, by=SAM, at=MONTH, beside=policy).then_refused("offer-expired")
    case(discount).when(accept, at=MONTH).then_refused("offer-expired")


def test_a_supervisor_declines_with_a_reason() -> None:
    spec = awaiting().when(decline, by=SAM).then(GoodwillDeclined("g1", "Too much"))
    spec = spec.when(decline, by=SAM).then()
    spec.when(approve, by=SUE, beside=policy).then_refused("already-decided")
    spec.when(accept).then_refused("already-decided")


def test_what_needs_no_approval_is_approved_already() -> None:
    case(discount).when(approve, by=SAM, beside=policy).then()


def test_the_customer_accepts_an_offer_once_it_is_approved() -> None:
    awaiting().when(accept).then_refused("goodwill-awaiting-approval")
    case(discount, asked, approved).when(accept).then(accepted).when(accept).then()


def test_the_customer_may_refuse() -> None:
    spec = case(discount).when(refuse).then(GoodwillRefused("g1", "Wants an apology"))
    spec = spec.when(refuse).then()
    spec.when(accept).then_refused("already-decided")
    awaiting().when(refuse).then_refused("goodwill-awaiting-approval")


def test_a_service_records_the_payment_of_what_was_accepted() -> None:
    spec = case(refund, accepted).when(pay, by=SERVICE).then(paid).when(pay, by=SERVICE).then()
    twice = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-2")
    spec.when(twice, by=SERVICE).then_refused("already-decided")
    spec.when(accept).then()


def test_a_payment_may_be_less_than_was_offered_but_not_more() -> None:
    less = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-1", amount=pounds(39))
    case(refund, accepted).when(less).then(GoodwillPaid("g1", "pay-1", pounds(39), NOON))
    more = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-1", amount=pounds(41))
    case(refund, accepted).when(more).then_refused("payment-exceeds-offer")
    euros = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-1", amount=Money(1, "EUR"))
    case(refund, accepted).when(euros).then_refused("payment-exceeds-offer")


def test_a_discount_and_a_waiver_are_settled_by_acceptance_and_never_paid() -> None:
    no_end = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-1", amount=Money(10**15, "GBP"))
    waiver = GoodwillOffered("g1", "fee_waiver", "redress", pounds(40), 1, MONTH)
    for offer in (discount, waiver):
        for command in (pay, no_end):
            case(offer, accepted).when(command).then_refused("nothing-to-pay")


def test_a_payment_of_nothing_is_none() -> None:
    nothing = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-1", amount=pounds(0))
    refused = case(refund, accepted).when(nothing).then_refused("nothing-to-pay")
    assert refused.field == "amount"


def test_only_what_was_accepted_is_paid_and_only_when_it_is() -> None:
    case(refund).when(pay, by=SERVICE).then_refused("goodwill-not-accepted")
    to_come = RecordGoodwillPaid(offer_id="g1", payment_ref="pay-1", paid_at=DAY)
    case(refund, accepted).when(to_come).then_refused("paid-at-impossible")
    before = RecordGoodwillPaid(
        offer_id="g1", payment_ref="pay-1", paid_at=NOON - timedelta(seconds=1)
    )
    case(refund, accepted).when(before).then_refused("paid-at-impossible")


def test_an_offer_expires_only_when_its_time_is_over() -> None:
    case(discount).when(expire, by=SYSTEM).then_refused("goodwill-still-valid")
    spec = case(discount).when(expire, by=SYSTEM, at=MONTH).then(GoodwillExpired("g1", MONTH))
    spec.when(expire, by=SYSTEM, at=MONTH).then()
    case(discount, accepted).when(expire, by=SYSTEM, at=MONTH).then()


def test_an_open_offer_is_withdrawn_and_an_accepted_one_is_reversed() -> None:
    withdrawn = GoodwillWithdrawn("g1", "A mistake")
    case(discount).when(withdraw).then(withdrawn).when(withdraw).then()
    awaiting().when(withdraw).then(withdrawn)
    case(discount, accepted).when(withdraw).then_refused("already-decided")


def test_a_supervisor_reverses_what_was_accepted_or_paid() -> None:
    reversed_ = GoodwillReversed("g1", "Paid twice")
    spec = case(refund, accepted, paid).when(reverse, by=SAM).then(reversed_)
    spec.when(reverse, by=SAM).then()
    case(discount).when(reverse, by=SAM).then_refused("nothing-to-reverse")
    case(discount, accepted).when(reverse, by=ADA).then_refused("role-forbidden")


EVERY = [approve, decline, accept, refuse, pay, expire, withdraw, reverse]


@pytest.mark.parametrize("command", EVERY)
def test_an_offer_that_was_never_made_is_not_found(command: Ask) -> None:
    case().when(command, by=SAM, beside=policy).then_refused("offer-not-found")


@pytest.mark.parametrize("command", [thank, give_back, *EVERY])
def test_a_withdrawn_case_is_given_nothing(command: Ask) -> None:
    ended = case(discount, CaseWithdrawn("Never mind"))
    ended.when(command, by=SAM, beside=policy).then_refused("invalid-transition")
