from datetime import datetime, timedelta, timezone

import pytest

from casecore.asking import Ask
from casecore.case.decisions.promises import (
    BreakPromise,
    KeepPromise,
    MakePromise,
    ReleasePromise,
    RenegotiatePromise,
)
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.promises import (
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromiseReleased,
    PromiseRenegotiated,
)
from tests.spec import ADA, BEN, NOON, SYSTEM, given, registered

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DUE = NOON + DAY
LATE = DUE + HOUR

made = PromiseMade("p1", "resolution", "An answer within 24 hours", DUE, "ada")
kept = PromiseKept("p1", NOON)
broken = PromiseBroken("p1", DUE, detected_at=LATE)
released = PromiseReleased("p1", by_customer=True, reason="Not needed")
make = MakePromise(kind="resolution", text=made.text, due_at=DUE)
keep = KeepPromise(promise_id="p1")
release = ReleasePromise(promise_id="p1", by_customer=True, reason="Not needed")


def renegotiate(due_at: datetime | None = DUE + DAY, within: int | None = None) -> Ask:
    return RenegotiatePromise(
        promise_id="p1", due_at=due_at, within_seconds=within, customer_agreed=True, reason="Busy"
    )


def test_a_promise_is_due_by_a_date_or_within_some_time() -> None:
    given(registered).when(make).then(made)
    given(registered).when(
        MakePromise(kind="resolution", text=made.text, within_seconds=86_400)
    ).then(made)


def test_a_date_of_any_zone_is_kept_in_utc() -> None:
    elsewhere = DUE.astimezone(timezone(timedelta(hours=9)))
    promise = MakePromise(kind="resolution", text=made.text, due_at=elsewhere)
    case = given(registered).when(promise).then(made)
    assert case.state.promises.all["p1"].due_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "promise",
    [
        MakePromise(kind="update", text="News"),
        MakePromise(kind="update", text="News", due_at=DUE, within_seconds=60),
    ],
)
def test_a_promise_has_one_date(promise: Ask) -> None:
    given(registered).when(promise).then_refused("due-required")


def test_what_is_promised_lies_ahead_and_within_reach() -> None:
    past = given(registered).when(MakePromise(kind="update", text="News", due_at=NOON))
    assert past.then_refused("not-ahead").context["invariant"] == "I-11"
    never = MakePromise(kind="update", text="News", due_at=NOON.replace(year=9999))
    given(registered).when(never).then_refused("not-ahead")


def test_the_same_promise_is_made_once_while_it_runs() -> None:
    given(registered).when(make).then(made).when(make).then()
    given(registered, made, kept).when(make).then(
        PromiseMade("p2", "resolution", made.text, DUE, "ada")
    )


def test_a_promise_is_kept_up_to_the_moment_it_is_due() -> None:
    given(registered, made).when(keep, at=DUE).then(PromiseKept("p1", DUE)).when(keep).then()


def test_what_happens_too_late_is_a_broken_promise_fulfilled() -> None:
    given(registered, made).when(keep, at=LATE).then(
        PromiseBroken("p1", DUE, detected_at=LATE, fulfilled_at=LATE)
    ).when(keep, at=LATE).then()


def test_a_promise_found_broken_can_still_be_fulfilled_and_stays_broken_since_then() -> None:
    given(registered, made, broken).when(keep, at=LATE + HOUR).then(
        PromiseBroken("p1", DUE, detected_at=LATE, fulfilled_at=LATE + HOUR)
    ).when(keep, at=LATE + DAY).then()


def test_a_late_record_does_not_say_that_a_broken_promise_was_kept_in_time() -> None:
    in_time = KeepPromise(promise_id="p1", occurred_at=DUE)
    refusal = given(registered, made, broken).when(in_time, at=LATE).then_refused("promise-broken")
    assert refusal.context["invariant"] == "I-11"
    fulfilled = PromiseBroken("p1", DUE, detected_at=LATE, fulfilled_at=LATE)
    given(registered, made, fulfilled).when(in_time, at=LATE).then()


def test_a_promise_not_found_broken_yet_is_kept_by_a_late_record() -> None:
    in_time = KeepPromise(promise_id="p1", occurred_at=DUE)
    given(registered, made).when(in_time, at=LATE).then(PromiseKept("p1", DUE))


def test_another_date_is_agreed_upon_while_the_promise_runs() -> None:
    given(registered, made).when(renegotiate()).then(
        PromiseRenegotiated("p1", DUE + DAY, customer_agreed=True, reason="Busy")
    ).when(renegotiate()).then()
    given(registered, made).when(renegotiate(None)).then_refused("due-required")


def test_another_date_after_the_first_does_not_unbreak_the_promise_but_makes_another() -> None:
    instead = PromiseMade("p2", "resolution", made.text, LATE + HOUR, "ada", replaces="p1")
    later = renegotiate(LATE + HOUR)

    given(registered, made).when(later, at=LATE).then(broken, instead).when(later, at=LATE).then()
    given(registered, made, broken).when(later, at=LATE).then(instead).when(
        renegotiate(LATE + DAY), at=LATE
    ).then_refused("promise-final")


def test_a_promise_is_released_before_it_is_due() -> None:
    given(registered, made).when(release).then(released).when(release).then()


def test_a_promise_let_go_when_it_was_due_already_was_broken() -> None:
    given(registered, made).when(release, at=LATE).then(broken)


def test_casecore_notices_a_broken_promise_once_and_not_too_early() -> None:
    notice = BreakPromise(promise_id="p1")

    given(registered, made).when(notice, SYSTEM, at=DUE).then_refused("not-due")
    given(registered, made).when(notice, SYSTEM, at=LATE).then(broken).when(
        notice, SYSTEM, at=LATE + HOUR
    ).then()
    given(registered, made).when(notice, ADA, at=LATE).then_refused("role-forbidden")


def test_what_a_promise_came_to_is_final() -> None:
    given(registered, made, released).when(keep).then_refused("promise-final")
    given(registered, made, kept).when(release).then_refused("promise-final")
    given(registered, made, broken).when(release).then_refused("promise-final")
    given(registered, made, kept).when(renegotiate()).then_refused("promise-final")
    given(registered, made, released).when(renegotiate()).then_refused("promise-final")
    given(registered, made, kept).when(BreakPromise(promise_id="p1"), SYSTEM).then_refused(
        "promise-final"
    )


@pytest.mark.parametrize("command", [keep, renegotiate(), release])
def test_a_promise_that_was_not_made_has_no_end(command: Ask) -> None:
    refusal = given(registered).when(command).then_refused("promise-not-found")
    assert refusal.field == "promise_id"


def test_another_agents_case_gets_no_promises() -> None:
    given(registered, CaseAssigned("ada", "claim")).when(make, BEN).then_refused("not-owner")


def test_a_resolved_case_may_promise_still_and_a_closed_or_withdrawn_one_no_more() -> None:
    resolved = (registered, ComplaintResolved("upheld", "x"))

    given(*resolved).when(make).then(made)
    given(*resolved, CaseClosed(NOON)).when(make).then_refused("invalid-transition")
    for command in (make, keep, renegotiate(), release):
        given(registered, made, CaseWithdrawn("x")).when(command).then_refused("invalid-transition")
