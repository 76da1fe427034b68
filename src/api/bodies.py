"""Reading a body: strict JSON into a command, or a sentence that says what is wrong with it."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from casecore.asking import Ask
from casecore.errors import Malformed, Rejected

BODY_MAX = 1 << 20
DEPTH_MAX = 32
NAME_SHOWN_MAX = 100
SENTENCE_MAX = 1_000
"""How much a refusal repeats of what the caller made up."""
YEARS = range(1900, 2200)
"""The years that a time may name: outside them, arithmetic with zones and periods overflows."""

LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.DOTALL)
FIELD = re.compile(
    r"^Object (?P<how>missing required|contains unknown) field `(?P<name>.*)`$", re.DOTALL
)
PATTERN = re.compile(r"^Expected `str` matching regex (?P<pattern>'.*')$", re.DOTALL)

T = TypeVar("T")
A = TypeVar("A", bound=Ask)


def parsed(raw: bytes) -> dict[str, Any]:
    """The object that a body is; an empty body is an empty object."""
    if not raw:
        return {}
    try:
        text = raw.decode()
        value = msgspec.json.decode(raw)
        if raw.count(b":") > names_in(value):
            refuse_repeated_names(text)
        if raw.count(b"[") + raw.count(b"{") > DEPTH_MAX:
            refuse_depth(value, DEPTH_MAX)
    except RecursionError:
        raise Malformed(
            "nested-too-deeply", f"the body nests deeper than {DEPTH_MAX}; no command does"
        ) from None
    except UnicodeDecodeError as error:
        raise Malformed(
            "invalid-utf-8", f"the body must be UTF-8, and it is not at byte {error.start}"
        ) from None
    except msgspec.DecodeError as error:
        if LONE_SURROGATE.search(raw):
            raise Malformed(
                "lone-surrogate",
                r"the body has half of a surrogate pair (\ud800 to \udfff): send whole characters",
            ) from None
        raise Malformed("malformed-json", f"the body is not JSON: {error}") from None
    if b"\\u0000" in raw:
        refuse_nul(value, "")
    if not isinstance(value, dict):
        raise Malformed("schema-violation", "the body must be an object: {…}")
    return value


def command(value: dict[str, Any], of: type[A], given: Mapping[str, Any]) -> A:
    """The command that a body asks for, at a path that has `given` some of its fields."""
    for name in ("type", *given):
        if name in value:
            raise Malformed(
                "schema-violation",
                f"the path says the {name}: leave it out of the body",
                field=name,
            )
    return converted({**value, **given}, of)


def converted(value: Any, to: type[T], *, strict: bool = True, at: str = "") -> T:
    """The value as a struct; `at` is where it was found, and begins the names of its fields."""
    try:
        try:
            struct = msgspec.convert(value, to, strict=strict)
        except msgspec.ValidationError:
            struct = msgspec.convert(whole(value), to, strict=strict)
    except msgspec.ValidationError as error:
        raise violation(str(error), to, at) from None
    for name in to.__struct_fields__:  # type: ignore[attr-defined]
        instant = getattr(struct, name)
        if isinstance(instant, datetime) and instant.year not in YEARS:
            raise Rejected(
                "time-out-of-range",
                f"{name} must lie between {YEARS.start} and {YEARS.stop}",
                field=at + name,
            )
    return struct


def violation(sentence: str, to: type[Any], at: str) -> Malformed:
    parts = AT.match(sentence)
    assert parts is not None
    what, where = parts["what"], parts["where"] or ""
    if field := FIELD.match(what):
        where = f"{where}.{field['name']}" if where else field["name"]
        what = "this is required" if field["how"].startswith("missing") else "no such field"
        if what == "no such field" and where == field["name"]:
            what = f"no such field; there are {', '.join(to.__struct_fields__)}"
    if not_matched := PATTERN.match(what):
        what = f"expected {words(to).get(not_matched['pattern'], 'another form')}"
    detail = what[:1].lower() + what[1:SENTENCE_MAX]
    where = (at + where if where else at.rstrip("."))[:NAME_SHOWN_MAX]
    return Malformed(
        "schema-violation", f"{where}: {detail}" if where else detail, field=where or None
    )


def words(of: type[Any]) -> dict[str, str]:
    """What the types of a struct say of themselves, by the pattern as msgspec quotes it."""
    _, components = msgspec.json.schema_components([of])
    return dict(described(components))


def described(schema: Any) -> Iterator[tuple[str, str]]:
    match schema:
        case {"pattern": str(pattern), "description": str(description)}:
            yield repr(pattern), description
        case dict():
            for inner in schema.values():
                yield from described(inner)
        case list():
            for inner in schema:
                yield from described(inner)


def whole(value: Any) -> Any:
    """The same, with 3.0 as 3: to JSON they are one number."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [whole(item) for item in value]
        case dict():
            return {name: whole(item) for name, item in value.items()}
    return value


def refuse_depth(value: Any, left: int) -> None:
    if left == 0:
        raise RecursionError
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            refuse_depth(item, left - 1)


def refuse_nul(value: Any, where: str) -> None:
    """PostgreSQL's text cannot hold it, and no person types it."""
    if isinstance(value, str) and "\0" in value:
        raise Malformed(
            "nul-character",
            f"{where or 'the body'} has a NUL character (\\u0000), which cannot be stored",
            field=where or None,
        )
    if isinstance(value, list):
        for index, item in enumerate(value):
            refuse_nul(item, f"{where}[{index}]")
    if isinstance(value, dict):
        for name, item in value.items():
            refuse_nul(name, f"the name of a field in {where or 'the body'}")
            refuse_nul(item, f"{where}.{name}" if where else name)


def names_in(value: Any) -> int:
    """How many names there are in it, all told: each has a colon, and one lost to another, too."""
    if isinstance(value, dict):
        return len(value) + sum([names_in(item) for item in value.values()])
    if isinstance(value, list):
        return sum([names_in(item) for item in value])
    return 0


def refuse_repeated_names(text: str) -> None:
    """A name given twice is read by some as the first and by others as the last: not here."""
    _names(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        twice = name[:NAME_SHOWN_MAX]
        raise Malformed("repeated-name", f"the body gives {twice} twice", field=twice)
    return names


_names = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str).decode
