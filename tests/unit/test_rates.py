"""Questions counted by person, channel and workspace."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.limits import LIMITS, Limits
from bot.policy.rates import QuestionRates, SlidingWindow, Waiting
from bot.types import Address

HERE = Address("fake", "W1", "C1")
FEW = replace(
    LIMITS,
    questions_per_minute=3,
    channel_questions_per_minute=5,
    workspace_questions_per_minute=8,
    waiting_questions=2,
)


def fullest(moments: Sequence[float], period_s: float) -> int:
    """How many of these moments, at most, lie within one period."""
    return max(sum(begin <= at < begin + period_s for at in moments) for begin in moments)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), min_size=1, max_size=120),
    st.integers(1, 5),
    st.integers(1, 30),
)
def test_no_period_holds_more_than_the_limit(asked: list[tuple[str, int]], limit: int, period_s: int) -> None:
    """Whenever things come, no period of any key has more in it than the limit, and after the wait that was said one passes."""
    window, now = SlidingWindow(limit, period_s), 0.0
    passed: dict[str, list[float]] = {}
    for key, pause_s in asked:
        now += pause_s
        wait_s = window.wait_s(key, now)
        if wait_s:
            now += wait_s
            assert window.wait_s(key, now) == 0
        window.count(key, now)
        passed.setdefault(key, []).append(now)
    assert all(fullest(moments, period_s) <= limit for moments in passed.values())


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
def test_no_more_than_the_limit_passes_at_random_times(pauses: list[int]) -> None:
    """Of a flood, so much passes as the limit says, and as soon as a period is over more does."""
    window, now, passed = SlidingWindow(3, 60.0), 0.0, list[float]()
    for pause_s in pauses:
        now += pause_s
        if not window.wait_s("ann", now):
            window.count("ann", now)
            passed.append(now)
        else:
            assert sum(at > now - 60 for at in passed) == 3
    assert fullest(passed, 60.0) <= 3


def test_memory_is_bounded() -> None:
    """What has passed long ago is forgotten, and of more keys than may be kept those that were unused longest."""
    window = SlidingWindow(2, 60.0, max_keys=100)
    for number in range(1_000):
        window.count(number, float(number))
    assert len(window) == 60
    crowd = SlidingWindow(2, 60.0, max_keys=100)
    for number in range(1_000):
        crowd.count(number, 1.0)
    assert len(crowd) == 100


@pytest.mark.parametrize("scope", ["person", "channel", "workspace"])
def test_each_scope_has_its_own_limit(scope: str) -> None:
    """A person's questions count wherever they ask, a channel's whoever asks, a workspace's all; others go on asking."""
    rates, taken = QuestionRates(FEW), 0
    for number in range(20):
        at = HERE if scope == "channel" else replace(HERE, channel=f"C{number}")
        person = "ann" if scope == "person" else f"U{number}"
        taken += rates.decide(at, person, 1.0, "question", Waiting()).refusal is None
    assert taken == {"person": 3, "channel": 5, "workspace": 8}[scope]
    assert rates.decide(replace(HERE, workspace="W2"), "ann", 1.0, "question", Waiting()).refusal is None


def test_one_is_told_once_in_a_minute() -> None:
    """The first refusal is told, with when to try again; the others of that minute are not."""
    rates = QuestionRates(FEW)
    decisions = [rates.decide(HERE, "ann", float(second), "question", Waiting()) for second in range(100)]
    told = [second for second, decision in enumerate(decisions) if decision.is_told]
    assert told == [3, 63]
    refusal = decisions[3].refusal
    assert refusal and "more than 3 questions in a minute" in refusal.text and "in 57 seconds" in refusal.text
    assert sum(decision.refusal is None for decision in decisions) == 6


def test_what_waits_is_refused_beyond_the_limit() -> None:
    """A person whose questions wait asks no further one; commands that cost nothing still go."""
    rates = QuestionRates(FEW)
    refusal = rates.decide(HERE, "ann", 1.0, "question", Waiting(person=2)).refusal
    assert refusal and "2 questions of yours are waiting" in refusal.text
    assert rates.decide(HERE, "ann", 1.0, "command", Waiting()).refusal is None
    assert rates.decide(HERE, "ben", 1.0, "question", Waiting(person=1)).refusal is None


def test_zero_is_no_limit() -> None:
    """Where the operator sets 0, nothing is refused and nothing remembered."""
    rates = QuestionRates(LIMITS.for_operator())
    crowd = Waiting(10_000, 10_000, 10_000)
    decisions = [rates.decide(HERE, "ann", 1.0, "question", crowd) for _ in range(1_000)]
    assert Counter(decision.refusal for decision in decisions) == {None: 1_000}


def test_what_could_not_be_written_down_does_not_count() -> None:
    """A question that is taken back makes room for its second delivery."""
    rates = QuestionRates(FEW)
    for second in (1.0, 2.0, 3.0):
        assert rates.decide(HERE, "ann", second, "question", Waiting(), f"E{second}").refusal is None
    rates.keep("E1.0")
    rates.take_back("E2.0")
    rates.take_back("E1.0")
    assert rates.decide(HERE, "ann", 4.0, "question", Waiting()).refusal is None
    assert rates.decide(HERE, "ann", 5.0, "question", Waiting()).refusal is not None


def seconds_to_count(count: int) -> float:
    """Processor time to decide on so many questions of as many people, the best of three."""

    def once() -> float:
        rates, began = QuestionRates(Limits(workspace_questions_per_minute=0)), time.process_time()
        for number in range(count):
            rates.decide(replace(HERE, channel=f"C{number}"), f"U{number}", number / 100, "question", Waiting())
        return time.process_time() - began

    return min(once() for _ in range(3))


def test_counting_grows_with_the_questions_alone() -> None:
    """Twice as many people take at most three times as long."""
    assert seconds_to_count(8_000) < 3 * seconds_to_count(4_000)
