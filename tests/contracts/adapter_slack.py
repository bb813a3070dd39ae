"""Slack in the contract suite: the emulator over its sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.slack import CAPABILITIES
from adapters.slack.emulator import Message
from bot.app import App
from tests.acceptance.slack_support import World, world
from tests.contracts.adapter_cases import Case, Platform


@dataclass
class SlackPlatform:
    """Ada in her direct messages with Parley."""

    world: World
    app: App
    name: str = "slack"

    async def say(self, text: str, files: Sequence[tuple[str, bytes]] = (), after: Message | None = None) -> Message:
        """Write in the direct channel."""
        thread = (after.thread_ts or after.ts) if after else None
        return self.world.slack.post("ada", self.world.slack.dm("ada"), text, files=list(files), thread_ts=thread)

    async def speak(self, sound: bytes) -> Message:
        """Record a clip."""
        return self.world.slack.upload_clip("ada", self.world.slack.dm("ada"), sound)

    async def edit(self, question: Message, text: str) -> None:
        """Change it."""
        self.world.slack.edit(question, text)

    async def delete(self, question: Message) -> None:
        """Take it back."""
        self.world.slack.delete(question)

    async def repeat(self, question: Message) -> None:
        """Send the same envelope again."""
        sent = next(d for d in self.world.slack.deliveries if d.payload.get("event", {}).get("ts") == question.ts)
        await self.world.slack.desk.post.send_and_wait("events_api", sent.payload)

    async def mention(self, text: str, *, by_bot: bool) -> Message:
        """Grace, or another app's bot, in #general."""
        other = {"bot_id": "B0OTHER", "subtype": "bot_message"} if by_bot else {}
        return self.world.slack.post("grace", "general", f"<@{self.world.slack.bot.id}> {text}", **other)

    async def answers(self, question: Message) -> list[str]:
        """What stands in its thread after it."""
        await self.settled()
        found = self.world.slack.from_bot(question.channel, question.thread_ts or question.ts)
        return [m.shown for m in found if m.ts > question.ts and not m.files]

    async def uploads(self, question: Message) -> list[bytes]:
        """The files in its thread."""
        await self.settled()
        found = self.world.slack.from_bot(question.channel, question.thread_ts or question.ts)
        return [self.world.slack.world.files[name].content for m in found for name in m.files]

    async def buttons(self, question: Message) -> set[str]:
        """Of the last message in its thread: buttons and thumbs."""
        await self.settled()
        found = self.world.slack.from_bot(question.channel, question.thread_ts or question.ts)
        elements = [one for block in found[-1].blocks for one in block.get("elements", ())]
        ids = {str(one.get("action_id", "")).partition(":")[2] for one in elements if "action_id" in one}
        return ids - {"feedback"} | ({"thumbs_up", "thumbs_down"} if "feedback" in ids else set())

    async def settled(self) -> None:
        """No delivery and no turn under way."""
        await self.world.settled()


@asynccontextmanager
async def start(home: Path) -> AsyncIterator[Platform]:
    """An emulator and a Parley."""
    async with world(home) as made:
        yield SlackPlatform(made, made.app)


CASE = Case("slack", CAPABILITIES, start, max_text=11_000)
