"""What a model reads: history and settings as a prompt that fits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heapify, heappop, heapreplace

from bot.policy.marks import GUARD, SHORT_GUARD, Speakers, clean_name
from bot.types import (
    Audio,
    File,
    Image,
    Message,
    ModelProfile,
    Part,
    Quoted,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    UnreadAttachment,
)

CHARS_PER_TOKEN = 3.2
"""On the careful side for English and code; most tokenizers give about four characters a token."""
IMAGE_TOKENS = 1_100
MESSAGE_TOKENS = 6
MAX_ANSWER_SHARE = 0.25
"""Of the context is kept free for the answer, when the settings do not say how long it may be."""
MAX_IMAGES = 8
NATIVE_FILE_TYPE = "application/pdf"
"""What a model that reads files gets whole, pages and pictures; of other files it gets the text in any case."""
MAX_WHOLE_BYTES = 24 * 1024 * 1024
"""Of all such files together. In base64 they are a third longer, and providers take some 50 MB a request."""
MAX_WHOLE_SHARE = 0.4
"""Of the room in the prompt, for all such files together."""
PAGE_CHARS = 2_500
PAGE_BYTES = 200_000
"""Of a usual page of text, and of a usual scanned one; each page also counts as a picture."""
MAX_HISTORY_TOKENS = 200_000
"""Models that could read a million tokens ask for them again with every message."""
NARROW_BYTES = bytes(range(0xE3))
"""Of UTF-8: all but the first bytes of characters from U+3000 on, where the scripts without spaces are."""
LEAST_CUT = 200
"""Characters of the shortest text that is cut."""
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
    *,
    is_shared: bool = False,
) -> Prompt:
    """The prompt for the answer to `user`.

    The newest messages win; a tool call is never parted from its result. Of files only the newest go whole, of older ones their
    text. A question that alone is too long is cut in the middle, and its author is told. is_shared: others may speak there too.
    """
    room = _room(profile, settings)
    given = [_without_unread(message) for message in (*_drop_orphan_calls(history), user)]
    named = _with_speakers(given, has_speakers=is_shared and not _is_small(profile))
    system = Message("system", (Text(_system_text(system_prompt, named, profile, now)),))
    named, by_text = _with_few_files(_with_few_images(named), profile, int(room * MAX_WHOLE_SHARE))
    asked, notices = _truncate(named[-1], room - message_tokens(system))
    left = room - message_tokens(system) - message_tokens(asked)
    kept, dropped = _fit_newest(named[:-1], min(left, MAX_HISTORY_TOKENS))
    return Prompt((system, *kept, asked), (*by_text, *notices), dropped)


def _room(profile: ModelProfile, settings: Settings) -> int:
    answer = min(settings.max_tokens or profile.output_tokens, int(profile.context_tokens * MAX_ANSWER_SHARE))
    return max(profile.context_tokens - answer, 256)


def _system_text(prompt: str, messages: Sequence[Message], profile: ModelProfile, now: datetime) -> str:
    """What the model is told, the operator's words first. What holds for marks is told a small model only where there are any."""
    guard = GUARD if not _is_small(profile) else SHORT_GUARD if any(map(_is_marked, messages)) else ""
    return "\n\n".join(filter(None, (prompt, guard, f"Today is {now:%A, %d %B %Y}.")))


def _is_small(profile: ModelProfile) -> bool:
    """Whether the model takes for content what it is told about it: one on this machine that cannot even call tools."""
    return profile.is_local and not profile.calls_tools


def _is_marked(message: Message) -> bool:
    return message.is_context or any(map(_is_foreign, message.parts))


def _is_foreign(part: Part) -> bool:
    """Whether it stands between marks in the prompt."""
    is_recording = isinstance(part, Audio) and not part.is_voice_note
    return isinstance(part, Quoted | File) or is_recording or (isinstance(part, Image) and bool(part.text))


def _with_speakers(messages: Sequence[Message], *, has_speakers: bool) -> list[Message]:
    """The messages with who speaks: each before its words, or else only what others wrote than who asks now, as foreign.

    The first is for places that several share. A small model repeats what stands before a question, and gets the second everywhere.
    """
    names, person = Speakers(), _person(messages[-1])
    return [_with_speaker(message, names, person, has_speakers=has_speakers) for message in messages]


def _with_speaker(message: Message, names: Speakers, person: str, *, has_speakers: bool) -> Message:
    if message.role != "user":
        return message
    is_foreign = message.is_context or _person(message) != person
    name = names.name_for(_person(message), message.author) if has_speakers or is_foreign else ""
    return replace(message, author=name, is_context=is_foreign and not has_speakers)


def _person(message: Message) -> str:
    return message.author_id or message.author


def _without_unread(message: Message) -> Message:
    """Name the attachments that nobody has read, so that the model knows that they are there."""
    if not any(isinstance(part, UnreadAttachment) for part in message.parts):
        return message
    parts = (_named_only(part) if isinstance(part, UnreadAttachment) else part for part in message.parts)
    return replace(message, parts=tuple(parts))


def _named_only(part: UnreadAttachment) -> Text:
    state = "could not be read" if part.reason else "not read"
    return Text(f"[attached, {state}: {clean_name(part.attachment.name)}]")


def _with_few_images(messages: Sequence[Message]) -> list[Message]:
    """Keep the newest pictures; older ones are named only."""
    kept, made = 0, []
    for message in reversed(messages):
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, Image):
                kept += 1
                parts.append(
                    part
                    if kept <= MAX_IMAGES
                    else Text(f"[earlier picture: {clean_name(part.description or part.name)}]")
                )
            else:
                parts.append(part)
        made.append(replace(message, parts=tuple(parts)))
    return made[::-1]


def _drop_orphan_calls(messages: Sequence[Message]) -> list[Message]:
    """Drop tool calls without a result in the next message, and results without a call in the message before."""
    made: list[Message] = []
    for before, message, after in zip([None, *messages], messages, [*messages[1:], None], strict=False):
        called, told = _calls(before), _results(after)
        parts = tuple(part for part in message.parts if _has_partner(part, called, told))
        if parts or not message.parts:
            made.append(replace(message, parts=parts))
    return made


def _calls(message: Message | None) -> set[str]:
    return {part.id for part in message.parts if isinstance(part, ToolCall)} if message else set()


def _results(message: Message | None) -> set[str]:
    return {part.call_id for part in message.parts if isinstance(part, ToolResult)} if message else set()


def _has_partner(part: Part, called: set[str], told: set[str]) -> bool:
    match part:
        case ToolCall(id=id):
            return id in told
        case ToolResult(call_id=id):
            return id in called
    return True


def _with_few_files(
    messages: Sequence[Message], profile: ModelProfile, room: int
) -> tuple[list[Message], tuple[str, ...]]:
    """Let the newest files go whole, each once, within a budget of bytes and one of tokens; the others are their text.

    Gives also what the author of the newest message should know.
    """
    left_bytes, made, notices = MAX_WHOLE_BYTES if profile.reads_files else -1, list[Message](), list[str]()
    whole: set[str] = set()
    for message in reversed(messages):
        parts = list(message.parts)
        for index, part in enumerate(parts):
            if not isinstance(part, File) or not _goes_whole(part):
                continue
            if part.blob.sha256 in whole:
                parts[index] = text_only(part)
            elif part.blob.size_bytes <= left_bytes and _part_tokens(part) <= room:
                left_bytes, room = left_bytes - part.blob.size_bytes, room - _part_tokens(part)
                whole.add(part.blob.sha256)
            else:
                parts[index] = text_only(part)
                notices += [_only_text(part)] if profile.reads_files and not made else []
        made.append(replace(message, parts=tuple(parts)))
    return made[::-1], tuple(notices)


def _only_text(file: File) -> str:
    seen = "only its text was read" if file.text.strip() else "it could not be read"
    return f"{file.name or 'The file'} is too large to be looked at page by page, so {seen}."


def text_only(file: File) -> File:
    """The file as no more than its text: no provider sends it whole."""
    return replace(file, as_text=True)


def _goes_whole(file: File) -> bool:
    return file.blob.mime_type == NATIVE_FILE_TYPE and not file.as_text


def _fit_newest(messages: Sequence[Message], room: int) -> tuple[list[Message], int]:
    """The newest messages that fit, and how many were dropped. They begin with a message of a person."""
    start = len(messages)
    while start and (cost := message_tokens(messages[start - 1])) <= room:
        room -= cost
        start -= 1
    while start < len(messages) and start > 0 and messages[start].role != "user":
        start += 1
    return list(messages[start:]), start


def _truncate(message: Message, room: int) -> tuple[Message, tuple[str, ...]]:
    """The message with its longest texts cut in the middle until it fits."""
    is_too_long = message_tokens(message) > room
    given = [text_only(part) if is_too_long and isinstance(part, File) else part for part in message.parts]
    parts = _cut_to_fit(given, room - MESSAGE_TOKENS) if is_too_long else given
    notices = [_about_cut(before, after) for before, after in zip(given, parts, strict=True)]
    if is_too_long:
        whole = [part for part in message.parts if isinstance(part, File) and _goes_whole(part)]
        notices += [_only_text(part) for part in whole if text_only(part) in parts]
    return replace(message, parts=tuple(parts)), tuple(filter(None, dict.fromkeys(notices)))


def _cut_to_fit(given: Sequence[Part], room: int) -> list[Part]:
    """The parts with the longest texts cut, the longest first, until all fit or none is left that is worth cutting."""
    parts, excess = list(given), sum(map(_part_tokens, given)) - room
    longest = [(-len(_words(part)), at) for at, part in enumerate(parts)]
    heapify(longest)
    while excess > 0 and longest and -longest[0][0] >= LEAST_CUT:
        size, at = -longest[0][0], longest[0][1]
        keep = max(LEAST_CUT // 2, size - int(excess * CHARS_PER_TOKEN) - 120)
        cut = _with_words(parts[at], cut_middle(_words(parts[at]), keep))
        excess += _part_tokens(cut) - _part_tokens(parts[at])
        parts[at], after = cut, len(_words(cut))
        if after < size:
            heapreplace(longest, (-after, at))
        else:
            heappop(longest)
    return parts


def _about_cut(before: Part, after: Part) -> str:
    """Tell its author how much of it the model reads; empty when the model reads all of it."""
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
        case (
            Text(text)
            | File(text=text)
            | Image(text=text)
            | Audio(transcript=text)
            | ToolResult(text=text)
            | Quoted(text)
        ):
            return text
        case ToolCall(arguments=arguments):
            return str(dict(arguments))
        case UnreadAttachment():
            return ""


def _with_words(part: Part, text: str) -> Part:
    match part:
        case Text():
            return Text(text)
        case Audio():
            return replace(part, transcript=text, segments=())
        case File() | Image() | ToolResult() | Quoted():
            return replace(part, text=text)
        case ToolCall() | UnreadAttachment():
            return part


def text_tokens(text: str) -> int:
    """An estimate, on the careful side; scripts without spaces take about a token a character."""
    wide = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass").translate(None, NARROW_BYTES))
    return int((len(text) - wide) / CHARS_PER_TOKEN) + wide + 1


def message_tokens(message: Message) -> int:
    """An estimate of what a message takes of the context."""
    return (
        MESSAGE_TOKENS
        + (text_tokens(message.author) if message.author else 0)
        + sum(_part_tokens(part) for part in message.parts)
    )


def _part_tokens(part: Part) -> int:
    words = text_tokens(_words(part))
    match part:
        case Image():
            return words + IMAGE_TOKENS
        case File(blob=blob) if _goes_whole(part):
            pages = max(1, len(part.text) // PAGE_CHARS, blob.size_bytes // PAGE_BYTES)
            return words + pages * IMAGE_TOKENS
    return words
