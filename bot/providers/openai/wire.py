"""Our messages as OpenAI's JSON. All but `load`, which reads bytes into data URLs, is pure."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.policy.marks import clean_name, escaped
from bot.policy.worded import frame, framed, words_of
from bot.ports import Blobs, Tool
from bot.types import Blob, File, Image, Message, ModelProfile, Part, Text, ToolCall, ToolResult

Json = dict[str, Any]
SEEN = ("image/jpeg", "image/png", "image/webp", "image/gif")
READ = ("application/pdf",)
"""Files that a model reads itself; of others it gets their text, which is what the server would make of them."""
MAX_ARGUMENTS, MAX_DEPTH = 400_000, 40
"""Characters of a call's arguments, and objects and lists within one another in them."""
NOTHING: Json = {"type": "input_text", "text": "(an empty message)"}
MAX_FILE_BYTES = 32 * 1024 * 1024
"""Of all files of a request together. OpenAI takes 50 MB; base64 makes 43 of these."""


async def load(messages: Sequence[Message], profile: ModelProfile, blobs: Blobs) -> dict[str, str]:
    """Data URLs, by sha256, of what the model gets as it is: the pictures, and the newest files that fit a request."""
    found: dict[str, str] = {}
    left_bytes = MAX_FILE_BYTES
    for part in (part for message in reversed(messages) for part in reversed(message.parts)):
        if not isinstance(part, Image | File) or part.blob.sha256 in found or not _goes_whole(part, profile):
            continue
        if isinstance(part, File):
            if part.blob.size_bytes > left_bytes:
                continue
            left_bytes -= part.blob.size_bytes
        found[part.blob.sha256] = await asyncio.to_thread(data_url, await blobs.read(part.blob), part.blob)
    return found


def data_url(data: bytes, blob: Blob) -> str:
    """The bytes in a URL."""
    return f"data:{blob.mime_type};base64,{base64.b64encode(data).decode()}"


def _goes_whole(part: Part, profile: ModelProfile) -> bool:
    if isinstance(part, Image):
        return profile.sees_images and part.blob.mime_type in SEEN
    if isinstance(part, File):
        return profile.reads_files and part.blob.mime_type in READ and not part.as_text
    return False


def _user_pieces(message: Message, loaded: Mapping[str, str], whole: tuple[type[Part], ...]) -> list[Part | str]:
    """What a person said: words, with marks of who speaks and what is foreign, around the parts that go as they are.

    whole: the kinds of parts that may.
    """
    before, after = frame(message)
    pieces: list[Part | str] = []
    for part in message.parts:
        if isinstance(part, whole) and _is_loaded(part, loaded):
            pieces.append(part)
        elif words := words_of(part):
            last = pieces.pop() if pieces and isinstance(pieces[-1], str) else ""
            pieces.append(f"{last}\n\n{words}" if last else words)
    if before and pieces:
        pieces[:1] = [f"{before}\n{pieces[0]}"] if isinstance(pieces[0], str) else [before, pieces[0]]
    if after and pieces:
        pieces[-1:] = [f"{pieces[-1]}\n{after}"] if isinstance(pieces[-1], str) else [pieces[-1], after]
    return pieces


def _is_loaded(part: Part, loaded: Mapping[str, str]) -> bool:
    return (
        isinstance(part, Image | File) and part.blob.sha256 in loaded and not (isinstance(part, File) and part.as_text)
    )


# --- Responses -------------------------------------------------------------------------------------------------------


def responses_input(messages: Sequence[Message], loaded: Mapping[str, str]) -> tuple[str, list[Json]]:
    """The instructions and the input items."""
    instructions: list[str] = []
    items: list[Json] = []
    for message in messages:
        match message.role:
            case "system" if not items:
                instructions.append(_instructions(message))
            case "system":
                items.append({"type": "message", "role": "developer", "content": _instructions(message)})
            case "user":
                content = [_input_part(piece, loaded) for piece in _user_pieces(message, loaded, (Image, File))]
                items.append({"type": "message", "role": "user", "content": content or [NOTHING]})
            case "assistant":
                items += _assistant_items(message)
            case "tool":
                items += [_result_item(part) for part in message.parts if isinstance(part, ToolResult)]
    return "\n\n".join(instructions), items


def _instructions(message: Message) -> str:
    """What the system says: the only text in which marks are not escaped."""
    return "\n\n".join(part.text for part in message.parts if isinstance(part, Text) and part.text)


def _joined(parts: Sequence[Part]) -> str:
    return "\n\n".join(filter(None, map(words_of, parts)))


def _input_part(piece: Part | str, loaded: Mapping[str, str]) -> Json:
    match piece:
        case Image():
            return {"type": "input_image", "image_url": loaded[piece.blob.sha256], "detail": "auto"}
        case File():
            name = clean_name(piece.name) or "file.pdf"
            return {"type": "input_file", "filename": name, "file_data": loaded[piece.blob.sha256]}
    return {"type": "input_text", "text": str(piece)}


def _assistant_items(message: Message) -> list[Json]:
    """Words, then tool calls, each with what its provider put before it."""
    items: list[Json] = []
    words = _joined([part for part in message.parts if not isinstance(part, ToolCall)])
    if words:
        items.append({"type": "message", "role": "assistant", "content": words})
    for part in message.parts:
        if isinstance(part, ToolCall):
            items += list(part.provider_metadata.get("before", ()))
            items.append(
                {
                    "type": "function_call",
                    "call_id": part.id,
                    "name": part.name,
                    "arguments": json.dumps(dict(part.arguments)),
                }
            )
    return items


def aside(item: Any) -> Json:
    """What a model said on the way to a tool call, as it goes back."""
    content = [
        {"type": "output_text", "text": part.text, "annotations": []}
        for part in item.content
        if part.type == "output_text"
    ]
    head = {"id": item.id, "type": "message", "role": "assistant", "status": "completed", "phase": "commentary"}
    return {**head, "content": content}


def _result_item(result: ToolResult) -> Json:
    return {"type": "function_call_output", "call_id": result.call_id, "output": escaped(result.text)}


def responses_tools(tools: Sequence[Tool]) -> list[Json]:
    """Functions in the flat form."""
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.summary,
            "parameters": dict(tool.parameters),
            "strict": True,
        }
        for tool in tools
    ]


# --- Chat Completions ------------------------------------------------------------------------------------------------


def chat_messages(messages: Sequence[Message], loaded: Mapping[str, str]) -> list[Json]:
    """The messages in the nested form."""
    made: list[Json] = []
    for message in messages:
        match message.role:
            case "tool":
                results = [part for part in message.parts if isinstance(part, ToolResult)]
                made += [{"role": "tool", "tool_call_id": one.call_id, "content": escaped(one.text)} for one in results]
            case "assistant":
                made.append(_chat_assistant(message))
            case "user":
                made.append({"role": "user", "content": _chat_content(message, loaded)})
            case "system":
                made.append({"role": "system", "content": _instructions(message)})
    return made


def _chat_content(message: Message, loaded: Mapping[str, str]) -> str | list[Json]:
    """Plain words where there are only words: every server takes those."""
    if not any(isinstance(part, Image) and part.blob.sha256 in loaded for part in message.parts):
        return framed(message, [words_of(part) for part in message.parts])
    return [_chat_part(piece, loaded) for piece in _user_pieces(message, loaded, (Image,))]


def _chat_part(piece: Part | str, loaded: Mapping[str, str]) -> Json:
    if isinstance(piece, Image):
        return {"type": "image_url", "image_url": {"url": loaded[piece.blob.sha256]}}
    return {"type": "text", "text": str(piece)}


def _chat_assistant(message: Message) -> Json:
    words = _joined([part for part in message.parts if not isinstance(part, ToolCall)])
    calls = [
        {
            "id": part.id,
            "type": "function",
            "function": {"name": part.name, "arguments": json.dumps(dict(part.arguments))},
        }
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    return {
        "role": "assistant",
        "content": words or (None if calls else ""),
        **({"tool_calls": calls} if calls else {}),
    }


def chat_tools(tools: Sequence[Tool], *, strict: bool) -> list[Json]:
    """Functions in the nested form; strict: for servers that know the word."""
    extra = {"strict": True} if strict else {}
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.summary,
                "parameters": dict(tool.parameters),
                **extra,
            },
        }
        for tool in tools
    ]


def arguments(text: str) -> Json:
    """A call's arguments; JSON that is broken, long or deep gives none, and the tool then says what it lacks."""
    if len(text) > MAX_ARGUMENTS:
        return {}
    try:
        made = json.loads(text or "{}")
    except (ValueError, RecursionError):  # a number of 5,000 digits, too, is a ValueError
        return {}
    return made if isinstance(made, dict) and _is_flat(made) else {}


def _is_flat(made: Json) -> bool:
    """Whether it is no deeper than what is kept and sent back can be, for that is walked call by call."""
    level: list[Any] = [made]
    for _ in range(MAX_DEPTH):
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return True
    return False
