"""Chains of async generators that end cleanly: each stage closes its source, and a stop ends what the source was doing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The source, closed at the end if it can be closed."""
    try:
        yield source
    finally:
        if (close := getattr(source, "aclose", None)) is not None:
            await close()


async def until(stop: asyncio.Event, source: AsyncIterator[T]) -> AsyncIterator[T]:
    """The items of the source until the event is set; what the source was waiting for then is cancelled.

    The reader's own task waits for the items, so an item costs no task of its own; a stop interrupts it only while it waits here.
    """
    waiting: asyncio.Task[Any] | None = None

    def interrupt(stopped: asyncio.Future[Any]) -> None:
        if waiting is not None and not stopped.cancelled():
            waiting.cancel()

    stopped = asyncio.ensure_future(stop.wait())
    stopped.add_done_callback(interrupt)
    try:
        while not stop.is_set():
            waiting = reader = asyncio.current_task()
            try:
                item = await anext(source)
            except StopAsyncIteration:
                break
            except asyncio.CancelledError:
                if reader is None or not stop.is_set() or reader.uncancel():
                    raise  # somebody else cancelled the reader
                break
            finally:
                waiting = None
            yield item
    finally:
        stopped.cancel()
