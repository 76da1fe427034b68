"""Clocks of what was promised, agreed, planned or asked for: one for each, due when it says."""

from casecore.actors import Role
from casecore.case.events.callbacks import (
    CallbackAbandoned,
    CallbackScheduled,
    CustomerCalledBack,
    FollowUpDone,
    FollowUpScheduled,
)
from casecore.case.events.contact import WaitingStarted
from casecore.case.events.goodwill import (
    GoodwillApprovalRequested,
    GoodwillApproved,
    GoodwillDeclined,
)
from casecore.case.events.outcome import ComplaintResolved
from casecore.case.events.promises import (
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromiseReleased,
    PromiseRenegotiated,
)
from tests.casecore.sla.given import Desk, rule, utc


def promised(id: str, due_at: str) -> PromiseMade:
    return PromiseMade(id, "update", "We will call", utc(due_at), "ada")


def desk() -> Desk:
    kinds = (rule("promise"), rule("callback"), rule("follow_up"), rule("approval", 4))
    return Desk.under(*kinds).registered("03-06 15:00")


def test_a_promise_is_due_by_day_and_night() -> None:
    told = desk().tell("03-06 16:00", promised("p1", "03-07 16:00"))
    assert told.due("promise", subject="p1") == "03-07 16:00"  # T-37
    assert told.view("promise", subject="p1").target_seconds == 86_400
    told.tell("03-06 17:00", WaitingStarted("customer", "A photo?"))
    assert told.due("promise", subject="p1") == "03-07 16:00"


def test_each_promise_has_its_clock() -> None:
    told = desk().tell("03-06 16:00", promised("p1", "03-07 16:00"), promised("p2", "03-08 16:00"))
    told.tell("03-07 12:00", PromiseKept("p2", utc("03-07 12:00")))
    assert told.state("promise", subject="p1") == "running"
    assert told.state("promise", subject="p2") == "met"


def test_a_promise_renegotiated_in_time_has_the_new_date() -> None:
    told = desk().tell("03-06 16:00", promised("p1", "03-07 16:00"))
    moved = PromiseRenegotiated("p1", utc("03-09 16:00"), True, "The carrier needs longer")
    told.tell("03-07 10:00", moved)
    seen = told.view("promise", subject="p1")
    assert (seen.due_at, seen.cause) == (utc("03-09 16:00"), "PromiseRenegotiated")


def test_a_promise_fulfilled_too_late_is_late_by_that() -> None:
    told = desk().tell("03-06 16:00", promised("p1", "03-07 16:00"))
    late = utc("03-07 17:30")
    told.tell("03-07 17:30", PromiseBroken("p1", utc("03-07 16:00"), late, fulfilled_at=late))
    seen = told.view("promise", subject="p1")
    assert (seen.state, seen.lateness_seconds) == ("breached", 5400)


def test_finding_a_promise_broken_does_not_fulfil_it() -> None:
    told = desk().tell("03-06 16:00", promised("p1", "03-07 16:00"))
    told.tell("03-07 17:00", PromiseBroken("p1", utc("03-07 16:00"), utc("03-07 17:00")))
    seen = told.view("promise", "03-07 18:00", subject="p1")
    assert (seen.state, seen.satisfied_at) == ("breached", None)


def test_a_released_promise_is_cancelled() -> None:
    told = desk().tell("03-06 16:00", promised("p1", "03-07 16:00"))
    told.tell("03-07 10:00", PromiseReleased("p1", True, "It came"))
    assert told.state("promise", subject="p1") == "cancelled"


def test_a_callback_is_due_when_its_window_ends_also_once_resolved() -> None:
    told = desk().tell("03-06 15:30", ComplaintResolved("upheld", "We were late, and said so"))
    window = (utc("03-09 09:00"), utc("03-09 12:00"))
    for id in ("b1", "b2"):
        told.tell("03-06 16:00", CallbackScheduled(id, "post_resolution", *window, "UTC", 3))
    assert told.due("callback", subject="b1") == "03-09 12:00"
    told.tell("03-09 11:00", CustomerCalledBack("b1", True), CallbackAbandoned("b2", 3, "Away"))
    assert told.state("callback", subject="b1") == "met"
    assert told.state("callback", subject="b2") == "cancelled"


def test_a_callback_made_on_the_spot_is_met() -> None:
    now = utc("03-06 16:00")
    told = desk().tell("03-06 16:00", CallbackScheduled("b1", "progress", now, now, "UTC", 3))
    told.tell("03-06 16:00", CustomerCalledBack("b1", True))
    assert told.state("callback", subject="b1") == "met"


def test_a_follow_up_is_due_when_it_was_planned_for() -> None:
    told = desk().tell("03-06 16:00", FollowUpScheduled("f1", "warehouse", utc("03-07 14:00")))
    assert told.due("follow_up", subject="f1") == "03-07 14:00"
    assert told.tell("03-07 13:00", FollowUpDone("f1", "On its way")).names() == []


def test_an_approval_is_asked_for_in_open_time_and_answered_either_way() -> None:
    told = desk()
    for id in ("g1", "g2"):
        told.tell("03-06 16:00", GoodwillApprovalRequested(id, "ada", Role.SUPERVISOR))
    assert told.due("approval", subject="g1") == "03-09 12:00"
    told.tell("03-09 12:00", GoodwillApproved("g1")).tell(
        "03-09 12:01", GoodwillDeclined("g2", "No")
    )
    assert told.state("approval", subject="g1") == "met"
    assert told.state("approval", subject="g2") == "breached"
