"""casecore replay, as it is typed: for people, for programs, and a key at a time."""

import asyncio
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from api.desk import Desks
from casecore import embedded
from casecore.case.events.intake import ComplaintHeard, NoteAdded
from casecore.case.events.promises import PromiseMade
from tests.api.test_command_line import Shell, shown_on
from tests.spec import CASE_ID, NOON, registered
from tests.telling import Telling

HOUR = timedelta(hours=1)
REF = registered.case_ref
PROMPT_END = b"q to stop\x1b[0m"
NASTY = "Two\nlines \x1b[31mred\x1b[0m and \u202eback"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("desk") / "var")
    with embedded.start(shell.data_dir) as postgres:
        asyncio.run(a_case(postgres.url))
        yield shell


async def a_case(url: str) -> None:
    async with Desks.open(url, following=False) as desks:
        telling = await Telling.into(desks.pool)
        await telling.tell(CASE_ID, registered, at=NOON)
        await telling.tell(CASE_ID, PromiseMade("p1", "update", NASTY, NOON, "ada"), at=NOON + HOUR)
        await telling.tell(CASE_ID, ComplaintHeard(customer_finished=True), at=NOON + 2 * HOUR)
        await telling.tell(CASE_ID, NoteAdded("n1", "Rang at one"), at=NOON + HOUR)


def test_each_event_is_told_with_its_times_its_command_and_what_it_changed(shell: Shell) -> None:
    told, _ = shell.run("replay", REF)
    first, place, *_ = told.splitlines()
    assert first.startswith("   1  2026-03-02 12:00  sam registered complaint C-")
    assert first.endswith("(supervisor)")
    assert "position 1, recorded 20" in place
    assert " later, command " in place
    assert '      + /reason  "Three weeks late"\n' in told
    assert '      ~ /heard_at  null → "2026-03-02T14:00:00Z"\n' in told
    assert told.count("\n   4  ") == 1


def test_what_is_stored_cannot_disturb_the_terminal(shell: Shell) -> None:
    told, _ = shell.run("replay", str(CASE_ID))
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_programs_get_the_same_as_json(shell: Shell) -> None:
    steps = shell.json("replay", REF)
    assert [step["version"] for step in steps] == [1, 2, 3, 4]
    [change] = steps[1]["changes"]
    assert (change["path"], change["after"]["text"]) == ("/promises/p1", NASTY)


def test_what_had_happened_by_a_time_is_in_the_order_of_happening(shell: Shell) -> None:
    def versions(*words: str) -> list[int]:
        return [step["version"] for step in shell.json("replay", REF, *words)]

    assert versions("--happened-by", "2026-03-02T13:00:00Z") == [1, 2, 4]
    assert versions("--happened-by", "2026-03-02") == [1, 2, 4, 3]
    assert versions("--as-of", "2100-01-01") == [1, 2, 3, 4]
    early = ("replay", REF, "--as-of", "2001-01-01")
    assert "no such case was known on 2001-01-02" in shell.run(*early, exits=1)[1]
    assert "is no day" in shell.run("replay", REF, "--as-of", "soon", exits=2)[1]


def test_a_case_that_is_not_there_is_a_sentence(shell: Shell) -> None:
    assert "this ledger has no case C-0" in shell.run("replay", "C-0", exits=1)[1]


def test_stepping_needs_somebody_who_presses_keys(shell: Shell) -> None:
    assert "here is no terminal" in shell.run("replay", REF, "--step", exits=2)[1]
    assert "give one of them" in shell.run("replay", REF, "--step", "--json", exits=2)[1]


@pytest.mark.parametrize(("keys", "events"), [(b" xx", 4), (b"q", 1), (b" q", 2)])
def test_a_key_shows_the_next_event_and_q_stops(shell: Shell, keys: bytes, events: int) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "api", "replay", REF, "--step"]
    terminal: Any = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    shown = b""
    with subprocess.Popen(words, env=shell.environ | {"TERM": "xterm"}, **terminal) as process:
        os.close(theirs)
        for key in keys:
            while not shown.endswith(PROMPT_END):
                shown += os.read(ours, 65_536)
            time.sleep(0.1)  # What is pressed before it listens is lost.
            os.write(ours, bytes([key]))
            shown += b"|"
        shown += shown_on(ours)
    assert process.returncode == 0
    assert shown.count(b"position ") == events
