"""What is recorded later than it happened, and how far that goes."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from casecore.actors import Role
from casecore.asking import Ask
from casecore.case.decisions.goodwill import (
    AcceptGoodwill,
    ApproveGoodwill,
    DeclineGoodwill,
    OfferDiscount,
    OfferGoodwill,
)
from casecore.case.events.goodwill import DiscountOffered
from casecore.case.events.ownership import CaseAssigned
from casecore.goodwill.events import GoodwillPolicyPublished, GoodwillTerms, Limit
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.money import Money
from tests.spec import ADA, ADMIN, NOON, SAM, SYSTEM, given, registered

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
assigned = CaseAssigned("ada", "claim")
terms = GoodwillTerms(limits=(Limit(Role.AGENT, 1000),))
policy = GoodwillPolicy(GOODWILL_POLICY_ID, versions=(GoodwillPolicyPublished(1, terms, NOON),))
discount = DiscountOffered("g1", "thank_you", 1, NOON + HOUR, percent_bp=1000)


@pytest.mark.parametrize(
    "command",
    [
        OfferDiscount(purpose="thank_you", percent_bp=100),
        OfferGoodwill(kind="gift", purpose="distress", amount=Money(100, "GBP")),
        ApproveGoodwill(offer_id="g1"),
        DeclineGoodwill(offer_id="g1", reason="Too much"),
        AcceptGoodwill(offer_id="g1"),
    ],
)
def test_goodwill_is_judged_by_what_holds_when_it_is_recorded(command: Ask) -> None:
    earlier = replace(command, occurred_at=NOON + MINUTE)
    case = given(registered, assigned, discount)
    for by in (ADA, SAM, ADMIN):
        refusal = case.when(earlier, by, at=NOON + HOUR, beside=policy)
        assert refusal.then_refused("occurred-at-refused").field == "occurred_at"


def test_an_import_brings_goodwill_in_as_of_then() -> None:
    offer = OfferDiscount(
        purpose="thank_you", percent_bp=1000, expires_at=NOON + HOUR, occurred_at=NOON
    )
    given(registered).when(offer, SYSTEM, at=NOON + 9 * HOUR, beside=policy).then(discount)
