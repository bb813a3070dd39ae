"""Long answers are rendered in other processes, in bounded time, and shown as they were written where that is not enough."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.discord import render as discord_render
from adapters.discord.rendering import Renderer as DiscordRenderer
from adapters.discord.reply.plan import Plan as DiscordPlan
from adapters.discord.reply.plan import Post
from adapters.shared.rendering import LongTexts, plain_pieces
from adapters.slack import render as slack_render
from adapters.slack.mentions import escape_mentions, stable
from adapters.slack.previews import unlinked
from adapters.slack.rendering import Renderer as SlackRenderer
from adapters.slack.reply.actions import Allowed, Edit
from adapters.slack.reply.plan import Plan as SlackPlan
from adapters.slack.reply.presentable import Presentable
from bot.media.apart import Readers
from bot.types import TextDelta

LONG = (
    "# Title\n\nSome **bold** words <@U1> @Grace.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```\n\n"
    * 100
)
ALLOWED = {"U1": "Grace"}


@pytest.fixture
def readers() -> Iterator[Readers]:
    """A process of our own."""
    made = Readers(1)
    yield made
    made.close()


@pytest.fixture
async def late() -> AsyncIterator[LongTexts]:
    """For which every long text comes too late."""
    readers = Readers(1, deadline_s=0.0)
    yield LongTexts(readers)
    readers.close()


async def test_a_long_answer_is_the_same_from_another_process(readers: Readers) -> None:
    """Blocks, notification texts, files and all."""
    texts = LongTexts(readers)
    assert texts.holds(LONG)
    slack = await SlackRenderer(texts).words(LONG, ALLOWED)
    assert slack == slack_render.without_foot(LONG, ALLOWED)
    assert await DiscordRenderer(texts).words(
        LONG + "```py\n" + "x = 1\n" * 1_000 + "```"
    ) == discord_render.without_remarks(LONG + "```py\n" + "x = 1\n" * 1_000 + "```")


async def test_a_short_answer_needs_no_process(readers: Readers) -> None:
    """It is rendered where it stands."""
    texts = LongTexts(readers)
    assert (await SlackRenderer(texts).words("**hi**", {})).pieces[0].text == "hi"
    assert (await DiscordRenderer(texts).words("**hi**")).pieces == ("**hi**",)
    assert readers.idle() == 0


async def test_a_long_answer_is_rendered_once(readers: Readers) -> None:
    """The second time nobody is asked."""
    texts = LongTexts(readers)
    first = await DiscordRenderer(texts).words(LONG)
    readers.close()
    assert await DiscordRenderer(texts).words(LONG) == first
    assert readers.idle() == 0


async def test_what_cannot_be_rendered_in_time_is_shown_as_it_was_written(late: LongTexts) -> None:
    """All its words, as code that nothing in it ends, calling nobody; and it is not tried again at once."""
    hostile = "```\n<@U9> **a**\n" * 2_000
    words = await SlackRenderer(late).words(hostile, ALLOWED)
    shown = "".join(piece.markdown for piece in words.pieces)
    assert shown.count("**a**") == 2_000
    assert "<@U9>" not in shown
    assert all(len(piece.markdown) <= slack_render.PIECE + 2_000 for piece in words.pieces)
    pieces = (await DiscordRenderer(late).words(hostile)).pieces
    assert sum(piece.count("**a**") for piece in pieces) == 2_000
    assert all(piece.startswith("```\n") and piece.endswith("\n```") and piece.count("```") == 2 for piece in pieces)
    began = time.monotonic()
    await DiscordRenderer(late).words(hostile)
    assert time.monotonic() - began < 1


@settings(deadline=None)
@given(st.text(st.sampled_from("`a \n"), max_size=3_000), st.integers(50, 400))
def test_plain_pieces_fit_and_hold_all(text: str, limit: int) -> None:
    """Whatever fences the text holds."""
    pieces = plain_pieces(text, limit)
    assert all(len(piece) <= limit and piece.count("```") == 2 for piece in pieces)
    assert "".join(pieces).count("a") == text.count("a")


@pytest.mark.parametrize("shape", ["- a\n" * 30_000, "|a|b|\n|-|-|\n" + "|\n" * 60_000, "a\n\n" * 50_000])
async def test_the_loop_is_not_held(readers: Readers, shape: str) -> None:
    """While a hostile answer is rendered, and when it was, the loop's own work between two beats takes at most 50 ms."""
    await LongTexts(readers).made(_nothing, "x" * 6_000)  # the process has started
    for work in (
        SlackRenderer(LongTexts(readers)).words(shape, ALLOWED),
        DiscordRenderer(LongTexts(readers)).words(shape),
    ):
        made = asyncio.ensure_future(work)
        longest = 0.0
        while not made.done():
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)
            await asyncio.sleep(0.001)
        assert (await made).pieces
        assert longest < 0.05, f"{longest * 1000:.0f} ms"


def _nothing(text: str, given: object) -> list[str]:
    return []


# --- While it grows --------------------------------------------------------------------------------------------------


def test_a_long_answer_at_discord_shows_what_is_known_until_more_is() -> None:
    """The plan asks for a long text's messages, shows those that it was told, and asks again when more text came."""
    plan = DiscordPlan(start_s=0.0, retry_s=1.0, max_inline=100)
    plan.begin()
    plan.on_event(TextDelta("word " * 40), 0.0)
    assert plan.unrendered == "word " * 40
    assert plan.next_action(1.0) is None
    plan.on_rendered(plan.unrendered, ("some words",))
    assert plan.unrendered == ""
    plan.on_event(TextDelta("more"), 1.0)
    match plan.next_action(2.0):
        case Post(0, draft):
            assert draft.content == "some words"
        case other:
            pytest.fail(f"{other}")
    assert plan.unrendered == "word " * 40 + "more"


def test_a_long_answer_at_slack_shows_what_is_known_until_more_is() -> None:
    """The same where it grows by edits; a stream needs no messages made."""
    edits, streams = Allowed(frozenset({"edit"})), Allowed(frozenset({"edit", "stream"}))
    plan = SlackPlan(max_inline=100)
    plan.begin()
    plan.on_event(TextDelta("word " * 40), 0.0)
    assert plan.unrendered(5.0, streams) == ""
    assert plan.unrendered(0.1, edits) == ""  # too early for an edit
    text = plan.unrendered(5.0, edits)
    assert text == "word " * 40
    assert plan.next_action(5.0, edits) is None
    plan.on_rendered(text, slack_render.rendered("some words").pieces)
    match plan.next_action(5.0, edits):
        case Edit((write,)):
            assert write.piece.markdown == "some words"
        case other:
            pytest.fail(f"{other}")


LINES = st.lists(
    st.sampled_from(
        ["@Grace", "<@U1>", "<@U9|x>", "```", "`@Grace`", "a http://b.c", "\n", " ", "<", "x" * 300, "<@U9"]
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=40)
@given(LINES, st.integers(1, 40))
def test_what_is_presentable_of_a_growing_text_is_what_it_would_be_at_once(pieces: list[str], step: int) -> None:
    """However the text comes: complete lines keep what was made of them, and nothing that was shown is taken back."""
    text = "line of @Grace\n" * 700 + "".join(pieces) + "\n" + "end of <@U1>\n" * 700
    part, shown = Presentable(ALLOWED), ""
    for end in range(9_000, len(text) + step * 100, step * 100):
        now = part.of(text[:end])
        assert now.startswith(shown)
        shown = now
    at_once = unlinked(stable(escape_mentions(stable(text, ALLOWED), ALLOWED).lstrip()))
    is_simple = "`" not in text
    assert part.of(text) == at_once or not is_simple
