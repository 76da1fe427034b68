"""Sealing: how fast a tree grows, how soon an event is sealed, and what that costs an append."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import urandom
from statistics import median
from time import perf_counter, process_time

from benchmarks.appending import CALLERS, Stream, appends_a_second
from benchmarks.ledgers import Bench
from benchmarks.measuring import Compared, Pace, Side, Target, in_turns
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.proof.tree import Edge, leaf_hashes

LEAVES_A_CASE = 10
"""Of the pace's cases that are folded: thorough, it comes to a million leaves."""
ENTRY_BYTES = 80
MILLISECONDS_PER_MILLION = 2_000

EVENTS_A_SECOND = 10_000
TICK_SECONDS = 0.01
AT_ONCE = int(EVENTS_A_SECOND * TICK_SECONDS)
SEALED_SECONDS_MAX = 60.0
TURNS = 4
"""How many in each round: a difference of a few in a hundred does not show in a few."""

UNSEALED = "the same, and nothing seals"


def grows(pace: Pace) -> list[Compared]:
    """Processor time of one core, from what the leaves are hashes of to the root."""
    leaves = pace.folded_cases * LEAVES_A_CASE
    entries = [urandom(ENTRY_BYTES) for _ in range(leaves)]
    began = process_time()
    edge, _ = Edge().grow(leaf_hashes(entries))
    edge.root()
    took = 1000 * (process_time() - began)
    target = Target("at most", MILLISECONDS_PER_MILLION * leaves / 1_000_000)
    return [Compared(f"a tree of {leaves:,} leaves", 0, "ms", [took], target=target)]


async def seals(bench: Bench) -> list[Compared]:
    events = await bench.events()
    given = ProofSettings(bench.folder / "sealing.key", (bench.folder / "checkpoints",))
    sealing = Sealing(bench.desk.sealed, bench.desk.appender, given)
    await appends_a_second(bench.desk, bench.pace.seconds)
    sealed, began = await bench.desk.sealed.size(), perf_counter()
    await sealing.seal_now()
    rate = (await bench.desk.sealed.size() - sealed) / (perf_counter() - began)
    p50: list[float] = []
    p99: list[float] = []
    bench.desk.appender.on_appended.append(sealing.wake)
    for _ in range(bench.pace.rounds):
        after = await bench.desk.recorder.head()
        async with running(bench, sealing):
            await write(bench, bench.pace.seconds)
            await until_sealed(bench)
        for lags, part in ((p50, 0.5), (p99, 0.99)):
            lags.append(await lag(bench, after, part))

    many = await with_and_without(
        bench, sealing, lambda: appends_a_second(bench.desk, bench.pace.seconds)
    )
    one = await with_and_without(bench, sealing, lambda: append_p50(bench))
    bench.desk.appender.on_appended.remove(sealing.wake)
    what = f"from an event to its checkpoint, at {EVENTS_A_SECOND:,} events/s"
    return [
        Compared("sealing what is there, events", events, "/s", [rate]),
        Compared(f"{what}, p50", events, "ms", p50),
        Compared(f"{what}, p99", events, "ms", p99, target=Target("at most", 1_000)),
        Compared(
            "one caller, append p50, while it is sealed",
            events,
            "ms",
            one["sealed"],
            UNSEALED,
            one["unsealed"],
            Target("at most", 1.05),
        ),
        Compared(
            f"appends, {CALLERS} callers, while it is sealed",
            events,
            "/s",
            many["sealed"],
            UNSEALED,
            many["unsealed"],
            Target("at least", 1 / 1.05),
        ),
    ]


async def with_and_without(bench: Bench, sealing: Sealing, side: Side) -> dict[str, list[float]]:
    async def sealed() -> float:
        async with running(bench, sealing):
            await until_sealed(bench)  # What the other wrote in its turn.
            return await side()

    return await in_turns(TURNS * bench.pace.rounds, sealed=sealed, unsealed=side)


async def append_p50(bench: Bench) -> float:
    stream, took = Stream(bench.desk.ledger), []
    for request in [stream.next() for _ in range(bench.pace.singles)]:
        began = perf_counter()
        await bench.desk.appender.append(request)
        took.append(1000 * (perf_counter() - began))
    return median(took)


@asynccontextmanager
async def running(bench: Bench, sealing: Sealing) -> AsyncIterator[None]:
    sealing.start(bench.url)
    try:
        yield
    finally:
        await sealing.close()


async def write(bench: Bench, seconds: float) -> None:
    """So many events a second, each a request of its own."""
    streams = [Stream(bench.desk.ledger) for _ in range(AT_ONCE)]
    began = perf_counter()
    for tick in range(int(seconds / TICK_SECONDS)):
        await asyncio.sleep(began + tick * TICK_SECONDS - perf_counter())
        await asyncio.gather(*(bench.desk.appender.append(stream.next()) for stream in streams))


async def until_sealed(bench: Bench) -> None:
    head = await bench.desk.recorder.head()
    async with asyncio.timeout(SEALED_SECONDS_MAX):
        while await bench.desk.sealed.size() < head:  # noqa: ASYNC110, nothing tells it
            await asyncio.sleep(TICK_SECONDS)


async def lag(bench: Bench, after: int, part: float) -> float:
    """How many milliseconds after they were recorded so many of the events were sealed."""
    milliseconds: float = await bench.desks.pool.fetchval(
        """
        SELECT percentile_cont($3) WITHIN GROUP
               (ORDER BY extract(epoch FROM under.sealed_at - e.recorded_at) * 1000)
        FROM es.event e CROSS JOIN LATERAL (
            SELECT sealed_at FROM proof.checkpoint c
            WHERE c.ledger = e.ledger AND c.size >= e.position ORDER BY c.size LIMIT 1
        ) AS under
        WHERE e.ledger = $1 AND e.position > $2
        """,
        *(bench.desk.id, after, part),
    )
    return float(milliseconds)
