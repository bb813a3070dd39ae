"""Owns the emulator's time, which a test can push forward."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Seconds since the epoch, that pass as on the wall, or only by `advance` when `flowing` is false."""

    def __init__(self, *, flowing: bool = True, start: float | None = None) -> None:
        self._flowing = flowing
        self._start = time.time() if start is None else start
        self._zero = time.monotonic()
        self._skipped_s = 0.0
        self._pushed = asyncio.Event()

    def now(self) -> float:
        """The time in seconds since the epoch."""
        passed = time.monotonic() - self._zero if self._flowing else 0.0
        return self._start + passed + self._skipped_s

    def advance(self, seconds: float) -> None:
        """Jump forward; whoever sleeps past the new time wakes."""
        self._skipped_s += seconds
        pushed, self._pushed = self._pushed, asyncio.Event()
        pushed.set()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed on this clock."""
        deadline = self.now() + seconds
        while (left := deadline - self.now()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pushed.wait(), left if self._flowing else None)

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """What `work` gives. Raises TimeoutError when this clock passes `seconds` first, and cancels the work."""
        task, alarm = asyncio.ensure_future(work), asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            task.cancel()
            alarm.cancel()
            await asyncio.gather(task, alarm, return_exceptions=True)
