"""What only the account that runs casecore may read."""

import os
from pathlib import Path


def drafted(path: Path, content: bytes) -> Path:
    """The content beside its path, on the disk: to be put in place whole, or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft
