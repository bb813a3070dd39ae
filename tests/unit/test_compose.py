"""A prompt fits the model and keeps together what belongs together."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.compose import Prompt, compose, cut_middle, message_tokens
from bot.policy.marks import GUARD, SHORT_GUARD
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
    UnreadAttachment,
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
    """In a shared place every message of a person says whose it is, from the first on; in a direct one only what is not theirs."""
    history = [user("hi", "Ann"), assistant("hello")]
    prompt = compose(history, user("me too", "Ben"), Settings(), profile(), "S", NOW, is_shared=True)
    assert [message.author for message in prompt.messages] == ["", "Ann", "", "Ben"]
    alone = compose(history, user("me too", "Ann"), Settings(), profile(), "S", NOW)
    assert [message.author for message in alone.messages] == ["", "", "", ""]
    fetched = [Message("user", (Text("lunch?"),), "Ben", "U2", is_context=True), *history]
    beside = compose(fetched, user("me too", "Ann"), Settings(), profile(), "S", NOW)
    assert [(message.author, message.is_context) for message in beside.messages[1:3]] == [("Ben", True), ("", False)]


def test_old_pictures_are_only_named() -> None:
    """The newest eight pictures are shown, older ones named."""
    history = [Message("user", (Image(BLOB, f"{n}.png"),)) for n in range(12)]
    prompt = compose(history, user("look"), Settings(), profile(100_000), "S", NOW)
    assert sum(isinstance(part, Image) for message in prompt.messages for part in message.parts) == 8
    assert Text("[earlier picture: 0.png]") in prompt.messages[1].parts


def test_what_nobody_read_is_named() -> None:
    """An attachment that was not read is named, so that the model does not pretend."""
    history = [Message("user", (Text("see"), UnreadAttachment(Attachment("plan.pdf", "application/pdf", 3))))]
    prompt = compose(history, user("what is it?"), Settings(), profile(), "S", NOW)
    assert Text("[attached, not read: plan.pdf]") in prompt.messages[1].parts


def system_text(prompt: Prompt) -> str:
    """What the system says."""
    return "".join(part.text for part in prompt.messages[0].parts if isinstance(part, Text))


def test_the_instructions_come_first_and_the_day_last() -> None:
    """What the model is told begins with its instructions; a model in the cloud is told of marks always, and all of the day."""
    said = system_text(compose([], user("hi"), Settings(), profile(), "Be kind.", NOW))
    assert said == f"Be kind.\n\n{GUARD}\n\nToday is Monday, 23 November 2026."


def test_a_small_model_is_told_of_marks_only_where_there_are_any() -> None:
    """What it is told it takes for the subject, so a plain question is asked as if there were no marks."""
    local = replace(profile(), is_local=True, calls_tools=False)
    plain = "Be kind.\n\nToday is Monday, 23 November 2026."
    assert system_text(compose([], user("hi", "Ann"), Settings(), local, "Be kind.", NOW, is_shared=True)) == plain
    file = Message("user", (Text("sum up"), File(BLOB, "a.txt", "text")))
    assert SHORT_GUARD in system_text(compose([], file, Settings(), local, "Be kind.", NOW))
    two = compose([user("hi", "Ann")], user("ho", "Ben"), Settings(), local, "Be kind.", NOW, is_shared=True)
    assert SHORT_GUARD in system_text(two)
    assert [(message.author, message.is_context) for message in two.messages[1:]] == [("Ann", True), ("", False)]


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


def pdf(name: str, size_bytes: int, text: str = "") -> File:
    """A document of that size."""
    return File(Blob(name.ljust(64, "0"), "application/pdf", size_bytes), name, text)


def reader(context_tokens: int = 1_000_000) -> ModelProfile:
    """A model that reads files itself."""
    return ModelProfile("echo:echo", context_tokens=context_tokens, output_tokens=512, reads_files=True)


def files(messages: tuple[Message, ...]) -> list[str]:
    """Names of the documents that go whole."""
    parts = [part for message in messages for part in message.parts if isinstance(part, File)]
    return [part.name for part in parts if not part.as_text]


def texts(message: Message) -> list[str]:
    """What of the documents in it goes as words."""
    return [part.text for part in message.parts if isinstance(part, File) and part.as_text]


@pytest.mark.parametrize("cut_at", range(1, 9))
def test_a_history_cut_anywhere_has_no_call_without_its_result(cut_at: int) -> None:
    """However the newest rows of a long conversation were cut off, no call and no result stands alone, though all would fit."""
    call = Message("assistant", (ToolCall("call_1", "draw", {}),))
    one = [user("draw"), call, Message("tool", (ToolResult("call_1", "ok"),)), assistant("there")]
    history = [*one, *one, *one][cut_at:]
    prompt = compose(history, user("and now?"), Settings(), profile(), "S", NOW)
    for before, message, after in zip(prompt.messages, prompt.messages[1:], prompt.messages[2:], strict=False):
        assert (message.role == "tool") == any(isinstance(part, ToolCall) for part in before.parts)
        assert (after.role == "tool") == any(isinstance(part, ToolCall) for part in message.parts)
    assert sum(message.role == "tool" for message in prompt.messages) >= (12 - cut_at) // 4


def test_only_the_newest_documents_go_whole() -> None:
    """The bytes of all documents of a prompt keep within a limit; older ones are their text, and that is no news to anybody."""
    history = [Message("user", (pdf(f"{n}.pdf", 10 * 2**20, f"text {n}"),)) for n in range(6)]
    prompt = compose(history, user("hi"), Settings(), reader(), "S", NOW)
    assert files(prompt.messages) == ["4.pdf", "5.pdf"]
    assert texts(prompt.messages[4]) == ["text 3"]
    assert prompt.notices == ()


def test_a_document_sent_twice_goes_whole_once() -> None:
    """The newest of two copies goes whole, the other is its text; what it is says a field, and its type stays what it is."""
    copies = [
        Message("user", (pdf("plan.pdf", 2**20, "text"),)),
        Message("user", (Text("and?"), pdf("plan.pdf", 2**20, "text"))),
    ]
    prompt = compose(copies[:1], copies[1], Settings(), reader(), "S", NOW)
    documents = [part for message in prompt.messages for part in message.parts if isinstance(part, File)]
    assert [(part.as_text, part.blob.mime_type) for part in documents] == [
        (True, "application/pdf"),
        (False, "application/pdf"),
    ]


def test_a_document_too_large_to_go_whole_is_said() -> None:
    """Of a document beyond the limit the model reads the text, and the person who sent it is told."""
    prompt = compose([], Message("user", (pdf("plan.pdf", 40 * 2**20, "text"),)), Settings(), reader(), "S", NOW)
    assert texts(prompt.messages[-1]) == ["text"]
    assert "plan.pdf" in prompt.notices[0]


def test_a_scan_counts_by_its_pages() -> None:
    """A scanned document without text is no free document: many of them do not all fit a prompt."""
    history = [Message("user", (pdf(f"{n}.pdf", 4 * 2**20),)) for n in range(6)]
    prompt = compose(history, user("hi"), Settings(), reader(100_000), "S", NOW)
    assert files(prompt.messages) == ["5.pdf"]


def test_a_shortened_document_does_not_go_whole() -> None:
    """When the middle of a document was left out, the model does not get the file itself after all."""
    long = pdf("book.pdf", 1_000_000, "word " * 200_000)
    prompt = compose([], Message("user", (Text("sum up"), long)), Settings(), reader(100_000), "S", NOW)
    assert files(prompt.messages) == []
    assert "left out here" in str(prompt.messages[-1].parts[1])
    assert sum(message_tokens(message) for message in prompt.messages) <= 100_000


def test_a_model_that_reads_no_files_is_not_charged_for_pages() -> None:
    """For a small model a document takes the room of its text alone."""
    prompt = compose(
        [Message("user", (pdf("a.pdf", 5 * 2**20, "short"),))], user("hi"), Settings(), profile(), "S", NOW
    )
    assert prompt.dropped == 0
    assert texts(prompt.messages[1]) == ["short"]


def test_a_long_history_has_a_ceiling() -> None:
    """A model that could read a million tokens is not sent, and nobody pays, the whole of a long conversation each time."""
    history = [user("x" * 300_000) for _ in range(10)]
    prompt = compose(history, user("hi"), Settings(), profile(1_050_000), "S", NOW)
    assert 100_000 < sum(message_tokens(message) for message in prompt.messages) < 210_000


def test_a_document_beside_a_long_text_is_said() -> None:
    """When a question with a document fits only by the document's text, its author is told that its pages were not seen."""
    asked = Message("user", (Text("word " * 14_000), pdf("plan.pdf", 1_500_000, "short")))
    prompt = compose([], asked, Settings(), reader(30_000), "S", NOW)
    assert texts(prompt.messages[-1]) == ["short"]
    assert prompt.notices == ("plan.pdf is too large to be looked at page by page, so only its text was read.",)
