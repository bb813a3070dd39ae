"""What reads and draws what others write takes time in proportion to its length, whatever it holds: much of it runs on the loop."""

from __future__ import annotations

from collections.abc import Iterator

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


@pytest.mark.parametrize("name", CASES)
def test_twice_the_input_takes_no_more_than_three_times_as_long(name: str) -> None:
    """In processor time, for every input that makes a pattern try again and again."""
    case = CASES[name]
    found = {shape: grows_too_fast(case.call, make, case.size) for shape, make in case.shapes.items()}
    assert not {shape: growth for shape, growth in found.items() if growth}
