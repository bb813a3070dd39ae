"""Which turns run in this process, so that one that may have ended it before can be tried when it harms no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

QUIET_S = 30.0
"""A suspect waits so long for the others to end; on a busy day they never all do."""


class TurnsRunning:
    """Counts them, and lets one suspect in at a time."""

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        """quiet_s: how long a suspect waits for the others to end."""
        self._count = 0
        self._quiet_s = quiet_s
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()
        self._suspect = asyncio.Lock()

    @asynccontextmanager
    async def joined(self, *, is_suspect: bool = False) -> AsyncGenerator[None]:
        """Run a turn inside. is_suspect: it was interrupted often, so it waits until no other runs, as far as that comes soon."""
        if not is_suspect:
            with self._counted():
                yield
            return
        async with self._suspect:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._quiet_s):
                    await self._is_quiet.wait()
            yield

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._count += 1
        self._is_quiet.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._is_quiet.set()
