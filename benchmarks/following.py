"""Read models: how soon an event shows in them, how fast they catch up, and how fast anew."""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from uuid import UUID

from api.desk import Desk, Desks
from api.garbage import look_seldom
from benchmarks.ledgers import EVENTS_PER_CASE, LEDGER, SUPERVISOR, Bench, fill
from benchmarks.measuring import Compared, Target
from benchmarks.peer_projection import followed_a_second
from casecore.actors import Actor, Role
from casecore.case.decisions.contact import RecordProgressUpdate
from casecore.case.state import Case
from casecore.database import Pool, ledger_id, ledgers
from casecore.following.feed import Feed
from casecore.following.generations import drop, of_ledger
from casecore.following.projection import Projection, shapes
from casecore.following.rebuilding import rebuild
from casecore.recorder import Recorder
from casecore.sla.files import pack, read_book
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from projections import PROJECTIONS, cases

CLOCKED = "clocked"
CLOCKED_EVENTS = 20_000
SMALL = 100_000
"""What a ledger of a million is compared with: its own first events."""
EVENTS_A_SECOND = 50
BUSY_EVENTS_A_SECOND = 1_000
BUSY_CASES = 200
STOCK_EVENTS = 4_000
LOOK_SECONDS = 0.001
VISIBLE_SECONDS_MAX = 30.0

REBUILD = """
import sys, uvloop
from pathlib import Path
from api.desk import Desks
from api.garbage import look_seldom
from casecore.following.rebuilding import rebuild
from projections import cases
async def main():
    look_seldom()
    async with Desks.open(sys.argv[1], following=False) as desks:
        desk = await desks.desk("main")
        await rebuild(desks.pool, desk.recorder, cases)
    # Not what getrusage says: that begins with what the process was that started this one.
    [most] = [line for line in Path("/proc/self/status").open() if line.startswith("VmHWM")]
    print(int(most.split()[1]) / 1024)
uvloop.run(main())
"""


async def follow(bench: Bench) -> list[Compared]:
    look_seldom()  # As every process does that follows.
    desk, pool = bench.desk, bench.desks.pool
    events = await desk.recorder.head()
    clocked = await caught_up_with_policies(bench)
    one, growth = await caught_up(pool, desk.recorder, [cases])
    together, _ = await caught_up(pool, desk.recorder, PROJECTIONS)
    rebuilt = await rebuild(pool, desk.recorder, cases)
    stock = await asyncio.to_thread(followed_a_second, bench.url, min(STOCK_EVENTS, events))
    rates = [
        row(f"catching up, {len(PROJECTIONS)} read models, events", events, together, 20_000),
        Compared(
            f"catching up, {len(PROJECTIONS)} read models, with SLA policies in force, events",
            *(CLOCKED_EVENTS, "/s", [clocked]),
        ),
        row("catching up, one read model (cases), events", events, one, 60_000),
        Compared(
            "catching up, one read model (cases), events",
            *(events, "/s", [one]),
            peer="eventsourcing ProjectionRunner, a row a case",
            theirs=[stock],
            target=Target("at least", 20),
        ),
        row(
            "rebuilding one read model (cases), events",
            events,
            rebuilt.events / rebuilt.seconds,
            60_000,
        ),
        Compared(
            "rebuilding one read model (cases), memory of its process",
            *(events, "MB", [await memory(bench)]),
            target=Target("at most", 300),
        ),
    ]
    if growth:
        first, last = growth
        rates.append(
            Compared(
                f"catching up, one read model (cases), the last {SMALL:,} events",
                *(events, "/s", [last]),
                peer=f"the first {SMALL:,}",
                theirs=[first],
                target=Target("at least", 0.8),
            )
        )
    async with Desks.open(bench.url) as desks:
        following = await desks.desk(LEDGER)
        await following.feed.reached(events, VISIBLE_SECONDS_MAX)
        return [
            *rates,
            *await delays(bench, following, "to who looks", looked),
            *await delays(bench, following, "to who asks for its position", asked),
            *await busy(bench, following),
        ]


def row(what: str, events: int, rate: float, at_least: float) -> Compared:
    return Compared(what, events, "/s", [rate], target=Target("at least", at_least))


async def caught_up_with_policies(bench: Bench) -> float:
    """The same in a ledger whose cases have clocks."""
    desk = await bench.desks.desk(CLOCKED)
    policies = read_book(pack("desk"))
    await desk.core.execute(SlaBook, SLA_BOOK_ID, *policies, by=Actor("bench", Role.ADMIN))
    await fill(desk, CLOCKED_EVENTS)
    rate, _ = await caught_up(bench.desks.pool, desk.recorder, PROJECTIONS)
    return rate


async def caught_up(
    pool: Pool, recorder: Recorder, projections: Sequence[Projection]
) -> tuple[float, tuple[float, float] | None]:
    """How many events a second they take in from the beginning, and at first and at last."""
    await forget(pool)
    events = await recorder.head()
    feed = Feed(pool, recorder, projections)
    began = perf_counter()
    if events < 2 * SMALL:
        await feed.catch_up()
        return events / (perf_counter() - began), None
    await feed.catch_up(SMALL)
    first = perf_counter()
    await feed.catch_up(events - SMALL)
    rest = perf_counter()
    await feed.catch_up()
    ended = perf_counter()
    return events / (ended - began), (SMALL / (first - began), SMALL / (ended - rest))


async def forget(pool: Pool) -> None:
    """Drop all read models of all ledgers, so that they begin anew."""
    known = {projection.NAME: projection for projection in PROJECTIONS}
    async with pool.acquire() as db, db.transaction():
        for shape in {shape for one in PROJECTIONS for shape in shapes(one)}:
            await shape.drop(db)
        for name in await ledgers(pool):
            for generation in await of_ledger(pool, await ledger_id(pool, name)):
                await drop(db, known[generation.name], [generation])


async def memory(bench: Bench) -> float:
    """The most that a process took which rebuilt a read model."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", REBUILD, bench.url), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    return float(told)


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


async def busy(bench: Bench, desk: Desk) -> list[Compared]:
    """The delay to who looks, while so much is appended."""
    events = await bench.events()
    case_ids = await fill(desk, EVENTS_PER_CASE * BUSY_CASES)
    p50, p99 = [], []
    for _ in range(bench.pace.rounds):
        took: list[float] = []
        unseen: deque[tuple[int, float]] = deque()
        began, number = perf_counter(), 0
        async with asyncio.TaskGroup() as writers:
            while (passed := perf_counter() - began) < bench.pace.seconds or unseen:
                while passed < bench.pace.seconds and number < passed * BUSY_EVENTS_A_SECOND:
                    case_id = case_ids[number % len(case_ids)]
                    writers.create_task(noted(desk, case_id, number, unseen))
                    number += 1
                await asyncio.sleep(LOOK_SECONDS)
                while unseen and unseen[0][0] <= desk.feed.position:
                    took.append(1000 * (perf_counter() - unseen.popleft()[1]))
        took.sort()
        p50.append(took[len(took) // 2])
        p99.append(took[len(took) * 99 // 100])
    what = f"from an append to its event in every read model, at {BUSY_EVENTS_A_SECOND:,} a second"
    return [
        Compared(f"{what}, p50", events, "ms", p50),
        Compared(f"{what}, p99", events, "ms", p99, target=Target("at most", 50)),
    ]


async def noted(desk: Desk, case_id: UUID, number: int, unseen: deque[tuple[int, float]]) -> None:
    update = RecordProgressUpdate(text=f"The depot was asked, and said {number}.")
    written = await desk.core.execute(Case, case_id, update, by=SUPERVISOR)
    unseen.append((written.position, perf_counter()))
