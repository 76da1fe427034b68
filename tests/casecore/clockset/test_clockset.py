"""What is recorded of a case's clocks: each thing once, and overruled with a reason."""

from datetime import timedelta
from uuid import UUID

import pytest

from casecore.asking import Ask
from casecore.clockset.decisions import (
    BreachClock,
    RebaselineClocks,
    RescindResult,
    Running,
    WarnClock,
)
from casecore.clockset.events import (
    ClockBreached,
    ClockEvent,
    ClockRebaselined,
    ClockResultRescinded,
    ClockWarned,
)
from casecore.clockset.state import ClockSet, clockset_id
from casecore.sla.events import CalendarPublished, Pin, SlaPolicyPublished
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from tests.casecore.clocks.given import LONDON
from tests.casecore.sla.given import policy, rule
from tests.spec import ADA, ADMIN, CASE_ID, NOON, SAM, SERVICE, SYSTEM, Spec, given

CLOCK = UUID(int=1)
EVIDENCE = UUID(int=2)
SOON = NOON + timedelta(seconds=1)
LATER = NOON + timedelta(hours=3)

warn = WarnClock(
    case_id=CASE_ID, clock_id=CLOCK, cycle=1, name="resolution", threshold="75%", due_at=LATER
)
breach = BreachClock(case_id=CASE_ID, clock_id=CLOCK, cycle=1, name="resolution", due_at=NOON)
rescind = RescindResult(
    case_id=CASE_ID,
    clock_id=CLOCK,
    cycle=1,
    name="resolution",
    evidence=EVIDENCE,
    reason="The reply was recorded late",
)
running = Running(
    clock_id=CLOCK,
    cycle=1,
    name="resolution",
    policy_id="desk",
    policy_version=1,
    calendar_id="lon",
    calendar_version=1,
)
rebaseline = RebaselineClocks(case_id=CASE_ID, clocks=(running,), reason="Agreed with them")

warned = ClockWarned(CASE_ID, CLOCK, 1, "resolution", "75%", LATER)
breached = ClockBreached(CASE_ID, CLOCK, 1, "resolution", NOON, LATER)
rescinded = ClockResultRescinded(
    CASE_ID, CLOCK, 1, "resolution", EVIDENCE, "The reply was recorded late"
)


def clocks(*events: ClockEvent) -> Spec:
    return given(*events, of=ClockSet, id=clockset_id(CASE_ID))


def pin(policy_version: int, calendar_version: int = 1) -> Pin:
    return Pin("desk", policy_version, "lon", calendar_version)


def moved(after: Pin, before: Pin | None = None) -> ClockRebaselined:
    return ClockRebaselined(
        case_id=CASE_ID,
        clock_id=CLOCK,
        cycle=1,
        name="resolution",
        before=before or pin(1),
        after=after,
        effective_at=NOON,
        reason="Agreed with them",
    )


def book(versions: int = 2, calendars: int = 1) -> SlaBook:
    state = SlaBook(SLA_BOOK_ID)
    for version in range(1, calendars + 1):
        state = state.evolve(CalendarPublished("lon", version, LONDON))
    for version in range(1, versions + 1):
        told = policy(rule("resolution", 17 - version), rule("weeks", 8, kind="regulatory"))
        state = state.evolve(SlaPolicyPublished("desk", version, told, NOON))
    return state


def test_a_clock_warns_once_at_each_threshold() -> None:
    spec = clocks().when(warn, by=SYSTEM).then(warned).when(warn, by=SYSTEM).then()
    other = WarnClock(
        case_id=CASE_ID, clock_id=CLOCK, cycle=1, name="resolution", threshold="3600s"
    )
    spec.when(other, by=SYSTEM).then(ClockWarned(CASE_ID, CLOCK, 1, "resolution", "3600s", None))


def test_a_breach_is_recorded_once_however_late_it_is_found() -> None:
    spec = clocks().when(breach, by=SYSTEM, at=LATER).then(breached)
    spec.when(breach, by=SYSTEM, at=LATER + timedelta(days=1)).then()


def test_nothing_is_breached_on_its_due_instant() -> None:
    clocks().when(breach, by=SYSTEM, at=NOON).then_refused("not-due")
    just_after = NOON + timedelta(microseconds=1)
    clocks().when(breach, by=SYSTEM, at=just_after).then(
        ClockBreached(CASE_ID, CLOCK, 1, "resolution", NOON, just_after)
    )


def test_a_breach_at_another_instant_is_another_breach() -> None:
    """As when a pause was recorded in the very moment in which the first was found."""
    again = BreachClock(case_id=CASE_ID, clock_id=CLOCK, cycle=1, name="resolution", due_at=SOON)
    clocks(breached).when(again, by=SYSTEM, at=LATER).then(
        ClockBreached(CASE_ID, CLOCK, 1, "resolution", SOON, LATER)
    )


def test_a_result_is_taken_back_once_and_may_be_found_again() -> None:
    spec = clocks(breached).when(rescind, by=SAM).then(rescinded).when(rescind, by=SAM).then()
    spec.when(breach, by=SYSTEM, at=LATER).then(breached)


def test_a_running_clock_goes_on_by_the_version_in_force() -> None:
    spec = clocks().when(rebaseline, by=SAM, beside=book()).then(moved(pin(2)))
    spec.when(rebaseline, by=SAM, beside=book()).then()


def test_or_by_the_versions_that_are_named() -> None:
    named = RebaselineClocks(
        case_id=CASE_ID,
        clocks=(running,),
        reason="Agreed with them",
        policy_version=1,
        calendar_version=2,
    )
    state = book(versions=3, calendars=3)
    clocks().when(named, by=SAM, beside=state).then(moved(pin(1, 2)))


def test_a_clock_that_has_these_versions_already_stays_as_it_is() -> None:
    clocks().when(rebaseline, by=SAM, beside=book(versions=1)).then()


def test_a_breached_cycle_is_not_rebaselined() -> None:
    clocks(breached).when(rebaseline, by=SAM, beside=book()).then_refused("clock-over")


def test_what_is_not_published_cannot_be_rebaselined_to() -> None:
    for changes, code in (
        ({"policy_version": 9}, "policy-not-found"),
        ({"calendar_version": 9}, "calendar-not-found"),
    ):
        command = RebaselineClocks(case_id=CASE_ID, clocks=(running,), reason="-", **changes)
        clocks().when(command, by=SAM, beside=book()).then_refused(code)
    renamed = Running(
        clock_id=CLOCK,
        cycle=1,
        name="other",
        policy_id="desk",
        policy_version=1,
        calendar_id="lon",
        calendar_version=1,
    )
    command = RebaselineClocks(case_id=CASE_ID, clocks=(renamed,), reason="-")
    clocks().when(command, by=SAM, beside=book()).then_refused("target-not-found")


def test_a_regulators_clock_is_not_rebaselined() -> None:
    theirs = Running(
        clock_id=CLOCK,
        cycle=1,
        name="weeks",
        policy_id="desk",
        policy_version=1,
        calendar_id="lon",
        calendar_version=1,
    )
    command = RebaselineClocks(case_id=CASE_ID, clocks=(theirs,), reason="-")
    clocks().when(command, by=SAM, beside=book()).then_refused("clock-not-ours")


@pytest.mark.parametrize("command", [warn, breach])
def test_only_the_deadline_process_says_what_time_tells(command: Ask) -> None:
    for by in (ADA, SAM, ADMIN, SERVICE):
        clocks().when(command, by=by, at=LATER).then_refused("role-forbidden")


@pytest.mark.parametrize("command", [rebaseline, rescind])
def test_only_who_leads_overrules(command: Ask) -> None:
    for by in (ADA, SERVICE):
        clocks().when(command, by=by, beside=book()).then_refused("role-forbidden")


def test_the_clocks_of_one_case_are_not_those_of_another() -> None:
    other = given(of=ClockSet, id=clockset_id(UUID(int=9)))
    other.when(breach, by=SYSTEM, at=LATER).then_refused("wrong-case")
