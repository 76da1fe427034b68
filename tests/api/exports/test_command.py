"""casecore export and its way back, as they are typed."""

import asyncio
import gzip
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from casecore import embedded
from tests.api.test_command_line import Shell

FORMATS = ("xes", "ocel-json", "ocel-sqlite", "cloudevents", "csv")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """casecore with a day in its ledger, at work on a database that stays."""
    shell = Shell(tmp_path_factory.mktemp("shell") / "var")
    with embedded.start(shell.data_dir) as postgres:
        shell.environ["CASECORE_DATABASE_URL"] = postgres.url
        shell.run("demo", "--day", "2025-11-03", "--cases", "10")
        yield shell


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_is_there_when_it_is_whole(shell: Shell, tmp_path: Path, format: str) -> None:
    out = tmp_path / "export"
    _, said = shell.run("export", "--format", format, "--out", str(out))
    assert "as of position" in said
    assert os.listdir(tmp_path) == ["export"]
    whole = out.read_bytes()
    refused = shell.run("export", "--format", format, "--out", str(out), exits=1)[1]
    assert "say --force" in refused
    shell.run("export", "--format", format, "--out", str(out), "--force")
    assert len(out.read_bytes()) == len(whole)


def test_what_is_called_gz_is_packed(shell: Shell, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "api", "export", "--format", "csv"],
        env=shell.environ,
        capture_output=True,
        check=True,
    ).stdout
    shell.run("export", "--format", "csv", "--out", str(tmp_path / "log.csv.gz"))
    assert gzip.decompress((tmp_path / "log.csv.gz").read_bytes()) == told


def test_nothing_is_left_of_a_file_that_was_refused(shell: Shell, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "log"))
    for words, exits, why in (
        (("--at-position", "99999"), 1, "the ledger has come to position"),
        (("--at-position", "1", "--time", "2026-01-01"), 1, "a position or a time"),
        (("--case", "C-0000"), 1, "no case C-0000"),
        (("--case", "00000000-0000-0000-0000-000000000001"), 1, "no case 0000"),
        (("--channel", "pigeon"), 1, "channel"),
        (("--product", "delivery"), 1, "take another format"),
        (("--time", "yesterday"), 2, "no day like"),
        (("--ledger", "other"), 1, "there is no ledger other"),
    ):
        said = shell.run("export", "--format", "cloudevents", *words, *out, exits=exits)[1]
        assert why in said, said
        assert os.listdir(tmp_path) == []
    gone = str(tmp_path / "no" / "folder")
    said = shell.run("export", "--format", "csv", "--out", gone, exits=1)[1]
    assert "cannot write" in said


def test_a_case_goes_out_by_its_ref(shell: Shell) -> None:
    [case, *_] = shell.json("demo", "--day", "2025-11-03", "--cases", "10")["cases"]
    told, _ = shell.run("export", "--format", "csv", "--case", case["case_ref"].lower())
    assert {line.split(",")[0] for line in told.splitlines()[1:]} == {case["case_ref"]}


def test_whoever_reads_no_further_is_not_complained_to(shell: Shell) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m api export --format xes | head -c 10"],
        env=shell.environ,
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"<?xml vers"
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_a_ledger_goes_to_another_machine_and_back(shell: Shell, tmp_path: Path) -> None:
    out, back = tmp_path / "ledger.jsonl.gz", tmp_path / "back.jsonl.gz"
    shell.run("export", "--format", "cloudevents", "--out", str(out))
    other = Shell(tmp_path / "var")
    words = ("import", "--format", "cloudevents", str(out))
    with embedded.start(other.data_dir):
        assert "nothing was written" in other.run(*words, "--dry-run")[0]
        assert "--ledger main" in other.run(*words, "--ledger", "else", exits=1)[1]
        restored = other.json(*words)
        assert restored["events"] == gzip.decompress(out.read_bytes()).count(b"\n")
        assert "only an empty one" in other.run(*words, exits=1)[1]
        other.run("export", "--format", "cloudevents", "--out", str(back))
        assert back.read_bytes() == out.read_bytes()
        [case, *_] = shell.json("demo", "--day", "2025-11-03", "--cases", "10")["cases"]
        told = other.json("history", case["case_ref"])
        assert told == shell.json("history", case["case_ref"])


def test_a_line_that_was_changed_is_named(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "ledger.jsonl"
    shell.run("export", "--format", "cloudevents", "--out", str(out))
    lines = out.read_text().splitlines(keepends=True)
    lines[20] = lines[20].replace(r"{\"occurred_at\":", r"{ \"occurred_at\":")
    out.write_text("".join(lines))
    other = Shell(tmp_path / "var")
    words = ("import", "--format", "cloudevents", str(out))
    assert "line 21: its head does not follow" in other.run(*words, exits=1)[1]
    assert "--mapping is not for cloudevents" in other.run(*words, "--mapping", "x", exits=2)[1]


def test_who_reads_at_the_command_line_is_on_record_too(shell: Shell) -> None:
    [case, *_] = shell.json("demo", "--day", "2025-11-03", "--cases", "10")["cases"]
    shell.run("history", case["case_ref"], "--reason", "The audit", USER="olga")
    words = ("export", "--format", "csv", "--product", "nothing")
    shell.run(*words, USER="olga")
    read = asyncio.run(reads_of(shell, "olga"))
    assert [tuple(row) for row in read] == [
        ("history", f"casecore history {case['case_ref']}", case["case_id"], "The audit"),
        ("export", " ".join(("casecore", *words)), None, None),
    ]


async def reads_of(shell: Shell, actor: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(shell.environ["CASECORE_DATABASE_URL"])
    try:
        return await connection.fetch(
            "SELECT what, target, case_id::text, reason FROM sys.access_log"
            " WHERE actor = $1 ORDER BY id",
            actor,
        )
    finally:
        await connection.close()


def test_the_sqlite_file_opens(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "log.sqlite"
    shell.run("export", "--format", "ocel-sqlite", "--out", str(out))
    db = sqlite3.connect(out)
    assert db.execute("SELECT count(*) FROM object WHERE ocel_type = 'case'").fetchone() == (10,)
    db.close()
