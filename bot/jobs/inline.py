"""Jobs in memory: each step is called, and nothing is remembered. For tests and demonstrations."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bot.errors import BotError
from bot.jobs import elapsed_ms, with_retries
from bot.ports import Clock, Handler, Job
from bot.types import StepRecord

T = TypeVar("T")


class InlineStep:
    """Calls each step, retries included, and notes how it went."""

    def __init__(self, clock: Clock) -> None:
        self.notes: list[StepRecord] = []
        self._clock = clock

    async def __call__(self, name: str, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """The step's result; raises BotError."""
        began = time.perf_counter()
        try:
            result: T
            result, attempts = await with_retries(self._clock, name, fn, args)
        except BotError as error:
            self.notes.append(StepRecord(name, error.attempts, elapsed_ms(began), error.code))
            raise
        self.notes.append(StepRecord(name, attempts, elapsed_ms(began)))
        return result


class InlineJobs:
    """Runs each job in a task, one at a time in a lane."""

    name = "inline"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._handler: Handler | None = None
        self._seen: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self, handler: Handler, *, working: bool = True) -> None:
        """Begin."""
        self._handler = handler if working else None

    async def enqueue(self, job: Job) -> None:
        """Run it after those enqueued before it in its lane."""
        if job.id in self._seen or self._handler is None:
            return
        self._seen.add(job.id)
        task = asyncio.create_task(self._run(job, self._handler), name=f"job {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job, handler: Handler) -> None:
        async with self._lanes[job.lane]:
            await handler(job.id, InlineStep(self._clock))

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Nothing is remembered."""

    async def prune(self, before: datetime) -> int:
        """Nothing is remembered."""
        return 0

    async def close(self, patience_s: float = 4.0) -> None:
        """Let the running jobs end for that long, then cancel them."""
        self._handler = None
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
