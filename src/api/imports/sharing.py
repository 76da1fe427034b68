"""An import shared out among processes: deciding takes longest, and Python does it on one core.

A helper is this command again, with a share of the cases. It reports on its stdout, and stops when
its stdin ends: when it is told to, or when whoever started it died.
"""

import asyncio
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from api.imports.running import Report
from casecore.errors import Unavailable


@asynccontextmanager
async def helped(words: Sequence[str], helpers: int, report: Report) -> AsyncIterator[None]:
    """While this process does the first share, helpers do the others, and add to its report."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api", *words, "--share", f"{index}/{helpers + 1}", "--json"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        for index in range(1, helpers + 1)
    ]
    following = [asyncio.create_task(follow(helper, report)) for helper in processes]
    try:
        yield
        if report.stopped:
            stop(processes)
        for told in await asyncio.gather(*following):
            report.add(told)
    finally:
        stop(processes)
        await asyncio.gather(*following, return_exceptions=True)


async def follow(helper: Process, report: Report) -> Report:
    """What a helper reports; when it stops, so do we."""
    assert helper.stdout is not None
    raw = await helper.stdout.read()
    await helper.wait()
    try:
        told = msgspec.json.decode(raw, type=Report)
    except msgspec.DecodeError:
        report.stopped = True
        raise Unavailable(
            "helper-died", "a process that helped to import died: run it again, and it goes on"
        ) from None
    report.stopped |= told.stopped
    return told


def stop(helpers: Sequence[Process]) -> None:
    for helper in helpers:
        assert helper.stdin is not None
        helper.stdin.close()


def stop_when_told(report: Report) -> None:
    """As a helper."""

    def listen() -> None:
        sys.stdin.read()
        report.stopped = True

    threading.Thread(target=listen, daemon=True).start()
