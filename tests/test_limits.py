"""The table of limits, its page and its tests belong together."""

from __future__ import annotations

import ast
import re

import pytest

from bot.config import limits_of, variable_groups
from bot.policy.limits import LIMITS, OVER_TIME, ROWS, Limit, duration_in_words, in_words
from tests.conftest import MakeConfig
from tests.limits_page import PAGE, ROOT, TESTS, page, rows, value_of


def test_the_page_of_limits_is_the_table() -> None:
    """docs/limits.md says what the code holds."""
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.limits_page`"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_each_limit_has_a_number_and_a_test(row: Limit) -> None:
    """Each row has a number above 0 where it says, a reason, a variable that exists, and a test that exists."""
    assert value_of(row) > 0 and row.why.endswith(".") and row.name in TESTS
    file, _, name = TESTS[row.name].partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in tests, TESTS[row.name]
    variables = {known.upper() for fields in variable_groups().values() for known in fields}
    assert not row.variable or row.variable in variables


def test_no_test_is_named_for_a_limit_that_is_gone() -> None:
    """The names of rows are each used once, and no others have tests."""
    names = [row.name for row in rows()]
    assert sorted(names) == sorted(set(names)) and set(TESTS) == set(names)


def test_what_is_refused_over_time_says_what_to_do() -> None:
    """Each of these refusals holds its number and, where that is a matter of time, when to try again."""
    for name in OVER_TIME:
        text = LIMITS.error(name, wait_s=90.0, name="a.ogg").text
        assert in_words(getattr(LIMITS, name), ROWS[name].unit) in text and "{" not in text
        assert "in 90 seconds" in text or name == "stored_bytes"


def test_the_operator_changes_what_is_counted_over_time(make_config: MakeConfig) -> None:
    """Variables change the limits, 0 takes one away, and without them the table holds."""
    changed = limits_of(make_config(questions_per_minute=7, sound_minutes_per_day=0, stored_mb_per_person=5))
    assert (changed.questions_per_minute, changed.sound_s_per_day, changed.stored_bytes) == (7, 0, 5 * 2**20)
    plain = limits_of(make_config(**{row.variable.lower(): value_of(row) for row in ROWS.values() if _is_count(row)}))
    assert plain == LIMITS


def _is_count(row: Limit) -> bool:
    return row.variable.endswith(("_MINUTE", "_QUESTIONS"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (59.5, "1 minute"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (119.5, "2 minutes"),
        (3_600, "1 hour"),
        (3_700, "62 minutes"),
        (7_201, "3 hours"),
        (86_400, "24 hours"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """Rounded up, in the largest unit that says enough."""
    assert duration_in_words(seconds) == words
    assert re.fullmatch(r"\d+ \w+", words)
