"""The command line, as it is typed: what it does, says, and exits with."""

import asyncio
import csv
import gzip
import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api.serving import listen
from casecore import embedded
from casecore.database import connect
from casecore.errors import Unavailable
from casecore.following.rebuilding import alone
from casecore.sla.files import pack
from projections import PROJECTIONS
from tests.api.imports.shared import ROOT, shared
from tests.api.imports.test_cfpb import HEADER, ROW


class Shell:
    """A data folder, and casecore at work in it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environ = kept | {
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "CASECORE_DATA_DIR": str(data_dir),
            "COLUMNS": "100",
        }

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "api", *words],
            env=self.environ | environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str, exits: int = 0, **environ: str) -> tuple[str, str]:
        process = self.start(*words, **environ)
        told, complaint = process.communicate(timeout=120)
        assert process.returncode == exits, (told, complaint)
        assert "Traceback" not in complaint
        return told, complaint

    def json(self, *words: str, exits: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", exits=exits)[0])


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One whose PostgreSQL runs already: the commands join it, which is quicker."""
    shell = Shell(tmp_path_factory.mktemp("desk") / "var")
    with embedded.start(shell.data_dir):
        yield shell


COMMANDS = (
    *("audit", "bi", "demo", "history", "import", "keys", "migrate", "policy", "projections"),
    *("replay", "serve", "sla", "work"),
)


def test_help_names_every_command(shell: Shell) -> None:
    told, _ = shell.run("--help")
    for command in COMMANDS:
        assert command in told
    assert "Exit codes" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(shell: Shell, command: str) -> None:
    assert "Usage: casecore" in shell.run(command, "--help")[0]


def test_help_is_at_hand_without_loading_what_it_does_not_need(shell: Shell) -> None:
    seen = "import sys; import api.__main__; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", seen], env=shell.environ, text=True, capture_output=True, check=True
    ).stdout.split()
    assert not {"asyncpg", "litestar", "uvicorn", "asyncio", "casecore.core"} & {*loaded}


def test_what_is_not_understood_exits_with_2(shell: Shell) -> None:
    assert "No such command" in shell.run("dance", exits=2)[1]
    assert "--format" in shell.run("import", "README.md", exits=2)[1]
    assert "does not exist" in shell.run("import", "--format", "cfpb", "nowhere", exits=2)[1]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PORT", "http", "│ PORT is 'http', and should be a number"),
        ("CASECORE_PORT", "70000", "a number from 0 to 65535"),
        ("CASECORE_LEDGER", "Big Ledger", "small letters"),
        ("CASECORE_DATABASE_URL", "mysql://x", "postgresql://"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    shell: Shell, name: str, value: str, told: str
) -> None:
    assert told in " ".join(shell.run("migrate", exits=2, **{name: value})[1].split())


def test_a_database_that_is_not_there_is_a_sentence(shell: Shell) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    _, complaint = shell.run("migrate", exits=1, CASECORE_DATABASE_URL=url)
    assert complaint.startswith("casecore: ")
    assert len(complaint.splitlines()) == 1


@pytest.mark.parametrize("url", ["postgresql://h:port/d", "postgresql://[::1", "postgres://%zz@/"])
def test_a_database_url_that_cannot_be_read_is_a_sentence(shell: Shell, url: str) -> None:
    _, complaint = shell.run("migrate", exits=1, CASECORE_DATABASE_URL=url)
    assert complaint.startswith("casecore: ")
    assert "CASECORE_DATABASE_URL" in complaint


def test_a_data_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "long" * 70, "latin-\udce9"):
        _, complaint = Shell(tmp_path / name).run("migrate", exits=1)
        assert complaint.startswith("casecore: ")
        assert "CASECORE_DATA_DIR" in complaint


@pytest.mark.parametrize(
    "command",
    [
        ("bi", "export", "--out", "out"),
        ("audit", "checkpoint"),
        ("history", "C-0"),
        ("keys", "list"),
        ("policy", "show"),
        ("projections", "status"),
    ],
)
def test_who_only_reads_makes_no_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    var = tmp_path / "var"
    _, complaint = Shell(var).run(*command, exits=1)
    assert complaint.startswith(f"casecore: there is no casecore in {var}: ")
    assert not var.exists()


def test_a_report_that_cannot_be_written_is_refused_before_anything_comes_in(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "complaints.csv"
    file.write_text(HEADER + ROW.replace("7523056", "99"))
    words = ("import", "--format", "cfpb", str(file))
    report = str(tmp_path / "nowhere" / "report.json")
    assert "--report" in shell.run(*words, "--report", report, exits=2)[1]
    assert shell.json(*words)["new"] == 1


def test_complaints_come_in_and_can_be_read(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "complaints.csv"
    file.write_text(HEADER + ROW)
    told, _ = shell.run("import", "--format", "cfpb", str(file))
    assert told == "1 cases came in with 7 events; 0 were there already\n"
    again = shell.json("import", "--format", "cfpb", str(file))
    assert (again["new"], again["there"], again["events"]) == (0, 1, 0)

    [listed] = [event for event in history(shell, file) if event["type"] == "CaseRegistered"]
    ref = listed["sentence"]
    assert "import:cfpb" in ref


def history(shell: Shell, file: Path) -> Any:
    from api.imports import cfpb
    from api.imports.plan import Plan

    with file.open("rb") as opened:
        [plan] = cfpb.plans(opened)
    assert isinstance(plan, Plan)
    return shell.json("history", str(plan.case_id))


def test_a_bad_row_exits_with_1_and_names_line_column_and_why(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    report = tmp_path / "report.json"
    file.write_text(HEADER + ROW.replace("7523056", "1") + ROW.replace("2023-08-25", "soon"))
    words = ("import", "--format", "cfpb", "--report", str(report), str(file))
    told, complaint = shell.run(*words, exits=1)
    assert told.startswith("1 cases came in")
    assert "line 4, Date received: 'soon' is not a date like 2023-08-25" in complaint
    assert "--on-error skip" in complaint
    kept = json.loads(report.read_text())
    assert kept["reasons"][0]["column"] == "Date received"
    assert kept["stopped"]


def test_processes_share_a_file_and_each_case_comes_in_once(shell: Shell) -> None:
    words = ("import", "--format", "cfpb", str(shared("cfpb-complaints.csv")))
    ledger = ("--ledger", "shared-out")
    told = shell.json(*words, "--jobs", "3", *ledger)
    assert (told["new"], told["there"], told["bad"]) == (2067, 0, 0)
    again = shell.json(*words, "--jobs", "2", *ledger)
    assert (again["new"], again["there"]) == (0, 2067)


def test_what_one_process_finds_stops_the_others_and_is_told_once(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(HEADER + ROW.replace("7523056", "91") + "too,short\n" + ROW + ROW[:50])
    words = ("import", "--format", "cfpb", str(file), "--jobs", "2", "--ledger", "together")
    told = shell.json(*words, exits=1)
    assert told["bad"] == 1
    assert told["stopped"]
    skipping = shell.json(*words, "--on-error", "skip", exits=1)
    assert skipping["bad"] == 2
    assert skipping["new"] + skipping["there"] == 2


def test_a_packed_file_is_told_to_be_unpacked(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "complaints.csv.gz"
    file.write_bytes(gzip.compress((HEADER + ROW).encode()))
    words = ("import", "--format", "cfpb", str(file))
    assert "cfpb takes plain CSV" in shell.run(*words, exits=1)[1]


def test_a_rehearsal_writes_nothing(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "rehearsed.csv"
    file.write_text(HEADER + ROW.replace("7523056", "77"))
    told, _ = shell.run("import", "--dry-run", "--format", "cfpb", str(file))
    assert told == "1 cases would be asked for; nothing was written\n"
    assert shell.json("import", "--format", "cfpb", str(file))["new"] == 1


def test_a_log_comes_in_by_its_mapping(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("CaseID,ActivityID,CompleteTimestamp\n2,1,2012-04-03 16:55:38\n")
    words = ("import", "--format", "csv", str(file), "--mapping", "helpdesk")
    columns = ("--case", "CaseID", "--activity", "ActivityID", "--time", "CompleteTimestamp")
    assert "say with --mapping" in shell.run(*words[:4], exits=2)[1]
    assert "--case, --activity and --time" in shell.run(*words, exits=2)[1]
    assert "is no time zone" in shell.run(*words, *columns, "--zone", "Mars", exits=2)[1]
    told = shell.json(*words, *columns, "--zone", "Europe/Rome")
    assert (told["new"], told["events"]) == (1, 2)


def test_an_activity_that_is_not_mapped_stops_the_import(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("c,a,t\n3,99,2012-04-03T16:55:38Z\n")
    words = ("import", "--format", "csv", str(file), "--mapping", "helpdesk")
    columns = ("--case", "c", "--activity", "a", "--time", "t")
    assert "--unmapped note" in shell.run(*words, *columns, exits=1)[1]
    assert shell.json(*words, *columns, "--unmapped", "note")["new"] == 1


def test_a_day_is_played_once_and_its_cases_can_be_read(shell: Shell) -> None:
    words = ("demo", "--day", "2025-11-03", "--cases", "6")
    played = shell.json(*words)
    assert played["events"] > 6
    assert shell.json(*words)["events"] == 0
    assert "nothing was added" in shell.run(*words)[0]
    case = played["cases"][0]
    by_ref = shell.json("history", case["case_ref"].lower())
    assert by_ref == shell.json("history", case["case_id"])
    assert by_ref[0]["type"] == "CaseRegistered"
    told, _ = shell.run("history", case["case_ref"])
    assert len(told.splitlines()) == len(by_ref)
    assert told.startswith("   1  2025-11-03 ")


def test_a_case_that_is_not_there_exits_with_1(shell: Shell) -> None:
    assert "no case C-0000-0000-0000" in shell.run("history", "C-0000-0000-0000", exits=1)[1]


def test_keys_are_made_listed_and_revoked(shell: Shell) -> None:
    made = shell.json("keys", "create", "--actor", "ada", "--role", "agent", "--name", "laptop")
    [listed] = [key for key in shell.json("keys", "list") if key["id"] == made["id"]]
    assert (listed["actor"], listed["role"], listed["name"]) == ("ada", "agent", "laptop")
    told, _ = shell.run("keys", "list")
    assert told.split()[:6] == ["id", "role", "actor", "ledger", "key", "name"]
    assert made["key"] not in told
    shell.run("keys", "revoke", made["id"])
    assert "revoked" in shell.run("keys", "list")[0]
    assert "system" in shell.run("keys", "create", "--actor", "x", "--role", "system", exits=2)[1]


def test_a_list_without_keys_says_so(tmp_path: Path) -> None:
    empty = Shell(tmp_path / "var")
    with embedded.start(empty.data_dir):
        assert "there are no keys" in empty.run("keys", "list")[0]


def test_a_key_is_for_an_actor_and_a_ledger_that_could_be(shell: Shell) -> None:
    words = ("keys", "create", "--role", "agent", "--actor")
    for actor in ("", "ada byron", "a" * 101, "ada\n"):
        assert "an actor is letters" in shell.run(*words, actor, exits=2)[1]
    for ledger in ("", "Big Ledger", "main\n"):
        assert "small letters" in shell.run(*words, "ada", "--ledger", ledger, exits=2)[1]


def test_a_ledger_that_a_key_makes_is_said_to_be_new(shell: Shell) -> None:
    words = ("keys", "create", "--role", "agent", "--actor", "ada", "--ledger", "brand-new")
    told, said = shell.run(*words)
    assert told.startswith("cck_")
    assert said == "ledger brand-new is new\n"
    assert shell.run(*words)[1] == ""


def test_a_policy_is_published_once_and_shown(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("[limits.agent]\npercent_bp = 500\n")
    ledger = ("--ledger", "policies")
    shell.run("keys", "create", "--actor", "boss", "--role", "admin", *ledger)
    assert "casecore policy publish" in shell.run("policy", "show", *ledger, exits=1)[1]
    assert "version 1 takes effect" in shell.run("policy", "publish", str(file), *ledger)[0]
    assert "in force already" in shell.run("policy", "publish", str(file), *ledger)[0]
    assert "5 %" in shell.run("policy", "show", *ledger)[0]
    file.write_text("[limits.agent]\npercent_bp = 'much'\n")
    assert "percent_bp" in shell.run("policy", "publish", str(file), *ledger, exits=1)[1]
    for neither in ("", "[calendar.desk]\nzone = 'UTC'\n"):
        file.write_text(neither)
        _, complaint = shell.run("policy", "publish", str(file), *ledger, exits=1)
        assert "holds no policy" in complaint
        assert "[calendars.NAME]" in complaint
    file.write_text("[calendar.desk")
    assert "cannot be read" in shell.run("policy", "publish", str(file), *ledger, exits=1)[1]
    assert "no ordinary file" in shell.run("policy", "publish", "/dev/zero", exits=2)[1]
    file.write_bytes(b"#" * ((1 << 20) + 1))
    assert "is over 1 MiB" in shell.run("policy", "publish", str(file), exits=1)[1]


def test_read_models_tell_where_they_stand_and_are_made_anew(shell: Shell) -> None:
    rebuilt = shell.json("projections", "rebuild", "cases")["cases"]
    assert rebuilt["rows"] == rebuilt["rows_before"] >= 1
    assert rebuilt["same"]
    back = shell.run("projections", "rollback", "cases")[0]
    assert f"generation {rebuilt['generation'] - 1} serves" in back
    assert len(shell.json("projections", "rebuild", "--all")) > 5
    assert "--all" in shell.run("projections", "rebuild", exits=2)[1]
    assert shell.run("projections", "parked")[0] == "nothing is parked\n"
    assert shell.run("projections", "replay-parked", "cases")[0] == "nothing is parked\n"
    [cases] = [one for one in shell.json("projections", "status") if one["name"] == "cases"]
    assert (cases["lag"], cases["error"]) == (0, None)
    assert "there are cases, " in shell.run("projections", "rebuild", "nothing", exits=1)[1]


async def test_what_somebody_else_makes_anew_keeps_no_other_read_model(shell: Shell) -> None:
    shell.run("projections", "rebuild", "cases")
    with embedded.start(shell.data_dir) as postgres:
        pool = await connect(postgres.url)
    async with pool, alone(pool, "cases"):
        words = ("projections", "rebuild", "--all")
        told, complaint = await asyncio.to_thread(shell.run, *words, exits=1)
        done = await asyncio.to_thread(shell.json, *words, exits=1)
        _, one = await asyncio.to_thread(shell.run, "projections", "rebuild", "cases", exits=1)
    others = {projection.NAME for projection in PROJECTIONS} - {"cases"}
    assert {line.split(":")[0] for line in told.splitlines()} == done.keys() == others
    assert complaint == one == "casecore: cases is being rebuilt already\n"


def test_what_bi_reads_is_written_to_files_as_of_one_position(shell: Shell, tmp_path: Path) -> None:
    day = ("--day", "2025-06-03", "--cases", "5", "--ledger", "bi")
    shell.run("demo", *day)
    out = tmp_path / "out"
    export = ("bi", "export", "--out", str(out), "--ledger", "bi")
    told, _ = shell.run(*export)
    assert "5  " in told
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert told.splitlines()[-1] == f"as of position {manifest['position']:,} of ledger bi"
    _, complaint = shell.run(*export, exits=1)
    assert "--force" in complaint
    again = json.loads(shell.run(*export, "--force", "--format", "csv", "--json")[0])
    assert (again["position"], again["format"]) == (manifest["position"], "csv")
    assert len((out / "case_fact.csv").read_text().splitlines()) == 6
    _, complaint = shell.run(*export[:-1], "nowhere", exits=1)
    assert "there is no ledger nowhere" in complaint


def test_rows_are_written_as_they_were(shell: Shell, tmp_path: Path) -> None:
    now, before = tmp_path / "now.csv", tmp_path / "before.parquet"
    head = shell.json("projections", "status")[0]["head"]
    written = shell.json(
        "projections", "as-of", "cases", "--position", str(head), "--out", str(now)
    )
    with now.open(newline="") as file:
        assert (written["position"], written["rows"]) == (head, len([*csv.DictReader(file)]))
    options = ("--time", "1990-01-01", "--format", "parquet", "--out", str(before))
    assert shell.json("projections", "as-of", "timeline", *options) == {"position": 0, "rows": 0}
    assert before.read_bytes().startswith(b"PAR1")
    again = ("projections", "as-of", "cases", "--position", "1", "--out", str(now))
    assert "--force" in shell.run(*again, exits=2)[1]
    beyond = ("projections", "as-of", "cases", "--position", str(head + 1), "--out", "x.csv")
    assert f"has come to position {head}" in shell.run(*beyond, exits=1)[1]
    nowhere = tmp_path / "not there" / "cases.csv"
    unwritable = ("projections", "as-of", "cases", "--position", "1", "--out", str(nowhere))
    _, complaint = shell.run(*unwritable, exits=1)
    assert f"cannot write {nowhere}: No such file or directory" in complaint


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "var")
    serving = shell.start("serve", "--port", "0", PYTHONUNBUFFERED="1")
    assert serving.stdout is not None
    key_line, address = serving.stdout.readline().strip(), serving.stdout.readline().strip()
    try:
        key_file = shell.data_dir / "admin.key"
        assert str(key_file) in key_line
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        with urllib.request.urlopen(f"{address}/v1/health/ready") as answer:
            assert answer.status == 200
        request = urllib.request.Request(
            f"{address}/v1/cases",
            headers={"Authorization": f"Bearer {key_file.read_text().strip()}"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        assert "already serves" in shell.run("serve", "--port", "0", exits=1)[1]
        joined, _ = shell.run("policy", "show")
    finally:
        serving.send_signal(signal.SIGTERM)
        _, complaint = serving.communicate(timeout=60)
    assert serving.returncode == 0, complaint
    assert "version 1, in force since" in joined
    assert shell.run("policy", "show")[0] == joined, "it was not started for its own time"


def test_it_goes_on_serving_when_its_postgresql_was_killed(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "var")
    serving = shell.start("serve", "--port", "0", PYTHONUNBUFFERED="1")
    assert serving.stdout is not None
    assert serving.stderr is not None
    _, address = serving.stdout.readline(), serving.stdout.readline().strip()
    try:
        postmaster = int((shell.data_dir / "pg" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        while "starting it again" not in serving.stderr.readline():
            assert serving.poll() is None
        key = (shell.data_dir / "admin.key").read_text().strip()
        registered = urllib.request.Request(
            f"{address}/v1/cases",
            json.dumps({"channel": "phone", "customer": {"ref": "ada"}, "reason": "Late"}).encode(),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        assert answered(registered) == 201
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=60)
    assert serving.returncode == 0


def answered(request: urllib.request.Request) -> int:
    """What it is answered, once the database is back."""
    while True:
        try:
            with urllib.request.urlopen(request) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(0.05)


def test_sla_policies_are_published_from_a_file_or_a_pack_and_shown(
    shell: Shell, tmp_path: Path
) -> None:
    ledger = ("--ledger", "slas")
    assert "give a FILE, or --pack" in shell.run("policy", "publish", exits=2)[1]
    _, complaint = shell.run("policy", "publish", "--pack", "moon", *ledger, exits=2)
    assert "us_cfpb" in complaint
    told, _ = shell.run("policy", "publish", "--pack", "desk", *ledger)
    assert "calendar desk: version 1 is published" in told
    assert "SLA policy desk: version 1 takes effect" in told
    assert "in force already" in shell.run("policy", "publish", "--pack", "desk", *ledger)[0]
    shown, _ = shell.run("sla", "show", *ledger)
    assert "desk  version 1, rank 100" in shown
    assert "acknowledgement" in shown
    assert shell.json("sla", "show", *ledger)[0]["policy_id"] == "desk"
    file = tmp_path / "sla.toml"
    file.write_text('[policies.mine]\nrank = 7\ncalendar = "desk"\n')
    _, complaint = shell.run("policy", "publish", str(file), *ledger, exits=1)
    assert "policies.mine" in complaint
    assert "targets" in complaint
    file.write_text(
        pack("desk").replace("}, { seconds_left = 3_600 }", "}, { seconds_left = 288_001 }")
    )
    _, complaint = shell.run("policy", "publish", str(file), *ledger, exits=1)
    assert "make it 288000 or less, or a percent" in complaint
    bare = ("--ledger", "bare")
    shell.run("keys", "create", "--actor", "boss", "--role", "admin", *bare)
    assert "policy publish --pack desk" in shell.run("sla", "show", *bare, exits=1)[1]


def test_whoever_reads_makes_no_ledger_of_a_mistyped_name(shell: Shell) -> None:
    shell.run("migrate")
    shell.run("import", "--format", "cfpb", "--ledger", "known", os.devnull, exits=1)
    _, complaint = shell.run("policy", "show", "--ledger", "knwon", exits=1)
    assert "there is no ledger knwon" in complaint
    assert "known" in complaint.partition("there is no ledger knwon")[2]
    _, again = shell.run("projections", "status", "--ledger", "knwon", exits=1)
    assert "there is no ledger knwon" in again


def test_a_data_folder_that_is_a_file_is_a_sentence(shell: Shell, server: str) -> None:
    folder = shell.data_dir.parent / "no-folder"
    folder.write_text("")
    given = {"CASECORE_DATA_DIR": str(folder), "CASECORE_DATABASE_URL": server}
    _, complaint = shell.run("serve", "--port", "0", exits=1, **given)
    assert f"{folder} cannot be the folder" in complaint


def test_an_address_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _, complaint = Shell(tmp_path / "var").run("serve", "--port", port, exits=1)
    assert complaint.count("127.0.0.1") == 1
    assert f"cannot listen on 127.0.0.1 port {port} (Address already in use): give" in complaint


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.7", "x" * 70])
def test_a_host_that_is_not_here_is_blamed_on_the_host(host: str) -> None:
    with pytest.raises(Unavailable, match="CASECORE_HOST") as refused:
        listen(host, 8000)
    assert "PORT=" not in str(refused.value)
    assert str(refused.value).count(host) == 1


def test_whoever_watches_sees_a_bar(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "watched.csv"
    file.write_text(HEADER + ROW.replace("7523056", "88"))
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "api", "import", "--format", "cfpb", str(file), "--json"]
    environ = shell.environ | {"TERM": "xterm"}
    told = subprocess.run(words, env=environ, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    assert json.loads(told.stdout)["new"] == 1
    assert b"1 cases, 7 events" in shown_on(ours)


def shown_on(terminal: int) -> bytes:
    """All that was written to a terminal that nobody writes to any more."""
    shown = b""
    with open(terminal, "rb", buffering=0) as opened, suppress(OSError):  # its end, on Linux
        while part := opened.read(65_536):
            shown += part
    return shown


async def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = shared("cfpb-complaints.csv")
    shell = Shell(tmp_path / "var")
    with embedded.start(shell.data_dir) as postgres:
        shell.run("migrate")
        killed = shell.start("import", "--format", "cfpb", str(path))
        db = await asyncpg.connect(postgres.url)
        while not await db.fetchval("SELECT sum(last_position) > 300 FROM es.ledger"):
            assert killed.poll() is None
            await asyncio.sleep(0.005)
        killed.kill()
        killed.communicate()
        cases = await db.fetchval("SELECT count(DISTINCT stream_id) FROM es.event")
        assert 0 < cases < 2067

        resumed = shell.json("import", "--format", "cfpb", str(path))
        assert resumed["new"] + resumed["there"] == 2067
        assert resumed["there"] >= cases
        whole = shell.json("import", "--format", "cfpb", str(path), "--ledger", "whole")
        assert whole["new"] == 2067
        of = "SELECT stream_id, version, type, data FROM es.event e JOIN es.ledger l USING (ledger)"
        in_order = " WHERE l.name = $1 ORDER BY stream_id, version"
        both = [await db.fetch(of + in_order, ledger) for ledger in ("main", "whole")]
        assert both[0] == both[1]
        await db.close()
