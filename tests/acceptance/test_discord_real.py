"""What real servers do to a bot: permissions that lack, answers that get lost, commands that vanish, busy channels."""

from __future__ import annotations

from pathlib import Path

from adapters.discord.emulator import DiscordEmulator
from adapters.discord.emulator.permissions import READ_MESSAGE_HISTORY
from tests.acceptance.discord_support import button_id, parley, world

COMMANDS = "/applications/{application_id}/commands"


async def test_where_the_history_may_not_be_read_it_answers_all_the_same(tmp_path: Path) -> None:
    """Without Read Message History no message can be replied to, so the answer stands by itself."""
    async with world(tmp_path) as w:
        w.discord.forbid(w.discord.general, READ_MESSAGE_HISTORY)
        w.mention("are you there?")
        answer = await w.said("are you there?")
        assert answer.reference is None
        await w.settled()


async def test_a_lost_word_of_a_met_command_is_no_lateness(tmp_path: Path) -> None:
    """When Discord took the first answer and its reply got lost, the command is answered in its own place, once."""
    async with world(tmp_path) as w:
        await w.discord.wait_for(lambda: w.discord.registered.named(None, "ask", 1))
        w.discord.fail("POST", "/interactions/{interaction_id}/{interaction_token}/callback", status=503, applied=True)
        w.discord.slash(w.discord.alice, w.discord.general, "ask", {"text": "still there?"})
        answer = await w.said("still there?")
        await w.settled()
        assert [m.id for m in w.discord.replies(w.discord.general)] == [answer.id]


async def test_an_answer_in_an_archived_thread_can_be_revised(tmp_path: Path) -> None:
    """Regenerate beneath an answer in a thread that was archived meanwhile opens the thread and revises the answer."""
    async with world(tmp_path) as w:
        root = w.discord.post(w.discord.bob, w.discord.general, "a root")
        thread = w.discord.create_thread(w.discord.alice, w.discord.general, "talk", message=root)
        asked = w.mention("in here", thread)
        (answer,) = await w.answers(asked)
        await w.settled()
        w.discord.archive(thread)
        before = answer.edited_at
        w.discord.click(w.discord.alice, answer, button_id(answer, "regenerate"))
        await w.discord.wait_for(lambda: answer.edited_at != before)
        await w.settled()
        assert "in here" in answer.content


async def test_a_long_answer_for_a_guest_comes_whole(tmp_path: Path) -> None:
    """Where only a person installed us Discord takes few messages: the whole of a long answer comes as a file with the last."""
    async with world(tmp_path) as w:
        await w.discord.wait_for(lambda: w.discord.registered.named(None, "ask", 1))
        elsewhere = w.discord.add_guild("Elsewhere", with_bot=False, members=[w.discord.alice])
        channel = w.discord.add_channel(elsewhere, "lobby")
        w.discord.install_for(w.discord.alice)
        w.discord.slash(w.discord.alice, channel, "ask", {"text": "[[long 2600]]"})
        found = lambda: [m for m in w.discord.replies(channel) if m.attachments]  # noqa: E731
        await w.discord.wait_for(found, 20)
        await w.settled()
        (last,) = found()
        assert last.attachments[0].filename == "answer.md"
        assert last.attachments[0].data.decode().split()[-1] == "word2599"
        assert len(w.discord.replies(channel)) == 4


async def test_two_people_ask_about_the_same_message(tmp_path: Path) -> None:
    """Each of them is answered with the message before their question, also where Parley cannot read it again."""
    async with world(tmp_path) as w:
        d = w.discord
        await d.wait_for(lambda: d.registered.named(None, "Ask about this", 3))
        elsewhere = d.add_guild("Elsewhere", with_bot=False, members=[d.alice, d.bob])
        channel = d.add_channel(elsewhere, "lobby")
        d.install_for(d.alice)
        d.install_for(d.bob)
        said = d.post(d.bob, channel, "the moon is cheese")
        used = [d.context_menu(who, "Ask about this", said) for who in (d.alice, d.bob)]
        await d.wait_for(lambda: all(one.modal for one in used))
        sent = [d.submit_modal(one, {"words": "Is that so?"}) for one in used]
        await d.wait_for(lambda: all(one.original and "Is that so?" in one.original.content for one in sent), 10)
        assert all(one.original and "> the moon is cheese" in one.original.content for one in sent)
        await w.settled()


async def test_an_edit_in_mid_answer_leaves_one_message(tmp_path: Path) -> None:
    """A question that is changed while its answer grows ends with one message, which answers the new words."""
    async with world(tmp_path) as w:
        asked = w.mention("[[long 200]] [[slow 0.05]]")
        await w.discord.wait_for(lambda: w.beneath(asked))
        w.discord.edit(asked, f"<@{w.discord.bot.id}> short after all")
        await w.discord.wait_for(lambda: any("short after all" in m.content for m in w.beneath(asked)), 20)
        await w.settled()
        (answer,) = w.beneath(asked)
        assert "word" not in answer.content


async def test_a_restart_in_mid_answer_leaves_each_part_once(tmp_path: Path) -> None:
    """A command's answer of several messages that a restart interrupts goes on in these, its first in the command's own place."""
    async with DiscordEmulator() as discord:
        async with parley(discord, tmp_path, durable=True) as w:
            await discord.wait_for(lambda: discord.registered.named(None, "ask", 1))
            discord.slash(discord.alice, discord.general, "ask", {"text": "[[long 700]] [[slow 0.01]]"})
            await discord.wait_for(lambda: len(discord.replies(discord.general)) >= 2, 20)
            await w.app.jobs.close(0.01)
        before = [m.id for m in discord.replies(discord.general)]
        async with parley(discord, tmp_path, durable=True) as w:
            await discord.wait_for(
                lambda: any("word699" in m.content.split() for m in discord.replies(discord.general)), 30
            )
            await w.settled()
        after = discord.replies(discord.general)
        words = [word for m in after for word in m.content.split() if word.startswith("word")]
        assert words == [f"word{number}" for number in range(700)]
        assert [m.id for m in after][: len(before)] == before


async def test_asked_again_long_after_by_a_guest(tmp_path: Path) -> None:
    """Where only a person installed us, Regenerate half an hour later revises the answer in place, by the button's own token."""
    async with world(tmp_path) as w:
        d = w.discord
        await d.wait_for(lambda: d.registered.named(None, "ask", 1))
        channel = d.add_channel(d.add_guild("Elsewhere", with_bot=False, members=[d.alice]), "lobby")
        d.install_for(d.alice)
        d.slash(d.alice, channel, "ask", {"text": "hello"})
        await d.wait_for(lambda: d.replies(channel) and "hello" in d.replies(channel)[0].content)
        await w.settled()
        (answer,) = d.replies(channel)
        d.advance(1_800)
        edited_at = answer.edited_at
        d.click(d.alice, answer, button_id(answer, "regenerate"))
        await d.wait_for(lambda: answer.edited_at != edited_at)
        await w.settled()
        assert [m.id for m in d.replies(channel)] == [answer.id] and "hello" in answer.content
        assert not [m for m in d.world.messages.values() if m.channel_id == d.direct(d.alice).id]
