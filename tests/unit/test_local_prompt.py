"""What a small local model reads: everything in words, and never more than fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.providers.local.prompt import ABOUT, NO_DRAWING, NO_SEEING, Plain, fit, plain, tokens
from bot.types import Attachment, Audio, Blob, File, Image, Message, Text, ToolCall, ToolResult, UnreadAttachment

BLOB = Blob("0" * 64, "image/png", 3)


def test_every_part_is_put_into_words() -> None:
    """A picture gives the text in it, a voice note its transcript, a file its text, a tool its result."""
    asked = Message(
        "user",
        (
            Text("look"),
            Image(BLOB, "sign.png", "OPEN", "a door"),
            Image(BLOB, "cat.png"),
            Audio(BLOB, transcript="hello", is_voice_note=True),
            Audio(BLOB, "talk.mp3", "long ago"),
            File(BLOB, "a.txt", "inside"),
            UnreadAttachment(Attachment("b.zip", "application/zip", 1)),
        ),
    )
    called = Message("assistant", (ToolCall("1", "draw", {}),))
    result = Message("tool", (ToolResult("1", "made"),))
    system, user = plain([Message("system", (Text("Be kind."),)), asked, called, result])
    assert system == {"role": "system", "content": f"{ABOUT}\n\nBe kind.\n\n{NO_SEEING}"}
    assert user["content"].split("\n\n") == [
        "look",
        "[Picture sign.png, which you cannot see. It shows: a door. Its text was read for you:]\n"
        "[start of text in picture sign.png]\nOPEN\n[end of text in picture]",
        "[Picture cat.png, which you cannot see. No text was found in it.]",
        "hello",
        "[start of recording talk.mp3]\nlong ago\n[end of recording]",
        "[start of file a.txt]\ninside\n[end of file]",
        "[not opened: b.zip]",
        "[start of result]\nmade\n[end of result]",
    ]


def test_limits_are_told_only_where_they_apply() -> None:
    """A wish for a picture, or one without text, brings its sentence; any other message, a picture with text too, is spared it."""

    def system(text: str, *pictures: Image) -> str:
        return plain([Message("user", (Text(text), *pictures))])[0]["content"]

    assert system("What is written in this picture?", Image(BLOB, "sign.png", "OPEN")) == ABOUT
    assert system("Who is in this picture?", Image(BLOB, "cat.png")) == f"{ABOUT}\n\n{NO_SEEING}"

    assert system("Draw me a cat") == system("Mal mir ein Haus") == f"{ABOUT}\n\n{NO_DRAWING}"
    assert system("Translate to English: Guten Abend") == system("A normal example, malformed") == ABOUT


def test_roles_take_turns_and_people_are_told_apart() -> None:
    """Chat templates refuse two messages of one role in a row; each still says whose it is where the prompt says so."""
    alone = [Message("user", (Text("a"),)), Message("user", (Text("b"),)), Message("assistant", (Text("c"),))]
    assert plain(alone)[1:] == [{"role": "user", "content": "a\n\nb"}, {"role": "assistant", "content": "c"}]
    two = [Message("user", (Text("a"),), "Ada"), Message("user", (Text("b"),), "Bob")]
    assert plain(two)[1:] == [{"role": "user", "content": "[message from Ada]\na\n\n[message from Bob]\nb"}]


def test_the_newest_messages_are_kept() -> None:
    """What is left out is the oldest; an answer is not kept without its question."""
    turns = [
        {"role": "user" if number % 2 else "assistant", "content": f"{number} " + "x" * 88} for number in range(1, 8)
    ]
    kept, was_cut = fit([{"role": "system", "content": "s"}, *turns], 8 + 4 * 38)
    assert was_cut
    assert [message["content"][0] for message in kept] == ["s", "5", "6", "7"]
    assert fit(turns[:2], 1000) == (turns[:2], False)


@given(
    st.lists(st.text(max_size=400), min_size=1, max_size=8),
    st.text(max_size=400),
    st.integers(min_value=60, max_value=400),
)
def test_a_prompt_always_fits(texts: list[str], system: str, budget: int) -> None:
    """Whatever was said, the budget holds, the system message leads and the last message ends it."""
    roles = ("user", "assistant")
    turns: list[Plain] = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
    kept, _ = fit([{"role": "system", "content": system}, *turns], budget)
    assert sum(tokens(message) for message in kept) <= budget
    assert kept[0]["role"] == "system" and kept[-1]["role"] == turns[-1]["role"]
    middle = kept[-1]["content"].split("\n[…]\n")
    assert turns[-1]["content"].startswith(middle[0]) and turns[-1]["content"].endswith(middle[-1])
