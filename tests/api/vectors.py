"""Inputs from outside that break naive code, where they are at hand."""

import json
import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("CASECORE_SHARED", Path(__file__).parents[2].parent / "shared"))
VECTORS = FOLDER / "vectors"

needs_vectors = pytest.mark.skipif(
    "CASECORE_SHARED" not in os.environ and not VECTORS.is_dir(),
    reason=f"no vectors in {VECTORS}; CASECORE_SHARED says where they are",
)


def json_texts() -> dict[str, bytes]:
    """By name: y_* is JSON, n_* is not, and of i_* opinions differ."""
    return {path.stem: path.read_bytes() for path in sorted((VECTORS / "json-parsing").iterdir())}


def naughty_strings() -> list[str]:
    strings: list[str] = json.loads((VECTORS / "naughty-strings.json").read_text("utf-8"))
    return strings
