"""What a model reads: history and settings as a prompt that fits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.types import Audio, File, Image, Message, ModelProfile, Part, Settings, Text, ToolCall, ToolResult, Unread

CHARS_PER_TOKEN = 3.2
"""On the careful side for English and code; most tokenizers give about four characters a token."""
IMAGE_TOKENS = 1_100
MESSAGE_TOKENS = 6
MAX_ANSWER_SHARE = 0.25
"""Of the context is kept free for the answer, when the settings do not say how long it may be."""
MAX_IMAGES = 8
CUT_MARK = "\n\n[… left out here: {count} characters …]\n\n"


@dataclass(frozen=True)
class Prompt:
    """Messages that fit the model, oldest first, and what had to be left out."""

    messages: tuple[Message, ...]
    notices: tuple[str, ...] = ()
    dropped: int = 0
    """How many of the oldest messages did not fit."""


def compose(
    history: Sequence[Message],
    user: Message,
    settings: Settings,
    profile: ModelProfile,
    system_prompt: str,
    now: datetime,
) -> Prompt:
    """The prompt for the answer to `user`.

    The newest messages win; a tool call is never parted from its result. A question that alone is too long is cut in the middle,
    and its author is told.
    """
    room = _room(profile, settings)
    system = Message("system", (Text(_system_text(settings.system_prompt or system_prompt, history, user, now)),))
    named = _with_names([_without_unread(message) for message in (*history, user)])
    named = _with_few_images(named)
    asked, notices = _shortened(named[-1], room - message_tokens(system))
    left = room - message_tokens(system) - message_tokens(asked)
    kept, dropped = _newest(named[:-1], left)
    return Prompt((system, *kept, asked), notices, dropped)


def _room(profile: ModelProfile, settings: Settings) -> int:
    answer = min(settings.max_tokens or profile.output_tokens, int(profile.context_tokens * MAX_ANSWER_SHARE))
    return max(profile.context_tokens - answer, 256)


def _system_text(prompt: str, history: Sequence[Message], user: Message, now: datetime) -> str:
    people = {message.author for message in (*history, user) if message.role == "user" and message.author}
    several = " Several people take part; each message begins with its author's name." if len(people) > 1 else ""
    return f"{prompt}\n\nToday is {now:%A, %d %B %Y}.{several}"


def _with_names(messages: Sequence[Message]) -> list[Message]:
    """Begin each message with its author where more than one person takes part."""
    if len({message.author for message in messages if message.role == "user"}) < 2:
        return list(messages)
    return [_with_name(message) if message.role == "user" and message.author else message for message in messages]


def _with_name(message: Message) -> Message:
    parts = list(message.parts)
    first = parts[0] if parts else Text("")
    if isinstance(first, Text):
        parts[0:1] = [Text(f"{message.author}: {first.text}")]
    else:
        parts.insert(0, Text(f"{message.author}:"))
    return replace(message, parts=tuple(parts))


def _without_unread(message: Message) -> Message:
    """Name what nobody has read, so that the model knows it is there."""
    if not any(isinstance(part, Unread) for part in message.parts):
        return message
    parts = (_named_only(part) if isinstance(part, Unread) else part for part in message.parts)
    return replace(message, parts=tuple(parts))


def _named_only(part: Unread) -> Text:
    return Text(f"[attached, {'could not be read' if part.why else 'not read'}: {part.attachment.name}]")


def _with_few_images(messages: Sequence[Message]) -> list[Message]:
    """Keep the newest pictures; older ones are named only."""
    kept, made = 0, []
    for message in reversed(messages):
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, Image):
                kept += 1
                parts.append(
                    part if kept <= MAX_IMAGES else Text(f"[earlier picture: {part.description or part.name}]")
                )
            else:
                parts.append(part)
        made.append(replace(message, parts=tuple(parts)))
    return made[::-1]


def _newest(messages: Sequence[Message], room: int) -> tuple[list[Message], int]:
    """The newest that fit, and how many were dropped; the kept ones do not begin with an answer or a tool's result."""
    start = len(messages)
    while start and (cost := message_tokens(messages[start - 1])) <= room:
        room -= cost
        start -= 1
    while start < len(messages) and start > 0 and messages[start].role != "user":
        start += 1
    return list(messages[start:]), start


def _shortened(message: Message, room: int) -> tuple[Message, tuple[str, ...]]:
    """The message with its longest texts cut in the middle until it fits."""
    parts = list(message.parts)
    while (excess := message_tokens(replace(message, parts=tuple(parts))) - room) > 0:
        index = max(range(len(parts)), key=lambda at: len(_words(parts[at])), default=-1)
        words = _words(parts[index]) if index >= 0 else ""
        if len(words) < 200:
            break
        keep = max(100, len(words) - int(excess * CHARS_PER_TOKEN) - 120)
        parts[index] = _with_words(parts[index], cut_middle(words, keep))
    notices = [said for before, after in zip(message.parts, parts, strict=True) if (said := _about_cut(before, after))]
    return replace(message, parts=tuple(parts)), tuple(dict.fromkeys(notices))


def _about_cut(before: Part, after: Part) -> str:
    """How much of it the model reads, for its author; empty when that is all."""
    whole = max(len(_words(before)), before.whole_chars if isinstance(before, File) else 0)
    read = len(_words(before)) if before == after else len(_words(after)) - len(CUT_MARK)
    if read >= whole:
        return ""
    if not isinstance(before, File):
        return "That is longer than this model can read at once, so the middle was left out."
    which = "the beginning" if before == after else "the beginning and the end"
    return f"{before.name} is very long: of {whole:,} characters this model read {read:,}, from {which}."


def cut_middle(text: str, keep: int) -> str:
    """The beginning and the end, `keep` characters in all, around a mark that says how much is missing."""
    if len(text) <= keep:
        return text
    head = keep * 2 // 3
    return text[:head] + CUT_MARK.format(count=len(text) - keep) + text[len(text) - (keep - head) :]


def _words(part: Part) -> str:
    match part:
        case Text(text) | File(text=text) | Image(text=text) | Audio(transcript=text) | ToolResult(text=text):
            return text
        case ToolCall(arguments=arguments):
            return str(dict(arguments))
        case Unread():
            return ""


def _with_words(part: Part, text: str) -> Part:
    match part:
        case Text():
            return Text(text)
        case Audio():
            return replace(part, transcript=text, segments=())
        case File() | Image() | ToolResult():
            return replace(part, text=text)
        case ToolCall() | Unread():
            return part


def text_tokens(text: str) -> int:
    """An estimate, on the careful side; scripts without spaces take about a token a character."""
    wide = sum(character > "\u2e80" for character in text)
    return int((len(text) - wide) / CHARS_PER_TOKEN) + wide + 1


def message_tokens(message: Message) -> int:
    """An estimate of what a message takes of the context."""
    images = sum(isinstance(part, Image) for part in message.parts)
    return MESSAGE_TOKENS + images * IMAGE_TOKENS + sum(text_tokens(_words(part)) for part in message.parts)
