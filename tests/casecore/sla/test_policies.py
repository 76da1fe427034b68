"""The book of calendars and policies: drafted, published, retired."""

from datetime import datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import given as whatever
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from casecore.clocks.calendar import Calendar, Weekly
from casecore.clocks.targets import BusinessDays, CalendarDays, ElapsedTime, OpenTime, Weeks
from casecore.errors import Rejected
from casecore.facts import Event
from casecore.sla.book import Attributes, Book, matches
from casecore.sla.decisions import (
    DraftCalendar,
    DraftSlaPolicy,
    PublishCalendar,
    PublishSlaPolicy,
    RetireSlaPolicy,
    both_can_match,
)
from casecore.sla.events import (
    CalendarDrafted,
    CalendarPublished,
    Match,
    SlaPolicy,
    SlaPolicyDrafted,
    SlaPolicyPublished,
    SlaPolicyRetired,
    Trigger,
    Warn,
)
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from tests.casecore.clocks.given import HOUR, LONDON
from tests.casecore.sla.given import policy, rule
from tests.spec import ADA, ADMIN, NOON, SAM, Spec, given

NEXT_MONTH = NOON + timedelta(days=30)
LATER = NOON + timedelta(days=60)

eight = policy(rule("resolution", 8))
sixteen = policy(rule("resolution", 16))
london = CalendarPublished("lon", 1, LONDON)


def book(*events: Event) -> Spec:
    return given(london, *events, of=SlaBook, id=SLA_BOOK_ID)


def publish(policy: SlaPolicy, id: str = "desk", since: datetime | None = None) -> PublishSlaPolicy:
    return PublishSlaPolicy(policy_id=id, policy=policy, effective_from=since)


def published(
    policy: SlaPolicy, version: int = 1, id: str = "desk", since: datetime = NOON
) -> SlaPolicyPublished:
    return SlaPolicyPublished(id, version, policy, since)


def test_a_policy_is_drafted_by_a_supervisor_and_published_by_an_administrator() -> None:
    draft = DraftSlaPolicy(policy_id="desk", policy=eight)
    book().when(draft, by=ADA).then_refused("role-forbidden")
    spec = book().when(draft, by=SAM).then(SlaPolicyDrafted("desk", eight))
    spec = spec.when(draft, by=SAM).then()
    spec.when(publish(eight), by=SAM).then_refused("role-forbidden")
    spec = spec.when(publish(eight), by=ADMIN).then(published(eight))
    assert spec.state.policy_drafts == {}


def test_a_calendar_is_drafted_and_published_in_versions() -> None:
    draft = DraftCalendar(calendar_id="lon", calendar=LONDON)
    empty = given(of=SlaBook, id=SLA_BOOK_ID)
    spec = empty.when(draft, by=SAM).then(CalendarDrafted("lon", LONDON)).when(draft, by=SAM).then()
    first = PublishCalendar(calendar_id="lon", calendar=LONDON)
    spec = spec.when(first, by=ADMIN).then(london).when(first, by=ADMIN).then()
    assert spec.state.calendar_drafts == {}
    shorter = Calendar("Europe/London", Weekly(mon=(("09:00", "12:00"),)))
    second = PublishCalendar(calendar_id="lon", calendar=shorter)
    spec = spec.when(second, by=ADMIN).then(CalendarPublished("lon", 2, shorter))
    assert spec.state.calendar("lon", 1).calendar == LONDON
    assert spec.state.calendar("lon").version == 2


def test_a_calendar_that_is_never_open_or_has_no_zone_is_refused() -> None:
    never = Calendar("Europe/London", Weekly())
    for command in (PublishCalendar, DraftCalendar):
        book().when(command(calendar_id="x", calendar=never), by=ADMIN).then_refused(
            "calendar-never-open"
        )
        nowhere = replace(LONDON, zone="Europe/Atlantis")
        book().when(command(calendar_id="x", calendar=nowhere), by=ADMIN).then_refused(
            "unknown-zone"
        )


@pytest.mark.parametrize(
    "target",
    [
        OpenTime(0),
        OpenTime(-1),
        ElapsedTime(0),
        BusinessDays(0, "as_received"),
        CalendarDays(0),
        Weeks(0),
    ],
)
def test_a_target_that_leaves_no_time_is_refused(target: OpenTime) -> None:
    nothing = policy(rule("resolution", target=target, paused_by=()))
    error = book().when(publish(nothing), by=ADMIN).then_refused("target-not-positive")
    assert error.field == "targets.resolution"
    graded = policy(rule("resolution", 8, by_priority={"high": target}, paused_by=()))
    book().when(publish(graded), by=ADMIN).then_refused("target-not-positive")


def test_a_target_that_is_never_reached_is_refused() -> None:
    for seconds in (101 * 365 * 86_400, 25 * 365 * 86_400):
        far = policy(rule("resolution", target=OpenTime(seconds)))
        book().when(publish(far), by=ADMIN).then_refused("due-beyond-horizon")


def test_a_policy_needs_its_calendar_first() -> None:
    elsewhere = policy(rule("resolution", 8), calendar_id="paris")
    error = book().when(publish(elsewhere), by=ADMIN).then_refused("unknown-calendar")
    assert "lon" in str(error)


def test_publishing_what_is_in_force_changes_nothing() -> None:
    book(published(eight)).when(publish(eight), by=ADMIN, at=NEXT_MONTH).then()


def test_a_policy_may_be_published_before_it_takes_effect_and_never_after() -> None:
    spec = book(published(sixteen)).when(publish(eight, since=NEXT_MONTH), by=ADMIN)
    spec = spec.then(published(eight, 2, since=NEXT_MONTH))
    spec.when(publish(eight, since=NEXT_MONTH), by=ADMIN).then()
    assert spec.state.at("desk", NEXT_MONTH - timedelta(microseconds=1)).version == 1
    assert spec.state.at("desk", NEXT_MONTH).version == 2
    past = publish(eight, since=NOON - timedelta(seconds=1))
    error = spec.when(past, by=ADMIN).then_refused("effective-from-invalid")
    assert error.context["invariant"] == "I-32"


def test_the_time_a_policy_takes_effect_is_kept_in_utc() -> None:
    tokyo = NEXT_MONTH.astimezone(timezone(timedelta(hours=9)))
    spec = book().when(publish(eight, since=tokyo), by=ADMIN)
    assert isinstance(spec.outcome, list)
    [event] = spec.outcome
    assert isinstance(event, SlaPolicyPublished)
    assert event.effective_from.utcoffset() == timedelta(0)


def test_two_policies_of_equal_rank_for_one_case_are_refused() -> None:
    error = book(published(eight)).when(publish(sixteen, "other"), by=ADMIN)
    assert "desk" in str(error.then_refused("policy-rank-conflict"))
    higher = replace(sixteen, rank=101)
    book(published(eight)).when(publish(higher, "other"), by=ADMIN).then(
        published(higher, id="other")
    )


def test_a_policy_may_keep_its_own_rank() -> None:
    book(published(eight)).when(publish(sixteen), by=ADMIN).then(published(sixteen, 2))


def test_equal_ranks_for_cases_that_differ_are_no_conflict() -> None:
    phones = replace(eight, match=Match(products=("phone",), channels=("phone", "email")))
    loans = replace(eight, match=Match(products=("loan",)))
    spec = book(published(phones)).when(publish(loans, "loans"), by=ADMIN)
    spec.then(published(loans, id="loans"))
    letters = replace(eight, match=Match(channels=("letter",)))
    book(published(phones)).when(publish(letters, "l"), by=ADMIN).then(published(letters, id="l"))
    mails = replace(eight, match=Match(channels=("email",)))
    book(published(phones)).when(publish(mails, "m"), by=ADMIN).then_refused("policy-rank-conflict")


def test_jurisdictions_keep_no_ranks_apart_as_a_case_may_lie_in_several() -> None:
    british = replace(eight, match=Match(jurisdictions=("GB",)))
    french = replace(eight, match=Match(jurisdictions=("FR",)))
    spec = book(published(british)).when(publish(french, "fr"), by=ADMIN)
    spec.then_refused("policy-rank-conflict")


def test_ranks_conflict_also_with_what_is_published_for_later() -> None:
    spec = book(published(eight, since=NEXT_MONTH))
    spec.when(publish(sixteen, "other"), by=ADMIN).then_refused("policy-rank-conflict")


def test_a_retired_policy_leaves_its_rank_to_others() -> None:
    retire = RetireSlaPolicy(policy_id="desk", reason="We reorganise", retired_from=NEXT_MONTH)
    retired = SlaPolicyRetired("desk", NEXT_MONTH, "We reorganise")
    spec = book(published(eight)).when(retire, by=ADMIN).then(retired)
    spec = spec.when(retire, by=ADMIN).then()
    assert spec.state.at("desk", NEXT_MONTH - timedelta(seconds=1)).version == 1
    assert spec.state.at("desk", NEXT_MONTH) is None
    spec.when(publish(sixteen, "other"), by=ADMIN).then_refused("policy-rank-conflict")
    spec = spec.when(publish(sixteen, "other", NEXT_MONTH), by=ADMIN)
    spec = spec.then(published(sixteen, id="other", since=NEXT_MONTH))
    assert [v.policy_id for v in spec.state.in_force(LATER)] == ["other"]
    spec.when(publish(eight), by=ADMIN, at=LATER).then_refused("policy-rank-conflict")


def test_what_was_never_published_cannot_be_retired() -> None:
    book().when(RetireSlaPolicy(policy_id="desk", reason="-"), by=ADMIN).then_refused(
        "policy-not-found"
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"target": None}, "policy-unsound"),
        ({"starts": (Trigger("CaseInvented"),)}, "unknown-event"),
        ({"cancelled_by": (Trigger("CaseClosed", {"mood": ("bad",)}),)}, "unknown-field"),
        ({"starts": (Trigger("CaseRegistered", at="reason"),)}, "policy-unsound"),
        ({"starts": (Trigger("CaseRegistered", at="when"),)}, "unknown-field"),
        ({"subject": "promise_id"}, "unknown-field"),
        ({"due_from": "due_at"}, "policy-unsound"),
        ({"warnings": (Warn(),)}, "policy-unsound"),
        ({"warnings": (Warn(percent=50, seconds_left=60),)}, "policy-unsound"),
        ({"target": CalendarDays(3)}, "policy-unsound"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(changes: dict[str, object], code: str) -> None:
    unsound = policy(replace(rule("resolution", 8), **changes))
    error = book().when(publish(unsound), by=ADMIN).then_refused(code)
    assert error.field == "targets.resolution"
    book().when(DraftSlaPolicy(policy_id="x", policy=unsound), by=ADMIN).then_refused(code)


@pytest.mark.parametrize(
    ("targets", "seconds_max"),
    [
        ({"target": OpenTime(8 * HOUR)}, 8 * HOUR),
        ({"target": None, "by_priority": {"urgent": ElapsedTime(HOUR)}}, HOUR),
        ({"target": OpenTime(HOUR), "by_priority": {"low": OpenTime(9 * HOUR)}}, 9 * HOUR),
        ({"target": CalendarDays(3), "paused_by": ()}, 5 * 24 * HOUR),
        ({"target": Weeks(1), "paused_by": ()}, 9 * 24 * HOUR),
        ({"target": BusinessDays(1, "as_received"), "paused_by": ()}, 3 * 24 * HOUR),
    ],
)
def test_a_warning_that_no_target_leaves_time_for_is_refused(
    targets: dict[str, object], seconds_max: int
) -> None:
    def warning(seconds_left: int) -> SlaPolicy:
        warnings = (Warn(seconds_left=seconds_left),)
        return policy(replace(rule("resolution", 8), warnings=warnings, **targets))

    book().when(publish(warning(seconds_max)), by=ADMIN).then(published(warning(seconds_max)))
    error = book().when(publish(warning(seconds_max + 1)), by=ADMIN).then_refused("policy-unsound")
    assert f"make it {seconds_max} or less, or a percent" in str(error)


def test_what_is_due_when_an_event_says_may_warn_any_time_before() -> None:
    promise = policy(rule("promise", warnings=(Warn(seconds_left=1000 * HOUR),)))
    book().when(publish(promise), by=ADMIN).then(published(promise))


def test_two_targets_of_one_name_are_refused() -> None:
    twice = policy(rule("resolution", 8), rule("resolution", 9))
    book().when(publish(twice), by=ADMIN).then_refused("policy-unsound")


def test_a_regulators_clock_is_not_paused_or_cancelled_by_a_policy() -> None:
    strict = rule("regulatory", 8)
    for lenient in (
        replace(strict, paused_by=("customer",)),
        replace(strict, cancelled_by=(Trigger("CaseClosed"),)),
    ):
        error = book().when(publish(policy(lenient)), by=ADMIN)
        refused = error.then_refused("regulatory-target-lenient")
        assert refused.context["invariant"] == "I-29"


VALUES = {
    "products": ("a", "b"),
    "channels": ("phone", "email"),
    "priorities": ("low", "high"),
    "tiers": ("gold", "tin"),
    "jurisdictions": ("GB", "FR"),
    "queues": ("one", "two"),
}
match_strategy = st.fixed_dictionaries(
    {
        name: st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)
        for name, values in VALUES.items()
    }
).map(lambda values: Match(**values))


@settings(max_examples=100, deadline=None)
@whatever(match_strategy, match_strategy)
def test_two_matches_conflict_exactly_when_some_case_has_both(one: Match, other: Match) -> None:
    cases = [
        Attributes(p, c, pr, t, j, q)  # type: ignore[arg-type]
        for p, c, pr, t, q in product(*(VALUES[n] for n in VALUES if n != "jurisdictions"))
        for j in (("GB",), ("FR",), ("GB", "FR"))
    ]
    both = any(matches(one, case) and matches(other, case) for case in cases)
    assert both_can_match(one, other) == both
    assert both_can_match(other, one) == both


@settings(max_examples=50, deadline=None)
@whatever(match_strategy, match_strategy, st.integers(0, 1))
def test_it_does_not_matter_which_of_two_policies_comes_first(
    one: Match, other: Match, more: int
) -> None:
    a = policy(rule("resolution", 8), match=one)
    b = policy(rule("resolution", 8), match=other, rank=100 + more)
    first = book(published(a, id="a")).when(publish(b, "b"), by=ADMIN).outcome
    second = book(published(b, id="b")).when(publish(a, "a"), by=ADMIN).outcome
    assert isinstance(first, list) == isinstance(second, list)


def test_what_could_not_be_learned_is_not_passed_over_when_it_comes_again() -> None:
    book, unknown = Book(), replace(london, calendar=replace(LONDON, zone="Moon/Base"))
    for _ in range(2):
        with pytest.raises(Rejected, match="there is no zone 'Moon/Base'"):
            book.learn(unknown, 5)
    book.learn(london, 5)
    assert book.position == 5
