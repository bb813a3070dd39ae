"""Slash commands: the same words everywhere, each doing what its help says."""

from __future__ import annotations

import pytest

from bot.app import App
from bot.engine.commands import SPECS
from bot.types import Address, Audio, Image
from tests import making
from tests.conftest import MakeApp
from tests.fakes import ANN, BEN, HERE, FakeAdapter, answer
from tests.support import echo, last_request, words

NAMES = {
    "ask",
    "imagine",
    "say",
    "transcribe",
    "summarize",
    "search",
    "settings",
    "persona",
    "usage",
    "reset",
    "forget",
    "help",
}


async def say(app: App, platform: FakeAdapter, line: str, **more: object) -> str:
    """Run a command line; gives the text of its reply."""
    name, _, text = line.removeprefix("/").partition(" ")
    shown = await answer(app, platform, platform.commands(name, text, **more))  # type: ignore[arg-type]
    return shown.text


def test_every_command_is_there_and_fits_every_platform() -> None:
    """Every command exists; names and summaries fit Slack's and Discord's limits of 32 and 100 characters."""
    assert set(SPECS) == NAMES
    for spec in SPECS.values():
        assert len(spec.name) <= 32
        assert 0 < len(spec.summary) <= 100
        assert all(len(option.summary) <= 100 and len(option.choices) <= 25 for option in spec.options)


async def test_help_names_all(app: App, platform: FakeAdapter) -> None:
    """`/help` lists every command and which models answer."""
    text = await say(app, platform, "/help")
    assert all(f"`/{name}" in text for name in NAMES)
    assert "echo:echo" in text


async def test_an_unknown_command_leads_to_help(app: App, platform: FakeAdapter) -> None:
    """A command that does not exist is said so, with the way on."""
    assert "/help" in await say(app, platform, "/dance")


async def test_ask_is_part_of_the_conversation(app: App, platform: FakeAdapter) -> None:
    """`/ask` is answered by the model, and a later message can refer to it; `/help` is not what a model reads."""
    await say(app, platform, "/help")
    assert (await say(app, platform, "/ask what is the time")).startswith("You said: what is the time")
    await answer(app, platform, platform.says("and now?"))
    assert words(last_request(app))[0] == "what is the time"
    assert not any("/help" in text or "Commands:" in text for text in words(last_request(app)))


@pytest.mark.parametrize("line", ["/ask", "/imagine", "/say", "/search", "/transcribe", "/summarize"])
async def test_a_command_without_its_words_shows_how(app: App, platform: FakeAdapter, line: str) -> None:
    """A command used wrongly shows how it is used."""
    assert line in await say(app, platform, line)


async def test_imagine_draws_and_edits(app: App, platform: FakeAdapter) -> None:
    """`/imagine` makes a picture, in the size that was set; with a picture attached it changes that one."""
    await say(app, platform, "/settings set image_size 64x32")
    shown = await answer(app, platform, platform.commands("imagine", "a red cat"))
    assert shown.reply is not None
    [picture] = [part for part in shown.reply.parts if isinstance(part, Image)]
    assert (await app.host.blobs(HERE).read(picture.blob)).startswith(b"\x89PNG")
    await answer(app, platform, platform.commands("imagine", "bluer", files={"cat.png": making.picture("cat")}))
    call = [call for call in echo(app).calls if call.modality == "image"][-1]
    assert len(call.extra["images"]) == 1


async def test_say_speaks_the_words(app: App, platform: FakeAdapter) -> None:
    """`/say` gives a voice clip that says exactly the text."""
    shown = await answer(app, platform, platform.commands("say", "good night"))
    assert shown.reply is not None
    [clip] = [part for part in shown.reply.parts if isinstance(part, Audio)]
    spoken = await app.host.blobs(HERE).read(clip.blob)
    heard = await app.runtime.models.speech_to_text().transcribe(spoken, "a.ogg")
    assert heard.transcript.text == "good night"


async def test_transcribe_writes_down(app: App, platform: FakeAdapter) -> None:
    """`/transcribe` gives the words of an attached recording, or of the newest one in the conversation."""
    assert await say(app, platform, "/transcribe", files={"a.ogg": making.voice_note("first words")}) == "first words"
    note = platform.upload("b.ogg", making.voice_note("second words"))
    await answer(app, platform, platform.says("listen", attachments=(note,)))
    assert await say(app, platform, "/transcribe") == "second words"


async def test_summarize_sums_up_the_conversation(app: App, platform: FakeAdapter) -> None:
    """`/summarize` lets the model read the conversation, or the text or file that comes with it alone."""
    await answer(app, platform, platform.says("we meet on Monday"))
    await say(app, platform, "/summarize")
    assert "we meet on Monday" in words(last_request(app))
    await say(app, platform, "/summarize long text")
    assert "we meet on Monday" not in words(last_request(app))
    assert words(last_request(app))[1] == "long text"


async def test_search_finds_what_the_asker_may_see(app: App, platform: FakeAdapter) -> None:
    """`/search` finds by words in what the platform lets one read and one's own conversations, never in another's direct one."""
    platform.may_read = lambda reader, place: True
    private = Address("fake", "W1", "D-ben")
    await answer(app, platform, platform.says("my secret garden", address=private, author=BEN))
    await answer(app, platform, platform.says("the garden party is on Sunday", is_direct=False, mentions_bot=True))
    text = await say(app, platform, "/search GARDEN")
    assert "party" in text
    assert "secret" not in text
    assert "secret" in await say(app, platform, "/search secret", author=BEN, address=private)
    assert (await say(app, platform, "/search 100%_sure")).startswith("Nothing")


async def test_settings_show_set_and_reset(app: App, platform: FakeAdapter) -> None:
    """`/settings` shows all with where each comes from, sets with a check, and resets."""
    shown = await say(app, platform, "/settings")
    assert "| temperature | – | default |" in shown and "| system_prompt | You are Parley" in shown
    assert (
        await say(app, platform, "/settings set temperature 0,4") == "temperature is now `0,4` for this conversation."
    )
    assert "| temperature | 0.4 | conversation |" in await say(app, platform, "/settings show")
    assert await say(app, platform, "/settings verbosity low for me") == "verbosity is now `low` for you."
    assert "as configured again" in await say(app, platform, "/settings reset temperature")
    assert "as configured already" in await say(app, platform, "/settings reset temperature")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("set temperature hot", "temperature takes 0 to 2"),
        ("set temperature 9", "temperature takes 0 to 2"),
        ("set flavour sweet", "There is no setting 'flavour'"),
        ("set model gpt-5.2", "model takes provider:model"),
        ("set model nowhere:gpt", "nowhere:gpt is not offered here"),
        ("set", "/settings set NAME VALUE"),
        ("reset flavour", "There is no setting 'flavour'"),
        ("set max_tokens 1.5", "max_tokens takes 16 to 128000"),
    ],
)
async def test_wrong_settings_are_explained(app: App, platform: FakeAdapter, line: str, expected: str) -> None:
    """A wrong name or value says what is allowed, and changes nothing."""
    assert expected in await say(app, platform, f"/settings {line}")


async def test_a_setting_that_the_model_lacks_is_said_at_once(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Who sets what the model does not take reads so right away."""
    async with make_app() as app:
        profile = app.runtime.models.chat
        assert profile is not None
        echo_chat = app.providers["echo"].chat("echo")
        narrow = type(echo_chat.profile)("echo:echo", settings=frozenset({"top_p"}))
        app.providers["echo"].chat = lambda model: type("Narrow", (), {"profile": narrow})()  # type: ignore[method-assign,assignment,return-value]
        assert "does not take it" in await say(app, platform, "/settings set temperature 0.3")


async def test_usage_shows_own_calls_and_unknown_prices(make_app: MakeApp, platform: FakeAdapter) -> None:
    """`/usage` sums the asker's own calls by model; a price nobody knows is shown as unknown, not as nothing."""
    async with make_app(chat_model="echo:echo-unpriced") as app:
        assert "no model calls" in await say(app, platform, "/usage")
        await answer(app, platform, platform.says("hello"))
        await answer(app, platform, platform.says("hello", author=BEN))
        await say(app, platform, "/say hi")
        text = await say(app, platform, "/usage 7")
        assert "| echo:echo-unpriced | chat | 1 |" in text
        assert "unknown" in text
        assert "| unknown price |" in text
        assert "and 1 call whose price is unknown." in text
        assert "/usage 7" in await say(app, platform, "/usage week")


async def test_calls_that_were_refused_are_no_calls_that_cost_nothing(app: App, platform: FakeAdapter) -> None:
    """They are told apart, and do not stand among the calls; without a price the sum is unknown, not $0."""
    await answer(app, platform, platform.says("[[fail credential]]"))
    text = await say(app, platform, "/usage")
    assert "| chat |" not in text and text.endswith("Together $0. 1 further call failed and used nothing.")
    await say(app, platform, "/settings set model echo:echo-unpriced")
    await answer(app, platform, platform.says("hello"))
    text = await say(app, platform, "/usage")
    assert "| echo:echo-unpriced | chat | 1 |" in text and "Together: unknown price." in text


async def test_reset_begins_anew(app: App, platform: FakeAdapter) -> None:
    """After `/reset` the model reads nothing from before, even of a message sent right behind it; search still finds it."""
    await answer(app, platform, platform.says("the code is 4711"))
    reset = await app.accept(platform.commands("reset"))
    behind = await app.accept(platform.says("what is the code?"))
    await platform.answered(reset.turn_id)
    await platform.answered(behind.turn_id)
    assert words(last_request(app)) == ["what is the code?"]
    assert "4711" in await say(app, platform, "/search code")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("»Ende«", ("»Ende«",)),
        ("終わり,é", ("終わり", "é")),
        (r"\n\n,a\tb,c\\n", ("\n\n", "a\tb", r"c\n")),
        (r"\d", (r"\d",)),
    ],
)
async def test_stop_texts_are_kept_as_written(
    app: App, platform: FakeAdapter, written: str, kept: tuple[str, ...]
) -> None:
    """A stop text in any script stays what it was; only line ends, tabs and backslashes can be written with a backslash."""
    await say(app, platform, f"/settings set stop {written}")
    assert (await app.host.settings.effective(HERE, ANN.id)).stop == kept


async def test_a_persona_answers(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Who answers is chosen by name for a conversation, from built-in ones and the operator's, and taken back by `default`."""
    async with make_app(personas={"Pirate": "Talk like a pirate.", "editor": ""}) as app:
        listed = (await answer(app, platform, platform.commands("persona"))).text
        assert "`pirate` Talk like a pirate." in listed and "`teacher`" in listed and "editor" not in listed
        refused = await answer(app, platform, platform.commands("persona", "ghost"))
        assert "There is no persona 'ghost'. There are: brainstormer, brief, pirate" in refused.text
        await answer(app, platform, platform.commands("persona", "Pirate"))
        await answer(app, platform, platform.says("hello"))
        assert "Talk like a pirate." in last_request(app).messages[0].parts[0].text
        await answer(app, platform, platform.commands("persona", "default"))
        await answer(app, platform, platform.says("hello"))
        assert "pirate" not in last_request(app).messages[0].parts[0].text
        assert set(app.host.personas) >= {"brief", "pirate", "teacher"}
