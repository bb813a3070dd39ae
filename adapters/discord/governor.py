"""The pace of writing to Discord: one budget for each channel and kind of call, kept by what Discord's own headers say."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.ports import Clock

GLOBAL_PER_S = 48
"""Just below Discord's 50 a second for all of a bot's calls. Source: Discord, Topics, Rate Limits."""
INTERIM_PER_S, LEAST_PER_S = 24, 2
"""Of these, what only shows progress may use: the fewer the more answers are under way, for each of them will soon want to end."""
GAP_S = 0.9
"""At least so long between two edits in one channel that only show progress."""
MAX_LANES = 2_000


@dataclass
class Lane:
    """One kind of call in one channel."""

    limit: int = 1
    remaining: int = 1
    resets_at: float = 0.0
    in_flight: int = 0
    urgent: int = 0
    """Calls waiting that must go."""
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

    def note(self, now: float, limit: int, remaining: int, reset_after_s: float) -> None:
        """What an answer's headers said; those of one window may arrive out of order."""
        resets_at = now + reset_after_s
        is_same_window = abs(resets_at - self.resets_at) < 0.3
        self.limit, self.resets_at = limit, resets_at
        self.remaining = min(remaining, self.remaining) if is_same_window else remaining


class Governor:
    """Says when a call may go. Answers go before progress; replies in one channel take turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._sent: deque[float] = deque()
        self._urgent = 0
        self.answers = 0
        """How many are under way in this process."""

    async def turn(self, kind: str, channel: str, *, urgent: bool, counts: bool = True) -> Lane:
        """Wait until this call may go; `done` must follow. counts: towards the limit of all calls, which webhooks do not."""
        lane = self._lane(kind, channel)
        if not urgent:
            async with lane.interim_queue:
                await self._wait(lane, urgent=False, counts=counts)
                self._count(lane, counts)
                lane.next_at = self._clock.monotonic() + lane.pace_s(self._clock.monotonic())
            return lane
        lane.urgent += 1
        self._urgent += 1
        try:
            async with lane.urgent_queue:
                await self._wait(lane, urgent=True, counts=counts)
                self._count(lane, counts)
        finally:
            lane.urgent -= 1
            self._urgent -= 1
        return lane

    def _count(self, lane: Lane, counts: bool) -> None:
        lane.in_flight += 1
        if counts:
            self._sent.append(self._clock.monotonic())

    async def _wait(self, lane: Lane, *, urgent: bool, counts: bool) -> None:
        while wait := self._wait_s(lane, urgent=urgent, counts=counts):
            await self._clock.sleep(wait)

    def _wait_s(self, lane: Lane, *, urgent: bool, counts: bool) -> float:
        now = self._clock.monotonic()
        if lane.free(now) <= (0 if urgent else lane.spare()):
            return max(lane.resets_at - now, 0.02)
        if not urgent and (lane.urgent or lane.next_at > now):
            return max(lane.next_at - now, 0.05)
        return self._global_wait_s(now, urgent) if counts else 0.0

    def _global_wait_s(self, now: float, urgent: bool) -> float:
        while self._sent and self._sent[0] <= now - 1.0:
            self._sent.popleft()
        limit = GLOBAL_PER_S if urgent else min(max(GLOBAL_PER_S - self.answers, LEAST_PER_S), INTERIM_PER_S)
        if not urgent and self._urgent:
            return 0.1
        if len(self._sent) < limit:
            return 0.0
        return max(self._sent[len(self._sent) - limit] + 1.0 - now, 0.01)

    def try_turn(self) -> bool:
        """Take a turn for something that nobody would miss, if there is room for it now."""
        now = self._clock.monotonic()
        if self._urgent or self._global_wait_s(now, urgent=False) > 0:
            return False
        self._sent.append(now)
        return True

    def done(self, lane: Lane) -> None:
        """The call was answered, or failed."""
        lane.in_flight -= 1

    def note(self, kind: str, channel: str, headers: Mapping[str, str]) -> None:
        """What an answer's headers say about its bucket. Source: Discord, Topics, Rate Limits, Header Format."""
        try:
            limit, remaining = int(headers["X-RateLimit-Limit"]), int(headers["X-RateLimit-Remaining"])
            reset_after_s = float(headers["X-RateLimit-Reset-After"])
        except (KeyError, ValueError):
            return
        self._lane(kind, channel).note(self._clock.monotonic(), limit, remaining, reset_after_s)

    def _lane(self, kind: str, channel: str) -> Lane:
        key = (kind, channel)
        if key not in self._lanes:
            if len(self._lanes) >= MAX_LANES:
                self._tidy()
            self._lanes[key] = Lane()
        return self._lanes[key]

    def _tidy(self) -> None:
        now = self._clock.monotonic()
        idle = [k for k, lane in self._lanes.items() if not (lane.in_flight or lane.urgent) and lane.resets_at < now]
        for key in idle:
            if not (self._lanes[key].interim_queue.locked() or self._lanes[key].urgent_queue.locked()):
                del self._lanes[key]


__all__ = ["Governor", "Lane"]
