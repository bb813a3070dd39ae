"""A prompt fits the model and keeps together what belongs together."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.compose import compose, cut_middle, message_tokens
from bot.types import (
    Attachment,
    Blob,
    File,
    Image,
    Message,
    ModelProfile,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    Unread,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BLOB = Blob("a" * 64, "image/png", 10)


def profile(context_tokens: int = 8_192) -> ModelProfile:
    """A model of that size."""
    return ModelProfile("echo:echo", context_tokens=context_tokens, output_tokens=512)


def user(text: str, author: str = "") -> Message:
    """What a person says."""
    return Message("user", (Text(text),), author)


def assistant(text: str) -> Message:
    """What the model said."""
    return Message("assistant", (Text(text),))


ROUNDS = st.lists(
    st.one_of(
        st.tuples(st.text(max_size=400), st.text(max_size=400)).map(lambda t: [user(t[0]), assistant(t[1])]),
        st.text(max_size=300).map(
            lambda t: [
                user(t),
                Message("assistant", (ToolCall("c1", "draw", {"prompt": t}),)),
                Message("tool", (ToolResult("c1", t),)),
                assistant("done"),
            ]
        ),
    ),
    max_size=12,
).map(lambda rounds: [message for one in rounds for message in one])


@given(ROUNDS, st.text(min_size=1, max_size=5_000), st.integers(600, 4_000))
def test_a_prompt_fits_and_never_parts_a_call_from_its_result(history: list[Message], text: str, size: int) -> None:
    """Whatever the history, the prompt fits the context, ends with the question, and has no result without its call."""
    prompt = compose(history, user(text), Settings(), profile(size), "Be kind.", NOW)
    assert sum(message_tokens(message) for message in prompt.messages) <= size
    assert prompt.messages[0].role == "system"
    assert prompt.messages[-1].role == "user"
    calls = {p.id for m in prompt.messages for p in m.parts if isinstance(p, ToolCall)}
    results = {p.call_id for m in prompt.messages for p in m.parts if isinstance(p, ToolResult)}
    assert results <= calls


def test_the_newest_messages_win() -> None:
    """When not all fits, the oldest go, and the number that went is told."""
    history = [one for n in range(50) for one in (user(f"question {n} " + "x" * 300), assistant(f"answer {n}"))]
    prompt = compose(history, user("and now?"), Settings(), profile(2_000), "Be kind.", NOW)
    texts = [part.text for message in prompt.messages for part in message.parts if isinstance(part, Text)]
    assert "answer 49" in texts
    assert "answer 0" not in texts
    assert prompt.dropped > 0


def test_a_question_longer_than_the_model_is_cut_in_the_middle_and_said_so() -> None:
    """A megabyte of text reaches the model as its beginning and its end, and its author is told."""
    prompt = compose([], user("BEGIN " + "x" * 1_000_000 + " END"), Settings(), profile(), "Be kind.", NOW)
    asked = prompt.messages[-1].parts[0]
    assert isinstance(asked, Text)
    assert asked.text.startswith("BEGIN")
    assert asked.text.endswith("END")
    assert "left out" in asked.text
    assert prompt.notices == ("That is longer than this model can read at once, so the middle was left out.",)


def test_a_file_longer_than_the_model_is_told_once_with_how_much_is_read() -> None:
    """One remark with both numbers, whether its end was left out before or its middle only now."""
    blob = Blob("0" * 64, "text/plain", 1)
    cut = Message("user", (Text("sum up"), File(blob, "big.txt", "x" * 400_000, whole_chars=1_000_000)))
    (said,) = compose([], cut, Settings(), profile(), "S", NOW).notices
    assert re.fullmatch(
        r"big\.txt is very long: of 1,000,000 characters this model read [\d,]+, from the beginning and the end\.", said
    )
    large = ModelProfile("big", context_tokens=1_000_000)
    assert compose([], cut, Settings(), large, "S", NOW).notices == (
        "big.txt is very long: of 1,000,000 characters this model read 400,000, from the beginning.",
    )
    whole = Message("user", (File(blob, "big.txt", "x" * 400_000),))
    assert compose([], whole, Settings(), large, "S", NOW).notices == ()


def test_several_people_are_told_apart() -> None:
    """Where more than one person takes part, each message begins with its author's name."""
    prompt = compose([user("hi", "Ann"), assistant("hello")], user("me too", "Ben"), Settings(), profile(), "S", NOW)
    assert [p.text for m in prompt.messages[1:] for p in m.parts if isinstance(p, Text)] == [
        "Ann: hi",
        "hello",
        "Ben: me too",
    ]
    alone = compose([user("hi", "Ann")], user("me too", "Ann"), Settings(), profile(), "S", NOW)
    assert alone.messages[-1].parts == (Text("me too"),)


def test_old_pictures_are_only_named() -> None:
    """The newest eight pictures are shown, older ones named."""
    history = [Message("user", (Image(BLOB, f"{n}.png"),)) for n in range(12)]
    prompt = compose(history, user("look"), Settings(), profile(100_000), "S", NOW)
    assert sum(isinstance(part, Image) for message in prompt.messages for part in message.parts) == 8
    assert Text("[earlier picture: 0.png]") in prompt.messages[1].parts


def test_what_nobody_read_is_named() -> None:
    """An attachment that was not read is named, so that the model does not pretend."""
    history = [Message("user", (Text("see"), Unread(Attachment("plan.pdf", "application/pdf", 3))))]
    prompt = compose(history, user("what is it?"), Settings(), profile(), "S", NOW)
    assert Text("[attached, not read: plan.pdf]") in prompt.messages[1].parts


def test_a_chosen_system_prompt_replaces_the_configured_one() -> None:
    """The setting wins, and the day is always told."""
    prompt = compose([], user("hi"), Settings(system_prompt="Talk like a pirate."), profile(), "Be kind.", NOW)
    assert prompt.messages[0].parts == (Text("Talk like a pirate.\n\nToday is Monday, 23 November 2026."),)


@given(st.text(max_size=3_000), st.integers(10, 500))
def test_cutting_keeps_both_ends(text: str, keep: int) -> None:
    """What is cut keeps its beginning and its end."""
    made = cut_middle(text, keep)
    if len(text) <= keep:
        assert made == text
    else:
        head = keep * 2 // 3
        assert made.startswith(text[:head])
        assert made.endswith(text[len(text) - (keep - head) :])
