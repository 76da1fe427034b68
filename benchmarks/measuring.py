"""How two things are compared: in turns, within one run, by the ratio of each turn."""

from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Literal, NamedTuple

Side = Callable[[], Awaitable[float]]
"""Plays one round, and answers the figure it came to."""


class Pace(NamedTuple):
    """How long everything takes: enough to compare, or only enough to see that it runs."""

    rounds: int
    seconds: float
    import_rows: int
    import_rounds: int
    singles: int
    """How many appends one lone caller makes in a round."""
    folded_cases: int


THOROUGH = Pace(
    rounds=5,
    seconds=1.0,
    import_rows=50_000,
    import_rounds=2,
    singles=400,
    folded_cases=100_000,
)
QUICK = Pace(
    rounds=1, seconds=0.3, import_rows=1_000, import_rounds=1, singles=50, folded_cases=1_000
)


class Target(NamedTuple):
    """What the ratio, or the figure itself when it has no peer, must come to."""

    bound: Literal["at least", "at most"]
    value: float

    def met(self, value: float) -> bool:
        return value >= self.value if self.bound == "at least" else value <= self.value


class Compared(NamedTuple):
    """Our figures beside a peer's, a pair a round."""

    what: str
    events: int
    """How many the ledger held when the measuring began."""
    unit: str
    ours: list[float]
    peer: str = ""
    theirs: Sequence[float] = ()
    """Nothing, when the figure stands for itself."""
    target: Target | None = None

    @property
    def ratios(self) -> list[float]:
        return [our / their for our, their in zip(self.ours, self.theirs, strict=True)]

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.target.met(median(self.ratios if self.theirs else self.ours))


async def in_turns(rounds: int, **sides: Side) -> dict[str, list[float]]:
    """Each side once a round, another one first each time: a noisy moment is noise to all."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for _ in range(rounds):
        for name in order:
            figures[name].append(await sides[name]())
        order.append(order.pop(0))
    return figures
