"""Jobs of many processes that survive a crash, by DBOS on PostgreSQL: the one file that knows the library.

A queue partitioned by lane hands each job to one process; a living process takes over what a dead one had begun.

Its tables hold plain JSON. DBOS itself would pickle, and would unpickle whatever row says that it is a pickle: whoever can write to
the database could run code in every worker. So nothing is ever unpickled here, and what a former version pickled is begun anew.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, SetEnqueueOptions, SetWorkflowID
from dbos._serialization import DBOSPortableJSON, DefaultSerializer
from sqlalchemy.engine import URL

from bot.errors import BotError, ConfigError
from bot.jobs import elapsed_ms, encode_error, encode_result, replay, with_retries
from bot.jobs.slots import FairSlots
from bot.ports import Clock, Handler, Job, WorkerRegistry
from bot.redaction import redact
from bot.types import StepRecord

T = TypeVar("T")
QUEUE = "turns"
NOBODY = "turn"
"""The first argument of a job that names no person, as those of earlier releases do."""
VERSION = "turn-2"
"""Goes up when the sequence of steps changes, and only then: DBOS leaves work of another version alone."""
POLL_S = 0.1
REQUEUE_EVERY = 6
"""After how many sweeps turns that no process was given are handed over again."""
MAX_RECOVERIES = 20
LEAST_ROOM = 64
"""Jobs that a process takes from the queue beyond those that run: DBOS gives them in their order, and who is let in first is ours
to say. One person fills that room only where as many of theirs may wait."""
PRUNE_AT_ONCE = 1_000
PRIORITY_LIMIT = 2**31 - 1
SELECT_PICKLED = """
    SELECT workflow_uuid FROM dbos.workflow_status
    WHERE serialization IS DISTINCT FROM %s
    AND (status IN ('ENQUEUED', 'DELAYED', 'ERROR') OR (status = 'PENDING' AND executor_id = %s))
"""
"""Jobs that nobody works on and whose rows are no JSON."""
log = logging.getLogger(__name__)


def _refuse_pickle(serializer: DefaultSerializer, serialized_data: str) -> Any:
    raise ValueError("a row of DBOS's tables holds a pickle, which is not opened")


setattr(DefaultSerializer, "deserialize", _refuse_pickle)  # noqa: B010  (mypy knows it as a method)


class DurableStep:
    """Runs each step through DBOS, which remembers its result or its error as one line of JSON."""

    def __init__(self, clock: Clock) -> None:
        self.notes: list[StepRecord] = []
        self._clock = clock

    async def __call__(self, name: str, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """The step's result, which may be from before a restart; raises BotError."""
        began, ran = time.perf_counter(), 0

        async def remembered() -> str:
            nonlocal ran
            try:
                result, ran = await with_retries(self._clock, name, fn, args)
            except BotError as error:
                ran = error.attempts
                return encode_error(error)
            return encode_result(result)

        outcome = await DBOS.run_step_async({"name": name}, remembered)
        given: T = replay(outcome, StepRecord(name, ran, elapsed_ms(began)), self.notes)
        return given


class _Registered:
    """DBOS keeps workflows in one registry a process, so the jobs now running stand here."""

    jobs: DurableJobs | None = None


@DBOS.workflow(name="job", max_recovery_attempts=MAX_RECOVERIES)
async def _job(person: str, job_id: str) -> None:
    if _Registered.jobs is not None:
        await _Registered.jobs.run(job_id, person)


class DurableJobs:
    """Jobs on DBOS's own tables, beside ours in a schema of their own."""

    def __init__(
        self,
        url: URL,
        workers: WorkerRegistry,
        clock: Clock,
        *,
        name: str,
        concurrency: int,
        take_over: bool = True,
        requeue_stale: Callable[[], Awaitable[None]] | None = None,
        sweep_s: float,
        prune_at_once: int = PRUNE_AT_ONCE,
    ) -> None:
        """url: of the database, without a driver. name: of this process, equal after a restart.

        take_over: finish what dead processes had begun. requeue_stale: called now and then, to hand over what nobody was given.
        sweep_s: between two looks for dead processes. prune_at_once: jobs that are deleted by one statement.
        """
        self._takes_over = take_over
        self._requeue_stale = requeue_stale
        self._sweep_s = sweep_s
        self._prune_at_once = prune_at_once
        self.name = name
        self._url = url
        self._workers = workers
        self._clock = clock
        self._concurrency = concurrency
        self._slots = FairSlots(concurrency)
        self._handler: Handler | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._client: DBOSClient | None = None

    async def start(self, handler: Handler, *, working: bool = True) -> None:
        """Begin, and resume what a crash interrupted. Raises ConfigError when another Parley of this process runs."""
        if _Registered.jobs is not None:
            raise ConfigError("Only one Parley can work in a process.")
        self._handler = handler
        if not working:
            self._client = await asyncio.to_thread(
                DBOSClient, system_database_url=self._plain_url(), serializer=DBOSPortableJSON
            )
            return
        self.name = await self._workers.register(self.name)
        _Registered.jobs = self
        DBOS(config=self._dbos_config())
        library = logging.getLogger("dbos")
        library.setLevel(logging.ERROR)
        library.handlers.clear()  # it has one of its own, past our log, which strikes out secrets
        library.propagate = True
        DBOS.launch()  # in the running loop: jobs then run on it, where the clients of models and platforms live
        await self._forget_pickled()
        await DBOS.register_queue_async(
            QUEUE,
            partition_concurrency=1,
            worker_concurrency=self._concurrency + max(self._concurrency, LEAST_ROOM),
            polling_interval_sec=POLL_S,
        )
        await self._clear_failed()
        if self._takes_over:
            self._spawn(self._sweep())

    async def _forget_pickled(self) -> None:
        """What a former version left is not opened: its turns are handed over again from the inbox."""
        if pickled := await asyncio.to_thread(self._pickled):
            log.warning("%d turns that a former version had queued are begun anew", len(pickled))
            await self.forget(pickled)

    def _pickled(self) -> list[str]:
        with psycopg.connect(self._plain_url()) as connection:
            rows = connection.execute(SELECT_PICKLED, (DBOSPortableJSON.name(), self.name)).fetchall()
        return [str(job_id) for (job_id,) in rows]

    async def _clear_failed(self) -> None:
        """A job that a fault of ours or of the database ended is not done: handed over again, it must run again."""
        failed = await DBOS.list_workflows_async(
            status=["ERROR"], limit=PRUNE_AT_ONCE, load_input=False, load_output=False
        )
        await self.forget([one.workflow_id for one in failed])

    def _dbos_config(self) -> DBOSConfig:
        return DBOSConfig(
            name="parley",
            system_database_url=self._plain_url(),
            application_version=VERSION,
            executor_id=self.name,
            log_level="ERROR",
            enable_otlp=False,
            serializer=DBOSPortableJSON,
        )

    def _plain_url(self) -> str:
        return self._url.render_as_string(hide_password=False)

    async def enqueue(self, job: Job) -> None:
        """Hand over a job. Repeating it is harmless."""
        if self._client is not None:
            options = EnqueueOptions(
                queue_name=QUEUE,
                workflow_name="job",
                workflow_id=job.id,
                app_version=VERSION,
                queue_partition_key=job.lane,
                priority=_priority(job),
            )
            await self._client.enqueue_async(options, job.person or NOBODY, job.id)
        else:
            with SetWorkflowID(job.id), SetEnqueueOptions(queue_partition_key=job.lane, priority=_priority(job)):
                await DBOS.enqueue_workflow_async(QUEUE, _job, job.person or NOBODY, job.id)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self, job_id: str, person: str) -> None:
        """What DBOS calls: the handler, once it is the person's turn, known by its task so that `close` can interrupt it.

        Its error is kept as words.
        """
        assert self._handler is not None
        task = asyncio.current_task()
        if task is not None:
            self._running[job_id] = task
        try:
            async with self._slots.held(person):
                await self._handler(job_id, DurableStep(self._clock))
        except Exception as error:  # the edge of the job runner: DBOS keeps what the error says
            log.exception("job %s failed", job_id)
            raise RuntimeError(redact(f"{type(error).__name__}: {error}")) from None
        finally:
            self._running.pop(job_id, None)

    async def _sweep(self) -> None:
        """Again and again, take over what dead processes had begun, and hand over turns that no process was given."""
        for sweep in itertools.count():
            try:
                for name in await self._workers.expired():
                    await self._take_over(name)
                    await self._workers.remove(name)
                if sweep % REQUEUE_EVERY == 1:
                    await self._clear_failed()
                    if self._requeue_stale is not None:
                        await self._requeue_stale()
            except Exception as error:  # the edge of the sweep: a database that is away for a moment is asked again
                log.warning("could not look for turns of dead processes: %s: %s", type(error).__name__, error)
            await asyncio.sleep(self._sweep_s)

    async def _take_over(self, name: str) -> None:
        found = await DBOS.list_workflows_async(
            status=["PENDING"], executor_id=name, load_input=False, load_output=False, app_version=VERSION
        )
        if ids := [one.workflow_id for one in found]:
            log.warning("taking over %d turns of %s, which is no longer running", len(ids), name)
            await DBOS.resume_workflows_async(ids, queue_name=QUEUE)

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what is remembered of jobs that have ended."""
        known = [one for one in job_ids if one not in self._running]
        if known and self._client is None:
            await DBOS.delete_workflows_async(known)

    async def prune(self, before: datetime) -> int:
        """The same for all jobs that ended before then; returns how many."""
        if self._client is not None:
            return 0
        count = 0
        while ended := await self._ended_before(before):
            await self.forget(ended)
            count += len(ended)
        return count

    async def _ended_before(self, before: datetime) -> list[str]:
        """So many at once."""
        ended = await DBOS.list_workflows_async(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=self._prune_at_once,
            load_input=False,
            load_output=False,
        )
        return [one.workflow_id for one in ended if one.workflow_id not in self._running]

    async def close(self, patience_s: float = 4.0) -> None:
        """Wait for running jobs that long, then leave them to the next start."""
        if self._client is not None:
            await asyncio.to_thread(self._client.destroy)
            return
        if _Registered.jobs is not self:
            return
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
        await self._workers.deregister()


def _priority(job: Job) -> int:
    """Lower runs first; DBOS orders jobs of one moment by it, and by their ids where it is missing."""
    return max(1, job.sequence % PRIORITY_LIMIT)
