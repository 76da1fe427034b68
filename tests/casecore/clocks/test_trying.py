"""casecore sla try: a line in, a line out, and no line stops another."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casecore.clocks.trying import answer

CALENDAR = {
    "zone": "Europe/London",
    "weekly": {"wed": [["09:00", "17:00"]], "thu": [["09:00", "17:00"]]},
    "exceptions": {"2026-03-12": []},
}
LINE: dict[str, Any] = {
    "calendar": CALENDAR,
    "target": {"kind": "open_time", "seconds": 28_800},
    "started_at": "2026-03-04T09:30:00Z",
    "pauses": [],
}
SHOWN = {"now": "2026-03-04T11:30:00.5Z", "warn_at_seconds_left": [3600, 0, 28_800, 30_000]}


def tried(line: bytes | dict[str, Any]) -> dict[str, Any]:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    found: dict[str, Any] = json.loads(msgspec.json.encode(answer(raw)))
    return found


def refused(line: bytes | dict[str, Any]) -> str:
    found = tried(line)
    assert set(found) <= {"id", "error", "detail"}
    assert len(found["detail"]) > 20
    error: str = found["error"]
    return error


def test_without_now_it_says_only_when_it_is_due() -> None:
    assert tried(LINE) == {"due_at": "2026-03-05T09:30:00Z"}


def test_with_now_it_says_how_it_stands_in_whole_seconds_rounded_down() -> None:
    assert tried(LINE | SHOWN) == {
        "due_at": "2026-03-05T09:30:00Z",
        "warn_at": [
            "2026-03-04T16:30:00Z",
            "2026-03-05T09:30:00Z",
            "2026-03-04T09:30:00Z",
            None,
        ],
        "consumed_seconds": 7200,
        "remaining_seconds": 21_599,
        "state": "running",
    }


def test_within_a_pause_it_is_not_due_and_only_past_warnings_are_known() -> None:
    paused = {
        "pauses": [["2026-03-04T11:30:00Z", "2026-03-04T12:00:00Z"]],
        "warn_at_seconds_left": [21_600, 21_599],
    }
    assert tried(LINE | SHOWN | paused) == {
        "due_at": None,
        "warn_at": ["2026-03-04T11:30:00Z", None],
        "consumed_seconds": 7200,
        "remaining_seconds": 21_600,
        "state": "paused",
    }


@pytest.mark.parametrize(
    "id", ["null", "7", "1.0", "1e999", '"a\\u0000"', "[1, {}]", '{"a":1}', "true", "9" * 5000]
)
def test_an_id_of_any_kind_comes_back_as_it_was_written(id: str) -> None:
    line = json.dumps(LINE)
    written = b'{"id":' + id.encode() + b","
    good = f'{{"id":{id},{line[1:]}'.encode()
    bad = f'{{"id":{id},"x":0,{line[1:]}'.encode()
    assert msgspec.json.encode(answer(good)).startswith(written + b'"due_at"')
    assert msgspec.json.encode(answer(bad)).startswith(written + b'"error":"schema-violation"')


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", "malformed-json"),
        (b"{", "malformed-json"),
        (b"{} {}", "malformed-json"),
        (b'{"id":NaN}', "malformed-json"),
        (b'{"id":"\xff"}', "invalid-utf-8"),
        (b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested-too-deeply"),
        (b"[]", "schema-violation"),
        (b"{}", "schema-violation"),
    ],
)
def test_a_line_that_is_no_trial_is_answered_with_what_is_wrong(line: bytes, error: str) -> None:
    assert refused(line) == error


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"extra": 1}, "schema-violation"),
        ({"calendar": "london"}, "schema-violation"),
        ({"calendar": CALENDAR | {"timezone": "UTC"}}, "schema-violation"),
        ({"calendar": CALENDAR | {"weekly": {"monday": []}}}, "schema-violation"),
        ({"calendar": CALENDAR | {"weekly": {"mon": [["09:00"]]}}}, "schema-violation"),
        ({"calendar": CALENDAR | {"weekly": {"mon": [["09:00", "9:30"]]}}}, "invalid-time-of-day"),
        ({"calendar": CALENDAR | {"exceptions": {"3 April": []}}}, "schema-violation"),
        ({"calendar": CALENDAR | {"exceptions": {"0001-01-01": []}}}, "time-out-of-range"),
        ({"calendar": CALENDAR | {"zone": "Europe/Londn"}}, "unknown-zone"),
        ({"calendar": CALENDAR | {"weekly": {}}}, "calendar-never-open"),
        ({"calendar": CALENDAR | {"weekly": {"mon": []}}}, "calendar-never-open"),
        ({"target": {"kind": "open_time"}}, "schema-violation"),
        ({"target": {"kind": "fortnights", "seconds": 1}}, "schema-violation"),
        ({"target": {"kind": "open_time", "seconds": 1.5}}, "schema-violation"),
        ({"target": {"kind": "open_time", "seconds": True}}, "schema-violation"),
        ({"target": {"kind": "business_days", "days": 1}}, "schema-violation"),
        ({"target": {"kind": "open_time", "seconds": -1}}, "target-not-positive"),
        ({"target": {"kind": "elapsed_time", "seconds": 0}}, "target-not-positive"),
        ({"target": {"kind": "calendar_days", "days": 0}}, "target-not-positive"),
        ({"target": {"kind": "weeks", "weeks": 0}}, "target-not-positive"),
        ({"target": {"kind": "open_time", "seconds": 10**40}}, "due-beyond-horizon"),
        ({"target": {"kind": "calendar_days", "days": 10**40}}, "due-beyond-horizon"),
        ({"started_at": "2026-03-04T09:30:00"}, "schema-violation"),
        ({"started_at": "yesterday"}, "schema-violation"),
        ({"started_at": "0001-01-01T00:00:00+23:59"}, "time-out-of-range"),
        ({"started_at": "9999-12-31T23:59:59Z"}, "time-out-of-range"),
        ({"now": "9999-12-31T23:59:59-23:59"}, "time-out-of-range"),
        ({"pauses": [["2026-03-04T11:00:00Z"]]}, "schema-violation"),
        ({"pauses": [[None, "2026-03-04T11:00:00Z"]]}, "schema-violation"),
        (
            {"pauses": [["2026-03-04T11:00:00Z", "2026-03-04T10:59:59Z"]]},
            "pause-ends-before-it-starts",
        ),
        ({"warn_at_seconds_left": [-1]}, "schema-violation"),
        ({"warn_at_seconds_left": 60}, "schema-violation"),
    ],
)
def test_what_the_rules_refuse_is_answered_with_a_code(change: dict[str, Any], error: str) -> None:
    assert refused(LINE | change) == error


def test_instants_may_come_with_any_offset_and_leave_in_utc() -> None:
    assert tried(LINE | {"started_at": "2026-03-04T20:30:00.25+11:00"}) == {
        "due_at": "2026-03-05T09:30:00.250000Z"
    }


def test_a_pause_that_ends_as_it_starts_is_none() -> None:
    none = {"pauses": [["2026-03-04T11:00:00Z", "2026-03-04T11:00:00Z"]]}
    assert tried(LINE | none) == tried(LINE)


def test_on_the_command_line_a_bad_line_fails_and_the_others_go_on(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    good = json.dumps(LINE | {"id": 1})
    file.write_text(f"{good}\n\n  \nnonsense\n{good}", "utf-8")
    ran = run(str(file))
    assert ran.returncode == 1
    first, second, third = ran.stdout.splitlines()
    assert first == third == b'{"id":1,"due_at":"2026-03-05T09:30:00Z"}'
    assert json.loads(second)["error"] == "malformed-json"


def test_on_the_command_line_lines_come_from_standard_input() -> None:
    ran = run(given=json.dumps(LINE).encode())
    assert (ran.returncode, ran.stdout) == (0, b'{"due_at":"2026-03-05T09:30:00Z"}\n')
    assert run("missing.jsonl").returncode == 2


def run(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "api", "sla", "try", *words]
    return subprocess.run(
        command, input=given, capture_output=True, cwd=Path(__file__).parents[3] / "src"
    )
