"""Text and reasoning by the Responses API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Literal

from bot.errors import BotError, OverloadedError, RejectedError
from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.providers.openai import wire
from bot.providers.openai.chat import CompletionsModel
from bot.providers.openai.client import BROKE_OFF, Connection, cut, events_of
from bot.providers.openai.errors import FILTERED, failed, ours
from bot.providers.openai.profiles import chat_profile
from bot.providers.openai.settings import fitting, learn, wants_completions
from bot.types import GrowingText, TextDelta, ToolCall, Usage

REASONING = "reasoning.encrypted_content"
LEAST_TOKENS = 16
"""Create response: `max_output_tokens` is at least this."""


class ResponsesModel:
    """A chat model of OpenAI. What Responses lacks (penalties, stop sequences) goes by Chat Completions where the model can."""

    def __init__(self, model: str, connection: Connection) -> None:
        self.profile = chat_profile(model, responses=True, refused=connection.refused.get(model, ()))
        self._model = model
        self._connection = connection

    async def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """The answer as it comes. Raises a ProviderError; CutOffError when text had come."""
        if wants_completions(self._model, request.settings, tools=bool(request.tools)):
            source: Any = CompletionsModel(self._model, self._connection).stream(request)
        else:
            source = self._stream(request)
        async with aclosing(source) as events:
            async for event in events:
                yield event

    async def _stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        stream, notices = await self._open(request)
        answer = _Answer(notices)
        patience_s = self._connection.patience_s(request.settings.effort)
        try:
            async with aclosing(events_of(stream, patience_s)) as events:  # type: ignore[type-var]
                async for event in events:
                    for made in answer.take(event):
                        yield made
        except BotError as error:
            raise cut(error, answer.said.text) from error
        if answer.done is None:
            raise cut(OverloadedError(BROKE_OFF, detail="the stream ended without an end"), answer.said.text)
        yield answer.done

    async def _open(self, request: ChatRequest) -> tuple[Any, tuple[str, ...]]:
        """The stream; a setting that the server turns down is left out, remembered, and told."""
        lasting = self._connection.refused.setdefault(self._model, set())
        dropped: set[str] = set()
        while True:
            body, notices = await self._body(request, lasting | dropped)
            try:
                with ours():
                    return await self._create(body, request.settings.effort), notices
            except RejectedError as error:
                if not learn(error, request.settings, dropped, lasting):
                    raise

    async def _create(self, body: dict[str, Any], effort: str | None) -> Any:
        timeout = self._connection.timeout(effort)
        return await self._connection.client.responses.create(**body, stream=True, timeout=timeout)

    async def _body(self, request: ChatRequest, refused: set[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        model = await self._connection.model(self._model)
        loaded = await wire.load(request.messages, self.profile, request.blobs)
        instructions, items = wire.responses_input(request.messages, loaded)
        kept, notices = fitting(model, request.settings, refused, completions=False)
        body: dict[str, Any] = {"model": model, "input": items, "store": False}
        optional = {
            "instructions": instructions,
            "tools": wire.responses_tools(request.tools),
            "safety_identifier": request.person,
            "prompt_cache_key": request.conversation,
            "include": [REASONING] if self.profile.efforts and kept.get("effort") != "none" else None,
            "max_output_tokens": max(kept["max_tokens"], LEAST_TOKENS) if "max_tokens" in kept else None,
            "temperature": kept.get("temperature"),
            "top_p": kept.get("top_p"),
            "reasoning": {"effort": kept["effort"]} if "effort" in kept else None,
            "text": {"verbosity": kept["verbosity"]} if "verbosity" in kept else None,
        }
        return body | {name: value for name, value in optional.items() if value not in (None, "", [])}, notices


class _Answer:
    """What a stream's events add up to."""

    def __init__(self, notices: tuple[str, ...]) -> None:
        self.said = GrowingText()
        self.done: ModelDone | None = None
        self._notices = notices
        self._before: list[dict[str, Any]] = []
        self._called = self._refused = False
        self._asides: set[str] = set()

    def take(self, event: Any) -> list[ModelEvent]:
        """The events of ours that one of the server makes; raises a ProviderError for one that tells of a failure."""
        match event.type:
            case "response.output_item.added" if getattr(event.item, "phase", None) == "commentary":
                self._asides.add(event.item.id)
            case "response.output_text.delta" | "response.refusal.delta":
                self._refused = self._refused or event.type == "response.refusal.delta"
                return self._text(event)
            case "response.output_item.done":
                return self._item(event.item)
            case "response.completed" | "response.incomplete":
                self._end(event.response)
            case "response.failed":
                error = event.response.error
                raise failed(str(getattr(error, "code", "")), str(getattr(error, "message", "")))
            case "error":
                raise failed(str(event.code or ""), event.message)
        return []

    def _text(self, event: Any) -> list[ModelEvent]:
        if getattr(event, "item_id", "") in self._asides:
            return []
        self.said.add(event.delta)
        return [TextDelta(event.delta)]

    def _item(self, item: Any) -> list[ModelEvent]:
        if item.type == "reasoning":
            self._before.append(item.model_dump(exclude_none=True, mode="json", exclude={"status"}))
        if item.type == "message" and item.id in self._asides:
            self._before.append(wire.aside(item))
        if item.type != "function_call":
            return []
        self._called = True
        before, self._before = self._before, []
        return [ToolCall(item.call_id, item.name, wire.arguments(item.arguments), {"before": before} if before else {})]

    def _end(self, response: Any) -> None:
        finish: Literal["stop", "length", "tools", "refused"] = "tools" if self._called else "stop"
        reason = getattr(response.incomplete_details, "reason", None)
        if reason == "max_output_tokens":
            finish = "length"
        elif reason == "content_filter" or self._refused:
            finish = "refused"
        if reason == "content_filter" and self.said.text.strip():
            self._notices += (FILTERED,)
        self.done = ModelDone(usage_of(response.usage), finish, self._notices, response.id or "")


def usage_of(usage: Any) -> Usage:
    """A server's usage, as far as it tells."""
    if usage is None:
        return Usage(is_estimate=True)
    details = getattr(usage, "input_tokens_details", None)
    thought = getattr(usage, "output_tokens_details", None)
    return Usage(
        input_tokens=usage.input_tokens or 0,
        cached_tokens=getattr(details, "cached_tokens", 0) or 0,
        cache_write_tokens=getattr(details, "cache_write_tokens", 0) or 0,
        output_tokens=usage.output_tokens or 0,
        reasoning_tokens=getattr(thought, "reasoning_tokens", 0) or 0,
    )
