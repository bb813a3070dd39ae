"""Discord end to end: who manages is what Discord says, and only a talk with Parley alone is direct."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.discord.emulator import Channel, Interaction
from adapters.discord.emulator.permissions import (
    ADMINISTRATOR,
    MANAGE_CHANNELS,
    MANAGE_GUILD,
    MANAGE_MESSAGES,
    MANAGE_THREADS,
)
from bot.store.schema import conversations
from tests.acceptance.discord_support import World, button_id, world
from tests.support import rows

SET = {"action": "set", "name": "speech", "value": "never", "scope": "channel"}
REFUSED = "Only those who manage"


async def known(w: World) -> None:
    """Wait until Discord was told of the commands."""
    await w.discord.wait_for(lambda: w.discord.registered.named(None, "settings", 1))
    await w.settled()


async def answered(w: World, used: Interaction) -> str:
    """What a command was answered."""
    await w.discord.wait_for(lambda: used.original and used.original.content)
    await w.settled()
    return used.original.content if used.original else ""


async def typed(w: World, command: str, place: Channel) -> str:
    """What bob is answered to a command that he typed: there, or directly where it concerns him alone."""
    asked = w.mention(command, place, w.discord.bob)

    def answers() -> list[str]:
        every = [*w.discord.replies(place), *w.discord.replies(w.discord.direct(w.discord.bob))]
        return [m.content for m in every if m.id > asked.id]

    await w.discord.wait_for(answers)
    await w.settled()
    return answers()[-1]


@pytest.mark.parametrize(
    ("bits", "is_allowed"),
    [
        (0, False),
        (MANAGE_MESSAGES | MANAGE_THREADS, False),
        (MANAGE_CHANNELS, True),
        (MANAGE_GUILD, True),
        (ADMINISTRATOR, True),
    ],
)
async def test_a_channel_s_settings_take_manage_channels_or_manage_server(
    tmp_path: Path, bits: int, is_allowed: bool
) -> None:
    """By a slash command, whose interaction says it, and by a typed one, for which the roles are reckoned."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        role = d.add_role(d.guild, "role", permissions=bits)
        d.set_roles(d.guild, d.bob, role)
        by_slash = await answered(w, d.slash(d.bob, d.general, "settings", SET))
        for answer in (by_slash, await typed(w, "/settings set speech never for channel", d.general)):
            assert (REFUSED not in answer) is is_allowed, answer


async def test_an_overwrite_makes_a_manager_of_one_channel(tmp_path: Path) -> None:
    """Who manages one channel does not manage the next; an overwrite takes it away from a role that has it."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        d.overwrite(d.general, d.bob, allow=MANAGE_CHANNELS)
        assert REFUSED not in await answered(w, d.slash(d.bob, d.general, "settings", SET))
        assert REFUSED in await answered(w, d.slash(d.bob, d.random, "settings", SET))
        assert REFUSED in await typed(w, "/settings set speech never for channel", d.random)
        keepers = d.add_role(d.guild, "keepers", permissions=MANAGE_CHANNELS)
        d.set_roles(d.guild, d.bob, keepers)
        d.overwrite(d.random, keepers, deny=MANAGE_CHANNELS)
        assert REFUSED in await answered(w, d.slash(d.bob, d.random, "settings", SET))


@pytest.mark.parametrize(("bits", "is_allowed"), [(0, False), (MANAGE_CHANNELS, False), (MANAGE_MESSAGES, True)])
async def test_whoever_moderates_messages_may_press(tmp_path: Path, bits: int, is_allowed: bool) -> None:
    """Manage Messages in the channel, as the press itself says, lets one press under another's answer."""
    async with world(tmp_path) as w:
        d = w.discord
        d.set_roles(d.guild, d.bob, d.add_role(d.guild, "role", permissions=bits))
        (answer,) = await w.answers(w.mention("hello"))
        pressed = d.click(d.bob, answer, button_id(answer, "regenerate"))
        await d.wait_for(lambda: pressed.answer)
        await w.settled()
        told = [m.content for m in pressed.follow_ups if "Only the person who asked" in m.content]
        assert bool(told) is not is_allowed


async def test_only_what_is_said_to_parley_alone_is_direct(tmp_path: Path) -> None:
    """Groups, direct messages of others and servers without the bot are shared: `/forget` takes one's own words alone there."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        for one in (d.alice, d.bob):
            d.install_for(one)
        carol = d.add_user("carol")
        elsewhere = d.add_channel(d.add_guild("Elsewhere", with_bot=False), "general")
        places = [d.direct(d.alice, d.bob), d.direct(d.alice, d.bob, carol), elsewhere]
        for place in places:
            assert "OWL" in await answered(w, d.slash(d.alice, place, "ask", {"text": "OWL"}))
            assert "FINCH" in await answered(w, d.slash(d.bob, place, "ask", {"text": "FINCH"}))
            await answered(w, d.slash(d.bob, place, "forget", {}))
            assert "OWL" in await answered(w, d.slash(d.alice, place, "search", {"text": "OWL"}))
        mine = d.direct(d.alice)
        await w.answers(d.post(d.alice, mine, "in private"))
        held = await rows(w.app, conversations)
        assert {row.channel for row in held if row.is_direct} == {str(mine.id)}
        for place in places:
            assert "Nothing" in await answered(w, d.slash(d.alice, mine, "search", {"text": "FINCH"})), place.id


async def test_a_place_without_the_bot_is_not_caught_up_with(tmp_path: Path) -> None:
    """Where only a person brought Parley, nothing is read after a downtime, also once the bot joined: it was not said to us."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        d.install_for(d.alice)
        guild = d.add_guild("Elsewhere", with_bot=False)
        place = d.add_channel(guild, "general")
        await answered(w, d.slash(d.alice, place, "ask", {"text": "far away"}))
        d.world.join(guild, d.bot)
        await w.settled()
        late = d.post(d.bob, place, "not meant for Parley")
        direct = d.post(d.bob, d.direct(d.bob), "hello")
        await w.answers(direct)
        await w.adapter.listener.backfill(w.app.accept)
        await w.settled()
        assert not w.beneath(late) and len(w.beneath(direct)) == 1
