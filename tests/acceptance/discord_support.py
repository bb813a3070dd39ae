"""A Discord on loopback with a whole Parley beside it, wired as in production but for echo models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.discord import PLUGIN
from adapters.discord.adapter import Discord
from adapters.discord.custom_ids import custom_ids
from adapters.discord.emulator import AppConfig, Channel, DiscordEmulator, Limits, Message, User
from adapters.discord.pace import Pace
from adapters.discord.parse_parts import VOICE
from adapters.discord.post import NO_EMBEDS
from bot import config as configuration
from bot.app import App
from bot.clock import SystemClock
from bot.ports import Clock
from bot.store import turns
from tests.conftest import UNRATED
from tests.emulators import discord_openapi

ECHO = {
    "chat_model": "echo:echo",
    "transcribe_model": "echo:echo",
    "speech_model": "echo:echo",
    "image_model": "echo:echo",
    "embedding_model": "echo:echo",
}


SAYING = (4, 7)
"""The callbacks that show a message: a new one, and the one whose button was pressed."""
SHOWN = ("content", "embeds", "components", "attachments", "sticker_ids", "message_reference")
"""What makes a body a message."""
SOON = Pace(ready_s=0.05)
"""One server is soon there."""


class AheadClock(SystemClock):
    """The machine's clock, put forward by a test."""

    ahead_s = 0.0

    def now(self) -> datetime:
        """The time in UTC."""
        return super().now() + timedelta(seconds=self.ahead_s)

    def monotonic(self) -> float:
        """Seconds from some fixed moment."""
        return super().monotonic() + self.ahead_s


@dataclass
class World:
    """Discord, Parley, and what a person does between them."""

    discord: DiscordEmulator
    app: App

    @property
    def adapter(self) -> Discord:
        """Our side."""
        found = self.app.adapters["discord"]
        assert isinstance(found, Discord)
        return found

    def mention(self, text: str, channel: Channel | None = None, user: User | None = None, **more: Any) -> Message:
        """A person mentions Parley."""
        words = f"<@{self.discord.bot.id}> {text}".strip()
        return self.discord.post(user or self.discord.alice, channel or self.discord.general, words, **more)

    def beneath(self, question: Message) -> list[Message]:
        """Parley's messages that answer a question, as they stand now."""
        channel = self.discord.world.channels[question.channel_id]
        every = self.discord.replies(channel)
        return [m for m in every if m.reference and m.reference.message_id == question.id]

    async def answers(self, question: Message, count: int = 1, timeout_s: float = 10) -> list[Message]:
        """Parley's messages that answer a question, once so many stand and no turn runs."""
        await self.discord.wait_for(lambda: len(self.beneath(question)) >= count, timeout_s)
        await self.settled()
        return self.beneath(question)

    async def said(self, text: str, channel: Channel | None = None, timeout_s: float = 10) -> Message:
        """A message of Parley's with that text in it, once it stands and no turn runs."""
        place = channel or self.discord.general

        def found() -> list[Message]:
            return [m for m in self.discord.replies(place) if text in m.content]

        await self.discord.wait_for(found, timeout_s)
        await self.settled()
        return found()[-1]

    async def settled(self, timeout_s: float = 20) -> None:
        """Wait until nothing is under way: no delivery, and no turn in the database."""
        async with asyncio.timeout(timeout_s):
            quiet = 0
            while quiet < 3:
                busy = self.adapter.listener._tasks or await turns.unfinished(self.app.store)
                quiet = 0 if busy else quiet + 1
                await asyncio.sleep(0.015)


def config_for(discord: DiscordEmulator, home: Path, **values: Any) -> Any:
    """A configuration against this Discord."""
    environment: dict[str, Any] = {
        "discord_bot_token": discord.token,
        "discord_api_url": discord.api_url,
        "discord_gateway_url": discord.gateway_url,
        "discord_cdn_url": discord.cdn_url,
        "parley_home": home,
        "port": 0,
        **ECHO,
    }
    return configuration.load(env_file=None, **{**environment, **UNRATED, **values})


@asynccontextmanager
async def parley(
    discord: DiscordEmulator,
    home: Path,
    *,
    listen: bool = True,
    durable: bool = False,
    name: str = "main",
    pace: Pace = SOON,
    clock: Clock | None = None,
    **values: Any,
) -> AsyncIterator[World]:
    """Start Parley against this Discord and wait until it hears."""
    plugin = replace(PLUGIN, create=lambda options, host: Discord(options, host, pace))
    config = config_for(discord, home, **values)
    app = App(config, clock=clock, only={"discord"}, durable=durable, name=name, plugins={"discord": plugin})
    async with app.running(listen=listen):
        made = World(discord, app)
        if listen:
            await discord.wait_connected(10)
            await discord.wait_for(
                lambda: made.adapter.directory.gateway and made.adapter.directory.gateway.is_ready(), 10
            )
            await made.settled()
        yield made


@asynccontextmanager
async def world(
    home: Path, *, app: AppConfig | None = None, limits: Limits | None = None, valid: bool = True, **values: Any
) -> AsyncIterator[World]:
    """Both sides; in the end every call must fit the vendor's own description."""
    strict = limits or Limits(enabled=False)
    async with DiscordEmulator(app, limits=strict) as discord:
        async with parley(discord, home, **values) as made:
            yield made
        if valid:
            assert discord_openapi.complaints(discord.calls, answers=False) == []
        assert loud_bodies(discord) == []


def loud_bodies(discord: DiscordEmulator) -> list[str]:
    """The writes that would fetch a preview or ping somebody, by their route: looked for at the end of every test."""
    wrong = [f"unfurled {url}" for url, message in discord.unfurled if message.author_id == discord.bot.id]
    for call in discord.calls:
        body = call.body if isinstance(call.body, dict) else {}
        if call.route.endswith("/callback"):
            body = body.get("data") or {} if body.get("type") in SAYING else {}
        for said in (body, body.get("message") or {}):
            if not set(SHOWN).isdisjoint(said) and not _is_quiet(said):
                wrong.append(f"{call.method} {call.route}: {said}")
    return wrong


def _is_quiet(said: dict[str, Any]) -> bool:
    """Whether a body suppresses previews and mentions; sound has no words, and a flag of its own."""
    flags, mentions = int(said.get("flags") or 0), said.get("allowed_mentions") or {}
    hides = flags & NO_EMBEDS or (flags & VOICE and not said.get("content"))
    return bool(hides) and mentions.get("parse") == [] and not mentions.get("replied_user")


__all__ = ["ECHO", "World", "config_for", "parley", "replace", "world"]


def button_id(message: object, name: str) -> str:
    """The id of the button under a message that does this."""
    found = custom_ids(message.components)  # type: ignore[attr-defined]
    return next(one for one in found if one.split(":")[1] == name)
