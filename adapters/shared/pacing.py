"""Counting calls against a limit per period: what the rate limiters of all platforms are made of. Pure: the time is handed in."""

from __future__ import annotations

from collections import deque

LEAST_WAIT_S = 0.005
"""A shorter wait may be lost in rounding, and then be asked for again and again."""


class SlidingWindow:
    """The moments of the calls in the last `period_s` seconds."""

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._sent: deque[float] = deque()

    def wait_s(self, now: float, limit: int) -> float:
        """Seconds until one more call keeps within `limit` calls a period; 0 when it may go now."""
        while self._sent and self._sent[0] <= now - self.period_s:
            self._sent.popleft()
        if len(self._sent) < limit:
            return 0.0
        if limit <= 0:
            return min(self.period_s, 1.0)  # nothing may go however long one waits: ask again in a moment
        return max(self._sent[len(self._sent) - limit] + self.period_s - now, LEAST_WAIT_S)

    def count(self, now: float) -> None:
        """Note that a call goes out."""
        self._sent.append(now)
