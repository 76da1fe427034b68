"""What holds whatever happens to a case: folds, views and alarms agree with each other."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from casecore.actors import Actor
from casecore.case.events.callbacks import CallbackScheduled, CustomerCalledBack
from casecore.case.events.contact import (
    AcknowledgementSent,
    CustomerContacted,
    ProgressUpdateSent,
    ResponseSent,
    WaitingEnded,
    WaitingStarted,
)
from casecore.case.events.intake import NoteAdded
from casecore.case.events.outcome import CaseReopened, CaseWithdrawn, ComplaintResolved
from casecore.case.events.promises import PromiseKept, PromiseMade, PromiseRenegotiated
from casecore.case.events.triage import CaseReclassified, PriorityChanged
from casecore.clocks.instants import micros
from casecore.clocks.targets import OpenTime, Weeks
from casecore.clockset.events import ClockBreached, ClockRebaselined, ClockWarned
from casecore.sla.book import Book
from casecore.sla.cycle import alarms, consumed_by, next_alarm, view
from casecore.sla.events import Match, Pin, SlaPolicyPublished, Trigger, Warn
from casecore.sla.explaining import explain
from casecore.sla.reckoning import CaseClocks
from tests.casecore.clocks.given import HOUR
from tests.casecore.sla.given import Desk, Fact, policy, rule
from tests.spec import ADA, CASE_ID, SERVICE, SYSTEM
from tests.spec import registered as complaint

BEGUN = datetime(2026, 3, 23, 9, tzinfo=UTC)
"""A week before the clocks change."""
STEPS_MAX = 14
WARNINGS = (Warn(percent=75), Warn(seconds_left=HOUR))
GRADED = {"low": OpenTime(24 * HOUR), "high": OpenTime(6 * HOUR)}

many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def busy() -> Desk:
    """Two policies with clocks of every way to run, and later versions of book and calendar."""
    return Desk.under(
        rule("acknowledgement", 4),
        rule("first_response", 4, warnings=WARNINGS),
        rule("next_response", 3, warnings=WARNINGS),
        rule("progress_update", 8, warnings=WARNINGS),
        rule("resolution", 16, by_priority=GRADED, warnings=WARNINGS, min_remaining_seconds=900),
        rule("again", 12, kind="resolution", reopen="new_cycle"),
        rule("promise"),
        rule("callback"),
    )


def book() -> Book:
    desk = busy()
    weeks = replace(rule("weeks", kind="regulatory"), target=Weeks(2))
    loans = policy(weeks, rule("resolution", 10), rank=200, match=Match(products=("loan",)))
    desk.publish(loans, id="loans")
    return desk.book


def happening(at: datetime) -> st.SearchStrategy[Any]:
    later = at + timedelta(hours=5)
    return st.sampled_from(
        [
            WaitingStarted("customer", "A photo?"),
            WaitingStarted("third_party", "A log?"),
            WaitingEnded("customer", "agent", at),
            WaitingEnded("third_party", "agent", at),
            CustomerContacted("email"),
            ResponseSent("email"),
            AcknowledgementSent("written", "email"),
            ProgressUpdateSent("email", "Found it"),
            ProgressUpdateSent("email", "Found it", next_update_by=later),
            PriorityChanged("normal", "high", "-"),
            PriorityChanged("normal", "low", "-"),
            CaseReclassified("-", None, "loan", None, None),
            CaseReclassified("-", None, "delivery", None, None),
            ComplaintResolved("upheld", "We were late, and said so"),
            CaseReopened("dissatisfied", "-"),
            PromiseMade("p1", "update", "-", later, "ada"),
            PromiseKept("p1", at),
            PromiseRenegotiated("p1", later, True, "-"),
            CallbackScheduled("b1", "requested", at, later, "UTC", 3),
            CustomerCalledBack("b1", True),
            CaseWithdrawn("-"),
        ]
    )


@st.composite
def lives(draw: st.DrawFn) -> list[Fact]:
    """Facts in the order they were recorded in; some occurred earlier, as people may say."""
    facts = [Fact(10, BEGUN, BEGUN, ADA, replace(complaint, received_at=BEGUN))]
    now = BEGUN
    for position in range(11, 11 + draw(st.integers(0, STEPS_MAX))):
        now += timedelta(minutes=draw(st.sampled_from([0, 1, 30, 90, 60 * 7, 60 * 30])))
        occurred = now - timedelta(minutes=draw(st.sampled_from([0, 0, 0, 20, 200])))
        event = draw(happening(occurred))
        by: Actor = draw(st.sampled_from([ADA, ADA, SERVICE]))
        facts.append(Fact(position, occurred, now, by, event))
    return facts


def folded(facts: list[Fact], book: Book, clocks: CaseClocks | None = None) -> CaseClocks:
    def evolve(clocks: CaseClocks, fact: Fact) -> CaseClocks:
        return clocks.evolve(fact, book)

    return reduce(evolve, facts, clocks or CaseClocks(CASE_ID))


def timed(facts: list[Fact], book: Book) -> list[Fact]:
    """The same, and the deadline process at work between them."""
    told: list[Fact] = []
    clocks = CaseClocks(CASE_ID)
    for n, fact in enumerate(facts):
        told.append(replace_position(fact, len(told) + 10))
        clocks = clocks.evolve(told[-1], book)
        until = facts[n + 1].recorded_at if n + 1 < len(facts) else fact.recorded_at
        for cycle in clocks.cycles:
            for alarm in alarms(cycle, book):
                if alarm.at >= until:
                    continue
                found = alarm.at + timedelta(microseconds=1)
                event: ClockBreached | ClockWarned = (
                    ClockBreached(CASE_ID, cycle.clock_id, cycle.cycle, cycle.name, alarm.at, found)
                    if alarm.breach
                    else ClockWarned(
                        CASE_ID,
                        cycle.clock_id,
                        cycle.cycle,
                        cycle.name,
                        alarm.threshold,
                        None,
                    )
                )
                told.append(Fact(len(told) + 10, found, max(found, until), SYSTEM, event))
                clocks = clocks.evolve(told[-1], book)
    return told


def replace_position(fact: Fact, position: int) -> Fact:
    return Fact(position, fact.occurred_at, fact.recorded_at, fact.actor, fact.event)


@many
@given(lives())
def test_one_fact_at_a_time_or_from_storage_between_them_comes_to_the_same(
    facts: list[Fact],
) -> None:
    shared, clocks = book(), CaseClocks(CASE_ID)
    for fact in timed(facts, shared):
        stored = msgspec.json.encode(clocks)
        clocks = msgspec.json.decode(stored, type=CaseClocks).evolve(fact, shared)
    assert clocks == folded(timed(facts, book()), book())


@many
@given(lives())
def test_what_is_published_later_changes_nothing_that_was_folded_before(
    facts: list[Fact],
) -> None:
    before = book()
    after = book()
    end = facts[-1].position
    after.learn(published_later(), end + 1)
    assert folded(facts, before) == folded(facts, after)


def test_what_rules_speak_of_only_later_is_not_remembered_by_who_knows_of_it_already() -> None:
    noted = NoteAdded("n1", "Lost")
    facts = [
        Fact(10, BEGUN, BEGUN, ADA, replace(complaint, received_at=BEGUN)),
        Fact(11, BEGUN, BEGUN, ADA, noted),
    ]
    speaking = policy(rule("resolution", 1, satisfied_by=(Trigger("NoteAdded"),)), rank=900)
    after = book()
    after.learn(SlaPolicyPublished("later", 1, speaking, BEGUN), 12)
    assert folded(facts, book()) == folded(facts, after)
    more = Fact(13, BEGUN, BEGUN, ADA, noted)
    assert "NoteAdded" in folded([*facts, more], after).firsts


def published_later() -> SlaPolicyPublished:
    harsh = policy(rule("resolution", 1), rank=900)
    return SlaPolicyPublished("harsh", 1, harsh, BEGUN)


@many
@given(lives(), st.integers(0, 60 * 24 * 20))
def test_views_and_alarms_agree_at_any_time(facts: list[Fact], minutes: int) -> None:
    shared = book()
    clocks = folded(timed(facts, shared), shared)
    now = facts[-1].recorded_at + timedelta(minutes=minutes)
    for cycle in clocks.cycles:
        seen = view(cycle, shared, now)
        due = next((alarm.at for alarm in alarms(cycle, shared) if alarm.breach), None)
        if seen.state == "breached":
            assert seen.detected_at is not None or due == seen.breached_at
        elif seen.state == "running":
            assert due == seen.due_at
            assert due is None or due >= now
        elif seen.state == "paused":
            assert due is None
        else:
            assert next_alarm(cycle, shared) is None
        if seen.state in ("running", "paused"):
            assert (
                seen.consumed_seconds + seen.remaining_seconds
                in (
                    seen.target_seconds,
                    seen.target_seconds - 1,
                )
                or seen.remaining_seconds == 0
            )
        assert (seen.state == "breached") == (seen.breached_at is not None)


@many
@given(lives())
def test_what_has_ended_changes_only_by_being_reopened_or_taken_back(facts: list[Fact]) -> None:
    shared, clocks = book(), CaseClocks(CASE_ID)
    for fact in timed(facts, shared):
        before = {(c.clock_id, c.cycle): view(c, shared) for c in clocks.over}
        clocks = clocks.evolve(fact, shared)
        if isinstance(fact.event, CaseReopened):
            continue
        for key, seen in before.items():
            cycle = clocks.cycle(*key)
            assert cycle is not None
            after = view(cycle, shared)
            assert replace(after, detected_at=None) == replace(seen, detected_at=None)


@many
@given(lives(), st.lists(st.integers(0, 60 * 24 * 10), min_size=2, max_size=5).map(sorted))
def test_consumed_time_only_grows(facts: list[Fact], minutes: list[int]) -> None:
    shared = book()
    clocks = folded(facts, shared)
    for cycle in clocks.cycles:
        times = [cycle.started + m * 60_000_000 for m in minutes]
        used = [consumed_by(cycle, shared, at) for at in times]
        assert used == sorted(used)
        for (a, x), (b, y) in pairwise(zip(times, used, strict=True)):
            assert y - x <= b - a


@many
@given(lives())
def test_the_lines_of_an_explanation_add_up_to_what_was_consumed(facts: list[Fact]) -> None:
    shared = book()
    clocks = folded(facts, shared)
    now = facts[-1].recorded_at + timedelta(days=1)
    for cycle in clocks.cycles:
        lines = explain(cycle, shared, now)
        end = cycle.ended or ((due := view(cycle, shared, now).due_at) and micros(due))
        consumed = consumed_by(cycle, shared, end or micros(now))
        assert abs(sum(line.seconds for line in lines) - consumed / 1_000_000) < 1e-3


@many
@given(lives())
def test_a_rebaseline_to_the_same_versions_changes_no_due_instant(facts: list[Fact]) -> None:
    shared = book()
    clocks = folded(facts, shared)
    now = facts[-1].recorded_at
    for n, cycle in enumerate(clocks.running):
        pin = Pin(*msgspec.structs.astuple(cycle.pin))
        event = ClockRebaselined(
            CASE_ID, cycle.clock_id, cycle.cycle, cycle.name, pin, pin, now, "-"
        )
        after = clocks.evolve(Fact(500 + n, now, now, ADA, event), shared)
        moved = after.cycle(cycle.clock_id, cycle.cycle)
        assert moved is not None
        before, then = view(cycle, shared, now), view(moved, shared, now)
        assert (then.due_at, then.state) == (before.due_at, before.state)
