"""Calendars and policies as people write them: one TOML file, with as many as they like."""

import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from casecore.asking import END, Instant
from casecore.case.events.contact import WaitingFor
from casecore.case.events.intake import Priority
from casecore.clocks.calendar import Calendar, Weekly, Windows
from casecore.clocks.openings import Openings
from casecore.clocks.targets import AnyTarget
from casecore.errors import CaseError, Malformed
from casecore.sla.decisions import PublishCalendar, PublishSlaPolicy, refuse_unsound
from casecore.sla.events import (
    Match,
    Recurs,
    Reopen,
    ReturnCall,
    Scalar,
    SlaPolicy,
    TargetKind,
    TargetRule,
    Trigger,
    Warn,
)

PACKS = Path(__file__).with_name("packs")
KINDS = Path(__file__).with_name("kinds.toml")
POLICIES_MAX = 100
YEARS_MAX = 30

T = TypeVar("T")
Publish = PublishCalendar | PublishSlaPolicy
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=rf"^[A-Za-z0-9_.:/@+-]+{END}")]


class Holidays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Public holidays to be closed on, as the holidays package knows them."""

    country: str
    years: Annotated[tuple[Annotated[int, Meta(ge=1900, le=2200)], ...], Meta(max_length=YEARS_MAX)]
    subdivision: str | None = None


class CalendarInFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zone: str
    weekly: Weekly
    exceptions: dict[date, Windows] = {}
    holidays: Holidays | None = None


class TriggerInFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event: str
    where: dict[str, Scalar | tuple[Scalar, ...]] = {}
    at: str | None = None
    by_people: bool = False


Triggers = tuple[str | TriggerInFile, ...]


class TargetInFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As in a policy, and what is left out is as its kind has it."""

    kind: TargetKind
    starts: Triggers
    satisfied_by: Triggers
    cancelled_by: Triggers = ()
    moved_by: Triggers = ()
    target: AnyTarget | UnsetType = UNSET
    by_priority: dict[Priority, AnyTarget] | UnsetType = UNSET
    due_from: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    paused_by: tuple[WaitingFor, ...] | UnsetType = UNSET
    warnings: tuple[Warn, ...] | UnsetType = UNSET
    recurs: Recurs | UnsetType = UNSET
    reopen: Reopen | UnsetType = UNSET
    after: tuple[str, ...] | UnsetType = UNSET
    open_only: bool | UnsetType = UNSET
    min_remaining_seconds: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    regime: str | UnsetType = UNSET


class PolicyInFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rank: Annotated[int, Meta(ge=0, le=1_000_000)]
    calendar: str
    targets: Annotated[dict[Name, dict[str, Any]], Meta(min_length=1)]
    match: Match = Match()
    return_call: ReturnCall | None = None
    effective_from: Instant | None = None


class BookInFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    calendars: Annotated[dict[Name, dict[str, Any]], Meta(max_length=POLICIES_MAX)] = {}
    policies: Annotated[dict[Name, dict[str, Any]], Meta(max_length=POLICIES_MAX)] = {}


def read_book(toml_text: str) -> list[Publish]:
    """The commands that publish what such a file states: its calendars, then its policies."""
    try:
        told = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise unreadable(str(error)) from None
    return publishing(told)


def publishing(told: Any) -> list[Publish]:
    """The same of what such a file says, however it came."""
    book = converted(told, BookInFile, "")
    if not book.calendars and not book.policies:
        raise unreadable("the file names no calendars and no policies", "policies")
    return [
        *(calendar_of(name, table) for name, table in book.calendars.items()),
        *(policy_of(name, table) for name, table in book.policies.items()),
    ]


def packs() -> list[str]:
    """The names of the files that come with casecore."""
    return sorted(path.stem for path in PACKS.glob("*.toml"))


def pack(name: str) -> str:
    return PACKS.joinpath(f"{name}.toml").read_text("utf-8")


def calendar_of(name: str, table: dict[str, Any]) -> PublishCalendar:
    where = f"calendars.{name}"
    read = converted(table, CalendarInFile, where)
    closed = dict.fromkeys(dates(read.holidays, where), ()) if read.holidays else {}
    calendar = Calendar(read.zone, read.weekly, closed | read.exceptions)
    try:
        Openings(calendar)
    except CaseError as error:
        raise refused(error, where) from None
    return PublishCalendar(calendar_id=name, calendar=calendar)


def dates(holidays: Holidays, where: str) -> list[date]:
    import holidays as known  # Takes a second to import, and is needed here only.

    try:
        found = known.country_holidays(
            holidays.country, subdiv=holidays.subdivision, years=holidays.years
        )
    except NotImplementedError as error:
        raise unreadable(str(error), f"{where}.holidays") from None
    return sorted(found)


def policy_of(name: str, table: dict[str, Any]) -> PublishSlaPolicy:
    where = f"policies.{name}"
    read = converted(table, PolicyInFile, where)
    policy = SlaPolicy(
        rank=read.rank,
        calendar_id=read.calendar,
        match=read.match,
        return_call=read.return_call,
        targets=tuple(rule_of(id, told, where) for id, told in read.targets.items()),
    )
    try:
        refuse_unsound(policy)
    except CaseError as error:
        raise refused(error, f"{where}.{error.field}") from None
    return PublishSlaPolicy(policy_id=name, policy=policy, effective_from=read.effective_from)


def rule_of(name: str, table: dict[str, Any], policy: str) -> TargetRule:
    where = f"{policy}.targets.{name}"
    kind = table.get("kind")
    if kind not in kinds():
        raise unreadable(f"kind must be one of {', '.join(kinds())}", f"{where}.kind")
    read = converted(kinds()[kind] | table, TargetInFile, where)
    told = {field: value for field, value in asdict(read).items() if value is not UNSET}
    for field in ("starts", "satisfied_by", "cancelled_by", "moved_by"):
        told[field] = tuple(map(trigger_of, told[field]))
    # The limits that the stored shape has are checked as a body's would be.
    return converted(msgspec.to_builtins(TargetRule(name=name, **told)), TargetRule, where)


@cache
def kinds() -> dict[str, dict[str, Any]]:
    return tomllib.loads(KINDS.read_text("utf-8"))


def trigger_of(told: str | TriggerInFile) -> Trigger:
    if isinstance(told, str):
        return Trigger(told)
    where = {
        field: values if isinstance(values, tuple) else (values,)
        for field, values in told.where.items()
    }
    return Trigger(told.event, where, told.at, told.by_people)


def converted(told: Any, type: type[T], where: str) -> T:
    """The table as what it should be; what is wrong is said with its place in the file."""
    try:
        return msgspec.convert(told, type, str_keys=True)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        path = place.partition("$")[2].removesuffix("`").replace("[...]", "").lstrip(".")
        raise unreadable(message, ".".join(filter(None, (where, path)))) from None


def unreadable(message: str, field: str | None = None) -> Malformed:
    at = f", at {field}" if field else ""
    return Malformed("policy-unreadable", f"the file cannot be read{at}: {message}", field=field)


def refused(error: CaseError, field: str) -> CaseError:
    """What the rules say against it, with its place in the file."""
    return type(error)(error.code, f"{field}: {error}", field=field, **error.context)
