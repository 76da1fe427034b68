from datetime import UTC, datetime, timedelta

import pytest

from casecore.asking import Ask
from casecore.case.decisions.callbacks import (
    AbandonCallback,
    GiveAssurance,
    NewConcern,
    RecordCallback,
    RecordCallbackAttempt,
    RecordFollowUp,
    ScheduleCallback,
    ScheduleFollowUp,
)
from casecore.case.events.callbacks import (
    AssuranceGiven,
    CallbackAbandoned,
    CallbackAttempted,
    CallbackPurpose,
    CallbackScheduled,
    CustomerCalledBack,
    FollowUpDone,
    FollowUpScheduled,
)
from casecore.case.events.intake import CaseRegistered, ConcernRaised, ConcernSettled, Customer
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.promises import PromiseKept, PromiseMade
from tests.spec import BEN, NOON, given, registered

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

assigned = CaseAssigned("ada", "claim")
resolved = ComplaintResolved("upheld", "Lost at the depot")
closed = CaseClosed(NOON)
concern = ConcernRaised("c1", "Nobody called", major=True)
promise = PromiseMade("p1", "resolution", "An answer", NOON + DAY, "ada")
schedule = ScheduleCallback(window_start=NOON + HOUR, window_end=NOON + DAY, zone="Europe/London")
call = RecordCallback(reached=True, all_concerns_settled=True)
missed = RecordCallback(reached=False)
abandon = AbandonCallback(callback_id="b1", reason="Nobody answers")


def scheduled(id: str = "b1", purpose: CallbackPurpose = "requested") -> CallbackScheduled:
    return CallbackScheduled(id, purpose, NOON + HOUR, NOON + DAY, "Europe/London", 3)


def on_the_spot(
    id: str = "b1", purpose: CallbackPurpose = "progress", hours: int = 0
) -> CallbackScheduled:
    return CallbackScheduled(id, purpose, NOON, NOON + hours * HOUR, "UTC", 3)


def called(id: str = "b1") -> CustomerCalledBack:
    return CustomerCalledBack(id, all_concerns_settled=True, called_at=NOON)


def tried(hours: int) -> CallbackAttempted:
    return CallbackAttempted("b1", "no_answer", attempted_at=NOON + hours * HOUR)


def test_a_callback_is_scheduled_once_for_its_window() -> None:
    given(registered).when(schedule).then(scheduled()).when(schedule).then()


@pytest.mark.parametrize(
    ("window", "code"),
    [
        (ScheduleCallback(window_start=NOON, window_end=NOON, zone="UTC"), "not-ahead"),
        (
            ScheduleCallback(window_start=NOON + DAY, window_end=NOON + HOUR, zone="UTC"),
            "window-invalid",
        ),
        (
            ScheduleCallback(window_start=NOON.replace(year=1), window_end=NOON + HOUR, zone="UTC"),
            "window-invalid",
        ),
        (
            ScheduleCallback(window_start=NOON, window_end=NOON + HOUR, zone="Mars/Olympus"),
            "unknown-zone",
        ),
    ],
)
def test_a_window_lies_ahead_opens_before_it_closes_and_is_in_a_zone(
    window: Ask, code: str
) -> None:
    given(registered).when(window).then_refused(code)


def test_each_attempt_counts_but_is_recorded_once() -> None:
    attempt = RecordCallbackAttempt(callback_id="b1", outcome="no_answer")

    given(registered, scheduled()).when(attempt).then(tried(0)).when(attempt).then().when(
        attempt, at=NOON + HOUR
    ).then(tried(1))
    given(registered).when(attempt).then_refused("callback-not-found")
    given(registered, scheduled(), called()).when(attempt).then_refused("callback-over")


def test_the_callback_after_the_resolution_is_the_one_meant_once_it_is_resolved() -> None:
    history = (registered, scheduled(), scheduled("b2", "post_resolution"), resolved)

    given(*history).when(call).then(called("b2")).when(call).then()


def test_the_only_callback_due_is_the_one_meant() -> None:
    given(registered, scheduled()).when(call).then(called())
    given(registered, scheduled(), resolved).when(call).then(called())


def test_a_call_that_nobody_planned_is_planned_and_made_at_once() -> None:
    given(registered).when(call).then(on_the_spot(), called()).when(call).then()
    given(registered, resolved).when(call).then(on_the_spot(purpose="post_resolution"), called())
    given(registered, on_the_spot(), called()).when(call, at=NOON + HOUR).then(
        CallbackScheduled("b2", "progress", NOON + HOUR, NOON + HOUR, "UTC", 3),
        CustomerCalledBack("b2", all_concerns_settled=True, called_at=NOON + HOUR),
    )


def test_of_several_callbacks_the_one_meant_is_named() -> None:
    both = (registered, scheduled(), scheduled("b2"))

    refusal = given(*both).when(call).then_refused("callback-ambiguous")
    assert "b1, b2" in str(refusal)
    named = RecordCallback(reached=True, all_concerns_settled=True, callback_id="b2")
    given(*both).when(named).then(called("b2")).when(named).then()
    given(registered).when(named).then_refused("callback-not-found")


def test_a_callback_made_or_given_up_is_not_made_again() -> None:
    named = RecordCallback(reached=True, callback_id="b1")

    given(registered, scheduled(), called()).when(named).then_refused("callback-over")
    given(registered, scheduled(), CallbackAbandoned("b1", 3, "x")).when(named).then_refused(
        "callback-over"
    )


def test_a_call_that_reached_nobody_is_an_attempt() -> None:
    given(registered, scheduled()).when(missed).then(tried(0)).when(missed).then()


def test_a_call_that_nobody_was_to_make_is_late_only_when_it_is_not_made_again() -> None:
    given(registered).when(missed).then(on_the_spot(hours=4), tried(0)).when(missed).then()


@pytest.mark.parametrize(
    "command",
    [
        RecordCallback(reached=False, all_concerns_settled=True),
        RecordCallback(reached=False, new_concerns=(NewConcern("x"),)),
        RecordCallback(reached=False, assurance="x"),
    ],
)
def test_nothing_comes_of_a_call_that_reached_nobody(command: Ask) -> None:
    given(registered).when(command).then_refused("not-reached")


def test_a_customer_for_whom_all_is_settled_agrees_that_each_concern_is() -> None:
    minor = ConcernRaised("c2", "The box was wet", major=False)

    given(registered, concern, minor, ConcernSettled("c2"), scheduled()).when(call).then(
        ConcernSettled("c1", customer_agrees=True), called()
    )


def test_new_concerns_are_raised_unless_they_are_open_already() -> None:
    ring = RecordCallback(
        reached=True,
        new_concerns=(NewConcern("Nobody called", major=True), NewConcern("The colour")),
        assurance="It will not happen again",
    )
    given(registered, concern, scheduled()).when(ring).then(
        ConcernRaised("c2", "The colour", major=False),
        CustomerCalledBack("b1", False, ("c2",), assurance_given=True, called_at=NOON),
        AssuranceGiven("It will not happen again", "personal_only"),
    ).when(ring).then()


def test_new_concerns_are_not_settled_by_the_call_that_raises_them() -> None:
    given(registered).when(
        RecordCallback(reached=True, all_concerns_settled=True, new_concerns=(NewConcern("x"),))
    ).then_refused("unsettled-concerns")


def test_a_closed_case_is_called_back_but_reopened_for_new_concerns() -> None:
    given(registered, resolved, closed, scheduled()).when(call).then(called())
    given(registered, resolved, closed).when(
        RecordCallback(reached=True, new_concerns=(NewConcern("x"),))
    ).then_refused("invalid-transition")


def test_who_speaks_for_another_is_not_called_back_without_authority() -> None:
    customer = Customer("cust-1", role="third_party")
    by_proxy = CaseRegistered("C", "phone", NOON, customer, "Late", "complaints", "normal")
    given(by_proxy).when(call).then_refused("authority-required")


def test_a_callback_is_given_up_after_the_agreed_attempts_and_once() -> None:
    refusal = given(registered, scheduled(), tried(0), tried(1)).when(abandon)
    assert refusal.then_refused("attempts-required").context["invariant"] == "I-20"
    given(registered, scheduled(), tried(0), tried(1), tried(2)).when(abandon).then(
        CallbackAbandoned("b1", 3, "Nobody answers")
    ).when(abandon).then()
    given(registered, scheduled(), called()).when(abandon).then_refused("callback-over")
    given(registered).when(abandon).then_refused("callback-not-found")


def test_an_assurance_about_the_whole_system_cites_what_is_done_about_it() -> None:
    systemic = GiveAssurance(text="Never again", scope="systemic", action_refs=("a-1",))

    given(registered, assigned).when(systemic).then(
        AssuranceGiven("Never again", "systemic", ("a-1",))
    ).when(systemic).then()
    refusal = given(registered, assigned).when(GiveAssurance(text="x", scope="systemic"))
    assert refusal.then_refused("actions-required").context["invariant"] == "I-21"
    given(registered, assigned).when(GiveAssurance(text="I see to it")).then(
        AssuranceGiven("I see to it", "personal_only")
    )


def test_a_follow_up_is_planned_before_the_promise_it_protects_is_due() -> None:
    history = (registered, assigned, promise)
    plan = ScheduleFollowUp(with_team="depot", due_at=NOON + HOUR, protects_promise_id="p1")

    given(*history).when(plan).then(FollowUpScheduled("f1", "depot", NOON + HOUR, "p1")).when(
        plan
    ).then()
    too_late = ScheduleFollowUp(with_team="depot", due_at=NOON + DAY, protects_promise_id="p1")
    given(*history).when(too_late).then_refused("protects-nothing")
    given(*history, PromiseKept("p1", NOON)).when(plan).then_refused("protects-nothing")
    given(registered, assigned).when(plan).then_refused("promise-not-found")
    past = ScheduleFollowUp(with_team="depot", due_at=NOON)
    given(registered, assigned).when(past).then_refused("not-ahead")


def test_a_follow_up_is_done_once() -> None:
    planned = FollowUpScheduled("f1", "depot", NOON + HOUR)
    done = RecordFollowUp(followup_id="f1", result="They look")

    given(registered, assigned, planned).when(done).then(FollowUpDone("f1", "They look")).when(
        done
    ).then()
    given(registered, assigned).when(done).then_refused("followup-not-found")


@pytest.mark.parametrize(
    "command",
    [
        schedule,
        call,
        abandon,
        RecordCallbackAttempt(callback_id="b1", outcome="refused"),
        GiveAssurance(text="x"),
        ScheduleFollowUp(with_team="depot", due_at=NOON + HOUR),
        RecordFollowUp(followup_id="f1", result="x"),
    ],
    ids=lambda c: type(c).__name__,
)
def test_nobody_is_called_about_a_withdrawn_complaint_nor_by_an_agent_who_does_not_own_it(
    command: Ask,
) -> None:
    given(registered, assigned, CaseWithdrawn("x")).when(command).then_refused("invalid-transition")
    given(registered, assigned).when(command, BEN).then_refused("not-owner")


def local(start: str, end: str, zone: str = "Europe/London") -> ScheduleCallback:
    at = datetime.fromisoformat
    return ScheduleCallback(window_start=at(start), window_end=at(end), zone=zone)


def test_a_time_without_an_offset_is_what_clocks_in_the_zone_show() -> None:
    ask = local("2026-07-01T09:00", "2026-07-01T11:00")
    at = datetime(2026, 7, 1, 6, tzinfo=UTC)
    expected = CallbackScheduled(
        "b1", "requested", at + 2 * HOUR, at + 4 * HOUR, "Europe/London", 3
    )
    given(registered).when(ask, at=at).then(expected).when(ask, at=at).then()


def test_a_time_that_clocks_skipped_is_refused_with_the_next_there_was() -> None:
    ask = local("2026-03-08T02:30", "2026-03-08T05:00", "America/New_York")  # T-40
    refusal = given(registered).when(ask).then_refused("nonexistent-local-time")
    assert refusal.field == "window_start"
    assert refusal.context["offered"] == [datetime(2026, 3, 8, 7, tzinfo=UTC)]


def test_a_time_that_clocks_showed_twice_is_refused_with_both() -> None:
    ask = local("2026-10-25T00:30", "2026-10-25T01:30")  # T-40
    at = datetime(2026, 10, 24, tzinfo=UTC)
    refusal = given(registered).when(ask, at=at).then_refused("ambiguous-local-time")
    assert refusal.field == "window_end"
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert refusal.context["offered"] == [first, first + HOUR]
    assert "2026-10-25 00:30 UTC or 2026-10-25 01:30 UTC" in str(refusal)


def test_a_local_time_of_no_age_that_zones_know_is_refused() -> None:
    given(registered).when(local("0001-01-01T09:00", "0001-01-01T11:00")).then_refused(
        "time-out-of-range"
    )
