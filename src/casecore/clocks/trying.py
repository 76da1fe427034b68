"""Trying a policy out: a line of JSON in, a line of JSON out (`casecore sla try`)."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from casecore.asking import Instant
from casecore.clocks.calendar import Calendar
from casecore.clocks.clock import FOREVER, Clock, State
from casecore.clocks.instants import SECOND, instant, within_years
from casecore.clocks.openings import Openings, Span
from casecore.clocks.targets import AnyTarget
from casecore.errors import CaseError, Malformed, Rejected

CALENDARS_KEPT = 64
"""How many compiled calendars are kept for the lines to come."""
HELP = "`casecore sla try --help` shows what a line holds"

T = TypeVar("T")


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    calendar: Calendar
    target: AnyTarget
    started_at: Instant
    pauses: tuple[tuple[Instant, Instant | None], ...] = ()
    warn_at_seconds_left: tuple[Annotated[int, Meta(ge=0)], ...] | None = None
    now: Instant | None = None
    id: Raw | UnsetType = UNSET


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    id: Raw | UnsetType = UNSET
    due_at: datetime | UnsetType | None = UNSET
    warn_at: list[datetime | None] | UnsetType = UNSET
    consumed_seconds: int | UnsetType = UNSET
    remaining_seconds: int | UnsetType = UNSET
    state: State | UnsetType = UNSET
    error: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET

    @property
    def failed(self) -> bool:
        return self.error is not UNSET


class Named(msgspec.Struct):
    """As much of a line as can be read of any JSON object."""

    id: Raw | UnsetType = UNSET


def answer(line: bytes) -> Answer:
    """What the rules say to a line; what is wrong with it is an answer too."""
    id: Raw | UnsetType = UNSET
    try:
        id = read(line, Named).id
        result = tried(read(line, Trial))
    except CaseError as error:
        result = Answer(error=error.code, detail=str(error))
    result.id = id
    return result


def read(line: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line.decode(), type=kind)
    except UnicodeDecodeError as error:
        raise Malformed(
            "invalid-utf-8", f"a line must be UTF-8, and this is not at byte {error.start}"
        ) from None
    except RecursionError:
        raise Malformed("nested-too-deeply", f"this nests deeper than any line; {HELP}") from None
    except msgspec.ValidationError as error:
        raise Malformed("schema-violation", f"{error}; {HELP}") from None
    except msgspec.DecodeError as error:
        raise Malformed("malformed-json", f"{error}; write one JSON object a line") from None


def tried(trial: Trial) -> Answer:
    started_at = within_years(trial.started_at, "started_at")
    openings = openings_of(msgspec.json.encode(trial.calendar))
    clock = trial.target.clock(openings, started_at, [pause_of(*pause) for pause in trial.pauses])
    if trial.now is None:
        return planned(clock, trial)
    now = within_years(trial.now, "now")
    result = planned(clock.as_of(now), trial)
    result.consumed_seconds = clock.consumed(now) // SECOND
    result.remaining_seconds = clock.remaining(now) // SECOND
    result.state = clock.state(now)
    return result


def planned(clock: Clock, trial: Trial) -> Answer:
    result = Answer(due_at=written(clock.due))
    if trial.warn_at_seconds_left is not None:
        lefts = trial.warn_at_seconds_left
        result.warn_at = [written(clock.warning(left * SECOND)) for left in lefts]
    return result


@lru_cache(CALENDARS_KEPT)
def openings_of(calendar: bytes) -> Openings:
    return Openings(msgspec.json.decode(calendar, type=Calendar))


def pause_of(start: datetime, end: datetime | None) -> Span:
    since = within_years(start, "pauses")
    until = FOREVER if end is None else within_years(end, "pauses")
    if until < since:
        raise Rejected(
            "pause-ends-before-it-starts",
            f"a pause from {start:%Y-%m-%dT%H:%M:%SZ} ends before that: say from when until when,"
            " or null while it lasts",
            field="pauses",
        )
    return since, until


def written(at: int | None) -> datetime | None:
    return None if at is None else instant(at)
