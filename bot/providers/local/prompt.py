"""Turns a conversation into the plain chat messages that a small text model reads, cut to fit its context. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from bot.types import Audio, File, Image, Message, Part, Text, ToolCall, ToolResult, Unread

Plain: TypeAlias = dict[str, str]
"""One message as chat templates take it: `role` and `content`."""

ABOUT = (
    "Your name is Parley. You were made by the Parley project. You only read and write text. Answer briefly. "
    "If asked to draw or to make a picture, say: I cannot make pictures. Set IMAGE_MODEL to a model that can. "
    "If asked about a photo without text, say: I cannot see photos. Set CHAT_MODEL to a model that can."
)
"""Small models invent what they are not told: who made them, and pictures."""
BYTES_PER_TOKEN = 3
"""Careful: English takes about 4 bytes a token, Chinese about 4.5, and a prompt that is too long is refused, not cut."""
TOKENS_PER_MESSAGE = 8
CUT = "\n[…]\n"


def plain(messages: Sequence[Message]) -> list[Plain]:
    """The messages as text: one system message first that says who answers, then user and assistant by turns."""
    system = "\n\n".join([*(_said(message, False) for message in messages if message.role == "system"), ABOUT])
    several = len({message.author for message in messages if message.role == "user" and message.author}) > 1
    turns: list[Plain] = [{"role": "system", "content": system.strip()}]
    for message in messages:
        if message.role == "system" or not (content := _said(message, several)):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n\n{content}"
        else:
            turns.append({"role": role, "content": content})
    return turns


def _said(message: Message, several: bool) -> str:
    content = "\n\n".join(words for part in message.parts if (words := described(part)))
    return f"{message.author}: {content}" if several and message.author and content else content


def described(part: Part) -> str:
    """A part in words; a tool call says nothing, its result does."""
    match part:
        case Text():
            return part.text
        case Audio():
            return part.transcript if part.is_voice_note else f"[Recording {part.name}, it says: {part.transcript}]"
        case Image():
            about = f" It shows: {part.description}." if part.description else ""
            read = f" The text in it: {part.text}" if part.text else " No text was found in it."
            return f"[Picture {part.name}, which you cannot see.{about}{read}]"
        case File():
            return f"[File {part.name}]\n{part.text}"
        case ToolResult():
            return f"[Result: {part.text}]"
        case Unread():
            return f"[Attachment {part.attachment.name}, not opened]"
        case ToolCall():
            return ""


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
    data = message["content"].encode()
    half = max(0, (limit_tokens - TOKENS_PER_MESSAGE) * BYTES_PER_TOKEN - len(CUT.encode())) // 2
    start, end = data[:half].decode(errors="ignore"), data[len(data) - half :].decode(errors="ignore")
    return {**message, "content": f"{start}{CUT}{end}"}
