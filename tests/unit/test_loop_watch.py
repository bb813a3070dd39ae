"""Whoever holds the event loop is named in the log, and how late the loop is stands in a metric."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from bot import telemetry
from bot.loop_watch import LoopWatch
from tests.conftest import MakeApp

HOLD_S = 0.1


def hold(seconds: float) -> None:
    """Keep the loop from anything else, in Python."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def hold_in_c() -> None:
    """Keep the whole interpreter from anything else, the last time for half a second in one call, on a machine of any speed."""
    length, took_s = 25, 0.0
    while took_s < 5 * HOLD_S:
        began = time.monotonic()
        re.match(r"(a|aa)+$", "a" * length + "b")
        took_s, length = time.monotonic() - began, length + 1


@asynccontextmanager
async def watched(quiet_s: float = 60.0, hold_s: float = HOLD_S) -> AsyncIterator[None]:
    """A loop that is watched."""
    task = asyncio.create_task(LoopWatch(hold_s=hold_s, quiet_s=quiet_s).watch())
    await passes()
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def passes() -> None:
    """Let the loop do what it does between two waits."""
    for _ in range(3):
        await asyncio.sleep(0)


def lag(of: str) -> float:
    """The metric's sum or count so far."""
    return telemetry.registry.get_sample_value(f"parley_loop_lag_seconds_{of}") or 0.0


def named(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged about holds."""
    return [text for text in caplog.messages if "the loop was held" in text]


@pytest.mark.parametrize(("how", "inside"), [(lambda: hold(0.4), ""), (hold_in_c, "hold_in_c (line 33), in re.match")])
async def test_whoever_holds_the_loop_is_named(
    how: Callable[[], None], inside: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the function, its module, what it called, and for how long, also when that lets no other thread run."""
    caplog.set_level(logging.WARNING, "bot.loop_watch")
    async with watched():
        before = lag("sum"), lag("count")
        how()
        await passes()
    text = next(one for one in named(caplog) if "test_loop_watch.hold" in one)
    assert re.search(r"held for \d+\.\d\d s by (tests\.unit\.)?test_loop_watch\.hold", text)
    assert inside in text
    assert float(text.split("held for ")[1].split(" ")[0]) > 2 * HOLD_S
    assert lag("sum") - before[0] > 2 * HOLD_S
    assert lag("count") > before[1]


async def test_a_culprit_is_named_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """A function that holds the loop again and again does not fill the log; another one is named all the same."""
    caplog.set_level(logging.WARNING, "bot.loop_watch")
    async with watched():
        for _ in range(3):
            hold(3 * HOLD_S)
            await passes()
        hold_in_c()
        await passes()
    assert len({re.sub(r"[\d.]+ s", "", text) for text in named(caplog)}) == len(named(caplog)) >= 2
    caplog.clear()
    async with watched(quiet_s=0.0):
        for _ in range(2):
            hold(3 * HOLD_S)
            await passes()
    assert len(named(caplog)) >= 2


async def test_a_loop_that_is_not_held_is_not_complained_about(caplog: pytest.LogCaptureFixture) -> None:
    """Much work in small pieces holds nobody up."""
    caplog.set_level(logging.WARNING, "bot.loop_watch")
    async with watched(hold_s=0.6):  # a busy machine may stretch a piece to several times its length
        for _ in range(16):
            hold(0.05)
            await asyncio.sleep(0)
    assert named(caplog) == []


async def test_a_parley_that_runs_watches_its_loop(make_app: MakeApp) -> None:
    """The metric counts from the start, with jobs as they are in use, and no longer than it runs."""
    async with make_app(durable=True):
        before = lag("count")
        await passes()
        hold(0.01)
        await passes()
        assert lag("count") > before
    await passes()
    after = lag("count")
    hold(0.01)
    await passes()
    assert lag("count") == after
