"""What those say who watch over the record, for health and metrics to pass on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec

CHECK_SECONDS_MAX = 1.0

logger = logging.getLogger(__name__)


class Verdict(msgspec.Struct, frozen=True):
    """Whether what is watched over is as it should be."""

    ok: bool
    told: str
    """In a sentence. Anyone may read it, so it names nobody and no ledger."""


Check = Callable[[], Awaitable[Verdict]]
"""Asked once a second at most; says what it knows already, rather than look for it."""


async def verdicts(checks: Mapping[str, Check]) -> dict[str, Verdict]:
    found = await asyncio.gather(*(verdict(name, check) for name, check in checks.items()))
    return dict(zip(checks, found, strict=True))


async def verdict(name: str, check: Check) -> Verdict:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check()
    except Exception:
        # Its words are for the log alone: whoever asks has no key.
        logger.exception("the check %s failed", name)
        return Verdict(False, "it could not be asked")
