"""An answer on its way to the platform, beside the model that writes it.

A platform that is slow or away holds up neither the model nor the record of what it wrote: `finish` leaves exactly the reply in the
end, so what is shown meanwhile may lag behind, or fail.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator

from bot.errors import BotError
from bot.ports import Adapter
from bot.types import Receipt, ReplyEvent

log = logging.getLogger(__name__)


class Display:
    """Passes the events of one answer on to `Adapter.stream`, which runs in a task of its own."""

    def __init__(self, adapter: Adapter, receipt: Receipt) -> None:
        self._adapter, self.receipt = adapter, receipt
        self._task: asyncio.Task[None] | None = None

    async def show(self, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come. Returns once the last has come, before it is shown; raises the BotError that ends them.

        The platform sees that error too, as the end of what it was given.
        """
        await self.end()
        queue: asyncio.Queue[ReplyEvent | BotError | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._stream(queue))
        try:
            async for event in events:
                queue.put_nowait(event)
                await asyncio.sleep(
                    0
                )  # a model that never waits would be read to its end before its first word is shown
        except BotError as error:
            queue.put_nowait(error)
            await self.end()
            raise
        except BaseException:
            await self.close()
            raise
        queue.put_nowait(None)

    async def _stream(self, queue: asyncio.Queue[ReplyEvent | BotError | None]) -> None:
        source = _Source(queue)
        try:
            await self._adapter.stream(self.receipt, source.events())
        except BotError as error:
            if error is not source.error:
                log.warning("an answer is not shown while it comes: %s (%s)", error.code, error.detail or error.text)
        except Exception:  # the edge of the display: the answer goes on, and is shown whole in the end
            log.exception("an answer could not be shown while it comes")

    async def end(self) -> None:
        """Wait until all that came is shown, or could not be."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """End at once; what was not shown yet stays unshown."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class _Source:
    """The events that a display was given, for the platform to read."""

    def __init__(self, queue: asyncio.Queue[ReplyEvent | BotError | None]) -> None:
        self._queue = queue
        self.error: BotError | None = None
        """What ended them."""

    async def events(self) -> AsyncGenerator[ReplyEvent]:
        """Each as it comes. Raises the error that ended them."""
        while (event := await self._queue.get()) is not None:
            if isinstance(event, BotError):
                self.error = event
                raise event
            yield event
