"""Echo's chat model: says back the last message of the user, a word at a time.

The words of a person may hold directives, so that a test can steer a whole turn from outside:

    [[say TEXT]]               answers exactly TEXT           [[long N]]             answers with N words
    [[tool NAME {"a": 1}]]     calls a tool, then tells what it gave back; several are called together
    [[fail CODE]]              raises the error of that code; `[[fail overloaded 2]]` with Retry-After, `[[fail overloaded once]]`
    [[cut after N words]]      breaks off                     [[slow S]]             a word every S seconds
    [[empty]]                  answers nothing                [[length]]             stops half way, at its length limit
    [[refuse]]                 ends as refused
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeAlias

from bot.errors import CutOffError, RejectedError, UnreadableError
from bot.ports import Blobs, ChatRequest, ModelDone, ModelEvent
from bot.providers.echo.script import DIRECTIVE, Script, Scripted, directives, number, without_directives
from bot.types import (
    Audio,
    File,
    Image,
    Message,
    ModelProfile,
    Part,
    Quoted,
    Text,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
)

SETTINGS = frozenset(
    {"temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty", "stop", "effort", "verbosity"}
)
IMAGE_TOKENS = 100
Finish: TypeAlias = Literal["stop", "length", "tools", "refused"]


class EchoChat:
    """A chat model that needs no weights."""

    def __init__(self, model: str, script: Script) -> None:
        able = model != "echo-blind"
        self._script = script
        self._model = model
        self.profile = ModelProfile(
            name=f"echo:{model}",
            context_tokens=8_192,
            output_tokens=4_096,
            sees_images=able,
            reads_files=able,
            calls_tools=able,
            settings=SETTINGS,
            efforts=("low", "medium", "high"),
            is_local=True,
        )

    async def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """The scripted answer if one is laid ready, otherwise what the last user message asks for."""
        self._script.note("chat", self._model, request)
        scripted = self._script.next("chat")
        events = self._answer(request) if scripted is None else _played(scripted, request)
        async with aclosing(events):
            async for event in events:
                yield event

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        asked, results = _last_exchange(request.messages)
        text = _text(asked)
        self._script.fail_as_told(text)
        calls = [] if results or not self.profile.calls_tools else list(_tool_calls(text))
        for call in calls:
            yield call
        if calls:
            yield ModelDone(_usage(request, len(calls)), "tools")
            return
        told = directives(text)
        words, finish = _shortened(_words(await self._say(request, asked, results, told)), request, told)
        loop, pace_s = asyncio.get_running_loop(), number(told["slow"], 0.05) if "slow" in told else 0.0
        began = loop.time()  # a model's pace does not wait for its reader
        for position, word in enumerate(words):
            if "cut" in told and position >= number(told["cut"], 0):
                raise CutOffError("The answer broke off in the middle.", partial="".join(words[:position]))
            await asyncio.sleep(max(began + (position + 1) * pace_s - loop.time(), 0))
            yield TextDelta(word)
        yield ModelDone(_usage(request, len(words)), finish)

    async def _say(
        self, request: ChatRequest, asked: Message | None, results: Sequence[ToolResult], told: dict[str, str]
    ) -> str:
        if "empty" in told:
            return ""
        if "say" in told:
            return told["say"]
        if "long" in told:
            return " ".join(f"word{position}" for position in range(int(number(told["long"], 100))))
        lines = [f"You said: {without_directives(_text(asked)) or 'nothing'}"]
        for part in asked.parts if asked else ():
            lines += await _described(part, self.profile, request.blobs)
        lines += [f"The tool {'failed' if result.is_error else 'said'}: {result.text}" for result in results]
        if earlier := sum(message.role in ("user", "assistant") for message in request.messages) - 1 - _rounds(request):
            lines.append(f"Messages before: {earlier}")
        return "\n\n".join(lines)


async def _played(items: Sequence[Scripted], request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
    """Stream what a test has laid ready."""
    spoken = 0
    for item in items:
        match item:
            case str():
                spoken += len(item.split())
                yield TextDelta(item)
            case asyncio.Event():
                await item.wait()
            case Exception():
                raise item
            case TextDelta() | ToolCall() | ModelDone():
                yield item
    if not items or not isinstance(items[-1], ModelDone):
        calls = any(isinstance(item, ToolCall) for item in items)
        yield ModelDone(_usage(request, spoken), "tools" if calls else "stop")


def _last_exchange(messages: Sequence[Message]) -> tuple[Message | None, list[ToolResult]]:
    """The last user message, and the tool results that came after it."""
    results: list[ToolResult] = []
    for message in reversed(messages):
        if message.role == "user":
            return message, results
        results = [part for part in message.parts if isinstance(part, ToolResult)] + results
    return None, results


def _rounds(request: ChatRequest) -> int:
    """How many messages of the model itself stand after the last user message: its tool calls."""
    after = itertools.takewhile(lambda message: message.role != "user", reversed(request.messages))
    return sum(message.role == "assistant" for message in after)


def _text(message: Message | None) -> str:
    parts = message.parts if message else ()
    return "\n".join(part.text for part in parts if isinstance(part, Text)).strip()


def _tool_calls(text: str) -> Iterator[ToolCall]:
    for position, found in enumerate(DIRECTIVE.finditer(text), start=1):
        if found["name"] == "tool":
            name, _, arguments = (found["rest"] or "").partition(" ")
            yield ToolCall(f"call_{position}", name, _object(arguments))


def _object(arguments: str) -> dict[str, Any]:
    try:
        found = json.loads(arguments or "{}")
    except ValueError as error:
        raise RejectedError(f"Echo cannot read the arguments {arguments!r}: {error}.") from error
    return found if isinstance(found, dict) else {"value": found}


async def _described(part: Part, profile: ModelProfile, blobs: Blobs) -> list[str]:
    """One line about an attachment; its bytes are read, as a real model's wire would."""
    match part:
        case Image() if profile.sees_images:
            return [f"I see {part.name or 'a picture'} ({await _measure(part.blob.mime_type, part, blobs)})."]
        case File() if profile.reads_files:
            return [f"I read {part.name or 'a file'} ({await _measure(part.blob.mime_type, part, blobs)})."]
        case Image():
            return [f"A picture I cannot see, {part.name or 'unnamed'}, reads: {part.text or 'nothing'}"]
        case File():
            return [f"A file, {part.name or 'unnamed'}, reads: {part.text or 'nothing'}"]
        case Audio():
            return [f"I heard: {part.transcript or 'nothing'}"]
        case Quoted():
            return ["\n".join(f"> {line}" for line in part.text.splitlines())]
    return []


async def _measure(mime_type: str, part: Image | File, blobs: Blobs) -> str:
    data = await blobs.read(part.blob)
    if not data:
        raise UnreadableError(f"{part.name or 'The attachment'} is empty.")
    size = f", {part.width}x{part.height}" if isinstance(part, Image) and part.width else ""
    return f"{mime_type}{size}, {len(data)} bytes"


def _words(text: str) -> list[str]:
    """Pieces that join to the text, each ending after its white space."""
    return re.findall(r"^\s+|\S+\s*", text)


def _shortened(words: list[str], request: ChatRequest, told: dict[str, str]) -> tuple[list[str], Finish]:
    """The words up to a stop sequence, the length limit, or half way if told so; and why they end."""
    if "refuse" in told:
        return words, "refused"
    settings = request.settings
    text = "".join(words)
    ends = [found for mark in settings.stop or () if mark and (found := text.find(mark)) >= 0]
    words = _words(text[: min(ends)]) if ends else words
    if "length" in told:
        return words[: len(words) // 2], "length"
    if settings.max_tokens is not None and len(words) > settings.max_tokens:
        return words[: settings.max_tokens], "length"
    return words, "stop"


def _usage(request: ChatRequest, output_tokens: int) -> Usage:
    """A token a word, 100 a picture."""
    parts = [part for message in request.messages for part in message.parts]
    pictures = IMAGE_TOKENS * sum(isinstance(part, Image) for part in parts)
    words = sum(len(_readable(part).split()) for part in parts)
    return Usage(input_tokens=words + pictures, output_tokens=output_tokens, input_image_tokens=pictures)


def _readable(part: Part) -> str:
    match part:
        case Audio():
            return part.transcript
        case ToolCall():
            return json.dumps(dict(part.arguments))
        case Text() | Image() | File() | ToolResult() | Quoted():
            return part.text
    return ""
