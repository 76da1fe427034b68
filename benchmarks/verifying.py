"""Verifying: how fast a whole ledger is hashed again and held against its tree, by one process."""

from benchmarks.ledgers import LEDGER, Bench
from benchmarks.measuring import Compared, Target
from casecore.proof.notes import SealingKey, origin
from casecore.proof.sealing import ProofSettings, Sealing
from casecore.verifying.whole import Asked, verify

EVENTS_A_SECOND = Target("at least", 100_000)


async def verifies(bench: Bench) -> list[Compared]:
    """With all of it sealed, every checkpoint and its signature; PostgreSQL's part is in it."""
    desk, events = bench.desk, await bench.events()
    folder = bench.folder / f"verified-{events}"
    given = ProofSettings(folder / "sealing.key", (folder / "checkpoints",))
    asked = Asked(None)
    if await desk.sealed.latest() is None:
        await Sealing(desk.sealed, desk.appender, given).seal_now()
        asked = Asked(SealingKey.read(given.key).verifier(origin(LEDGER)))
    rates = []
    for _ in range(bench.pace.rounds):
        report = await verify(bench.url, desk.pool, desk.id, LEDGER, asked)
        assert report.findings == ()
        rates.append(report.events / report.seconds)
    what = "verifying everything by one process, events"
    return [Compared(what, events, "/s", rates, target=EVENTS_A_SECOND)]
