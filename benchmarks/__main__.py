"""casecore beside its peers, in one run: `python -m benchmarks`, or `make bench`."""

import argparse
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter

import uvloop

from benchmarks import (
    appending,
    asking,
    clocks,
    feeding,
    folding,
    following,
    importing,
    report,
    sealing,
    verifying,
)
from benchmarks.ledgers import Bench
from benchmarks.measuring import QUICK, THOROUGH, Compared, Pace
from casecore import embedded
from casecore.embedded import Embedded

RESULTS = Path(__file__).with_name("results.md")
EVENTS = (10_000, 1_000_000)
QUICK_EVENTS = (1_000, 5_000)

# First the read models catch up, as the servers would have to otherwise. Then those that add least
# to the ledger: it is to be of the size that is said.
COMPARISONS: dict[str, Callable[[Bench], Awaitable[list[Compared]]]] = {
    "follow": following.follow,
    "feed": feeding.feed,
    "reads": asking.reads,
    "lone": appending.lone_append,
    "commands": asking.commands,
    "appends": appending.appends,
    "verifies": verifying.verifies,
    "import": importing.imports,
    "seals": sealing.seals,
}
# These need no ledger, so they are measured once.
PURE: dict[str, Callable[[Pace], list[Compared]]] = {
    "clocks": clocks.due_instants,
    "folds": folding.folds,
    "grows": sealing.grows,
}


def main(arguments: Sequence[str] | None = None) -> None:
    asked = parser().parse_args(arguments)
    names = [name for name in (*PURE, *COMPARISONS) if not asked.only or name in asked.only]
    events = asked.events or (QUICK_EVENTS if asked.quick else EVENTS)
    pace = QUICK if asked.quick else THOROUGH
    load_before = os.getloadavg()[0]
    began = perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="casecore-bench-", dir=asked.folder) as folder,
        embedded.start(Path(folder)) as pg,
    ):
        compared, settings = uvloop.run(measure(pg, names, events, pace, Path(folder)))
    text = report.markdown(compared, settings, pace, perf_counter() - began, load_before)
    print(text)
    asked.results.write_text(text)


async def measure(
    pg: Embedded, names: Sequence[str], sizes: Sequence[int], pace: Pace, folder: Path
) -> tuple[list[Compared], dict[str, str]]:
    compared = [row for name in names if name in PURE for row in PURE[name](pace)]
    for row in compared:
        say(report.line(row))
    for events in sizes:
        say(f"a ledger of {events:,} events …")
        async with Bench.filled(pg, events, pace, folder) as bench:
            settings = await report.settings(bench.desks.pool)
            report.refuse_unless_durable(settings)
            for name in (name for name in names if name in COMPARISONS):
                rows = await COMPARISONS[name](bench)
                for row in rows:
                    say(report.line(row))
                compared += rows
    order = {row.what: nth for nth, row in reversed(list(enumerate(compared)))}
    return sorted(compared, key=lambda row: order[row.what]), settings


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument(
        "--only",
        action="append",
        choices=[*PURE, *COMPARISONS],
        help="one comparison; may be repeated",
    )
    parser.add_argument("--events", type=int, nargs="+", help="how many the ledger begins with")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the table is kept")
    parser.add_argument("--folder", type=Path, help="where PostgreSQL keeps its data meanwhile")
    return parser


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
