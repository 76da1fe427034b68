"""Tables and bars for people; plain columns where no terminal is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PLAIN_WIDTH = 1_000
"""Where nobody looks, nothing is folded to fit."""
ROOMY_WIDTH = 100
MINUTE, HOUR, DAY, LONG = 60, 3_600, 86_400, 10 * 86_400


class WhenParam(click.ParamType[datetime]):
    """A day, as its beginning or its end, or an instant with an offset."""

    name = "when"

    def __init__(self, *, end: bool = False) -> None:
        self.end = end

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        text = str(value)
        try:
            at = datetime.fromisoformat(text)
            if len(text) == len("2026-01-01"):
                at = at.replace(tzinfo=UTC) + timedelta(days=self.end)
        except (ValueError, OverflowError):
            at = datetime.min
        if at.tzinfo is None:
            self.fail(
                f"{text!r} is no day like 2026-03-31, and no time like 2026-03-31T12:00:00Z",
                param,
                ctx,
            )
        return at


from_option = click.option(
    "--from",
    "received_from",
    type=WhenParam(),
    metavar="DAY",
    help="Only cases received from that day on; days are in UTC.",
)
to_option = click.option(
    "--to",
    "received_before",
    type=WhenParam(end=True),
    metavar="DAY",
    help="Only cases received by the end of that day.",
)


def console() -> "Console":
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    # What is stored comes from anyone: it is shown as it is, and means nothing to the screen.
    return Console(width=width, markup=False, highlight=False, emoji=False)


def table(*names: str, text: int = 1) -> "Table":
    """So many columns of text, and the others are numbers."""
    from rich.table import Table

    seen = sys.stdout.isatty()
    gap = 1 if seen and get_terminal_size().columns < ROOMY_WIDTH else 2
    made = Table(box=None, padding=(0, gap, 0, 0), header_style="bold underline" if seen else "")
    for n, name in enumerate(names):
        # On a screen, text gives way to numbers, and the names of these to what they are.
        if n < text:
            made.add_column(name, no_wrap=n == 0, overflow="fold")
        else:
            head = name.replace(" ", "\n") if seen else name
            made.add_column(head, justify="right", no_wrap=True, vertical="bottom")
    return made


def print_whole(screen: "Console", made: "Table") -> None:
    """With all words and numbers in full, even where a line is too long for the screen."""
    terminal, screen.width = screen.width, PLAIN_WIDTH
    needed = screen.measure(made)
    numbers = any(column.justify == "right" for column in made.columns)
    screen.width = max(terminal, needed.maximum if numbers else needed.minimum)
    screen.print(made)
    screen.width = terminal


@contextmanager
def bar(total: int) -> Iterator[Callable[[int, str], None]]:
    """Shows how far something has come, to whoever watches."""
    if not sys.stderr.isatty():
        yield lambda reached, told: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=total)
        yield lambda reached, told: shown.update(task, completed=reached, description=told)


def lasting(seconds: int) -> str:
    """How long, as one says it: in the largest unit, and the next where it matters."""
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < DAY:
        return f"{seconds // HOUR} h {seconds % HOUR // MINUTE:02} min"
    if seconds < LONG:
        return f"{seconds // DAY} d {seconds % DAY // HOUR} h"
    return f"{seconds // DAY:,} d"


def when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
