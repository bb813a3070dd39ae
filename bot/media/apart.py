"""Readers of what people send, in processes of their own: one that takes too long or too much is ended, and no other waits for it.

Bytes of strangers are parsed nowhere else: these processes have no network, no secrets and no files of Parley's (`bot.media.jail`),
and what they answer is plain data (`bot.media.wire`). Each pool has few of them, which start when they are needed (about 0.2 s),
stay warm for a minute and then end. Pictures have one, so that one at a time is decoded. Who waits for one is treated fairly
(`bot.policy.fairness`). The other side of the pipe is `bot.media.reader`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast

from bot.errors import UnreadableError
from bot.media import wire
from bot.policy.fairness import FairQueue, whose_work
from bot.processes import child_environment

P = ParamSpec("P")
T = TypeVar("T")
DEADLINE_S = 60.0
TEXT_DEADLINE_S = 15.0
"""For kinds that are text in the end: what takes longer was made to."""
SOUND_DEADLINE_S = 180.0
"""Two hours of sound take 45 s of one processor to cut and encode."""
IDLE_S = 60.0
MEMORY_BYTES = 1536 * 2**20
"""Of addresses, which is more than is used: the libraries alone take 0.35 GB. Held on Linux; elsewhere the deadline must do."""
READER = "bot.media.reader"
"""The module that a process runs."""
ROOT = Path(__file__).resolve().parents[2]


class Readers:
    """A pool of such processes. It starts none before the first job."""

    def __init__(
        self,
        processes: int,
        *,
        deadline_s: float = DEADLINE_S,
        memory_bytes: int = MEMORY_BYTES,
        idle_s: float = IDLE_S,
        reader: str = READER,
    ) -> None:
        """processes: how many jobs run at once; others wait. deadline_s: for one job, from when it runs.

        memory_bytes: for one process. idle_s: a process that had no job for so long is ended. reader: the module that they run.
        """
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._idle_s = idle_s
        self._reader = reader
        self._threads = ThreadPoolExecutor(processes, "readers")
        self._queue: FairQueue[_Job] = FairQueue(processes, time.monotonic)
        self._lock = threading.Lock()
        self._idle: dict[_Process, threading.Timer] = {}

    async def run(self, name: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `fn` gives. It is called by its name; all it takes and gives must have a plain form. Cancelled, it ends at once.

        name: of what is read, for the complaint. Raises UnreadableError when the job says so, or took too long or too much memory;
        RuntimeError for any other error in it, and TypeError for what cannot be sent.
        """
        job = _Job(name, [wire.name_of(fn), list(args), kwargs])
        self._queue.put(whose_work(), job)
        self._threads.submit(self._work)
        try:
            return cast(T, await asyncio.wrap_future(job.future))
        except asyncio.CancelledError:
            job.end("cancelled")
            raise

    def idle(self) -> int:
        """How many processes wait for a job."""
        return len(self._idle)

    def close(self) -> None:
        """End the processes that wait; the pool can be used again."""
        for process in list(self._idle):
            self._retire(process)

    def _work(self) -> None:
        """Do jobs while there are any that may begin. One that may not is left to the thread that now works for the same person."""
        while (found := self._queue.take()) is not None:
            person, job = found
            began = time.monotonic()
            try:
                job.answer(self._do)
            finally:
                self._queue.done(person, time.monotonic() - began)

    def _do(self, job: _Job) -> Any:
        process = self._take()
        deadline = threading.Timer(self._deadline_s, job.end, ("late",))
        deadline.daemon = True
        deadline.start()
        try:
            answer = job.done_by(process)
        except (EOFError, OSError, wire.BrokenFrameError) as error:
            process.end()
            raise self._complaint(job, process) from error
        except BaseException:  # such as what cannot be sent: half of it may be in the pipe
            process.end()
            raise
        finally:
            deadline.cancel()
        self._rest(process)
        return _result(answer, job.name)

    def _complaint(self, job: _Job, process: _Process) -> Exception:
        if job.ended == "late":
            text = f"{job.name} took longer than {self._deadline_s:.0f} s to read, so I gave up. Please send a simpler copy."
            return UnreadableError(text)
        if not process.is_ready and not job.ended:
            return RuntimeError("a process for reading did not start; it has written why to the log")
        return UnreadableError(
            f"{job.name} is damaged, or takes more memory to read than I may use. Please send another copy, or a part of it.",
            detail=f"exit code {process.exit_code}",
        )

    def _take(self) -> _Process:
        """The one used last, so that the others may end."""
        with self._lock:
            while self._idle:
                process, timer = self._idle.popitem()
                timer.cancel()
                if process.exit_code is None:
                    return process
                process.end()
        return _Process(self._reader, self._memory_bytes, self._deadline_s)

    def _rest(self, process: _Process) -> None:
        timer = threading.Timer(self._idle_s, self._retire, (process,))
        timer.daemon = True
        with self._lock:
            self._idle[process] = timer
        timer.start()

    def _retire(self, process: _Process) -> None:
        with self._lock:
            timer = self._idle.pop(process, None)
        if timer is not None:  # else it has just been taken
            timer.cancel()
            process.end()


def _result(answer: Any, name: str) -> Any:
    """What the job gave; raises what went wrong in it."""
    match answer:
        case {"result": result}:
            return result
        case {"error": "unreadable", "text": str(text), "detail": str(detail)}:
            raise UnreadableError(text, detail=detail)
        case {"error": "memory"}:
            raise UnreadableError(f"{name} takes more memory to read than I may use. Please send a smaller copy.")
        case {"error": "fault", "text": str(text)}:
            raise RuntimeError(f"a reader failed: {text}")
    raise UnreadableError(f"{name} is damaged, so it cannot be read. Please send it again.", detail="no answer of ours")


class _Job:
    """One call, and the process that does it while it does."""

    def __init__(self, name: str, call: list[Any]) -> None:
        self.name = name
        self.ended = ""
        """Why it was ended from outside: late or cancelled."""
        self.future: Future[Any] = Future()
        self._call = call
        self._process: _Process | None = None
        self._lock = threading.Lock()

    def answer(self, do: Callable[[_Job], Any]) -> None:
        """Do it, unless nobody waits for it any more."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = do(self)
        except BaseException as error:  # it is raised where it is waited for
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def done_by(self, process: _Process) -> Any:
        """What the process answers. Raises EOFError or OSError when it ended meanwhile."""
        with self._lock:
            if self.ended:
                raise EOFError
            self._process = process
        try:
            return process.ask(self._call)
        finally:
            with self._lock:
                self._process = None

    def end(self, why: str) -> None:
        """From any thread."""
        with self._lock:
            self.ended = self.ended or why
            if self._process is not None:
                self._process.kill()


class _Process:
    def __init__(self, reader: str, memory_bytes: int, deadline_s: float) -> None:
        limits = (str(memory_bytes), str(deadline_s))
        path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        threads = "1"  # each would set 32 MB of addresses aside
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", reader, *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(PYTHONPATH=path, OPENBLAS_NUM_THREADS=threads),
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._requests = cast(BinaryIO, self._popen.stdin)
        self._answers = cast(BinaryIO, self._popen.stdout)
        self.is_ready = False

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    def ask(self, call: list[Any]) -> Any:
        if not self.is_ready:
            self.is_ready = wire.receive(self._answers) is True
        wire.send(self._requests, call)
        return wire.receive(self._answers)

    def kill(self) -> None:
        self._popen.kill()

    def end(self) -> None:
        self._popen.kill()
        self._popen.wait()
        self._answers.close()
        try:
            self._requests.close()
        except OSError:  # what was not yet written can no longer be
            return


DOCUMENTS = Readers(2, deadline_s=TEXT_DEADLINE_S)
"""Text in the end, and finding out what some bytes are."""
PDFS = Readers(2)
PICTURES = Readers(1)
SOUNDS = Readers(2, deadline_s=SOUND_DEADLINE_S)
VIDEOS = Readers(1, memory_bytes=4 * 2**30)
"""FFmpeg decodes as many frames at once as there are cores; one of 8K takes 50 MB."""
for _pool in (DOCUMENTS, PDFS, PICTURES, SOUNDS, VIDEOS):
    atexit.register(_pool.close)
