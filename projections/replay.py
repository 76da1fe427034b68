"""A case gone through again: as it was known at some time, or as it is now known to have happened.

Two times are kept of every event, and each answers a question of its own. *Known then* takes what
had been recorded by an instant, in the order in which it was recorded. *Happened by* takes what had
happened by an instant, also when it was recorded later, in the order of happening:

* An event happened at its `occurred_at`, and the registration when the complaint was received.
* It never happened before the registration, nor before an event that first named one of the ids
  it names: a promise is made before it is kept, whatever their times say.
* Of what happened at the same instant, what was recorded first comes first.

Given together, they tell what had happened by the one, as far as it was known at the other.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import fields, replace

from casecore.case.events.intake import CaseRegistered
from casecore.errors import NotFound
from casecore.ledger import Row
from casecore.recorder import Recorder
from casecore.recording import Recorded, from_row
from projections.case_file import CaseFile, Filed, as_filed, fold

PLACE = frozenset({"version", "position", "head", "updated_at"})
"""What of a file says where in the ledger it stands. Every event moves it."""


class Past(NamedTuple):
    """Which of a case's events a file is to be made of; at most one of the first three is given."""

    at_version: int | None = None
    at_position: int | None = None
    as_of: datetime | None = None
    happened_by: datetime | None = None


class Known(NamedTuple):
    row: Row
    recorded: Recorded


class Change(msgspec.Struct, frozen=True):
    """One difference that an event made to the file of its case; applied in turn, they make it."""

    path: str
    """Where, as a JSON pointer into the file; things with an id go by it: /promises/p1/state."""
    kind: Literal["added", "changed", "removed"]
    before: Any
    """Null when it was added."""
    after: Any
    """Null when it was removed."""


class Step(NamedTuple):
    known: Known
    file: CaseFile
    """As the event left it."""
    changes: tuple[Change, ...]


async def filed(recorder: Recorder, case_id: UUID, past: Past) -> Filed:
    """The file of a case as it was."""
    known = await history(recorder, case_id, past)
    file = None
    for one in known:
        file = fold(file, one.recorded)
    assert file is not None
    newest = max(known, key=lambda one: one.row.version).recorded
    return as_filed(
        replace(
            file,
            version=newest.version,
            position=newest.position,
            head=newest.head.hex(),
            updated_at=newest.recorded_at,
        )
    )


async def history(recorder: Recorder, case_id: UUID, past: Past) -> list[Known]:
    """What the past had of a case, in its order; there is always a beginning."""
    rows = await recorder.history(
        case_id,
        upto=past.at_version,
        upto_position=past.at_position,
        recorded_by=past.as_of,
    )
    if not rows or rows[0].type != CaseRegistered.__name__:
        raise NotFound("case-not-found", f"no such case was known{when(past)}: check the id")
    if past.at_version is not None and rows[-1].version < past.at_version:
        raise NotFound(
            "version-not-found",
            f"the case has not come to version {past.at_version}: read it as it is",
        )
    if past.at_position is not None and await recorder.head() < past.at_position:
        raise NotFound(
            "position-not-found",
            f"the ledger has not come to position {past.at_position}: read the case as it is",
        )
    known = [Known(row, from_row(recorder.ledger, row)) for row in rows]
    if past.happened_by is None:
        return known
    happened = in_order_of_happening(known, past.happened_by)
    if not happened:
        raise NotFound(
            "case-not-found", f"nothing of this case had happened by {told(past.happened_by)}"
        )
    return happened


def in_order_of_happening(known: Sequence[Known], by: datetime) -> list[Known]:
    happened: list[tuple[datetime, Known]] = []
    first_named: dict[tuple[str, str], datetime] = {}
    begun = datetime.min.replace(tzinfo=UTC)
    for one in known:
        event, at = one.recorded.event, one.recorded.occurred_at
        if isinstance(event, CaseRegistered):
            at = begun = min(at, event.received_at)
        names = list(named(event))
        at = max(at, begun, *(first_named.get(name, begun) for name in names))
        for name in names:
            first_named.setdefault(name, at)
        happened.append((at, one))
    happened.sort(key=lambda found: found[0])
    return [one for at, one in happened if at <= by]


def named(event: msgspec.Struct) -> Iterator[tuple[str, str]]:
    """The things in its case that an event names: ("promise_id", "p1")."""
    for field in event.__struct_fields__:
        if field.endswith("_id") and isinstance(value := getattr(event, field), str):
            yield field, value


def steps(known: Iterable[Known]) -> Iterator[Step]:
    file = None
    for one in known:
        before, file = file, fold(file, one.recorded)
        yield Step(one, file, tuple(changes(before, file)))


def changes(before: CaseFile | None, after: CaseFile) -> Iterator[Change]:
    """How a file differs from what it was, but for its place in the ledger."""
    for field in fields(CaseFile):
        value = getattr(after, field.name)
        if field.name in PLACE:
            continue
        if before is not None:
            yield from differences(f"/{field.name}", getattr(before, field.name), value)
        elif value not in (None, (), field.default):
            yield Change(f"/{field.name}", "added", None, value)


def differences(path: str, before: Any, after: Any) -> Iterator[Change]:
    match before, after:
        case _ if before == after:
            return
        case tuple(), tuple():
            yield from of_lists(path, before, after)
        case dict(), dict():
            yield from of_named(path, before, after)
        case msgspec.Struct(), msgspec.Struct() if type(before) is type(after):
            for name in before.__struct_fields__:
                yield from differences(
                    f"{path}/{name}", *(getattr(o, name) for o in (before, after))
                )
        case _:
            yield Change(path, "changed", before, after)


def of_lists(path: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[Change]:
    name = id_field((*before, *after)[0])
    if name is not None:
        were, are = ({getattr(item, name): item for item in items} for items in (before, after))
        yield from of_named(path, were, are)
        return
    alike = common(before, after)
    ending = common(before[alike:][::-1], after[alike:][::-1])
    gone, come = before[alike : len(before) - ending], after[alike : len(after) - ending]
    if len(gone) == len(come):
        for index, (was, now) in enumerate(zip(gone, come, strict=True), alike):
            yield from differences(f"{path}/{index}", was, now)
        return
    for index in reversed(range(len(gone))):
        yield Change(f"{path}/{alike + index}", "removed", gone[index], None)
    for index, now in enumerate(come, alike):
        yield Change(f"{path}/{index}", "added", None, now)


def of_named(path: str, before: dict[Any, Any], after: dict[Any, Any]) -> Iterator[Change]:
    for name in before | after:
        there = f"{path}/{escaped(str(name))}"
        if name not in after:
            yield Change(there, "removed", before[name], None)
        elif name not in before:
            yield Change(there, "added", None, after[name])
        else:
            yield from differences(there, before[name], after[name])


def id_field(item: Any) -> str | None:
    """The field that tells the items of a list apart: their first, when it is an id."""
    first = item.__struct_fields__[0] if isinstance(item, msgspec.Struct) else ""
    return first if first.endswith("_id") else None


def common(before: Sequence[Any], after: Sequence[Any]) -> int:
    """How many items both begin with."""
    for index, (was, now) in enumerate(zip(before, after, strict=False)):
        if was != now:
            return index
    return min(len(before), len(after))


def escaped(name: str) -> str:
    """As a JSON pointer has it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def when(past: Past) -> str:
    if past.as_of is not None:
        return f" on {told(past.as_of)}"
    if past.at_position is not None:
        return f" at position {past.at_position}"
    return ""


def told(at: datetime) -> str:
    return f"{at:%Y-%m-%d at %H:%M:%S %Z}"
