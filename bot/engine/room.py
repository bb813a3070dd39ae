"""How many bytes of attachments one process holds at once; large ones wait for one another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TOTAL_BYTES = 512 * 2**20
SMALL_BYTES = 8 * 2**20
"""Up to this an attachment waits for nobody: a picture is not to stand behind an hour of sound."""


class Room:
    """First come, first served, so that a large one is not passed by others for ever."""

    def __init__(self, total_bytes: int = TOTAL_BYTES) -> None:
        """total_bytes: of large attachments; one that is larger still is held alone."""
        self._total = self._free = total_bytes
        self._gate = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def held(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait until there is room for so many bytes, and hold it meanwhile."""
        size = 0 if size_bytes <= SMALL_BYTES else min(size_bytes, self._total)
        if size:
            await self._take(size)
        try:
            yield
        finally:
            self._free += size
            self._freed.set()

    async def _take(self, size: int) -> None:
        async with self._gate:
            while self._free < size:
                self._freed.clear()
                await self._freed.wait()
            self._free -= size
