import pytest

from casecore.asking import Ask
from casecore.case.decisions.after import (
    RecordReferral,
    RecordRetention,
    RecordSatisfaction,
    RecordTestimonial,
    RequestReferral,
    RequestSatisfaction,
    RequestTestimonial,
    ReviewInteraction,
)
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
from casecore.case.events.intake import InteractionStarted
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.facts import Event
from tests.spec import ADA, BEN, NOON, SAM, SERVICE, Spec, given, registered

assigned = CaseAssigned("ada", "claim")
resolved = ComplaintResolved("upheld", "Lost at the depot")
closed = CaseClosed(NOON)
happy = SatisfactionRecorded(csat=4)

ask = RequestSatisfaction(channel="email")
answer = RecordSatisfaction(csat=4, felt_heard=5, effort=7, comment="Thank you")
stay = RecordRetention(status="stayed", at_days=90)
testimonial = RecordTestimonial(text="They listened", publish_consent=True)
referral = RecordReferral(referred_ref="cust-77")
review = ReviewInteraction(interaction_id="i1", form_version=2, scores={"calm": 90, "polite": 80})


def case(*events: Event) -> Spec:
    return given(registered, assigned, *events)


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (ask, SatisfactionRequested(1, "email")),
        (answer, SatisfactionRecorded(4, 5, 7, "Thank you")),
        (stay, RetentionOutcomeRecorded("stayed", 90)),
        (testimonial, TestimonialGiven("They listened", True)),
        (referral, ReferralReceived("cust-77")),
    ],
)
def test_what_the_customer_made_of_it_is_recorded_once(command: Ask, event: Event) -> None:
    case(resolved).when(command).then(event).when(command).then()


@pytest.mark.parametrize("command", [ask, answer, stay])
def test_nobody_is_asked_how_it_went_before_it_is_resolved(command: Ask) -> None:
    case().when(command).then_refused("invalid-transition")


def test_an_answer_answers_something() -> None:
    case(resolved).when(RecordSatisfaction()).then_refused("nothing-answered")
    words = RecordSatisfaction(comment="Thank you")
    case(resolved).when(words, by=SERVICE).then(SatisfactionRecorded(comment="Thank you"))


@pytest.mark.parametrize(
    ("asked", "offered", "event"),
    [
        (RequestTestimonial(), RequestTestimonial(customer_offered=True), TestimonialRequested()),
        (RequestReferral(), RequestReferral(customer_offered=True), ReferralRequested()),
    ],
)
def test_favours_are_asked_of_the_satisfied_or_of_who_offers(
    asked: Ask, offered: Ask, event: Event
) -> None:
    case(resolved, happy, closed).when(asked).then(event).when(asked).then()
    for unconfirmed in (
        case(resolved, happy),
        case(resolved, closed),
        case(resolved, SatisfactionRecorded(csat=3), closed),
        case(resolved, SatisfactionRecorded(felt_heard=5), closed),
    ):
        error = unconfirmed.when(asked).then_refused("satisfaction-not-confirmed")
        assert error.context["invariant"] == "I-28"
        unconfirmed.when(offered).then(event)


def test_a_supervisor_reviews_how_a_conversation_was_held() -> None:
    spec = case(InteractionStarted("i1", "phone", "inbound"))
    reviewed = InteractionQualityReviewed("i1", 2, {"calm": 90, "polite": 80})
    spec.when(review, by=SAM).then(reviewed).when(review, by=SAM).then()
    spec.when(review, by=ADA).then_refused("role-forbidden")
    case().when(review, by=SAM).then_refused("interaction-not-found")


def test_other_agents_leave_a_case_to_its_owner() -> None:
    case(resolved).when(ask, by=BEN).then_refused("not-owner")


@pytest.mark.parametrize(
    "command",
    [
        ask,
        answer,
        stay,
        testimonial,
        referral,
        review,
        RequestTestimonial(customer_offered=True),
        RequestReferral(customer_offered=True),
    ],
)
def test_nothing_comes_after_a_withdrawn_case(command: Ask) -> None:
    case(CaseWithdrawn("Never mind")).when(command, by=SAM).then_refused("invalid-transition")
