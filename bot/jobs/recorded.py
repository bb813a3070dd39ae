"""Jobs of one process that survive a crash: each step's outcome is recorded before the next step begins.

For SQLite, where one process works. Nothing polls and nothing waits for a thread; a job that was interrupted is handed over again
from the inbox, and its recorded steps are not run again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from bot.errors import BotError
from bot.jobs import elapsed_ms, encode_error, encode_result, replay, retry_until_available, with_retries
from bot.jobs.slots import FairSlots
from bot.ports import Clock, Handler, Job, StepJournal, WorkerRegistry
from bot.types import StepRecord

T = TypeVar("T")
REMEMBERED = 10_000
"""How many ended jobs are remembered by id. An older one that is handed over again finds its steps recorded, or nothing to do."""
log = logging.getLogger(__name__)


class RecordedStep:
    """Runs each step, retries included, and records its outcome; a step with a recorded outcome is not run again."""

    def __init__(self, job_id: str, journal: StepJournal, clock: Clock) -> None:
        self.notes: list[StepRecord] = []
        self._job_id = job_id
        self._journal = journal
        self._clock = clock
        self._before: list[tuple[str, str]] | None = None

    async def __call__(self, name: str, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """The step's result, which may be from before a restart; raises BotError."""
        began, ordinal = time.perf_counter(), len(self.notes)
        if (outcome := await self._recorded(ordinal, name)) is not None:
            known: T = replay(outcome, StepRecord(name, 0, elapsed_ms(began)), self.notes)
            return known
        try:
            result: T
            result, attempts = await with_retries(self._clock, name, fn, args)
        except BotError as error:
            await self._record(ordinal, name, encode_error(error))
            self.notes.append(StepRecord(name, error.attempts, elapsed_ms(began), error.code))
            raise
        await self._record(ordinal, name, encode_result(result))
        self.notes.append(StepRecord(name, attempts, elapsed_ms(began)))
        return result

    async def _recorded(self, ordinal: int, name: str) -> str | None:
        """What the step gave before a restart. Where an older version took another step, this one and those after it run anew."""
        if self._before is None:
            found, _ = await with_retries(self._clock, "steps", self._journal.load, (self._job_id,))
            self._before = list(found)
        if ordinal < len(self._before) and self._before[ordinal][0] != name:
            log.warning(
                "job %s: step %s was %s before the upgrade; it runs again", self._job_id, name, self._before[ordinal][0]
            )
            del self._before[ordinal:]
        return self._before[ordinal][1] if ordinal < len(self._before) else None

    async def _record(self, ordinal: int, name: str, outcome: str) -> None:
        """However long the database is away: what was shown and paid is not to be done again, nor written over by an error."""
        await retry_until_available(self._clock, "record", self._journal.append, (self._job_id, ordinal, name, outcome))


class RecordedJobs:
    """Runs each job in a task, one at a time in a lane, many lanes at once, and people in turn."""

    def __init__(
        self,
        journal: StepJournal,
        workers: WorkerRegistry,
        clock: Clock,
        *,
        name: str,
        concurrency: int,
        take_over: bool = True,
        requeue_of_dead: Callable[[Sequence[str]], Awaitable[None]] | None = None,
    ) -> None:
        """name: of this process, equal after a restart. take_over: finish what dead processes left.

        requeue_of_dead: called with their names, to hand over their jobs again.
        """
        self.name = name
        self._journal = journal
        self._workers = workers
        self._clock = clock
        self._takes_over = take_over
        self._requeue_of_dead = requeue_of_dead
        self._handler: Handler | None = None
        self._lanes: dict[str, list[Job]] = {}
        self._slots = FairSlots(concurrency)
        self._open: set[str] = set()
        self._ended: dict[str, None] = {}
        self._is_closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, handler: Handler, *, working: bool = True) -> None:
        """Begin, and take over what dead processes left. A process that does not work leaves its jobs to the next that does."""
        if not working:
            return
        self.name = await self._workers.register(self.name)
        self._handler = handler
        if self._takes_over:
            self._spawn(self._sweep())

    async def _sweep(self) -> None:
        with suppress(BotError):  # what stays unfinished is found at the next start
            dead = await self._workers.expired()
            if dead and self._requeue_of_dead is not None:
                await self._requeue_of_dead(dead)
            for name in dead:
                await self._workers.remove(name)

    async def enqueue(self, job: Job) -> None:
        """Hand over a job. Repeating it is harmless."""
        is_known = job.id in self._open or job.id in self._ended
        if is_known or self._is_closing or self._handler is None:
            return
        self._open.add(job.id)
        if job.lane in self._lanes:
            self._lanes[job.lane].append(job)
        else:
            self._lanes[job.lane] = [job]
            self._spawn(self._drain(job.lane, self._handler))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, lane: str, handler: Handler) -> None:
        """Run the jobs of a lane one after the other, until there is none."""
        waiting = self._lanes[lane]
        while waiting:
            job = min(waiting, key=lambda one: one.sequence)
            waiting.remove(job)
            async with self._slots.held(job.person):
                if self._is_closing:
                    return
                await self._run(job, handler)
        del self._lanes[lane]

    async def _run(self, job: Job, handler: Handler) -> None:
        try:
            await handler(job.id, RecordedStep(job.id, self._journal, self._clock))
        except Exception:  # the edge of the job runner: the lane goes on with its next job
            log.exception("job %s failed", job.id)
        self._open.discard(job.id)
        self._ended[job.id] = None
        if len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what is remembered of jobs that have ended."""
        if ended := [one for one in job_ids if one not in self._open]:
            await self._journal.forget(ended)

    async def prune(self, before: datetime) -> int:
        """The same for all jobs that ended before then; returns how many."""
        return await self._journal.forget_before(before, self._open)

    async def close(self, patience_s: float = 4.0) -> None:
        """Wait for running jobs that long, then leave them to the next start."""
        self._is_closing = True
        for waiting in self._lanes.values():
            waiting.clear()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._workers.deregister()
