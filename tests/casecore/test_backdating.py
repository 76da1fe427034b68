"""What is recorded later than it happened, and how far that goes."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from casecore.actors import Actor, Role
from casecore.asking import Ask
from casecore.case.decisions.goodwill import (
    AcceptGoodwill,
    ApproveGoodwill,
    DeclineGoodwill,
    OfferDiscount,
    OfferGoodwill,
)
from casecore.case.decisions.intake import AddNote
from casecore.case.decisions.promises import MakePromise
from casecore.case.events.goodwill import DiscountOffered
from casecore.case.events.intake import NoteAdded
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.promises import PromiseMade
from casecore.goodwill.events import GoodwillPolicyPublished, GoodwillTerms, Limit
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.money import Money
from tests.spec import ADA, ADMIN, NOON, SAM, SERVICE, SYSTEM, given, registered

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


@pytest.mark.parametrize("by", [ADA, SAM, ADMIN, SERVICE, SYSTEM])
def test_nothing_happens_to_a_complaint_before_it_is_received(by: Actor) -> None:
    early = AddNote(text="Late", occurred_at=NOON - MINUTE)
    refusal = given(registered).when(early, by, at=NOON + HOUR).then_refused("before-receipt")
    assert refusal.field == "occurred_at"
    made = MakePromise(kind="update", text="News", within_seconds=60, occurred_at=NOON - MINUTE)
    given(registered).when(made, SAM, at=NOON + HOUR).then_refused("before-receipt")


def test_what_happened_since_the_complaint_was_received_can_be_recorded_late() -> None:
    promise = MakePromise(kind="update", text="News", within_seconds=60, occurred_at=NOON)
    given(registered).when(promise, at=NOON + HOUR).then(
        PromiseMade("p1", "update", "News", NOON + MINUTE, "ada")
    )


def test_a_complaint_received_by_a_clock_ahead_of_ours_can_be_worked_on_at_once() -> None:
    note = AddNote(text="Late")
    given(registered).when(note, at=NOON - MINUTE).then(NoteAdded("n1", "Late"))


@pytest.mark.parametrize(
    ("by", "hours", "words"),
    [
        (ADA, 5, "an agent may record what happened up to 4 hours ago: ask a supervisor, or"),
        (SERVICE, 5, "a service may record what happened up to 4 hours ago: ask a supervisor, or"),
        (SAM, 73, "a supervisor may record what happened up to 72 hours ago: ask an admin, or"),
        (ADMIN, 101 * 365 * 24, "occurred_at is more than 100 years ago: check the year"),
        (SYSTEM, 101 * 365 * 24, "occurred_at is more than 100 years ago: check the year"),
    ],
)
def test_who_reaches_back_too_far_is_told_who_may(by: Actor, hours: int, words: str) -> None:
    note = AddNote(text="Late", occurred_at=NOON - hours * HOUR)
    refusal = given(registered).when(note, by).then_refused("backdating-limit")
    assert words in str(refusal)
