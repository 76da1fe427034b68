"""Of all read models: however their rows come about, they are the same."""

from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from casecore.bookkeeping import Bookkeeper
from casecore.database import Pool
from casecore.following.feed import Feed, read
from casecore.following.past import Past
from casecore.following.projection import Reckoned, shapes
from casecore.following.rebuilding import rebuild
from casecore.recorder import Recorder
from casecore.recording import Recorded
from casecore.sla.cycle import next_alarm, view
from casecore.sla.events import SlaEvent
from casecore.tables import Shape, columns, columns_of
from projections import PROJECTIONS
from tests.projections.histories import Told, histories
from tests.telling import Telling

SOON = 60.0
"""Seconds that what is expected may take before a test gives up."""

Rows = dict[str, dict[tuple[Any, ...], Any]]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(), data=st.data())
async def test_rows_are_the_same_live_rebuilt_shared_out_in_the_past_and_one_event_at_a_time(
    pool: Pool, history: list[Told], data: st.DataObject
) -> None:
    telling = await Telling.into(pool, f"ledger {uuid4()}")
    recorder = telling.recorder
    shards = data.draw(st.integers(1, 3))
    feeds = [Feed(pool, recorder, PROJECTIONS, shards=shards) for _ in range(2)]
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

    news = await all_of(recorder)
    expected = folded(news)
    assert await stored(pool, recorder.id) == expected
    for projection in PROJECTIONS:
        assert (await rebuild(pool, recorder, projection)).same
    assert await stored(pool, recorder.id) == expected
    await refute_clocks(recorder, expected["sla_clocks"])

    position = data.draw(st.integers(0, len(news)))
    past = Past(pool, recorder, PROJECTIONS)
    ledger = await past.at(position, [projection.NAME for projection in PROJECTIONS], SOON)
    assert await stored(pool, ledger) == folded(news[:position])
    assert await stored(pool, recorder.id) == expected


async def refute_clocks(recorder: Recorder, rows: dict[tuple[Any, ...], Any]) -> None:
    """Every cycle that is reckoned from the ledger is there as its view has it, and no other."""
    reckoned = {}
    for case_id in {case_id for case_id, _, _ in rows}:
        clocks, book = await Bookkeeper(recorder).clocks(case_id)
        for cycle in clocks.cycles:
            reckoned[case_id, cycle.clock_id, cycle.cycle] = (
                asdict(view(cycle, book)),
                next_alarm(cycle, book),
                clocks.attributes.queue,
                clocks.attributes.product,
            )
    assert rows.keys() == reckoned.keys()
    for key, (seen, alarm, queue, product) in reckoned.items():
        row = rows[key]
        assert asdict(row) | seen == asdict(row)
        assert (row.queue, row.product) == (queue, product)
        assert (row.next_alarm_at, row.next_alarm) == (alarm or (None, None))


async def all_of(recorder: Recorder) -> list[Recorded]:
    news: list[Recorded] = []
    while more := await read(recorder, len(news)):
        news += more
    return news


def folded(news: list[Recorded]) -> Rows:
    """The rows, one event after the other, in memory."""
    rows: Rows = {shape.name: {} for projection in PROJECTIONS for shape in shapes(projection)}
    for projection in PROJECTIONS:
        folded, *shown = shapes(projection)
        table = rows[folded.name]
        learned = projection.REFERENCE.begin() if isinstance(projection, Reckoned) else None
        for recorded in news:
            if learned is not None and isinstance(recorded.event, SlaEvent):
                learned.learn(recorded.event, recorded.position)
            if type(recorded.event) in projection.READS:
                for key in projection.keys(recorded):
                    beside = [learned] if learned else []
                    row = projection.fold(key, table.pop(key, None), recorded, *beside)
                    if row is not None:
                        assert key_of(folded, row) == key
                        table[key] = row
        if isinstance(projection, Reckoned):
            for key in table:
                table[key], details = projection.settled(None, table[key], learned)
                rows[shown[0].name] |= {key_of(shown[0], detail): detail for detail in details}
    return rows


async def stored(pool: Pool, ledger: int) -> Rows:
    rows: Rows = {}
    for projection in PROJECTIONS:
        for shape in shapes(projection):
            found = await pool.fetch(
                f"SELECT {columns(shape.row)} FROM {shape.table} WHERE ledger = $1", ledger
            )
            made = [row_of(shape, record) for record in found]
            rows[shape.name] = {key_of(shape, row): row for row in made}
    return rows


def row_of(shape: Shape, record: Any) -> Any:
    """By name: some rows are shown only, and never read to be folded on."""
    described = columns_of(shape.row)
    read = {c.name: c.read(record[c.name]) for c in described if c.read and record[c.name]}
    return shape.row(**dict(record) | read)


def key_of(shape: Shape, row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in shape.key)
