"""What a platform said about people's rights, kept for a moment and dropped when it says that they changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cachetools import TTLCache

from bot.ports import Bus, Clock

V = TypeVar("V")
KEPT_S = 60.0
SIZE = 20_000


class RightsCache(Generic[V]):
    """Answers of the platform by their key, such as a workspace, a channel and a person.

    The process that hears of a change is often not the one that answers: a drop is told to every process of the installation.
    """

    def __init__(self, bus: Bus, clock: Clock, subject: str, *, keep_s: float = KEPT_S, size: int = SIZE) -> None:
        """subject: names this cache among the processes, such as "slack:members"."""
        self._bus, self._topic = bus, f"rights:{subject}"
        self._known: TTLCache[tuple[str, ...], V] = TTLCache(size, keep_s, timer=clock.monotonic)
        self._drops = 0

    async def get(self, key: tuple[str, ...], ask: Callable[[], Awaitable[V]]) -> V:
        """What is known, or what the platform says now. An answer that a drop overtook is used but not kept."""
        if key in self._known:
            return self._known[key]
        drops = self._drops
        answer = await ask()
        if drops == self._drops:
            self._known[key] = answer
        return answer

    async def drop(self, *prefix: str) -> None:
        """Forget all keys that begin so, here and in the other processes. Raises StoreError when these cannot be told."""
        self._drop(prefix)
        await self._bus.publish(self._topic, {"prefix": list(prefix)})

    def _drop(self, prefix: tuple[str, ...]) -> None:
        self._drops += 1
        for key in [key for key in self._known if key[: len(prefix)] == prefix]:
            self._known.pop(key, None)

    async def listen(self) -> None:
        """Take up what other processes drop, until cancelled."""
        async with self._bus.subscribe(self._topic) as published:
            async for message in published:
                self._drop(tuple(message["prefix"]))
