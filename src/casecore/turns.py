"""Turns at what only one may have at a time, by its key."""

import asyncio
from collections import deque
from collections.abc import Hashable


class Turns:
    """Who comes first goes first. A tenth of what a lock for each key costs those who find it free,
    as nearly all do."""

    def __init__(self) -> None:
        self._behind: dict[Hashable, deque[asyncio.Future[None]] | None] = {}
        """Who comes after the one whose turn it is."""

    def take(self, key: Hashable) -> bool:
        """Whether it is the caller's turn now; who is told no has to wait for it."""
        if key in self._behind:
            return False
        self._behind[key] = None
        return True

    async def wait(self, key: Hashable) -> None:
        """Until it is the caller's turn. Cancelled, they give it up."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        behind = self._behind[key]
        if behind is None:
            behind = self._behind[key] = deque()
        behind.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # It had just become theirs.
                self.pass_on(key)
            raise

    def pass_on(self, key: Hashable) -> None:
        behind = self._behind[key]
        while behind:
            turn = behind.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._behind[key]
