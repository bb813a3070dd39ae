"""Whose turn it is: work waits by person, and whoever has taken least of what there is lately goes first.

Nobody takes more slots than they leave free for others, so a colleague's work waits for no more than its own.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

Job = TypeVar("Job")
HALF_LIFE_S = 60.0
"""After which half of what somebody has taken is forgotten."""
NEGLIGIBLE_S = 0.01
MANY_PEOPLE = 1_000
"""So many are remembered before those are dropped who have taken nothing lately."""
HALVINGS = 500
"""After so many half-lives the counts are written anew, for they grow by a factor of two in each."""
_person: ContextVar[str] = ContextVar("person", default="")


@contextmanager
def on_behalf_of(person: str) -> Iterator[None]:
    """Whose work is done inside, also by tasks that are started there. person: any text that names one person."""
    token = _person.set(person)
    try:
        yield
    finally:
        _person.reset(token)


def whose_work() -> str:
    """For whom the running task works; empty for Parley itself."""
    return _person.get()


def person_key(tenant_id: int, author_id: str) -> str:
    """Names one person of one tenant."""
    return f"{tenant_id} {author_id}"


class FairQueue(Generic[Job]):
    """Jobs in the order in which they should begin. From any thread."""

    def __init__(self, slots: int, clock: Callable[[], float]) -> None:
        """slots: how many jobs run at once, which the caller sees to. clock: seconds, that only grow."""
        self._slots = slots
        self._clock = clock
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._busy = 0
        self._taken: dict[str, float] = {}
        """Seconds, each as many times too large as doublings have passed since `_since`: their order needs no halving."""
        self._since = clock()
        self._lock = threading.Lock()

    def put(self, person: str, job: Job) -> None:
        """Let a job wait. person: an empty text for work of our own, which is bounded by the slots alone."""
        with self._lock:
            self._waiting.setdefault(person, deque()).append(job)

    def take(self) -> tuple[str, Job] | None:
        """The person and the job that begin now; None when none may. Whoever took it calls `done` after it."""
        with self._lock:
            most = max(self._slots - self._busy, 1)
            ready = [person for person in self._waiting if not person or self._running[person] < most]
            if not ready:
                return None
            person = min(ready, key=lambda one: self._taken.get(one, 0.0))
            job = self._waiting[person].popleft()
            self._waiting.move_to_end(person)  # those who have taken as little come in turn
            if not self._waiting[person]:
                del self._waiting[person]
            self._running[person] += 1
            self._busy += 1
            return person, job

    def done(self, person: str, seconds: float) -> None:
        """A job of the person has ended. seconds: for which it held a slot."""
        with self._lock:
            self._busy -= 1
            self._running[person] -= 1
            if not self._running[person]:
                del self._running[person]
            self._taken[person] = self._taken.get(person, 0.0) + seconds * self._factor()
            if len(self._taken) > MANY_PEOPLE or self._factor() > 2.0**HALVINGS:
                self._forget()

    def taken_s(self, person: str) -> float:
        """Seconds of slots that the person has taken lately."""
        with self._lock:
            self._forget()
            return self._taken.get(person, 0.0)

    def _factor(self) -> float:
        return float(2.0 ** min((self._clock() - self._since) / HALF_LIFE_S, 2.0 * HALVINGS))

    def _forget(self) -> None:
        """Write the counts anew as of now, without those that have become negligible."""
        factor = self._factor()
        left = {person: taken / factor for person, taken in self._taken.items()}
        self._taken = {person: seconds for person, seconds in left.items() if seconds > NEGLIGIBLE_S}
        self._since = self._clock()
