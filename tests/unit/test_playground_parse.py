"""What the page sends becomes values, or a sentence that says what is wrong; and what the bus carries comes out whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters.playground import parse, render, reply
from adapters.playground.live import View
from bot.errors import StoreError, UsageError
from bot.ports import Host
from bot.types import Author, Blob, Command, InboundMessage, Receipt, Reply, Text, to_json

HANDLE = "0123456789abcdef"
CHANNEL = f"{HANDLE}-aaaabbbbcccc"
ADDRESS = parse.address_of(CHANNEL, HANDLE)
ANN = Author(HANDLE, "You")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ID = "11112222333344445555"


def said(text: str, **fields: str) -> InboundMessage | Command:
    """A message as the page posts it."""
    return parse.parse_message({"id": ID, "text": text, **fields}, (), ADDRESS, ANN, NOW, {"imagine", "help"})


def test_a_message_keeps_its_words_and_its_id() -> None:
    """The page's id makes the event's, so that a message posted twice is one."""
    message = said("  Hello\r\nthere \x00")
    assert isinstance(message, InboundMessage)
    assert (message.text, message.message_id, message.event_id) == ("Hello\nthere", ID, f"{CHANNEL}:{ID}")
    assert message.is_direct


@pytest.mark.parametrize(
    ("text", "name", "rest"), [("/imagine a\ncat", "imagine", "a\ncat"), ("/help", "help", ""), ("/help  ", "help", "")]
)
def test_a_slash_and_a_known_name_is_a_command(text: str, name: str, rest: str) -> None:
    """All after the name is its text, line breaks included."""
    command = said(text)
    assert isinstance(command, Command)
    assert (command.name, command.text) == (name, rest)


@pytest.mark.parametrize("text", ["/etc/hosts is what?", "/unknown x", "see /help", "/"])
def test_other_slashes_are_words(text: str) -> None:
    """A path, an unknown name, or a slash in the middle is said to the model."""
    assert isinstance(said(text), InboundMessage)


@pytest.mark.parametrize("text", ["", "  \n", "\x00"])
def test_nothing_is_not_a_message(text: str) -> None:
    """The person is told to write something."""
    with pytest.raises(UsageError, match="Write something"):
        said(text)


def test_a_file_alone_is_a_message() -> None:
    """Its kind follows its claimed type, and a voice note is marked as one."""
    blob = Blob("ab" * 32, "audio/webm", 10)
    voice = parse.make_attachment(blob, "v.webm", ADDRESS, is_voice_note=True, duration_s=2.5)
    message = parse.parse_message({"id": ID}, (voice,), ADDRESS, ANN, NOW, ())
    assert message.attachments[0].kind == "audio"
    assert message.attachments[0].is_voice_note
    assert message.attachments[0].ref["sha256"] == blob.sha256


@pytest.mark.parametrize("channel", ["", "ffffffffffffffff-aaaabbbbcccc", HANDLE, f"{HANDLE}-../../x", f"{CHANNEL}/x"])
def test_other_peoples_conversations_are_not_found(channel: str) -> None:
    """A conversation's id begins with its owner's handle; any other is refused alike."""
    with pytest.raises(UsageError, match="no such conversation"):
        parse.address_of(channel, HANDLE)


def test_wrong_ids_and_buttons_are_refused() -> None:
    """What no page of ours sends does not come further."""
    with pytest.raises(UsageError):
        said("x", id="../..")
    with pytest.raises(UsageError, match="no button"):
        parse.parse_press({"id": ID, "action": "explode"}, ID, ADDRESS, ANN, NOW)
    with pytest.raises(UsageError, match="delete it"):
        parse.parse_edit({"id": ID, "text": " "}, ID, ADDRESS, ANN, NOW)
    assert parse.parse_press({"id": ID, "action": "stop"}, ID, ADDRESS, ANN, NOW).action == "stop"


def delta(at: int, add: str, epoch: float = 1.0) -> dict[str, object]:
    """A piece of a streaming answer."""
    return {"kind": "delta", "to": ID, "turn": "t", "epoch": epoch, "at": at, "add": add}


class AtOnce:
    """Renders as the page's renderer does, without processes."""

    async def blocks(self, text: str) -> list[str]:
        """Of a text that is whole."""
        return render.blocks(text)

    preview = blocks


async def shown(view: View) -> list[str]:
    """The HTML that a page has after applying its changes."""
    page: list[str] = []
    for name, data in await view.changes():
        if name == "blocks":
            page[data["at"] :] = data["blocks"]
    return page


async def test_a_page_that_missed_the_beginning_asks_and_catches_up() -> None:
    """A delta beyond what is known says so; the snapshot brings all, and repeats change nothing."""
    view = View(AtOnce())
    assert view.take(delta(0, "Hel"))
    assert not view.take(delta(9, "x"))
    snapshot = {
        "kind": "snapshot",
        "to": ID,
        "turn": "t",
        "epoch": 1.0,
        "text": "Hello **you**",
        "status": "",
        "parts": [],
    }
    assert view.take(snapshot)
    assert view.take(delta(0, "Hello"))
    assert await shown(view) == ["<p>Hello <strong>you</strong></p>\n"]
    assert not await view.changes()


async def test_a_text_that_starts_over_replaces_the_old_one() -> None:
    """A later epoch voids what was shown; news of an earlier one are late and ignored."""
    view = View(AtOnce())
    view.take(delta(0, "Wrong"))
    view.take(delta(0, "Right", epoch=2.0))
    view.take(delta(5, " or wrong", epoch=1.0))
    assert await shown(view) == ["<p>Right</p>\n"]


async def test_only_the_end_of_a_growing_answer_is_sent() -> None:
    """Paragraphs that stand are not sent again."""
    view = View(AtOnce())
    view.take(delta(0, "One.\n\nTwo"))
    await view.changes()
    view.take(delta(9, " more"))
    assert [data["at"] for name, data in await view.changes() if name == "blocks"] == [1]


async def test_the_end_comes_with_everything() -> None:
    """The final event carries words, notices and how it ended."""
    view = View(AtOnce())
    answer = Reply((Text("Done *so*"),), notices=("left out",), error="quota", stopped=True)
    view.take({"kind": "done", "to": ID, "turn": "t", "reply": to_json(answer)})
    ((name, data),) = await view.changes()
    assert name == "done"
    assert (data["text"], data["notices"], data["error"], data["is_stopped"]) == (
        "Done *so*",
        ["left out"],
        "quota",
        True,
    )
    assert data["blocks"] == ["<p>Done <em>so</em></p>\n"]


class AwayBus:
    """A bus whose database is away."""

    async def publish(self, topic: str, news: Mapping[str, Any]) -> None:
        """Fail."""
        raise StoreError("The database cannot be reached right now.")


async def test_an_answer_goes_on_while_the_bus_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """The pages miss the news, the log says so, and the turn is not harmed."""
    receipt = Receipt(ADDRESS, "turn", (f"{ID}.answer",), {"to": ID})
    host = cast(Host, SimpleNamespace(bus=AwayBus()))
    assert await reply.finish_reply(host, receipt, Reply((Text("words"),))) == receipt
    assert "the pages were not told" in caplog.text
