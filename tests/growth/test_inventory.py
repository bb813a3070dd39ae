"""Nothing that works on others' text is forgotten: each function is measured, or stands on a list with its reason."""

from __future__ import annotations

from tests.growth.exempt import FUNCTIONS, reason_for
from tests.growth.inventory import functions
from tests.growth.table import CASES

EXTRA = {"bot.providers.openai.chat.CompletionsModel.stream", "bot.providers.openai.responses.ResponsesModel.stream"}
"""Measured besides, though they are asynchronous."""


def test_every_function_of_text_is_measured_or_exempt() -> None:
    """A new one needs a line in `table.py` (how it is called), or in `exempt.py` (why it need not be measured)."""
    found = functions()
    assert len(found) > 300
    assert [name for name, given in found.items() if name not in CASES and not reason_for(name, given)] == []


def test_what_is_listed_is_there() -> None:
    """No line outlives its function, and none says both."""
    found = functions()
    measured = {name.partition(",")[0] for name in CASES}
    assert measured - set(found) == EXTRA
    assert {name for name in FUNCTIONS if name not in found} == set()
    assert measured & set(FUNCTIONS) == set()
