"""How many bytes are held at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from bot.engine.byte_budget import SMALL_BYTES, ByteBudget

MB = 2**20


async def test_large_ones_wait_for_one_another() -> None:
    """In the order they came; a small one waits for nobody, and one larger than the room is held alone."""
    room, order = ByteBudget(100 * MB), list[str]()

    async def hold(name: str, size: int, until: asyncio.Event) -> None:
        async with room.reserve(size):
            order.append(name)
            await until.wait()

    first, rest = asyncio.Event(), asyncio.Event()
    rest.set()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(hold("first", 60 * MB, first))
        group.create_task(hold("huge", 900 * MB, rest))
        group.create_task(hold("third", 30 * MB, rest))
        group.create_task(hold("small", SMALL_BYTES, rest))
        while "small" not in order:
            await asyncio.sleep(0)
        assert order == ["first", "small"]
        first.set()
    assert order == ["first", "small", "huge", "third"]


async def test_room_comes_back() -> None:
    """After a failure and after a wait that was given up."""
    room = ByteBudget(100 * MB)
    with pytest.raises(ValueError, match="broken"):
        async with room.reserve(100 * MB):
            raise ValueError("broken")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(room.reserve(100 * MB))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), room.reserve(50 * MB):
                raise AssertionError
    async with asyncio.timeout(10), room.reserve(100 * MB):
        assert room
