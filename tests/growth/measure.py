"""How the processor time of a call grows with its input."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

Work = Callable[[Any], object]
FACTOR = 3.0
"""That twice the input may take: what is linear takes 2, and what is quadratic 4. Three doublings may take 27, not 64."""
DOUBLINGS = 3
QUICK_S = 0.002
"""What takes less than this after three doublings is quick enough at any length that there is, however it grows."""
SLOW_S = 0.15
"""What takes longer than this before them is doubled once."""


def seconds(work: Work, given: Any, times: int = 1) -> float:
    """Processor time of one call of this thread, the best of so many."""
    found = []
    gc.disable()
    try:
        for _ in range(times):
            began = time.thread_time()
            work(given)
            found.append(time.thread_time() - began)
    finally:
        gc.enable()
    return min(found)


def grows_too_fast(work: Work, shape: Callable[[int], Any], size: int) -> str:
    """How it grew, if it took more than three times as long for twice the input; empty when it did not.

    Three doublings at once tell it soon enough. What looks bad is looked at again: the best of three, one doubling at a time.
    """
    short, factor = shape(size), 2**DOUBLINGS
    first_s = seconds(work, short)
    if first_s > SLOW_S:
        return _doubled(work, shape, size)
    long_s = seconds(work, shape(size * factor))
    if long_s < QUICK_S or long_s <= FACTOR**DOUBLINGS * min(first_s, seconds(work, short)):
        return ""
    return _doubled(work, shape, size * factor // 2)


def _doubled(work: Work, shape: Callable[[int], Any], size: int) -> str:
    """The least growth of three looks, for the machine may be busy with other things."""
    short, long = shape(size), shape(2 * size)
    looks = [(seconds(work, long, 3), seconds(work, short, 3)) for _ in range(1)]
    while looks[-1][0] > FACTOR * looks[-1][1] and len(looks) < 3:
        looks.append((seconds(work, long, 2), seconds(work, short, 2)))
    long_s, short_s = min(looks, key=lambda look: look[0] / look[1])
    if long_s <= FACTOR * short_s:
        return ""
    return f"{short_s * 1000:.1f} ms for {size:,}, {long_s * 1000:.1f} ms for twice that"
