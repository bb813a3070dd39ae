"""The console in the contract suite: lines in, files of this machine, and what the terminal is given to show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.console import CAPABILITIES
from adapters.console.listen import converse
from adapters.console.parse import attachment, open_session, parse
from bot import config as configuration
from bot.app import App
from bot.types import InboundMessage, Reply
from tests.contracts.adapter_cases import ECHO, Case, Platform

HERE = open_session("contract")


@dataclass
class Line:
    """A line that was typed, and the answer to it."""

    inbound: InboundMessage
    answer: asyncio.Task[Reply]


@dataclass
class ConsolePlatform:
    """A person at a terminal."""

    app: App
    home: Path
    name: str = "console"
    lines: list[Line] = field(default_factory=list)

    async def say(self, text: str, files: Sequence[tuple[str, bytes]] = (), after: Line | None = None) -> Line:
        """Type a line; files lie in a folder."""
        for name, data in files:
            await asyncio.to_thread((self.home / name).write_bytes, data)
        attached = [attachment(self.home / name) for name, _ in files]
        inbound = parse(text, HERE, attached, self.app.host.commands, now=self.app.clock.now())
        assert isinstance(inbound, InboundMessage)
        shown = asyncio.create_task(converse(self.app.host, self.app.accept, inbound, lambda event: None))
        self.lines.append(Line(inbound, shown))
        return self.lines[-1]

    async def speak(self, sound: bytes) -> Line:
        """Attach a recording, with no words."""
        return await self.say("", [("note.ogg", sound)])

    async def edit(self, question: Line, text: str) -> None:
        """What was typed stays typed."""

    async def delete(self, question: Line) -> None:
        """What was typed stays typed."""

    async def repeat(self, question: Line) -> None:
        """Hand the same line in again."""
        assert (await self.app.accept(question.inbound)).outcome == "repeated"

    async def mention(self, text: str, *, by_bot: bool) -> Any:
        """Nobody else writes here."""
        raise NotImplementedError

    async def answers(self, question: Line) -> list[str]:
        """What was shown for it and for the lines after it."""
        await self.settled()
        return [line.answer.result().text for line in self.lines[self.lines.index(question) :]]

    async def uploads(self, question: Line) -> list[bytes]:
        """A terminal plays nothing."""
        return []

    async def buttons(self, question: Any) -> set[str]:
        """A terminal has none."""
        return set()

    async def settled(self) -> None:
        """Every line is answered."""
        async with asyncio.timeout(30):
            await asyncio.gather(*(line.answer for line in self.lines))


@asynccontextmanager
async def start(home: Path) -> AsyncIterator[Platform]:
    """A Parley with a terminal."""
    config = configuration.load(env_file=None, parley_home=home, port=0, **ECHO)
    async with App(config, only={"console"}, durable=False).running() as app:
        yield ConsolePlatform(app, home)


CASE = Case("console", CAPABILITIES, start, has_bots=False, has_edits=False, keeps_posts=False, plays_voice=False)
