"""The pace of all calls to Slack: one budget for each workspace, method and channel, shared by every reply."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

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


@dataclass
class Lane:
    """The calls of one method in one workspace, in the order in which they asked."""

    limit: int
    sent: deque[float] = field(default_factory=deque)
    reserved: int = 0
    blocked_until: float = 0.0
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wait_s(self, now: float, spare: int = 0) -> float:
        """Seconds until a call may go, leaving `spare` more for others; 0 when it may go now."""
        while self.sent and self.sent[0] <= now - WINDOW_S:
            self.sent.popleft()
        wait = max(self.blocked_until - now, 0.0)
        allowed = self.limit - spare
        if len(self.sent) < allowed:
            return wait
        if allowed <= 0:
            return max(wait, 1.0)
        return max(wait, self.sent[len(self.sent) - allowed] + WINDOW_S - now)

    def count(self, now: float) -> None:
        """A call goes out."""
        self.sent.append(now)


@dataclass
class Bucket:
    """Posts in one channel: tokens that come back one a second."""

    tokens: float
    at: float
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    blocked_until: float = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until a post may go."""
        self.tokens = min(CHANNEL_BURST, self.tokens + (now - self.at) * CHANNEL_PER_S)
        self.at = now
        wait = max(self.blocked_until - now, 0.0)
        return wait if self.tokens >= 1 else max(wait, (1 - self.tokens) / CHANNEL_PER_S)

    def count(self) -> None:
        """A post goes out."""
        self.tokens -= 1


class Reservation:
    """The right to one later call: how a reply makes sure that what it begins it can also end."""

    def __init__(self, lane: Lane) -> None:
        self._lane: Lane | None = lane
        lane.reserved += 1

    def release(self) -> None:
        """Give it back, used or not; harmless when repeated."""
        if self._lane is not None:
            self._lane.reserved -= 1
            self._lane = None


class Governor:
    """Says when a call may go. What must go waits its turn; what may be skipped asks, and is told no."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._channels: dict[tuple[str, str], Bucket] = {}

    async def turn(self, workspace: str, method: str, channel: str = "") -> None:
        """Wait until this call may go; first come, first served."""
        if method == POSTS and channel:
            bucket = self._bucket(workspace, channel)
            async with bucket.queue:
                while wait := bucket.wait_s(self._clock.monotonic()):
                    await self._clock.sleep(wait)
                bucket.count()
        lane = self._lane(workspace, method)
        async with lane.queue:
            while wait := lane.wait_s(self._clock.monotonic()):
                await self._clock.sleep(wait)
            lane.count(self._clock.monotonic())

    def try_turn(self, workspace: str, method: str, channel: str = "") -> bool:
        """Take the turn if the call may go now without using up what others have reserved."""
        now, lane = self._clock.monotonic(), self._lane(workspace, method)
        if lane.queue.locked() or lane.wait_s(now, lane.reserved) > 0:
            return False
        if method == POSTS and channel:
            bucket = self._bucket(workspace, channel)
            if bucket.queue.locked() or bucket.wait_s(now) > 0:
                return False
            bucket.count()
        lane.count(now)
        return True

    def reserve(self, workspace: str, method: str) -> Reservation | None:
        """Keep a later call of this method, if one is left in this minute."""
        lane = self._lane(workspace, method)
        if lane.wait_s(self._clock.monotonic(), lane.reserved) > 0:
            return None
        return Reservation(lane)

    def punish(self, workspace: str, method: str, channel: str, retry_after_s: float) -> None:
        """Slack said 429: nobody calls this method there until it is over."""
        until = self._clock.monotonic() + retry_after_s
        if (
            method == POSTS and channel and retry_after_s <= 5
        ):  # a short wait is the channel's, a long one the workspace's
            bucket = self._bucket(workspace, channel)
            bucket.blocked_until = max(bucket.blocked_until, until)
            return
        lane = self._lane(workspace, method)
        lane.blocked_until = max(lane.blocked_until, until)

    def wait_s(self, workspace: str, method: str) -> float:
        """How long a call of this method would wait now."""
        return self._lane(workspace, method).wait_s(self._clock.monotonic())

    def limit(self, workspace: str, method: str, per_minute: int) -> None:
        """Learn that a workspace allows less: distributed apps read history once a minute."""
        self._lane(workspace, method).limit = per_minute

    def _lane(self, workspace: str, method: str) -> Lane:
        key = (workspace, method)
        if key not in self._lanes:
            self._lanes[key] = Lane(PER_MINUTE.get(method, UNKNOWN_PER_MINUTE))
        return self._lanes[key]

    def _bucket(self, workspace: str, channel: str) -> Bucket:
        key = (workspace, channel)
        if key not in self._channels:
            self._channels[key] = Bucket(CHANNEL_BURST, self._clock.monotonic())
        return self._channels[key]
