"""The real files, where they are given."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def shared(name: str) -> Path:
    """A file of ../shared/data; a test that needs it is skipped only where nobody said it is."""
    given = os.environ.get("CASECORE_SHARED")
    path = Path(given or ROOT.parent / "shared") / "data" / name
    if not path.exists() and given is None:
        pytest.skip(f"{path} is not there; CASECORE_SHARED says where else it is")
    return path
