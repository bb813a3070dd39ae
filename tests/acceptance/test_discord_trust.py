"""Discord end to end: what a client says is looked up for the person, the channel and the server it comes from, and no further."""

from __future__ import annotations

from pathlib import Path

from adapters.discord.emulator import DiscordEmulator, Limits, Message, User
from adapters.discord.emulator import interactions as kinds
from adapters.discord.emulator.interactions import Interaction
from adapters.discord.emulator.messages import join_thread
from adapters.discord.emulator.permissions import READ_MESSAGE_HISTORY, VIEW_CHANNEL
from adapters.discord.ref import DiscordRef
from bot.types import Address, Author, InboundMessage
from tests.acceptance.discord_support import World, button_id, parley, world


async def known(w: World) -> None:
    """Wait until Discord was told of the commands."""
    await w.discord.wait_for(lambda: w.discord.registered.named(None, "Translate", 3))
    await w.settled()


def forged_press(w: World, user: User, message: Message, custom_id: str) -> Interaction:
    """A changed client presses a button that does not stand under that message."""
    data = {"component_type": 2, "custom_id": custom_id, "id": 1}
    channel = w.discord.world.channels[message.channel_id]
    return w.discord.interactions.open(kinds.COMPONENT, user, channel, data, message=message)


def requests(w: World) -> str:
    """All that the model was asked."""
    return "\n".join(str(call.request) for call in w.app.providers["echo"].calls if call.modality == "chat")  # type: ignore[attr-defined]


async def test_a_form_names_no_message_of_another_server(tmp_path: Path) -> None:
    """A form whose id was changed to a message elsewhere quotes nothing, also when somebody asks about that message just now."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        secret = d.post(d.alice, d.general, "quarterly numbers: 4711 million")
        d.context_menu(d.alice, "Ask about this", secret)
        rivals = d.add_channel(d.add_guild("Rivals", members=[d.bob]), "lobby")
        bait = d.post(d.bob, rivals, "bait")
        used = d.context_menu(d.bob, "Ask about this", bait)
        await d.wait_for(lambda: used.modal)
        used.modal["custom_id"] = f"parley:ask:{secret.id}"  # type: ignore[index]
        sent = d.submit_modal(used, {"words": "what is that?"})
        await d.wait_for(lambda: sent.original and "what is that?" in sent.original.content)
        await w.settled()
        assert "4711" not in str([m.content for m in d.replies(rivals)]) and "4711" not in requests(w)


async def test_a_form_reads_no_history_for_whom_may_not(tmp_path: Path) -> None:
    """Who may not read what was said before gets none of it by a form's id, by /summarize or by "Summarise from here"."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        d.post(d.alice, d.general, "PELICAN, said before bob came")
        secret = d.post(d.alice, d.general, "PELICAN again")
        d.overwrite(d.general, d.bob, deny=READ_MESSAGE_HISTORY)
        here = d.post(d.bob, d.general, "hello")
        used = d.context_menu(d.bob, "Ask about this", here)
        await d.wait_for(lambda: used.modal)
        used.modal["custom_id"] = f"parley:ask:{secret.id}"  # type: ignore[index]
        sent = d.submit_modal(used, {"words": "what is that?"})
        await d.wait_for(lambda: sent.original and "what is that?" in sent.original.content)
        d.slash(d.bob, d.general, "summarize", {})
        d.context_menu(d.bob, "Summarise from here", here)
        await w.settled()
        assert "PELICAN" not in requests(w) and "PELICAN" not in str([m.content for m in d.replies(d.general)])


async def test_a_button_counts_only_where_it_stands(tmp_path: Path) -> None:
    """The question in a private thread is not gone on with, given again or judged by a button forged elsewhere in its channel."""
    async with world(tmp_path) as w:
        d = w.discord
        thread = d.create_thread(d.alice, d.general, "private", private=True)
        join_thread(d.world, thread, d.bot.id)
        secret = w.mention("ALBATROSS", thread)
        (hidden,) = await w.answers(secret)
        (public,) = await w.answers(w.mention("hello", user=d.bob))
        versions = len(hidden.versions)
        for action in ("continue", "vary", "regenerate", "stop", "thumbs_up"):
            pressed = forged_press(w, d.bob, public, f"parley:{action}:{secret.id}:{secret.id}")
            await d.wait_for(lambda pressed=pressed: pressed.original)  # type: ignore[misc]
            assert pressed.is_ephemeral and "no longer know" in pressed.original.content  # type: ignore[union-attr]
        await w.settled()
        assert [m for m in d.replies(d.general) if not m.ephemeral_to] == [public] and len(hidden.versions) == versions
        d.click(d.bob, public, button_id(public, "thumbs_up"))
        await w.settled()


async def test_ids_of_channels_give_no_names_away(tmp_path: Path) -> None:
    """A channel of another server, or one that the person may not see, is called "channel" and nothing else."""
    async with world(tmp_path) as w:
        d = w.discord
        elsewhere = d.add_channel(d.add_guild("Rivals", members=[d.alice]), "layoffs-2027")
        hidden = d.add_channel(d.guild, "board-only")
        d.overwrite(hidden, d.bot, allow=VIEW_CHANNEL)
        d.overwrite(hidden, d.guild.roles[d.guild.id], deny=VIEW_CHANNEL)
        d.overwrite(hidden, d.bob, allow=VIEW_CHANNEL)
        carol = d.add_user("carol")
        d.world.join(d.guild, carol)
        words = f"what is <#{elsewhere.id}> and <#{hidden.id}> beside <#{d.random.id}>?"
        (answer,) = await w.answers(w.mention(words, user=carol))
        assert "what is #channel and #channel beside #random?" in answer.content
        (answer,) = await w.answers(w.mention(words, user=d.bob))
        assert "what is #channel and #board-only beside #random?" in answer.content
        direct = d.post(d.alice, d.direct(d.alice), words)
        assert "what is #channel and #channel beside #channel?" in (await w.answers(direct))[0].content


async def test_ids_that_people_write_cost_no_calls(tmp_path: Path) -> None:
    """Messages full of ids ask Discord nothing, with a gateway or without: thousands of refusals would bar our address."""
    async with world(tmp_path) as w:
        d = w.discord
        words = " ".join(f"<#{2**40 + number}>" for number in range(40))
        for _ in range(3):
            d.post(d.bob, d.general, words)
        await w.settled()
        assert not [call for call in d.calls if call.status in (401, 403, 404)]
        assert not d.calls_to("GET", "/channels/{channel_id}")


async def test_an_edit_that_adds_the_mention_is_answered(tmp_path: Path) -> None:
    """Whoever forgot the mention adds it, and is answered once beneath the message."""
    async with world(tmp_path) as w:
        asked = w.discord.post(w.discord.alice, w.discord.general, "where is the plan?")
        await w.settled()
        assert not w.beneath(asked)
        w.discord.edit(asked, f"<@{w.discord.bot.id}> where is the plan?")
        (answer,) = await w.answers(asked)
        assert "where is the plan?" in answer.content
        w.discord.edit(asked, f"<@{w.discord.bot.id}> where is the new plan?")
        await w.discord.wait_for(lambda: "new plan" in answer.content)
        await w.settled()
        assert len(w.beneath(asked)) == 1


async def test_what_was_said_before_is_read_for_whom_may_read_it(tmp_path: Path) -> None:
    """A mention beneath an earlier message, in a thread, and /ask there bring no history to a model for whom may not read it."""
    async with DiscordEmulator(limits=Limits(enabled=False)) as d:
        earlier = d.post(d.alice, d.general, "PELICAN, said before Parley came")
        thread = d.create_thread(d.alice, d.random, "plans")
        d.post(d.alice, thread, "PELICAN in the thread")
        for place in (d.general, d.random):
            d.overwrite(place, d.bob, deny=READ_MESSAGE_HISTORY)
        async with parley(d, tmp_path) as w:
            await known(w)
            await w.answers(w.mention("what is that?", user=d.bob, reply_to=earlier))
            await w.answers(w.mention("what is this about?", thread, d.bob))
            used = d.slash(d.bob, thread, "ask", {"text": "and this?"})
            await d.wait_for(lambda: used.original and "and this?" in used.original.content)
            await w.settled()
            assert "PELICAN" not in requests(w)
            await w.answers(w.mention("what is that?", user=d.alice, reply_to=earlier))
            assert "PELICAN" in requests(w)


async def test_what_others_said_is_not_told_to_a_model_for_whom_may_not_read_it(tmp_path: Path) -> None:
    """What Parley heard in a thread, or answered there, goes to no model for whom Discord does not show it; his own does."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        thread = d.create_thread(d.alice, d.general, "plans")
        await w.answers(w.mention("PELICAN", thread, d.alice))
        d.post(d.alice, thread, "and a second PELICAN")
        d.overwrite(d.general, d.bob, deny=READ_MESSAGE_HISTORY)
        await w.settled()
        before = len(requests(w))
        asked = w.mention("HERON?", thread, d.bob)
        await w.answers(asked)
        used = d.slash(d.bob, thread, "ask", {"text": "what did I say?"})
        await d.wait_for(lambda: used.original and "what did I say?" in used.original.content)
        await w.settled()
        edited = d.edit(asked, f"<@{d.bot.id}> HERON, and before?")
        await d.wait_for(lambda: any("and before?" in m.content for m in w.beneath(edited)))
        await w.settled()
        told = requests(w)[before:]
        assert "PELICAN" not in told and told.count("HERON") > 1
        await w.answers(w.mention("and I?", thread, d.alice))
        assert "PELICAN" in requests(w)[before:]


async def test_a_role_that_hides_the_history_holds_for_mentions(tmp_path: Path) -> None:
    """The person's roles are asked for where Discord did not send them along, as with what came in a downtime."""
    async with world(tmp_path) as w:
        d = w.discord
        muted = d.add_role(d.guild, "muted")
        d.set_roles(d.guild, d.bob, muted)
        d.overwrite(d.general, muted, deny=READ_MESSAGE_HISTORY)
        earlier = d.post(d.alice, d.general, "PELICAN, said before")
        await w.settled()
        here = Address("discord", str(d.guild.id), str(d.general.id), "1")
        ref = DiscordRef(channel_id=here.channel).to_ref()
        for user, count in ((d.bob, 0), (d.alice, 1)):
            asked = InboundMessage("message:1", "1", here, Author(str(user.id)), reply_to=str(earlier.id), ref=ref)
            assert len((await w.adapter.history.backfill(asked)).messages) == count


async def test_a_reference_into_another_channel_is_followed_nowhere(tmp_path: Path) -> None:
    """A message that claims to answer one elsewhere, or that forwards one, brings its own words alone."""
    async with world(tmp_path, valid=False) as w:
        d = w.discord
        den = d.add_channel(d.guild, "den")
        d.overwrite(den, d.guild.roles[d.guild.id], deny=VIEW_CHANNEL)
        for one in (d.bot, d.alice):
            d.overwrite(den, one, allow=VIEW_CHANNEL)
        secret = d.post(d.alice, den, "ALBATROSS")
        forwarded = d.post(d.alice, den, "GULL, to be passed on")
        await w.settled()
        forged = d.post(d.bob, d.general, f"<@{d.bot.id}> what is that?", reply_to=secret)
        await w.answers(forged)
        d.post(d.alice, d.general, forward_of=forwarded)
        await w.answers(w.mention("and this?", user=d.bob))
        assert "ALBATROSS" not in requests(w) and not d.calls_to("GET", "/channels/{channel_id}/messages/{message_id}")


async def test_without_read_history_one_s_own_place_is_not_searched(tmp_path: Path) -> None:
    """Whoever is in a channel that does not show them what was said before does not find it there by /search."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        used = d.slash(d.alice, d.general, "ask", {"text": "PELICAN in the channel"})
        await d.wait_for(lambda: used.original and "PELICAN" in used.original.content)
        await w.settled()
        for user, found in ((d.bob, True), (d.alice, True)):
            assert ("PELICAN in" in await searched(w, user, "PELICAN")) is found
        d.overwrite(d.general, d.bob, deny=READ_MESSAGE_HISTORY)
        await w.settled()
        assert "Nothing that you can see" in await searched(w, d.bob, "PELICAN")


async def searched(w: World, user: User, word: str) -> str:
    """What /search answers in #general."""
    used = w.discord.slash(user, w.discord.general, "search", {"text": word})
    await w.discord.wait_for(lambda: used.original and used.original.content)
    await w.settled()
    return used.original.content if used.original else ""
