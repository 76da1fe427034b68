"""An export, all of it at once."""

from collections.abc import AsyncIterator
from typing import Any

from api.exports import running
from api.exports.selecting import Progress, Selection, position_of
from casecore.recorder import Recorder


async def exported(recorder: Recorder, format: str, **selection: Any) -> bytes:
    selected = Selection(**selection)
    upto = await position_of(recorder, selected)
    return await whole(running.FORMATS[format].stream(recorder, selected, upto, Progress()))


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])
