"""A case gone through again: as it was, as it was known, and as it is now known to have been."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from casecore.case.decisions.intake import AddNote, HearComplaint
from casecore.case.events import CaseEvent
from casecore.case.events.callbacks import CallbackScheduled, CustomerCalledBack
from casecore.case.events.contact import WaitingEnded, WaitingStarted
from casecore.case.events.intake import NoteAdded
from casecore.case.events.promises import PromiseKept, PromiseMade
from casecore.case.state import Case
from casecore.core import Core
from casecore.database import Pool
from casecore.errors import NotFound
from casecore.ledger import Row
from projections import cases
from projections.case_file import CaseFile
from projections.replay import PLACE, Change, Known, Past, filed, history, in_order_of_happening
from projections.replay import steps as replayed
from tests.projections.histories import Told, histories, recorded
from tests.projections.test_case_file import new_case
from tests.spec import CASE_ID, NOON, SAM, registered
from tests.telling import Telling

HOUR = timedelta(hours=1)
ROW = Row(0, CASE_ID, 0, "", NOON, CASE_ID, b"", b"", b"", b"")


def known(*happened: tuple[timedelta, CaseEvent]) -> list[Known]:
    """What happened so long after noon, recorded in this order."""
    told = [Told(CASE_ID, event, SAM, NOON + after) for after, event in happened]
    return [Known(ROW._replace(version=news.version), news) for news in recorded(told)]


def types(known: list[Known]) -> list[str]:
    return [type(one.recorded.event).__name__ for one in known]


def changes(*events: CaseEvent) -> list[tuple[str, str, Any, Any]]:
    """What the last of these changed."""
    *_, last = replayed(known(*((timedelta(), event) for event in (registered, *events))))
    return [
        (c.path, c.kind, *(plain(value) for value in (c.before, c.after))) for c in last.changes
    ]


def plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


made = PromiseMade("p1", "update", "News", NOON + HOUR, "ada")
kept = PromiseKept("p1", NOON + HOUR, "by phone")


def test_the_first_event_adds_whatever_is_known_of_the_case() -> None:
    added = {path: after for path, kind, before, after in changes() if kind == "added"}
    assert added["/reason"] == "Three weeks late"
    assert added["/customer"]["name"] == "Ada Byron"
    assert "/owner" not in added
    assert "/promises" not in added


def test_what_has_an_id_goes_by_it() -> None:
    [(path, kind, before, after)] = changes(made)
    assert (path, kind, before, after["text"]) == ("/promises/p1", "added", None, "News")
    assert changes(made, kept) == [
        ("/promises/p1/state", "changed", "open", "kept"),
        ("/promises/p1/kept_at", "changed", None, "2026-03-02T13:00:00Z"),
    ]


def test_what_has_none_goes_by_its_place() -> None:
    asked = [WaitingStarted(reason, "A photo", None) for reason in ("customer", "third_party")]
    [first, second] = (changes(*asked[:n])[0] for n in (1, 2))
    assert (first[:2], second[:2]) == (("/waiting/0", "added"), ("/waiting/1", "added"))
    [(path, kind, before, after)] = changes(*asked, WaitingEnded("customer", "agent", NOON))
    assert (path, kind, before["reason"], after) == ("/waiting/0", "removed", "customer", None)


@settings(max_examples=60, deadline=None)
@given(history=histories())
def test_the_changes_of_each_step_applied_in_turn_make_the_file(history: list[Told]) -> None:
    for case in of_cases(history):
        copy = {field.name: plain(field.default) for field in fields(CaseFile) if optional(field)}
        for step in replayed(case):
            for change in step.changes:
                copy = applied(copy, change.path.split("/")[1:], change)
            file = plain(step.file)
            assert copy == {name: file[name] for name in file.keys() - PLACE if name in copy}
            assert all(file[name] in (None, []) for name in file.keys() - PLACE - copy.keys())


def of_cases(history: list[Told]) -> list[list[Known]]:
    found: dict[UUID, list[Known]] = {}
    for news in recorded(history):
        if type(news.event) in cases.READS:
            row = ROW._replace(version=news.version)
            found.setdefault(news.stream_id, []).append(Known(row, news))
    return list(found.values())


def optional(field: msgspec.structs.FieldInfo) -> bool:
    return field.default is not msgspec.NODEFAULT


def applied(there: Any, path: list[str], change: Change) -> Any:
    """What is there, with the change at the path below it."""
    if not path:
        return plain(change.after)
    name, *rest = path
    if isinstance(there, dict):
        if change.kind == "removed" and not rest:
            return {key: value for key, value in there.items() if key != name}
        return there | {name: applied(there.get(name), rest, change)}
    places = [next(iter(item.values())) if isinstance(item, dict) else None for item in there]
    index = places.index(name) if name in places else int(name) if name.isdecimal() else len(there)
    if rest:
        return [*there[:index], applied(there[index], rest, change), *there[index + 1 :]]
    item = [] if change.kind == "removed" else [plain(change.after)]
    return [*there[:index], *item, *there[index + (change.kind != "added") :]]


CALLBACK = CallbackScheduled("b1", "progress", NOON, NOON + 4 * HOUR, "UTC", 3)
CALLED = CustomerCalledBack("b1", True)


def test_what_happened_is_in_the_order_of_happening() -> None:
    told = known(
        (0 * HOUR, registered),
        (1 * HOUR, CALLBACK),
        (3 * HOUR, NoteAdded("n1", "The depot says Friday")),
        (2 * HOUR, CALLED),
    )
    happened = in_order_of_happening(told, NOON + 2 * HOUR)
    assert types(happened) == ["CaseRegistered", "CallbackScheduled", "CustomerCalledBack"]
    assert types(in_order_of_happening(told, NOON + 9 * HOUR))[-1] == "NoteAdded"


def test_nothing_happens_before_what_it_is_about() -> None:
    told = known((2 * HOUR, registered), (3 * HOUR, made), (1 * HOUR, kept))
    assert types(in_order_of_happening(told, NOON + 2 * HOUR)) == ["CaseRegistered"]
    everything = types(in_order_of_happening(told, NOON + 3 * HOUR))
    assert everything == ["CaseRegistered", "PromiseMade", "PromiseKept"]


def test_a_complaint_is_there_from_when_it_was_received() -> None:
    told = known((5 * HOUR, registered), (1 * HOUR, NoteAdded("n1", "She rang from the shop")))
    assert types(in_order_of_happening(told, NOON)) == ["CaseRegistered"]
    assert in_order_of_happening(told, NOON - HOUR) == []


@settings(max_examples=60, deadline=None)
@given(history=histories(), seed=st.integers())
def test_whatever_the_times_say_a_case_can_be_gone_through(history: list[Told], seed: int) -> None:
    chance = Random(seed)
    for case in of_cases(history):
        shaken = [
            one._replace(
                recorded=replace(one.recorded, occurred_at=NOON + chance.randint(-9, 9) * HOUR)
            )
            for one in case
        ]
        happened = in_order_of_happening(shaken, datetime.max.replace(tzinfo=UTC))
        assert sorted(one.row.version for one in happened) == [one.row.version for one in case]
        assert len(list(replayed(happened))) == len(case)


async def test_a_file_can_be_had_as_it_was(core: Core) -> None:
    case_id = await new_case(core)
    await core.execute(Case, case_id, AddNote(text="one"), by=SAM)
    [_, known] = await core.recorder.history(case_id)
    await core.execute(Case, case_id, HearComplaint(customer_finished=True), by=SAM)

    read = await filed(core.recorder, case_id, Past(at_version=2))
    before = msgspec.json.decode(read.body, type=CaseFile)
    assert (before.version, before.heard_at) == (2, None)
    assert before.head == known.head.hex()
    assert await filed(core.recorder, case_id, Past(as_of=known.recorded_at)) == read
    assert await filed(core.recorder, case_id, Past(at_position=known.position)) == read


async def test_what_was_recorded_late_shows_as_it_is_known_now_and_not_as_it_was_known_then(
    pool: Pool,
) -> None:
    telling = await Telling.into(pool)
    await telling.tell(CASE_ID, registered, CALLBACK, at=NOON)
    first = (await telling.recorder.history(CASE_ID))[-1]
    await telling.tell(CASE_ID, CALLED, at=NOON + HOUR)

    async def called_back_at(**past: Any) -> datetime | None:
        read = await filed(telling.recorder, CASE_ID, Past(**past))
        return msgspec.json.decode(read.body, type=CaseFile).called_back_at

    two = NOON + 2 * HOUR
    assert await called_back_at(happened_by=two) == NOON + HOUR
    assert await called_back_at(happened_by=NOON) is None
    assert await called_back_at(as_of=first.recorded_at) is None
    assert await called_back_at(as_of=first.recorded_at, happened_by=two) is None


@pytest.mark.parametrize(
    ("past", "code"),
    [
        (Past(at_version=0), "case-not-found"),
        (Past(at_version=9), "version-not-found"),
        (Past(at_position=0), "case-not-found"),
        (Past(at_position=9), "position-not-found"),
        (Past(as_of=datetime(2001, 1, 1, tzinfo=UTC)), "case-not-found"),
        (Past(happened_by=datetime(2001, 1, 1, tzinfo=UTC)), "case-not-found"),
    ],
)
async def test_what_never_was_is_not_found(core: Core, past: Past, code: str) -> None:
    case_id = await new_case(core)
    with pytest.raises(NotFound) as refusal:
        await history(core.recorder, case_id, past)
    assert refusal.value.code == code
