"""What draws and reads people's and models' text takes time in proportion to its length, whatever the text: it runs on the loop.

Twice the text may take up to three times as long, measured in processor time, the best of three.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, get_type_hints

import pytest

import adapters
from adapters.discord.entities import Names as DiscordNames
from adapters.slack.entities import Names as SlackNames

FILES = ("render", "mentions", "entities", "markdown", "uploads")
"""Modules of an adapter's folder that hold pure functions of text."""
ELSEWHERE = ("playground",)
"""The page's HTML is made beside the loop, by a process with a deadline, which has a test of its own."""
SIZE = 16_000
"""Characters, and twice as many: a long answer."""
SIZES = {"adapters.slack.render.table_block": 4_000}
"""Where a longer text is not looked at."""
QUICK_S = 0.04
"""What takes less than this for the longer text is not measured further."""
FACTOR = 3.0
ATTACKS = {
    "words": ("", "word ", ""),
    "one word": ("", "x", ""),
    "blanks": ("", " ", "x"),
    "tabs": ("", "\t", "x"),
    "empty lines": ("", "\n", ""),
    "paragraphs": ("", "a\n\n", ""),
    "list": ("", "- a\n", ""),
    "task list": ("", "- [ ] a\n", ""),
    "numbered list": ("", "1. a\n", ""),
    "quotes": ("", "> a\n", ""),
    "nested quotes": ("", ">", "a"),
    "headings": ("", "#### a\n", ""),
    "a heading of blanks": ("#### ", " ", "x"),
    "a heading of signs": ("#### a ", "# ", "x"),
    "rule of a table": ("|a\n", " ", "|x"),
    "rule of dashes": ("|a\n", "-", "|x"),
    "rules of tables": ("", "|a\n|-\n", ""),
    "rows": ("|a|b|\n|-|-|\n", "|a|b|\n", ""),
    "rows of bars": ("|a|b|\n|-|-|\n", "|\n", ""),
    "a wide cell over short rows": ("|a|" + "x" * 4_000 + "\n|-|-|\n", "|a|\n", ""),
    "columns": ("|a" * 400 + "|\n" + "|-" * 400 + "|\n", "|\n", ""),
    "bars": ("", "|", ""),
    "escaped bars": ("|a|\n|-|\n|", "\\|", ""),
    "fences": ("", "```\n", ""),
    "fences of all lengths": ("", "```\n~~~~\n", ""),
    "a fence of blanks": ("```", " ", "`"),
    "a long fence": ("", "`", "\n"),
    "indented code": ("", "        ```a\n", ""),
    "backticks": ("", "`a", ""),
    "code in make": ("```make\n", "a", "\n```"),
    "code in ini": ("```ini\n", "[", "\n```"),
    "brackets": ("", "[", ""),
    "labels": ("", "[a](", ""),
    "addresses in labels": ("", "[a](http://b", ""),
    "brackets in addresses": ("[a](http://b", "(", ""),
    "pairs of brackets in addresses": ("[a](http://b", "(c)", ""),
    "pictures": ("", "![a](", ""),
    "addresses": ("", "http://a.b/c ", ""),
    "one address": ("http://a.b/", ".", ""),
    "stars": ("", "*", ""),
    "open bold": ("", "**a ", ""),
    "open italics": ("", " _a", ""),
    "underscores": ("", "_", ""),
    "tildes": ("", "~~a ", ""),
    "calls": ("", "<@U1> ", ""),
    "nested calls": ("", "<@U1|", ""),
    "nested calls that close": ("<@U1|" * (SIZE // 8), ">", ""),
    "nested groups": ("", "<!subteam^S1|", ""),
    "angles": ("", "<", ""),
    "closed angles": ("<" * (SIZE // 2), ">", ""),
    "an open id": ("<@", "U", ""),
    "commands": ("", "</a", ""),
    "emoji": ("", "<a:b", ""),
    "at signs": ("", "@", ""),
    "names": ("", "@Grace ", ""),
    "escaped": ("", "&lt;@U1", ""),
    "backslashes": ("", "\\", ""),
}
"""What stands before what is repeated, what is repeated, what stands after it."""
GIVEN: dict[str, tuple[Any, ...]] = {
    "adapters.shared.markdown.split_markdown": (1_900,),
    "adapters.shared.markdown.code_to_files": (3_600, 120, lambda lines, name: name),
    "adapters.slack.render.rendered": ({"U1": "Grace"},),
    "adapters.slack.render.foot_blocks": (None,),
    "adapters.slack.mentions.escape_mentions": ({"U1": "Grace"},),
    "adapters.slack.mentions.stable": ({"U1": "Grace"},),
    "adapters.slack.entities.readable": (SlackNames({"U1": "Grace"}),),
    "adapters.discord.entities.readable": (DiscordNames(),),
}
"""What a function needs besides the text."""


def modules() -> Iterator[ModuleType]:
    """The modules of text of every platform and of what they share."""
    for folder in pkgutil.iter_modules(adapters.__path__):
        if folder.name in ELSEWHERE:
            continue
        path = f"adapters.{folder.name}"
        for module in pkgutil.iter_modules(importlib.import_module(path).__path__):
            if module.name in FILES:
                yield importlib.import_module(f"{path}.{module.name}")


def functions() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Each public function whose first argument is a text, or the lines of one, by its name."""
    for module in modules():
        for name, function in inspect.getmembers(module, inspect.isfunction):
            path = f"{module.__name__}.{name}"
            if function.__module__ != module.__name__ or name.startswith("_"):
                continue
            first = next(iter(get_type_hints(function).values()))
            if first in (str, Sequence[str]):
                yield path, _on_text(function, GIVEN.get(path, ()), takes_lines=first is not str)


def _on_text(function: Callable[..., Any], given: tuple[Any, ...], *, takes_lines: bool) -> Callable[[str], Any]:
    def call(text: str) -> Any:
        return function(["a", "-", *text.split("\n")] if takes_lines else text, *given)

    return call


def seconds(function: Callable[[str], Any], text: str, least_s: float = QUICK_S) -> float:
    """Processor time of one call, the best of three; one that takes less than `least_s` is not repeated."""
    found = []
    gc.disable()
    try:
        for _ in range(3):
            began = time.process_time()
            function(text)
            found.append(time.process_time() - began)
            if found[-1] < least_s:
                break
    finally:
        gc.enable()
    return min(found)


def growth(function: Callable[[str], Any], short: str, long: str) -> float:
    """How many times as long the longer text takes: the least of three looks, for the machine may be busy with other things."""
    least = float("inf")
    for _ in range(3):
        took_s = seconds(function, long)
        if took_s < QUICK_S:
            return 0.0
        least = min(least, took_s / seconds(function, short, least_s=0.0))
        if least <= FACTOR:
            break
    return least


def attack(name: str, size: int) -> str:
    """The text of about that many characters."""
    before, unit, after = ATTACKS[name]
    return f"{before}{unit * (size // len(unit))}{after}"


FUNCTIONS = dict(functions())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_twice_the_text_takes_no_more_than_three_times_as_long(function: str) -> None:
    """For every text that makes a pattern try again and again."""
    size = SIZES.get(function, SIZE)
    found = {name: growth(FUNCTIONS[function], attack(name, size), attack(name, 2 * size)) for name in ATTACKS}
    assert not {name: f"{factor:.1f} times as long" for name, factor in found.items() if factor > FACTOR}


def test_every_module_of_text_is_looked_at() -> None:
    """The functions that draw an answer are among them."""
    drawn = {
        f"adapters.{one}" for one in ("slack.render.rendered", "discord.render.rendered", "slack.entities.readable")
    }
    assert drawn | {"adapters.slack.mentions.escape_mentions", "adapters.shared.markdown.blocks"} <= set(FUNCTIONS)
