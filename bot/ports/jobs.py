"""Work that survives a crash, its steps, and the processes that do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar

from bot.types import (
    StepRecord,
)

T = TypeVar("T")


class Step(Protocol):
    """Runs a part of a turn once and remembers its result; run again after a crash, it gives the remembered one.

    Results are values, or lists and mappings of them. A retryable BotError is retried with back-off, honouring `retry_after_s`;
    what is raised in the end is remembered too. A step that was under way when the process died runs again.
    """

    notes: list[StepRecord]
    """One for each step so far."""

    async def __call__(self, name: str, fn: Callable[..., Awaitable[T]], *args: Any) -> T: ...


@dataclass(frozen=True)
class Job:
    """Something to be done, at least once, after what stands before it in its lane."""

    id: str
    """Enqueuing the same id again is harmless."""
    lane: str
    """Jobs of one lane run one at a time, in the order of `sequence`."""
    sequence: int
    person: str = ""
    """For whom: people wait fairly for one another. Empty for work of Parley's own."""


Handler: TypeAlias = Callable[[str, Step], Awaitable[None]]
"""Does the job of that id."""


class WorkerRegistry(Protocol):
    """Which processes of this installation are alive."""

    async def register(self, name: str) -> str:
        """Take this name, or one derived from it when a living process has it, until `release` or the end of the process."""

    async def expired(self) -> Sequence[str]:
        """Names that were claimed once and whose process is gone."""

    async def remove(self, name: str) -> None:
        """What the dead process left was taken over; forget it."""

    async def deregister(self) -> None:
        """Give the name back."""


class StepJournal(Protocol):
    """What the steps of jobs gave, each as a line of JSON, until the job is forgotten."""

    async def load(self, job_id: str) -> Sequence[tuple[str, str]]:
        """The name and the outcome of each step so far, in order."""

    async def append(self, job_id: str, ordinal: int, name: str, outcome: str) -> None:
        """Keep one; `ordinal` counts from 0. In the place of one that was kept there before."""

    async def forget(self, job_ids: Collection[str]) -> None:
        """Delete those of these jobs."""

    async def forget_before(self, before: datetime, but: Collection[str]) -> int:
        """Delete those of jobs that last did something before then, but of these; returns how many jobs."""


class Jobs(Protocol):
    """Work that survives a crash."""

    name: str
    """Of this process among those that work on the same jobs, once started."""

    async def start(self, handler: Handler, *, working: bool = True) -> None:
        """Begin; jobs that a crash interrupted are taken up again. working: False only hands jobs to other processes."""

    async def enqueue(self, job: Job) -> None:
        """Hand over a job; harmless when repeated."""

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what is remembered of jobs that have ended: their steps' results hold what people said."""

    async def prune(self, before: datetime) -> int:
        """The same for all jobs that ended before then; returns how many."""

    async def close(self, patience_s: float = 4.0) -> None:
        """Stop taking jobs, let the running ones end for that long, leave the rest to the next start."""
