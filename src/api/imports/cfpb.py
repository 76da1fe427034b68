"""Complaints as the US Consumer Financial Protection Bureau publishes them.

Each row becomes a case: received by the Bureau, heard there in the consumer's own words, put into
the queue of the company it was sent to, taken on and answered by the company, and reopened when
the consumer disputed that. The file has dates without a time, and none for the answer: a date is
the beginning of that day where the Bureau sits, and the answer bears the date of sending, before
which it cannot have come. Nor does the file say who was at fault, so nobody is found to be.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache
from io import BufferedReader
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from api.bodies import converted
from api.imports.plan import ALL, Bad, Plan, Plans, Share, Unreadable, planned
from api.imports.records import Record, records
from casecore.asking import Ask
from casecore.case.decisions.intake import AddNote, HearComplaint, RegisterCase
from casecore.case.decisions.outcome import ReopenCase, ResolveCase
from casecore.case.decisions.ownership import AssignCase, QueueCase
from casecore.case.events.intake import Channel
from casecore.case.events.outcome import Outcome
from casecore.errors import Malformed

SOURCE = "cfpb"
ZONE = "America/New_York"
CODE_MAX = 100
ALIKE_MAX = 4_000
"""How many of the commands that many rows share are kept."""

RECEIVED = "Date received"
SENT = "Date sent to company"
PRODUCT = "Product"
ISSUE = "Issue"
SUB_ISSUE = "Sub-issue"
NARRATIVE = "Consumer complaint narrative"
COMPANY = "Company"
PUBLIC_RESPONSE = "Company public response"
STATE = "State"
VIA = "Submitted via"
RESPONSE = "Company response to consumer"
TIMELY = "Timely response?"
DISPUTED = "Consumer disputed?"
ID = "Complaint ID"
NEEDED = (RECEIVED, SENT, PRODUCT, ISSUE, COMPANY, VIA, RESPONSE, ID)
PARTICULARS = (SUB_ISSUE, "Sub-product", "ZIP code", "Tags", "Consumer consent provided?")
"""What the case keeps as a note."""

CHANNELS: dict[str, Channel] = {
    "Web": "web",
    "Phone": "phone",
    "Postal mail": "letter",
    "Fax": "letter",
    "Email": "email",
    "Referral": "referral",
    "Web Referral": "referral",
}
OUTCOMES: dict[str, Outcome | None] = {
    "Closed with monetary relief": "upheld",
    "Closed with relief": "upheld",
    "Closed with non-monetary relief": "partly_upheld",
    "Closed with explanation": "heard_no_action",
    "Closed": "heard_no_action",
    "Closed without relief": "rejected",
    "In progress": None,
    "Untimely response": None,
}
"""The outcome by the company's response; None leaves the case open."""
COLUMNS = {
    "product": PRODUCT,
    "category": ISSUE,
    "reason": NARRATIVE,
    "intake_ref": ID,
    "customer.ref": ID,
    "jurisdictions[0]": STATE,
    "queue": COMPANY,
    "reasons": PUBLIC_RESPONSE,
}
"""Where the value of a command's field comes from."""
STATES = {"UNITED STATES MINOR OUTLYING ISLANDS": "UM"}

A = TypeVar("A", bound=Ask)
T = TypeVar("T")


def plans(file: BufferedReader, share: Share = ALL) -> Plans:
    for number, record in enumerate(records(file, NEEDED)):
        if isinstance(record, Bad):
            yield record
            continue
        if not share.has(number):
            continue
        try:
            yield plan(record)
        except Unreadable as error:
            yield Bad(record.where, error.why, error.column, record.values[ID])
        except Malformed as error:
            column = COLUMNS.get(error.field or "", error.field)
            yield Bad(record.where, str(error), column, record.values[ID])


def plan(record: Record) -> Plan:
    row = record.values
    if not row[ID].isdecimal():
        raise Unreadable(ID, f"{row[ID]!r} is not a number")
    received_at = day(RECEIVED, row[RECEIVED])
    sent_at = day(SENT, row[SENT])
    if sent_at < received_at:
        raise Unreadable(SENT, f"{row[SENT]} is before the day it was received, {row[RECEIVED]}")
    company = row[COMPANY]
    response = row[RESPONSE], row.get(TIMELY), row.get(PUBLIC_RESPONSE), row.get(DISPUTED)
    return planned(
        record.where,
        registration(row, received_at),
        *particulars(row, received_at),
        heard(received_at),
        sent(company, sent_at),
        *answered(company, *response, sent_at),
    )


def registration(row: dict[str, str], received_at: datetime) -> RegisterCase:
    state = row.get(STATE, "")
    issue = ": ".join(filter(None, (row[ISSUE], row.get(SUB_ISSUE))))
    return made(
        {
            "channel": known(VIA, row[VIA], CHANNELS),
            "received_at": received_at,
            "receipt_zone": ZONE,
            "customer": {"ref": f"{SOURCE}-{row[ID]}"},
            "reason": row.get(NARRATIVE) or issue,
            "product": row[PRODUCT],
            "category": row[ISSUE],
            "jurisdictions": (f"US-{STATES.get(state, state)}" if state else "US",),
            "intake_source": SOURCE,
            "intake_ref": row[ID],
            "occurred_at": received_at,
        },
        RegisterCase,
    )


def particulars(row: dict[str, str], at: datetime) -> list[Ask]:
    told = [f"{column}: {row[column]}" for column in PARTICULARS if row.get(column)]
    return [made({"text": "\n".join(told), "occurred_at": at}, AddNote)] if told else []


@lru_cache(maxsize=ALIKE_MAX)
def heard(at: datetime) -> Ask:
    return HearComplaint(customer_finished=True, occurred_at=at)


@lru_cache(maxsize=ALIKE_MAX)
def sent(company: str, at: datetime) -> Ask:
    said = {"queue": code(company), "reason": f"Sent to {company}", "occurred_at": at}
    return made(said, QueueCase)


@lru_cache(maxsize=ALIKE_MAX)
def answered(
    company: str,
    response: str,
    timely: str | None,
    public_response: str | None,
    disputed: str | None,
    at: datetime,
) -> tuple[Ask, ...]:
    """Nothing while the company has not answered."""
    outcome = known(RESPONSE, response, OUTCOMES)
    late = "not in time" if timely == "No" else ""
    words = f"{company}: " + ". ".join(filter(None, (response, late, public_response)))
    if outcome is None:
        pending = response == "In progress" and not public_response
        return () if pending else (made({"text": words, "occurred_at": at}, AddNote),)
    resolution = {
        "outcome": outcome,
        "reasons": words,
        "fault": {"party": "undetermined"},
        "occurred_at": at,
    }
    taken_on = AssignCase(agent=code(company), occurred_at=at)
    resolved = made(resolution, ResolveCase)
    if disputed != "Yes":
        return taken_on, resolved
    text = "The consumer disputed the company's response"
    return taken_on, resolved, ReopenCase(reason="dissatisfied", text=text, occurred_at=at)


def made(values: dict[str, object], of: type[A]) -> A:
    try:
        return msgspec.convert(values, of)
    except msgspec.ValidationError:
        return converted(values, of)  # It fails, too, and says why in words.


def known(column: str, value: str, table: Mapping[str, T]) -> T:
    if value not in table:
        raise Unreadable(column, f"{value!r} is none of {', '.join(table)}")
    return table[value]


@lru_cache(maxsize=ALIKE_MAX)
def day(column: str, text: str) -> datetime:
    """The beginning of a day where the Bureau sits."""
    try:
        civil = date.fromisoformat(text)
    except ValueError:
        raise Unreadable(column, f"{text!r} is not a date like 2023-08-25") from None
    return datetime.combine(civil, time.min, ZoneInfo(ZONE)).astimezone(UTC)


@lru_cache(maxsize=ALIKE_MAX)
def code(company: str) -> str:
    """EQUIFAX, INC. as queues and agents are named: equifax-inc."""
    return re.sub(r"[^a-z0-9]+", "-", company.lower()).strip("-")[:CODE_MAX]
