"""The ledger itself, a CloudEvent a line in its order: complete, so that it can be restored."""

from collections.abc import AsyncGenerator

from api.cloudevents import to_cloudevent
from api.exports.selecting import Progress, Selection
from casecore.clockset.state import clockset_id
from casecore.errors import Rejected
from casecore.ledger import Row
from casecore.recorder import Recorder
from casecore.surveying import histories

ROWS_AT_ONCE = 1_000


async def lines(
    recorder: Recorder, selection: Selection, upto: int, progress: Progress
) -> AsyncGenerator[str]:
    refuse_content(selection)
    async for rows in batches(recorder, selection, upto):
        yield "".join(to_cloudevent(recorder.ledger, row).decode() + "\n" for row in rows)
        progress.events += len(rows)
        progress.reach(rows[-1].position)


async def batches(recorder: Recorder, selection: Selection, upto: int) -> AsyncGenerator[list[Row]]:
    if selection.case_ids:
        streams = [*selection.case_ids, *map(clockset_id, selection.case_ids)]
        if rows := await histories(recorder, streams, None, upto):
            yield rows
        return
    after = 0
    while rows := await recorder.read(after, ROWS_AT_ONCE, upto):
        yield rows
        after = rows[-1].position


def refuse_content(selection: Selection) -> None:
    """Which events are about a product, say, is not told by an event, but by its case."""
    if names := selection.by_content:
        raise Rejected(
            "not-by-content",
            "this is the ledger in its order, whole or of single cases: leave out"
            f" {' and '.join(names)}, or take another format",
            field=names[0],
        )
