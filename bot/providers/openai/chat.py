"""Text by Chat Completions: for compatible servers, and for penalties and stop sequences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

from bot.errors import BotError, CutOffError, OverloadedError, RejectedError
from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.providers.openai import wire
from bot.providers.openai.client import Connection
from bot.providers.openai.errors import ours, parameter, translate
from bot.providers.openai.profiles import chat_profile, family
from bot.providers.openai.settings import fitting, our_name
from bot.types import TextDelta, ToolCall, Usage

BROKE_OFF = "The answer broke off in the middle. Please try again."
OPTIONAL = ("stream_options", "safety_identifier", "prompt_cache_key", "tools")
"""Parameters that a compatible server may not know: left out when it says so."""
FINISH: dict[str, Literal["stop", "length", "tools", "refused"]] = {
    "length": "length",
    "tool_calls": "tools",
    "function_call": "tools",
    "content_filter": "refused",
}


class CompletionsModel:
    """A chat model of any server that speaks Chat Completions."""

    def __init__(self, model: str, connection: Connection) -> None:
        self.profile = chat_profile(model, responses=False)
        self._model = model
        self._connection = connection

    async def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """The answer as it comes. Raises a ProviderError; CutOffError when text had come."""
        stream, notices = await self._open(request)
        answer = _Answer()
        try:
            while True:
                try:
                    async with asyncio.timeout(self._connection.timeout_s):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    break
                if text := answer.take(chunk):
                    yield TextDelta(text)
        except BotError as error:
            raise _cut(error, answer.text) from error
        except Exception as error:  # whatever breaks a stream, its reader is told by one of our errors
            raise _cut(translate(error), answer.text) from error
        finally:
            await stream.close()
        if not answer.finish:
            raise _cut(OverloadedError(BROKE_OFF, detail="the stream ended without a finish reason"), answer.text)
        for call in answer.calls():
            yield call
        finish = "tools" if answer.has_calls else FINISH.get(answer.finish, "stop")
        yield ModelDone(answer.usage, finish, notices, answer.id)

    async def _open(self, request: ChatRequest) -> tuple[Any, tuple[str, ...]]:
        refused = self._connection.refused.setdefault(self._model, set())
        while True:
            body, notices = await self._body(request, refused)
            try:
                with ours():
                    return await self._connection.client.chat.completions.create(**body, stream=True), notices
            except RejectedError as error:
                if not self._learn(error, body, refused):
                    raise

    def _learn(self, error: RejectedError, body: dict[str, Any], refused: set[str]) -> bool:
        """Whether something can be left out and the call be made again."""
        name = parameter(error)
        told = next((one for one in (*OPTIONAL, "max_completion_tokens") if one in error.detail), "")
        for found in (name, told):
            key = our_name(found) if our_name(found) and found != "max_completion_tokens" else found
            is_spare = found in OPTIONAL or found == "max_completion_tokens" or bool(our_name(found))
            if is_spare and key not in refused and found in body:
                refused.add(key)
                return True
        return False

    async def _body(self, request: ChatRequest, refused: set[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        model = await self._connection.model(self._model)
        loaded = await wire.load(request.messages, self.profile, request.blobs)
        kept, notices = fitting(model, request.settings, refused, completions=True)
        if request.tools and (facts := family(model)) is not None and facts.chat_tools == "none":
            kept["effort"] = "none"
        length = "max_tokens" if "max_completion_tokens" in refused else "max_completion_tokens"
        optional = {
            "stream_options": {"include_usage": True},
            "tools": wire.chat_tools(request.tools),
            "safety_identifier": request.person if family(model) else "",
            "prompt_cache_key": request.conversation if family(model) else "",
            length: kept.pop("max_tokens", None),
            "reasoning_effort": kept.pop("effort", None),
            "stop": list(kept.pop("stop", ())),
            **kept,
        }
        body: dict[str, Any] = {"model": model, "messages": wire.chat_messages(request.messages, loaded)}
        sent = {name: value for name, value in optional.items() if value not in (None, "", []) and name not in refused}
        return body | sent, notices


def _cut(error: BotError, text: str) -> BotError:
    if not text:
        return error
    return CutOffError(BROKE_OFF, partial=text, retry_after_s=error.retry_after_s, detail=error.detail or error.text)


class _Answer:
    """What a stream's chunks add up to."""

    def __init__(self) -> None:
        self.text = self.finish = self.id = ""
        self.usage = Usage(is_estimate=True)
        self._calls: dict[int, dict[str, str]] = {}

    @property
    def has_calls(self) -> bool:
        """Whether tools were asked for."""
        return bool(self._calls)

    def take(self, chunk: Any) -> str:
        """The text that a chunk adds."""
        self.id = chunk.id or self.id
        if chunk.usage:
            self.usage = usage_of(chunk.usage)
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self.finish = choice.finish_reason or self.finish
        for call in choice.delta.tool_calls or ():
            made = self._calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
            made["id"] = call.id or made["id"]
            if call.function:
                made["name"] += call.function.name or ""
                made["arguments"] += call.function.arguments or ""
        text = choice.delta.content or getattr(choice.delta, "refusal", None) or ""
        self.text += text
        return text

    def calls(self) -> list[ToolCall]:
        """The tools asked for, in order."""
        made = (self._calls[index] for index in sorted(self._calls))
        return [
            ToolCall(one["id"] or f"call-{one['name']}", one["name"], wire.arguments(one["arguments"])) for one in made
        ]


def usage_of(usage: Any) -> Usage:
    """A server's usage, as far as it tells."""
    details = getattr(usage, "prompt_tokens_details", None)
    thought = getattr(usage, "completion_tokens_details", None)
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        cached_tokens=getattr(details, "cached_tokens", 0) or 0,
        output_tokens=usage.completion_tokens or 0,
        reasoning_tokens=getattr(thought, "reasoning_tokens", 0) or 0,
    )
