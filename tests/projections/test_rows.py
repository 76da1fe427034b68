"""Of all read models: however their rows come about, they are the same."""

from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casecore.database import Pool
from casecore.following import Feed, Projection, read, rebuild
from casecore.recorder import Recorder
from casecore.recording import Recorded
from casecore.tables import columns, row_of
from projections import PROJECTIONS
from tests.projections.histories import Told, histories
from tests.telling import Telling

Rows = dict[str, dict[tuple[Any, ...], Any]]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(), data=st.data())
async def test_rows_are_the_same_live_rebuilt_raced_for_and_one_event_at_a_time(
    pool: Pool, history: list[Told], data: st.DataObject
) -> None:
    telling = await Telling.into(pool, f"ledger {uuid4()}")
    recorder = telling.recorder
    feeds = [Feed(pool, recorder, PROJECTIONS) for _ in range(2)]
    await feeds[1].start()
    try:
        while history:
            cut = data.draw(st.integers(1, len(history)))
            for stream_id, event, by, at in history[:cut]:
                await telling.tell(stream_id, event, by=by, at=at)
            history = history[cut:]
            await feeds[0].catch_up()
        await feeds[1].reached(await recorder.head(), 20)
    finally:
        await feeds[1].close()

    expected = folded(await all_of(recorder))
    assert await stored(pool, recorder) == expected
    for projection in PROJECTIONS:
        await rebuild(pool, recorder, projection)
    assert await stored(pool, recorder) == expected


async def all_of(recorder: Recorder) -> list[Recorded]:
    news: list[Recorded] = []
    while more := await read(recorder, len(news)):
        news += more
    return news


def folded(news: list[Recorded]) -> Rows:
    """The rows, one event after the other, in memory."""
    rows: Rows = {projection.NAME: {} for projection in PROJECTIONS}
    for recorded in news:
        for projection in PROJECTIONS:
            if type(recorded.event) in projection.READS:
                table = rows[projection.NAME]
                for key in projection.keys(recorded):
                    table[key] = projection.fold(key, table.get(key), recorded)
                    assert key_of(projection, table[key]) == key
    return rows


async def stored(pool: Pool, recorder: Recorder) -> Rows:
    rows: Rows = {}
    for projection in PROJECTIONS:
        found = await pool.fetch(
            f"SELECT {columns(projection.ROW)} FROM ops.{projection.NAME} WHERE ledger = $1",
            recorder.id,
        )
        made = [row_of(projection.ROW, record) for record in found]
        rows[projection.NAME] = {key_of(projection, row): row for row in made}
    return rows


def key_of(projection: Projection, row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in projection.KEY)
