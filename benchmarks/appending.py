"""Appends: many callers at once, and one alone."""

import asyncio
from datetime import UTC, datetime
from statistics import median
from time import perf_counter
from uuid import uuid4

import uuid_utils.compat as uuids

from api.desk import Desk
from benchmarks.ledgers import SUPERVISOR, Bench
from benchmarks.measuring import Compared, Target, in_turns
from benchmarks.peers import (
    BARE,
    PGBENCH_CLIENTS,
    SAME_ROW,
    STOCK_THREADS,
    PgBench,
    Stock,
    keep_as_many_in_stock,
)
from casecore.case.decisions.contact import RecordProgressUpdate
from casecore.case.events.contact import ProgressUpdateSent
from casecore.case.events.intake import CaseRegistered, Customer
from casecore.core import Key
from casecore.integrity import first_head
from casecore.ledger import Request, Write
from casecore.recording import Meta, encode, seal

CALLERS = 256
STREAK = 50
"""How many lone appends follow one another before it is the other's turn."""
PGBENCH_A_SECOND = 12_000
"""About what it comes to: it is told how many to make, as its clock knows whole seconds only."""

UPDATE = RecordProgressUpdate(text="The depot was asked again, and will call back by noon.")

BEGUN = CaseRegistered(
    case_ref="C-0000-0000-0000",
    channel="phone",
    received_at=datetime(2026, 11, 2, 9, 15, tzinfo=UTC),
    customer=Customer(ref="cust-42", name="Ada Byron"),
    reason="Three weeks late and nobody calls back",
    queue="complaints",
    priority="normal",
)


class Stream:
    """A stream, its next append at a time: what a caller of the append knows and works out."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger
        self.id = uuids.uuid7()
        self.version = 0
        self.head = first_head(ledger, self.id)

    def next(self) -> Request:
        """One event, with its idempotency key, its hash and the head it leads to."""
        key = Key.of(SUPERVISOR, str(uuid4()), self.id, [UPDATE])
        at = datetime.now(UTC)
        event = ProgressUpdateSent("phone", UPDATE.text, sent_at=at) if self.version else BEGUN
        meta = encode(Meta(at, SUPERVISOR))
        sealed = seal(
            self.ledger, self.id, self.version + 1, self.head, key.command_id, meta, event
        )
        write = Write(self.id, self.version, self.head, [sealed])
        self.version += 1
        self.head = sealed.head
        return Request(key.command_id, key.fingerprint, [write])


def an_event() -> tuple[bytes, bytes]:
    """The meta and the data of the event that everyone writes."""
    stream = Stream("main")
    stream.next()
    (write,) = stream.next().writes
    (sealed,) = write.events
    return sealed.meta, sealed.data


async def appends(bench: Bench) -> list[Compared]:
    events = await bench.events()
    meta, data = an_event()
    pgbench = PgBench(bench.pg, bench.url, bench.folder, meta, data)
    transactions = max(1, int(PGBENCH_A_SECOND * bench.pace.seconds) // PGBENCH_CLIENTS)
    with Stock(bench.url, meta + data) as stock:
        await keep_as_many_in_stock(bench.url, "public.stored_events")
        figures = await in_turns(
            bench.pace.rounds,
            ours=lambda: appends_a_second(bench.desk, bench.pace.seconds),
            stock=lambda: stock.appends_a_second(bench.pace.seconds),
            pgbench=lambda: pgbench.inserts_a_second(transactions),
        )
    what = f"appends, {CALLERS} callers, with idempotency, hash and head"
    ours = figures["ours"]
    return [
        Compared(
            what,
            events,
            "/s",
            ours,
            f"stock eventsourcing recorder, {STOCK_THREADS} threads",
            figures["stock"],
            Target("at least", 15),
        ),
        Compared(
            what,
            events,
            "/s",
            ours,
            f"pgbench, one insert a commit, {PGBENCH_CLIENTS} clients",
            figures["pgbench"],
            Target("at least", 1.2),
        ),
    ]


async def appends_a_second(desk: Desk, seconds: float) -> float:
    began = perf_counter()

    async def call() -> int:
        stream = Stream(desk.ledger)
        while perf_counter() < began + seconds:
            await desk.appender.append(stream.next())
        return stream.version

    written = sum(await asyncio.gather(*(call() for _ in range(CALLERS))))
    return written / (perf_counter() - began)


async def lone_append(bench: Bench) -> list[Compared]:
    """One caller, who waits for each append; the others' turns lie between."""
    events = await bench.events()
    stream, other = Stream(bench.desk.ledger), Stream(bench.desk.ledger)
    rounds = [await lone_round(bench, stream, other) for _ in range(bench.pace.rounds)]
    ours, bare, same = (list(figures) for figures in zip(*rounds, strict=True))
    what = "one caller, append p50"
    return [
        Compared(what, events, "ms", ours, "a bare INSERT, p50", bare, Target("at most", 1.5)),
        Compared(what, events, "ms", ours, "INSERT of the same row, same indexes, p50", same),
    ]


async def lone_round(bench: Bench, stream: Stream, other: Stream) -> tuple[float, float, float]:
    """The medians, in milliseconds, from what is to be written to its being written."""
    meta, data = an_event()
    ours: list[float] = []
    bare: list[float] = []
    same: list[float] = []
    async with bench.desks.pool.acquire() as connection:
        insert = await connection.prepare(BARE)
        insert_same = await connection.prepare(SAME_ROW)
        for _ in range(bench.pace.singles // STREAK):
            for request in [stream.next() for _ in range(STREAK)]:
                began = perf_counter()
                await bench.desk.appender.append(request)
                ours.append(perf_counter() - began)
            for version in range(STREAK):
                began = perf_counter()
                await insert.fetch(stream.id, version, "ProgressUpdateSent", meta, data)
                bare.append(perf_counter() - began)
            for request in [other.next() for _ in range(STREAK)]:
                [(id, version, _, [event])] = request.writes
                began = perf_counter()
                await insert_same.fetch(
                    *(bench.desk.id, version + 1, version + 1, id, request.command_id),
                    *(event.type, event.data_hash, event.head, event.meta, event.data),
                )
                same.append(perf_counter() - began)
    return 1000 * median(ours), 1000 * median(bare), 1000 * median(same)
