"""One thread on which every local model is loaded and run, so that they share few cores and the event loop never waits."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from bot.errors import UnavailableError
from bot.policy.fairness import FairQueue, whose_work

T = TypeVar("T")

Emit: TypeAlias = Callable[[T], None]
"""Hands an item to whoever iterates over the stream."""
Stopped: TypeAlias = Callable[[], bool]
"""Whether nobody wants the rest."""
Work: TypeAlias = Callable[[Emit[T], Stopped], Iterator[None]]
"""A generator that emits items, and yields wherever other work may come between."""


@dataclass(frozen=True)
class _Job:
    person: str
    steps: Iterator[None]
    stopped: Stopped
    end: Callable[[BaseException | None], None]


@dataclass
class _Resident:
    model: Any
    used_at: float


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class Worker:
    """Runs work a step of each in turn, of whoever has had least of it lately; keeps models loaded while they are used."""

    def __init__(self, idle_s: float | None = None) -> None:
        """idle_s: a model that was not used for so long is dropped; None keeps it."""
        self._idle_s = idle_s
        self._jobs: FairQueue[_Job] = FairQueue(1, time.monotonic)
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """True for each job that waits, False for the end."""
        self._residents: dict[str, _Resident] = {}
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    async def run(self, fn: Callable[[], T]) -> T:
        """What `fn` returns or raises. Cancelled while it waits, it never starts."""

        def work(emit: Emit[T], stopped: Stopped) -> Iterator[None]:
            emit(fn())
            yield

        async with contextlib.aclosing(self.stream(work)) as results:
            return await anext(results)

    async def stream(self, work: Work[T]) -> AsyncGenerator[T, None]:
        """The items that the work emits, as they come. Closing the iterator makes `stopped()` true for the work."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[T | _End] = asyncio.Queue()
        left = threading.Event()

        def post(item: T | _End) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile: nobody is left to tell
                loop.call_soon_threadsafe(arrived.put_nowait, item)

        def stopped() -> bool:
            return left.is_set() or self._closing.is_set()

        self._submit(_Job(whose_work(), work(post, stopped), stopped, lambda error: post(_End(error))))
        try:
            while not isinstance(item := await arrived.get(), _End):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            left.set()

    def resident(self, name: str, load: Callable[[], T]) -> T:
        """The model of that name, loaded if it is not. Only for work that runs on this worker."""
        if (found := self._residents.get(name)) is None:
            found = self._residents[name] = _Resident(load(), 0.0)
        found.used_at = time.monotonic()
        return cast(T, found.model)

    def loaded(self) -> list[str]:
        """Names of the models that are in memory."""
        return sorted(self._residents)

    async def unload(self, name: str = "") -> None:
        """Drop the model of that name, or all."""
        await self.run(lambda: self._drop([name] if name else list(self._residents)))

    async def close(self, patience_s: float = 3.0) -> None:
        """Stop what runs as soon as it looks up, drop the models, end the thread."""
        self._closing.set()
        if self._thread is not None:
            self._tokens.put(False)
            await asyncio.to_thread(self._thread.join, patience_s)

    def _submit(self, job: _Job) -> None:
        if self._closing.is_set():
            raise UnavailableError("The local models have been shut down.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="local-models", daemon=True)
            self._thread.start()
        self._put(job)

    def _put(self, job: _Job) -> None:
        self._jobs.put(job.person, job)
        self._tokens.put(True)

    def _serve(self) -> None:
        while True:
            try:
                has_work = self._tokens.get(timeout=self._until_idle_s())
            except queue.Empty:
                self._drop(self._idle())
                continue
            if not has_work:
                self._leave()
                return
            self._do_next()

    def _do_next(self) -> None:
        if (found := self._jobs.take()) is None:
            return
        person, job = found
        began = time.monotonic()
        try:
            has_more = _step(job)
        finally:
            self._jobs.done(person, time.monotonic() - began)
        if has_more:
            self._put(job)

    def _leave(self) -> None:
        """Whoever still waits is told that nothing comes."""
        while found := self._jobs.take():
            found[1].end(asyncio.CancelledError())
            self._jobs.done(found[0], 0.0)
        self._drop(list(self._residents))

    def _until_idle_s(self) -> float | None:
        if self._idle_s is None or not self._residents:
            return None
        oldest = min(resident.used_at for resident in self._residents.values())
        return max(0.0, oldest + self._idle_s - time.monotonic())

    def _idle(self) -> list[str]:
        limit = time.monotonic() - (self._idle_s or 0.0)
        return [name for name, resident in self._residents.items() if resident.used_at <= limit]

    def _drop(self, names: list[str]) -> None:
        for name in names:
            self._residents.pop(name, None)
        gc.collect()
        _give_memory_back()


def _give_memory_back() -> None:
    """Ask the C library to return freed memory to the system: glibc keeps hundreds of MB of a dropped model otherwise."""
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _step(job: _Job) -> bool:
    """Do one step; gives whether there are more. What the work raises belongs to whoever asked for it."""
    if job.stopped():
        job.end(asyncio.CancelledError())
        return False
    try:
        next(job.steps)
    except StopIteration:
        job.end(asyncio.CancelledError() if job.stopped() else None)
        return False
    except BaseException as error:
        job.end(error)
        return False
    return True
