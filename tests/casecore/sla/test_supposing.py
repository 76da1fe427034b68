"""What if other policies had been in force: what would differ, and what could not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from casecore.case.events.contact import AcknowledgementSent, ResponseSent
from casecore.case.events.outcome import ComplaintResolved
from casecore.case.events.triage import PriorityChanged
from casecore.clocks.calendar import Calendar, Weekly
from casecore.clockset.events import ClockRebaselined
from casecore.errors import Rejected
from casecore.sla.book import Book
from casecore.sla.cycle import view
from casecore.sla.events import CalendarPublished, Pin, SlaPolicy, SlaPolicyPublished
from casecore.sla.files import pack, read_book
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from casecore.sla.supposing import Compared, Count, Difference, Totals, compared, supposed
from tests.casecore.clocks.given import HOUR, LONDON
from tests.casecore.sla.given import JANUARY, Desk, Fact, policy, rule, utc
from tests.casecore.sla.test_laws import book as law_book
from tests.casecore.sla.test_laws import folded, lives, many, timed
from tests.spec import ADMIN, CASE_ID

RESOLVED = ComplaintResolved("upheld", "Lost at the depot")
LATER = utc("04-01 12:00")


def supposing(*policies: SlaPolicy, calendar: Calendar = LONDON) -> Book:
    return Book.supposing({"lon": calendar}, {f"p{n}": one for n, one in enumerate(policies)})


def what_if(desk: Desk, book: Book, now: datetime = LATER) -> Compared:
    return compared(CASE_ID, desk.facts, desk.book, book, now)


def told(difference: Difference) -> tuple[Any, ...]:
    states = [one and one.state for one in (difference.before, difference.after)]
    return (difference.name, *states)


def test_a_shorter_target_would_have_been_breached() -> None:
    desk = (
        Desk.under(rule("resolution", 16)).registered("03-02 09:00").tell("03-03 12:00", RESOLVED)
    )
    [difference] = what_if(desk, supposing(policy(rule("resolution", 8)))).differences()
    assert told(difference) == ("resolution", "met", "breached")
    assert difference.after is not None
    assert difference.after.due_at == difference.after.breached_at == utc("03-02 17:00")
    assert difference.after.lateness_seconds == 19 * HOUR


def test_a_clock_that_only_one_of_the_books_has_is_in_one_only() -> None:
    desk = Desk.under(rule("resolution", 8), rule("acknowledgement", 2)).registered("03-02 09:00")
    book = supposing(policy(rule("resolution", 8), rule("first_response", 4)))
    assert [told(d) for d in what_if(desk, book, utc("03-02 10:00")).differences()] == [
        ("acknowledgement", "running", None),
        ("first_response", None, "running"),
    ]


def test_a_breach_that_was_found_does_not_count_where_it_would_not_have_come_to_it() -> None:
    desk = Desk.under(rule("resolution", 8)).registered("03-02 09:00")
    desk.breached("resolution", "03-02 17:05").tell("03-03 10:00", RESOLVED)
    [difference] = what_if(desk, supposing(policy(rule("resolution", 16)))).differences()
    assert told(difference) == ("resolution", "breached", "met")


def test_a_breach_that_would_have_been_found_just_so_outlasts_a_later_record() -> None:
    """Who reads the record alone would find the case resolved in time."""
    desk = Desk.under(rule("resolution", 8)).registered("03-02 09:00")
    desk.breached("resolution", "03-02 17:05").tell("03-02 16:00", RESOLVED, recorded="03-03 10:00")
    same = what_if(desk, supposing(policy(rule("resolution", 8))))
    assert same.differences() == []
    assert [seen.state for seen in same.after] == ["breached"]


def test_a_case_that_came_in_before_its_policy_would_have_had_clocks() -> None:
    desk = Desk()
    desk.registered("03-02 09:00").tell("03-02 11:00", AcknowledgementSent("written", "email"))
    book = supposing(policy(rule("acknowledgement", 4)))
    assert [told(d) for d in what_if(desk, book).differences()] == [
        ("acknowledgement", None, "met")
    ]


def test_versions_that_came_later_differ_from_one_that_was_always_in_force() -> None:
    """T-24, T-56: the case began under the version before."""
    desk = Desk.under(rule("resolution", 16)).registered("03-04 10:00")
    desk.publish(policy(rule("resolution", 8)), version=2)
    before, after = (policy(rule("resolution", hours)) for hours in (16, 8))
    assert what_if(desk, supposing(before), utc("03-04 12:00")).differences() == []
    [difference] = what_if(desk, supposing(after), utc("03-04 12:00")).differences()
    assert difference.before is not None
    assert difference.after is not None
    assert (difference.before.due_at, difference.after.due_at) == (
        utc("03-06 10:00"),
        utc("03-05 10:00"),
    )


def test_a_move_to_another_version_means_nothing_where_one_was_always_in_force() -> None:
    desk = Desk.under(rule("resolution", 16)).registered("03-04 10:00")
    desk.publish(policy(rule("resolution", 8)), version=2)
    cycle, after = desk.cycle("resolution"), Pin("desk", 2, "lon", 1)
    moved = ClockRebaselined(
        CASE_ID, cycle.clock_id, 1, "resolution", cycle.pin, after, utc("03-04 15:00"), "-"
    )
    desk.tell("03-04 15:00", moved)
    assert desk.due("resolution") == "03-05 10:00"
    seen = what_if(desk, supposing(policy(rule("resolution", 16))), utc("03-04 16:00"))
    assert [clock.due_at for clock in seen.after] == [utc("03-06 10:00")]


@many
@given(lives(), st.integers(0, 60 * 24 * 20))
def test_under_the_policies_as_they_are_everything_is_as_it_is(
    facts: list[Fact], minutes: int
) -> None:
    shared, now = law_book(), facts[-1].recorded_at + timedelta(minutes=minutes)
    facts = timed(facts, shared)
    stored = [view(cycle, shared, now) for cycle in folded(facts, shared).cycles]
    seen = compared(CASE_ID, facts, law_book(), law_book(), now)
    assert seen.differences() == []
    assert seen.before == seen.after == stored


@many
@given(lives(), st.integers(0, 60 * 24 * 20))
def test_policies_that_were_in_force_all_along_may_as_well_be_supposed(
    facts: list[Fact], minutes: int
) -> None:
    shared, now = law_book(), facts[-1].recorded_at + timedelta(minutes=minutes)
    in_force = supposed_from(shared)
    assert compared(CASE_ID, timed(facts, shared), shared, in_force, now).differences() == []


def supposed_from(book: Book) -> Book:
    """What is in force by the end of it, as always in force."""
    policies = {id: policy for (id, _), policy in book._policies.items()}
    return Book.supposing({"lon": LONDON}, policies)


@many
@given(lives(), st.integers(1, 15), st.integers(1, 15))
def test_with_more_time_what_was_met_is_met(facts: list[Fact], hours: int, more: int) -> None:
    """With one target whatever the priority, and no later reopening: else time may be cut."""
    facts = [fact for fact in facts if not isinstance(fact.event, PriorityChanged)]
    short, long = (
        supposing(policy(rule("first_response", h), rule("acknowledgement", h)))
        for h in (hours, hours + more)
    )
    seen = compared(CASE_ID, facts, short, long, facts[-1].recorded_at)
    for before, after in zip(seen.before, seen.after, strict=True):
        assert (before.clock_id, before.cycle) == (after.clock_id, after.cycle)
        assert before.state != "met" or after.state == "met"


def test_totals_count_each_target_under_both_books() -> None:
    totals = Totals()
    met = Desk.under(rule("resolution", 16)).registered("03-02 09:00").tell("03-03 12:00", RESOLVED)
    open_ = Desk.under(rule("resolution", 16)).registered("03-02 09:00")
    for desk in (met, open_):
        totals.add(what_if(desk, supposing(policy(rule("resolution", 8))), utc("03-02 10:00")))
    [total] = totals.by_target()
    assert (total.name, total.kind) == ("resolution", "resolution")
    assert total.before == Count(cycles=2, met=1, running=1)
    assert total.after == Count(cycles=2, breached=1, running=1)


def test_a_pack_can_be_supposed_as_it_comes() -> None:
    book = supposed(read_book(pack("desk")), SlaBook(SLA_BOOK_ID), ADMIN, JANUARY)
    desk = Desk().registered("03-02 09:00").tell("03-02 11:00", ResponseSent("email"))
    assert {d.name for d in what_if(desk, book).differences()} == {
        "acknowledgement",
        "first_response",
        "progress_update",
        "resolution",
    }


LONDON_POLICY = """
[policies.desk]
rank = 1
calendar = "lon"
[policies.desk.targets.resolution]
kind = "resolution"
target = { kind = "open_time", seconds = 28800 }
"""


def test_a_calendar_that_the_file_only_names_is_the_published_one() -> None:

    published = SlaBook(SLA_BOOK_ID).evolve(CalendarPublished("lon", 1, LONDON))
    always = Calendar("Europe/London", Weekly(*[(("00:00", "24:00"),)] * 7))
    published = published.evolve(CalendarPublished("lon", 2, always))
    book = supposed(read_book(LONDON_POLICY), published, ADMIN, JANUARY)
    desk = Desk().registered("03-02 09:00")
    [seen] = what_if(desk, book, utc("03-02 10:00")).after
    assert seen.due_at == utc("03-02 17:00")
    [seen] = what_if(Desk().registered("03-02 23:00"), book, utc("03-02 23:30")).after
    assert seen.due_at == utc("03-03 07:00")


def test_what_could_not_be_published_cannot_be_supposed() -> None:
    empty = SlaBook(SLA_BOOK_ID)
    with pytest.raises(Rejected, match="there is no calendar lon"):
        supposed(read_book(LONDON_POLICY), empty, ADMIN, JANUARY)
    both = read_book(pack("desk"))
    [rival] = [replace(c, policy_id="rival") for c in both if hasattr(c, "policy")]
    with pytest.raises(Rejected) as refused:
        supposed([*both, rival], empty, ADMIN, JANUARY)
    assert refused.value.code == "policy-rank-conflict"


def test_calendars_alone_are_supposed_with_the_policies_in_force() -> None:
    published = SlaBook(SLA_BOOK_ID).evolve(CalendarPublished("lon", 1, LONDON))
    always = '[calendars.lon]\nzone = "UTC"\n[calendars.lon.weekly]\nmon = [["00:00", "24:00"]]\n'
    with pytest.raises(Rejected, match="no policy is in force"):
        supposed(read_book(always), published, ADMIN, JANUARY)
    eight = SlaPolicyPublished("desk", 1, policy(rule("resolution", 8)), JANUARY)
    book = supposed(read_book(always), published.evolve(eight), ADMIN, JANUARY)
    [seen] = what_if(Desk().registered("03-02 09:00"), book, utc("03-02 10:00")).after
    assert seen.due_at == utc("03-02 17:00")
    [seen] = what_if(Desk().registered("03-02 20:00"), book, utc("03-02 21:00")).after
    assert seen.due_at == utc("03-09 04:00")
