"""Verifying: how fast a whole ledger is hashed again and held against its tree and checkpoints."""

from pathlib import Path
from time import process_time

from benchmarks.ledgers import LEDGER, Bench
from benchmarks.measuring import Compared, Target
from casecore.proof.notes import SealingKey, origin
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.verifying.whole import Asked, verify

EVENTS_A_SECOND = Target("at least", 100_000)
TICKS_A_SECOND = 100.0
"""In which Linux tells of the time that processes took."""


async def verifies(bench: Bench) -> list[Compared]:
    """By processor time, ours and PostgreSQL's together: so it is what one core does."""
    desk, events = bench.desk, await bench.events()
    folder = bench.folder / f"verified-{events}"
    given = ProofSettings(folder / "sealing.key", (folder / "checkpoints",))
    asked = Asked(None)
    if await desk.sealed.latest() is None:
        await Sealing(desk.sealed, desk.appender, given).seal_now()
        asked = Asked(SealingKey.read(given.key).verifier(origin(LEDGER)))
    rates = []
    for _ in range(bench.pace.rounds):
        began = process_time() + await servers_time(bench)
        report = await verify(bench.url, desk.pool, desk.id, LEDGER, asked)
        took = process_time() + await servers_time(bench) - began
        assert report.findings == ()
        rates.append(report.events / took)
    what = "verifying everything, events a core"
    return [Compared(what, events, "/s", rates, target=EVENTS_A_SECOND)]


async def servers_time(bench: Bench) -> float:
    """How many seconds of a processor PostgreSQL has spent on our connections."""
    rows = await bench.desk.pool.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid > 0"
    )
    return sum(spent(row["pid"]) for row in rows) / TICKS_A_SECOND


def spent(pid: int) -> int:
    """In ticks, by itself and in the system for it."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(told[11]) + int(told[12])
