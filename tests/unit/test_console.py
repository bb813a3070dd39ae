"""The console: what is typed becomes values, what is answered reaches the terminal, whole and clean."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console as Terminal

from adapters.console.chat import Chat, GivenUp, answer, attached_paths, completer, prompted_lines
from adapters.console.listen import converse, stop
from adapters.console.parse import OwnCommand, attachment, open_session, parse, parse_own
from adapters.console.reply import Console, read_events, topic
from adapters.console.save import save
from adapters.console.screen import DrawnScreen, JsonScreen, Screen, stable_end
from bot.app import App
from bot.engine.commands import SPECS
from bot.errors import UnreadableError, UsageError
from bot.store.bus import MemoryBus
from bot.types import (
    Blob,
    Command,
    Done,
    Image,
    InboundMessage,
    PartReady,
    Receipt,
    Reply,
    ReplyEvent,
    Status,
    Text,
    TextDelta,
    TextReset,
)
from tests.conftest import MakeConfig

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE = open_session("test")


@pytest.fixture
async def app(make_config: MakeConfig) -> AsyncIterator[App]:
    """A running Parley whose only platform is the terminal."""
    async with App(make_config(), only={"console"}, durable=False).running() as running:
        yield running


class Seen(Screen):
    """A screen that keeps what it shows."""

    def __init__(self) -> None:
        super().__init__(io.StringIO(), io.StringIO())

    @property
    def out(self) -> str:
        """Standard output so far."""
        return self._out.getvalue()  # type: ignore[attr-defined, no-any-return]

    @property
    def err(self) -> str:
        """Standard error so far."""
        return self._err.getvalue()  # type: ignore[attr-defined, no-any-return]


def said(text: str, *files: Path, speak: bool = False) -> InboundMessage | Command:
    """What that line becomes."""
    return parse(text, HERE, [attachment(path) for path in files], SPECS, now=NOW, speak=speak)


async def asked(app: App, text: str, *files: Path, speak: bool = False) -> tuple[list[ReplyEvent], Reply]:
    """Every event of the answer, and the reply."""
    events: list[ReplyEvent] = []
    return events, await converse(app.host, app.accept, said(text, *files, speak=speak), events.append)


# --- What comes in ---------------------------------------------------------------------------------------------------


def test_a_line_is_a_message_of_whoever_is_logged_in() -> None:
    """Text stays as it was typed; message and event have ids of their own; it is a direct message."""
    one, two = said("  Hello\n there "), said("Hello")
    assert isinstance(one, InboundMessage)
    assert (one.text, one.is_direct, one.address.platform) == ("  Hello\n there ", True, "console")
    assert one.author.id and one.event_id != two.event_id


def test_a_slash_and_a_word_is_a_command() -> None:
    """The engine's commands are known by name, and all after the name is theirs."""
    command = said("/imagine  a cat\non a mat", speak=True)
    assert isinstance(command, Command)
    assert (command.name, command.text, command.wants_speech) == ("imagine", "a cat\non a mat", True)


@pytest.mark.parametrize("text", ["/etc/hosts says what?", "/ hm", "//", "1/2"])
def test_a_path_is_no_command(text: str) -> None:
    """A slash that no command word follows is plain text."""
    assert isinstance(said(text), InboundMessage)


def test_an_unknown_command_is_met_with_the_nearest_one() -> None:
    """A slip of the finger is not sent to the model."""
    with pytest.raises(UsageError, match="Did you mean /summarize"):
        said("/sumarize this")


def test_the_terminal_has_commands_of_its_own() -> None:
    """/attach, /new and /quit never reach the engine."""
    assert parse_own("/attach a b.png") == OwnCommand("attach", "a b.png")
    assert parse_own("/quit ") == OwnCommand("quit")
    assert parse_own("/help") is None


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "image"), ("a.ogg", "audio"), ("a.mp4", "video"), ("a.pdf", "file"), ("a", "file")]
)
async def test_an_attached_file_is_read_whole(tmp_path: Path, name: str, kind: str) -> None:
    """The kind follows the name, the bytes come as they are on the disk."""
    path = tmp_path / name
    path.write_bytes(b"x" * 3_000_000)
    found = attachment(path)
    assert (found.name, found.kind, found.size_bytes) == (name, kind, 3_000_000)
    pieces = [piece async for piece in Console(host=None).download(found)]  # type: ignore[arg-type]
    assert len(pieces) > 1 and b"".join(pieces) == b"x" * 3_000_000


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """At once when it is attached, in the answer when it has gone since."""
    with pytest.raises(UsageError, match=r"none\.txt cannot be read: no such file"):
        attachment(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="it is a folder"):
        attachment(tmp_path)
    path = tmp_path / "soon.txt"
    path.write_text("gone soon")
    found = attachment(path)
    path.unlink()
    with pytest.raises(UnreadableError, match=r"soon\.txt cannot be read any more"):
        [piece async for piece in Console(host=None).download(found)]  # type: ignore[arg-type]


def test_names_of_files_may_hold_spaces_or_be_several(tmp_path: Path) -> None:
    """One name with spaces as it is; several, quoted where needed."""
    (tmp_path / "a b.txt").touch()
    assert attached_paths(f"{tmp_path}/a b.txt") == [tmp_path / "a b.txt"]
    assert attached_paths("'x y' z") == [Path("x y"), Path("z")]
    with pytest.raises(UsageError, match="quotation mark"):
        attached_paths("'x")


def test_commands_and_paths_are_completed(tmp_path: Path) -> None:
    """Slash words anywhere the engine or the terminal has them; paths after /attach."""
    (tmp_path / "photo.jpg").touch()
    found = completer(SPECS)

    def offered(text: str) -> list[str]:
        return [one.text for one in found.get_completions(Document(text), CompleteEvent())]

    assert offered("/s") == ["/say", "/search", "/settings", "/summarize"]
    assert offered("/q") == ["/quit"]
    assert offered(f"/attach {tmp_path}/ph") == ["oto.jpg"]
    assert offered("hello /s") == []


# --- A turn ----------------------------------------------------------------------------------------------------------


async def test_an_answer_streams_and_ends_with_the_reply(app: App) -> None:
    """The deltas add up to the text of the reply; Done comes once, last; nothing is reset without need."""
    events, reply = await asked(app, "Hello there")
    assert reply.text == "You said: Hello there"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == reply.text
    assert [type(event) for event in events if not isinstance(event, TextDelta)] == [Done]


async def test_news_travel_through_either_database(make_config: MakeConfig, store_url: str) -> None:
    """In memory beside SQLite, by notifications of PostgreSQL: streamed text, a long answer, and its end arrive."""
    async with App(make_config(database_url=store_url), only={"console"}, durable=False).running() as app:
        events, reply = await asked(app, "[[long 3000]]")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == reply.text
    assert reply.text.endswith("word2999") and events[-1] == Done(reply)


async def test_the_next_question_knows_the_earlier_one(app: App) -> None:
    """The conversation's name is its address."""
    await asked(app, "One")
    _, reply = await asked(app, "Two")
    assert reply.text.endswith("Messages before: 2")


async def test_a_file_goes_along(app: App, tmp_path: Path) -> None:
    """What is in it reaches the model."""
    note = tmp_path / "note.txt"
    note.write_text("The password is swordfish.")
    events, reply = await asked(app, "Read this", note)
    assert "I read note.txt (text/plain, 26 bytes)." in reply.text
    assert Status("Reading note.txt…") in events


async def test_speech_and_pictures_are_saved(app: App, tmp_path: Path) -> None:
    """Asked for by the caller and by a command; the clip goes where it was asked to, as Ogg Opus."""
    _, spoken = await asked(app, "Say it", speak=True)
    paths = await save(spoken, app.host.blobs(HERE.address), tmp_path / "new", "p", tmp_path / "out.ogg")
    assert paths == [tmp_path / "out.ogg"]
    assert paths[0].read_bytes()[:4] == b"OggS" and b"OpusHead" in paths[0].read_bytes()
    events, painted = await asked(app, "/imagine a lighthouse")
    assert any(isinstance(event, PartReady) for event in events)
    (path,) = await save(painted, app.host.blobs(HERE.address), tmp_path / "new", "p")
    assert path == tmp_path / "new" / "p-1.png" and path.read_bytes()[:4] == b"\x89PNG"


async def test_where_nothing_can_be_written_is_said(app: App, tmp_path: Path) -> None:
    """The complaint names the path."""
    _, painted = await asked(app, "/imagine a lighthouse")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"p-1\.png cannot be written"):
        await save(painted, app.host.blobs(HERE.address), tmp_path / "file", "p")


async def test_stopping_keeps_what_had_come(app: App) -> None:
    """A stop ends the answer at once and says so."""
    inbound, heard = said("[[slow 0.05]] [[long 500]]"), asyncio.Event()

    def show(event: ReplyEvent) -> None:
        if isinstance(event, TextDelta):
            heard.set()

    answering = asyncio.create_task(converse(app.host, app.accept, inbound, show))
    await heard.wait()
    await stop(app.accept, inbound)
    reply = await answering
    assert reply.stopped and reply.text.startswith("word0") and "word499" not in reply.text


class DeafHost:
    """A host whose bus loses all news."""

    def __init__(self, app: App) -> None:
        self._host = app.host
        self.bus = MemoryBus()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


async def test_an_answer_whose_news_got_lost_is_found_in_the_conversation(app: App) -> None:
    """The bus may lose news; the terminal does not wait for ever."""
    events: list[ReplyEvent] = []
    reply = await converse(DeafHost(app), app.accept, said("Hello"), events.append, silence_s=0.02)
    assert reply.text == "You said: Hello" and events == [Done(reply)]


class Loud:
    """A host with a bus that keeps all messages."""

    def __init__(self) -> None:
        self.bus = self
        self.messages: list[dict[str, Any]] = []

    async def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Keep it."""
        self.messages.append(dict(message))

    async def events(self) -> list[ReplyEvent]:
        """What a terminal makes of the messages."""

        async def each() -> AsyncIterator[dict[str, Any]]:
            for one in self.messages:
                yield one

        return [event async for event in read_events(each())]


async def test_an_answer_that_is_shown_again_starts_over() -> None:
    """After a crash the same answer streams once more: the text that stood there is void first."""
    loud, receipt = Loud(), Receipt(HERE.address, "t", ("m.answer",), {"to": "m"})

    async def streamed() -> AsyncIterator[ReplyEvent]:
        yield TextDelta("a")
        yield Done(Reply())

    for _ in range(2):
        await Console(loud).stream(receipt, streamed())  # type: ignore[arg-type]
    assert await loud.events() == [TextReset(), TextDelta("a"), TextReset(), TextDelta("a")]
    assert topic("m") == "console/m"


# --- What is shown ---------------------------------------------------------------------------------------------------


def shown(screen: Screen, *events: ReplyEvent) -> None:
    """Let the screen show them all."""
    screen.begin()
    for event in events:
        screen.show(event)
    screen.end()


def test_a_pipe_gets_the_answer_and_nothing_else() -> None:
    """Standard output holds the text; what is being done and notices go to standard error."""
    seen = Seen()
    shown(seen, Status("Reading…"), TextDelta("dra"), Done(Reply((Text("The answer"),), ("A setting was left out.",))))
    assert seen.out == "The answer\n"
    assert seen.err == "Reading…\nA setting was left out.\n"


def test_an_error_is_no_answer() -> None:
    """Its words go to standard error, on one line; what had come before a break stays an answer."""
    seen = Seen()
    shown(seen, Done(Reply((Text("The key is wrong."),), error="credential")))
    assert (seen.out, seen.err) == ("", "The key is wrong.\n")
    broken = Seen()
    shown(broken, Done(Reply((Text("Half"),), ("It broke off.",), error="cut_off")))
    assert (broken.out, broken.err) == ("Half\n", "It broke off.\n")


def test_json_lines_are_plain_and_say_their_type() -> None:
    """Every event is one line; lists are lists, and each value has a type: nothing of how the store writes them shows."""
    out = io.StringIO()
    reply = Reply((Text("é"), Image(Blob("0" * 64, "image/png", 1), "a.png")), ("A remark.",), model="echo:echo")
    shown(JsonScreen(out, io.StringIO()), Status("…"), TextDelta("é\n"), TextReset(), Done(reply))
    status, delta, reset, done = (json.loads(line) for line in out.getvalue().splitlines())
    assert (status, delta) == ({"type": "status", "text": "…"}, {"type": "text_delta", "text": "é\n"})
    assert (reset, done["type"], done["reply"]["text"]) == ({"type": "text_reset"}, "done", "é")
    assert [part["type"] for part in done["reply"]["parts"]] == ["text", "image"]
    assert done["reply"]["notices"] == ["A remark."] and '"$"' not in out.getvalue()


def drawn_screen() -> tuple[DrawnScreen, io.StringIO]:
    """A screen for a person, and all that was written to its terminal."""
    out = io.StringIO()
    return DrawnScreen(out, out, Terminal(file=out, width=60, height=20)), out


def test_a_long_answer_is_drawn_once() -> None:
    """Blocks that are whole are printed for good while the rest streams; the end adds only what is missing."""
    screen, out = drawn_screen()
    text = "# Title\n\nFirst *part*.\n\n- one\n- two\n\n```python\nx = 1\n```\n\nEnd."
    shown(screen, *(TextDelta(letter) for letter in text), Done(Reply((Text(text),))))
    lines = [line.strip() for line in out.getvalue().splitlines() if line.strip()]
    assert lines == ["Title", "First part.", "• one", "• two", "x = 1", "End."]


def test_text_that_starts_over_is_parted_from_what_stood_there() -> None:
    """What scrolled away cannot be taken back: a line says that the answer begins once more."""
    screen, out = drawn_screen()
    shown(screen, TextDelta("Old.\n\nMore"), TextReset(), TextDelta("New."), Done(Reply((Text("New."),))))
    old, again, new = out.getvalue().partition("once more")
    assert "Old." in old and again and "New." in new and "More" not in new


def test_a_model_cannot_steer_the_terminal() -> None:
    """Escape sequences in an answer are struck out."""
    screen, out = drawn_screen()
    shown(screen, TextDelta("a\x1b]0;owned\x07b"), Done(Reply((Text("a\x1b]0;owned\x07b"),))))
    assert "\x1b]" not in out.getvalue() and "\x07" not in out.getvalue()
    assert "a]0;ownedb" in out.getvalue()


@given(st.lists(st.sampled_from(["# h", "word", "\n", "\n\n", "- item", "```\n", "| a | b |\n|-|-|\n", "> q"])))
def test_what_is_settled_never_changes(pieces: list[str]) -> None:
    """As text grows, the settled end only moves on, and always to the beginning of a line."""
    text, end = "", 0
    for piece in pieces:
        text += piece
        new_end = stable_end(text, end)
        assert end <= new_end <= len(text)
        assert new_end == 0 or text[new_end - 1] == "\n"
        end = new_end


# --- The conversation at the prompt ----------------------------------------------------------------------------------


async def typed(*lines: str) -> AsyncIterator[str]:
    """Lines as a person types them."""
    for line in lines:
        yield line


def chatting(app: App, folder: Path) -> tuple[Chat, Seen]:
    """A conversation at a terminal, and what it shows."""
    seen = Seen()
    return Chat(app.host, app.accept, seen, HERE, folder), seen


async def test_a_chat_answers_line_by_line_until_one_leaves(app: App, tmp_path: Path) -> None:
    """Empty lines are nothing; what comes after /quit is not read; pictures are saved, and where is said."""
    chat, seen = chatting(app, tmp_path / "saved")
    await chat.run(typed("Hello", "", "/imagine a cat", "/quit", "Unheard"))
    assert seen.out == "You said: Hello\n"
    (saved,) = (tmp_path / "saved").iterdir()
    assert f"Saved {saved}" in seen.err and not chat.has_failed


async def test_attached_files_go_with_the_next_message(app: App, tmp_path: Path) -> None:
    """Several, once; a mistake between does not lose them."""
    (tmp_path / "a.txt").write_text("apple")
    (tmp_path / "b.txt").write_text("banana")
    chat, seen = chatting(app, tmp_path)
    await chat.run(
        typed(f"/attach {tmp_path}/a.txt", f"/attach {tmp_path}/b.txt", "/bogus", "What is in them?", "Again")
    )
    first, second = seen.out.split("You said: ")[1:]
    assert "I read a.txt" in first and "I read b.txt" in first and "I read" not in second
    assert "There is no command /bogus" in seen.err and chat.has_failed


async def test_another_conversation_has_a_history_of_its_own(app: App, tmp_path: Path) -> None:
    """/new NAME goes on there, and back."""
    chat, seen = chatting(app, tmp_path)
    await chat.run(typed("One", "/new other", "Two", "/new test", "Three"))
    one, two, three = seen.out.split("You said: ")[1:]
    assert "Messages before" not in one + two and "Messages before: 2" in three


async def test_an_answer_given_up_leaves_the_screen_in_order(app: App) -> None:
    """Cancelled by a second Ctrl-C, it ends as Ctrl-C does."""
    ended: list[bool] = []

    class Ending(Seen):
        def end(self) -> None:
            ended.append(True)

    waiting = asyncio.create_task(answer(app.host, app.accept, said("[[slow 0.05]] [[long 100]]"), Ending()))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(GivenUp):
        await waiting
    assert ended == [True]


async def test_the_prompt_is_a_line_editor(tmp_path: Path) -> None:
    """Alt-Enter breaks the line, Ctrl-C drops it, Ctrl-D leaves; the history is for its owner's eyes."""
    history, heard = tmp_path / "home" / "history", list[str]()
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("One\x1b\rmore\rdropped\x03/help\r\x04")
        async for line in prompted_lines(history, SPECS):
            heard.append(line)
    assert heard == ["One\nmore", "/help"]
    assert history.stat().st_mode & 0o077 == 0 and "+/help" in history.read_text()
