"""The Realtime socket, as far as it speaks a text aloud."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

from aiohttp import WSMsgType, web

from tests.emulators.openai.media import RATE_HZ, VOICES, tone
from tests.emulators.openai.responses import new_id
from tests.emulators.openai.script import Refused

Json = dict[str, Any]
CHUNK_BYTES = 24_000
SESSION = frozenset(
    (
        "type",
        "audio",
        "include",
        "instructions",
        "max_output_tokens",
        "model",
        "output_modalities",
        "prompt",
        "tool_choice",
        "tools",
        "tracing",
        "truncation",
        "reasoning",
        "parallel_tool_calls",
    )
)
RESPONSE = frozenset(
    (
        "audio",
        "conversation",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "output_modalities",
        "parallel_tool_calls",
        "prompt",
        "reasoning",
        "tool_choice",
        "tools",
    )
)


class Talk:
    """One socket."""

    def __init__(self, socket: web.WebSocketResponse, model: str, log: list[Json]) -> None:
        self._socket, self._model, self._log = socket, model, log
        self._numbers = itertools.count(1)
        self._session: Json = {"type": "realtime", "object": "realtime.session", "id": new_id("sess"), "model": model}

    async def run(self) -> None:
        """Answer until the client goes."""
        await self._send("session.created", session=self._session)
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            self._log.append(event)
            try:
                await self._answer(event)
            except Refused as refused:
                await self._send("error", error={**refused.body()["error"], "event_id": event.get("event_id")})

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._socket.send_json({"type": kind, "event_id": f"event_{next(self._numbers)}", **fields})

    async def _answer(self, event: Json) -> None:
        match event.get("type"):
            case "session.update":
                self._update(event["session"])
                await self._send("session.updated", session=self._session)
            case "response.create":
                await self._speak(event.get("response") or {})
            case kind:
                raise Refused(f"Invalid value: '{kind}'.", "type", code="invalid_value")

    def _update(self, session: Json) -> None:
        if session.get("type") != "realtime":
            raise Refused(
                "Missing required parameter: 'session.type'.", "session.type", code="missing_required_parameter"
            )
        _known(session, SESSION, "session")
        self._session |= session

    async def _speak(self, order: Json) -> None:
        _known(order, RESPONSE, "response")
        if order.get("output_modalities", ["audio"]) != ["audio"]:
            raise Refused("Only audio is spoken here.", "response.output_modalities")
        output = (order.get("audio") or {}).get("output") or {}
        if output.get("voice", "marin") not in VOICES:
            raise Refused(f"Invalid value: '{output['voice']}'.", "response.audio.output.voice", code="invalid_value")
        form = output.get("format") or {"type": "audio/pcm", "rate": RATE_HZ}
        if form != {"type": "audio/pcm", "rate": RATE_HZ}:
            raise Refused("Only audio/pcm at 24000 Hz is spoken here.", "response.audio.output.format")
        text = "\n".join(part["text"] for item in order.get("input", ()) for part in item["content"] if "text" in part)
        await self._stream(order, text, output)

    async def _stream(self, order: Json, text: str, output: Json) -> None:
        response: Json = {"id": new_id("resp"), "object": "realtime.response", "status": "in_progress", "output": []}
        response |= {"output_modalities": ["audio"], "conversation_id": None, "audio": {"output": output}}
        await self._send("response.created", response=response)
        item: Json = {"id": new_id("item"), "object": "realtime.item", "type": "message", "role": "assistant"}
        started = {**item, "status": "in_progress", "content": []}
        await self._send("response.output_item.added", response_id=response["id"], output_index=0, item=started)
        place = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
        await self._send("response.output_audio_transcript.delta", **place, delta=text)
        sound = tone(text).tobytes()
        for at in range(0, len(sound), CHUNK_BYTES):
            piece = base64.b64encode(sound[at : at + CHUNK_BYTES]).decode()
            await self._send("response.output_audio.delta", **place, delta=piece)
        await self._send("response.output_audio.done", **place)
        item |= {"status": "completed", "content": [{"type": "output_audio", "transcript": text}]}
        await self._send("response.output_item.done", response_id=response["id"], output_index=0, item=item)
        usage = _usage(text + str(order.get("instructions", "")), len(sound) / 2 / RATE_HZ)
        await self._send(
            "response.done", response={**response, "status": "completed", "output": [item], "usage": usage}
        )


def _known(body: Json, known: frozenset[str], where: str) -> None:
    for name in body:
        if name not in known:
            raise Refused(f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", code="unknown_parameter")


def _usage(text: str, seconds: float) -> Json:
    read, sound, said = len(text) // 4 + 1, int(seconds * 20), len(text) // 4 + 1
    return {
        "input_tokens": read,
        "input_token_details": {"text_tokens": read, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 0},
        "output_tokens": sound + said,
        "output_token_details": {"text_tokens": said, "audio_tokens": sound},
        "total_tokens": read + sound + said,
    }
