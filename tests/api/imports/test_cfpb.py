"""Complaints of the CFPB: what a row becomes, and every way that one can be broken."""

import io
from collections import Counter
from datetime import UTC, datetime

import pytest

from api.imports import cfpb
from api.imports.plan import Bad, Plan
from casecore.case.decisions.intake import AddNote, HearComplaint, RegisterCase
from casecore.case.decisions.outcome import ReopenCase, ResolveCase
from casecore.case.decisions.ownership import AssignCase, QueueCase
from casecore.errors import Malformed
from tests.api.imports.shared import shared

HEADER = (
    "Date received,Product,Sub-product,Issue,Sub-issue,Consumer complaint narrative,"
    "Company public response,Company,State,ZIP code,Tags,Consumer consent provided?,"
    "Submitted via,Date sent to company,Company response to consumer,Timely response?,"
    "Consumer disputed?,Complaint ID\n"
)
ROW = (
    '2023-08-25,Credit card,Store card,Billing,Fees,"They said ""no"",\ntwice",,"EQUIFAX, INC.",FL,'
    "33009,Servicemember,,Web,2023-08-28,Closed with explanation,Yes,N/A,7523056\n"
)


def planned(text: str | bytes) -> list[Plan | Bad]:
    raw = text.encode() if isinstance(text, str) else text
    return list(cfpb.plans(io.BufferedReader(io.BytesIO(raw))))


def one(text: str | bytes) -> Plan:
    [plan] = planned(text)
    assert isinstance(plan, Plan)
    return plan


def bad(text: str | bytes) -> Bad:
    """The only thing that is wrong with the file."""
    [found] = [plan for plan in planned(text) if isinstance(plan, Bad)]
    return found


def test_a_row_is_received_heard_sent_to_the_company_and_answered() -> None:
    plan = one(HEADER + ROW)
    midnight = datetime(2023, 8, 25, 4, tzinfo=UTC)
    register, note, heard, sent, taken_on, resolved = plan.commands
    assert isinstance(register, RegisterCase)
    assert register.received_at == register.occurred_at == midnight
    assert register.receipt_zone == "America/New_York"
    assert (register.channel, register.customer.ref) == ("web", "cfpb-7523056")
    assert register.reason == 'They said "no",\ntwice'
    assert (register.product, register.category) == ("Credit card", "Billing")
    assert register.jurisdictions == ("US-FL",)
    assert (register.intake_source, register.intake_ref) == ("cfpb", "7523056")
    text = "Sub-issue: Fees\nSub-product: Store card\nZIP code: 33009\nTags: Servicemember"
    assert note == AddNote(text=text, occurred_at=midnight)
    assert heard == HearComplaint(customer_finished=True, occurred_at=midnight)
    later = datetime(2023, 8, 28, 4, tzinfo=UTC)
    assert sent == QueueCase(queue="equifax-inc", reason="Sent to EQUIFAX, INC.", occurred_at=later)
    assert taken_on == AssignCase(agent="equifax-inc", occurred_at=later)
    assert isinstance(resolved, ResolveCase)
    assert resolved.outcome == "heard_no_action"
    assert resolved.reasons == "EQUIFAX, INC.: Closed with explanation"
    assert resolved.fault is not None
    assert resolved.fault.party == "undetermined"


def test_without_the_consumers_words_the_issue_is_the_reason() -> None:
    row = ROW.replace('"They said ""no"",\ntwice"', "")
    [register, *_] = one(HEADER + row).commands
    assert isinstance(register, RegisterCase)
    assert register.reason == "Billing: Fees"


def test_a_case_in_progress_stays_open() -> None:
    plan = one(HEADER + ROW.replace("Closed with explanation", "In progress"))
    assert isinstance(plan.commands[-1], QueueCase)


def test_a_disputed_answer_reopens_the_case() -> None:
    plan = one(HEADER + ROW.replace("N/A", "Yes"))
    assert isinstance(plan.commands[-1], ReopenCase)
    assert plan.commands[-1].reason == "dissatisfied"


def test_a_late_answer_says_so() -> None:
    plan = one(HEADER + ROW.replace(",Yes,N/A", ",No,N/A"))
    assert isinstance(plan.commands[-1], ResolveCase)
    assert plan.commands[-1].reasons.endswith("Closed with explanation. not in time")


def test_a_row_is_planned_the_same_whatever_stands_around_it() -> None:
    alone = one(HEADER + ROW)
    [_, behind] = planned(HEADER + ROW.replace("7523056", "1") + ROW)
    assert isinstance(behind, Plan)
    assert behind.where == "line 4"
    assert (behind.case_id, behind.commands, behind.key) == (
        alone.case_id, alone.commands, alone.key,
    )  # fmt: skip


def test_a_row_that_changed_is_asked_for_under_another_key() -> None:
    before = one(HEADER + ROW.replace("Closed with explanation", "In progress"))
    after = one(HEADER + ROW)
    assert before.case_id == after.case_id
    assert before.key != after.key


@pytest.mark.parametrize(
    ("old", "new", "column", "why"),
    [
        ("2023-08-25", "25/08/2023", "Date received", "'25/08/2023' is not a date"),
        ("2023-08-28", "2023-08-24", "Date sent to company", "before the day it was received"),
        (",Web,", ",Carrier pigeon,", "Submitted via", "'Carrier pigeon' is none of Web, Phone"),
        ("Closed with explanation", "Lost", "Company response to consumer", "'Lost' is none of"),
        ("7523056", "", "Complaint ID", "'' is not a number"),
        ("7523056", "7 5", "Complaint ID", "'7 5' is not a number"),
        ("Credit card", "x" * 201, "Product", "length <= 200"),
        ("They", "x" * 10_001, "Consumer complaint narrative", "length <= 10000"),
        (",FL,", ",F L,", "State", "expected letters, digits"),
    ],
)  # fmt: skip
def test_a_bad_value_names_line_column_and_why(old: str, new: str, column: str, why: str) -> None:
    found = bad(HEADER + ROW.replace(old, new, 1))
    assert (found.where, found.column) == ("line 2", column)
    assert why in found.why


def test_a_record_with_a_value_too_many_names_its_first_line() -> None:
    found = bad(HEADER + ROW.replace("7523056", "7523056,oops") + ROW)
    assert found.where == "line 2"
    assert found.why == "19 values for 18 columns: a comma or a quote too many"


def test_a_record_with_a_value_too_few_does_not_pass_for_the_end() -> None:
    found = bad(HEADER + ROW.replace(",N/A", "") + ROW)
    assert found.why == "17 values for 18 columns: a comma or a quote too few"


def test_a_file_that_ends_within_a_quote_is_cut_off() -> None:
    cut = ROW.index("\ntwice") + 3
    first, found = planned(HEADER + ROW + ROW[:cut])
    assert isinstance(first, Plan)
    assert isinstance(found, Bad)
    assert found.where == "line 4"
    assert "cut off: a quoted value opens here and never ends" in found.why


def test_a_file_that_ends_within_a_record_is_cut_off() -> None:
    found = bad(HEADER + ROW[: ROW.index(",Web")])
    assert found.where == "line 2"
    assert found.why == "the file is cut off: its last record has 12 values for 18 columns"


def test_a_file_that_ends_within_the_last_value_is_found_out() -> None:
    found = bad(HEADER + ROW[:-3])
    assert found.where == "line 2"
    assert "this record may be cut off" in found.why


@pytest.mark.parametrize("end", range(len(HEADER) + 1, len(HEADER + ROW)))
def test_wherever_a_file_is_cut_no_case_comes_of_its_last_record(end: int) -> None:
    text = HEADER + ROW
    [found] = planned(text[:end])
    assert isinstance(found, Bad)


def test_a_line_that_is_not_utf_8_is_named_and_the_next_is_read() -> None:
    broken = ROW.replace("Billing", "Bill\udcff").encode(errors="surrogateescape")
    found, good = planned(HEADER.encode() + broken + ROW.encode())
    assert isinstance(found, Bad)
    assert isinstance(good, Plan)
    assert found.where == "line 2"
    assert "not UTF-8" in found.why


def test_a_nul_is_named_and_the_next_is_read() -> None:
    found, good = planned(HEADER + ROW.replace("Billing", "Bill\0") + ROW)
    assert isinstance(found, Bad)
    assert isinstance(good, Plan)
    assert "NUL" in found.why


def test_an_endless_line_is_not_taken_in() -> None:
    endless = '"' + "x" * (2 << 20) + '"' + ROW[10:]
    found = planned(HEADER + endless + ROW)[0]
    assert isinstance(found, Bad)
    assert found == Bad("line 2", "this line is longer than 1 MiB")


def test_a_file_of_another_kind_is_refused_by_its_head() -> None:
    with pytest.raises(Malformed, match=r"no column Date received.*its first line names a, b"):
        planned("a,b\n1,2\n")
    with pytest.raises(Malformed, match="its first line names nothing"):
        planned("")


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert one("\ufeff" + HEADER + ROW).case == "7523056"


def test_every_row_of_the_real_file_can_be_planned() -> None:
    with shared("cfpb-complaints.csv").open("rb") as file:
        plans = list(cfpb.plans(file))
    assert len(plans) == 2067
    outcomes = Counter(
        command.outcome
        for plan in plans
        if isinstance(plan, Plan)
        for command in plan.commands
        if isinstance(command, ResolveCase)
    )
    assert outcomes == {
        "partly_upheld": 789, "heard_no_action": 627, "upheld": 33, "rejected": 2,
    }  # fmt: skip
