"""Discord end to end: whatever people type, press and delete, Discord refuses us a handful of calls in ten minutes at most.

Discord bars an address after 10,000 refused calls in ten minutes. Source: Discord, Topics, Rate Limits, Invalid Request Limit.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.discord.client import BusyError, DiscordClient, DiscordError
from adapters.discord.emulator import Call, Channel, DiscordEmulator
from adapters.discord.emulator import interactions as kinds
from adapters.discord.emulator.permissions import (
    ATTACH_FILES,
    CREATE_PUBLIC_THREADS,
    SEND_MESSAGES,
    SEND_VOICE_MESSAGES,
    VIEW_CHANNEL,
)
from adapters.discord.refusals import RefusalLimits
from tests.acceptance.discord_support import World, world

HANDFUL = 10


def refused(w: World) -> list[Call]:
    """The calls that Discord refused."""
    return [call for call in w.discord.calls if call.status in (401, 403, 404, 429)]


async def known(w: World) -> None:
    """Wait until Discord was told of the commands."""
    await w.discord.wait_for(lambda: w.discord.registered.named(None, "Translate", 3))
    await w.settled()


async def test_mentions_where_we_may_not_write_cost_nothing(tmp_path: Path) -> None:
    """Fifty mentions in a channel without Send Messages, and fifty in one that loses it unheard of, are two refusals at most."""
    async with world(tmp_path, valid=False) as w:
        d = w.discord
        d.forbid(d.general, SEND_MESSAGES)
        for number in range(50):
            w.mention(f"and {number}?")
        await w.settled()
        assert refused(w) == []
        d.random.overwrites.update(d.general.overwrites)  # the gateway did not tell
        for number in range(8):
            w.mention(f"and {number}?", d.random)
            await w.settled()
        assert len(refused(w)) <= 2, [(c.method, c.path, c.body) for c in refused(w)]


async def test_a_channel_that_is_opened_again_is_written_in_at_once(tmp_path: Path) -> None:
    """What was refused is remembered until the gateway tells of a change in that channel, or of the server's roles."""
    async with world(tmp_path, valid=False) as w:
        d = w.discord
        place = d.random
        kept = dict(place.overwrites)
        d.forbid(d.general, SEND_MESSAGES)
        place.overwrites.update(d.general.overwrites)
        lost = w.mention("lost", place)
        await d.wait_for(lambda: refused(w))
        await w.settled()
        place.overwrites = kept
        d.world.tell_channel("CHANNEL_UPDATE", place)
        (answer,) = await w.answers(w.mention("heard", place))
        assert "heard" in answer.content and not w.beneath(lost)


async def test_files_and_sound_that_a_place_refuses_are_asked_for_once(tmp_path: Path) -> None:
    """Where no files and no voice messages may be sent, each kind is tried once in ten minutes; words go on."""
    async with world(tmp_path, valid=False) as w:
        d = w.discord
        d.forbid(d.general, ATTACH_FILES | SEND_VOICE_MESSAGES)
        await known(w)
        for number in range(6):
            w.mention(f"[[file note.txt]] please {number}")
            d.slash(d.bob, d.general, "say", {"text": f"spoken {number}"})
            await w.settled()
        assert len(refused(w)) <= HANDFUL


async def test_deleted_messages_that_replies_point_at_are_a_handful(tmp_path: Path) -> None:
    """Thirty mentions that answer deleted messages, by each of three people, are a handful of refusals together."""
    async with world(tmp_path) as w:
        d = w.discord
        carol = d.add_user("carol")
        d.join(d.guild, carol)
        for number in range(30):
            for user in (d.alice, d.bob, carol):
                gone = d.post(user, d.general, f"gone {number}")
                asked = w.mention("and that?", user=user, reply_to=gone)
                d.delete(gone)
                assert asked.reference
            await w.settled()
        assert len(refused(w)) <= HANDFUL


async def test_made_up_ids_of_forms_are_a_handful(tmp_path: Path) -> None:
    """A changed client sends a form a hundred times, each time with another message's id, in two servers."""
    async with world(tmp_path, valid=False) as w:
        await known(w)
        d = w.discord
        places = [d.general, d.add_channel(d.add_guild("Rivals", members=[d.bob]), "lobby")]
        for number in range(100):
            entered = [{"type": 18, "component": {"type": 4, "custom_id": "words", "value": "what is that?"}}]
            data = {"custom_id": f"parley:ask:{2**60 + number}", "components": entered}
            d.interactions.open(kinds.MODAL_SUBMIT, d.bob, places[number % 2], data)
        await w.settled(60)
        assert len(refused(w)) <= HANDFUL


async def test_searches_in_private_threads_are_a_handful(tmp_path: Path) -> None:
    """Who is not in a private thread is asked about once in ten minutes; a dozen threads are a handful of refusals."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        for number in range(12):
            secret = d.create_thread(d.alice, d.general, f"secret {number}", private=True)
            d.invite(d.bot, secret)
            await w.answers(w.mention(f"ALBATROSS {number}", secret))
        for _ in range(4):
            used = d.slash(d.bob, d.general, "search", {"text": "ALBATROSS"})
            await d.wait_for(lambda used=used: used.original and "Nothing" in used.original.content)  # type: ignore[misc]
            await w.settled()
        assert len(refused(w)) <= HANDFUL


async def test_long_chains_make_no_threads_that_are_refused_again(tmp_path: Path) -> None:
    """Where no threads may be made, DISCORD_THREAD_LONG tries it once for a message."""
    async with world(tmp_path, discord_thread_long=1) as w:
        d = w.discord
        d.forbid(d.general, CREATE_PUBLIC_THREADS)
        question = w.mention("first")
        for number in range(5):
            (answer,) = await w.answers(question)
            question = d.post(d.alice, d.general, f"more {number}", reply_to=answer)
        await w.answers(question)
        assert len(refused(w)) <= 2


async def test_near_the_bar_nothing_is_asked_any_more(tmp_path: Path) -> None:
    """Far below Discord's bar first what is optional is left alone, then everything, until the ten minutes are over."""
    async with world(tmp_path, valid=False) as w:
        limits = RefusalLimits(person=2, optional=3, optional_stops=4, all_stops=6)
        client = DiscordClient(w.adapter.client.options, w.adapter.client.host, limits)
        hidden = [_hidden(w.discord, number) for number in range(9)]
        path = "/channels/{channel_id}"
        for channel, person in zip(hidden[:4], ("1", "1", "1", "2"), strict=True):
            with pytest.raises(DiscordError):
                await client.look_up(path, person, channel_id=str(channel.id))
        asked = [call for call in w.discord.calls if call.status == 403]
        assert len(asked) == 3  # the third of one person was not asked
        with pytest.raises(DiscordError, match="may not ask"):
            await client.look_up(path, "3", channel_id=str(w.discord.general.id))
        for channel in hidden[4:7]:
            with pytest.raises(DiscordError):
                await client.call("GET", path, channel_id=str(channel.id))
        with pytest.raises(BusyError, match="pause") as paused:
            await client.call("GET", path, channel_id=str(w.discord.general.id))
        assert paused.value.retry_after_s and 0 < paused.value.retry_after_s <= 600
        await client.close()


def _hidden(d: DiscordEmulator, number: int) -> Channel:
    made = d.add_channel(d.guild, f"hidden-{number}")
    d.forbid(made, VIEW_CHANNEL)
    return made
