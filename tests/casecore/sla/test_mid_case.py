"""What changes while clocks run: priorities, policies, calendars (R9 to R12)."""

from datetime import date

from msgspec.structs import replace

from casecore.case.events.contact import ResponseSent, WaitingEnded, WaitingStarted
from casecore.case.events.intake import Priority
from casecore.case.events.outcome import ComplaintResolved
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged
from casecore.clocks.calendar import Calendar, Weekly
from casecore.clocks.targets import OpenTime, Weeks
from casecore.clockset.events import ClockRebaselined
from casecore.sla.events import Match, Pin, SlaPolicyRetired
from tests.casecore.clocks.given import HOUR, LONDON, NINE_TO_FIVE, closed
from tests.casecore.sla.given import Desk, policy, rule, utc
from tests.spec import CASE_ID, SAM
from tests.spec import registered as complaint

GRADED = {"low": OpenTime(24 * HOUR), "high": OpenTime(8 * HOUR)}
resolved = ComplaintResolved("upheld", "We were late, and said so")
FRIDAY_OFF = Calendar(LONDON.zone, LONDON.weekly, LONDON.exceptions | closed("2026-03-06"))


def raised(old: Priority = "low", new: Priority = "high") -> PriorityChanged:
    return PriorityChanged(old, new, "They called again")


def graded(**changes: object) -> Desk:
    return Desk.under(rule("resolution", by_priority=GRADED, **changes))


def rebaseline(
    desk: Desk,
    at: str,
    policy_version: int = 1,
    calendar_version: int = 1,
    name: str = "resolution",
) -> None:
    cycle = desk.cycle(name)
    after = Pin("desk", policy_version, "lon", calendar_version)
    event = ClockRebaselined(
        CASE_ID, cycle.clock_id, cycle.cycle, name, cycle.pin, after, utc(at), "Agreed with them"
    )
    desk.tell(at, event, by=SAM)


def test_a_raised_priority_keeps_the_time_that_was_used() -> None:
    desk = graded().registered("03-02 09:00", priority="low")
    assert desk.due("resolution") == "03-04 17:00"
    desk.tell("03-02 14:00", raised())
    assert desk.due("resolution") == "03-02 17:00"  # T-21
    assert desk.view("resolution", "03-02 15:00").consumed_seconds == 6 * HOUR


def test_a_breach_is_not_dated_before_the_change_that_caused_it() -> None:
    desk = graded().registered("03-02 09:00", priority="low").tell("03-03 14:00", raised())
    assert desk.due("resolution") == "03-03 14:00"
    assert desk.state("resolution", "03-03 14:00") == "running"
    assert desk.state("resolution", "03-03 14:01") == "breached"


def test_some_time_remains_when_a_change_would_leave_none() -> None:
    desk = graded(min_remaining_seconds=HOUR).registered("03-02 09:00", priority="low")
    desk.tell("03-03 14:00", raised())
    assert desk.due("resolution") == "03-03 15:00"


def test_what_is_used_up_right_then_is_due_right_then() -> None:
    desk = graded(min_remaining_seconds=HOUR).registered("03-02 09:00", priority="low")
    desk.tell("03-02 17:00", raised())
    assert desk.due("resolution") == "03-02 17:00"


def test_an_overdue_change_while_paused_is_due_when_the_pause_ends() -> None:
    desk = graded(min_remaining_seconds=HOUR).registered("03-02 09:00", priority="low")
    desk.tell("03-03 10:00", WaitingStarted("customer", "A photo?"))
    desk.tell("03-03 14:00", raised())
    assert desk.due("resolution") is None
    assert desk.state("resolution", "03-05 12:00") == "paused"
    desk.tell("03-04 10:00", WaitingEnded("customer", "agent", utc("03-04 10:00")))
    assert desk.due("resolution") == "03-04 11:00"


def test_lowering_the_priority_after_the_breach_changes_nothing() -> None:
    desk = graded().registered("03-02 09:00", priority="high")
    desk.tell("03-03 09:00", raised("high", "low"))
    assert desk.due("resolution") == "03-02 17:00"
    assert desk.state("resolution", "03-03 09:01") == "breached"


def test_raised_and_lowered_again_the_clock_has_what_it_had() -> None:
    desk = graded().registered("03-02 09:00", priority="low")
    desk.tell("03-02 14:00", raised()).tell("03-02 15:00", raised("high", "low"))
    assert desk.due("resolution") == "03-04 17:00"


def test_triage_that_sets_the_priority_sets_the_target_too() -> None:
    desk = graded().registered("03-02 09:00", priority="low")
    desk.tell("03-02 14:00", CaseTriaged(3, 3, 3, False, "late_delivery", "high"))
    assert desk.due("resolution") == "03-02 17:00"


def test_what_was_met_stays_met_when_the_priority_is_raised() -> None:
    first = {"normal": OpenTime(4 * HOUR), "high": OpenTime(HOUR)}
    desk = Desk.under(rule("first_response", by_priority=first)).registered("03-04 09:00")
    desk.tell("03-04 12:00", ResponseSent("email")).tell("03-04 14:00", raised("normal"))
    assert desk.state("first_response") == "met"  # T-23
    assert desk.view("first_response").satisfied_at == utc("03-04 12:00")


def test_a_reply_recorded_after_the_change_came_before_it() -> None:
    first = {"normal": OpenTime(4 * HOUR), "high": OpenTime(HOUR)}
    desk = Desk.under(rule("first_response", by_priority=first)).registered("03-04 09:00")
    desk.tell("03-04 11:00", raised("normal"))
    desk.tell("03-04 10:59", ResponseSent("email"), recorded="03-04 15:00")
    assert desk.state("first_response") == "met"
    assert desk.due("first_response") == "03-04 13:00"


def two_versions() -> Desk:
    desk = Desk.under(rule("resolution", 16)).registered("03-04 10:00")
    desk.publish(policy(rule("resolution", 8)), version=2, since=utc("03-04 15:00"))
    return desk


def test_a_new_version_leaves_running_clocks_alone() -> None:
    desk = two_versions()
    assert desk.due("resolution") == "03-06 10:00"  # T-24
    desk.tell("03-05 09:00", raised("normal"))
    assert desk.due("resolution") == "03-06 10:00"
    assert desk.view("resolution").policy_version == 1


def test_cases_registered_after_a_version_took_effect_go_by_it() -> None:
    desk = two_versions()
    before, after = Desk(desk.book, position=10), Desk(desk.book, position=20)
    assert before.registered("03-04 14:59").view("resolution").policy_version == 1
    assert after.registered("03-04 15:00").view("resolution").policy_version == 2


def test_a_rebaseline_moves_a_running_clock_to_the_new_version() -> None:
    desk = two_versions()
    rebaseline(desk, "03-04 15:00", policy_version=2)
    assert desk.due("resolution") == "03-05 10:00"  # T-24
    assert desk.view("resolution").policy_version == 2
    assert desk.view("resolution").cause == "ClockRebaselined"


def closed_on_friday() -> Desk:
    desk = Desk.under(rule("resolution", 8)).registered("03-05 13:00")
    desk.publish_calendar(FRIDAY_OFF, version=2)
    return desk


def test_a_new_calendar_counts_from_when_it_is_ordered() -> None:
    desk = closed_on_friday()
    assert desk.due("resolution") == "03-06 13:00"  # T-25, without the order
    rebaseline(desk, "03-05 16:00", calendar_version=2)
    assert desk.due("resolution") == "03-09 13:00"  # T-25


def test_a_new_calendar_ordered_after_the_breach_changes_nothing() -> None:
    desk = closed_on_friday()
    rebaseline(desk, "03-06 14:00", calendar_version=2)
    assert desk.due("resolution") == "03-06 13:00"  # T-26
    assert desk.state("resolution", "03-06 14:00") == "breached"


def test_time_used_before_the_change_counts_by_the_old_calendar() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-05 13:00")
    desk.publish_calendar(FRIDAY_OFF, version=2)
    rebaseline(desk, "03-06 15:00", calendar_version=2)
    assert desk.view("resolution", "03-06 16:00").consumed_seconds == 10 * HOUR
    assert desk.due("resolution") == "03-09 15:00"


def test_a_higher_rank_gives_its_clocks_and_leaves_the_others() -> None:
    desk = Desk.under(rule("resolution", 16), rule("first_response", 4))
    gold = policy(rule("resolution", 8), rank=200, match=Match(products=("delivery",)))
    desk.publish(gold, id="gold")
    desk.registered("03-04 09:00")
    assert desk.names() == ["first_response", "resolution"]
    assert desk.view("resolution").policy_id == "gold"
    assert desk.view("first_response").policy_id == "desk"


def test_a_case_that_comes_under_another_policy_goes_on_under_it() -> None:
    desk = Desk.under(rule("resolution", 16))
    urgent = policy(rule("resolution", 8), rank=200, match=Match(priorities=("urgent",)))
    desk.publish(urgent, id="urgent")
    desk.registered("03-04 09:00").tell("03-04 12:00", raised("normal", "urgent"))
    assert desk.due("resolution") == "03-04 17:00"
    assert desk.view("resolution").policy_id == "urgent"
    desk.tell("03-04 13:00", raised("urgent", "normal"))
    assert desk.due("resolution") == "03-05 17:00"


def test_a_policy_published_later_does_not_catch_a_running_clock_by_its_priority() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-04 09:00")
    urgent = policy(rule("resolution", 8), rank=200, match=Match(priorities=("urgent",)))
    desk.publish(urgent, id="urgent", since=utc("03-04 10:00"))
    desk.tell("03-04 12:00", raised("normal", "urgent"))
    assert desk.view("resolution").policy_id == "desk"


def test_a_regulators_clock_that_turns_out_later_runs_from_receipt() -> None:
    desk = Desk.under(rule("resolution", 16))
    weeks = replace(rule("eight_weeks", kind="regulatory"), target=Weeks(8), regime="uk_disp")
    desk.publish(policy(weeks, rank=200, match=Match(products=("loan",))), id="disp")
    desk.registered("03-04 09:00")
    loan = CaseReclassified("It is about the loan", None, "loan", None, "delivery")
    desk.tell("03-09 09:00", loan)
    assert desk.due("eight_weeks") == "04-29 22:59:59.999999"
    assert desk.view("eight_weeks").regime == "uk_disp"
    late = Desk(desk.book, position=9).registered("01-05 09:00").tell("03-09 09:00", loan)
    assert late.due("eight_weeks") == "03-09 09:00"


def test_a_regulators_clock_has_no_other_target_by_priority_or_order() -> None:
    weeks = replace(rule("eight_weeks", kind="regulatory"), target=Weeks(8))
    desk = Desk.under(weeks).registered("03-04 09:00")
    desk.publish(policy(replace(weeks, target=Weeks(9))), version=2, since=utc("03-05 09:00"))
    desk.tell("03-09 09:00", raised("normal"))
    rebaseline(desk, "03-10 09:00", policy_version=2, name="eight_weeks")
    assert desk.due("eight_weeks") == "04-29 22:59:59.999999"


def test_a_case_with_a_resolution_in_time_is_met_as_a_whole() -> None:
    desk = Desk.under(rule("resolution", 8)).registered("03-04 09:00")
    assert desk.summary() == "running"
    desk.tell("03-04 12:00", resolved)
    assert desk.summary() == "met"  # T-46


def test_without_a_policy_there_are_no_clocks() -> None:
    desk = Desk().registered("03-04 09:00")
    assert desk.clocks.cycles == ()
    assert desk.summary() == "none"


def test_a_clock_stands_still_when_its_calendar_does_not_open_any_more() -> None:
    pop_up = Calendar("Europe/London", Weekly(), {date(2026, 2, 2): NINE_TO_FIVE})
    desk = Desk.under(rule("resolution", 4), calendar=pop_up).registered("03-04 09:00")
    seen = desk.view("resolution", "03-05 09:00")
    assert (seen.state, seen.due_at) == ("paused", None)
    desk.tell("03-06 09:00", raised("normal")).tell("03-07 09:00", resolved)
    assert desk.state("resolution") == "met"


def test_a_change_recorded_late_counts_from_when_it_occurred() -> None:
    desk = graded().registered("03-02 09:00", priority="low")
    desk.tell("03-02 14:00", raised(), recorded="03-02 16:00")
    assert desk.due("resolution") == "03-02 17:00"


def test_a_tier_chooses_the_policy() -> None:
    desk = Desk.under(rule("resolution", 16))
    desk.publish(policy(rule("resolution", 8), rank=200, match=Match(tiers=("gold",))), id="gold")
    gold = replace(complaint.customer, tier="gold")
    assert desk.registered("03-04 09:00", customer=gold).view("resolution").policy_id == "gold"


def test_a_retired_policy_gives_no_more_clocks_and_leaves_those_it_gave() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-04 09:00")
    desk.position += 1
    desk.book.learn(SlaPolicyRetired("desk", utc("03-05 09:00"), "Merged"), desk.position)
    assert desk.due("resolution") == "03-05 17:00"
    assert Desk(desk.book, position=9).registered("03-05 08:59").names() == ["resolution"]
    assert Desk(desk.book, position=9).registered("03-05 09:00").names() == []
