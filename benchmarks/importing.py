"""Imports: a generated file in the format of the CFPB, beside COPY of the rows it comes to."""

import asyncio
import csv
import os
import sys
from datetime import date, timedelta
from pathlib import Path
from random import Random

import msgspec

from api.imports.running import Report
from benchmarks.ledgers import Bench
from benchmarks.measuring import Compared, Target
from benchmarks.peers import Copies
from casecore.database import Connection, ledger_id

SEED = 2026
FIRST_DAY = date(2020, 1, 1)
DAYS = 1_500
COLUMNS = (
    "Date received",
    "Product",
    "Sub-product",
    "Issue",
    "Sub-issue",
    "Consumer complaint narrative",
    "Company public response",
    "Company",
    "State",
    "ZIP code",
    "Tags",
    "Consumer consent provided?",
    "Submitted via",
    "Date sent to company",
    "Company response to consumer",
    "Timely response?",
    "Consumer disputed?",
    "Complaint ID",
)
PRODUCTS = (
    ("Credit reporting or other personal consumer reports", "Credit reporting"),
    ("Debt collection", "Credit card debt"),
    ("Mortgage", "Conventional home mortgage"),
    ("Checking or savings account", "Checking account"),
)
ISSUES = (
    ("Incorrect information on your report", "Information belongs to someone else"),
    ("Improper use of your report", "Credit inquiries on your report that you don't recognize"),
    ("Attempts to collect debt not owed", "Debt was paid"),
    ("Managing an account", "Deposits and withdrawals"),
)
COMPANIES = ("EQUIFAX, INC.", "TRANSUNION INTERMEDIATE HOLDINGS, INC.", "A BANK", "Some Collectors")
RESPONSES = (
    "Closed with explanation",
    "Closed with non-monetary relief",
    "Closed with monetary relief",
    "In progress",
)
OFTEN = (70, 15, 5, 10)
"""How many of a hundred got which response; in the Bureau's own file it is much the same."""
DISPUTED_OF_HUNDRED = 5


def write_complaints(path: Path, rows: int, first_id: int) -> None:
    """A file of complaints, the same for the same arguments."""
    random = Random(SEED)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(first_id, first_id + rows):
            day = FIRST_DAY + timedelta(random.randrange(DAYS))
            product, sub_product = random.choice(PRODUCTS)
            issue, sub_issue = random.choice(ISSUES)
            (response,) = random.choices(RESPONSES, OFTEN)
            disputed = "Yes" if random.randrange(100) < DISPUTED_OF_HUNDRED else "No"
            writer.writerow(
                (
                    *(day, product, sub_product, issue, sub_issue, "", ""),
                    *(random.choice(COMPANIES), "FL", "33009", "", "", "Web"),
                    *(day + timedelta(1), response, "Yes"),
                    *("N/A" if response == "In progress" else disputed, number),
                )
            )


async def imports(bench: Bench) -> list[Compared]:
    events = await bench.events()
    path = bench.folder / "complaints.csv"
    write_complaints(path, bench.pace.import_rows, first_id=1_000_000)
    ours, indexed, plain = [], [], []
    async with bench.desks.pool.acquire() as connection:
        for number in range(bench.pace.import_rounds):
            # A ledger of its own, as the same file would add nothing to one that has it.
            name = f"import-{number}"
            report = await run_import(bench, path, name)
            assert (report.new, report.bad) == (bench.pace.import_rows, 0), report
            ledger = await ledger_id(bench.desks.pool, name)
            ours.append(report.events / await seconds_of(connection, ledger))
            copies = await Copies.of(connection, ledger, report.events)
            indexed.append(await copies.events_a_second(indexed=True))
            plain.append(await copies.events_a_second(indexed=False))
    what = f"import of {bench.pace.import_rows:,} CFPB rows, events"
    copy = "COPY of the same rows"
    return [
        Compared(what, events, "/s", ours, target=Target("at least", 30_000)),
        Compared(what, events, "/s", ours, f"{copy}, with the same indexes", indexed),
        Compared(what, events, "/s", ours, f"{copy}, without any index", plain),
    ]


async def run_import(bench: Bench, path: Path, ledger: str) -> Report:
    """The command, as it is typed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api", "import", path, "--format", "cfpb"),
        *("--ledger", ledger, "--json"),
        env=os.environ
        | {"CASECORE_DATABASE_URL": bench.url, "CASECORE_DATA_DIR": str(path.parent)},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return msgspec.json.decode(told, type=Report)


async def seconds_of(connection: Connection, ledger: int) -> float:
    """From its first event to its last: without the start of the processes."""
    seconds: float = await connection.fetchval(
        "SELECT extract(epoch FROM max(recorded_at) - min(recorded_at))::float8"
        " FROM es.event WHERE ledger = $1",
        ledger,
    )
    return seconds
