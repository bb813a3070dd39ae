"""What reads and draws what others write takes time in proportion to its length, whatever it holds: much of it runs on the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from bot.redaction import Secrets
from tests.growth.measure import grows_too_fast
from tests.growth.table import CASES


@pytest.fixture(scope="module", autouse=True)
def secrets() -> Iterator[None]:
    """Secrets whose pieces stand all over the texts, for what looks for them."""
    known = Secrets()
    known.learn("x" * 30 + "y", "a-" * 15 + "b", "xxxxxx1")
    yield
    known.close()


OF_ALL = 3
"""In the quick check each function meets every third shape, a different third for different functions."""


def too_fast(name: str, shapes: Sequence[str]) -> dict[str, str]:
    """The shapes with which the function's time grows too fast, and how."""
    case = CASES[name]
    found = {shape: grows_too_fast(case.call, case.shapes[shape], case.size) for shape in shapes}
    return {shape: growth for shape, growth in found.items() if growth}


@pytest.mark.parametrize("name", CASES)
def test_twice_the_input_takes_no_more_than_three_times_as_long(name: str) -> None:
    """In processor time, for inputs that make a pattern try again and again."""
    assert not too_fast(
        name, sorted(CASES[name].shapes)[sum(map(ord, name)) % OF_ALL :: OF_ALL] or [*CASES[name].shapes]
    )


@pytest.mark.hard
@pytest.mark.parametrize("name", CASES)
def test_every_shape_takes_time_in_proportion(name: str) -> None:
    """The same for every such input."""
    assert not too_fast(name, [*CASES[name].shapes])
