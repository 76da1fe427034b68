"""The file of a case in words: chapter by chapter, and what an event changed of it."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from api.pages.rendering import begun, duration, words
from casecore.money import Money
from projections.case_file import CaseFile
from projections.replay import Change

THINGS_MAX = 200
"""How many notes, say, are told one by one: the last ones."""

CHAPTERS = {
    "The complaint": (
        *("stage", "reason", "received_at", "channel", "customer", "product", "category"),
        *("priority", "desired_outcome", "remedy_sought", "language", "jurisdictions"),
        *("receipt_zone", "registered_at", "registered_by", "intake_source", "intake_ref"),
        *("relates_to", "authority"),
    ),
    "Listening": (
        *("heard_at", "acknowledged_at", "apologised_at", "heat", "thanked_for"),
        *("common_ground", "process_explained", "insights"),
        *("concerns", "notes", "recaps", "limits", "interactions"),
    ),
    "Contact": ("receipt_acknowledged", "next_update_by", "waiting", "messages"),
    "Promises": ("promises", "follow_ups"),
    "Calls back": ("called_back_at", "callbacks", "assurances"),
    "Ownership": ("owner", "queue", "handoffs", "handover_notes"),
    "Escalation": ("tier", "escalations"),
    "Investigation": ("triage", "investigation"),
    "Solutions": ("invited_to_craft_at", "solutions"),
    "Goodwill": ("goodwill",),
    "Outcome": ("resolution", "closed_at", "ended_because", "reopenings"),
    "Afterwards": ("after",),
}
"""Every field of a case's file, but for the case itself and its place in the ledger."""


def choices(schema: Any) -> Iterator[str]:
    """All that a schema gives to choose from."""
    match schema:
        case {"enum": [*values]}:
            yield from (value for value in values if isinstance(value, str))
        case dict():
            for below in schema.values():
                yield from choices(below)
        case list():
            for below in schema:
                yield from choices(below)


CODES = frozenset(choices(msgspec.json.schema(CaseFile)))
"""The words of casecore's own, which are told as words. What people wrote is told as it is."""
DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(CaseFile)}

Value = str | datetime


class Fact(NamedTuple):
    name: str
    value: Value
    touched: bool = False
    """Whether the event looked at has changed it."""


class Thing(NamedTuple):
    """One of several: a promise, a note."""

    title: str
    facts: list[Fact]
    touched: bool


class Chapter(NamedTuple):
    title: str
    facts: list[Fact]
    things: list[Thing]
    earlier: int
    """How many things there are that are not told one by one."""


class Changed(NamedTuple):
    where: str
    kind: str
    before: list[Fact]
    after: list[Fact]


def chapters(file: CaseFile, changes: Iterable[Change] = ()) -> list[Chapter]:
    """Those in which there is anything to tell."""
    touched = [change.path for change in changes]
    told = []
    for title, fields in CHAPTERS.items():
        facts: list[Fact] = []
        things: list[Thing] = []
        for field in fields:
            value = getattr(file, field)
            if value == DEFAULTS[field]:
                continue
            if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
                things += [thing(field, n, item, touched) for n, item in enumerate(value)]
            else:
                facts += marked(facts_of(field, value), is_touched(f"/{field}", touched))
        if facts or things:
            last = things[-THINGS_MAX:]
            told.append(Chapter(title, facts, last, len(things) - len(last)))
    return told


def changed(changes: Iterable[Change]) -> list[Changed]:
    return [
        Changed(
            where(change.path),
            change.kind,
            list(said(change.path, change.before)),
            list(said(change.path, change.after)),
        )
        for change in changes
    ]


def said(path: str, value: Any) -> Iterator[Fact]:
    """What there is to say of what stands at the path, or stood there."""
    parts = [part for part in path[1:].split("/") if not is_id(part)]
    if isinstance(value, msgspec.Struct) and not isinstance(value, Money):
        for field in value.__struct_fields__:
            yield from facts_of(field, getattr(value, field))
    else:
        yield from facts_of(parts[-1], value)


def thing(field: str, number: int, item: msgspec.Struct, touched: Iterable[str]) -> Thing:
    first = item.__struct_fields__[0]
    named = first.endswith("_id")
    id = getattr(item, first) if named else str(number)
    facts = [
        fact
        for name in item.__struct_fields__[named:]
        for fact in marked(
            facts_of(name, getattr(item, name)), is_touched(f"/{field}/{id}/{name}", touched)
        )
    ]
    title = f"{singular(field)} {id if named else number + 1}"
    return Thing(begun(title), facts, is_touched(f"/{field}/{id}", touched))


def facts_of(name: str, value: Any) -> Iterator[Fact]:
    """What there is to say of a value; of nothing, nothing."""
    match value:
        case None | () | "":
            return
        case dict():
            for key, item in value.items():
                yield from facts_of(f"{name} {key}", item)
        case msgspec.Struct() if not isinstance(value, Money):
            for field in value.__struct_fields__:
                yield from facts_of(f"{name} {field}", getattr(value, field))
        case tuple() if isinstance(value[0], msgspec.Struct) and not isinstance(value[0], Money):
            for item in value:
                yield from facts_of(name, item)
        case _:
            plain = name.removesuffix("_bp").removesuffix("_seconds")
            yield Fact(begun(words(plain)), shown(name, value))


def shown(name: str, value: Any) -> Value:
    match value:
        case datetime():
            return value
        case bool():
            return "yes" if value else "no"
        case int() if name.endswith("_bp"):
            return f"{value / 100:g} %"
        case int() if name.endswith("_seconds"):
            return duration(value)
        case tuple():
            return "; ".join(str(shown(name, item)) for item in value)
        case str() if value in CODES:
            return words(value)
    return str(value)


def marked(facts: Iterable[Fact], touched: bool) -> Iterator[Fact]:
    for fact in facts:
        yield fact._replace(touched=touched)


def is_touched(path: str, touched: Iterable[str]) -> bool:
    """Whether something at the path, below it, or all that it is in has changed."""
    return any(
        f"{one}/".startswith(f"{path}/") or f"{path}/".startswith(f"{one}/") for one in touched
    )


def where(path: str) -> str:
    """A JSON pointer as people would say it: Promise p1, due at."""
    field, *rest = (part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    if not rest:
        return begun(words(field))
    id, *fields = rest
    below = ", ".join(map(words, [f"{singular(field)} {named(id)}", *fields]))
    return begun(below) if is_id(id) else begun(", ".join(map(words, (field, *rest))))


def is_id(part: str) -> bool:
    return bool(re.fullmatch(r"[a-z]{0,2}[0-9]+", part))


def named(part: str) -> str:
    return str(int(part) + 1) if part.isdecimal() else part


def singular(field: str) -> str:
    return words(field.removesuffix("s"))
