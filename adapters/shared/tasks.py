"""Background tasks of one owner: a reference to each, a log line for what fails, and one way to end them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from bot.errors import BotError


class TaskSet:
    """Runs work beside its caller.

    The event loop holds its tasks weakly, so whoever starts one has to keep it. Work that fails is logged: nobody awaits it.
    """

    def __init__(self, log: logging.Logger, subject: str) -> None:
        """log: where failures go. subject: what the work belongs to, such as "Slack"; it begins each log line."""
        self._log, self._subject = log, subject
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Awaitable[Any]) -> asyncio.Task[None]:
        """Start the work; its result is dropped."""
        task = asyncio.create_task(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _logged(self, work: Awaitable[Any]) -> None:
        try:
            await work
        except BotError as error:
            self._log.warning("%s: %s %s", self._subject, error.text, error.detail)
        except Exception:  # an edge: nobody else would see it
            self._log.exception("%s: background work failed", self._subject)

    async def close(self, patience_s: float = 0.0) -> None:
        """Give the work this long to end, then cancel the rest and wait until it has ended."""
        if self._tasks and patience_s:
            await asyncio.wait(self._tasks, timeout=patience_s)
        await cancel(*self._tasks)


async def cancel(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until they have ended; what they raise is dropped. None is skipped, so optional tasks need no check."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
