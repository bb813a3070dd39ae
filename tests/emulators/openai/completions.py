"""The chunks of a Chat Completions stream, and the completion that they add up to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.emulators.openai.minds import tokens
from tests.emulators.openai.responses import new_id
from tests.emulators.openai.script import Answer

Json = dict[str, Any]
FINISH = {"completed": "stop", "max_output_tokens": "length", "content_filter": "content_filter"}


class CompletionMaker:
    """Makes the chunks of one completion."""

    def __init__(self, body: Json, answer: Answer, effort: str | None) -> None:
        self._body = body
        self._answer = answer
        self._thought = 8 if effort not in (None, "none") else 0
        self._head = {"id": new_id("chatcmpl"), "created": int(time.time()), "model": body["model"]}
        self._text, self._finish = self._limited()

    def _limited(self) -> tuple[str, str]:
        stop = self._body.get("stop") or []
        text = self._answer.text
        for sequence in [stop] if isinstance(stop, str) else stop:
            text = text.partition(sequence)[0]
        limit = self._body.get("max_completion_tokens") or self._body.get("max_tokens")
        pieces = tokens(text)
        if limit is not None and len(pieces) > limit:
            return "".join(pieces[:limit]), "length"
        return text, "tool_calls" if self._answer.calls else FINISH[self._answer.end]

    def events(self) -> Iterator[Json]:
        """All chunks, in order."""
        yield self._chunk({"role": "assistant", "content": ""})
        for piece in tokens(self._text):
            yield self._chunk({"content": piece})
        if self._answer.refusal:
            yield self._chunk({"refusal": self._answer.refusal})
        for at, call in enumerate(self._calls()):
            function = call["function"]
            yield self._chunk(
                {"tool_calls": [{**call, "index": at, "function": {"name": function["name"], "arguments": ""}}]}
            )
            half = len(function["arguments"]) // 2
            for piece in (function["arguments"][:half], function["arguments"][half:]):
                yield self._chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
        yield self._chunk({}, self._finish)
        if (self._body.get("stream_options") or {}).get("include_usage"):
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage()}

    def _calls(self) -> list[Json]:
        return [
            {
                "id": new_id("call"),
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
            }
            for call in self._answer.calls
        ]

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice], "usage": None}

    def _usage(self) -> Json:
        asked, said = len(json.dumps(self._body["messages"])) // 4 + 1, len(tokens(self._text)) + self._thought
        return {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
            "prompt_tokens_details": {"cached_tokens": asked // 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self._thought, "audio_tokens": 0},
        }

    @property
    def completion(self) -> Json:
        """The whole, for a call that does not stream."""
        message: Json = {"role": "assistant", "content": self._text or None, "refusal": self._answer.refusal or None}
        if self._answer.calls:
            message["tool_calls"] = self._calls()
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage()}

    def failed(self, code: str) -> Json:
        """The line that ends a stream in failure."""
        return {"error": {"message": "The model failed.", "type": code, "param": None, "code": code}}

    error = failed
