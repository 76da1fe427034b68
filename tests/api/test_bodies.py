"""Reading bodies: what is wrong with one is said in a sentence, with the field it is about."""

from typing import Any

import msgspec
import pytest

from api import bodies
from api.routes import TABLES
from casecore.case.decisions.intake import HearComplaint, RegisterCase
from casecore.case.decisions.ownership import QueueCase, ReleaseCase
from casecore.case.decisions.promises import KeepPromise
from casecore.errors import CaseError, Malformed
from tests.api.vectors import json_texts, naughty_strings, needs_vectors


def refusal(raw: bytes, of: Any = RegisterCase, **given: str) -> CaseError:
    with pytest.raises(CaseError) as refused:
        bodies.command(bodies.parsed(raw), of, given)
    return refused.value


def test_an_empty_body_is_an_empty_object() -> None:
    assert bodies.parsed(b"") == {}


def test_a_missing_field_is_named() -> None:
    error = refusal(b'{"channel":"phone","reason":"Late"}')
    assert (error.code, error.field) == ("schema-violation", "customer")
    assert str(error) == "customer: this is required"


def test_an_unknown_field_is_named_with_those_there_are() -> None:
    error = refusal(b'{"customer_finished":true,"angry":true}', HearComplaint)
    assert error.field == "angry"
    assert "notes" in str(error)


def test_a_field_deep_inside_is_named_by_its_place() -> None:
    error = refusal(b'{"customer_finished":true,"notes":[{"kind":"fact"}]}', HearComplaint)
    assert error.field == "notes[0].text"


def test_what_the_path_says_is_not_asked_for_again() -> None:
    read = bodies.command(bodies.parsed(b'{"how":"by phone"}'), KeepPromise, {"promise_id": "p1"})
    assert read == KeepPromise(promise_id="p1", how="by phone")
    error = refusal(b'{"promise_id":"p2"}', KeepPromise, promise_id="p1")
    assert error.field == "promise_id"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[]", "schema-violation"),
        (b"null", "schema-violation"),
        (b"{", "malformed-json"),
        (b'{"a":NaN}', "malformed-json"),
        (b"\xef\xbb\xbf{}", "malformed-json"),
        (b'{"text":"\xff"}', "invalid-utf-8"),
        (b'{"text":"\xed\xa0\x80"}', "invalid-utf-8"),
        (rb'{"text":"\ud800"}', "lone-surrogate"),
        (rb'{"text":"x\udc00y"}', "lone-surrogate"),
        (rb'{"text":"\u0000"}', "nul-character"),
        (rb'{"\u0000":1}', "nul-character"),
        (b'{"text":"a","text":"b"}', "repeated-name"),
        (b'{"customer":{"ref":"a","ref":"b"}}', "repeated-name"),
        (b"[" * 100_000, "nested-too-deeply"),
        (b'{"reason":' + b"[" * 32 + b"]" * 32 + b"}", "nested-too-deeply"),
        (b'{"reason":' + b"[" * 31 + b"]" * 31 + b"}", "schema-violation"),
        (b'{"a":' * 50_000, "nested-too-deeply"),
        (b'{"received_at":1}', "schema-violation"),
    ],
)
def test_a_body_that_is_no_command_is_refused_in_words(raw: bytes, code: str) -> None:
    assert refusal(raw).code == code


@pytest.mark.parametrize(
    ("raw", "byte"), [(b'{"text":"\xff"}', 9), ('{"é":"'.encode() + b'\xa9"}', 7), (b"\xff", 0)]
)
def test_the_byte_that_is_not_utf_8_is_named(raw: bytes, byte: int) -> None:
    assert str(refusal(raw)).endswith(f"at byte {byte}")


@pytest.mark.parametrize(
    ("raw", "of", "words"),
    [
        (b'{"queue":"a b","reason":"r"}', QueueCase, "letters, digits and _ . : @ + - only"),
        (b'{"promise_id":"P1"}', KeepPromise, "an id as it was answered"),
        (b'{"language":"?","channel":"phone"}', RegisterCase, "a language tag"),
    ],
)
def test_a_pattern_is_told_in_words(raw: bytes, of: Any, words: str) -> None:
    assert f"expected {words}" in str(refusal(raw, of))


def test_every_pattern_has_words() -> None:
    for command in (row.command for table in TABLES for row in table.rows):
        _, components = msgspec.json.schema_components([command])
        assert set(patterns(components)) <= bodies.words(command).keys(), command


def patterns(schema: Any) -> list[str]:
    match schema:
        case {"pattern": str(pattern)}:
            return [repr(pattern)]
        case dict():
            return [found for inner in schema.values() for found in patterns(inner)]
        case list():
            return [found for inner in schema for found in patterns(inner)]
    return []


def test_the_field_with_a_nul_is_named() -> None:
    assert refusal(rb'{"customer":{"ref":"a\u0000"}}').field == "customer.ref"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert bodies.parsed(rb'{"text":"\\u0000"}') == {"text": r"\u0000"}


@pytest.mark.parametrize("queue", ["a/b", ".", "..", "...", "a b", "", "a\n"])
def test_a_queue_that_no_path_leads_to_is_refused(queue: str) -> None:
    body = msgspec.json.encode({"queue": queue, "reason": "r"})
    for command in (QueueCase, ReleaseCase):
        assert refusal(body, command).field == "queue"
    registering = {"channel": "phone", "customer": {"ref": "c"}, "reason": "r", "queue": queue}
    assert refusal(msgspec.json.encode(registering)).field == "queue"


@pytest.mark.parametrize("queue", ["complaints", "equifax-inc", "..a", "a.b", "eu:cards@2+"])
def test_a_queue_that_a_path_leads_to_is_taken(queue: str) -> None:
    asked = QueueCase(queue=queue, reason="r")
    assert bodies.command({"queue": queue, "reason": "r"}, QueueCase, {}) == asked


def test_a_time_beyond_any_calendar_is_refused() -> None:
    raw = b'{"channel":"phone","customer":{"ref":"c"},"reason":"r","received_at":"%s"}'
    error = refusal(raw % b"0001-01-01T00:00:00+14:00")
    assert (error.code, error.field) == ("time-out-of-range", "received_at")


def test_a_refusal_repeats_little_of_what_was_made_up() -> None:
    much = b"line\\n" * 100_000
    for raw in (
        b'{"%s":1}' % much,
        b'{"channel":"%s","customer":{"ref":"c"},"reason":"r"}' % much,
        b'{"%s":1,"%s":2}' % (much, much),
    ):
        error = refusal(raw)
        assert len(str(error)) < 2_000
        assert len(error.field or "") <= 100


def test_names_given_twice_are_found_among_many() -> None:
    names = b",".join(b'"n%d":1' % number for number in range(50_000))
    assert refusal(b'{"n7":1,%s}' % names).field == "n7"


def test_a_whole_number_may_be_written_with_a_point() -> None:
    raw = b'{"channel":"phone","customer":{"ref":"c"},"reason":"r","heat":%s}'
    assert bodies.command(bodies.parsed(raw % b"3.0"), RegisterCase, {}).heat == 3
    assert refusal(raw % b"2.5").field == "heat"


@needs_vectors
def test_json_is_read_and_nothing_else() -> None:
    ours = ("read", "schema-violation", "nul-character", "repeated-name")
    verdicts = {name: verdict(raw) for name, raw in json_texts().items()}
    assert [name for name, v in verdicts.items() if name[0] == "y" and v not in ours] == []
    assert [name for name, v in verdicts.items() if name[0] == "n" and v == "read"] == [
        "n_structure_no_data"
    ]


def verdict(raw: bytes) -> str:
    try:
        bodies.parsed(raw)
    except Malformed as error:
        return error.code
    return "read"


@needs_vectors
def test_a_string_is_read_as_it_was_sent() -> None:
    for text in naughty_strings():
        assert bodies.parsed(msgspec.json.encode({"text": text})) == {"text": text}
