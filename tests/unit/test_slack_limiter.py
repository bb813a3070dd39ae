"""The pace: what must go waits its turn in order, what may be skipped never takes what others need."""

from __future__ import annotations

import asyncio

from adapters.slack.limiter import CHANNEL_BURST, PER_MINUTE, WINDOW_S, RateLimiter
from tests.fakes import FakeClock


class Ticking(FakeClock):
    """A clock whose sleepers all sleep through the same time."""

    async def sleep(self, seconds: float) -> None:
        """Move on only as far as nobody else has."""
        until = self.monotonic() + seconds
        while self.monotonic() < until:
            await super().sleep(min(until - self.monotonic(), 0.5))


async def test_calls_beyond_the_minute_wait_for_the_next() -> None:
    """The twenty-first start of a stream goes a minute after the first."""
    clock = FakeClock()
    limiter, began = RateLimiter(clock), clock.monotonic()
    for _ in range(PER_MINUTE["chat.startStream"]):
        await limiter.acquire("T1", "chat.startStream")
    assert clock.monotonic() == began
    await limiter.acquire("T1", "chat.startStream")
    assert clock.monotonic() - began >= WINDOW_S
    assert limiter.try_acquire("T2", "chat.startStream")


async def test_a_channel_takes_one_post_a_second_after_a_burst() -> None:
    """Ten posts take as many seconds as the burst does not cover."""
    clock = FakeClock()
    limiter, began = RateLimiter(clock), clock.monotonic()
    for _ in range(10):
        await limiter.acquire("T1", "chat.postMessage", "C1")
    assert 10 - CHANNEL_BURST <= clock.monotonic() - began + 0.01 <= 11 - CHANNEL_BURST


async def test_what_is_reserved_is_left_alone_by_what_may_be_skipped() -> None:
    """A reply that reserved its last edit gets it, however many others would like to edit."""
    limiter = RateLimiter(FakeClock())
    reservation = limiter.reserve("T1", "chat.update")
    assert reservation is not None
    count = 0
    while limiter.try_acquire("T1", "chat.update"):
        count += 1
    assert count == PER_MINUTE["chat.update"] - 1 and limiter.reserve("T1", "chat.update") is None
    reservation.release()
    reservation.release()
    assert limiter.wait_s("T1", "chat.update") == 0
    await limiter.acquire("T1", "chat.update")


async def test_no_one_overtakes() -> None:
    """Who asked first goes first."""
    clock, order = Ticking(), list[int]()
    limiter = RateLimiter(clock)
    for _ in range(PER_MINUTE["chat.update"]):
        limiter.try_acquire("T1", "chat.update")

    async def go(number: int) -> None:
        await limiter.acquire("T1", "chat.update")
        order.append(number)

    await asyncio.gather(*(go(number) for number in range(8)))
    assert order == list(range(8))


async def test_a_429_stops_everybody() -> None:
    """After Retry-After nobody calls until it is over; a short one of posting is the channel's alone."""
    clock = FakeClock()
    limiter = RateLimiter(clock)
    limiter.block("T1", "chat.update", "", 30)
    assert not limiter.try_acquire("T1", "chat.update") and limiter.reserve("T1", "chat.update") is None
    assert 29 < limiter.wait_s("T1", "chat.update") <= 30
    limiter.block("T1", "chat.postMessage", "C1", 2)
    assert not limiter.try_acquire("T1", "chat.postMessage", "C1") and limiter.try_acquire(
        "T1", "chat.postMessage", "C2"
    )
