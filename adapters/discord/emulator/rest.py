"""Owns the REST server: finding the route, the token, faults and limits around each call, and the log of all calls."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from .buckets import Buckets, Verdict, retry_after_header
from .errors import ApiError, Json, not_found, unauthorized
from .faults import Fault, Faults
from .limits import REQUEST_BYTES

if TYPE_CHECKING:
    from .commands import Commands
    from .gateway import Gateway
    from .interactions import Interactions
    from .world import World

UNSIGNED = ("/interactions/", "/webhooks/", "/gateway")
"""Paths that need no bot token: those with a token of their own."""


@dataclass
class Upload:
    """One files[n] part."""

    index: int
    filename: str
    mime_type: str | None
    data: bytes


@dataclass
class Call:
    """One REST call, as it came and as it was answered."""

    method: str
    path: str
    route: str
    query: dict[str, str]
    body: Any
    files: list[Upload]
    content_type: str
    at: float
    params: dict[str, str] = field(default_factory=dict)
    status: int = 0
    answer: Any = None

    def number(self, name: str) -> int:
        """A path parameter as an id; anything but digits is 50035."""
        value = self.params[name]
        if not re.fullmatch("[0-9]{1,20}", value):
            message = f'Value "{value}" is not snowflake.'
            raise ApiError(50035, errors={name: {"_errors": [{"code": "NUMBER_TYPE_COERCE", "message": message}]}})
        return int(value)


@dataclass
class Api:
    """What a handler works on."""

    world: World
    gateway: Gateway
    interactions: Interactions
    commands: Commands


Handler = Callable[[Api, Call], Any]


@dataclass
class _Route:
    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler


class Routes:
    """The table of handlers; each rest_* module fills one."""

    def __init__(self) -> None:
        self.routes: list[_Route] = []

    def add(self, method: str, template: str) -> Callable[[Handler], Handler]:
        """Register a handler for a method and a path with {names}."""
        pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "$")

        def register(handler: Handler) -> Handler:
            self.routes.append(_Route(method, template, pattern, handler))
            return handler

        return register


class Rest:
    """Answers /api/v10."""

    def __init__(self, api: Api, buckets: Buckets, faults: Faults, tables: list[Routes]) -> None:
        self.api, self.buckets, self.faults = api, buckets, faults
        self.calls: list[Call] = []
        self.changed: Callable[[], None] = lambda: None
        routes = [route for table in tables for route in table.routes]
        self._routes = sorted(routes, key=lambda route: route.template.count("{"))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, whatever comes of it, and log it."""
        clock = self.api.world.clock
        if self.buckets.banned:
            return web.Response(status=429, text="<html>You are being blocked</html>", content_type="text/html")
        call = Call(request.method, "/" + request.match_info["tail"], "", {**request.query}, None, [], "", clock.time())
        self.calls.append(call)
        fault: Fault | None = None
        try:
            handler = self._find(call)
            self._authorize(request, call)
            verdict = self.buckets.take(call.method, call.route, call.params)
            if verdict.retry_after_s is not None:
                return self._limited(call, verdict)
            fault = self.faults.take(call.method, call.route)
            if fault and fault.delay_s:
                await asyncio.sleep(fault.delay_s)
            if fault and not fault.applied and fault.fails:
                return self._faulty(request, call, fault)
            await self._read(request, call)
            answer = handler(self.api, call)
            call.answer = await answer if isinstance(answer, Awaitable) else answer
            call.status = 204 if call.answer is None else getattr(answer, "status", 200)
        except ApiError as error:
            call.status, call.answer, verdict = error.status, error.body, Verdict()
        if fault and fault.applied:
            return self._faulty(request, call, fault)
        return self._answer(call, verdict.headers)

    def _find(self, call: Call) -> Handler:
        known = [(route, found) for route in self._routes if (found := route.pattern.match(call.path))]
        for route, found in known:
            if route.method == call.method:
                call.route, call.params = route.template, found.groupdict()
                return route.handler
        raise ApiError(0, status=405, message="405: Method Not Allowed") if known else not_found()

    def _authorize(self, request: web.Request, call: Call) -> None:
        if call.route.startswith(UNSIGNED) and call.route != "/gateway/bot":
            return
        if request.headers.get("Authorization") != f"Bot {self.api.world.app.token}":
            raise unauthorized()

    async def _read(self, request: web.Request, call: Call) -> None:
        call.content_type = request.content_type
        if request.content_type == "multipart/form-data":
            await _read_parts(request, call)
        elif request.can_read_body:
            raw = await request.read()
            _refuse_large(len(raw), self._request_limit())
            call.body = _loads(raw)
        _refuse_large(sum(len(file.data) for file in call.files), self._request_limit())

    def _request_limit(self) -> int:
        return max([REQUEST_BYTES, *(guild.upload_limit_bytes for guild in self.api.world.guilds.values())])

    def _limited(self, call: Call, verdict: Verdict) -> web.Response:
        wait = verdict.retry_after_s or 0.0
        call.status = 429
        call.answer = {
            "message": "You are being rate limited.",
            "retry_after": round(wait + 0.0005, 3),
            "global": verdict.is_global,
        }
        return self._answer(call, verdict.headers | {"Retry-After": retry_after_header(wait)})

    def _faulty(self, request: web.Request, call: Call, fault: Fault) -> web.Response:
        """Answer as the test wants, or cut the connection."""
        if fault.status is None:
            call.status = 0
            if request.transport:
                request.transport.abort()
            self.changed()
            return web.Response()
        call.status, call.answer = fault.status, fault.body()
        return self._answer(call, dict(fault.headers))

    def _answer(self, call: Call, headers: dict[str, str]) -> web.Response:
        """JSON with the exact type: clients take `application/json; charset=utf-8` for text."""
        self.buckets.note_answer(call.status)
        self.changed()
        always = {"Via": "1.1 google", **headers}
        if call.status == 204:
            return web.Response(status=204, headers=always)
        body = json.dumps(call.answer, ensure_ascii=False).encode()
        return web.Response(status=call.status, body=body, headers={**always, "Content-Type": "application/json"})


def _refuse_large(size: int, limit: int) -> None:
    if size > limit + 64 * 1024:
        raise ApiError(40005)


def _loads(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise ApiError(50109) from None


async def _read_parts(request: web.Request, call: Call) -> None:
    """A multipart body: payload_json, and files[n]. Source: Discord, Reference, Uploading Files."""
    call.body = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        raw = bytes(await part.read(decode=False))
        file = re.fullmatch(r"files\[(\d+)\]", part.name or "")
        if part.name == "payload_json":
            call.body = _loads(raw)
        elif file and part.filename:
            call.files.append(Upload(int(file[1]), part.filename, part.headers.get("Content-Type"), raw))


def body_of(call: Call) -> Json:
    """The call's JSON object; 50035 when there is none."""
    if not isinstance(call.body, dict):
        expected = "Only dictionaries may be used in a DictType"
        raise ApiError(50035, errors={"_errors": [{"code": "DICT_TYPE_CONVERT", "message": expected}]})
    return call.body
