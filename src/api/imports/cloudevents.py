"""A ledger that was exported as CloudEvents, a line each, back into an empty one."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from itertools import islice
from typing import Any

import msgspec

from api.cloudevents import from_cloudevent, to_cloudevent
from api.imports.xes import GZIP
from casecore.database import Pool
from casecore.errors import Malformed, Rejected
from casecore.ledger import Row
from casecore.restoring import Wrong, restore

LINES_AT_ONCE = 2_000
LINE_BYTES_MAX = 64 << 20


async def restored(
    pool: Pool,
    ledger: str,
    file: BufferedReader,
    moved: Callable[[int], None],
    *,
    keep: bool = True,
) -> int:
    """All of it, or nothing; the first line that is wrong is named."""
    try:
        return await restore(pool, ledger, batches(ledger, file), moved, keep=keep)
    except Wrong as wrong:
        raise Rejected(
            "line-wrong", f"line {wrong.number}: {wrong}; nothing was brought in"
        ) from None


def batches(ledger: str, file: BufferedReader) -> Iterator[list[Row]]:
    rows = (row_of(ledger, number, line) for number, line in enumerate(lines(file), 1))
    while batch := list(islice(rows, LINES_AT_ONCE)):
        yield batch


def lines(file: BufferedReader) -> Iterator[bytes]:
    source = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(GZIP) else file
    try:
        while line := source.readline(LINE_BYTES_MAX):
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Malformed(
            "file-cut-off", f"the file cannot be unpacked to its end: {error}"
        ) from None


def row_of(ledger: str, number: int, line: bytes) -> Row:
    try:
        told, row = from_cloudevent(line)
    except ValueError as error:
        raise Wrong(number, f"it tells no event: {error}") from None
    if told != ledger:
        raise Rejected(
            "other-ledger",
            f"line {number} is of ledger {told}, and the name of a ledger is in all its hashes:"
            f" restore it under that name, with --ledger {told}",
        )
    refuse_contradiction(number, line, to_cloudevent(ledger, row))
    return row


def refuse_contradiction(number: int, line: bytes, retold: bytes) -> None:
    """Who and when are in a line twice: as they are hashed, and for whoever reads it."""
    if line.rstrip(b"\r\n") == retold:
        return
    given: dict[str, Any] = msgspec.json.decode(line)
    for name, value in msgspec.json.decode(retold).items():
        if given.get(name) != value:
            raise Wrong(number, f"its {name} does not go with the rest of it")
