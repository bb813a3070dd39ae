"""Jobs that survive a crash, by DBOS: the one file that knows the library.

On SQLite one process works: each busy lane starts its jobs directly, which takes milliseconds, and nothing polls while idle. On
PostgreSQL many processes work: a queue partitioned by lane, and whoever is alive takes over what a dead process had begun.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, SetEnqueueOptions, SetWorkflowID
from sqlalchemy.engine import URL

from bot.errors import BotError, ConfigError, from_json
from bot.jobs import elapsed_ms, with_retries
from bot.ports import Clock, Handler, Job, Presence
from bot.types import StepNote, from_plain, to_plain

T = TypeVar("T")
QUEUE = "turns"
VERSION = "turn-1"
"""Goes up when the sequence of steps changes, and only then: DBOS leaves work of another version alone."""
POLL_S = 0.1
SWEEP_S = 5.0
MAX_RECOVERIES = 20
TIDY_AT_ONCE = 1_000
PRIORITY_LIMIT = 2**31 - 1
log = logging.getLogger(__name__)


class DurableStep:
    """Runs each step through DBOS, which remembers its result or its error as one line of JSON."""

    def __init__(self, clock: Clock) -> None:
        self.notes: list[StepNote] = []
        self._clock = clock

    async def __call__(self, name: str, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """The step's result, perhaps of before a restart; raises BotError."""
        began, ran = time.perf_counter(), 0

        async def remembered() -> str:
            nonlocal ran
            try:
                result, ran = await with_retries(self._clock, name, fn, args)
            except BotError as error:
                ran = error.__dict__.get("attempts", 1)
                return json.dumps({"error": error.to_json()}, default=str)
            return json.dumps({"result": to_plain(result)}, ensure_ascii=False)

        outcome = json.loads(await DBOS.run_step_async({"name": name}, remembered))
        failed = from_json(outcome["error"]) if "error" in outcome else None
        self.notes.append(StepNote(name, ran, elapsed_ms(began), failed.code if failed else ""))
        if failed:
            raise failed
        given: T = from_plain(outcome["result"])
        return given


class _Registered:
    """DBOS keeps workflows in one registry a process, so the jobs now running stand here."""

    jobs: DurableJobs | None = None


@DBOS.workflow(name="job", max_recovery_attempts=MAX_RECOVERIES)
async def _job(kind: str, job_id: str) -> None:
    if _Registered.jobs is not None:
        await _Registered.jobs.run(kind, job_id)


class DurableJobs:
    """Jobs on DBOS's own tables, beside ours in a file (SQLite) or a schema (PostgreSQL) of their own."""

    def __init__(
        self,
        url: URL,
        presence: Presence,
        clock: Clock,
        *,
        name: str,
        concurrency: int = 64,
        take_over: bool = True,
        adopt: Callable[[Sequence[str]], Awaitable[None]] | None = None,
    ) -> None:
        """url: of DBOS's tables, without a driver. name: of this process, equal after a restart.

        take_over: finish what dead processes had begun. adopt: called with their names, to hand over what they had not begun.
        """
        self._takes_over = take_over
        self._adopt = adopt
        self.name = name
        self._url = url
        self._presence = presence
        self._clock = clock
        self._concurrency = concurrency
        self._is_shared = not url.drivername.startswith("sqlite")
        self._handlers: Mapping[str, Handler] = {}
        self._lanes: dict[str, list[Job]] = {}
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._client: DBOSClient | None = None

    async def start(self, handlers: Mapping[str, Handler], *, working: bool = True) -> None:
        """Begin; what a crash interrupted is taken up again. Raises ConfigError when another Parley of this process runs."""
        if _Registered.jobs is not None:
            raise ConfigError("Only one Parley can work in a process.")
        self._handlers = handlers
        if not working:
            self._client = await asyncio.to_thread(DBOSClient, system_database_url=self._plain_url())
            return
        self.name = await self._presence.claim(self.name)
        _Registered.jobs = self
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS(config=self._dbos_config())
        DBOS.launch()  # in the running loop: jobs then run on it, where the clients of models and platforms live
        if self._is_shared:
            await DBOS.register_queue_async(
                QUEUE, partition_concurrency=1, worker_concurrency=self._concurrency, polling_interval_sec=POLL_S
            )
        await self._clear_failed()
        if self._takes_over:
            self._spawn(self._sweep())

    async def _clear_failed(self) -> None:
        """A job that a fault of ours or of the database ended is not done: handed over again, it must run again."""
        failed = await DBOS.list_workflows_async(
            status=["ERROR"], limit=TIDY_AT_ONCE, load_input=False, load_output=False
        )
        await self.forget([one.workflow_id for one in failed])

    def _dbos_config(self) -> DBOSConfig:
        config = DBOSConfig(
            name="parley",
            system_database_url=self._plain_url(),
            application_version=VERSION,
            executor_id=self.name,
            log_level="ERROR",
            enable_otlp=False,
        )
        if not self._is_shared:
            config["system_database_engine"] = _sqlite_engine(self._url)
        return config

    def _plain_url(self) -> str:
        return self._url.render_as_string(hide_password=False)

    async def enqueue(self, job: Job) -> None:
        """Hand over a job; harmless when repeated."""
        if self._client is not None:
            options = EnqueueOptions(
                queue_name=QUEUE,
                workflow_name="job",
                workflow_id=job.id,
                app_version=VERSION,
                queue_partition_key=job.lane,
                priority=_priority(job),
            )
            await self._client.enqueue_async(options, job.kind, job.id)
        elif self._is_shared:
            with SetWorkflowID(job.id), SetEnqueueOptions(queue_partition_key=job.lane, priority=_priority(job)):
                await DBOS.enqueue_workflow_async(QUEUE, _job, job.kind, job.id)
        elif job.lane in self._lanes:
            self._lanes[job.lane].append(job)
        else:
            self._lanes[job.lane] = [job]
            self._spawn(self._drain(job.lane))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, lane: str) -> None:
        """Run the jobs of a lane one after the other, until there is none."""
        waiting = self._lanes[lane]
        while waiting:
            job = min(waiting, key=lambda one: one.sequence)
            waiting.remove(job)
            async with self._slots:
                await self._start_and_wait(job)
        del self._lanes[lane]

    async def _start_and_wait(self, job: Job) -> None:
        try:
            with SetWorkflowID(job.id):
                handle = await DBOS.start_workflow_async(_job, job.kind, job.id)
            await handle.get_result()
        except Exception:  # the edge of the job runner: the lane goes on with its next job
            log.exception("job %s ended badly", job.id)

    async def run(self, kind: str, job_id: str) -> None:
        """What DBOS calls: the handler, known by its task so that `close` can interrupt it."""
        task = asyncio.current_task()
        if task is not None:
            self._running[job_id] = task
        try:
            await self._handlers[kind](job_id, DurableStep(self._clock))
        finally:
            self._running.pop(job_id, None)

    async def _sweep(self) -> None:
        """Take over what dead processes had begun: at once, and on PostgreSQL again and again."""
        while True:
            with suppress(BotError):  # a database that is away for a moment is asked again
                await self._sweep_once()
            if not self._is_shared:
                return
            await asyncio.sleep(SWEEP_S)

    async def _sweep_once(self) -> None:
        dead = await self._presence.dead()
        for name in dead:
            await self._take_over(name)
        if dead and self._adopt is not None:
            await self._adopt(dead)
        for name in dead:
            await self._presence.bury(name)

    async def _take_over(self, name: str) -> None:
        found = await DBOS.list_workflows_async(
            status=["PENDING"], executor_id=name, load_input=False, load_output=False, app_version=VERSION
        )
        if ids := [one.workflow_id for one in found]:
            log.warning("taking over %d turns of %s, which is gone", len(ids), name)
            await DBOS.resume_workflows_async(ids, queue_name=QUEUE if self._is_shared else None)

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what is remembered of jobs that have ended."""
        known = [one for one in job_ids if one not in self._running]
        if known and self._client is None:
            await DBOS.delete_workflows_async(known)

    async def tidy(self, before: datetime) -> int:
        """The same for all jobs that ended before then; gives how many."""
        if self._client is not None:
            return 0
        ended = await DBOS.list_workflows_async(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=TIDY_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        await self.forget([one.workflow_id for one in ended])
        return len(ended)

    async def close(self, patience_s: float = 4.0) -> None:
        """Wait for running jobs that long, then leave them to the next start."""
        if self._client is not None:
            await asyncio.to_thread(self._client.destroy)
            return
        if _Registered.jobs is not self:
            return
        for waiting in self._lanes.values():
            waiting.clear()
        running = list(self._running.values())
        if running:
            await asyncio.wait(running, timeout=patience_s)
        for task in {*self._running.values(), *self._tasks}:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy)
        # DBOS had made its own pool the loop's, and has just shut it down
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="parley"))
        _Registered.jobs = None
        await self._presence.release()


def _priority(job: Job) -> int:
    """Lower runs first; DBOS orders jobs of one moment by it, and by their ids where it is missing."""
    return max(1, job.sequence % PRIORITY_LIMIT)


def _sqlite_engine(url: URL) -> sa.Engine:
    """DBOS brings no settings for SQLite; these make it wait for locks, and survive a kill."""
    engine = sa.create_engine(url, pool_size=10, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (
            "busy_timeout=30000",
            "foreign_keys=ON",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
