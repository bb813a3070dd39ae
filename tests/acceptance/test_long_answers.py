"""Half a megabyte of answer, made to be slow: it arrives, and meanwhile nobody else waits for the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.slack.emulator import Message
from bot.app import App
from tests.acceptance import discord_support, slack_support
from tests.acceptance.playground_support import Person, playing, until_done
from tests.conftest import MakeConfig

SIZE = 500_000
"""Characters: as many as 128,000 tokens."""
MOST_S = 0.25
"""Of the loop's own processor time between two beats; measured are some 50 ms, with the emulators on the same loop."""
HOSTILE = {
    "paragraphs": "a\n\n",
    "short rows": "|a|b|\n|-|-|\n" + "|\n" * 40,
    "nested calls": "<@U1|",
    "usual": "# Title\n\nSome **bold** words, a [link](https://a.b/c).\n\n- one\n- two\n\n```python\nprint(1)\n```\n\n",
}

KINDS = [kind if kind == "usual" else pytest.param(kind, marks=pytest.mark.hard) for kind in HOSTILE]
"""`make hard` tries all of them; the shapes themselves are measured by `tests/growth`."""


@dataclass
class Loop:
    """How long the loop was held."""

    longest_s: float = 0.0
    beats: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def beat(self) -> None:
        """Between two beats passes what everything else on the loop takes of this thread's processor time."""
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            self.longest_s = max(self.longest_s, time.thread_time() - began)
            self.beats += 1
            await asyncio.sleep(0.002)


@asynccontextmanager
async def watched() -> AsyncIterator[Loop]:
    """The loop, while the context is open."""
    loop = Loop()
    task = asyncio.create_task(loop.beat())
    try:
        yield loop
    finally:
        task.cancel()


def lay_ready(app: App, text: str, pieces: int = 100) -> asyncio.Task[None]:
    """Let the model answer with the text, in pieces, one in 10 ms."""
    size = len(text) // pieces + 1
    gates = [asyncio.Event() for _ in range(pieces)]
    items: list[Any] = []
    for at, gate in enumerate(gates):
        items += [gate, text[at * size : (at + 1) * size]]
    app.providers["echo"].script.enqueue("chat", items)  # type: ignore[attr-defined]
    return asyncio.create_task(_open_all(gates))


async def _open_all(gates: Sequence[asyncio.Event]) -> None:
    for gate in gates:
        gate.set()
        await asyncio.sleep(0.01)


def answer_of(kind: str) -> str:
    """The hostile text."""
    return HOSTILE[kind] * (SIZE // len(HOSTILE[kind])) + "THE END"


def whole(found: Sequence[Message]) -> list[Message]:
    """The messages that are complete."""
    return [one for one in found if not one.is_streaming and one.shown]


def assert_free(loop: Loop) -> None:
    """The loop was watched, and never held for long."""
    assert loop.beats > 50
    assert loop.longest_s < MOST_S, f"the loop was held for {loop.longest_s * 1000:.0f} ms"


@pytest.mark.parametrize("kind", KINDS)
async def test_slack_is_answered_at_length_and_the_loop_is_free(tmp_path: Path, kind: str) -> None:
    """Streamed, rendered, and written as it stays, a message a second, of which the first five are waited for."""
    async with slack_support.world(tmp_path) as w:
        pacing = lay_ready(w.app, answer_of(kind))
        async with watched() as loop:
            asked = w.mention("at length, please")
            await w.slack.wait_for(lambda: len(whole(w.slack.from_bot(asked.channel, asked.ts))) >= 5, 120)
        await pacing
    assert_free(loop)


@pytest.mark.parametrize("kind", KINDS)
async def test_discord_is_answered_at_length_and_the_loop_is_free(tmp_path: Path, kind: str) -> None:
    """Shown by edits, then written as it stays."""
    async with discord_support.world(tmp_path) as w:
        pacing = lay_ready(w.app, answer_of(kind))
        async with watched() as loop:
            w.mention("at length, please")
            await w.said("THE END", timeout_s=120)
        await pacing
    assert_free(loop)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_page_is_answered_at_length_and_the_loop_is_free(make_config: MakeConfig, kind: str) -> None:
    """While it grows, in the end, and when the history is asked for."""
    async with playing(make_config) as playground:
        person = Person(playground.url)
        await person.arrive()
        pacing = lay_ready(playground.app, answer_of(kind))
        async with watched() as loop, person.watching() as events:
            await person.post("at length, please")
            _, done = await until_done(events)
            await person.entries()
        await pacing
        await person.http.close()
        assert "THE END" in done["text"]
    assert_free(loop)
