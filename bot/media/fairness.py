"""Whose turn it is: jobs wait by person, and whoever has taken least of the readers' time lately goes first.

One person never holds all the processes of a pool, so that a colleague's work waits for no more than its own.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")
HALF_LIFE_S = 60.0
"""After which half of what somebody has taken is forgotten."""
NEGLIGIBLE_S = 0.01


class FairQueue(Generic[Job]):
    """Jobs in the order in which they should begin. From any thread."""

    def __init__(self, processes: int, clock: Callable[[], float]) -> None:
        """processes: how many jobs run at once. clock: seconds, that only grow."""
        self._most = max(processes - 1, 1)
        self._clock = clock
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._taken_s: dict[str, float] = {}
        self._counted_at = clock()
        self._lock = threading.Lock()

    def put(self, person: str, job: Job) -> None:
        """Let a job wait. person: an empty text for work of our own, which is bounded by the processes alone."""
        with self._lock:
            self._waiting.setdefault(person, deque()).append(job)

    def take(self) -> tuple[str, Job] | None:
        """The person and the job that begin now; None when none may. Whoever took it calls `done` after it."""
        with self._lock:
            self._forget()
            ready = [person for person in self._waiting if not person or self._running[person] < self._most]
            if not ready:
                return None
            person = min(ready, key=lambda one: self._taken_s.get(one, 0.0))
            job = self._waiting[person].popleft()
            self._waiting.move_to_end(person)  # those who have taken as little come in turn
            if not self._waiting[person]:
                del self._waiting[person]
            self._running[person] += 1
            return person, job

    def done(self, person: str, seconds: float) -> None:
        """A job of the person has ended. seconds: for which it held a process."""
        with self._lock:
            self._forget()
            self._running[person] -= 1
            self._taken_s[person] = self._taken_s.get(person, 0.0) + seconds
            if not self._running[person]:
                del self._running[person]

    def taken_s(self, person: str) -> float:
        """Seconds of processes that the person has taken lately."""
        with self._lock:
            self._forget()
            return self._taken_s.get(person, 0.0)

    def _forget(self) -> None:
        now = self._clock()
        factor = 0.5 ** ((now - self._counted_at) / HALF_LIFE_S)
        self._counted_at = now
        left = {person: seconds * factor for person, seconds in self._taken_s.items()}
        self._taken_s = {person: seconds for person, seconds in left.items() if seconds > NEGLIGIBLE_S}
