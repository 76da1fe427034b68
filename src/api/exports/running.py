"""Runs an export: a stream of bytes, however long the ledger is."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from api.exports import cloudevents, xes
from api.exports.selecting import Progress, Selection, selected
from casecore.recorder import Recorder

CHUNK = 1 << 16
GZIP = 31
"""What zlib calls the format of gzip. Its header bears no time: the same comes out the same."""

Stream = Callable[[Recorder, Selection, int, Progress], AsyncIterator[bytes]]


class Format(NamedTuple):
    name: str
    extension: str
    media_type: str
    stream: Stream


def log(
    recorder: Recorder, selection: Selection, upto: int, progress: Progress
) -> AsyncIterator[bytes]:
    cases = selected(recorder, selection, upto, progress)
    return chunked(xes.document(recorder.ledger, upto, cases))


def ledger(
    recorder: Recorder, selection: Selection, upto: int, progress: Progress
) -> AsyncIterator[bytes]:
    cloudevents.refuse_content(selection)
    return chunked(cloudevents.lines(recorder, selection, upto, progress))


async def chunked(texts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """In pieces of a size that is worth sending; between two of them, others have their turn."""
    parts: list[str] = []
    size = 0
    async for text in texts:
        parts.append(text)
        size += len(text)
        if size >= CHUNK:
            yield "".join(parts).encode()
            parts.clear()
            size = 0
            await asyncio.sleep(0)
    yield "".join(parts).encode()


async def gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packing = zlib.compressobj(wbits=GZIP)
    async for chunk in chunks:
        if packed := packing.compress(chunk):
            yield packed
    yield packing.flush()


FORMATS = {
    format.name: format
    for format in (
        Format("xes", "xes", "application/xml", log),
        Format("cloudevents", "jsonl", "application/x-ndjson", ledger),
    )
}


def file_name(ledger: str, format: Format, upto: int, *, gzip: bool) -> str:
    return f"casecore-{ledger}-{upto}.{format.extension}{'.gz' if gzip else ''}"
