"""Rendering is linear in the length of a text, whatever stands in it, and holds up nobody else while it runs."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from html import escape
from typing import Any

import pytest

from adapters.playground import highlight, render
from adapters.playground.renderer import Renderer
from bot.media.apart import Readers
from bot.types import Text

SMALL, LARGE = 6_000, 12_000
"""Characters of the two texts that are compared."""
SLACK_S = 0.02
"""What a timer and the collector of garbage may add."""
PIECES = (
    *("- a\n", "1. a\n", "- [ ] a\n", "> - a\n", "- ", "> a\n", "a\n\n", "a\n", "a  \n", "a\n-\n", "---\n", "# a\n"),
    *("[", "]", "[]", "[a](", "![", "![a](", "[a][", "](", '[a](b "', "[a]: b\n", "[a\n", '[a]: b "c\n', "[a](b) "),
    *("*", "*a ", "*a **b ", "a**b", "*_", "*a_ ", "a_", "~~", "~~a ", "**x* ", "`a ", "`", "<", "<a", "<!--", "<?"),
    *("&", "&a", "&#", "&amp;", "\\", "\n", "\t", "\r", "\0", "|", "|a|\n", "|-|\n", "|a|b|\n|-|-|\n\n", "    a\n"),
    *(
        "http://",
        "http://a.b ",
        "[http://a.b",
        "http://a..... ",
        "mailto:a@b ",
        "![a](http://b) ",
        "```\n",
        "```a\nb\n```\n",
    ),
)
"""Each is repeated to the length of the text."""
SHAPES: dict[str, Callable[[int], str]] = {
    "deep list": lambda n: "".join("  " * i + "- a\n" for i in range(int(n**0.5))),
    "deep quote": lambda n: "".join(">" * i + " a\n" for i in range(int((2 * n) ** 0.5))),
    "nested links": lambda n: "[" * (n // 5) + "a" + "](b)" * (n // 5),
    "nested pictures": lambda n: "![" * (n // 6) + "a" + "](b)" * (n // 6),
    "used references": lambda n: "[a]: b\n\n" + "[a]" * (n // 3),
    "an endless title": lambda n: '[a]: b "\n' + "c\n" * (n // 2),
    "ticks that grow": lambda n: "".join("`" * i + " " for i in range(int((2 * n) ** 0.5))),
    "nested emphasis": lambda n: "*a " * (n // 6) + "b* " * (n // 6),
    "long table": lambda n: "|a|b|\n|-|-|\n" + "|c|d|\n" * (n // 6),
    "wide table": lambda n: "|a" * (n // 4) + "|\n" + "|-" * (n // 4) + "|\n",
    "heading's end": lambda n: "# a" + " #" * (n // 2),
    "blanks": lambda n: "a" + " " * n + "b",
}
SLOW_CODE = (
    *(
        ("make", "a"),
        ("make", "0"),
        ("http", "a"),
        ("diff", "\n"),
        ("ini", "a"),
        ("console", "\n"),
        ("amdgpu", "a"),
        ("ada", "a"),
    ),
    *(
        ("c", "\n"),
        ("java", "\n"),
        ("csharp", "a\n"),
        ("systemd", " "),
        ("autoit", "\n"),
        ("objdump", " "),
        ("html+ng2", "("),
    ),
    *(("lilypond", "a"), ("restructuredtext", "\n"), ("terraform", "a"), ("python", "("), ("text", "a")),
)
"""Lexers, and what some of them are slow to read."""


def seconds(work: Callable[[str], object], text: str) -> float:
    """CPU time of the work, the better of two runs."""
    return min(_once(work, text) for _ in range(2))


def _once(work: Callable[[str], object], text: str) -> float:
    highlight.highlighted.cache_clear()
    gc.disable()  # it would add what other tests left behind
    try:
        began = time.thread_time()
        work(text)
        return time.thread_time() - began
    finally:
        gc.enable()


def assert_linear(work: Callable[[str], object], made: Callable[[int], str]) -> None:
    """Twice the text takes at most three times as long."""
    short, long = seconds(work, made(SMALL)), seconds(work, made(LARGE))
    assert long <= 3 * short + SLACK_S, f"{short * 1000:.0f} ms, doubled {long * 1000:.0f} ms"


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_a_repeated_piece_takes_linear_time(piece: str) -> None:
    """Lists, paragraphs, brackets, emphasis, tables, fences, addresses: none is slower than its length."""
    assert_linear(render.blocks, lambda n: piece * (n // len(piece)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_nested_shape_takes_linear_time(shape: str) -> None:
    """Nor is anything within anything."""
    assert_linear(render.blocks, SHAPES[shape])


@pytest.mark.parametrize(("language", "piece"), SLOW_CODE, ids=ascii)
def test_code_is_highlighted_in_linear_time(language: str, piece: str) -> None:
    """Code that its lexer reads slowly stays plain after a time that is bounded by its length, on long and on short lines."""
    limit = 2 * highlight.BASE_S + 2 * LARGE * highlight.PER_CHARACTER_S
    for code in (piece * (LARGE // len(piece)), (piece * (900 // len(piece)) + "\n") * (LARGE // 900)):
        taken = _once(lambda code: highlight.highlighted(code, language), code)
        assert taken < limit, f"{taken:.2f} s"


@pytest.mark.parametrize("work", [render.text_of, render.draw_parts], ids=["words", "parts"])
def test_the_other_functions_take_linear_time(work: Callable[[Any], object]) -> None:
    """Joining the words of many parts, and leaving them out."""
    assert_linear(lambda text: work([Text(letter) for letter in text]), lambda n: "a" * n)


HOSTILE = ("- a\n" * 4_000, "a\n\n" * 5_000, "```make\n" + "a" * 16_000, "```c\n" + "\n" * 16_000, "[a][" * 4_000)


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    """A renderer with processes of its own."""
    made = Renderer()
    yield made
    await made.close()


@pytest.mark.parametrize("text", HOSTILE, ids=["list", "paragraphs", "make", "c", "brackets"])
async def test_the_loop_is_never_held(renderer: Renderer, text: str) -> None:
    """A hostile answer of 16 kB takes the event loop at most 50 ms at a time, while it is rendered and when it was."""
    made = asyncio.create_task(renderer.blocks(text))
    longest = 0.0
    while not made.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
        await asyncio.sleep(0.001)
    assert len(await made) >= 1
    assert longest < 0.05, f"the loop was held {longest * 1000:.0f} ms"


async def test_the_first_words_wait_for_no_process(renderer: Renderer) -> None:
    """A short text is rendered at once while the processes have yet to start, and its code is coloured as soon as they have."""
    began = asyncio.get_running_loop().time()
    assert await renderer.preview("Look:\n\n```python\nreturn 1") == render.blocks(
        "Look:\n\n```python\nreturn 1", has_colours=False
    )
    assert asyncio.get_running_loop().time() - began < 0.1
    assert "tok-k" in (await renderer.blocks("Look:\n\n```python\nreturn 1"))[-1]
    assert "tok-k" in (await renderer.preview("```python\nreturn 1"))[-1]


async def test_what_cannot_be_rendered_in_time_is_shown_as_it_is() -> None:
    """Past the deadline the words are there, escaped and in one block; nobody waits for more."""
    readers = Readers(1, deadline_s=0.0)
    renderer = Renderer(readers)
    text = "<b> **bold** " * 50
    assert await renderer.blocks(text) == [f'<pre class="plain">{escape(text)}</pre>']
    assert await Renderer(Readers(1), patience_s=0).blocks("*a*" * 200) == [f'<pre class="plain">{"*a*" * 200}</pre>']
    await renderer.close()


async def test_a_text_is_rendered_once(renderer: Renderer) -> None:
    """What was rendered is remembered by its text, and forgotten when much else came."""
    once, other = "**once** " * 50, "**another** " * 50
    first = await renderer.blocks(once)
    assert first == render.blocks(once)
    assert await renderer.blocks(once) is first
    small = Renderer(max_kept=1_500)
    kept = await small.blocks(once)
    await small.blocks(other)
    assert await small.blocks(once) is not kept
    await small.close()
