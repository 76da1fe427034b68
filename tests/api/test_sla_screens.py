"""casecore sla report and what-if, as they are typed, over an imported log and a day of demo."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.desk import Desk, Desks
from casecore import embedded
from casecore.sla.files import pack, read_book
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from tests.api.test_command_line import Shell, shown_on
from tests.spec import ADMIN

LOG = """CaseID,ActivityID,CompleteTimestamp
1,1,2012-10-09 14:50:17
1,8,2012-10-09 14:51:01
1,6,2012-10-09 15:02:56
2,1,2012-10-09 14:50:17
2,8,2012-10-10 14:51:01
2,6,2012-11-09 15:02:56
"""
IMPORT = (
    *("import", "--format", "csv", "--mapping", "helpdesk", "--zone", "Europe/Rome"),
    *("--case", "CaseID", "--activity", "ActivityID", "--time", "CompleteTimestamp"),
)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One whose ledger `log` has an imported log that came after its policy, `late` one before."""
    folder = tmp_path_factory.mktemp("screens")
    shell = Shell(folder / "var")
    log = folder / "log.csv"
    log.write_text(LOG)
    with embedded.start(shell.data_dir) as postgres:
        shell.run(*IMPORT, str(log), "--ledger", "late")
        asyncio.run(prepare(postgres.url))
        shell.run(*IMPORT, str(log), "--ledger", "log")
        yield shell


async def prepare(url: str) -> None:
    async with Desks.open(url, following=False) as desks:
        await desks.desk("empty")
        for ledger in ("log", "late"):
            desk: Desk = await desks.desk(ledger)
            await desk.core.execute(SlaBook, SLA_BOOK_ID, *read_book(pack("desk")), by=ADMIN)


@pytest.fixture
def stricter(tmp_path: Path) -> str:
    """The pack with five minutes to resolve a case in."""
    told = pack("desk").replace("seconds = 144_000 }  # 40 h, five working days", "seconds = 300 }")
    assert told != pack("desk")
    path = tmp_path / "stricter.toml"
    path.write_text(told)
    return str(path)


def lines(told: str) -> list[list[str]]:
    return [line.split() for line in told.splitlines()]


def test_the_report_tells_what_was_met_and_breached_per_target(shell: Shell) -> None:
    told, _ = shell.run("sla", "report", "--ledger", "log")
    assert told.startswith("2 cases as of ")
    [resolution] = [cells for cells in lines(told) if cells[:1] == ["resolution"]]
    assert resolution[1:9] == ["1", "1", "-", "-", "-", "-", "50.0", "%"]
    assert "Nothing that would answer acknowledgement, first_response" in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (60, ("sla", "report")),
        (60, ("sla", "what-if", "{stricter}")),
        (80, ("projections", "status")),
    ],
)
def test_a_narrow_screen_shows_all_names_and_numbers_whole(
    shell: Shell, stricter: str, columns: int, words: tuple[str, ...]
) -> None:
    ours, theirs = pty.openpty()
    command = [word.format(stricter=stricter) for word in words]
    process = subprocess.Popen(
        [sys.executable, "-m", "api", *command, "--ledger", "log"],
        env=shell.environ | {"TERM": "xterm", "COLUMNS": str(columns)},
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    told = shown_on(ours).decode()
    assert process.wait() == 0
    assert "…" not in told
    assert words[1] == "status" or "resolution" in told


def test_the_report_as_json_says_the_same_and_more(shell: Shell) -> None:
    told = shell.json("sla", "report", "--ledger", "log")
    [resolution] = [line for line in told["targets"] if line["name"] == "resolution"]
    assert (resolution["met"], resolution["breached"], resolution["share_met"]) == (1, 1, 0.5)
    assert resolution["late_median_seconds"] == resolution["late_p90_seconds"] > 0
    assert {line["queue"] for line in told["queues"]} == {"helpdesk"}
    assert told["cases"] == 2
    assert (told["due_next"], told["longest_overdue"]) == ([], [])


def test_the_report_is_of_the_days_and_the_queue_that_are_asked_for(shell: Shell) -> None:
    def cases(*words: str) -> int:
        return int(shell.json("sla", "report", "--ledger", "log", *words)["cases"])

    assert cases("--from", "2012-10-09", "--to", "2012-10-09") == 2
    assert cases("--from", "2012-10-10") == cases("--to", "2012-10-08") == 0
    assert cases("--to", "2012-10-09T12:50:17Z") == 0
    assert cases("--queue", "helpdesk") == 2
    assert cases("--queue", "elsewhere") == 0


def test_a_day_that_is_none_is_not_understood(shell: Shell) -> None:
    for words in (("--from", "yesterday"), ("--to", "2026-02-30"), ("--to", "2026-03-01T12:00")):
        _, complaint = shell.run("sla", "report", *words, exits=2)
        assert "is no day like 2026-03-31" in " ".join(complaint.split()), words


def test_days_that_end_before_they_begin_are_refused(shell: Shell, stricter: str) -> None:
    for words in (("sla", "report"), ("sla", "what-if", stricter), ("export", "--format", "csv")):
        days = ("--from", "2012-10-10", "--to", "2012-10-09")
        _, complaint = shell.run(*words, *days, "--ledger", "log", exits=1)
        assert "give an end that is after the beginning" in complaint, complaint


def test_a_report_about_nothing_says_what_to_do(shell: Shell) -> None:
    told, _ = shell.run("sla", "report", "--ledger", "empty")
    assert "casecore policy publish --pack desk" in told
    told, _ = shell.run("sla", "report", "--ledger", "late")
    assert "None of the 2 cases has a clock" in told
    assert "casecore sla what-if FILE.toml" in told
    told, _ = shell.run("sla", "report", "--ledger", "log", "--from", "2026-01-01")
    assert "There is no case: none has come in yet" in told


def test_under_the_policies_that_are_in_force_nothing_would_differ(
    shell: Shell, tmp_path: Path
) -> None:
    same = tmp_path / "desk.toml"
    same.write_text(pack("desk"))
    told = shell.json("sla", "what-if", str(same), "--ledger", "log")
    assert (told["cases"], told["cases_differing"], told["differing"]) == (2, 0, [])
    reported = {
        line["name"]: line for line in shell.json("sla", "report", "--ledger", "log")["targets"]
    }
    for total in told["totals"]:
        assert total["before"] == total["after"]
        for state in ("met", "breached", "running", "paused", "cancelled"):
            assert total["before"][state] == reported[total["name"]][state]


def test_what_would_differ_is_shown_before_and_after(shell: Shell, stricter: str) -> None:
    told, _ = shell.run("sla", "what-if", stricter, "--ledger", "log")
    assert "2 cases as of" in told
    [resolution] = [cells for cells in lines(told) if cells[:1] == ["resolution"]]
    assert resolution[1:8] == ["2", "1", "→", "0", "1", "→", "2"]
    assert "met, due 2012-10-16 12:50" in told
    assert "breached, due 2012-10-09 12:55, 7 min late" in told


def test_what_would_differ_as_json_is_whole_and_nothing_is_written(
    shell: Shell, stricter: str
) -> None:
    before = head(shell)
    told = shell.json("sla", "what-if", stricter, "--ledger", "log")
    assert (told["cases_differing"], told["cases_turning"]) == (2, 1)
    turned = [
        (clock["name"], clock["before"]["state"], clock["after"]["state"])
        for case in told["differing"]
        for clock in case["clocks"]
        if clock["before"]["state"] != clock["after"]["state"]
    ]
    assert turned == [("resolution", "met", "breached")]
    assert head(shell) == before


def head(shell: Shell) -> int:
    position: int = shell.json("projections", "status", "--ledger", "log")[0]["head"]
    return position


def test_cases_that_came_in_before_any_policy_can_be_reckoned_under_one(
    shell: Shell, stricter: str
) -> None:
    told, _ = shell.run("sla", "what-if", stricter, "--ledger", "late")
    [resolution] = [cells for cells in lines(told) if cells[:1] == ["resolution"]]
    assert resolution[1:4] == ["0", "→", "2"]
    told, _ = shell.run("sla", "what-if", stricter, "--ledger", "late", "--from", "2026-01-01")
    assert "No case was received then" in told


def test_a_file_that_could_not_be_published_is_refused_with_its_place(
    shell: Shell, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[policies.x]\nrank = 1\ncalendar = "nowhere"\ntargets.a.kind = "promise"\n')
    _, complaint = shell.run("sla", "what-if", str(wrong), "--ledger", "log", exits=1)
    assert "there is no calendar nowhere" in complaint
    wrong.write_text("[policies.x]\nrank = 'first'\n")
    _, complaint = shell.run("sla", "what-if", str(wrong), "--ledger", "log", exits=1)
    assert "policies.x" in complaint
