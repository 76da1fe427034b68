from datetime import timedelta, timezone

import pytest

from casecore.actors import Role
from casecore.errors import Malformed, Rejected
from casecore.goodwill.decisions import (
    DEFAULT_TERMS,
    DraftGoodwillPolicy,
    PublishGoodwillPolicy,
    read_terms,
)
from casecore.goodwill.events import (
    GoodwillPolicyDrafted,
    GoodwillPolicyEvent,
    GoodwillPolicyPublished,
    GoodwillTerms,
    Limit,
)
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.money import Money
from tests.spec import ADA, ADMIN, NOON, SAM, Spec, given

NEXT_MONTH = NOON + timedelta(days=30)

terms = GoodwillTerms(
    limits=(
        Limit(Role.AGENT, 1000, (Money(2500, "GBP"),)),
        Limit(Role.SUPERVISOR, 3000, (Money(25000, "GBP"),)),
    ),
    case_amounts=(Money(50000, "GBP"),),
)
stricter = GoodwillTerms(limits=(Limit(Role.AGENT, 500),))

draft = DraftGoodwillPolicy(terms=terms)
publish = PublishGoodwillPolicy(terms=terms)
published = GoodwillPolicyPublished(1, terms, NOON)


def policy(*events: GoodwillPolicyEvent) -> Spec:
    return given(*events, of=GoodwillPolicy, id=GOODWILL_POLICY_ID)


def test_a_policy_is_drafted_by_a_supervisor_and_published_by_an_administrator() -> None:
    policy().when(draft, by=ADA).then_refused("role-forbidden")
    spec = policy().when(draft, by=SAM).then(GoodwillPolicyDrafted(terms))
    spec = spec.when(draft, by=SAM).then()
    spec.when(publish, by=SAM).then_refused("role-forbidden")
    spec = spec.when(publish, by=ADMIN).then(published)
    assert spec.state.draft is None


def test_publishing_what_is_in_force_changes_nothing() -> None:
    policy(published).when(publish, by=ADMIN, at=NEXT_MONTH).then()


def test_a_policy_may_be_published_before_it_takes_effect() -> None:
    later = PublishGoodwillPolicy(terms=stricter, effective_from=NEXT_MONTH)
    spec = policy(published).when(later, by=ADMIN)
    spec = spec.then(GoodwillPolicyPublished(2, stricter, NEXT_MONTH)).when(later, by=ADMIN).then()
    assert spec.state.at(NEXT_MONTH - timedelta(seconds=1)).version == 1
    assert spec.state.at(NEXT_MONTH).version == 2


def test_a_policy_does_not_reach_back() -> None:
    past = PublishGoodwillPolicy(terms=terms, effective_from=NOON - timedelta(seconds=1))
    error = policy().when(past, by=ADMIN).then_refused("effective-from-invalid")
    assert error.context["invariant"] == "I-32"
    never = PublishGoodwillPolicy(terms=terms, effective_from=NOON + timedelta(days=4000))
    policy().when(never, by=ADMIN).then_refused("effective-from-invalid")


def test_the_time_a_policy_takes_effect_is_kept_in_utc() -> None:
    tokyo = NEXT_MONTH.astimezone(timezone(timedelta(hours=9)))
    spec = policy().when(PublishGoodwillPolicy(terms=terms, effective_from=tokyo), by=ADMIN)
    assert isinstance(spec.outcome, list)
    [event] = spec.outcome
    assert isinstance(event, GoodwillPolicyPublished)
    assert event.effective_from.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "unsound",
    [
        GoodwillTerms(limits=(Limit(Role.AGENT, 1000), Limit(Role.AGENT, 2000))),
        GoodwillTerms(limits=(Limit(Role.AUDITOR, 1000),)),
        GoodwillTerms(limits=(Limit(Role.AGENT, 1000), Limit(Role.SUPERVISOR, 999))),
        GoodwillTerms(limits=(Limit(Role.ADMIN, 100), Limit(Role.SUPERVISOR, 200))),
        GoodwillTerms(
            limits=(Limit(Role.AGENT, 0, (Money(2, "GBP"),)), Limit(Role.ADMIN, 100)),
        ),
        GoodwillTerms(limits=(Limit(Role.AGENT, 0, (Money(2, "GBP"), Money(3, "GBP"))),)),
        GoodwillTerms(
            limits=(Limit(Role.AGENT, 0),), case_amounts=(Money(2, "EUR"), Money(3, "EUR"))
        ),
    ],
)
def test_terms_that_contradict_themselves_are_refused(unsound: GoodwillTerms) -> None:
    policy().when(DraftGoodwillPolicy(terms=unsound), by=ADMIN).then_refused("policy-unsound")
    policy().when(PublishGoodwillPolicy(terms=unsound), by=ADMIN).then_refused("policy-unsound")


def test_the_policy_that_comes_with_casecore_can_be_published() -> None:
    command = read_terms(DEFAULT_TERMS.read_text())
    spec = policy().when(command, by=ADMIN)
    spec.then(GoodwillPolicyPublished(1, command.terms, NOON))
    [agent, supervisor, admin] = command.terms.limits
    assert (agent.percent_bp, supervisor.percent_bp) == (1000, 3000)
    assert admin.amounts > supervisor.amounts > agent.amounts
    assert {amount.currency for amount in agent.amounts} == {"GBP", "EUR", "USD"}


def test_a_policy_is_read_from_a_file() -> None:
    text = """
        offer_valid_days = 14
        effective_from = 2026-04-01T00:00:00Z
        [limits.supervisor]
        percent_bp = 3000
        amounts = { GBP = 25000, EUR = 30000 }
        [case_amounts]
        GBP = 50000
    """
    command = read_terms(text)
    limit = Limit(Role.SUPERVISOR, 3000, (Money(30000, "EUR"), Money(25000, "GBP")))
    assert command.terms == GoodwillTerms((limit,), (Money(50000, "GBP"),), 14)
    assert command.effective_from == NOON.replace(month=4, day=1, hour=0)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[limits.agent]\npercent_bp = '10 %'", "limits.agent.percent_bp"),
        ("[limits.agent]\npercent_bp = 10001", "limits.agent.percent_bp"),
        ("[limits.agent]\npercent_bp = 1\namounts = { GBP = -1 }", "limits.agent.amounts[...]"),
        ("[limits.boss]\npercent_bp = 1", "limits"),
        ("[limits]", "limits"),
        ("offer_valid_days = 0\n[limits.agent]\npercent_bp = 1", "offer_valid_days"),
        ("effective_from = 2026-04-01T00:00:00\n[limits]", "effective_from"),
        ("offer_valid_days = 3", None),
        ("[limits.agent", None),
    ],
)
def test_a_policy_that_cannot_be_read_says_where(text: str, field: str | None) -> None:
    with pytest.raises(Malformed) as refused:
        read_terms(text)
    assert refused.value.code == "policy-unreadable"
    assert refused.value.field == field


def test_a_file_with_unsound_terms_is_refused() -> None:
    text = "[limits.agent]\npercent_bp = 2\n[limits.supervisor]\npercent_bp = 1"
    with pytest.raises(Rejected, match="supervisor may offer a smaller percentage than agent"):
        read_terms(text)
