"""A case as it was: at a version, with what that changed, or at a time."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from api.cases import Version
from api.pages import telling
from api.pages.timeline import Entry, entry
from casecore.errors import Malformed, NotFound
from projections.case_file import CaseFile, fold
from projections.replay import Known, changes, in_order_of_happening

MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?Z?")


class CaseLooked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At what of a case somebody looks: a version of it, or a time."""

    version: Version | None = None
    at: Annotated[str, Meta(max_length=40)] | None = None
    """A time in UTC, as a form gives it."""
    known: Literal["then", "now"] = "then"
    first: Version = 1
    """With which version the timeline begins."""


class Then(NamedTuple):
    """The case as it was, and what made it so."""

    chapters: Sequence[telling.Chapter]
    changed: Sequence[telling.Changed]
    version: int
    """How many events it is made of; of those in the order of recording, the last one's."""
    latest: int
    entry: Entry | None
    """The event that brought the version about."""
    at: datetime | None
    known: Literal["then", "now"]
    unknown: Sequence[Entry]
    """What had happened by then and was recorded later."""


def as_it_was(known: Sequence[Known], looked: CaseLooked) -> Then:
    if looked.at is not None:
        return at_time(known, instant_of(looked.at), looked.known)
    return at_version(known, looked.version or len(known))


def at_version(known: Sequence[Known], version: int) -> Then:
    if version > len(known):
        raise NotFound(
            "version-not-found",
            f"the case has {len(known)} versions, and not {version}: look at one of those",
        )
    before, last = folded(known[: version - 1]), known[version - 1].recorded
    file = fold(before, last)
    changed = list(changes(before, file))
    return Then(
        chapters=telling.chapters(file, changed if before else ()),  # At first all of it is new.
        changed=telling.changed(changed),
        version=version,
        latest=len(known),
        entry=entry(last),
        at=None,
        known="then",
        unknown=(),
    )


def at_time(known: Sequence[Known], at: datetime, which: Literal["then", "now"]) -> Then:
    then = [one for one in known if one.recorded.recorded_at <= at]
    happened = in_order_of_happening(known, at)
    shown = happened if which == "now" else then
    file = folded(shown)
    return Then(
        chapters=telling.chapters(file) if file else (),
        changed=(),
        version=len(shown),
        latest=len(known),
        entry=None,
        at=at,
        known=which,
        unknown=[entry(one.recorded) for one in happened if one.recorded.recorded_at > at],
    )


def folded(known: Sequence[Known]) -> CaseFile | None:
    file = None
    for one in known:
        file = fold(file, one.recorded)
    return file


def instant_of(text: str) -> datetime:
    try:
        if MINUTE.fullmatch(text):
            return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        pass  # There is no such day, or no such time.
    raise Malformed(
        "schema-violation", "give a day and a time in UTC, such as 2026-11-02T09:15", field="at"
    )
