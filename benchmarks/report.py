"""The table that is printed and kept, with what one must know to read it."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.measuring import Compared, Pace
from casecore.database import Pool

PACKAGES = ("asyncpg", "eventsourcing", "litestar", "msgspec", "psycopg", "uvicorn", "uvloop")
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
TOLD = (*DURABLE, "wal_sync_method", "wal_level", "wal_compression", "server_version", "work_mem")


async def settings(pool: Pool) -> dict[str, str]:
    """Of PostgreSQL: those that matter here, and those that are not its own defaults."""
    rows = await pool.fetch(
        "SELECT name, current_setting(name) AS value FROM pg_settings"
        " WHERE name = ANY($1) OR source IN ('command line', 'configuration file')"
        " ORDER BY name",
        TOLD,
    )
    return {row["name"]: row["value"] for row in rows}


def refuse_unless_durable(settings: dict[str, str]) -> None:
    loose = [name for name in DURABLE if settings[name] != "on"]
    if loose:
        raise SystemExit(f"nothing is measured that could be lost: {', '.join(loose)} must be on")


def machine() -> dict[str, str]:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": f"{len(os.sched_getaffinity(0))}, shared by client, server and PostgreSQL",
        "system": platform.release(),
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def markdown(
    compared: Sequence[Compared],
    settings: dict[str, str],
    pace: Pace,
    seconds: float,
    load_before: float,
) -> str:
    measured = [
        f"- {name}: {value}"
        for name, value in (
            ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in {seconds:.0f} s"),
            ("rounds", f"{pace.rounds} of {pace.seconds:g} s each, imports {pace.import_rounds}"),
            ("load before, of others", f"{load_before:.2f}"),
            *machine().items(),
        )
    ]
    return "\n".join(
        [
            "# What `make bench` measured",
            "",
            "Ours and each peer in turns, in one run, on one PostgreSQL, all of it durable. Figures"
            " are medians; so is the ratio, of the ratios of each turn (least to most). *events* is"
            " how many the ledger held when the measuring began; the peers' tables held as many.",
            "",
            *table(compared),
            "",
            *measured,
            "",
            "PostgreSQL:",
            "",
            *(f"- {name} = {value}" for name, value in settings.items()),
            "",
        ]
    )


def table(compared: Sequence[Compared]) -> list[str]:
    return [
        "| what | events | ours | peer | its figure | ratio (least to most) | target | met |",
        "|---|--:|--:|---|--:|--:|--:|---|",
        *(line(row) for row in compared),
    ]


def line(row: Compared) -> str:
    ratio = spread(row.ratios, "x") if row.theirs else ""
    cells = (
        row.what,
        f"{row.events:,}",
        figure(median(row.ours), row.unit) if row.theirs else spread(row.ours, row.unit),
        row.peer,
        figure(median(row.theirs), row.unit) if row.theirs else "",
        ratio,
        target(row),
        {True: "yes", False: "**no**", None: ""}[row.met],
    )
    return f"| {' | '.join(cells)} |"


def target(row: Compared) -> str:
    if row.target is None:
        return ""
    unit = "x" if row.theirs else row.unit
    return f"{'≥' if row.target.bound == 'at least' else '≤'} {figure(row.target.value, unit)}"


def spread(values: Sequence[float], unit: str) -> str:
    least, most = figure(min(values), unit), figure(max(values), unit)
    return f"{figure(median(values), unit)} ({least} to {most})"


def figure(value: float, unit: str) -> str:
    match unit:
        case "x":
            return f"{value:.2f}x" if value < 10 else f"{value:.1f}x"
        case "ms":
            return f"{value:.3f} ms"
        case _:
            return f"{value:,.0f} {unit}"
