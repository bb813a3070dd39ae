"""Streams and waits that end cleanly: each stage closes its source, and a stop ends what was being done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from bot.errors import StoppedError

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


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work; raises StoppedError once the event is set, when the work has been cancelled and has ended."""
    if stop.is_set():
        work.close()
        raise StoppedError("You stopped it.")
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        was_done = task.done()
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
    if not was_done and task.cancelled():
        raise StoppedError("You stopped it.")
    return task.result()


class StopTexts:
    """Lets a text through up to the first of some stop texts, wherever the pieces of the stream part it."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(filter(None, texts))
        self._held = ""
        self.is_met = False

    def take(self, text: str) -> str:
        """What of the stream may be shown after this piece; what may be the beginning of a stop text is held back."""
        held = self._held + text
        found = [at for one in self._texts if (at := held.find(one)) >= 0]
        self.is_met = bool(found)
        shown = min(found) if found else len(held) - self._begun(held)
        self._held = "" if found else held[shown:]
        return held[:shown]

    def rest(self) -> str:
        """What was held back when the stream ended."""
        held, self._held = self._held, ""
        return held

    def _begun(self, held: str) -> int:
        """How many characters at the end may begin a stop text."""
        begun = (size for one in self._texts for size in range(1, len(one)) if held.endswith(one[:size]))
        return max(begun, default=0)
