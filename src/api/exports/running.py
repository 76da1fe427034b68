"""Runs an export: a stream of bytes, however long the ledger is."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple

from api.exports import cloudevents, csv_log, ocel_log, xes
from api.exports.selecting import Progress, Selection, selected
from casecore.recorder import Recorder
from casecore.surveying import Life

CHUNK = 1 << 16
GZIP = 31
"""What zlib calls the format of gzip. Its header bears no time: the same comes out the same."""

Stream = Callable[[Recorder, Selection, int, Progress], AsyncGenerator[bytes]]
Texts = Callable[[Recorder, Selection, int, Progress], AsyncGenerator[str]]
Document = Callable[[str, int, AsyncGenerator[Life]], AsyncGenerator[str]]


class Format(NamedTuple):
    name: str
    extension: str
    media_type: str
    stream: Stream
    needs_disk: bool = False


def of_cases(document: Document) -> Texts:
    """A format that tells case after case."""

    def texts(
        recorder: Recorder, selection: Selection, upto: int, progress: Progress
    ) -> AsyncGenerator[str]:
        return document(recorder.ledger, upto, selected(recorder, selection, upto, progress))

    return texts


def of_text(texts: Texts) -> Stream:
    """In pieces of a size that is worth sending; between two of them, others have their turn."""

    async def chunks(
        recorder: Recorder, selection: Selection, upto: int, progress: Progress
    ) -> AsyncGenerator[bytes]:
        parts: list[str] = []
        size = 0
        async with aclosing(texts(recorder, selection, upto, progress)) as telling:
            async for text in telling:
                parts.append(text)
                size += len(text)
                if size >= CHUNK:
                    yield "".join(parts).encode()
                    parts.clear()
                    size = 0
                    await asyncio.sleep(0)
        yield "".join(parts).encode()

    return chunks


async def gzipped(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    packing = zlib.compressobj(wbits=GZIP)
    async with aclosing(chunks):
        async for chunk in chunks:
            if packed := packing.compress(chunk):
                yield packed
    yield packing.flush()


FORMATS = {
    format.name: format
    for format in (
        Format("xes", "xes", "application/xml", of_text(of_cases(xes.document))),
        Format("ocel-json", "jsonocel", "application/json", of_text(ocel_log.json), True),
        Format("ocel-sqlite", "sqlite", "application/vnd.sqlite3", ocel_log.sqlite, True),
        Format("cloudevents", "jsonl", "application/x-ndjson", of_text(cloudevents.lines)),
        Format("csv", "csv", "text/csv; charset=utf-8", of_text(of_cases(csv_log.document))),
    )
}


def file_name(ledger: str, format: Format, upto: int, *, gzip: bool) -> str:
    return f"casecore-{ledger}-{upto}.{format.extension}{'.gz' if gzip else ''}"
