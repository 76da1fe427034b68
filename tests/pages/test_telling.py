"""The file of a case, and what an event changed of it, in words."""

from datetime import datetime, timedelta

from hypothesis import given, settings

from api.pages.rendering import duration, until
from api.pages.telling import CHAPTERS, Fact, changed, chapters, where
from casecore.money import Money
from projections.case_file import CaseFile, Note, Offer, Promise
from projections.replay import PLACE, Change, steps
from tests.projections.histories import Told, histories
from tests.projections.test_replay import of_cases
from tests.spec import NOON

PROMISE = Promise("p1", "update", "News", NOON, NOON, "ada", "elapsed", None)


def test_every_field_of_a_file_has_its_chapter() -> None:
    told = [field for fields in CHAPTERS.values() for field in fields]
    assert len(told) == len(set(told))
    assert {*told, "case_id", "case_ref"} | PLACE == {*CaseFile.__struct_fields__}


def test_a_place_in_the_file_is_told_as_people_would() -> None:
    assert where("/heard_at") == "Heard at"
    assert where("/promises/p1") == "Promise p1"
    assert where("/promises/p1/due_at") == "Promise p1, due at"
    assert where("/handover_notes/hn2/sufficient") == "Handover note hn2, sufficient"
    assert where("/recaps/0") == "Recap 1"
    assert where("/investigation/fault") == "Investigation, fault"


def test_what_came_is_told_with_all_there_is_to_it_and_what_changed_alone() -> None:
    came, moved = changed(
        [
            Change("/promises/p1", "added", None, PROMISE),
            Change("/promises/p1/due_at", "changed", NOON, NOON + timedelta(days=1)),
        ]
    )
    assert came.before == []
    assert Fact("Text", "News") in came.after
    assert Fact("Due at", NOON) in came.after
    assert (moved.before, moved.after) == (
        [Fact("Due at", NOON)],
        [Fact("Due at", NOON + timedelta(days=1))],
    )


def test_money_percent_and_codes_are_told_as_people_say_them() -> None:
    offer = Offer(
        *("g1", "discount", "thank_you", NOON, "ada", NOON, 1),
        percent_bp=1250,
        cap=Money(1999, "EUR"),
    )
    [told] = changed([Change("/goodwill/g1", "added", None, offer)])
    facts = {fact.name: fact.value for fact in told.after}
    assert facts["Percent"] == "12.5 %"
    assert facts["Cap"] == "19.99 EUR"
    assert facts["Purpose"] == "thank you"


def test_what_people_wrote_is_not_touched() -> None:
    note = Note("n1", None, "carrier_depot", None, NOON, "ada_b")
    [told] = changed([Change("/notes/n1", "added", None, note)])
    facts = {fact.name: fact.value for fact in told.after}
    assert (facts["Text"], facts["By"]) == ("carrier_depot", "ada_b")
    [told] = changed([Change("/stage", "changed", "registered", "solution_offered")])
    assert told.after == [Fact("Stage", "solution offered")]


def test_durations_are_as_rough_as_people_say_them() -> None:
    assert duration(0) == "0 s"
    assert duration(59) == "59 s"
    assert duration(3_661) == "1 h 1 min"
    assert duration(timedelta(days=1, hours=3, minutes=5)) == "1 day 3 h"
    assert duration(timedelta(days=2)) == "2 days"
    assert until(NOON + timedelta(minutes=5, seconds=3), NOON) == "in 5 min"
    assert until(NOON - timedelta(hours=2), NOON) == "2 h ago"
    assert until(NOON, NOON) == "now"


@settings(max_examples=40, deadline=None)
@given(history=histories())
def test_whatever_happens_can_be_told_and_what_it_touched_is_marked(history: list[Told]) -> None:
    for case in of_cases(history):
        for step in steps(case):
            told = changed(step.changes)
            assert all(one.where for one in told)
            shown = chapters(step.file, step.changes)
            facts = [fact for chapter in shown for fact in chapter.facts]
            things = [thing for chapter in shown for thing in chapter.things]
            facts += [fact for thing in things for fact in thing.facts]
            for one in (*facts, *(fact for said in told for fact in (*said.before, *said.after))):
                assert one.name
                assert isinstance(one.value, str | datetime)
            if any(said.after for said in told):
                assert any(fact.touched for fact in facts)
