"""The thread of the local models: in order, in turns, never in the way of the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from bot.errors import UnavailableError
from bot.policy.fairness import on_behalf_of
from bot.providers.local.worker import Emit, Stopped, Worker


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """A worker that is closed in the end."""
    made = Worker()
    yield made
    await made.close()


async def until(condition: asyncio.Event | threading.Event) -> None:
    """Wait a moment for a condition of another thread."""
    async with asyncio.timeout(5):
        while not condition.is_set():
            await asyncio.sleep(0.001)
    assert condition.is_set()


def counting(emit: Emit[int], stopped: Stopped) -> Iterator[None]:
    """Emits numbers for as long as somebody wants them."""
    number = 0
    while not stopped():
        emit(number)
        number += 1
        yield


async def test_gives_what_was_returned_or_raised(worker: Worker) -> None:
    """Everything runs on one thread that is not the caller's."""
    names = {await worker.run(lambda: threading.current_thread().name) for _ in range(3)}
    assert names == {"local-models"}
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)


async def test_long_work_lets_short_work_between(worker: Worker) -> None:
    """A transcription of an hour does not hold up an answer."""
    stream = worker.stream(counting)
    assert [await anext(stream), await anext(stream)] == [0, 1]
    assert await worker.run(lambda: "between") == "between"
    await stream.aclose()


async def test_closing_a_stream_stops_its_work(worker: Worker) -> None:
    """Nobody computes what nobody reads."""
    ended = threading.Event()

    def work(emit: Emit[int], stopped: Stopped) -> Iterator[None]:
        try:
            yield from counting(emit, stopped)
        finally:
            ended.set()

    stream = worker.stream(work)
    await anext(stream)
    await stream.aclose()
    await until(ended)


async def test_what_was_cancelled_while_waiting_never_starts(worker: Worker) -> None:
    """A turn that was stopped costs nothing more."""
    gate, started, ran = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        gate.wait(5)

    first = asyncio.create_task(worker.run(hold))
    await until(started)
    second = asyncio.create_task(worker.run(ran.set))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    gate.set()
    await first
    await worker.run(lambda: None)
    assert not ran.is_set()


async def test_models_are_loaded_once_and_dropped_on_demand(worker: Worker) -> None:
    """Hot after the first use, gone after `unload`."""
    loads: list[str] = []

    def use(name: str) -> int:
        worker.resident(name, lambda: loads.append(name))
        return len(loads)

    assert [await worker.run(lambda: use("a")), await worker.run(lambda: use("a"))] == [1, 1]
    await worker.run(lambda: use("b"))
    await worker.unload("a")
    assert worker.loaded() == ["b"]
    await worker.unload()
    assert worker.loaded() == []
    assert await worker.run(lambda: use("a")) == 3


async def test_an_idle_model_leaves_memory() -> None:
    """By itself, without anything else happening."""
    worker = Worker(idle_s=0.02)
    await worker.run(lambda: worker.resident("a", object))
    async with asyncio.timeout(5):
        while worker.loaded():
            await asyncio.sleep(0.005)
    await worker.close()


async def test_closing_ends_what_runs_and_refuses_what_comes() -> None:
    """A process that stops is not held up by a model, and nobody waits for an answer that will not come."""
    worker = Worker()
    stream = worker.stream(counting)
    await anext(stream)
    await worker.close()
    with pytest.raises(asyncio.CancelledError):
        async for _ in stream:
            pass
    with pytest.raises(UnavailableError):
        await worker.run(lambda: None)


async def test_one_persons_questions_do_not_stand_before_a_colleagues(worker: Worker) -> None:
    """Behind twenty questions of one person, a colleague's is the next to be answered."""
    gate, begun, order = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        begun.set()
        gate.wait(5)

    async def ask(person: str) -> None:
        with on_behalf_of(person):
            await worker.run(lambda: order.append(person))

    first = asyncio.create_task(worker.run(hold))
    await until(begun)
    flood = [asyncio.create_task(ask("mallory")) for _ in range(20)]
    await asyncio.sleep(0)
    mine = asyncio.create_task(ask("ann"))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, mine, *flood)
    assert order.index("ann") <= 1 and len(order) == 21
