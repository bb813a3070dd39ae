"""The main flows once more on a simulated Discord that is not ours: simcord, in process, with discord.py's own parsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord
import pytest

from adapters.discord import slash
from adapters.discord.adapter import Discord
from adapters.discord.listen import HEARD
from bot import config as configuration
from bot.app import App
from bot.store import turns
from tests.acceptance.discord_support import ECHO

simcord = pytest.importorskip("simcord", reason="install the development dependencies: make test does")


@dataclass
class Simulated:
    """The simulation, and Parley in it."""

    env: Any
    app: App
    adapter: Discord
    channel: Any
    alice: Any

    async def said(self, text: str, timeout_s: float = 10) -> Any:
        """Parley's message with that text, once no turn runs."""
        return await self.until(
            lambda: next((m for m in reversed(self.channel.history()) if text in m.content and m.author.bot), None),
            timeout_s,
        )

    async def until(self, found: Callable[[], Any], timeout_s: float = 10) -> Any:
        """What is found once it is, and no turn runs."""
        async with asyncio.timeout(timeout_s):
            while not (seen := found()) or await turns.unfinished(self.app.store):
                await self.env.settle()
                await asyncio.sleep(0.02)
        return seen


@asynccontextmanager
async def simulation(home: Path) -> AsyncIterator[Simulated]:
    """A simulated Discord with Parley connected."""
    values = {"discord_bot_token": "x", "parley_home": home, "port": 0, **ECHO}
    app = App(configuration.load(env_file=None, **values), only={"discord"}, durable=False)
    async with app.running():
        adapter = app.adapters["discord"]
        assert isinstance(adapter, Discord)
        bot = discord.Client(
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)
        )
        adapter.listener.attach(bot, app.accept)
        _hear_without_a_socket(bot, adapter, app)
        async with simcord.run(bot) as env:
            adapter.client._rest = bot
            adapter.directory.gateway = bot
            guild = env.create_guild()
            channel = guild.create_text_channel("general")
            alice = guild.add_member(env.create_user("alice"))
            yield Simulated(env, app, adapter, channel, alice)
            adapter.client._rest = adapter.directory.gateway = None


def _hear_without_a_socket(bot: discord.Client, adapter: Discord, app: App) -> None:
    """simcord has no socket to listen at: it calls discord.py's parsers, from where its payloads are handed to Parley."""
    parsers = bot._connection.parsers

    def hearing(name: str, parse: Callable[[Any], None]) -> Callable[[Any], None]:
        def heard(data: Any) -> None:
            adapter.listener.hear(name, data, app.accept)
            parse(data)

        return heard

    for name in HEARD:
        parsers[name] = hearing(name, parsers[name])


async def test_mention_reply_and_edit(tmp_path: Path) -> None:
    """A mention is answered, a reply goes on, an edit revises."""
    async with simulation(tmp_path) as s:
        asked = await s.alice.send(s.channel, f"<@{s.env.bot.user.id}> hello")
        first = await s.said("You said: hello")
        await s.alice.send(s.channel, "and more", reply_to=first)
        assert "Messages before: 2" in (await s.said("and more")).content
        await s.alice.edit(asked, f"<@{s.env.bot.user.id}> hello again")
        await s.said("hello again")


async def test_commands_menus_and_buttons(tmp_path: Path) -> None:
    """The commands are taken as they are; `/ask` is answered in place, the rest privately; buttons work."""
    async with simulation(tmp_path) as s:
        assert await slash.sync(s.adapter.client)
        await s.env.settle()
        asked = await s.alice.slash(s.channel, "ask", text="one question")
        await s.until(lambda: asked.response and "one question" in asked.response.content)
        private = await s.alice.slash(s.channel, "usage")
        await s.until(lambda: private.response and private.response.content)
        assert private.ephemeral and not asked.ephemeral
        said = await s.alice.send(s.channel, "Guten Morgen")
        used = await s.alice.context_menu(s.channel, "Translate", said)
        await s.until(lambda: used.response and "Guten Morgen" in used.response.content)
        assert used.ephemeral
        await s.alice.send(s.channel, f"<@{s.env.bot.user.id}> press me")
        answer = await s.said("press me")
        ids = [child.custom_id for row in answer.components for child in row.children]
        thumb = await s.alice.click(answer, custom_id=next(one for one in ids if ":thumbs_up:" in one))
        await s.until(lambda: thumb.followups)
        again = await s.alice.click(answer, custom_id=next(one for one in ids if ":regenerate:" in one))
        assert again is not None
        await s.said("press me")


async def test_direct_messages_threads_and_files(tmp_path: Path) -> None:
    """Directly, in a thread and with a file."""
    async with simulation(tmp_path) as s:
        await s.alice.send_dm("in private")
        dm = s.alice.user.dm_channel
        await s.until(lambda: [m for m in dm.history() if "You said: in private" in m.content])
        files = [("plan.txt", b"tea at five")]
        await s.alice.send(s.channel, f"<@{s.env.bot.user.id}> read [[long 500]]", attachments=files)
        await s.said("word499")
        words = " ".join(m.content for m in s.channel.history() if m.author.bot).split()
        assert [word for word in words if word.startswith("word")] == [f"word{n}" for n in range(500)]
