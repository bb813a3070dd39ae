"""Whose job comes next, when many wait."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.byte_budget import ByteBudget
from bot.jobs.slots import FairSlots
from bot.policy.fairness import HALF_LIFE_S, FairQueue, on_behalf_of


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


def test_nobody_has_more_than_is_left_for_others() -> None:
    """Of eight slots one person has four, the next two, the next one, and there is one for whoever comes then."""
    queue: FairQueue[str] = FairQueue(8, Clock())
    running: Counter[str] = Counter()
    for person in ("ann", "ben", "cid", "dan"):
        for _ in range(9):
            queue.put(person, "job")
        while running.total() < 8 and (found := queue.take()):
            running[found[0]] += 1
    assert running == {"ann": 4, "ben": 2, "cid": 1, "dan": 1}


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 30), min_size=1),
    st.integers(1, 6),
    st.lists(st.floats(0.1, 5.0), min_size=1, max_size=20),
)
def test_nobody_waits_for_more_than_their_share(work: dict[str, int], slots: int, seconds: list[float]) -> None:
    """With people who each have work, nobody's first job waits until somebody else has begun a second one."""
    queue: FairQueue[int] = FairQueue(slots, Clock())
    for person, count in work.items():
        for number in range(count):
            queue.put(person, number)
    begun: list[str] = []
    running: list[str] = []
    for step in range(10_000):
        while len(running) < slots and (found := queue.take()):
            begun.append(found[0])
            running.append(found[0])
        if not running:
            break
        queue.done(running.pop(0), seconds[step % len(seconds)])
    assert Counter(begun) == work
    assert set(begun[: len(work)]) == set(work)


def test_a_longer_queue_of_one_person_costs_no_more() -> None:
    """Taking a job does not depend on how many wait: only people are looked at."""
    queue: FairQueue[int] = FairQueue(1, Clock())
    for number in range(100_000):
        queue.put("mallory", number)
    queue.put("ann", 0)
    assert taken_people(queue, 2) == ["mallory", "ann"]


def taken_people(queue: FairQueue[int], count: int) -> list[str]:
    """Who comes next, each for a second."""
    found = []
    for _ in range(count):
        one = queue.take()
        assert one is not None
        queue.done(one[0], 1.0)
        found.append(one[0])
    return found


async def test_slots_are_given_back_whatever_happens() -> None:
    """Who gives up waiting, before or just as they are let in, holds nobody up."""
    slots, begun = FairSlots(1, Clock()), list[str]()

    async def work(person: str) -> None:
        async with slots.held(person):
            begun.append(person)

    async with slots.held("ann"):
        gone = [asyncio.create_task(work("mallory")) for _ in range(3)]
        await asyncio.sleep(0)
        gone[0].cancel()
        await asyncio.sleep(0)
    gone[1].cancel()  # the slot was just given to it, and it does not know yet
    gone[2].cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    async with asyncio.timeout(5):
        await work("ben")
    assert begun == ["ben"]


async def test_one_persons_large_files_hold_up_nobody_else() -> None:
    """Behind twenty large files of one person, a colleague's waits for one of them."""
    budget, order = ByteBudget(100), list[str]()

    async def read(person: str) -> None:
        with on_behalf_of(person):
            async with budget.reserve(50_000_000):
                order.append(person)
                await asyncio.sleep(0)

    flood = [asyncio.create_task(read("mallory")) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.gather(read("ann"), *flood)
    assert order.index("ann") <= 2


@pytest.mark.parametrize("persons", [1, 3])
async def test_slots_bound_what_goes_on(persons: int) -> None:
    """No more go on at once than there are slots, of which one is left for whoever comes next."""
    slots, at_once, most = FairSlots(4, Clock()), 0, 0

    async def work(number: int) -> None:
        nonlocal at_once, most
        async with slots.held(f"U{number % persons}"):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    await asyncio.gather(*(work(number) for number in range(40)))
    assert most == (2 if persons == 1 else 3) and at_once == 0
