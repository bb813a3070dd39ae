"""Discord's rate limits: a bucket for each channel and kind of call, kept by the headers of Discord's answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.shared.pacing import SlidingWindow
from bot.ports import Clock

GLOBAL_PER_S = 48
"""Just below Discord's 50 a second for all of a bot's calls. Source: Discord, Topics, Rate Limits."""
INTERIM_PER_S, LEAST_PER_S = 24, 2
"""Of these, what edits that only show progress may use; less the more answers are under way, since each will soon need to end."""
GAP_S = 0.9
"""At least so long between two edits in one channel that only show progress."""
MAX_BUCKETS = 2_000


@dataclass
class Bucket:
    """One kind of call in one channel."""

    limit: int = 1
    remaining: int = 1
    resets_at: float = 0.0
    in_flight: int = 0
    urgent: int = 0
    """How many calls that have to be made are waiting."""
    next_at: float = 0.0
    """When the next edit that only shows progress may go."""
    interim_queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    urgent_queue: asyncio.Lock = field(default_factory=asyncio.Lock)

    def free(self, now: float) -> int:
        """Calls that may go now."""
        if self.resets_at <= now:
            self.remaining = self.limit
        return self.remaining - self.in_flight

    def spare(self) -> int:
        """Calls that progress leaves to answers. discord.py sleeps out the window after a bucket's last call."""
        return 2 if self.limit >= 5 else 1 if self.limit > 1 else 0

    def pace_s(self, now: float) -> float:
        """Seconds until the next edit, so that what is left of the window is used evenly."""
        left, free = self.resets_at - now, self.free(now) - self.spare()
        return max(left / free, GAP_S) if left > 0 and free > 0 else GAP_S

    def is_idle(self, now: float) -> bool:
        """Whether nobody uses it or waits for it, and nothing is known of it that still holds."""
        is_awaited = self.urgent or self.interim_queue.locked() or self.urgent_queue.locked()
        return not (is_awaited or self.in_flight) and self.resets_at < now

    def observe(self, now: float, limit: int, remaining: int, reset_after_s: float) -> None:
        """What an answer's headers said; those of one window may arrive out of order."""
        resets_at = now + reset_after_s
        is_same_window = abs(resets_at - self.resets_at) < 0.3
        self.limit, self.resets_at = limit, resets_at
        self.remaining = min(remaining, self.remaining) if is_same_window else remaining


class RateLimiter:
    """Says when a call may go. Answers go before progress; replies in one channel take turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._calls = SlidingWindow(1.0)
        self._urgent = 0
        self.answers = 0
        """How many are under way in this process."""

    async def acquire(self, kind: str, channel: str, *, urgent: bool, counts: bool = True) -> Bucket:
        """Wait until this call may go; `release` must follow. counts: towards the limit of all calls, which webhooks do not."""
        bucket = self._bucket(kind, channel)
        if not urgent:
            async with bucket.interim_queue:
                await self._wait(bucket, urgent=False, counts=counts)
                self._count(bucket, counts)
                bucket.next_at = self._clock.monotonic() + bucket.pace_s(self._clock.monotonic())
            return bucket
        bucket.urgent += 1
        self._urgent += 1
        try:
            async with bucket.urgent_queue:
                await self._wait(bucket, urgent=True, counts=counts)
                self._count(bucket, counts)
        finally:
            bucket.urgent -= 1
            self._urgent -= 1
        return bucket

    def _count(self, bucket: Bucket, counts: bool) -> None:
        bucket.in_flight += 1
        if counts:
            self._calls.count(self._clock.monotonic())

    async def _wait(self, bucket: Bucket, *, urgent: bool, counts: bool) -> None:
        while wait := self._wait_s(bucket, urgent=urgent, counts=counts):
            await self._clock.sleep(wait)

    def _wait_s(self, bucket: Bucket, *, urgent: bool, counts: bool) -> float:
        now = self._clock.monotonic()
        if bucket.free(now) <= (0 if urgent else bucket.spare()):
            return max(bucket.resets_at - now, 0.02)
        if not urgent and (bucket.urgent or bucket.next_at > now):
            return max(bucket.next_at - now, 0.05)
        return self._global_wait_s(now, urgent) if counts else 0.0

    def _global_wait_s(self, now: float, urgent: bool) -> float:
        limit = GLOBAL_PER_S if urgent else min(max(GLOBAL_PER_S - self.answers, LEAST_PER_S), INTERIM_PER_S)
        if not urgent and self._urgent:
            return 0.1
        return self._calls.wait_s(now, limit)

    def try_acquire(self) -> bool:
        """Count a call for something that nobody would miss, if there is room for it now."""
        now = self._clock.monotonic()
        if self._urgent or self._global_wait_s(now, urgent=False) > 0:
            return False
        self._calls.count(now)
        return True

    def release(self, bucket: Bucket) -> None:
        """The call was answered, or failed."""
        bucket.in_flight -= 1

    def observe(self, kind: str, channel: str, headers: Mapping[str, str]) -> None:
        """What an answer's headers say about its bucket. Source: Discord, Topics, Rate Limits, Header Format."""
        try:
            limit, remaining = int(headers["X-RateLimit-Limit"]), int(headers["X-RateLimit-Remaining"])
            reset_after_s = float(headers["X-RateLimit-Reset-After"])
        except (KeyError, ValueError):
            return
        self._bucket(kind, channel).observe(self._clock.monotonic(), limit, remaining, reset_after_s)

    def _bucket(self, kind: str, channel: str) -> Bucket:
        key = (kind, channel)
        if key not in self._buckets:
            if len(self._buckets) >= MAX_BUCKETS:
                self._drop_idle()
            self._buckets[key] = Bucket()
        return self._buckets[key]

    def _drop_idle(self) -> None:
        now = self._clock.monotonic()
        for key in [key for key, bucket in self._buckets.items() if bucket.is_idle(now)]:
            del self._buckets[key]


__all__ = ["Bucket", "RateLimiter"]
