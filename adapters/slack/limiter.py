"""The pace of all calls to Slack: one budget for each workspace, method and channel, shared by every reply."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from cachetools import LRUCache

from adapters.shared.pacing import SlidingWindow
from bot.ports import Clock

WINDOW_S = 60.5
"""Slack counts by the minute; the half second is for what is on its way."""
POSTS = "chat.postMessage"
PER_MINUTE = {
    "chat.postMessage": 250,
    "chat.postEphemeral": 100,
    "chat.update": 50,
    "chat.delete": 50,
    "chat.startStream": 20,
    "chat.appendStream": 100,
    "chat.stopStream": 20,
    "assistant.threads.setStatus": 550,
    "assistant.threads.setTitle": 50,
    "assistant.threads.setSuggestedPrompts": 50,
    "agents.sessions.setStatus": 50,
    "agents.sessions.rename": 50,
    "conversations.history": 50,
    "conversations.replies": 50,
    "conversations.info": 50,
    "users.conversations": 50,
    "users.info": 100,
    "usergroups.list": 20,
    "files.info": 100,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
    "files.delete": 50,
    "views.open": 100,
    "views.publish": 100,
    "views.update": 100,
    "auth.test": 250,
}
"""Calls a minute for one workspace. Source: Slack, Rate limits (tiers 2, 3 and 4: 20, 50, 100; posting: several hundred)."""
UNKNOWN_PER_MINUTE = 20
CHANNEL_BURST = 3
CHANNEL_PER_S = 1.0
"""Posts in one channel: one a second, short bursts allowed. Source: Slack, Rate limits."""
CHANNEL_RETRY_S = 5.0
"""A 429 of posting that asks for less than this is about the channel; a longer one is about the workspace."""
MAX_CHANNELS = 10_000
"""Channels whose pace is known at once. One that nobody posted in for seconds is as good as new."""


@dataclass
class MethodBucket:
    """The calls of one method in one workspace, in the order in which they asked."""

    limit: int
    window: SlidingWindow = field(default_factory=lambda: SlidingWindow(WINDOW_S))
    reserved: int = 0
    blocked_until: float = 0.0
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wait_s(self, now: float, spare: int = 0) -> float:
        """Seconds until a call may go, leaving `spare` more for others; 0 when it may go now."""
        return max(self.blocked_until - now, self.window.wait_s(now, self.limit - spare), 0.0)

    def count(self, now: float) -> None:
        """Note that a call goes out."""
        self.window.count(now)


@dataclass
class ChannelBucket:
    """Posts in one channel: tokens that come back one a second."""

    tokens: float
    at: float
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    blocked_until: float = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until a post may go."""
        self.tokens = min(CHANNEL_BURST, self.tokens + (now - self.at) * CHANNEL_PER_S)
        self.at = now
        return max(self.blocked_until - now, (1 - self.tokens) / CHANNEL_PER_S, 0.0)

    def count(self, now: float) -> None:
        """Note that a post goes out."""
        self.tokens -= 1


class Reservation:
    """The right to one later call: how a reply makes sure that what it begins it can also end."""

    def __init__(self, bucket: MethodBucket) -> None:
        self._bucket: MethodBucket | None = bucket
        bucket.reserved += 1

    def release(self) -> None:
        """Give it back, used or not; harmless when repeated."""
        if self._bucket is not None:
            self._bucket.reserved -= 1
            self._bucket = None


class RateLimiter:
    """Says when a call may go. What must go waits its turn; what may be skipped asks, and is told no."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._methods: dict[tuple[str, str], MethodBucket] = {}
        self._channels: LRUCache[tuple[str, str], ChannelBucket] = LRUCache(MAX_CHANNELS)

    async def acquire(self, workspace: str, method: str, channel: str = "") -> None:
        """Wait until this call may go; first come, first served."""
        if method == POSTS and channel:
            await self._wait_for(self._channel(workspace, channel))
        await self._wait_for(self._method(workspace, method))

    async def _wait_for(self, bucket: MethodBucket | ChannelBucket) -> None:
        async with bucket.queue:
            while wait := bucket.wait_s(self._clock.monotonic()):
                await self._clock.sleep(wait)
            bucket.count(self._clock.monotonic())

    def try_acquire(self, workspace: str, method: str, channel: str = "") -> bool:
        """Count the call if it may go now without using up what others have reserved; False when it has to wait."""
        now, bucket = self._clock.monotonic(), self._method(workspace, method)
        if bucket.queue.locked() or bucket.wait_s(now, bucket.reserved) > 0:
            return False
        if method == POSTS and channel:
            posts = self._channel(workspace, channel)
            if posts.queue.locked() or posts.wait_s(now) > 0:
                return False
            posts.count(now)
        bucket.count(now)
        return True

    def reserve(self, workspace: str, method: str) -> Reservation | None:
        """Keep a later call of this method, if one is left in this minute."""
        bucket = self._method(workspace, method)
        if bucket.wait_s(self._clock.monotonic(), bucket.reserved) > 0:
            return None
        return Reservation(bucket)

    def block(self, workspace: str, method: str, channel: str, retry_after_s: float) -> None:
        """Slack said 429: nobody calls this method there until it is over. A short wait of posting is the channel's alone."""
        is_channel = method == POSTS and channel and retry_after_s <= CHANNEL_RETRY_S
        bucket = self._channel(workspace, channel) if is_channel else self._method(workspace, method)
        bucket.blocked_until = max(bucket.blocked_until, self._clock.monotonic() + retry_after_s)

    def wait_s(self, workspace: str, method: str) -> float:
        """How long a call of this method would wait now."""
        return self._method(workspace, method).wait_s(self._clock.monotonic())

    def limit(self, workspace: str, method: str, per_minute: int) -> None:
        """Learn that a workspace allows less: distributed apps read history once a minute."""
        self._method(workspace, method).limit = per_minute

    def _method(self, workspace: str, method: str) -> MethodBucket:
        key = (workspace, method)
        if key not in self._methods:
            self._methods[key] = MethodBucket(PER_MINUTE.get(method, UNKNOWN_PER_MINUTE))
        return self._methods[key]

    def _channel(self, workspace: str, channel: str) -> ChannelBucket:
        key = (workspace, channel)
        if key not in self._channels:
            self._channels[key] = ChannelBucket(CHANNEL_BURST, self._clock.monotonic())
        return self._channels[key]
