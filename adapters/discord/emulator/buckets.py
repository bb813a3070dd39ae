"""Owns the rate limits: a bucket for each route and major parameter, the global one, and the ban for bad requests."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from dataclasses import dataclass, field

from .clock import EmulatorClock

MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token")
"""Parameters that make a bucket of their own. Source: Discord, Topics, Rate Limits."""

UNLIMITED = ("/interactions/", "/webhooks/")
"""Paths outside the global limit. Source: the same, "Interaction endpoints are not bound"."""


@dataclass
class Limits:
    """How strict to be; the sizes are this emulator's, since Discord publishes none."""

    enabled: bool = True
    sizes: dict[str, tuple[int, float]] = field(
        default_factory=lambda: {
            "POST /channels/{channel_id}/messages": (5, 5.0),
            "PATCH /channels/{channel_id}/messages/{message_id}": (5, 5.0),
            "DELETE /channels/{channel_id}/messages/{message_id}": (5, 1.0),
            "PUT /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me": (1, 0.25),
            "POST /channels/{channel_id}/typing": (5, 5.0),
            "POST /webhooks/{webhook_id}/{webhook_token}": (5, 2.0),
            "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}": (5, 2.0),
        }
    )
    """"METHOD /route": (requests, seconds)."""
    default: tuple[int, float] = (50, 1.0)
    global_per_s: int = 50
    invalid_limit: int = 10_000
    """401, 403 and 429 answers in ten minutes before everything is refused without JSON."""

    def set(self, route: str, requests: int, seconds: float) -> None:
        """Change one bucket's size; route as in `sizes`."""
        self.sizes[route] = (requests, seconds)


@dataclass
class Verdict:
    """What the limits say of one request: the headers, and how long to wait if it is refused."""

    headers: dict[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    is_global: bool = False


@dataclass
class _Bucket:
    remaining: int
    resets_at: float


class Buckets:
    """Counts requests by the emulator's clock."""

    def __init__(self, clock: EmulatorClock, limits: Limits) -> None:
        self.limits = limits
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._second, self._in_second = 0, 0
        self._invalid: deque[float] = deque()

    def take(self, method: str, route: str, params: dict[str, str]) -> Verdict:
        """Count one request against its bucket and the global limit."""
        if not self.limits.enabled:
            return Verdict()
        if not route.startswith(UNLIMITED):
            wait = self._global_wait()
            if wait is not None:
                return Verdict({"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}, wait, True)
        return self._take_bucket(f"{method} {route}", "+".join(params[key] for key in MAJOR if key in params))

    def _global_wait(self) -> float | None:
        now = self._clock.time()
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        return self._second + 1 - now if self._in_second > self.limits.global_per_s else None

    def _take_bucket(self, route: str, major: str) -> Verdict:
        size, seconds = self.limits.sizes.get(route, self.limits.default)
        now, key = self._clock.time(), f"{route}:{major}"
        bucket = self._buckets.get(key)
        if bucket is None or bucket.resets_at <= now:
            bucket = self._buckets[key] = _Bucket(size, now + seconds)
        refused = bucket.remaining <= 0
        bucket.remaining = max(0, bucket.remaining - 1)
        wait = max(0.0, bucket.resets_at - now)
        headers = {
            "X-RateLimit-Limit": str(size),
            "X-RateLimit-Remaining": str(bucket.remaining),
            "X-RateLimit-Reset": f"{bucket.resets_at:.3f}",
            "X-RateLimit-Reset-After": f"{wait + 0.0005:.3f}",
            "X-RateLimit-Bucket": hashlib.sha1(route.encode(), usedforsecurity=False).hexdigest()[:32],
        }
        if refused:
            headers["X-RateLimit-Scope"] = "user"
        return Verdict(headers, wait if refused else None)

    def note_answer(self, status: int) -> None:
        """Count an invalid answer."""
        if status in (401, 403, 429):
            self._invalid.append(self._clock.time())

    @property
    def banned(self) -> bool:
        """Whether ten minutes saw too many invalid answers."""
        since = self._clock.time() - 600
        while self._invalid and self._invalid[0] < since:
            self._invalid.popleft()
        return len(self._invalid) >= self.limits.invalid_limit


def retry_after_header(seconds: float) -> str:
    """The Retry-After header, whole seconds; the body has the exact figure."""
    return str(max(1, math.ceil(seconds)))
