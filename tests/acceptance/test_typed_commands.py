"""Commands typed behind a mention, where a platform takes no slash commands, through the emulators' sockets."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance import discord_support
from tests.acceptance.slack_support import world


async def test_in_a_slack_thread(tmp_path: Path) -> None:
    """`@parley /forget` in a thread forgets what its author said there; only they see the answer."""
    async with world(tmp_path) as w:
        asked = w.slack.post("ada", "general", f"<@{w.slack.bot.id}> the red treasure")
        await w.settled()
        w.slack.post("ada", "general", f"<@{w.slack.bot.id}> /forget", thread_ts=asked.ts)
        await w.settled()
        (told,) = w.slack.ephemerals("general", "ada")
        assert "Forgotten: 2 messages of yours" in told.shown


async def test_in_a_discord_thread(tmp_path: Path) -> None:
    """The same at Discord, where only an interaction can be answered for one person's eyes: it is answered in private."""
    async with discord_support.world(tmp_path) as w:
        asked = w.mention("the red treasure")
        await w.answers(asked)
        w.mention("/forget")
        await w.settled()
        direct = w.discord.direct(w.discord.alice)
        told = [m for m in w.discord.world.messages.values() if m.by_app and m.channel_id == direct.id]
        assert "Forgotten: 2 messages of yours" in told[-1].content
