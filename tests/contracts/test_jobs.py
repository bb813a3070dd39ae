"""What every implementation of the jobs port keeps: order in a lane, one at a time, once for an id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import make_url

from bot.errors import BotError, OverloadedError, UsageError
from bot.jobs.durable import DurableJobs
from bot.jobs.inline import InlineJobs
from bot.jobs.recorded import RecordedJobs
from bot.ports import Handler, Job, Jobs, Step
from bot.store import open_store
from bot.store.migrate import migrate
from bot.store.outcomes import StoreStepJournal
from bot.store.workers import StoreWorkerRegistry
from bot.types import Address, Receipt
from tests.fakes import FakeClock


class Start(Protocol):
    """Starts jobs with a handler."""

    def __call__(self, handler: Handler) -> AbstractAsyncContextManager[Jobs]: ...


@asynccontextmanager
async def recorded_jobs(folder: Path, clock: FakeClock, handler: Handler) -> AsyncIterator[Jobs]:
    """Jobs recorded on SQLite; begun again with the same folder, they find what was recorded before."""
    store = open_store(f"sqlite:///{folder / 'p.db'}")
    await migrate(store)
    jobs = RecordedJobs(StoreStepJournal(store, clock), StoreWorkerRegistry(store), clock, name="one", concurrency=8)
    await jobs.start(handler)
    try:
        yield jobs
    finally:
        await jobs.close(0.2)
        await store.close()


@pytest.fixture(params=["inline", "sqlite", "postgresql"])
def start(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Start:
    """Jobs of each kind: in memory, recorded on SQLite, durable on PostgreSQL."""

    @asynccontextmanager
    async def durable(handler: Handler) -> AsyncIterator[Jobs]:
        url = request.getfixturevalue("postgres_url")
        store = open_store(url)
        await migrate(store)
        workers = StoreWorkerRegistry(store)
        jobs = DurableJobs(make_url(url), workers, clock, name="one", concurrency=8, sweep_s=5)
        await jobs.start(handler)
        try:
            yield jobs
        finally:
            await jobs.close(0.2)
            await store.close()

    def recorded(handler: Handler) -> AbstractAsyncContextManager[Jobs]:
        return recorded_jobs(tmp_path, clock, handler)

    @asynccontextmanager
    async def inline(handler: Handler) -> AsyncIterator[Jobs]:
        jobs = InlineJobs(clock)
        await jobs.start(handler)
        yield jobs
        await jobs.close(0.2)

    kinds: dict[str, Start] = {"inline": inline, "sqlite": recorded, "postgresql": durable}
    return kinds[request.param]


class Log:
    """What happened, and a way to wait for it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self._changed = asyncio.Condition()

    async def note(self, what: Any) -> None:
        """Add it."""
        async with self._changed:
            self.seen.append(what)
            self._changed.notify_all()

    async def until(self, count: int) -> None:
        """Wait for that many notes."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.seen) >= count)


async def test_a_lane_keeps_its_order_and_lanes_do_not_wait(start: Start) -> None:
    """Jobs of a lane run one after the other in their order, whatever their ids; another lane does not wait for them."""
    log, gate = Log(), asyncio.Event()

    async def handle(job_id: str, step: Step) -> None:
        if job_id == "z-first":
            await gate.wait()
        await log.note(job_id)

    async with start(handle) as jobs:
        for sequence, name in enumerate(("z-first", "m-second", "a-third"), start=1):
            await jobs.enqueue(Job(name, "lane", sequence))
        await jobs.enqueue(Job("other", "elsewhere", 9))
        await log.until(1)
        assert log.seen == ["other"]
        gate.set()
        await log.until(4)
        assert log.seen == ["other", "z-first", "m-second", "a-third"]


async def test_an_id_runs_once(start: Start) -> None:
    """Handing over the same job again, at once or later, runs it once."""
    log = Log()

    async def handle(job_id: str, step: Step) -> None:
        await log.note(job_id)

    async with start(handle) as jobs:
        await asyncio.gather(*(jobs.enqueue(Job("a", "lane", 1)) for _ in range(5)))
        await jobs.enqueue(Job("b", "lane", 2))
        await log.until(2)
        await jobs.enqueue(Job("a", "lane", 1))
        await jobs.enqueue(Job("c", "lane", 3))
        await log.until(3)
        assert log.seen == ["a", "b", "c"]


async def test_steps_give_values_and_errors(start: Start, clock: FakeClock) -> None:
    """A step gives its value, is retried when that is worth it, and raises the error that it ended with."""
    log = Log()
    receipt = Receipt(Address("p", "w", "c"), "t", ("m1",))
    tries = 0

    async def flaky() -> Receipt:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OverloadedError("busy", retry_after_s=5)
        return receipt

    async def wrong() -> None:
        raise UsageError("no")

    async def handle(job_id: str, step: Step) -> None:
        got = await step("flaky", flaky)
        try:
            await step("wrong", wrong)
        except BotError as error:
            await log.note(
                (got, type(error), error.text, [(note.name, note.attempts, note.error) for note in step.notes])
            )

    async with start(handle) as jobs:
        await jobs.enqueue(Job("a", "lane", 1))
        await log.until(1)
    assert log.seen == [(receipt, UsageError, "no", [("flaky", 3, ""), ("wrong", 1, "usage")])]
    assert clock.slept == [5, 5]


async def test_a_job_that_breaks_does_not_hold_its_lane(start: Start) -> None:
    """A handler's own fault ends its job, and the next of the lane runs."""
    log = Log()

    async def handle(job_id: str, step: Step) -> None:
        await log.note(job_id)
        if job_id == "bad":
            raise BotError("bug")

    async with start(handle) as jobs:
        await jobs.enqueue(Job("bad", "lane", 1))
        await jobs.enqueue(Job("good", "lane", 2))
        await log.until(2)
    assert log.seen == ["bad", "good"]


async def test_what_was_remembered_can_be_forgotten(start: Start, clock: FakeClock) -> None:
    """Steps of ended jobs can be deleted by id or by age; a job that runs is not touched."""
    log, gate = Log(), asyncio.Event()

    async def remember() -> str:
        return "a secret"

    async def handle(job_id: str, step: Step) -> None:
        await step("remember", remember)
        await log.note(job_id)
        if job_id == "running":
            await gate.wait()

    async with start(handle) as jobs:
        await jobs.enqueue(Job("old", "lane", 1))
        await jobs.enqueue(Job("other", "lane", 2))
        await jobs.enqueue(Job("running", "elsewhere", 3))
        await log.until(3)
        await jobs.forget(["old", "running", "never heard of"])
        async with asyncio.timeout(10):
            while await jobs.prune(datetime.now(UTC) + timedelta(seconds=1)) and not gate.is_set():
                await asyncio.sleep(0.01)
        gate.set()


async def test_a_step_that_an_upgrade_renamed_runs_anew(tmp_path: Path, clock: FakeClock) -> None:
    """What the older version remembered counts up to the first step that is another one now; from there on all runs again.

    Recorded jobs only: on PostgreSQL the version of the steps keeps work of another release apart.
    """
    log = Log()

    async def took(job_id: str, step: Step, names: Sequence[str]) -> list[str]:
        """What each of these steps gave; a step that really runs is noted."""

        async def run(name: str, release: str) -> str:
            await log.note(f"{release} runs {name}")
            return f"{name} of {release}"

        return [await step(name, run, name, release) for name in names]

    async def finished(names: Sequence[str]) -> list[str]:
        """What the job's steps gave in a process that begins after the last one is gone."""
        given: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

        async def handle(job_id: str, step: Step) -> None:
            given.set_result(await took(job_id, step, names))

        async with recorded_jobs(tmp_path, clock, handle) as jobs:
            await jobs.enqueue(Job("a", "lane", 1))
            async with asyncio.timeout(30):
                return await given

    release = "old"
    assert await finished(["open", "draft", "finish"]) == ["open of old", "draft of old", "finish of old"]
    release = "new"
    renamed = ["open", "answer", "finish"]
    expected = ["open of old", "answer of new", "finish of new"]
    assert await finished(renamed) == expected
    release = "newest"
    assert await finished(renamed) == expected
    assert [one for one in log.seen if not one.startswith("old")] == ["new runs answer", "new runs finish"]


async def test_one_person_does_not_hold_all_slots(start: Start) -> None:
    """However many jobs one person has in however many lanes, a colleague's begins while they run; these have half of the slots."""
    log, gate = Log(), asyncio.Event()

    async def handle(job_id: str, step: Step) -> None:
        await log.note(job_id)
        if job_id.startswith("spam"):
            await gate.wait()

    async with start(handle) as jobs:
        for number in range(40):
            await jobs.enqueue(Job(f"spam{number}", f"lane{number}", number + 1, "1 mallory"))
        await log.until(4)
        await jobs.enqueue(Job("mine", "elsewhere", 99, "1 ann"))
        async with asyncio.timeout(10):
            while "mine" not in log.seen:
                await asyncio.sleep(0.005)
        if not isinstance(jobs, InlineJobs):
            assert len(log.seen) == 5
        gate.set()
        await log.until(41)
