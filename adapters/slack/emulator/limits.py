"""Owns rate limits: how many calls of a method a workspace's app may make, by tier."""

import math
from collections import deque
from dataclasses import dataclass, field

from .clock import Clock

PER_MINUTE = {"t1": 10, "t2": 20, "t3": 50, "t4": 100, "status": 600, "auth": 300, "distributed": 1}
"""Calls a minute. Source: Slack, Rate limits. Tier 1 is "1+" with small bursts; ten sockets must be able to open."""
POST_BURST = 4
"""Messages at once in one channel before one per second holds. Slack says only "short bursts"; this is our reading."""
POSTS_PER_MINUTE = 300
"""chat.postMessage over a whole workspace. Slack says "several hundred messages per minute"."""


@dataclass
class Bucket:
    """Tokens that come back one a second."""

    tokens: float
    at: float


@dataclass
class Limits:
    """Counts calls; `enforced` False lets everything through, which is the default for trying things out."""

    clock: Clock
    enforced: bool = False
    per_minute: dict[str, int] = field(default_factory=lambda: dict(PER_MINUTE))
    post_burst: int = POST_BURST
    posts_per_minute: int = POSTS_PER_MINUTE
    _windows: dict[tuple[str, ...], deque[float]] = field(default_factory=dict)
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def retry_after(self, method: str, tier: str, team_id: str, channel: str) -> int:
        """Whole seconds until the call may be made again; 0 when it may be made now, and then it is counted."""
        if not self.enforced or tier == "none":
            return 0
        if tier == "post":
            return self._post(team_id, channel)
        return self._window((team_id, method), self.per_minute[tier])

    def _post(self, team_id: str, channel: str) -> int:
        bucket, now = self._bucket(channel), self.clock.now()
        bucket.tokens, bucket.at = min(self.post_burst, bucket.tokens + now - bucket.at), now
        if bucket.tokens < 1:
            return max(1, math.ceil(1 - bucket.tokens))
        wait = self._window((team_id, "chat.postMessage"), self.posts_per_minute)
        bucket.tokens -= 0 if wait else 1
        return wait

    def _bucket(self, channel: str) -> Bucket:
        return self._buckets.setdefault(channel, Bucket(self.post_burst, self.clock.now()))

    def _window(self, key: tuple[str, ...], allowed: int) -> int:
        calls, now = self._windows.setdefault(key, deque()), self.clock.now()
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= allowed:
            return max(1, math.ceil(calls[0] + 60 - now))
        calls.append(now)
        return 0
