"""Imports: a generated file in the format of the CFPB, beside COPY of the rows it comes to."""

import csv
from datetime import date, timedelta
from pathlib import Path
from random import Random
from time import perf_counter

from api.imports import cfpb, running
from api.imports.running import Report
from benchmarks.ledgers import Bench
from benchmarks.measuring import Compared, Target
from benchmarks.peers import Copies
from casecore.database import ledger_id

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
    """The process is running and the file is there; what is timed is reading, deciding, writing."""
    events = await bench.events()
    path = bench.folder / "complaints.csv"
    write_complaints(path, bench.pace.import_rows, first_id=1_000_000)
    ours, indexed, plain = [], [], []
    async with bench.desks.pool.acquire() as connection:
        for number in range(bench.pace.import_rounds):
            # A ledger of its own, as the same file would add nothing to one that has it.
            name = f"import-{number}"
            desk = await bench.desks.desk(name)
            report = Report()
            began = perf_counter()
            with path.open("rb") as file:
                await running.run(desk.core, cfpb.plans(file), "cfpb", "stop", report)
            ours.append(report.events / (perf_counter() - began))
            assert report.new == bench.pace.import_rows
            assert report.bad == 0
            ledger = await ledger_id(bench.desks.pool, name)
            copies = await Copies.of(connection, ledger, report.events)
            indexed.append(await copies.events_a_second(indexed=True))
            plain.append(await copies.events_a_second(indexed=False))
    what = f"import of {bench.pace.import_rows:,} CFPB rows, events"
    copy = "COPY of the same rows"
    return [
        Compared(what, events, "/s", ours, target=Target("at least", 30_000)),
        Compared(
            what,
            events,
            "/s",
            ours,
            f"{copy}, with the same indexes",
            indexed,
            Target("at least", 0.3),
        ),
        Compared(what, events, "/s", ours, f"{copy}, without any index", plain),
    ]
