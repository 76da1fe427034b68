"""casecore sla: calendars and targets, and what they come to."""

import sys
from typing import BinaryIO

import rich_click as click

from api.commands.slareport import report
from api.commands.slashow import show
from api.commands.whatif import what_if

FAILED = 1


@click.group()
def sla() -> None:
    """Service levels: how long things may take."""


@sla.command("try")
@click.argument("file", type=click.File("rb"), default="-")
def try_out(file: BinaryIO) -> None:
    """Try a calendar or a target before it is published; needs no database.

    Reads one JSON object a line from FILE, or standard input, and answers each with one:

    \b
    {"calendar": {"zone": "Europe/London",
                  "weekly": {"mon": [["09:00", "17:00"]], …},
                  "exceptions": {"2026-04-03": []}},
     "target": {"kind": "open_time", "seconds": 14400},
     "started_at": "2026-03-04T10:15:00Z",
     "pauses": [["2026-03-04T11:00:00Z", null]],
     "warn_at_seconds_left": [3600], "now": "2026-03-04T12:00:00Z", "id": 7}

    Other targets: elapsed_time with seconds; business_days with days and a receipt, which is
    as_received or next_business_day_if_after_close; calendar_days with days; weeks with weeks.
    The last line of the example may be left out. Exit code 1 if any line failed.
    """
    import msgspec

    from casecore.clocks.trying import answer

    failed = False
    out = sys.stdout.buffer
    for line in file:
        if line.strip():
            answered = answer(line)
            failed = failed or answered.failed
            out.write(msgspec.json.encode(answered) + b"\n")
            out.flush()
    if failed:
        sys.exit(FAILED)


sla.add_command(what_if)
sla.add_command(report)
sla.add_command(show)
