"""The codes that the documentation lists are those that can be answered."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from inspect import getfile
from pathlib import Path

from api.errors import CODES as FOUND_BY_THE_FRAMEWORK
from api.errors import STATUS, STATUS_OF_CODE
from api.problems import CODES
from api.routes import TABLES

SRC = Path(__file__).parents[2] / "src"
COMMANDS = {row.command for table in TABLES for row in table.rows}
ANSWERING = (
    *{Path(getfile(command)) for command in COMMANDS},
    SRC / "casecore" / "case" / "decisions" / "base.py",
    *(
        SRC / "casecore" / f"{name}.py"
        for name in ("core", "appender", "ledger", "recorder", "recording")
    ),
    *SRC.glob("api/*.py"),
    *SRC.glob("api/exports/*.py"),
    SRC / "api" / "evidence" / "bundle.py",
    SRC / "casecore" / "clockset" / "decisions.py",
    *(SRC / "casecore" / "sla" / f"{name}.py" for name in ("decisions", "reckoning", "supposing")),
    *(SRC / "casecore" / "clocks" / f"{name}.py" for name in ("clock", "openings", "targets")),
    SRC / "casecore" / "following" / "past.py",
    SRC / "casecore" / "surveying.py",
    SRC / "casecore" / "proof" / "sealed.py",
    *(SRC.parent / "projections" / f"{name}.py" for name in ("case_file", "replay")),
)
STATUS_BY_NAME = {error.__name__: status for error, status in STATUS.items()}
ELSEWHERE = {
    (503, "projection-lagging"),
    *((503, code) for code in ("ledger-rolled-back", "ledger-forked", "checkpoint-untrusted")),
    (500, "internal-error"),
    *((status, code) for code, status in STATUS_OF_CODE.items()),
    *FOUND_BY_THE_FRAMEWORK.items(),
}
AT_THE_COMMAND_LINE = {"actor-alike", "setting-invalid", "policy-unreadable", "address-unavailable"}
NEVER_AT_THE_DOOR = {"wrong-case"}
"""The door names the stream of the case's own clocks."""


def test_every_code_that_is_raised_is_listed_under_its_status() -> None:
    raised = defaultdict(set)
    for path in ANSWERING:
        for status, code in codes_in(ast.parse(path.read_text("utf-8"))):
            raised[status].add(code)
    for status, code in ELSEWHERE:
        raised[status].add(code)
    raised[400] -= STATUS_OF_CODE.keys()
    listed = {status: set(codes) for status, codes in CODES.items()}
    elsewhere = AT_THE_COMMAND_LINE | NEVER_AT_THE_DOOR
    assert listed == {status: codes - elsewhere for status, codes in raised.items()}


def codes_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not call.args:
            continue
        if call.func.id in ("found", "refuse_unknown") and isinstance(
            field := call.args[-1], ast.Constant
        ):
            noun = str(field.value).removesuffix("s").removesuffix("_id").split("_")[-1]
            yield 404, f"{noun}-not-found"
        if call.func.id in STATUS_BY_NAME and isinstance(code := call.args[0], ast.Constant):
            yield STATUS_BY_NAME[call.func.id], str(code.value)
