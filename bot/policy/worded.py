"""What the parts of a message are in words, with their marks, for models that get words."""

from __future__ import annotations

from collections.abc import Sequence

from bot.policy.marks import block, clean_name, escaped, speaker_mark
from bot.types import Audio, File, Image, Message, Part, Quoted, Text, ToolCall, ToolResult, UnreadAttachment

MAX_DESCRIPTION = 500
"""Characters of what a picture is said to show."""


def words_of(part: Part) -> str:
    """A part in words; a tool call says nothing, its result does."""
    match part:
        case Text(text) | ToolResult(text=text):
            return escaped(text)
        case Quoted():
            return block(part.kind, part.text, author=part.author)
        case Image():
            about = clean_name(part.description or part.name, MAX_DESCRIPTION) or "unnamed"
            return f"[picture: {about}]" + (f"\n\n{text_in_picture(part)}" if part.text else "")
        case Audio():
            return heard(part, f"[voice message]\n{escaped(part.transcript)}")
        case File():
            return block("file", part.text, part.name) if part.text else f"[file without text: {clean_name(part.name)}]"
        case UnreadAttachment():
            return f"[not opened: {clean_name(part.attachment.name)}]"
        case ToolCall():
            return ""


def text_in_picture(picture: Image) -> str:
    """The text that was read in a picture."""
    return block("text in picture", picture.text, picture.name)


def heard(sound: Audio, note: str) -> str:
    """What is said in a sound. note: that of a voice note, whose words are the person's own."""
    if not sound.transcript:
        return "[voice message without words]" if sound.is_voice_note else f"[silent: {clean_name(sound.name)}]"
    return note if sound.is_voice_note else block("recording", sound.transcript, sound.name)


def frame(message: Message) -> tuple[str, str]:
    """The marks before and after what a message says; empty where none belong."""
    if message.role != "user" or not message.author:
        return "", ""
    if message.is_context:
        return f"[start of message from {message.author}]", "[end of message]"
    return speaker_mark(message.author), ""


def framed(message: Message, words: Sequence[str]) -> str:
    """What a message says as one text, between its marks. words: those of its parts, which may be empty."""
    before, after = frame(message)
    said = "\n\n".join(filter(None, words))
    return "\n".join(filter(None, (before, said, after))) if said else ""
