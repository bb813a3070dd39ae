"""Whose job comes next, when many wait."""

from __future__ import annotations

from bot.policy.fairness import HALF_LIFE_S, FairQueue


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def taken(queue: FairQueue[str], count: int, seconds: float = 1.0) -> list[str]:
    """The persons of the next jobs, one after another, each of which takes so long."""
    found = []
    for _ in range(count):
        next_one = queue.take()
        assert next_one is not None
        queue.done(next_one[0], seconds)
        found.append(next_one[0])
    return found


def test_people_come_in_turn() -> None:
    """Whoever sends twenty files waits between them for whoever sends one."""
    queue: FairQueue[str] = FairQueue(1, Clock())
    for _ in range(4):
        queue.put("ann", "file")
    queue.put("ben", "file")
    queue.put("cid", "file")
    assert taken(queue, 6) == ["ann", "ben", "cid", "ann", "ann", "ann"]


def test_nobody_holds_all_processes() -> None:
    """One process of a pool is left for others, however many files one person sends; our own work is not held back."""
    queue: FairQueue[str] = FairQueue(2, Clock())
    for person in ("ann", "ann", "ben"):
        queue.put(person, "file")
    assert queue.take() == ("ann", "file")
    assert queue.take() == ("ben", "file")
    assert queue.take() is None
    queue.done("ann", 1.0)
    assert queue.take() == ("ann", "file")
    for _ in range(2):
        queue.put("", "page")
    assert [queue.take(), queue.take()] == [("", "page")] * 2


def test_who_took_less_goes_first() -> None:
    """Seconds of readers count, not files, and are forgotten with time."""
    clock = Clock()
    queue: FairQueue[str] = FairQueue(1, clock)
    queue.put("mallory", "bomb")
    assert taken(queue, 1, seconds=15) == ["mallory"]
    for person in ("mallory", *["ben"] * 3):
        queue.put(person, "file")
    assert taken(queue, 3) == ["ben"] * 3
    clock.now += HALF_LIFE_S
    assert 7 < queue.taken_s("mallory") < 8
    clock.now += 20 * HALF_LIFE_S
    assert queue.taken_s("mallory") == 0
