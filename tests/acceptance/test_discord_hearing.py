"""Discord end to end: what Parley hears, after downtimes and without the intent, and how Discord knows its commands."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from adapters.discord import slash
from adapters.discord.custom_ids import custom_ids
from adapters.discord.emulator import AppConfig, DiscordEmulator, Limits
from adapters.discord.emulator.permissions import SEND_MESSAGES
from adapters.discord.parse_parts import MessageLocation, media_url
from bot import telemetry
from bot.types import Author, CommandOption, CommandSpec
from tests.acceptance.discord_support import SOON, World, parley, world
from tests.browser import CHROMIUM, needs_chromium
from tests.making import picture

BOB = Author("2", "Bob")
COMMANDS = "/applications/{application_id}/commands"


# --- Downtimes -------------------------------------------------------------------------------------------------------


async def test_a_busy_channel_is_read_to_the_present(tmp_path: Path) -> None:
    """After a downtime with hundreds of other messages, what was said to Parley last is answered too."""
    async with DiscordEmulator() as discord:
        async with parley(discord, tmp_path, durable=True) as w:
            await w.answers(w.mention("before the night"))
        for number in range(330):
            discord.post(discord.bob, discord.general, f"talk {number}")
        newest = discord.post(discord.alice, discord.general, f"<@{discord.bot.id}> are you there?")
        async with parley(discord, tmp_path, durable=True) as w:
            assert "are you there?" in (await w.answers(newest))[0].content


async def test_of_too_much_the_newest_is_heard(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where more was missed than is read, the newest is answered, what is too long ago is left alone, and the log says so."""
    pace = replace(SOON, missed_pages=2)
    async with DiscordEmulator() as discord:
        async with parley(discord, tmp_path, durable=True) as w:
            await w.answers(w.mention("before the night"))
        oldest = discord.post(discord.alice, discord.general, f"<@{discord.bot.id}> good evening")
        for number in range(330):
            discord.post(discord.bob, discord.general, f"talk {number}")
        newest = discord.post(discord.alice, discord.general, f"<@{discord.bot.id}> good morning")
        async with parley(discord, tmp_path, durable=True, pace=pace) as w:
            assert "good morning" in (await w.answers(newest))[0].content
            assert not w.beneath(oldest)
    assert "the oldest messages are left out" in caplog.text


async def test_summaries_say_what_they_leave_out(tmp_path: Path) -> None:
    """ "Summarise from here" above its limit is told how much it saw."""
    async with world(tmp_path, pace=replace(SOON, summary_pages=1)) as w:
        first = w.discord.post(w.discord.bob, w.discord.general, "it begins")
        for number in range(120):
            w.discord.post(w.discord.bob, w.discord.general, f"talk {number}")
        await w.settled()
        place = _place(w)
        assert "the first 101 messages" in await w.adapter.history.from_here(place, str(first.id), BOB)
        late = w.discord.post(w.discord.bob, w.discord.general, "and ends")
        assert "the first" not in await w.adapter.history.from_here(place, str(late.id), BOB)


def _place(w: World) -> MessageLocation:
    return MessageLocation(str(w.discord.general.id), str(w.discord.guild.id), str(w.discord.general.id))


# --- Commands --------------------------------------------------------------------------------------------------------


async def _known(w: World) -> None:
    await w.discord.wait_for(lambda: w.discord.registered.named(None, "ask", 1))
    await w.settled()


def _clear(discord: DiscordEmulator) -> None:
    """Somebody takes /ask away at Discord."""
    ask = discord.registered.named(None, "ask", 1)
    assert ask is not None
    discord.registered.delete(None, int(ask["id"]))


async def test_commands_that_were_cleared_come_back(tmp_path: Path) -> None:
    """Whoever takes a command away at Discord, the next start puts it back; the start after tells nothing."""
    key: dict[str, Any] = {"parley_secret_key": "ab" * 21 + "Y="}
    async with DiscordEmulator() as discord:
        for told in (1, 2, 2):
            async with parley(discord, tmp_path, **key) as w:
                await _known(w)
                assert len(discord.calls_to("PUT", COMMANDS)) == told
                if told == 1:
                    _clear(discord)
                    (found,) = [one for one in await w.adapter.check() if one.subject == "discord commands"]
                    assert found.level == "warning" and "ask" in found.text


async def test_a_new_session_looks_at_the_commands_again(tmp_path: Path) -> None:
    """Commands lost while the gateway was away come back without a restart of Parley."""
    async with world(tmp_path) as w:
        await _known(w)
        _clear(w.discord)
        w.discord.refuse_resumes()
        w.discord.drop()
        await w.discord.wait_for(lambda: w.discord.registered.named(None, "ask", 1), 20)


async def test_a_changed_translation_is_told(tmp_path: Path) -> None:
    """Where Discord holds another name of a menu in one language, or other places, it is told, and told once."""
    async with DiscordEmulator() as discord:
        async with parley(discord, tmp_path) as w:
            await _known(w)
        for told, change in ((2, {"name_localizations": {"de": "Dolmetschen"}}), (3, {"contexts": [0]})):
            held = discord.registered.named(None, "Translate", 3)
            assert held is not None
            held |= change
            for _ in range(2):
                async with parley(discord, tmp_path) as w:
                    await discord.wait_for(lambda told=told: len(discord.calls_to("PUT", COMMANDS)) == told)  # type: ignore[misc]
                    await w.settled()
            assert len(discord.calls_to("PUT", COMMANDS)) == told


async def test_models_and_personas_are_suggested(tmp_path: Path) -> None:
    """Options for models offer those that a person may choose, and any named `persona` those that there are."""
    async with world(tmp_path) as w:
        spec = CommandSpec(
            "become", "Speak as somebody", options=(CommandOption("persona", "who"), CommandOption("model", "by"))
        )
        w.adapter.client.host = replace(
            w.app.host,
            commands={**w.app.host.commands, "become": spec},
            personas=("pirate", "poet", "nurse"),
            chat_models=lambda: ("one:large", "two:small"),
        )
        assert await slash.sync(w.adapter.client)
        d = w.discord
        asked = d.autocomplete(d.alice, d.general, "become", "persona", "p")
        await d.wait_for(lambda: asked.choices)
        assert [one["value"] for one in asked.choices or ()] == ["pirate", "poet"]
        asked = d.autocomplete(d.alice, d.general, "become", "model", "two")
        await d.wait_for(lambda: asked.choices)
        assert [one["value"] for one in asked.choices or ()] == ["two:small"]


# --- Without the intent ----------------------------------------------------------------------------------------------


async def test_without_the_intent_a_lost_mention_takes_no_answer(tmp_path: Path) -> None:
    """Who edits the mention away leaves words that Parley may not read: its answer stays."""
    async with world(tmp_path, app=AppConfig(message_content=False)) as w:
        asked = w.mention("first question")
        (answer,) = await w.answers(asked)
        before = answer.content
        w.discord.edit(asked, "first question, for nobody")
        await w.settled()
        assert answer.content == before and len(w.beneath(asked)) == 1
        w.discord.edit(asked, f"<@{w.discord.bot.id}> second question")
        await w.discord.wait_for(lambda: "second question" in w.beneath(asked)[0].content)


async def test_without_the_intent_a_silent_reply_is_explained(tmp_path: Path) -> None:
    """A reply with the ping off comes empty; Parley says why it is not answered, once, and answers one with a ping."""
    async with world(tmp_path, app=AppConfig(message_content=False)) as w:
        (answer,) = await w.answers(w.mention("hello"))
        silent = w.discord.post(w.discord.alice, w.discord.general, "and?", reply_to=answer, ping=False)
        (notice,) = await w.answers(silent)
        assert "Message Content intent" in notice.content
        loud = w.discord.post(w.discord.alice, w.discord.general, "and now?", reply_to=answer)
        assert "and now?" in (await w.answers(loud))[0].content


# --- What comes in ---------------------------------------------------------------------------------------------------


async def test_gif_stickers_are_fetched_where_they_are(tmp_path: Path) -> None:
    """A sticker that moves is seen like any other."""
    async with world(tmp_path) as w:
        sticker = w.discord.add_sticker(w.discord.guild, "dance", picture(), format_type=4)
        (answer,) = await w.answers(w.mention("look", stickers=[sticker]), timeout_s=20)
        assert "dance.gif" in answer.content and "no longer" not in answer.content and "gone" not in answer.content


def test_gif_stickers_have_a_host_of_their_own() -> None:
    """At Discord it is media.discordapp.net."""
    assert media_url("https://cdn.discordapp.com/") == "https://media.discordapp.net"


# --- The log ---------------------------------------------------------------------------------------------------------


async def test_a_gateway_that_is_away_is_a_line_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting again is a warning without a traceback; nothing is said about calls at the start."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    telemetry.configure_logging("INFO", "text")
    async with world(tmp_path) as w:
        said = ""
        await w.discord.stop()

        def reconnects() -> bool:
            nonlocal said
            said += capsys.readouterr().err
            return "Attempting a reconnect" in said

        await w.discord.wait_for(reconnects, 20)
        await w.discord.start()
    said += capsys.readouterr().err
    assert "Traceback" not in said and "WARNING discord." in said
    assert "PyNaCl" not in said and "davey" not in said


# --- The emulator's page ---------------------------------------------------------------------------------------------


@needs_chromium
async def test_the_page_keeps_mentions_and_complains_of_nothing(tmp_path: Path) -> None:
    """In a browser: an edit shows the name and keeps the mention, an answered button brings no complaint, thumbs are drawn."""
    playwright = pytest.importorskip(
        "playwright.async_api", reason="install the development dependencies: make test does"
    )
    async with world(tmp_path) as w, playwright.async_playwright() as engine:
        await _known(w)
        browser = await engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(w.discord.url)
        await page.fill("#text", "@Parley one")
        await page.keyboard.press("Enter")
        await w.said("You said: one")
        await page.wait_for_selector("article button .down svg")
        preview, who = page.locator(".above b"), page.locator(".above")
        assert (await preview.bounding_box())["x"] >= (await who.bounding_box())["x"]
        await page.click("#text")
        await page.keyboard.press("ArrowUp")
        assert await page.input_value("#text") == "@Parley one"
        await page.fill("#text", "@Parley two")
        await page.keyboard.press("Enter")
        await w.said("You said: two")
        await page.click("article button:has(.down)")
        async with asyncio.timeout(10):
            while not await page.evaluate("met.size > 0 && Object.keys(waiting).length === 0"):
                await asyncio.sleep(0.05)  # the page's own policy forbids what waiting for an expression needs
        assert await page.evaluate("Object.keys(waiting).length") == 0
        await browser.close()


async def test_the_command_s_line_stays(tmp_path: Path) -> None:
    """After a button beneath an answer was pressed, it still says who used which command."""
    async with world(tmp_path) as w:
        await _known(w)
        w.discord.slash(w.discord.alice, w.discord.general, "ask", {"text": "hello"})
        answer = await w.said("You said: hello")
        thumb = next(one for one in custom_ids(answer.components) if "thumbs_up" in one)
        w.discord.click(w.discord.alice, answer, thumb)
        await w.settled()
        async with (
            ClientSession() as session,
            session.get(
                f"{w.discord.url}/emulator/channels/{w.discord.general.id}", params={"as": str(w.discord.alice.id)}
            ) as got,
        ):
            shown = next(one for one in (await got.json())["messages"] if one["id"] == str(answer.id))
        assert shown["command"] == {"user": w.discord.alice.shown, "name": "ask"}


# --- Limits ----------------------------------------------------------------------------------------------------------


async def test_the_buckets_are_kept_in_many_channels(tmp_path: Path) -> None:
    """Answers with files in three channels at once, questions edited and deleted meanwhile: no call comes too early."""
    async with world(tmp_path, limits=Limits()) as w:
        d = w.discord
        channels = [d.general, d.random, d.add_channel(d.guild, "more")]
        for channel in channels:
            await w.answers(w.mention("begin", channel))
        code = "```python\n" + "\n".join(f"line_{n} = {n}" for n in range(400)) + "\n```"
        script = w.app.providers["echo"].script  # type: ignore[attr-defined]
        for _ in channels:
            script.enqueue("chat", [code])
        files = [w.mention("code, please", channel) for channel in channels]
        for question in files:
            (answer,) = await w.answers(question, timeout_s=40)
            assert answer.attachments and "400 lines" in answer.content
        long = [w.mention("[[long 600]]", channel) for channel in channels]
        for question in long:
            await w.answers(question, 3, 60)
            d.edit(question, f"<@{d.bot.id}> short after all")
        for question in long:
            await d.wait_for(lambda question=question: len(w.beneath(question)) == 1, 60)  # type: ignore[misc]
        await w.settled(60)
        methods = {call.method for call in d.calls}
        assert {"POST", "PATCH", "DELETE"} <= methods
        assert not [call for call in d.calls if call.status == 429]


async def test_uploads_are_as_large_as_the_server_takes(tmp_path: Path) -> None:
    """A file of 12 MB is named in a server without boosts, and attached in one with two levels of them."""
    async with world(tmp_path) as w:
        d = w.discord
        boosted = d.add_channel(d.add_guild("Boosted", tier=2), "general")
        body = "\n".join("x" * 99_999 for _ in range(120))
        for channel, fits in ((d.general, False), (boosted, True)):
            w.app.providers["echo"].script.enqueue("chat", [f"```python\n{body}\n```"])  # type: ignore[attr-defined]
            (answer,) = await w.answers(w.mention("large code", channel), timeout_s=40)
            assert bool(answer.attachments) is fits
            assert ("larger than this server takes" in answer.content) is not fits


async def test_a_channel_where_we_may_not_write_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal that was to be expected is a warning without a traceback."""
    async with world(tmp_path) as w:
        w.discord.forbid(w.discord.general, SEND_MESSAGES)
        w.mention("can you?")
        w.mention("can you?")
        await w.discord.wait_for(lambda: [one for one in caplog.records if "may not write" in one.getMessage()])
        await w.settled()
        assert not [call for call in w.discord.calls if call.status == 403]
    told = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert told and not [one for one in told if one.levelno > logging.WARNING or one.exc_info]
