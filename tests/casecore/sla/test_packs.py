"""The files that come with casecore, published one on top of the other."""

from datetime import UTC, datetime
from functools import cache

from casecore.case.events.contact import WaitingStarted
from casecore.sla.book import Book
from casecore.sla.events import CalendarPublished, SlaPolicyPublished
from casecore.sla.files import pack, packs, read_book
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from tests.casecore.sla.given import Desk, utc
from tests.spec import ADMIN

PUBLISHED = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def published() -> SlaBook:
    state = SlaBook(SLA_BOOK_ID)
    for name in packs():
        for command in read_book(pack(name)):
            command.permit(state, ADMIN)
            for event in command.decide(state, ADMIN, PUBLISHED):
                state = state.evolve(event)
    return state


def desk() -> Desk:
    book = Book()
    for versions in published().calendars.values():
        for calendar in versions:
            book.learn(calendar, 0)
    for course in published().policies.values():
        for step in course:
            book.learn(step, 0)
    return Desk(book)


def test_all_packs_can_be_published_beside_each_other_and_again() -> None:
    assert packs() == ["au_rg271", "desk", "uk_disp", "us_cfpb"]
    for name in packs():
        for command in read_book(pack(name)):
            assert command.decide(published(), ADMIN, PUBLISHED) == []


def test_eight_weeks_and_three_business_days_after_receipt() -> None:
    told = desk().registered("04-02 17:30", jurisdictions=("GB",))
    assert told.due("disp_summary_resolution") == "04-09 16:00"  # T-47
    assert told.due("disp_final_response") == "05-28 22:59:59.999999"
    assert "resolution" in told.names()


def test_waiting_for_the_customer_moves_no_regulatory_date() -> None:
    told = desk().registered("04-02 17:30", jurisdictions=("GB",))
    before = told.due("resolution")
    told.tell("04-07 09:00", WaitingStarted("customer", "A statement?"))
    assert told.due("disp_summary_resolution") == "04-09 16:00"  # T-49
    assert told.due("disp_final_response") == "05-28 22:59:59.999999"
    assert (before, told.due("resolution")) == ("04-13 16:00", None)


def test_late_logging_does_not_shorten_the_time_since_receipt() -> None:
    told = desk().registered("04-10 09:00", jurisdictions=("GB",), received_at=utc("04-02 17:30"))
    assert told.due("disp_final_response") == "05-28 22:59:59.999999"


def test_australian_days_end_in_sydney() -> None:
    received = "2026-09-10 00:00"
    told = desk().registered(received, jurisdictions=("AU",))
    assert told.due("rg271_response") == "10-10 12:59:59.999999"  # T-51
    told = desk().registered(received, jurisdictions=("AU",), product="credit_hardship")
    assert told.due("rg271_response") == "10-01 13:59:59.999999"
    told = desk().registered(received, jurisdictions=("AU",), product="superannuation")
    assert told.due("rg271_response") == "10-25 12:59:59.999999"
    assert told.view("rg271_response").regime == "au_rg271_super"


def test_a_case_in_two_jurisdictions_has_the_clocks_of_both() -> None:
    told = desk().registered("03-04 09:00", jurisdictions=("GB", "US"))
    assert {"disp_final_response", "cfpb_response", "resolution"} <= set(told.names())
    assert told.due("cfpb_response") == "03-20 03:59:59.999999"


def test_the_desk_is_closed_on_the_holidays_of_its_country() -> None:
    [calendar] = published().calendars["desk"]
    assert isinstance(calendar, CalendarPublished)
    closed = {str(on) for on in calendar.calendar.exceptions}
    assert {"2026-04-03", "2026-04-06", "2026-12-28", "2027-12-27"} <= closed


def test_a_published_policy_says_all_that_its_kind_left_out() -> None:
    [policy] = published().policies["desk"]
    assert isinstance(policy, SlaPolicyPublished)
    resolution = policy.policy.rule("resolution")
    assert resolution is not None
    assert resolution.paused_by == ("customer", "third_party")
    assert resolution.reopen == "resume"
