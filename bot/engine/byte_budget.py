"""How many bytes of attachments one process holds at once; large ones wait for one another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bot.jobs.slots import FairSlots
from bot.policy.fairness import whose_work

TOTAL_BYTES = 512 * 2**20
SMALL_BYTES = 8 * 2**20
"""Up to this size an attachment does not wait: a picture must not stand behind an hour of sound."""


class ByteBudget:
    """Bytes to reserve. People come in turn, and whoever's turn it is waits for enough: smaller ones do not pass it for ever."""

    def __init__(self, total_bytes: int = TOTAL_BYTES) -> None:
        """total_bytes: of large attachments; a larger one still is held alone."""
        self._total = self._free = total_bytes
        self._gate = FairSlots(1)
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def reserve(self, size_bytes: int) -> AsyncGenerator[None]:
        """Wait until so many bytes are free, and hold them while the context is open."""
        size = 0 if size_bytes <= SMALL_BYTES else min(size_bytes, self._total)
        if size:
            await self._take(size)
        try:
            yield
        finally:
            self._free += size
            self._freed.set()

    async def _take(self, size: int) -> None:
        async with self._gate.held(whose_work()):
            while self._free < size:
                self._freed.clear()
                await self._freed.wait()
            self._free -= size
