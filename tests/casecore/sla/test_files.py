"""Calendars and policies read from a file, and what is said of one that cannot be."""

from datetime import UTC, date, datetime

import pytest

from casecore.clocks.targets import OpenTime
from casecore.errors import CaseError
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy
from casecore.sla.events import Match, Trigger, Warn
from casecore.sla.files import read_book

CALENDAR = """
[calendars.desk]
zone = "Europe/London"
weekly = { mon = [["09:00", "17:00"]], fri = [["22:00", "06:00"]] }
"""
POLICY = """
[policies.vip]
rank = 7
calendar = "desk"
effective_from = 2026-04-01T00:00:00+01:00
match = { products = ["loan"], tiers = ["gold"] }

[policies.vip.targets.fast]
kind = "resolution"
target = { kind = "open_time", seconds = 3600 }
satisfied_by = ["ComplaintResolved", { event = "SolutionAccepted", where = { in_writing = true } }]
warnings = [{ percent = 50 }]
"""


def test_a_file_holds_calendars_and_policies() -> None:
    calendar, policy = read_book(CALENDAR + POLICY)
    assert isinstance(calendar, PublishCalendar)
    assert calendar.calendar.weekly.fri == (("22:00", "06:00"),)
    assert isinstance(policy, PublishSlaPolicy)
    assert policy.effective_from == datetime(2026, 3, 31, 23, tzinfo=UTC)
    assert policy.policy.match == Match(products=("loan",), tiers=("gold",))
    [fast] = policy.policy.targets
    assert (fast.name, fast.target, fast.reopen) == ("fast", OpenTime(3600), "resume")
    assert fast.starts == (Trigger("CaseRegistered", at="received_at"),)
    assert fast.satisfied_by[1] == Trigger("SolutionAccepted", {"in_writing": (True,)})
    assert fast.warnings == (Warn(percent=50),)


def test_holidays_become_data_of_the_version_unless_the_file_says_otherwise() -> None:
    text = CALENDAR + (
        'holidays = { country = "GB", subdivision = "ENG", years = [2026] }\n'
        'exceptions = { 2026-04-03 = [["10:00", "12:00"]], 2026-12-24 = [] }\n'
    )
    [calendar] = read_book(text)
    assert isinstance(calendar, PublishCalendar)
    exceptions = calendar.calendar.exceptions
    assert exceptions[date(2026, 4, 6)] == ()
    assert exceptions[date(2026, 4, 3)] == (("10:00", "12:00"),)
    assert exceptions[date(2026, 12, 24)] == ()


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("[calendars.desk", None, "Expected"),
        ("", "policies", "no calendars and no policies"),
        ("[calendar.desk]", None, "unknown field `calendar`"),
        ("[calendars.desk]\nweekly = {}", "calendars.desk", "zone"),
        (CALENDAR + "open = true", "calendars.desk", "`open`"),
        (CALENDAR.replace("mon", "lun"), "calendars.desk.weekly", "`lun`"),
        (CALENDAR.replace("09:00", "9 am"), "calendars.desk", "no time of day"),
        (CALENDAR.replace("London", "Atlantis"), "calendars.desk", "no zone"),
        (
            CALENDAR + 'holidays = { country = "XX", years = [2026] }',
            "calendars.desk.holidays",
            "XX",
        ),
        (POLICY.replace("rank = 7", "rank = 'first'"), "policies.vip.rank", "int"),
        (POLICY.replace("tiers", "tears"), "policies.vip.match", "`tears`"),
        (POLICY.replace('"resolution"', '"resolve"'), "policies.vip.targets.fast.kind", "one of"),
        (POLICY.replace("seconds", "hours"), "policies.vip.targets.fast.target", "`hours`"),
        (POLICY.replace("open_time", "opentime"), "policies.vip.targets.fast.target.kind", "open"),
        (
            POLICY.replace("percent = 50", "percent = 500"),
            "policies.vip.targets.fast.warnings",
            "99",
        ),
        (POLICY.replace("SolutionAccepted", "SolutionLiked"), "policies.vip.targets.fast", "Liked"),
        (POLICY.replace("in_writing", "in_blood"), "policies.vip.targets.fast", "in_blood"),
        (
            POLICY + "[policies.vip.targets.'a b']\nkind = 'approval'",
            "policies.vip.targets",
            "regex",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_which_table_and_field(
    text: str, field: str | None, says: str
) -> None:
    with pytest.raises(CaseError) as refused:
        read_book(text)
    assert says in str(refused.value)
    assert field is None or (refused.value.field or "").startswith(field)


def test_a_calendar_that_is_never_open_keeps_its_code() -> None:
    with pytest.raises(CaseError) as refused:
        read_book('[calendars.x]\nzone = "UTC"\nweekly = {}')
    assert (refused.value.code, refused.value.field) == ("calendar-never-open", "calendars.x")
