"""Read models: how soon an event shows in them, how fast they catch up, and how fast anew."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from api.desk import Desk, Desks
from benchmarks.ledgers import EVENTS_PER_CASE, LEDGER, SUPERVISOR, Bench, fill
from benchmarks.measuring import Compared
from casecore.case.decisions.contact import RecordProgressUpdate
from casecore.case.state import Case
from casecore.following.rebuilding import rebuild
from projections import PROJECTIONS, cases

EVENTS_A_SECOND = 50
REBUILT_EVENTS_MAX = 100_000
"""With more, it would take a minute of the ten."""
LOOK_SECONDS = 0.001
VISIBLE_SECONDS_MAX = 30.0


async def follow(bench: Bench) -> list[Compared]:
    desk = bench.desk
    events = await desk.recorder.head()
    began = perf_counter()
    await desk.feed.catch_up()
    caught_up = events / (perf_counter() - began)
    rates = [
        Compared(f"catching up, {len(PROJECTIONS)} read models, events", events, "/s", [caught_up])
    ]
    if events <= REBUILT_EVENTS_MAX:
        rebuilt = await rebuild(bench.desks.pool, desk.recorder, cases)
        rate = rebuilt.events / rebuilt.seconds
        rates.append(Compared("rebuilding one read model (cases), events", events, "/s", [rate]))
    async with Desks.open(bench.url) as desks:
        following = await desks.desk(LEDGER)
        await following.feed.reached(events, VISIBLE_SECONDS_MAX)
        return [
            *rates,
            *await delays(bench, following, "to who looks", looked),
            *await delays(bench, following, "to who asks for its position", asked),
        ]


async def delays(
    bench: Bench, desk: Desk, whom: str, seen: Callable[[Desk, int], Awaitable[None]]
) -> list[Compared]:
    events = await bench.events()
    (case_id,) = await fill(desk, EVENTS_PER_CASE)
    p50, p99 = [], []
    for _ in range(bench.pace.rounds):
        took = []
        for number in range(int(EVENTS_A_SECOND * bench.pace.seconds)):
            update = RecordProgressUpdate(text=f"The depot was asked, and said {number}.")
            began = perf_counter()
            written = await desk.core.execute(Case, case_id, update, by=SUPERVISOR)
            await seen(desk, written.position)
            took.append(1000 * (perf_counter() - began))
            await asyncio.sleep(1 / EVENTS_A_SECOND)
        took.sort()
        p50.append(took[len(took) // 2])
        p99.append(took[len(took) * 99 // 100])
    what = f"from a command to its event in every read model, {whom}"
    return [
        Compared(f"{what}, {share}", events, "ms", figures)
        for share, figures in (("p50", p50), ("p99", p99))
    ]


async def looked(desk: Desk, position: int) -> None:
    async with asyncio.timeout(VISIBLE_SECONDS_MAX):
        while desk.feed.position < position:  # noqa: ASYNC110 (as one who is not told)
            await asyncio.sleep(LOOK_SECONDS)


async def asked(desk: Desk, position: int) -> None:
    await desk.feed.reached(position, VISIBLE_SECONDS_MAX)
