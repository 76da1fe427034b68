"""The walk in README.md works as it is written there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the environment says while casecore serves a folder of its own."""
    environ = os.environ | {
        "CASECORE_DATA_DIR": str(tmp_path / "var"),
        "PYTHONPATH": f"{README.parent}/src:{README.parent}",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "api", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        server.stdout.readline()
        address = server.stdout.readline().strip()
        yield environ | {"PORT": str(urlsplit(address).port)}
        server.send_signal(signal.SIGTERM)


def test_the_walk_works_as_written(served: dict[str, str]) -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    readme = README.read_text()
    walk = readme[readme.index("```sh\n") + 6 : readme.index("```\n<!-- /walk -->")]
    done = subprocess.run(
        ["sh", "-e"], input=walk, env=served, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    *commands, history, third, cases, queues, promises, solutions, goodwill = answers
    assert [answer["version"] for answer in commands] == sorted(a["version"] for a in commands)
    assert history["items"][-1]["type"] == "CaseClosed"
    assert (third["version"], third["stage"]) == (3, "registered")
    assert [case["stage"] for case in cases["items"]] == ["closed"]
    assert queues["items"] == []
    assert [promise["promise_id"] for promise in promises["items"]] == ["p1"]
    assert "proposer/customer" in {entry["entry"] for entry in solutions["items"]}
    assert [offer["state"] for offer in goodwill["items"]] == ["accepted"]
