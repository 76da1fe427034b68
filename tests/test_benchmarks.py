"""`make bench` runs: what it measures is for its reader to judge."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 300

ROWS = (
    "appends, 256 callers, with idempotency, hash and head | stock eventsourcing recorder",
    "appends, 256 callers, with idempotency, hash and head | pgbench",
    "one caller, append p50 | a bare INSERT",
    "one caller, append p50 | INSERT of the same row",
    "HTTP command, case of 20 events, 32 connections | Litestar route",
    "HTTP command, case of 20 events, 32 connections | stock eventsourcing Application",
    "import of 1,000 CFPB rows, events | ",
    "import of 1,000 CFPB rows, events | COPY of the same rows, with the same indexes",
    "GET /v1/cases/{id}, 300 events, p50, 1 connection | an empty Litestar route",
    "GET /v1/cases/{id}, 300 events, p50, 32 connections | an empty Litestar route",
    "GET /v1/cases/{id}, 300 events, p50, 32 connections, by a person, which is noted | the same",
    "catching up, 9 read models, events | ",
    "catching up, 9 read models, with SLA policies in force, events | ",
    "rebuilding one read model (cases), events | ",
    "from a command to its event in every read model, to who looks, p50 | ",
    "1,000 who listen, memory while idle | ",
    "cases registered beside 1,000 who listen and do not read | the same with nobody listening",
    "1,000 who listen, from a command to the last of them | ",
    "sealing what is there, events | ",
    "from an event to its checkpoint, at 10,000 events/s, p99 | ",
    "one caller, append p50, while it is sealed | the same, and nothing seals",
    "appends, 256 callers, while it is sealed | the same, and nothing seals",
    "verifying everything, events a core | ",
)


def test_a_quick_bench_measures_every_row_at_both_sizes(tmp_path: Path) -> None:
    results = tmp_path / "results.md"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--results", results, "--folder", tmp_path],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"src{os.pathsep}."},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    told = results.read_text()
    assert told.strip() in ran.stdout
    for row in ROWS:
        what, peer = row.split(" | ")
        line = rf"^\| {re.escape(what)} \| [\d,]+ \| [\d.,]+ .*?\| {re.escape(peer)}"
        assert len(re.findall(line, told, re.MULTILINE)) >= 2, what
    for what in (
        "due instant: 4 open hours",
        "folding 1,000 cases with 5 clocks each, events",
        "a tree of 10,000 leaves",
    ):
        assert told.count(f"\n| {what} | ") == 1
    assert "- fsync = on\n" in told
    assert "- synchronous_commit = on\n" in told
