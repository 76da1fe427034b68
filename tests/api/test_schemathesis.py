"""What the OpenAPI document says is true of the server, for whatever its schemas can generate."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig

from api.openapi import document
from tests.api.making import PROMISE, REGISTER
from tests.conftest import named, run

EXAMPLES_MAX = 3
"""Per operation; there are more than a hundred."""
COMMANDS_TRIED = 3
STOPPING_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 30

CONFIG = {
    # A NUL fits every schema and no database: test_hostile.py shows how it is refused.
    "generation": {"allow-x00": False},
    "checks": {
        # A position that has not come yet may be asked for, and is waited for in vain.
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
        "positive_data_acceptance": {
            # No schema knows the rules, nor which version or queue there is.
            "expected-statuses": ["2xx", "401", "403", "404", "409", "412", "422"]
        },
    },
}


class Served(NamedTuple):
    url: str
    session: requests.Session
    headers: dict[str, str]
    case_id: str


@pytest.fixture(scope="module")
def served(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """casecore as its command line runs it, with one case in a database of its own."""
    database = f"casecore_{uuid4().hex[:12]}"
    asyncio.run(run(server, f"CREATE DATABASE {database}"))
    data_dir: Path = tmp_path_factory.mktemp("served")
    environ = os.environ | {
        "CASECORE_DATABASE_URL": named(server, database),
        "CASECORE_DATA_DIR": str(data_dir),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "api", "serve", "--port", "0"],
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            url = next(line.strip() for line in process.stdout if line.startswith("http"))
            key = (data_dir / "admin.key").read_text().strip()
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=url, headers=headers) as client:
                case = client.post("/v1/cases", json=REGISTER).headers["Location"]
                client.post(f"{case}/promises", json=PROMISE)
            with requests.Session() as session:
                session.trust_env = False
                yield Served(url, session, headers, case.rpartition("/")[2])
        finally:
            process.terminate()
            process.wait(STOPPING_SECONDS_MAX)
    asyncio.run(run(server, f"DROP DATABASE {database} WITH (FORCE)"))


def documented() -> dict[str, Any]:
    """The document, in which a conversation is of a few commands: each is tried at its own path."""
    read: dict[str, Any] = json.loads(document())
    for name in ("Conversation", "Beginning"):
        items = read["components"]["schemas"][name]["properties"]["commands"]["items"]
        del items["discriminator"], items["oneOf"][COMMANDS_TRIED:]
    return read


openapi = schemathesis.openapi.from_dict(documented(), config=SchemathesisConfig.from_dict(CONFIG))


@openapi.parametrize()
@settings(
    max_examples=EXAMPLES_MAX,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_server_is_as_it_is_documented(case: Case, served: Served) -> None:
    assert case.meta is not None
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        if "case_id" in case.path_parameters:
            case.path_parameters["case_id"] = served.case_id
        # Only a page that was read tells the one after it, and only a command its position.
        case.query.pop("after", None)
        case.query.pop("min_position", None)
        # Beside an example it sends one that does not fit the pattern.
        case.headers.pop("If-Match", None)
    case.call_and_validate(
        base_url=served.url,
        session=served.session,
        headers=served.headers,
        timeout=REQUEST_SECONDS_MAX,
    )
