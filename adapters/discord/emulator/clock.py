"""Owns the emulator's time: real seconds that tests may move forward."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000
"""The first second of 2015, from which snowflakes count. Source: Discord, Reference, Snowflakes."""


class EmulatorClock:
    """Seconds since 1970, read from `source` and moved by `advance`."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead_s = 0.0

    def time(self) -> float:
        """Unix seconds."""
        return self._source() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward at once; nobody sleeps."""
        self._ahead_s += seconds


class Snowflakes:
    """Hands out ids that grow, each carrying the clock's millisecond as Discord's do."""

    def __init__(self, clock: EmulatorClock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """A new id, greater than all before."""
        self._last = max(self.at(self._clock.time()), self._last + 1)
        return self._last

    @staticmethod
    def at(seconds: float) -> int:
        """The least id of that moment."""
        return max(0, int(seconds * 1000) - DISCORD_EPOCH_MS) << 22


def iso(seconds: float) -> str:
    """Unix seconds in Discord's notation, always UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
