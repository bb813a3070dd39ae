"""What every implementation of the jobs port keeps: order in a lane, one at a time, once for an id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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


@pytest.fixture(params=["inline", "sqlite", "postgresql"])
def start(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Start:
    """Jobs of each kind: in memory, recorded on SQLite, durable on PostgreSQL."""

    @asynccontextmanager
    async def durable(handler: Handler) -> AsyncIterator[Jobs]:
        is_shared = request.param == "postgresql"
        url = request.getfixturevalue("postgres_url") if is_shared else f"sqlite:///{tmp_path / 'p.db'}"
        store = open_store(url)
        await migrate(store)
        presence = StoreWorkerRegistry(store)
        recorded = RecordedJobs(StoreStepJournal(store, clock), presence, clock, name="one", concurrency=8)
        jobs: Jobs = DurableJobs(make_url(url), presence, clock, name="one", concurrency=8) if is_shared else recorded
        await jobs.start({"turn": handler})
        try:
            yield jobs
        finally:
            await jobs.close(0.2)
            await store.close()

    @asynccontextmanager
    async def inline(handler: Handler) -> AsyncIterator[Jobs]:
        jobs = InlineJobs(clock)
        await jobs.start({"turn": handler})
        yield jobs
        await jobs.close(0.2)

    return inline if request.param == "inline" else durable


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
