"""The web server: the adapters' routes, what monitoring asks, and the rules that hold for every request and every answer."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from bot.errors import BotError
from bot.web.connections import Connection, ConnectionLimits, Gate
from bot.web.descriptors import connections_within, raise_descriptor_limit
from bot.web.listening import BACKLOG, bind, close
from bot.web.probes import Probes, Ready
from bot.web.refusals import check_encoding, check_origin

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 1024 * 1024
"""For bodies read whole. Slack's and Discord's calls stay far below; uploads are streamed and counted by their own route."""
SHUTDOWN_S = 2.0
"""How long requests under way may take to end; the whole process has 5 s."""
LINGER_S = 2.0
"""How long the rest of a body is waited for whose request was refused, so that the client hears why."""
STATUS_BY_CODE = {
    "usage": 400,
    "unreadable": 415,
    "limit": 429,
    "config": 500,
    "unavailable": 503,
    "store": 503,
    "overloaded": 503,
    "failed": 500,
}
"""HTTP status of a BotError by its code; any other code stands for a server behind us that failed: 502."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
"""On every answer, unless its handler set the header itself. Without any referrer a browser would post forms as from "null"."""


class WebServer:
    """Listens on one address and serves everything that speaks HTTP."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        ready: Ready,
        render: Callable[[], bytes],
        routes: Iterable[web.AbstractRouteDef] = (),
        sockets: Sequence[socket.socket] = (),
        limits: ConnectionLimits | None = None,
        token: str = "",
    ) -> None:
        """port: 0 takes a free one. ready: for /readyz. render: the text of /metrics. routes: what the adapters serve.

        sockets: what `bind` returned for this host and port, if it was called before. token: opens metrics to whoever has it.
        """
        self.host, self.port = host, port
        self._sockets = sockets
        limits = limits or ConnectionLimits()
        room = connections_within(raise_descriptor_limit(), limits.total)
        self._limits = replace(limits, total=room, per_address=min(room, limits.per_address))
        self._gate = Gate(self._limits)
        self._streams: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None
        self._servers: list[asyncio.Server] = []
        self._looking: asyncio.Task[None] | None = None
        self.app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        self.app.on_response_prepare.append(self._prepare)
        self.app.add_routes(Probes(ready, render, token).routes())
        self.app.add_routes(routes)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    @property
    def is_quiet(self) -> bool:
        """Whether no request is under way."""
        return self._gate.is_quiet

    async def start(self) -> None:
        """Listen; `port` is the real one afterwards. Raises ConfigError that names PORT or HOST."""
        sockets = self._sockets or bind(self.host, self.port)
        self.port = sockets[0].getsockname()[1]
        self._runner = web.AppRunner(
            self.app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_S,
            auto_decompress=False,
            keepalive_timeout=self._limits.keep_alive_s,
            lingering_time=LINGER_S,
            logger=_protocol_log(),
        )
        await self._runner.setup()
        assert self._runner.server is not None
        loop = asyncio.get_running_loop()
        self._looking = asyncio.create_task(self._gate.keep_looking())
        for one in sockets:
            self._servers.append(
                await loop.create_server(self._gate.protocol_of(self._runner.server), sock=one, backlog=BACKLOG)
            )

    async def stop(self) -> None:
        """End live streams, give requests under way a moment to end, and close. Calling it again is harmless."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for server in self._servers:
            server.close()
        for stream in tuple(self._streams):
            stream.cancel()
        await runner.cleanup()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Tell the connection what is under way, refuse what nobody may send, and turn errors into answers."""
        connection = _connection_of(request)
        if connection is not None:
            connection.begin(request)
        try:
            check_encoding(request)
            check_origin(request)
            return await handler(request)
        except web.HTTPException:
            raise
        except BotError as error:
            log.info("%s: %s: %s %s", _asked(request), error.code, error.text, error.detail)
            failure = _failure(request, STATUS_BY_CODE.get(error.code, 502), error.code, error.text)
            if error.retry_after_s:
                failure.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
            return failure
        except (HttpProcessingError, RequestPayloadError, ConnectionError):
            return _failure(request, 400, "usage", "The request broke off or is malformed; send it again.")
        except Exception:
            log.exception("%s failed", _asked(request))
            return _failure(request, 500, "failed", "Something went wrong here; the log says what.")
        finally:
            if connection is not None:
                connection.finish()

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.pop("Server", None)
        connection, task = _connection_of(request), asyncio.current_task()
        if connection is not None:
            connection.has_answered = True
        if response.content_type == "text/event-stream" and task is not None:
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)


class _NotTheirs(logging.Filter):
    """Drops what aiohttp logs with a traceback because somebody sent what is not HTTP: that is answered, and no fault here."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is about a fault of ours."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | RequestPayloadError))


def _protocol_log() -> logging.Logger:
    made = logging.getLogger(f"{__name__}.protocol")
    made.filters = [_NotTheirs()]
    return made


def _connection_of(request: web.Request) -> Connection | None:
    protocol = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, Connection) else None


def _asked(request: web.Request) -> str:
    """What was asked for, as the log names it: without the query, which may hold keys, and of a decent length."""
    return f"{request.method} {request.rel_url.raw_path}"[:200]


def _failure(request: web.Request, status: int, code: str, text: str) -> web.Response:
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(text=f"{text}\n", status=status)
    return web.json_response({"error": code, "text": text}, status=status)


__all__ = ["BACKLOG", "MAX_BODY_BYTES", "ConnectionLimits", "WebServer", "bind", "close"]
