"""What docs/proof.md says to type works as it is written there."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
SEALED_SECONDS_MAX = 20


@pytest.mark.skipif(
    not shutil.which("curl") or not shutil.which("openssl"), reason="needs curl and openssl"
)
def test_an_event_is_verified_by_hand_as_written(tmp_path: Path) -> None:
    var = tmp_path / "var"
    environ = os.environ | {
        "CASECORE_DATA_DIR": str(var),
        "PYTHONPATH": f"{ROOT}/src:{ROOT}",
        "PYTHONUNBUFFERED": "1",
    }
    told = (ROOT / "docs" / "proof.md").read_text()
    walk = told[told.index("```sh\nget()") + 6 : told.index("```\n<!-- /walk -->")]
    command = [sys.executable, "-m", "api", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        server.stdout.readline()
        address = urlsplit(server.stdout.readline().strip())
        kept = var / "checkpoints" / "main" / "latest.note"
        give_up = time.monotonic() + SEALED_SECONDS_MAX
        while not kept.exists() and time.monotonic() < give_up:
            time.sleep(0.1)
        key = (var / "admin.key").read_text().strip()
        done = subprocess.run(
            ["bash", "-euc", walk],
            cwd=tmp_path,
            env=environ | {"URL": f"http://127.0.0.1:{address.port}", "KEY": key},
            text=True,
            capture_output=True,
        )
        server.send_signal(signal.SIGTERM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "event 1 is under the checkpoint of 1",
        "Signature Verified Successfully",
    ]


def test_an_auditor_replays_verifies_and_takes_away_a_case_as_written(tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    casecore = binaries / "casecore"
    casecore.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m api "$@"\n')
    casecore.chmod(0o755)
    environ = os.environ | {
        "CASECORE_DATA_DIR": str(tmp_path / "var"),
        "PATH": f"{binaries}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}/src:{ROOT}",
    }

    def run(script: str, **more: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env=environ | more,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    played = run("casecore demo --day 2026-11-02 --cases 2; casecore audit checkpoint --seal")
    case = next(word for word in played.split() if word.startswith("C-"))
    told = (ROOT / "docs" / "audit.md").read_text()
    walk = told[told.index("```sh\n") + 6 : told.index("```\n<!-- /walk -->")]
    # A day that is over was not known then: all of it is recorded today.
    walk = walk.replace("--as-of 2026-11-02", "--as-of 2100-01-01")
    said = run(walk, CASE=case)
    assert said.count("nothing is wrong") == 3
    assert said.endswith("ALL IS RIGHT\n")
