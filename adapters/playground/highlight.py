"""Code to HTML with a class on each token, in time that grows with the code's length and no faster. Pure.

Pygments' lexers are not linear: `make` needs 17 s for 20,000 letters. Nearly all slow ones give many tokens slowly, so the CPU
time is watched from token to token. The few that are slow within one token are slow on long lines, and those stay plain.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeVar

from pygments import format
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

T = TypeVar("T")
MAX_CODE = 40_000
"""Characters of one code block; longer code stays plain."""
MAX_LINE = 1_000
"""Characters of one line of it; code with a longer line stays plain."""
BASE_S, PER_CHARACTER_S = 0.05, 20e-6
"""CPU time that a block may take: ordinary code takes 2 to 5 µs a character."""


class _TooSlow(Exception):
    """The lexer takes more time than the length of the code allows."""


@lru_cache(maxsize=256)
def highlighted(code: str, language: str) -> str:
    """Return the code as HTML; without classes when the language is unknown, or the code is too long or too slow to read."""
    if not language or len(code) > MAX_CODE or max(map(len, code.split("\n"))) > MAX_LINE:
        return html.escape(code)
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        tokens = list(_within(BASE_S + len(code) * PER_CHARACTER_S, lexer.get_tokens(code)))
    except (ClassNotFound, _TooSlow):
        return html.escape(code)
    return str(format(tokens, HtmlFormatter(nowrap=True, classprefix="tok-")))


def _within(budget_s: float, items: Iterable[T]) -> Iterator[T]:
    """Yield the items until this thread has spent that much CPU time on them. Raises _TooSlow."""
    until = time.thread_time() + budget_s
    for item in items:
        if time.thread_time() > until:
            raise _TooSlow
        yield item
