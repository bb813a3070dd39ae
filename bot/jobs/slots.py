"""Slots of one event loop, handed out fairly between people: for turns, for what is written down, for large files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from bot.policy.fairness import FairQueue


class FairSlots:
    """So many may go on at once; who waits is let in as `FairQueue` says."""

    def __init__(self, slots: int, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds, that only grow."""
        self._free = slots
        self._clock = clock
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(slots, clock)

    @asynccontextmanager
    async def held(self, person: str) -> AsyncGenerator[None]:
        """Wait for a slot, and hold it while the context is open. person: for whom; an empty text for work of our own."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(person, place)
        self._hand_out()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was let in at the same moment
                self._give_back(person, 0.0)
            raise
        began = self._clock()
        try:
            yield
        finally:
            self._give_back(person, self._clock() - began)

    def _hand_out(self) -> None:
        while self._free and (found := self._queue.take()):
            person, place = found
            if place.done():  # whoever waited has gone
                self._queue.done(person, 0.0)
                continue
            self._free -= 1
            place.set_result(None)

    def _give_back(self, person: str, seconds: float) -> None:
        self._free += 1
        self._queue.done(person, seconds)
        self._hand_out()
