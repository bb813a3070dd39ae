"""Text by Chat Completions: for compatible servers, and for penalties and stop sequences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.errors import BotError, OverloadedError, RejectedError
from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.providers.openai import wire
from bot.providers.openai.client import BROKE_OFF, Connection, cut, events_of
from bot.providers.openai.errors import FILTERED, is_lasting, ours, parameter
from bot.providers.openai.profiles import chat_profile, family
from bot.providers.openai.settings import fitting, learn
from bot.types import GrowingText, TextDelta, ToolCall, Usage

OPTIONAL = ("stream_options", "safety_identifier", "prompt_cache_key", "max_completion_tokens", "tools")
"""Parameters that a server may not know: left out when it says so, or called `max_tokens` as they once were."""
MAX_CALLS, MAX_NAME = 128, 200
"""Calls in one answer, and characters of a tool's name; what comes beyond is dropped. Source: OpenAI, Chat Completions, `tools`."""
FINISH: dict[str, Literal["stop", "length", "tools", "refused"]] = {
    "length": "length",
    "tool_calls": "tools",
    "function_call": "tools",
    "content_filter": "refused",
}


class CompletionsModel:
    """A chat model of any server that speaks Chat Completions."""

    def __init__(self, model: str, connection: Connection) -> None:
        self.profile = chat_profile(model, responses=False, refused=connection.refused.get(model, ()))
        self._model = model
        self._connection = connection

    async def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """The answer as it comes. Raises a ProviderError; CutOffError when text had come."""
        stream, notices = await self._open(request)
        answer = _Answer()
        patience_s = self._connection.patience_s(request.settings.effort)
        try:
            async with aclosing(events_of(stream, patience_s)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    if text := answer.take(chunk):
                        yield TextDelta(text)
        except BotError as error:
            raise cut(error, answer.said.text) from error
        if not answer.finish:
            raise cut(OverloadedError(BROKE_OFF, detail="the stream ended without a finish reason"), answer.said.text)
        for call in answer.calls():
            yield call
        finish = "tools" if answer.has_calls else FINISH.get(answer.finish, "stop")
        filtered = (FILTERED,) if answer.finish == "content_filter" and answer.said.text.strip() else ()
        yield ModelDone(answer.usage, finish, (*notices, *filtered), answer.id)

    async def _open(self, request: ChatRequest) -> tuple[Any, tuple[str, ...]]:
        lasting = self._connection.refused.setdefault(self._model, set())
        dropped: set[str] = set()
        while True:
            body, notices = await self._body(request, lasting | dropped)
            try:
                with ours():
                    return await self._create(body, request.settings.effort), notices
            except RejectedError as error:
                if not _spared(error, body, lasting) and not learn(error, request.settings, dropped, lasting):
                    raise

    async def _create(self, body: dict[str, Any], effort: str | None) -> Any:
        timeout = self._connection.timeout(effort)
        return await self._connection.client.chat.completions.create(**body, stream=True, timeout=timeout)

    async def _body(self, request: ChatRequest, refused: set[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        model = await self._connection.model(self._model)
        loaded = await wire.load(request.messages, self.profile, request.blobs)
        kept, notices = fitting(model, request.settings, refused, completions=True)
        if request.tools and (facts := family(model)) is not None and facts.chat_tools == "none":
            kept["effort"] = "none"
        length = "max_tokens" if "max_completion_tokens" in refused else "max_completion_tokens"
        optional = {
            "stream_options": {"include_usage": True},
            "tools": wire.chat_tools(request.tools, strict=family(model) is not None),
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


def _spared(error: RejectedError, body: dict[str, Any], lasting: set[str]) -> bool:
    """Whether the server turned down something that it can do without, by parameter or in words; noted for good."""
    named = parameter(error)
    found = named if named in OPTIONAL else next((one for one in OPTIONAL if one in error.detail), "")
    if not is_lasting(error) or not found or found not in body or found in lasting:
        return False
    lasting.add(found)
    return True


class _Answer:
    """What a stream's chunks add up to."""

    def __init__(self) -> None:
        self.said = GrowingText()
        self.finish = self.id = ""
        self.usage = Usage(is_estimate=True)
        self._calls: dict[int, _Call] = {}
        self._index_of: dict[str, int] = {}
        """Of each id."""

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
        if choice.delta is None:
            return ""  # some servers end so
        for call in choice.delta.tool_calls or ():
            self._take_call(call)
        text = choice.delta.content or getattr(choice.delta, "refusal", None) or ""
        self.said.add(text)
        return text

    def _take_call(self, call: Any) -> None:
        """Some servers send calls without an index, and some their whole name in each piece."""
        made = self._begun_call(getattr(call, "index", None), call.id or "")
        if made is None or not call.function:
            return
        if call.function.name and call.function.name != made.name:
            made.name = (made.name + call.function.name)[:MAX_NAME]
        if len(made.arguments) <= wire.MAX_ARGUMENTS:
            made.arguments.add(call.function.arguments or "")

    def _begun_call(self, index: int | None, id: str) -> _Call | None:
        """The call that a piece goes on with: of its index, else of its id, else the last one; or a new one.

        None when that would be one too many.
        """
        if index is None:
            begun = self._index_of.get(id) if id else None
            index = begun if begun is not None else len(self._calls) - (not id and bool(self._calls))
        elif id and index in self._calls and self._calls[index].id not in ("", id):
            index = self._index_of.get(id, max(self._calls) + 1 if len(self._calls) < MAX_CALLS else -1)
        if index not in self._calls and len(self._calls) >= MAX_CALLS:
            return None
        made = self._calls.setdefault(index, _Call())
        made.id = made.id or id
        self._index_of.setdefault(made.id, index)
        return made

    def calls(self) -> list[ToolCall]:
        """The tools asked for, in order."""
        made = ((at, self._calls[at]) for at in sorted(self._calls))
        return [ToolCall(one.id or f"call-{at}", one.name, wire.arguments(one.arguments.text)) for at, one in made]


@dataclass
class _Call:
    """A tool call as it comes."""

    id: str = ""
    name: str = ""
    arguments: GrowingText = field(default_factory=GrowingText)


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
