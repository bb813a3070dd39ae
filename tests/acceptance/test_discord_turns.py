"""Discord end to end: the ways in, and what people see."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.discord.emulator import AppConfig, DiscordEmulator, Message
from adapters.discord.emulator.permissions import SEND_VOICE_MESSAGES
from adapters.discord.ref import DiscordRef
from bot.media import audio
from bot.types import Address, Attachment, Author, InboundMessage
from tests.acceptance.discord_support import SOON, World, button_id, parley, replace, world
from tests.making import picture, voice_note

# --- Ways in ---------------------------------------------------------------------------------------------------------


async def test_a_mention_is_answered_beneath_it(tmp_path: Path) -> None:
    """A mention brings one answer that grows by edits, replies to the question and pings nobody."""
    async with world(tmp_path) as w:
        asked = w.mention("hello there [[slow 0.3]]")
        (answer,) = await w.answers(asked)
        assert "You said: hello there" in answer.content
        assert len(answer.versions) > 2
        assert not answer.pinged
        assert w.discord.calls_to("POST", "/channels/{channel_id}/typing")


async def test_nobody_is_answered_unasked(tmp_path: Path) -> None:
    """What mentions us not is left alone, and so are bots, webhooks and the channel's own news."""
    async with world(tmp_path) as w:
        w.discord.post(w.discord.alice, w.discord.general, "just talking")
        other = w.discord.world.add_user("other", bot=True)
        w.discord.world.join(w.discord.guild, other)
        w.mention("hello fellow bot", user=other)
        w.discord.create_thread(w.discord.alice, w.discord.general, "news")
        await w.settled()
        assert w.discord.replies(w.discord.general) == []


async def test_our_own_role_is_a_mention(tmp_path: Path) -> None:
    """Who names the role that Discord made for us means us."""
    async with world(tmp_path) as w:
        role = next(one for one in w.discord.guild.roles.values() if one.bot_id == w.discord.bot.id)
        role.mentionable = True
        asked = w.discord.post(w.discord.alice, w.discord.general, f"<@&{role.id}> by role")
        assert "You said: by role" in (await w.answers(asked))[0].content


async def test_a_reply_chain_is_a_conversation_and_its_branches_are_kept(tmp_path: Path) -> None:
    """Replying to the last answer goes on; replying to an earlier one begins a branch that knows what stands above it alone."""
    async with world(tmp_path) as w:
        (first,) = await w.answers(w.mention("one"))
        second = w.discord.post(w.discord.alice, w.discord.general, "two", reply_to=first)
        (answer,) = await w.answers(second)
        assert "Messages before: 2" in answer.content
        third = w.discord.post(w.discord.alice, w.discord.general, "three", reply_to=answer, ping=False)
        assert "Messages before: 4" in (await w.answers(third))[0].content
        branch = w.discord.post(w.discord.bob, w.discord.general, "other way", reply_to=first)
        (other,) = await w.answers(branch)
        assert "Messages before: 2" in other.content
        further = w.discord.post(w.discord.bob, w.discord.general, "further", reply_to=other)
        assert "Messages before: 4" in (await w.answers(further))[0].content


async def test_a_reply_with_a_mention_knows_what_it_replies_to(tmp_path: Path) -> None:
    """Mentioned in a reply to somebody else, Parley has read the chain above."""
    async with world(tmp_path) as w:
        plan = w.discord.post(w.discord.bob, w.discord.general, "the plan is tea")
        more = w.discord.post(w.discord.bob, w.discord.general, "and cake", reply_to=plan)
        asked = w.mention("what do you think?", reply_to=more)
        assert "Messages before: 2" in (await w.answers(asked))[0].content


async def test_threads_are_followed_and_read_from_the_start(tmp_path: Path) -> None:
    """In a thread the first mention brings what was said before, and later words need no mention."""
    async with world(tmp_path) as w:
        start = w.discord.post(w.discord.alice, w.discord.general, "a subject")
        thread = w.discord.create_thread(w.discord.alice, w.discord.general, "Subject", message=start)
        w.discord.post(w.discord.bob, thread, "first thought")
        asked = w.mention("and you?", thread)
        (answer,) = await w.answers(asked)
        assert answer.channel_id == thread.id and "Messages before: 2" in answer.content
        again = w.discord.post(w.discord.bob, thread, "without a mention")
        assert "without a mention" in (await w.answers(again))[0].content
        w.discord.archive(thread)
        late = w.discord.post(w.discord.bob, thread, "waking it")
        assert "waking it" in (await w.answers(late))[0].content


async def test_a_forum_post_is_a_thread(tmp_path: Path) -> None:
    """A mention in the post that begins it is answered there, and so is what follows."""
    async with world(tmp_path) as w:
        post, first = w.discord.create_forum_post(
            w.discord.alice, w.discord.forum, "An idea", f"<@{w.discord.bot.id}> what about tea?"
        )
        (answer,) = await w.answers(first)
        assert answer.channel_id == post.id and "what about tea?" in answer.content
        again = w.discord.post(w.discord.bob, post, "or coffee")
        assert "Messages before: 2" in (await w.answers(again))[0].content


async def test_a_direct_message_is_one_conversation(tmp_path: Path) -> None:
    """Everything is answered there, and known to what follows; a reply to something earlier is a branch."""
    async with world(tmp_path) as w:
        channel = w.discord.direct(w.discord.alice)
        (first,) = await w.answers(w.discord.post(w.discord.alice, channel, "one"))
        (second,) = await w.answers(w.discord.post(w.discord.alice, channel, "two"))
        assert "Messages before: 2" in second.content
        back = w.discord.post(w.discord.alice, channel, "back then", reply_to=first)
        assert "Messages before: 2" in (await w.answers(back))[0].content
        on = w.discord.post(w.discord.alice, channel, "on", reply_to=second)
        assert "Messages before: 4" in (await w.answers(on))[0].content


async def test_a_long_chain_moves_into_a_thread_when_the_setting_says_so(tmp_path: Path) -> None:
    """With DISCORD_THREAD_LONG=1 the second answer stands in a thread at the first question, and the conversation goes on there."""
    async with world(tmp_path, discord_thread_long=1) as w:
        asked = w.mention("a long story")
        (first,) = await w.answers(asked)
        w.discord.post(w.discord.alice, w.discord.general, "go on", reply_to=first)
        await w.discord.wait_for(lambda: asked.id in w.discord.world.channels)
        thread = w.discord.world.channels[asked.id]
        assert "Messages before: 2" in (await w.said("go on", thread)).content
        assert f"<#{thread.id}>" in (await w.said("We go on in")).content
        w.discord.post(w.discord.bob, thread, "in the thread")
        assert "Messages before: 4" in (await w.said("in the thread", thread)).content


async def test_without_the_intent_what_needs_none_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Refused the message content, Parley says what it would add, and answers mentions, replies and direct messages."""
    async with world(tmp_path, app=AppConfig(message_content=False)) as w:
        assert "Message Content" in caplog.text and "follow threads" in caplog.text
        assert not w.adapter.capabilities.hears_all
        (first,) = await w.answers(w.mention("hello"))
        again = w.discord.post(w.discord.alice, w.discord.general, "and again", reply_to=first)
        assert "and again" in (await w.answers(again))[0].content
        direct = w.discord.post(w.discord.alice, w.discord.direct(w.discord.alice), "in private")
        assert "in private" in (await w.answers(direct))[0].content
        w.discord.post(w.discord.alice, w.discord.general, "not for you")
        await w.settled()
        assert len(w.discord.replies(w.discord.general)) == 2
        (intents,) = [one for one in await w.adapter.check() if one.subject == "discord intents"]
        assert intents.level == "warning" and "need it" in intents.text


async def test_edits_revise_and_deletions_forget(tmp_path: Path) -> None:
    """An edited question is answered anew in place, one from before the restart too; a deleted one leaves the history."""
    async with DiscordEmulator() as discord:
        async with parley(discord, tmp_path, durable=True) as w:
            asked = w.mention("first words")
            (answer,) = await w.answers(asked)
        async with parley(discord, tmp_path, durable=True) as w:
            w.discord.edit(asked, f"<@{discord.bot.id}> better words")
            await w.discord.wait_for(lambda: "better words" in answer.content)
            await w.settled()
            assert len(w.beneath(asked)) == 1
            gone = w.discord.post(discord.alice, discord.general, "a secret", reply_to=answer)
            await w.answers(gone)
            w.discord.delete(gone)
            await w.settled()
            here = Address("discord", str(discord.guild.id), str(discord.general.id), str(asked.id))
            assert "secret" not in str(await w.app.host.timeline.entries(here))


async def test_an_unfolding_link_changes_nothing(tmp_path: Path) -> None:
    """When Discord shows a card for a link, the answer stays as it is."""
    async with world(tmp_path) as w:
        asked = w.mention("see https://example.org")
        (answer,) = await w.answers(asked)
        versions = list(answer.versions)
        from adapters.discord.emulator.messages import tell_message

        asked.embeds = [{"type": "link", "title": "Example", "url": "https://example.org"}]
        tell_message(w.discord.world, "MESSAGE_UPDATE", asked)
        await w.settled()
        assert answer.versions == versions


# --- What comes in ---------------------------------------------------------------------------------------------------


async def test_what_stands_for_names_becomes_names(tmp_path: Path) -> None:
    """Mentions, channels, roles, emoji and timestamps are words for the model."""
    async with world(tmp_path) as w:
        role = w.discord.add_role(w.discord.guild, "bakers")
        d = w.discord
        asked = w.mention(
            f"ask <@{d.bob.id}> of <@&{role.id}> in <#{d.random.id}> <:cake:123456789012345678> at <t:0:D>"
        )
        (answer,) = await w.answers(asked)
        assert "ask @Bob of @bakers in #random :cake: at 01 January 1970" in answer.content


async def test_cards_and_forwarded_messages_are_read(tmp_path: Path) -> None:
    """What a card says and what was forwarded is part of the question."""
    async with world(tmp_path) as w:
        card = {"title": "Weather", "description": "sunny", "fields": [{"name": "wind", "value": "calm"}]}
        (answer,) = await w.answers(w.mention("and this?", embeds=[card]))
        assert "Weather" in answer.content and "wind: calm" in answer.content
        said = w.discord.post(w.discord.bob, w.discord.random, "the original")
        direct = w.discord.direct(w.discord.alice)
        asked = w.discord.post(w.discord.alice, direct, forward_of=said)
        assert "> the original" in (await w.answers(asked))[0].content


async def test_pictures_stickers_and_files_are_seen(tmp_path: Path) -> None:
    """Several pictures, a sticker and a document come together."""
    async with world(tmp_path) as w:
        sticker = w.discord.add_sticker(w.discord.guild, "wave", picture())
        files = [("a.png", picture("A")), ("b.png", picture("B")), ("plan.txt", b"the plan")]
        (answer,) = await w.answers(w.mention("look", files=files, stickers=[sticker]), timeout_s=20)
        assert all(f"I see {name} (image/" in answer.content for name in ("a.png", "b.png", "wave.png"))
        assert "I read plan.txt (text/plain, 8 bytes)" in answer.content and "could not be read" not in answer.content


async def test_stale_addresses_are_made_fresh(tmp_path: Path) -> None:
    """A file whose signed address has ended is fetched by a new one."""
    async with world(tmp_path) as w:
        noted = w.discord.post(w.discord.bob, w.discord.general, "the plan", files=[("plan.txt", b"tea at five")])
        await w.settled()
        (first,) = (await w.adapter.history.backfill(_reply_to(w, noted))).messages
        stale = first.attachments[0].ref
        w.discord.advance(25 * 3600)
        got = b"".join([piece async for piece in w.adapter.download(Attachment("plan.txt", "text/plain", 0, stale))])
        assert got == b"tea at five" and noted.attachments
        assert w.discord.calls_to("POST", "/attachments/refresh-urls")


def _reply_to(w: World, said: Message) -> InboundMessage:
    """Somebody mentions Parley beneath that message, for the first time there."""
    here = Address("discord", str(w.discord.guild.id), str(w.discord.general.id), "1")
    ref = DiscordRef(channel_id=here.channel).to_ref()
    return InboundMessage("message:1", "1", here, Author(str(w.discord.alice.id)), reply_to=str(said.id), ref=ref)


async def test_a_voice_note_in_brings_a_native_voice_message_out(tmp_path: Path) -> None:
    """The answer stands as text, and beneath it as a voice message: Ogg, Opus, 48 kHz, mono, its true length, a waveform."""
    async with world(tmp_path) as w:
        note = voice_note("good evening")
        channel = w.discord.direct(w.discord.alice)
        asked = w.discord.voice_note(w.discord.alice, channel, note, audio.probe(note).duration_s)
        text, voice = await w.answers(asked, 2, 20)
        assert "good evening" in text.content and not text.is_voice
        assert voice.is_voice and voice.content == ""
        (file,) = voice.attachments
        info = audio.probe(file.data)
        assert file.data.startswith(b"OggS") and b"OpusHead" in file.data[:100] and file.mime_type == "audio/ogg"
        head = file.data.index(b"OpusHead")
        assert file.data[head + 9] == 1 and int.from_bytes(file.data[head + 12 : head + 16], "little") == 48_000
        assert (info.codec, info.rate_hz, info.channels) == ("opus", 48_000, 1)
        assert file.duration_s and abs(file.duration_s - info.duration_s) < 0.1
        import base64

        assert 1 <= len(base64.b64decode(file.waveform or "")) <= 256


async def test_an_earlier_voice_note_is_heard_when_asked_about(tmp_path: Path) -> None:
    """A reply with a mention to somebody's voice message is answered with what was said in it."""
    async with world(tmp_path) as w:
        note = voice_note("the code is seven")
        said = w.discord.voice_note(w.discord.bob, w.discord.general, note, audio.probe(note).duration_s)
        asked = w.mention("what was that?", reply_to=said)
        (answer, *_) = await w.answers(asked, timeout_s=20)
        assert "Messages before: 1" in answer.content
        here = Address("discord", str(w.discord.guild.id), str(w.discord.general.id), str(asked.id))
        assert "the code is seven" in str(await w.app.host.timeline.entries(here))


# --- What goes out ---------------------------------------------------------------------------------------------------


async def test_long_answers_are_split_with_fences_kept(tmp_path: Path) -> None:
    """Every word in order, no message over 2,000 characters; each piece of a code block opens and closes."""
    async with world(tmp_path) as w:
        answers = await w.answers(w.mention("[[long 900]]"), 4)
        words = " ".join(m.content for m in answers).split()
        assert [word for word in words if word.startswith("word")] == [f"word{n}" for n in range(900)]
        code = "```python\n" + "\n".join(f"line_{n} = {n}" for n in range(180)) + "\n```"
        pieces = await w.answers(w.mention(f"[[say {code}]]"), 2)
        assert all(m.content.count("```") == 2 and len(m.content) <= 2_000 for m in pieces)


async def test_very_long_code_becomes_a_file(tmp_path: Path) -> None:
    """The message shows how it begins, the file has all of it."""
    async with world(tmp_path) as w:
        body = "\n".join(f"line_{n} = {n}" for n in range(400))
        _answers_with(w, f"```python\n{body}\n```")
        (answer,) = await w.answers(w.mention("some code"))
        (file,) = answer.attachments
        assert file.filename == "code-1.py" and file.data.decode().strip() == body
        assert "400 lines" in answer.content


def _answers_with(w: World, text: str) -> None:
    """Lay the model's next answer ready."""
    w.app.providers["echo"].script.enqueue("chat", [text])  # type: ignore[attr-defined]


async def test_nobody_is_pinged(tmp_path: Path) -> None:
    """Whatever the model writes, no mention pings."""
    async with world(tmp_path) as w:
        asked = w.mention(f"[[say @everyone @here <@{w.discord.bob.id}>]]")
        (answer,) = await w.answers(asked)
        assert not answer.pinged and not answer.mention_everyone


async def test_pictures_come_with_vary_and_edit(tmp_path: Path) -> None:
    """A picture is attached to the answer; Vary makes another, Edit asks how in a form."""
    async with world(tmp_path) as w:
        await w.discord.wait_for(lambda: w.discord.registered.named(None, "imagine", 1))
        w.discord.slash(w.discord.alice, w.discord.general, "imagine", {"text": "a lighthouse"})
        await w.discord.wait_for(lambda: [m for m in w.discord.replies(w.discord.general) if m.attachments])
        await w.settled()
        answer = w.discord.replies(w.discord.general)[0]
        assert answer.attachments[0].mime_type.startswith("image/")
        vary, edit = (button_id(answer, name) for name in ("vary", "edit_image"))
        w.discord.click(w.discord.alice, answer, vary)
        await w.discord.wait_for(lambda: len(_pictures(w)) == 2)
        clicked = w.discord.click(w.discord.alice, answer, edit)
        await w.discord.wait_for(lambda: clicked.modal)
        w.discord.submit_modal(clicked, {"words": "make it bluer"})
        await w.discord.wait_for(lambda: len(_pictures(w)) == 3)
        await w.settled()
        asked = [call for call in w.app.providers["echo"].calls if call.modality == "image"]  # type: ignore[attr-defined]
        first = answer.attachments[0].data
        assert [[picture.data for picture in call.extra["images"]] for call in asked] == [[], [first], [first]]
        assert "make it bluer" in asked[-1].request


def _pictures(w: World) -> list[Message]:
    replies = w.discord.replies(w.discord.general)
    return [m for m in replies if any(file.mime_type.startswith("image/") for file in m.attachments)]


async def test_speech_without_the_permission_is_a_plain_file(tmp_path: Path) -> None:
    """Where voice messages are forbidden, the sound comes as a file."""
    async with world(tmp_path, valid=False) as w:
        w.discord.forbid(w.discord.general, SEND_VOICE_MESSAGES)
        here = Address("discord", str(w.discord.guild.id), str(w.discord.general.id))
        await w.app.host.settings.set(here, str(w.discord.alice.id), "person", "speech", "always")
        text, sound = await w.answers(w.mention("speak"), 2, 20)
        assert "speak" in text.content and not sound.is_voice
        assert sound.attachments[0].filename == "answer.ogg" and sound.attachments[0].data.startswith(b"OggS")


async def test_buttons_work_after_a_restart(tmp_path: Path) -> None:
    """Regenerate answers anew in place, thumbs are kept and thanked for, Continue goes on; all from before the restart."""
    async with DiscordEmulator() as discord:
        async with parley(discord, tmp_path, durable=True) as w:
            asked = w.mention("once more [[length]] [[long 30]]")
            (answer,) = await w.answers(asked)
        async with parley(discord, tmp_path, durable=True) as w:
            thumb = discord.click(discord.alice, answer, button_id(answer, "thumbs_up"))
            await discord.wait_for(lambda: thumb.follow_ups)
            assert thumb.follow_ups[0].ephemeral_to == discord.alice.id
            versions = len(answer.versions)
            discord.click(discord.alice, answer, button_id(answer, "regenerate"))
            await discord.wait_for(lambda: len(answer.versions) > versions)
            await w.settled()
            assert len(w.beneath(asked)) == 1
            discord.click(discord.alice, answer, button_id(answer, "continue"))
            await w.said("Go on exactly where you stopped")


async def test_stop_ends_an_answer(tmp_path: Path) -> None:
    """The button under a growing answer ends it; what had come stays."""
    async with world(tmp_path) as w:
        asked = w.mention("[[long 400]] [[slow 0.05]]")
        await w.discord.wait_for(lambda: w.beneath(asked))
        answer = w.beneath(asked)[0]
        w.discord.click(w.discord.alice, answer, button_id(answer, "stop"))
        await w.settled()
        assert "word2" in answer.content and "word399" not in answer.content
        assert not [one for one in _names(answer) if one == "stop"]


def _names(message: object) -> list[str]:
    from adapters.discord.custom_ids import custom_ids

    return [one.split(":")[1] for one in custom_ids(message.components)]  # type: ignore[attr-defined]


async def test_an_upload_above_the_limit_is_said(tmp_path: Path) -> None:
    """A file that the server would not take is named instead."""
    async with world(tmp_path, pace=replace(SOON, max_request_bytes=1_000)) as w:
        body = "\n".join(f"line_{n} = {n}" for n in range(400))
        _answers_with(w, f"```python\n{body}\n```")
        (answer,) = await w.answers(w.mention("some code"))
        assert not answer.attachments and "code-1.py is larger than this server takes" in answer.content


@pytest.mark.parametrize("directive", ["[[fail overloaded]]", "[[empty]]", "[[cut after 3 words]] [[long 9]]"])
async def test_nothing_stays_unanswered(tmp_path: Path, directive: str) -> None:
    """Whatever fails, there are words in the end, and no Stop."""
    async with world(tmp_path) as w:
        (answer,) = await w.answers(w.mention(f"x {directive}"), timeout_s=40)
        assert answer.content.strip() and "stop" not in _names(answer)
