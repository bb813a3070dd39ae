"""The pace of writing to Discord: what its headers say holds, answers go before progress, and replies take turns."""

from __future__ import annotations

import asyncio

from adapters.discord.limiter import GLOBAL_PER_S, Bucket, RateLimiter
from tests.fakes import FakeClock


def headers(limit: int, remaining: int, reset_after: float) -> dict[str, str]:
    """As Discord sends them."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": str(reset_after),
    }


async def test_nothing_goes_into_an_empty_bucket(clock: FakeClock) -> None:
    """The next call waits for the window's end."""
    limiter = RateLimiter(clock)
    limiter.observe("PATCH", "1", headers(5, 0, 3.0))
    began = clock.monotonic()
    limiter.release(await limiter.acquire("PATCH", "1", urgent=True))
    assert clock.monotonic() - began >= 3.0
    assert not [wait for wait in clock.slept if wait > 3.1]


async def test_progress_leaves_room_for_answers(clock: FakeClock) -> None:
    """With two calls left, an edit that only shows progress waits and a final one goes."""
    limiter = RateLimiter(clock)
    limiter.observe("PATCH", "1", headers(5, 2, 4.0))
    limiter.release(await limiter.acquire("PATCH", "1", urgent=True))
    assert clock.slept == []
    began = clock.monotonic()
    limiter.release(await limiter.acquire("PATCH", "1", urgent=False))
    assert clock.monotonic() - began >= 3.9


async def test_replies_in_one_channel_take_turns(clock: FakeClock) -> None:
    """Progress goes first come, first served: nobody goes twice while another waits."""
    limiter, order = RateLimiter(clock), list[int]()

    async def reply(number: int) -> None:
        await asyncio.sleep(0)
        for _ in range(4):
            bucket = await limiter.acquire("PATCH", "1", urgent=False)
            order.append(number)
            limiter.observe("PATCH", "1", headers(5, 4, 5.0))
            limiter.release(bucket)
            await asyncio.sleep(0)

    await asyncio.gather(*(reply(number) for number in range(3)))
    assert all(sorted(order[at : at + 3]) == [0, 1, 2] for at in range(0, 12, 3))


async def test_all_calls_together_stay_below_the_global_limit(clock: FakeClock) -> None:
    """In no second more than Discord allows, over all channels; tokens of interactions do not count."""
    limiter, times = RateLimiter(clock), list[float]()

    async def write(channel: int) -> None:
        bucket = await limiter.acquire("POST", str(channel), urgent=True)
        times.append(clock.monotonic())
        limiter.release(bucket)

    await asyncio.gather(*(write(number) for number in range(120)))
    for at in times:
        assert sum(at <= other < at + 1 for other in times) <= GLOBAL_PER_S
    before = clock.monotonic()
    for number in range(100):
        limiter.release(await limiter.acquire("PATCH", f"token-{number}", urgent=True, counts=False))
    assert clock.monotonic() == before


def test_headers_out_of_order_do_not_give_calls_back() -> None:
    """Of two answers in one window the lower figure holds; a new window begins anew."""
    bucket = Bucket()
    bucket.observe(0.0, 5, 2, 4.0)
    bucket.observe(0.1, 5, 3, 3.9)
    assert bucket.free(0.1) == 2
    bucket.observe(4.2, 5, 4, 5.0)
    assert bucket.free(4.2) == 4
    assert bucket.free(9.3) == 5
