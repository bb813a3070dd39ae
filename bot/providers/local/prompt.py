"""Turns a conversation into the plain chat messages that a small text model reads, cut to fit its context. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from bot.policy.marks import block, clean_name, cut, escaped
from bot.policy.worded import MAX_DESCRIPTION, framed, heard, text_in_picture, words_of
from bot.types import Audio, Image, Message, Part, Text, ToolResult

Plain: TypeAlias = dict[str, str]
"""One message as chat templates take it: `role` and `content`."""

ABOUT = "Your name is Parley. You were made by the Parley project. Answer briefly."
"""A small model invents what it is not told. It stands first: after the other instructions it costs right answers."""
NO_DRAWING = "If asked to draw or to make a picture, say: I cannot make pictures. Set IMAGE_MODEL to a model that can."
NO_SEEING = "You cannot see photos. If asked about one without text, say: I cannot see photos. Set CHAT_MODEL to a model that can."
DRAWING = re.compile(
    r"\b(draw|paint|sketch|picture|image|photo|illustrat|zeichne|mal[et]?\b|bild|dessin|peins|dibuj|pinta|imagen|disegn|immagin)",
    re.I,
)
"""Words of a wish for a picture. The two sentences above are said only where they apply: a model of half a billion parameters
takes them for the answer to anything else."""
BYTES_PER_TOKEN = 3
"""Careful: English takes about 4 bytes a token, Chinese about 4.5, and a prompt that is too long is refused, not cut."""
TOKENS_PER_MESSAGE = 8
CUT = "\n[…]\n"


def plain(messages: Sequence[Message]) -> list[Plain]:
    """The messages as text: one system message first that says who answers, then user and assistant by turns."""
    given = [_instructions(message) for message in messages if message.role == "system"]
    system = "\n\n".join([ABOUT, *given, *_limits(messages)])
    turns: list[Plain] = [{"role": "system", "content": system.strip()}]
    for message in messages:
        if message.role == "system" or not (content := framed(message, [described(part) for part in message.parts])):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n\n{content}"
        else:
            turns.append({"role": role, "content": content})
    return turns


def _limits(messages: Sequence[Message]) -> list[str]:
    """What the model must know that it cannot do, to answer the last message."""
    asked = next((message for message in reversed(messages) if message.role == "user"), None)
    parts = asked.parts if asked else ()
    if pictures := [part for part in parts if isinstance(part, Image)]:
        # told of one whose text was read, it refuses to say what stands there
        return [] if all(picture.text for picture in pictures) else [NO_SEEING]
    draws = any(isinstance(part, Text) and DRAWING.search(part.text) for part in parts)
    return [NO_DRAWING] if draws else []


def _instructions(message: Message) -> str:
    return "\n\n".join(part.text for part in message.parts if isinstance(part, Text) and part.text)


def described(part: Part) -> str:
    """A part in words, as a small model takes them best: a voice note is its words alone, and a picture is said not to be seen."""
    match part:
        case Audio():
            return heard(part, escaped(part.transcript))
        case Image():
            about = f" It shows: {shown}." if (shown := clean_name(part.description, MAX_DESCRIPTION)) else ""
            read = "Its text was read for you:" if part.text else "No text was found in it."
            note = f"[Picture {clean_name(part.name)}, which you cannot see.{about} {read}]"
            return f"{note}\n{text_in_picture(part)}" if part.text else note
        case ToolResult():
            return block("result", part.text)
    return words_of(part)


def tokens(message: Plain) -> int:
    """How many tokens the message takes, estimated from above."""
    return len(message["content"].encode()) // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE


def fit(messages: Sequence[Plain], budget_tokens: int) -> tuple[list[Plain], bool]:
    """The system message, the last message, and as many before it as fit; and whether anything was left out.

    A system message of more than half of the budget, and a last message that leaves no room, lose their middle.
    """
    system = [_shortened(message, budget_tokens // 2) for message in messages[:1]]
    room = budget_tokens - sum(tokens(message) for message in system)
    kept: list[Plain] = []
    for message in reversed(messages[1:]):
        if not kept:
            message = _shortened(message, room)
        elif tokens(message) > room:
            break
        kept.insert(0, message)
        room -= tokens(message)
    while len(kept) > 1 and kept[0]["role"] == "assistant":
        kept.pop(0)  # an answer without its question misleads, and some templates refuse it
    fitted = system + kept
    return fitted, fitted != list(messages)


def _shortened(message: Plain, limit_tokens: int) -> Plain:
    if tokens(message) <= limit_tokens:
        return message
    data, content = message["content"].encode(), message["content"]
    room = (limit_tokens - TOKENS_PER_MESSAGE) * BYTES_PER_TOKEN
    half = max(0, room - len(CUT.encode())) // 2
    while True:
        start, end = data[:half].decode(errors="ignore"), data[len(data) - half :].decode(errors="ignore")
        made = cut(content, len(start), len(content) - len(end), CUT)
        over = len(made.encode()) - room  # marks were added, so that what is foreign stays between them
        if over <= 0 or not half:
            return {**message, "content": made if half else CUT}
        half = max(0, half - (over + 1) // 2)
