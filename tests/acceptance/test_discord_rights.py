"""Discord end to end: nobody finds, or has read to a model, what Discord would not let them read at that moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.discord.emulator import AppConfig, Channel, DiscordEmulator, Interaction, Limits, User
from adapters.discord.emulator.model import CATEGORY, STAGE, VOICE
from adapters.discord.emulator.permissions import CONNECT, MANAGE_THREADS, READ_MESSAGE_HISTORY, VIEW_CHANNEL
from adapters.discord.ref import DiscordRef
from adapters.shared.tasks import cancel
from bot.types import Address, Author, InboundMessage
from tests.acceptance.discord_support import AheadClock, World, parley, world

MEMBER = "/guilds/{guild_id}/members/{user_id}"


async def known(w: World) -> None:
    """Wait until Discord was told of the commands."""
    await w.discord.wait_for(lambda: w.discord.registered.named(None, "search", 1))
    await w.settled()


async def finds(w: World, user: User, word: str, channel: Channel | None = None) -> bool:
    """Whether this person's /search finds the word."""
    used = w.discord.slash(user, channel or w.discord.general, "search", {"text": word})
    await w.discord.wait_for(lambda: _hits(used) or (used.original and "Nothing that you" in used.original.content))
    await w.settled()
    return bool(_hits(used))


def _hits(used: Interaction) -> bool:
    return bool(used.original and used.original.content.startswith("- **"))


async def tell(w: World, text: str, channel: Channel, user: User | None = None) -> None:
    """Somebody tells Parley something in a channel, and is answered."""
    await w.answers(w.mention(text, channel, user))


def asked_of_the_model(w: World) -> str:
    """All that the model was asked."""
    return "\n".join(str(call.request) for call in w.app.providers["echo"].calls if call.modality == "chat")  # type: ignore[attr-defined]


async def test_search_finds_what_a_person_may_read_now(tmp_path: Path) -> None:
    """A full member finds the public channels also where they never spoke; a hidden channel's words are its members' alone."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        den = d.add_channel(d.guild, "den")
        d.overwrite(den, d.guild.roles[d.guild.id], deny=VIEW_CHANNEL)
        d.overwrite(den, d.bot, allow=VIEW_CHANNEL)
        d.overwrite(den, d.alice, allow=VIEW_CHANNEL)
        await tell(w, "HERON by the lake", d.random)
        await tell(w, "OSPREY in the den", den)
        assert await finds(w, d.bob, "HERON") and not await finds(w, d.bob, "OSPREY")
        assert await finds(w, d.alice, "OSPREY")
        d.overwrite(den, d.bob, allow=VIEW_CHANNEL)
        await w.settled()
        assert await finds(w, d.bob, "OSPREY")
        d.overwrite(den, d.bob, deny=READ_MESSAGE_HISTORY)
        await w.settled()
        assert not await finds(w, d.bob, "OSPREY")


async def test_a_private_thread_is_searched_by_its_members_alone(tmp_path: Path) -> None:
    """Active or archived: members, and whoever manages threads; nobody else in the channel, and no longer once they left."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        secret = d.create_thread(d.alice, d.general, "secret", private=True)
        d.invite(d.bot, secret)
        await tell(w, "ALBATROSS", secret)
        assert not await finds(w, d.bob, "ALBATROSS") and await finds(w, d.alice, "ALBATROSS")
        d.archive(secret)
        await w.settled()
        assert not await finds(w, d.bob, "ALBATROSS") and await finds(w, d.alice, "ALBATROSS")
        moderators = d.add_role(d.guild, "moderators", permissions=MANAGE_THREADS)
        carol = d.add_user("carol")
        d.join(d.guild, carol)
        d.set_roles(d.guild, carol, moderators)
        assert await finds(w, carol, "ALBATROSS")


async def test_who_leaves_a_private_thread_finds_nothing_of_it(tmp_path: Path) -> None:
    """With the Server Members intent at once; without it when what was asked is a minute old."""
    async with world(tmp_path, app=AppConfig(guild_members=True)) as w:
        await known(w)
        d = w.discord
        secret = d.create_thread(d.alice, d.general, "secret", private=True)
        for one in (d.bot, d.bob):
            d.invite(one, secret)
        await tell(w, "ALBATROSS", secret)
        assert await finds(w, d.bob, "ALBATROSS")
        d.leave_thread(d.bob, secret)
        await w.settled()
        assert not await finds(w, d.bob, "ALBATROSS")


async def test_reply_chains_and_public_threads_are_their_channels(tmp_path: Path) -> None:
    """A chain of replies, a thread of its own and a forum's post are found by whoever reads the channel."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        await tell(w, "KESTREL in a chain", d.random)
        public = d.create_thread(d.alice, d.random, "open")
        await tell(w, "MERLIN in a thread", public)
        post, _ = d.create_forum_post(d.alice, d.forum, "idea", "what about it?")
        await tell(w, "HOBBY in a post", post)
        d.archive(public)
        assert [await finds(w, d.bob, word) for word in ("KESTREL", "MERLIN", "HOBBY")] == [True] * 3
        for channel in (d.random, d.forum):
            d.overwrite(channel, d.bob, deny=READ_MESSAGE_HISTORY)
        await w.settled()
        assert [await finds(w, d.bob, word) for word in ("KESTREL", "MERLIN", "HOBBY")] == [False] * 3


async def test_words_in_a_voice_channel_are_for_those_who_may_connect(tmp_path: Path) -> None:
    """The text of voice and stage channels takes Connect, in search and in the history that a model reads."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        for name, kind in (("talk", VOICE), ("stage", STAGE)):
            place = d.add_channel(d.guild, name, kind)
            await tell(w, f"PUFFIN at {name}", place)
            assert await finds(w, d.bob, name)
            d.overwrite(place, d.bob, deny=CONNECT)
            await w.settled()
            assert not await finds(w, d.bob, f"PUFFIN {name}")
            d.slash(d.bob, place, "summarize", {})
            await w.settled()
        assert asked_of_the_model(w).count("PUFFIN") == 2


async def test_a_category_hides_its_channels(tmp_path: Path) -> None:
    """A channel made in a category has its overwrites, and from then on its own decide."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        board = d.add_channel(d.guild, "Board", CATEGORY)
        d.overwrite(board, d.guild.roles[d.guild.id], deny=VIEW_CHANNEL)
        d.overwrite(board, d.bot, allow=VIEW_CHANNEL)
        d.overwrite(board, d.alice, allow=VIEW_CHANNEL)
        minutes = d.add_channel(d.guild, "minutes", category=board)
        await tell(w, "PLOVER", minutes)
        assert not await finds(w, d.bob, "PLOVER")
        d.overwrite(minutes, d.bob, allow=VIEW_CHANNEL)
        await w.settled()
        assert await finds(w, d.bob, "PLOVER")


async def test_a_role_that_is_taken_away_takes_effect_at_once(tmp_path: Path) -> None:
    """Roles changed, deleted or taken away are known with the gateway's event; so is who left the server, with the intent."""
    async with world(tmp_path, app=AppConfig(guild_members=True)) as w:
        await known(w)
        d = w.discord
        inner = d.add_role(d.guild, "inner")
        den = d.add_channel(d.guild, "den")
        d.overwrite(den, d.guild.roles[d.guild.id], deny=VIEW_CHANNEL)
        d.overwrite(den, d.bot, allow=VIEW_CHANNEL)
        d.overwrite(den, inner, allow=VIEW_CHANNEL)
        d.set_roles(d.guild, d.alice, inner)
        d.set_roles(d.guild, d.bob, inner)
        await tell(w, "OSPREY", den)
        assert await finds(w, d.bob, "OSPREY")
        d.set_roles(d.guild, d.bob)
        await w.settled()
        assert not await finds(w, d.bob, "OSPREY")
        d.set_roles(d.guild, d.bob, inner)
        await w.settled()
        assert await finds(w, d.bob, "OSPREY")
        d.delete_role(d.guild, inner)
        await w.settled()
        assert not await finds(w, d.bob, "OSPREY")


async def test_a_worker_without_a_gateway_asks_by_rest(tmp_path: Path) -> None:
    """The same rights hold where nothing is heard: server, channels and member are asked for, and anew after a minute."""
    clock = AheadClock()
    async with world(tmp_path / "gateway") as w, parley(w.discord, tmp_path / "w", listen=False, clock=clock) as worker:
        d = w.discord
        den = d.add_channel(d.guild, "den")
        d.overwrite(den, d.guild.roles[d.guild.id], deny=VIEW_CHANNEL)
        d.overwrite(den, d.alice, allow=VIEW_CHANNEL)
        random, hidden, general = (place_of(channel) for channel in (d.random, den, d.general))
        ask = worker.adapter.readable_by
        assert list(await ask(question(d.alice, random), [random, hidden, general])) == [random, hidden, general]
        assert list(await ask(question(d.bob, random), [random, hidden, general])) == [random, general]
        assert len(d.calls_to("GET", "/guilds/{guild_id}/channels")) == 1
        assert len(d.calls_to("GET", MEMBER)) == 2
        d.leave(d.guild, d.bob)
        assert list(await ask(question(d.bob, random), [random])) == [random]  # no event tells a worker
        clock.ahead_s = 61
        assert not await ask(question(d.bob, random), [random, hidden, general])
        assert list(await ask(question(d.alice, random), [hidden])) == [hidden]


@pytest.mark.parametrize(
    ("is_on", "wanted", "asked_for"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
async def test_server_members_is_asked_for_where_the_portal_has_it(
    tmp_path: Path, is_on: bool, wanted: bool, asked_for: bool
) -> None:
    """The intent is part of the first and only login, unless DISCORD_SERVER_MEMBERS is off: no login is spent on a refusal."""
    async with world(tmp_path, app=AppConfig(guild_members=is_on), discord_server_members=wanted) as w:
        intents = [frame["d"]["intents"] for frame in w.discord.gateway.log if frame["op"] == 2]
        assert [bool(one & 1 << 1) for one in intents] == [asked_for]


async def test_an_intent_that_is_refused_after_all_is_done_without(tmp_path: Path) -> None:
    """Where the portal changes between the two, Parley logs in again without the members, and keeps the words."""
    app = AppConfig(guild_members=True)
    async with DiscordEmulator(app, limits=Limits(enabled=False)) as d, parley(d, tmp_path, listen=False) as worker:
        await worker.adapter.client.rest()
        d.world.app.guild_members = False
        listening = asyncio.create_task(worker.adapter.listen(worker.app.accept))
        await d.wait_connected(10)
        intents = [frame["d"]["intents"] for frame in d.gateway.log if frame["op"] == 2]
        assert [(bool(one & 1 << 1), bool(one & 1 << 15)) for one in intents] == [(True, True), (False, True)]
        await cancel(listening)


def place_of(channel: Channel) -> Address:
    """The channel as the core names it."""
    return Address("discord", str(channel.guild_id), str(channel.id))


def question(user: User, at: Address) -> InboundMessage:
    """What that person said there long ago."""
    ref = DiscordRef(channel_id=at.channel, user_id=str(user.id)).to_ref()
    return InboundMessage("message:1", "1", replace(at, thread="1"), Author(str(user.id)), ref=ref)
