"""Streams and waits that end cleanly: each stage closes its source, and a stop ends what was being done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from bot.errors import StoppedError

T = TypeVar("T")
WITHOUT_REST_S = 0.01
"""Items that are ready are read for so long before others may work: a server can send a thousand in one packet."""


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T]]:
    """The source of a port, closed at the end if it can be closed: a port promises an iterator, which need not be a generator.

    For generators of our own, use `contextlib.aclosing`.
    """
    try:
        yield source
    finally:
        if (close := getattr(source, "aclose", None)) is not None:
            await close()


async def take_until(stop: asyncio.Event, source: AsyncIterator[T]) -> AsyncGenerator[T]:
    """The items of the source until the event is set; what the source was waiting for then is cancelled.

    The reader's own task waits for the items, so an item costs no task of its own; a stop interrupts it only while it waits here.
    A source that has many items ready at once does not keep others from the loop while they are read.
    """
    waiting: asyncio.Task[Any] | None = None

    def interrupt(stopped: asyncio.Future[Any]) -> None:
        if waiting is not None and not stopped.cancelled():
            waiting.cancel()

    rested = time.perf_counter()
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
            if time.perf_counter() - rested > WITHOUT_REST_S:
                await asyncio.sleep(0)
                rested = time.perf_counter()
            yield item
    finally:
        stopped.cancel()


async def cancel_on(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work. Once the event is set, the work is cancelled, and StoppedError is raised when it has ended."""
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


class StopSequences:
    """Lets a text through up to the first of some stop sequences, wherever the pieces of the stream cut it."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [(sequence, _borders(sequence)) for sequence in sequences if sequence]
        self._held = ""
        self.matched = False

    def feed(self, text: str) -> str:
        """What of the stream may be shown after this piece; what may be the beginning of a stop sequence is held back."""
        held = self._held + text
        found = [at for sequence, _ in self._sequences if (at := held.find(sequence)) >= 0]
        self.matched = bool(found)
        shown = min(found) if found else len(held) - self._held_back(held)
        self._held = "" if found else held[shown:]
        return held[:shown]

    def flush(self) -> str:
        """What was held back when the stream ended."""
        held, self._held = self._held, ""
        return held

    def _held_back(self, held: str) -> int:
        """How many characters at the end may begin a stop sequence."""
        return max((_begun(held, sequence, borders) for sequence, borders in self._sequences), default=0)


def _borders(sequence: str) -> list[int]:
    """For each beginning of the sequence, how much of its end is a shorter beginning.

    Source: Knuth, Morris, Pratt, Fast Pattern Matching in Strings.
    """
    borders, size = [0] * len(sequence), 0
    for at in range(1, len(sequence)):
        while size and sequence[at] != sequence[size]:
            size = borders[size - 1]
        size += sequence[at] == sequence[size]
        borders[at] = size
    return borders


def _begun(text: str, sequence: str, borders: Sequence[int]) -> int:
    """How many characters at the end of the text begin the sequence, which does not stand whole in it."""
    size = 0
    for character in text[-len(sequence) + 1 :] if len(sequence) > 1 else "":
        while size and character != sequence[size]:
            size = borders[size - 1]
        size += character == sequence[size]
    return size
