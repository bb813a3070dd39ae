"""Discord end to end: commands, message menus, forms, user installs, and the two limits of time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.discord.emulator import AppConfig, DiscordEmulator
from adapters.discord.emulator.permissions import SEND_MESSAGES
from bot.app import App
from bot.media import audio
from bot.types import Address
from tests.acceptance.discord_support import World, config_for, parley, world
from tests.making import picture, voice_note

COMMANDS = "/applications/{application_id}/commands"


async def known(w: World) -> None:
    """Wait until Discord was told of the commands."""
    await w.discord.wait_for(lambda: w.discord.registered.named(None, "Translate", 3))
    await w.settled()


async def test_a_command_shows_at_once_that_work_goes_on(tmp_path: Path) -> None:
    """`/ask` is deferred first, then answered in place of the loading message; a reply to it goes on."""
    async with world(tmp_path) as w:
        await known(w)
        asked = w.discord.slash(w.discord.alice, w.discord.general, "ask", {"text": "one [[slow 0.1]]"})
        await w.discord.wait_for(lambda: asked.answer == 5)
        answer = await w.said("You said: one")
        assert answer is asked.original and not asked.is_ephemeral and not asked.follow_ups
        on = w.discord.post(w.discord.alice, w.discord.general, "two", reply_to=answer)
        assert "Messages before: 2" in (await w.answers(on))[0].content


async def test_a_command_takes_a_file(tmp_path: Path) -> None:
    """`/transcribe` with a voice note tells what is said in it."""
    async with world(tmp_path) as w:
        await known(w)
        w.discord.slash(
            w.discord.alice, w.discord.general, "transcribe", None, {"file": ("note.ogg", voice_note("seven apples"))}
        )
        await w.said("seven apples", timeout_s=20)


async def test_private_commands_are_for_the_asker_alone(tmp_path: Path) -> None:
    """`/usage` and `/settings` are ephemeral; options arrive as words; the button beneath opens a form."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        asked = d.slash(d.alice, d.general, "usage")
        await d.wait_for(lambda: asked.original and asked.original.content)
        assert asked.is_ephemeral and asked.original and asked.original.ephemeral_to == d.alice.id
        told = d.slash(
            d.alice, d.general, "settings", {"action": "set", "name": "speech", "value": "never", "scope": "me"}
        )
        await d.wait_for(lambda: told.original and "never" in told.original.content)
        await w.settled()
        here = Address("discord", str(d.guild.id), str(d.general.id))
        assert (await w.app.host.settings.effective(here, str(d.alice.id))).speech == "never"
        assert told.original is not None
        clicked = d.click(d.alice, told.original, "parley:settings")
        await d.wait_for(lambda: clicked.modal)
        form = d.submit_modal(clicked, {"name": ["speech"], "value": "always"})
        await d.wait_for(lambda: form.original)
        assert form.is_ephemeral and (await w.app.host.settings.effective(here, str(d.alice.id))).speech == "always"


async def test_settings_complete_themselves(tmp_path: Path) -> None:
    """While a value is typed, the models or the values of that setting are offered."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        typed = d.autocomplete(d.alice, d.general, "settings", "value", "ech", {"name": "model"})
        await d.wait_for(lambda: typed.choices)
        assert typed.choices[0]["value"] == "echo:echo"
        other = d.autocomplete(d.alice, d.general, "settings", "value", "", {"name": "speech"})
        await d.wait_for(lambda: other.choices)
        assert [one["value"] for one in other.choices] == ["mirror", "always", "never"]


async def test_message_menus(tmp_path: Path) -> None:
    """Translate, Transcribe, Describe image and Summarise from here answer the asker alone, with the message read."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        said = d.post(d.bob, d.general, "Guten Morgen zusammen")
        d.post(d.bob, d.general, "und gute Nacht")
        for name, expected in (("Translate", "Guten Morgen"), ("Summarise from here", "Bob: und gute Nacht")):
            used = d.context_menu(d.alice, name, said)
            await d.wait_for(lambda used=used, expected=expected: used.original and expected in used.original.content)
            assert used.is_ephemeral
        note = voice_note("hello world")
        clip = d.voice_note(d.bob, d.general, note, audio.probe(note).duration_s)
        used = d.context_menu(d.alice, "Transcribe", clip)
        await d.wait_for(lambda: used.original and "hello world" in used.original.content, 15)
        seen = d.post(d.bob, d.general, "", files=[("a.png", picture("A"))])
        shown = d.context_menu(d.alice, "Describe image", seen)
        await d.wait_for(lambda: shown.original and "a.png" in shown.original.content, 15)
        await w.settled()


async def test_ask_about_this_asks_first(tmp_path: Path) -> None:
    """The menu opens a form; the answer knows the message and the question, and all may see it."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        said = d.post(d.bob, d.general, "the moon is cheese")
        used = d.context_menu(d.alice, "Ask about this", said)
        await d.wait_for(lambda: used.modal)
        sent = d.submit_modal(used, {"words": "Is that so?"})
        await d.wait_for(lambda: sent.original and "Is that so?" in sent.original.content)
        assert sent.original and "> the moon is cheese" in sent.original.content and not sent.is_ephemeral
        await w.settled()


async def test_installed_by_a_person_it_works_in_any_server_and_group(tmp_path: Path) -> None:
    """In a server without the bot, and among friends, commands and menus answer by the interaction alone."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        d.install_for(d.alice)
        guild = d.add_guild("Elsewhere", with_bot=False)
        channel = d.add_channel(guild, "general")
        for place in (channel, d.direct(d.alice, d.bob)):
            asked = d.slash(d.alice, place, "ask", {"text": "far away"})
            await d.wait_for(lambda asked=asked: asked.original and "far away" in asked.original.content)
            await w.settled()
        d.slash(d.alice, channel, "say", {"text": "spoken"})
        await d.wait_for(lambda: [m for m in d.replies(channel) if m.attachments], 15)
        await w.settled()
        assert not [m for m in d.replies(channel) if m.is_voice]
        long = d.slash(d.alice, channel, "ask", {"text": "[[long 600]]"})
        await d.wait_for(lambda: len(long.responses) >= 3)
        await w.settled()
        words = " ".join(m.content for m in long.responses).split()
        assert [word for word in words if word.startswith("word")] == [f"word{n}" for n in range(600)]


async def test_past_15_minutes_the_answer_comes_through_the_channel(tmp_path: Path) -> None:
    """When the token has ended, what was not yet shown is posted in the channel."""
    async with world(tmp_path) as w:
        await known(w)
        gate = asyncio.Event()
        w.app.providers["echo"].script.enqueue("chat", [gate, "late but whole"])  # type: ignore[attr-defined]
        asked = w.discord.slash(w.discord.alice, w.discord.general, "ask", {"text": "take your time"})
        await w.discord.wait_for(lambda: asked.answer == 5)
        w.discord.advance(16 * 60)
        gate.set()
        answer = await w.said("late but whole")
        assert answer is not asked.original and not answer.webhook


async def test_past_15_minutes_a_private_answer_comes_privately(tmp_path: Path) -> None:
    """What only the asker should see is then sent to them directly."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        gate = asyncio.Event()
        w.app.providers["echo"].script.enqueue("chat", [gate, "in confidence"])  # type: ignore[attr-defined]
        said = d.post(d.bob, d.general, "ein Wort")
        used = d.context_menu(d.alice, "Translate", said)
        await d.wait_for(lambda: used.answer == 5)
        d.advance(16 * 60)
        gate.set()
        await w.said("in confidence", d.direct(d.alice))
        assert not [m for m in d.replies(d.general) if "in confidence" in m.content]


async def test_a_command_where_we_may_not_write_is_answered(tmp_path: Path) -> None:
    """The interaction lets us answer where the channel does not."""
    async with world(tmp_path) as w:
        await known(w)
        w.discord.forbid(w.discord.general, SEND_MESSAGES)
        asked = w.discord.slash(w.discord.alice, w.discord.general, "ask", {"text": "psst [[long 600]]"})
        await w.discord.wait_for(lambda: len(asked.responses) >= 3)
        await w.settled()


async def test_commands_are_told_only_when_they_changed(tmp_path: Path) -> None:
    """A second start tells Discord nothing; a set that differs is told once; they carry other languages and places."""
    async with DiscordEmulator() as discord:
        for _ in range(2):
            async with parley(discord, tmp_path) as w:
                await known(w)
        assert len(discord.calls_to("PUT", COMMANDS)) == 1
        held = discord.registered.named(None, "ask", 1)
        assert held is not None
        held["options"][0]["description"] = "something else"
        async with parley(discord, tmp_path) as w:
            await known(w)
            await discord.wait_for(lambda: len(discord.calls_to("PUT", COMMANDS)) == 2)
        first = discord.calls_to("PUT", COMMANDS)[0].body
        ask = next(one for one in first if one["name"] == "ask")
        assert ask["name_localizations"]["de"] == "fragen" and ask["contexts"] == [0, 1, 2]
        assert ask["integration_types"] == [0, 1] and ask["options"][0]["required"]


async def test_any_worker_answers_without_a_gateway(tmp_path: Path) -> None:
    """One process holds the gateway, another that never connects gives the answer by REST alone."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    async with DiscordEmulator() as discord:
        gateway = App(config_for(discord, tmp_path, database_url=url), only={"discord"}, durable=True, name="gateway")
        async with gateway.running(listen=True, work=False):
            await discord.wait_connected(10)
            asked = discord.post(discord.alice, discord.general, f"<@{discord.bot.id}> who answers?")
            await World(discord, gateway).discord.wait_for(lambda: gateway.adapters["discord"].listener._roots)  # type: ignore[attr-defined]
            await asyncio.sleep(0.2)
            assert discord.replies(discord.general) == []
            sockets = len(discord.gateway.identifies)
        async with parley(discord, tmp_path, listen=False, durable=True, name="gateway", database_url=url) as w:
            (answer,) = await w.answers(asked)
            assert "who answers?" in answer.content
            assert len(discord.gateway.identifies) == sockets and w.adapter.directory.gateway is None


async def test_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    """Token, intents, permissions, commands and the day's logins are looked at."""
    async with world(tmp_path, valid=False) as w:
        await known(w)
        found = {one.subject: one for one in await w.adapter.check()}
        assert found["discord"].level == "ok" and found["discord commands"].level == "ok"
        assert found["discord intents"].level == "ok" and found["discord gateway"].level == "ok"
        assert found["discord members"].level == "off" and "within a minute" in found["discord members"].text
        w.discord.world.app.guild_members = True
        found = {one.subject: one for one in await w.adapter.check()}
        assert found["discord members"].level == "ok" and found["discord members"].setting == "DISCORD_SERVER_MEMBERS"
        bot = w.discord.guild.roles[w.discord.guild.id]
        bot.permissions &= ~(1 << 46)
        found = {one.subject: one for one in await w.adapter.check()}
        assert "Send Voice Messages" in found["discord permissions"].text


async def test_doctor_says_that_the_token_is_wrong(tmp_path: Path) -> None:
    """A wrong token is named with its variable."""
    async with (
        DiscordEmulator(AppConfig()) as discord,
        parley(discord, tmp_path, listen=False, discord_bot_token="wrong") as w,
    ):
        (finding,) = await w.adapter.check()
        assert finding.level == "error" and finding.setting == "DISCORD_BOT_TOKEN"


async def test_buttons_of_a_personal_install_answer_by_their_own_token(tmp_path: Path) -> None:
    """Where we are no member, Continue posts a further answer and leaves the pressed one as it is."""
    async with world(tmp_path) as w:
        await known(w)
        d = w.discord
        d.install_for(d.alice)
        channel = d.add_channel(d.add_guild("Elsewhere", with_bot=False), "general")
        asked = d.slash(d.alice, channel, "ask", {"text": "[[length]] [[long 30]]"})
        await d.wait_for(lambda: asked.original and "continue" in str(asked.original.components))
        await w.settled()
        assert asked.original is not None
        before = asked.original.content
        button = next(one["custom_id"] for row in asked.original.components for one in row["components"])
        pressed = d.click(d.alice, asked.original, button)
        await d.wait_for(lambda: pressed.follow_ups)
        await w.settled()
        assert "Go on exactly where you stopped" in pressed.follow_ups[0].content and asked.original.content == before


async def test_the_invite_is_printed(tmp_path: Path) -> None:
    """`parley discord invite` asks Discord who the app is and prints a link for servers and one for persons."""
    from click.testing import CliRunner

    from adapters.discord.invite import asked_app_id, discord_group, person_link, server_link

    async with DiscordEmulator() as discord:
        config = config_for(discord, tmp_path)
        app_id = str(discord.world.app.id)
        assert await asked_app_id(config) == app_id

    class State:
        """What the command line lends."""

        def config(self, *, quiet: bool = False) -> object:
            """The configuration."""
            return config

    printed = CliRunner().invoke(discord_group(), ["invite", "--id", app_id], obj=State())
    assert printed.exit_code == 0
    assert server_link(app_id) in printed.output and person_link(app_id) in printed.output
