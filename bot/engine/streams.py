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
    """The items of the source until the event is set; what the source was doing then is cancelled."""
    stopped = asyncio.ensure_future(stop.wait())
    coming: asyncio.Future[Any] | None = None
    try:
        while not stop.is_set():
            coming = asyncio.ensure_future(anext(source))
            await asyncio.wait({coming, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                break
            try:
                item = coming.result()
            except StopAsyncIteration:
                break
            yield item
    finally:
        stopped.cancel()
        if coming is not None and not coming.done():
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
