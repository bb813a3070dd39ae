"""The events of a Responses stream, and the response that they add up to."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

from tests.emulators.openai.minds import tokens
from tests.emulators.openai.script import Answer, Call

Json = dict[str, Any]
_numbers = itertools.count(1)


def new_id(kind: str) -> str:
    """An id that no other thing of this process has."""
    return f"{kind}_{next(_numbers):012d}"


class ResponseMaker:
    """Makes the events of one response. `response` is the whole after the last of them."""

    def __init__(self, body: Json, answer: Answer, effort: str | None) -> None:
        self._body, self._answer = body, answer
        self._thinks = effort not in (None, "none")
        self._is_sealed = "reasoning.encrypted_content" in (body.get("include") or ())
        self._sequence = itertools.count()
        self._spoken = 0
        self.response = self._empty(effort)

    def _empty(self, effort: str | None) -> Json:
        body = self._body
        return {
            "id": new_id("resp"),
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "metadata": {},
            "model": body["model"],
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": effort, "summary": None},
            "store": body.get("store", True),
            "temperature": body.get("temperature", 1.0),
            "text": {"format": {"type": "text"}, "verbosity": (body.get("text") or {}).get("verbosity", "medium")},
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools", []),
            "top_p": body.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": None,
        }

    def _event(self, kind: str, **fields: Any) -> Json:
        return {"type": kind, "sequence_number": next(self._sequence), **fields}

    def events(self) -> Iterator[Json]:
        """All events, in order."""
        yield self._event("response.created", response=self._now())
        yield self._event("response.in_progress", response=self._now())
        if self._thinks:
            yield from self._reasoning()
        if self._answer.commentary:
            yield from self._message(self._answer.commentary, "commentary")
        if self._answer.text or not (self._answer.calls or self._answer.refusal):
            yield from self._message(self._limited(self._answer.text), "final_answer")
        if self._answer.refusal:
            yield from self._refusal(self._answer.refusal)
        for call in self._answer.calls:
            yield from self._call(call)
        yield self._end()

    def _now(self) -> Json:
        return {**self.response, "output": list(self.response["output"])}

    def _limited(self, text: str) -> str:
        limit = self._body.get("max_output_tokens")
        pieces = tokens(text)
        if limit is None or len(pieces) <= limit:
            return text
        self._answer = Answer(end="max_output_tokens")
        return "".join(pieces[:limit])

    def _reasoning(self) -> Iterator[Json]:
        item: Json = {"id": new_id("rs"), "type": "reasoning", "summary": []}
        if self._is_sealed:
            item["encrypted_content"] = f"sealed-{item['id']}"
        yield from self._whole(item)

    def _whole(self, item: Json) -> Iterator[Json]:
        at = len(self.response["output"])
        yield self._event("response.output_item.added", output_index=at, item=item)
        yield self._event("response.output_item.done", output_index=at, item=item)
        self.response["output"].append(item)

    def _message(self, text: str, phase: str) -> Iterator[Json]:
        at = len(self.response["output"])
        item: Json = {"id": new_id("msg"), "type": "message", "role": "assistant", "phase": phase}
        yield self._event(
            "response.output_item.added", output_index=at, item={**item, "status": "in_progress", "content": []}
        )
        place = {"item_id": item["id"], "output_index": at, "content_index": 0}
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield self._event("response.content_part.added", **place, part=empty)
        for piece in tokens(text):
            self._spoken += 1
            yield self._event("response.output_text.delta", **place, delta=piece, logprobs=[])
        yield self._event("response.output_text.done", **place, text=text, logprobs=[])
        part = {**empty, "text": text}
        yield self._event("response.content_part.done", **place, part=part)
        item |= {"status": "completed", "content": [part]}
        yield self._event("response.output_item.done", output_index=at, item=item)
        self.response["output"].append(item)

    def _refusal(self, text: str) -> Iterator[Json]:
        at = len(self.response["output"])
        item: Json = {"id": new_id("msg"), "type": "message", "role": "assistant", "phase": "final_answer"}
        yield self._event(
            "response.output_item.added", output_index=at, item={**item, "status": "in_progress", "content": []}
        )
        place = {"item_id": item["id"], "output_index": at, "content_index": 0}
        yield self._event("response.refusal.delta", **place, delta=text)
        yield self._event("response.refusal.done", **place, refusal=text)
        item |= {"status": "completed", "content": [{"type": "refusal", "refusal": text}]}
        yield self._event("response.output_item.done", output_index=at, item=item)
        self.response["output"].append(item)

    def _call(self, call: Call) -> Iterator[Json]:
        at = len(self.response["output"])
        item: Json = {"id": new_id("fc"), "type": "function_call", "call_id": new_id("call"), "name": call.name}
        text = json.dumps(dict(call.arguments))
        started = {**item, "arguments": "", "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=at, item=started)
        for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
            yield self._event(
                "response.function_call_arguments.delta", item_id=item["id"], output_index=at, delta=piece
            )
        done = {"item_id": item["id"], "output_index": at, "name": call.name, "arguments": text}
        yield self._event("response.function_call_arguments.done", **done)
        item |= {"arguments": text, "status": "completed"}
        yield self._event("response.output_item.done", output_index=at, item=item)
        self.response["output"].append(item)

    def _end(self) -> Json:
        self.response["usage"] = self._usage()
        if self._answer.end == "completed":
            self.response |= {"status": "completed", "completed_at": int(time.time())}
            return self._event("response.completed", response=self.response)
        self.response |= {"status": "incomplete", "incomplete_details": {"reason": self._answer.end}}
        return self._event("response.incomplete", response=self.response)

    def _usage(self) -> Json:
        asked = len(json.dumps(self._body.get("input", ""))) // 4 + 1
        thought = 8 if self._thinks else 0
        return {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": asked // 4, "cache_write_tokens": 0},
            "output_tokens": self._spoken + thought,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": asked + self._spoken + thought,
        }

    def failed(self, code: str) -> Json:
        """The event that ends a response in failure."""
        error = {"code": code, "message": "The model failed."}
        return self._event("response.failed", response={**self.response, "status": "failed", "error": error})

    def error(self, code: str) -> Json:
        """The event that ends a stream in an error."""
        return self._event("error", code=code, message="Something went wrong.", param=None)
