"""How seldom Python looks for garbage, in processes that hold much and make little of it."""

import gc

GARBAGE = 10_000, 20, 100
"""How many objects more make Python look for cycles, and how seldom it looks at older ones: what is
remembered of the cases is large and has none, and to look through it took a seventh of the time."""


def look_seldom() -> None:
    """What there is by now is never looked at again."""
    gc.freeze()
    gc.set_threshold(*GARBAGE)
