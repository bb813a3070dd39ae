"""The emulator itself: routes, the key, the log of requests, and the faults."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from aiohttp import web

from tests.emulators.openai import media, minds
from tests.emulators.openai.completions import CompletionMaker
from tests.emulators.openai.realtime import Talk
from tests.emulators.openai.responses import ResponseMaker
from tests.emulators.openai.rules import completions_fit, known_only, responses_fit
from tests.emulators.openai.script import HTTP_FAULTS, Answer, Fault, Refused

Json = dict[str, Any]
KEY = "test-key"
SCHEMES = ("Bearer ",)
DELTAS = ("response.output_text.delta", "chat.completion.chunk")
MAX_BODY_BYTES = 512 * 1024 * 1024
SHUTDOWN_DATES: dict[str, str | None] = {
    "gpt-6-astra": None,
    "gpt-6.1-sol": None,
    "gpt-6.1-terra": None,
    "gpt-6-sol": None,
    "gpt-6-luna": None,
    "gpt-5.6-sol": None,
    "gpt-5.5": None,
    "gpt-5.4-mini": None,
    "gpt-5.2": None,
    "gpt-5": "2026-12-11",
    "gpt-4o": "2027-01-14",
    "gpt-4o-mini": "2027-01-14",
    "o3": "2026-12-11",
    "gpt-image-2": None,
    "gpt-image-2.5-flare": None,
    "gpt-image-1.5": "2026-12-01",
    "gpt-transcribe": None,
    "whisper-1": "2027-02-26",
    "gpt-4o-transcribe": "2027-02-26",
    "gpt-4o-mini-transcribe": "2027-02-26",
    "gpt-4o-transcribe-diarize": "2027-02-26",
    "gpt-realtime-2.1": None,
    "gpt-realtime-2.1-mini": None,
    "gpt-4o-mini-tts": "2027-01-06",
    "tts-1": "2027-01-06",
    "text-embedding-3-small": None,
    "text-embedding-3-large": None,
    "omni-moderation-latest": None,
}
"""The models there are, and when they end."""


@dataclass(frozen=True)
class Upload:
    """A file of a form."""

    part: str
    """The name of its field in the form."""
    name: str
    mime_type: str
    data: bytes = field(repr=False)


@dataclass
class Logged:
    """A request as it came."""

    method: str
    path: str
    """Below the version, such as `/responses`."""
    content: Json | None = None
    """The JSON."""
    form: dict[str, list[str]] = field(default_factory=dict)
    files: tuple[Upload, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    status: int = 0

    @property
    def content_type(self) -> str:
        """Of the body."""
        return "application/json" if self.content is not None else "multipart/form-data"

    def body(self) -> Json | None:
        """What the vendor's specification describes: JSON, or the form with its numbers as such and its files as text."""
        if self.content is not None or not (self.form or self.files):
            return self.content
        made: Json = {}
        for name, values in self.form.items():
            typed = [_typed(name, value) for value in values]
            made[name.removesuffix("[]")] = typed if name.endswith("[]") else typed[0]
        for upload in self.files:
            if upload.part.endswith("[]"):
                made.setdefault(upload.part.removesuffix("[]"), []).append("binary")
            else:
                made[upload.part] = "binary"
        return made


def _typed(name: str, value: str) -> Any:
    return int(value) if name == "n" else value


LOGGED = web.RequestKey("logged", Logged)
FAULT = web.RequestKey("fault", object)


class OpenAIEmulator:
    """A server of OpenAI's API on this machine. Deterministic; keeps what it was asked in `requests`.

    dialect: "openai", or "plain" for a small compatible server: no Responses, no key, no usage, few parameters.
    pace_s: seconds before each piece of streamed text. tokens: length of every echo, 0 for as long as it is.
    """

    def __init__(
        self,
        *,
        key: str = KEY,
        pace_s: float = 0.0,
        tokens: int = 0,
        dialect: Literal["openai", "plain"] = "openai",
        models: Mapping[str, str | None] | None = None,
        has_realtime: bool = True,
        port: int = 0,
    ) -> None:
        self.key, self.pace_s, self.tokens, self.dialect = key, pace_s, tokens, dialect
        self.models = dict(SHUTDOWN_DATES if models is None else models)
        self.has_realtime = has_realtime
        self.requests: list[Logged] = []
        self.realtime_events: list[Json] = []
        self.transcripts: deque[str] = deque()
        """What the next recordings say."""
        self.streaming = 0
        """Streams that are open right now."""
        self._answers: deque[Answer] = deque()
        self._faults: list[Fault] = []
        self._port = port
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    def enqueue(self, *answers: Answer | str) -> None:
        """What chat models say next, one for each call, in place of the echo."""
        self._answers.extend(Answer(text=one) if isinstance(one, str) else one for one in answers)

    def fail(self, *faults: Fault) -> None:
        """What goes wrong next, one for each request that the fault is about."""
        self._faults.extend(faults)

    @property
    def base_url(self) -> str:
        """The address for `OPENAI_BASE_URL`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def asked(self, path: str) -> list[Logged]:
        """The requests to this path."""
        return [request for request in self.requests if request.path == path]

    def sent(self, path: str) -> list[Json]:
        """The bodies of the requests to this path."""
        return [request.body() or {} for request in self.asked(path)]

    async def __aenter__(self) -> OpenAIEmulator:
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def app(self) -> web.Application:
        """The web application."""
        app = web.Application(middlewares=[self._gate], client_max_size=MAX_BODY_BYTES)
        posts = {
            "/responses": self._responses,
            "/chat/completions": self._completions,
            "/images/generations": self._generate,
            "/images/edits": self._edit,
            "/audio/transcriptions": self._transcribe,
            "/audio/speech": self._speech,
            "/embeddings": self._embed,
            "/moderations": self._moderate,
        }
        if self.dialect == "plain":
            posts.pop("/responses")
        app.add_routes([web.post(f"/v1{path}", handler) for path, handler in posts.items()])
        app.add_routes([web.get("/v1/models", self._models), web.get("/v1/realtime", self._realtime)])
        return app

    # --- What stands before every endpoint

    @web.middleware
    async def _gate(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        logged = await self._read(request)
        self.requests.append(logged)
        try:
            self._authorize(request)
            fault = self._next_fault(logged.path)
            if fault is not None and (fault.kind == "status" or fault.kind in HTTP_FAULTS):
                logged.status, body, headers = fault.answer()
                return web.json_response(body, status=logged.status, headers=headers)
            if fault is not None and fault.kind in ("timeout", "disconnect"):
                return await self._go_silent(request, fault)
            request[LOGGED] = logged
            request[FAULT] = fault
            answer = await handler(request)
        except Refused as refused:
            answer = web.json_response(refused.body(), status=refused.status)
        except web.HTTPNotFound:
            message = f"Invalid URL ({request.method} {request.path})"
            answer = web.json_response(Refused(message).body(), status=404)
        logged.status = answer.status
        if not answer.prepared:
            answer.headers["x-request-id"] = f"req_{len(self.requests)}"
        return answer

    async def _read(self, request: web.Request) -> Logged:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
        logged = Logged(request.method, request.path.removeprefix("/v1"), headers=headers)
        if request.content_type == "application/json" and request.can_read_body:
            logged.content = await request.json()
        elif request.content_type == "multipart/form-data":
            files: list[Upload] = []
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    files.append(Upload(name, value.filename, value.content_type, value.file.read()))
                else:
                    logged.form.setdefault(name, []).append(str(value))
            logged.files = tuple(files)
        return logged

    def _authorize(self, request: web.Request) -> None:
        if self.dialect == "openai" and request.headers.get("Authorization") != f"Bearer {self.key}":
            raise Refused("Incorrect API key provided.", status=401, code="invalid_api_key")

    def _next_fault(self, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.path in ("", path):
                self._faults.remove(fault)
                return fault
        return None

    async def _go_silent(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "timeout":
            await self._wait(fault.seconds)
        _drop(request)
        return web.Response()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _known_model(self, name: Any) -> str:
        if not isinstance(name, str) or (self.dialect == "openai" and name not in self.models):
            message = f"The model '{name}' does not exist or you do not have access to it."
            raise Refused(message, "model", status=404, code="model_not_found")
        return name

    # --- Chat

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = _json(request)
        self._known_model(body.get("model"))
        effort = responses_fit(body)
        answer = self._next_answer(*minds.said_in_responses(body), body.get("tools") or [])
        maker = ResponseMaker(body, answer, effort)
        if body.get("stream"):
            return await self._stream(request, maker, named=True)
        events = list(maker.events())
        assert events
        return web.json_response(maker.response)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = _json(request)
        self._known_model(body.get("model"))
        effort = completions_fit(body, plain=self.dialect == "plain")
        answer = self._next_answer(*minds.said_in_completions(body), body.get("tools") or [])
        maker = CompletionMaker(body, answer, effort)
        return await self._stream(request, maker) if body.get("stream") else web.json_response(maker.completion)

    def _next_answer(self, question: str, after: list[Json], tools: list[Json]) -> Answer:
        if self._answers:
            return self._answers.popleft()
        answer = minds.answer(question, after, tools)
        return Answer(text=minds.of_length(answer.text, self.tokens)) if self.tokens and answer.text else answer

    async def _stream(
        self, request: web.Request, maker: ResponseMaker | CompletionMaker, *, named: bool = False
    ) -> web.StreamResponse:
        stream = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "x-request-id": f"req_{len(self.requests)}"}
        )
        await stream.prepare(request)
        self.streaming += 1
        try:
            async for line in self._lines(request, maker, named=named):
                await stream.write(line)
        except (_Dropped, ConnectionResetError):
            _drop(request)
        finally:
            self.streaming -= 1
        return stream

    async def _lines(
        self, request: web.Request, maker: ResponseMaker | CompletionMaker, *, named: bool
    ) -> AsyncIterator[bytes]:
        fault = request[FAULT]
        assert fault is None or isinstance(fault, Fault)
        deltas = 0
        for event in maker.events():
            is_delta = (event.get("type") or event.get("object")) in DELTAS
            if is_delta and self.pace_s:
                await asyncio.sleep(self.pace_s)
            if is_delta and fault is not None and deltas == fault.after:
                async for line in self._break(fault, maker, named=named):
                    yield line
                if fault.kind not in ("stall", "corrupt"):
                    return
            deltas += is_delta
            yield _line(event, named=named)
        if not named:
            yield b"data: [DONE]\n\n"

    async def _break(
        self, fault: Fault, maker: ResponseMaker | CompletionMaker, *, named: bool
    ) -> AsyncIterator[bytes]:
        match fault.kind:
            case "cut":
                raise _Dropped
            case "corrupt":
                yield b'data: {"type": "response.output_te\n\n'
            case "stall":
                await self._wait(fault.seconds)
            case "failed":
                yield _line(maker.failed(fault.code), named=named)
            case "error":
                yield _line(maker.error(fault.code), named=named)

    # --- Everything else

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = _json(request)
        self._known_model(body.get("model"))
        known_only(body, media.GENERATE)
        return web.json_response(await asyncio.to_thread(media.pictures, body))

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        logged: Logged = request[LOGGED]
        body = {name.removesuffix("[]"): values[0] for name, values in logged.form.items()}
        self._known_model(body.get("model"))
        known_only(body, media.EDIT)
        sources = [upload.data for upload in logged.files if upload.part in ("image", "image[]")]
        if not 1 <= len(sources) <= 16:
            raise Refused("Invalid 'image': 1 to 16 images are needed.", "image")
        if not all(media.is_picture(data) for data in sources):
            raise Refused("Invalid image file: png, webp or jpg is needed.", "image", code="invalid_image_file")
        return web.json_response(await asyncio.to_thread(media.pictures, body, sources))

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        logged: Logged = request[LOGGED]
        self._known_model(logged.form.get("model", [""])[0])
        known_only({name.removesuffix("[]"): 1 for name in logged.form}, media.TRANSCRIBE)
        upload = next((one for one in logged.files if one.part == "file"), None)
        if upload is None:
            raise Refused("Missing required parameter: 'file'.", "file")
        said = self.transcripts.popleft() if self.transcripts else None
        made = await asyncio.to_thread(media.transcript, logged.form, upload.name, upload.data, said)
        return web.Response(text=made) if isinstance(made, str) else web.json_response(made)

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        body = _json(request)
        self._known_model(body.get("model"))
        known_only(body, media.SPEAK)
        data, mime_type = await asyncio.to_thread(media.speech, body)
        return web.Response(body=data, content_type=mime_type)

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        body = _json(request)
        self._known_model(body.get("model"))
        known_only(body, media.EMBED)
        return web.json_response(await asyncio.to_thread(media.embeddings, body))

    async def _moderate(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(media.moderation(_json(request)))

    async def _models(self, request: web.Request) -> web.StreamResponse:
        data = [
            {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "openai", "shutdown_date": date}
            for name, date in self.models.items()
        ]
        return web.json_response({"object": "list", "data": data})

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        if not self.has_realtime:
            raise Refused("You do not have access to Realtime.", status=403, code="missing_scope")
        model = self._known_model(request.query.get("model"))
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        closer = asyncio.create_task(self._close_with(socket))
        try:
            await Talk(socket, model, self.realtime_events).run()
        finally:
            closer.cancel()
        return socket

    async def _close_with(self, socket: web.WebSocketResponse) -> None:
        await self._closing.wait()
        await socket.close()


class _Dropped(Exception):
    """The connection is to be dropped."""


def _json(request: web.Request) -> Json:
    body = request[LOGGED].content
    if body is None:
        raise Refused("We could not parse the JSON body of your request.")
    return body


def _line(event: Json, *, named: bool) -> bytes:
    head = f"event: {event['type']}\n" if named else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
