"""An OpenAI on the loopback: deterministic, strict about what it is sent, and able to fail in every way that the real one does.

    async with OpenAIEmulator() as server:
        server.base_url, server.requests, server.fail(...), server.script(...)

It also runs by itself: `python -m tests.emulators.openai_simple --port 9000 --pace 0.02 --tokens 60`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import math
import struct
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from aiohttp import web
from PIL import Image, ImageDraw

Json = dict[str, Any]
KEY = "test-key"
RATE_HZ = 24_000
MAX_UPLOAD = 25 * 1024 * 1024
TRANSCRIBE_EXTENSIONS = {"flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"}
ALWAYS_REASON = ("gpt-6-astra", "gpt-6.1-sol", "o3")
RESPONSES_FIELDS = {
    "background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens", "max_tool_calls",
    "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key",
    "prompt_cache_options", "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature",
    "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation",
}  # fmt: skip
MODELS: dict[str, int | None] = {
    "gpt-5.2": None, "gpt-5.5": None, "gpt-6.1-terra": None, "gpt-6.1-sol": None, "gpt-6-astra": None, "gpt-6-luna": None,
    "gpt-4o": 1_799_884_800, "o3": 1_796_947_200, "gpt-transcribe": None, "whisper-1": None, "gpt-4o-transcribe": None,
    "gpt-4o-transcribe-diarize": None, "gpt-realtime-2.1-mini": None, "gpt-4o-mini-tts": 1_799_193_600, "tts-1": None,
    "gpt-image-2": None, "gpt-image-2.5-flare": None, "gpt-image-1.5": 1_796_083_200, "text-embedding-3-small": None,
    "text-embedding-3-large": None,
}  # fmt: skip
"""The models there are, with their ends as seconds since 1970."""


@dataclass
class Recorded:
    """One request as it came."""

    method: str
    path: str
    body: Json
    content_type: str
    headers: Mapping[str, str]


@dataclass
class Fault:
    """How a request is to fail: before anything (status), in the middle of a stream (after), or by an odd end (kind)."""

    kind: str = "status"
    """status, disconnect, cut, corrupt, stall, failed, incomplete, filtered, empty"""
    status: int = 500
    error: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int = 2
    path: str = ""


class OpenAIEmulator:
    """The server; `async with` starts and stops it."""

    def __init__(
        self, *, key: str = KEY, pace_s: float = 0.0, tokens: int = 0, known: Mapping[str, int | None] = MODELS
    ) -> None:
        """pace_s: between pieces of text. tokens: the length of every answer in words, 0 for an echo. known: the models."""
        self.requests: list[Recorded] = []
        self.heard: deque[str] = deque()
        """Texts that the next transcriptions give."""
        self.has_realtime = True
        self.has_responses = True
        self._key, self._pace_s, self._tokens, self._known = key, pace_s, tokens, known
        self._faults: deque[Fault] = deque()
        self._scripts: deque[Json] = deque()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL has to be."""
        return f"http://127.0.0.1:{self.port}/v1"

    def fail(self, *faults: Fault) -> None:
        """The next requests (of the fault's path, if it has one) fail so."""
        self._faults += faults

    def script(self, *answers: Json | str) -> None:
        """The next answers: a text, or {"calls": [{"name", "arguments"}], "text": ...}."""
        self._scripts += [{"text": one} if isinstance(one, str) else one for one in answers]

    def sent(self, path: str) -> list[Json]:
        """The bodies of the requests to a path."""
        return [one.body for one in self.requests if one.path == path]

    async def start(self, port: int = 0) -> None:
        """Listen."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        for path, handler in self._routes().items():
            app.router.add_route("*", f"/v1{path}", self._guarded(path, handler))
        app.router.add_get("/v1/realtime", self._realtime)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Let go of the port."""
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> OpenAIEmulator:
        """Start on a free port."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    def _routes(self) -> dict[str, Callable[..., Any]]:
        return {
            "/responses": self._responses,
            "/chat/completions": self._completions,
            "/models": self._models,
            "/embeddings": self._embeddings,
            "/images/generations": self._images,
            "/images/edits": self._images,
            "/audio/transcriptions": self._transcriptions,
            "/audio/speech": self._speech,
        }

    def _guarded(self, path: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            body = await _body(request)
            content_type = request.content_type
            self.requests.append(Recorded(request.method, path, body, content_type, dict(request.headers)))
            fault = self._fault(path)
            try:
                self._check_key(request)
                if fault and fault.kind == "status":
                    raise _Refused(fault.status, **{"message": "made to fail", **fault.error}, headers=fault.headers)
                if fault and fault.kind == "disconnect":
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
                return await handler(request, body, fault)  # type: ignore[no-any-return]
            except _Refused as refused:
                return web.json_response({"error": refused.error}, status=refused.status, headers=dict(refused.headers))

        return guarded

    def _fault(self, path: str) -> Fault | None:
        for fault in self._faults:
            if not fault.path or fault.path == path:
                self._faults.remove(fault)
                return fault
        return None

    def _check_key(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            raise _Refused(
                401, message="Incorrect API key provided.", type="invalid_request_error", code="invalid_api_key"
            )

    def _known_model(self, body: Json) -> str:
        model = str(body.get("model"))
        if model not in self._known:
            raise _Refused(
                404, message=f"The model `{model}` does not exist", type="invalid_request_error", code="model_not_found"
            )
        return model

    # --- Text ---

    async def _responses(self, request: web.Request, body: Json, fault: Fault | None) -> web.StreamResponse:
        if not self.has_responses:
            raise _Refused(404, message="no such endpoint")
        model = self._known_model(body)
        for name in body:
            if name not in RESPONSES_FIELDS:
                raise _Refused(
                    400,
                    message=f"Unknown parameter: '{name}'.",
                    type="invalid_request_error",
                    param=name,
                    code="unknown_parameter",
                )
        _check_sampling(model, body, (body.get("reasoning") or {}).get("effort"))
        _check_calls(body["input"] if isinstance(body["input"], list) else [])
        answer = self._answer(_last_text(body["input"]), bool(body.get("tools")))
        events = _response_events(model, answer, fault, reasons=REASONING_INCLUDE in (body.get("include") or ()))
        if not body.get("stream"):
            return web.json_response(events[-1]["response"])
        return await self._stream(request, [(one["type"], one) for one in events], fault, done=False)

    async def _completions(self, request: web.Request, body: Json, fault: Fault | None) -> web.StreamResponse:
        model = self._known_model(body)
        _check_sampling(model, body, body.get("reasoning_effort"))
        if model in ALWAYS_REASON and (body.get("tools") or body.get("stop")):
            raise _Refused(400, message="not supported with this model", type="invalid_request_error", param="tools")
        if body.get("frequency_penalty", 0) and abs(body["frequency_penalty"]) > 2:
            raise _Refused(400, message="too large", type="invalid_request_error", param="frequency_penalty")
        text = _chat_text(body["messages"])
        answer = self._answer(text, bool(body.get("tools")))
        for stop in body.get("stop") or ():
            answer["text"] = answer["text"].split(stop)[0]
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return await self._stream(
            request, [("", one) for one in _chunks(model, answer, fault, usage)], fault, done=True
        )

    def _answer(self, asked: str, has_tools: bool) -> Json:
        if self._scripts:
            return {"text": "", "calls": [], **self._scripts.popleft()}
        if self._tokens:
            return {"text": " ".join(f"word{number}" for number in range(self._tokens)), "calls": []}
        if has_tools and asked.lower().startswith("draw "):
            return {
                "text": "",
                "calls": [{"name": "generate_image", "arguments": {"prompt": asked[5:], "shape": "square"}}],
            }
        return {"text": f"You said: {asked}", "calls": []}

    async def _stream(
        self, request: web.Request, events: Sequence[tuple[str, Json]], fault: Fault | None, *, done: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, (name, event) in enumerate(events):
            if fault and fault.kind in ("cut", "stall", "corrupt") and number == fault.after:
                return await self._break(request, response, fault)
            prefix = f"event: {name}\n" if name else ""
            await response.write(f"{prefix}data: {json.dumps(event)}\n\n".encode())
            if self._pace_s and "delta" in (name or "delta"):
                await asyncio.sleep(self._pace_s)
        if done:
            await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _break(self, request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
        if fault.kind == "corrupt":
            await response.write(b"data: {not json\n\n")
        elif fault.kind == "stall":
            await asyncio.Event().wait()
        assert request.transport is not None
        request.transport.abort()
        return response

    async def _models(self, request: web.Request, body: Json, fault: Fault | None) -> web.Response:
        data = [
            {
                "id": name,
                "object": "model",
                "created": 1,
                "owned_by": "openai",
                **({"shutdown_date": end} if end else {}),
            }
            for name, end in self._known.items()
        ]
        return web.json_response({"object": "list", "data": data})

    # --- Vectors and pictures ---

    async def _embeddings(self, request: web.Request, body: Json, fault: Fault | None) -> web.Response:
        self._known_model(body)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        if not 1 <= len(texts) <= 2_048 or any(not text for text in texts):
            raise _Refused(
                400, message="input must be 1 to 2048 non-empty texts", type="invalid_request_error", param="input"
            )
        if any(len(text) > 8_192 * 8 for text in texts):
            raise _Refused(
                400, message="maximum context length is 8192 tokens", type="invalid_request_error", param="input"
            )
        data = [{"object": "embedding", "index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
        used = sum(len(text.split()) for text in texts)
        return web.json_response(
            {
                "object": "list",
                "data": data,
                "model": body["model"],
                "usage": {"prompt_tokens": used, "total_tokens": used},
            }
        )

    async def _images(self, request: web.Request, body: Json, fault: Fault | None) -> web.Response:
        self._known_model(body)
        if "bomb" in body["prompt"]:
            raise _Refused(
                400,
                message="Your request was rejected by the safety system.",
                type="user_error",
                code="moderation_blocked",
            )
        if body.get("quality") not in (None, "auto", "low", "medium", "high"):
            raise _Refused(400, message="Invalid value for quality", type="invalid_request_error", param="quality")
        size = body.get("size", "auto")
        width, height = (1024, 1024) if size == "auto" else [int(one) for one in size.split("x")]
        if width % 16 or height % 16:
            raise _Refused(400, message="Invalid size", type="invalid_request_error", param="size")
        data = [
            {"b64_json": base64.b64encode(picture(body["prompt"], width, height)).decode()}
            for _ in range(int(body.get("n", 1)))
        ]
        details = {"text_tokens": 10, "image_tokens": 200 if request.path.endswith("edits") else 0}
        usage = {"input_tokens": sum(details.values()), "output_tokens": 1000, "input_tokens_details": details}
        usage["total_tokens"] = usage["input_tokens"] + 1000  # type: ignore[operator]
        return web.json_response({"created": 1, "data": data, "output_format": "png", "usage": usage})

    # --- Sound ---

    async def _transcriptions(self, request: web.Request, body: Json, fault: Fault | None) -> web.Response:
        model = self._known_model(body)
        name, data = body["file"]["name"], body["file"]["data"]
        if name.rpartition(".")[2].lower() not in TRANSCRIBE_EXTENSIONS:
            raise _Refused(400, message="Unrecognized file format.", type="invalid_request_error", param="file")
        if len(data) > MAX_UPLOAD:
            raise _Refused(413, message="Maximum content size limit (26214400) exceeded", type="server_error")
        shape = body.get("response_format", "json")
        if (shape == "verbose_json" and model != "whisper-1") or (shape == "diarized_json" and "diarize" not in model):
            raise _Refused(
                400, message="response_format is not compatible", type="invalid_request_error", param="response_format"
            )
        seconds = duration_s(data)
        if seconds > 1_400 and model.startswith("gpt-4o"):
            raise _Refused(
                400, message="audio duration is longer than 1400 seconds", type="invalid_request_error", param="file"
            )
        text = self.heard.popleft() if self.heard else f"heard {seconds:.1f} seconds"
        return web.json_response(_transcription(model, shape, text, seconds))

    async def _speech(self, request: web.Request, body: Json, fault: Fault | None) -> web.StreamResponse:
        self._known_model(body)
        if len(body["input"]) > 4_096:
            raise _Refused(400, message="string too long", type="invalid_request_error", param="input")
        return web.Response(body=tone(body["input"]), content_type="audio/pcm")

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        if not self.has_realtime:
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "session.created", "event_id": "e0", "session": {"type": "realtime"}})
        async for message in socket:
            event = json.loads(message.data)
            self.requests.append(Recorded("WS", "/realtime", event, "application/json", dict(request.headers)))
            if event["type"] == "session.update":
                await socket.send_json({"type": "session.updated", "event_id": "e1", "session": event["session"]})
            elif event["type"] == "response.create":
                for made in self._spoken_events(event["response"]):
                    await socket.send_json(made)
        return socket

    def _spoken_events(self, response: Json) -> list[Json]:
        text = response["input"][0]["content"][0]["text"]
        if response.get("conversation") != "none" or response.get("output_modalities") != ["audio"]:
            error = {
                "type": "invalid_request_error",
                "code": "invalid_value",
                "message": "an out-of-band audio response is wanted",
            }
            return [{"type": "error", "event_id": "e2", "error": error}]
        pcm = tone(text)
        common = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
        pieces = [pcm[at : at + 48_000] for at in range(0, len(pcm), 48_000)]
        events = [
            {
                "type": "response.output_audio.delta",
                "event_id": f"a{n}",
                "delta": base64.b64encode(piece).decode(),
                **common,
            }
            for n, piece in enumerate(pieces)
        ]
        sound = len(pcm) // 4_800
        usage = {
            "input_tokens": 20, "output_tokens": sound, "total_tokens": 20 + sound,
            "input_token_details": {"text_tokens": 20, "cached_tokens": 0}, "output_token_details": {"audio_tokens": sound},
        }  # fmt: skip
        done = {"id": "resp_1", "object": "realtime.response", "status": "completed", "output": [], "usage": usage}
        return [*events, {"type": "response.done", "event_id": "d", "response": done}]


REASONING_INCLUDE = "reasoning.encrypted_content"


class _Refused(Exception):
    """The server says no."""

    def __init__(self, status: int, *, headers: Mapping[str, str] | None = None, **error: Any) -> None:
        super().__init__(status)
        self.status = status
        self.error = {"type": "error", "param": None, "code": None, **error}
        self.headers = headers or {}


async def _body(request: web.Request) -> Json:
    if request.content_type == "application/json":
        made: Json = await request.json()
        return made
    if request.content_type != "multipart/form-data":
        return {}
    fields: Json = {}
    async for part in await request.multipart():
        assert part.name is not None  # type: ignore[union-attr]
        name = part.name.removesuffix("[]")  # type: ignore[union-attr]
        data = await part.read()  # type: ignore[union-attr]
        value: Any = {"name": part.filename, "data": bytes(data)} if part.filename else data.decode()  # type: ignore[union-attr]
        if part.name.endswith("[]"):  # type: ignore[union-attr]
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = value
    return fields


def _check_sampling(model: str, body: Json, effort: str | None) -> None:
    reasons = model in ALWAYS_REASON or effort not in (None, "none")
    for name in ("temperature", "top_p"):
        if name in body and reasons:
            raise _Refused(
                400,
                message=f"Unsupported parameter: '{name}' is not supported with this model.",
                type="invalid_request_error",
                param=name,
            )
    if effort in ("none", "minimal") and model in ALWAYS_REASON:
        raise _Refused(400, message="Unsupported value", type="invalid_request_error", param="reasoning.effort")


def _check_calls(items: Sequence[Json]) -> None:
    """Every output belongs to a call that came before it."""
    calls: set[str] = set()
    for item in items:
        if item.get("type") == "function_call":
            calls.add(item["call_id"])
        if item.get("type") == "function_call_output" and item["call_id"] not in calls:
            raise _Refused(
                400, message=f"No tool call found for {item['call_id']}", type="invalid_request_error", param="input"
            )


def _last_text(items: Any) -> str:
    if isinstance(items, str):
        return items
    if items and items[-1].get("type") == "function_call_output":
        return f"the tool gave {items[-1]['output']}"
    content = next((item["content"] for item in reversed(items) if item.get("role") == "user"), "")
    if isinstance(content, str):
        return content
    kinds = [f"[{part['type']}]" for part in content if part["type"] != "input_text"]
    return " ".join([*(part["text"] for part in content if part["type"] == "input_text"), *kinds])


def _chat_text(messages: Sequence[Json]) -> str:
    content = messages[-1]["content"]
    if messages[-1]["role"] == "tool":
        return f"the tool gave {content}"
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", f"[{part['type']}]") for part in content)


def _words(text: str) -> list[str]:
    pieces = text.split(" ")
    return [piece + (" " if number < len(pieces) - 1 else "") for number, piece in enumerate(pieces) if text]


def _response_events(model: str, answer: Json, fault: Fault | None, *, reasons: bool) -> list[Json]:
    text = "" if fault and fault.kind == "empty" else answer["text"]
    response = _response(model, "in_progress")
    events: list[Json] = [{"type": "response.created", "response": response}]
    output: list[Json] = []
    if reasons:
        output.append({"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "sealed"})
        events.append({"type": "response.output_item.done", "output_index": 0, "item": output[0]})
    if text:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        events.append({"type": "response.output_item.added", "output_index": len(output), "item": message})
        for piece in _words(text):
            delta = {
                "item_id": "msg_1",
                "output_index": len(output),
                "content_index": 0,
                "delta": piece,
                "logprobs": [],
            }
            events.append({"type": "response.output_text.delta", **delta})
        content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
        output.append({**message, "status": "completed", "content": content})
        events.append({"type": "response.output_item.done", "output_index": len(output) - 1, "item": output[-1]})
    for number, call in enumerate(answer["calls"], start=1):
        item = {
            "id": f"fc_{number}", "type": "function_call", "status": "completed", "call_id": f"call_{number}", "name": call["name"],
            "arguments": json.dumps(call["arguments"]),
        }  # fmt: skip
        events.append({"type": "response.output_item.done", "output_index": len(output), "item": item})
        output.append(item)
    events.append(_last_event(model, text, output, fault))
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _last_event(model: str, text: str, output: list[Json], fault: Fault | None) -> Json:
    kind = fault.kind if fault else ""
    usage = {
        "input_tokens": 20, "output_tokens": len(text.split()), "total_tokens": 20 + len(text.split()),
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    if kind == "failed":
        error = {"code": "server_error", "message": "made to fail"}
        return {"type": "response.failed", "response": {**_response(model, "failed"), "error": error}}
    if kind in ("incomplete", "filtered"):
        reason = "max_output_tokens" if kind == "incomplete" else "content_filter"
        made = {
            **_response(model, "incomplete"),
            "output": output,
            "usage": usage,
            "incomplete_details": {"reason": reason},
        }
        return {"type": "response.incomplete", "response": made}
    return {
        "type": "response.completed",
        "response": {**_response(model, "completed"), "output": output, "usage": usage},
    }


def _response(model: str, status: str) -> Json:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": model, "output": [], "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0,
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": None,
    }  # fmt: skip


def _chunks(model: str, answer: Json, fault: Fault | None, with_usage: bool) -> list[Json]:
    text = "" if fault and fault.kind == "empty" else answer["text"]
    base = {"id": "chat_1", "object": "chat.completion.chunk", "created": 1, "model": model}

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    made = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in _words(text))]
    for number, call in enumerate(answer["calls"]):
        function = {"name": call["name"], "arguments": ""}
        made.append(
            chunk({"tool_calls": [{"index": number, "id": f"call_{number}", "type": "function", "function": function}]})
        )
        arguments = json.dumps(call["arguments"])
        for half in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            made.append(chunk({"tool_calls": [{"index": number, "function": {"arguments": half}}]}))
    finish = {"incomplete": "length", "filtered": "content_filter"}.get(fault.kind if fault else "", "stop")
    made.append(chunk({}, "tool_calls" if answer["calls"] else finish))
    if with_usage:
        count = len(text.split())
        made.append(
            {
                **base,
                "choices": [],
                "usage": {"prompt_tokens": 20, "completion_tokens": count, "total_tokens": 20 + count},
            }
        )
    return made


def _transcription(model: str, shape: str, text: str, seconds: float) -> Json:
    if shape == "verbose_json":
        segment = {
            "id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": text, "tokens": [], "temperature": 0.0, "avg_logprob": 0.0,
            "compression_ratio": 1.0, "no_speech_prob": 0.0,
        }  # fmt: skip
        usage = {"type": "duration", "seconds": math.ceil(seconds)}
        return {"text": text, "language": "english", "duration": seconds, "segments": [segment], "usage": usage}
    if shape == "diarized_json":
        segment = {
            "id": "s0",
            "type": "transcript.text.segment",
            "start": 0.0,
            "end": seconds,
            "text": text,
            "speaker": "A",
        }
        return {"task": "transcribe", "text": text, "duration": seconds, "segments": [segment]}
    tokens = {"type": "tokens", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    return {
        "text": text,
        "usage": {"type": "duration", "seconds": math.ceil(seconds)} if model == "gpt-transcribe" else tokens,
    }


def vector(text: str, size: int = 64) -> list[float]:
    """Texts with words in common lie near one another."""
    made = np.zeros(size)
    for word in text.lower().split():
        made[zlib.crc32(word.encode()) % size] += 1
    return [float(one) for one in made + 1e-3]


def picture(prompt: str, width: int, height: int) -> bytes:
    """A PNG with the prompt on it."""
    image = Image.new("RGB", (width, height), "lightblue")
    ImageDraw.Draw(image).text((20, 20), prompt[:200], fill="black")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def tone(text: str) -> bytes:
    """PCM at 24 kHz, 60 ms for each letter."""
    count = int(RATE_HZ * 0.06 * max(len(text), 1))
    wave = np.sin(2 * np.pi * 330 * np.arange(count) / RATE_HZ) * 8_000
    return struct.pack(f"<{count}h", *wave.astype(int))


def duration_s(data: bytes) -> float:
    """The length of a recording; 0 for what is none."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            return (container.duration or 0) / av.time_base
    except (av.error.FFmpegError, ValueError):
        raise _Refused(
            400, message="Audio file might be corrupted or unsupported", type="invalid_request_error", param="file"
        ) from None


async def _serve(port: int, pace_s: float, tokens: int) -> AsyncIterator[None]:
    server = OpenAIEmulator(pace_s=pace_s, tokens=tokens)
    await server.start(port)
    yield
    await server.stop()


async def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description="A loopback OpenAI.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds between pieces of text")
    parser.add_argument("--tokens", type=int, default=0, help="length of every answer in words; 0 echoes")
    given = parser.parse_args()
    async for _ in _serve(given.port, given.pace, given.tokens):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
