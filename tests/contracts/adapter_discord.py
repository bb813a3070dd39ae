"""Discord in the contract suite: the emulator over its sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.discord import CAPABILITIES
from adapters.discord.custom_ids import custom_ids
from adapters.discord.emulator import Channel, Message
from adapters.discord.emulator.messages import tell_message
from bot.app import App
from bot.media import audio
from tests.acceptance.discord_support import World, world
from tests.contracts.adapter_cases import Case, Platform


@dataclass
class DiscordPlatform:
    """Alice in her direct messages with Parley, which are one conversation."""

    world: World
    app: App
    name: str = "discord"

    @property
    def _channel(self) -> Channel:
        return self.world.discord.direct(self.world.discord.alice)

    async def say(self, text: str, files: Sequence[tuple[str, bytes]] = (), after: Message | None = None) -> Message:
        """Write in the direct channel."""
        return self.world.discord.post(self.world.discord.alice, self._channel, text, files=list(files))

    async def speak(self, sound: bytes) -> Message:
        """Record a voice message."""
        duration = audio.probe(sound).duration_s
        return self.world.discord.voice_note(self.world.discord.alice, self._channel, sound, duration)

    async def edit(self, question: Message, text: str) -> None:
        """Change it."""
        self.world.discord.edit(question, text)

    async def delete(self, question: Message) -> None:
        """Take it back."""
        self.world.discord.delete(question)

    async def repeat(self, question: Message) -> None:
        """Deliver the same message again."""
        tell_message(self.world.discord.world, "MESSAGE_CREATE", question)
        await self.world.settled()

    async def mention(self, text: str, *, by_bot: bool) -> Message:
        """Bob, or another app's bot, in #general."""
        discord = self.world.discord
        writer = discord.world.add_user("other-bot", bot=True) if by_bot else discord.bob
        if by_bot:
            discord.world.join(discord.guild, writer)
        return discord.post(writer, discord.general, f"<@{discord.bot.id}> {text}")

    async def answers(self, question: Message) -> list[str]:
        """What Parley wrote there since the question."""
        await self.settled()
        channel = self.world.discord.world.channels[question.channel_id]
        return [m.content for m in self.world.discord.replies(channel) if m.id > question.id and not m.is_voice]

    async def uploads(self, question: Message) -> list[bytes]:
        """The files that Parley sent there since the question."""
        await self.settled()
        found = [m for m in self.world.discord.replies(self._channel) if m.id > question.id]
        return [file.data for message in found for file in message.attachments]

    async def buttons(self, question: Message) -> set[str]:
        """Of the last message that is no voice message."""
        await self.settled()
        found = [m for m in self.world.discord.replies(self._channel) if m.id > question.id and not m.is_voice]
        return {one.split(":")[1] for one in custom_ids(found[-1].components)}

    async def settled(self) -> None:
        """No delivery and no turn under way."""
        await self.world.settled()


@asynccontextmanager
async def start(home: Path) -> AsyncIterator[Platform]:
    """An emulator and a Parley."""
    async with world(home) as made:
        yield DiscordPlatform(made, made.app)


CASE = Case("discord", CAPABILITIES, start, max_text=2_000)
