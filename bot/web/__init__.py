"""The web server: health, metrics, the adapters' routes, and the rules that hold for every answer it gives."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from aiohttp import web

from bot.errors import BotError, ConfigError
from bot.policy.this_machine import is_loopback

log = logging.getLogger(__name__)

Ready = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns each part that this process needs with what is wrong with it, or an empty string when it is ready."""

MAX_BODY_BYTES = 4 * 1024 * 1024
"""For bodies read whole. Slack's and Discord's calls stay far below; uploads are streamed and counted by their own route."""
BACKLOG = 128
"""Connections that may wait to be accepted. Source: the defaults of asyncio, 100, and of aiohttp, 128."""
SHUTDOWN_S = 2.0
"""How long requests under way may take to end; the whole process has 5 s."""
STATUS_BY_CODE = {
    "usage": 400,
    "unreadable": 415,
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
    ) -> None:
        """port: 0 takes a free one. ready: for /readyz. render: the text of /metrics. routes: what the adapters serve.

        sockets: what `bind` returned for this host and port, if it was called before.
        """
        self.host, self.port = host, port
        self._sockets = sockets
        self._ready, self._render = ready, render
        self._streams: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None
        self.app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        self.app.on_response_prepare.append(self._prepare)
        self.app.add_routes(
            [web.get("/healthz", self._health), web.get("/readyz", self._readiness), web.get("/metrics", self._metrics)]
        )
        self.app.add_routes(routes)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    async def start(self) -> None:
        """Listen; `port` is the real one afterwards. Raises ConfigError that names PORT or HOST."""
        sockets = self._sockets or bind(self.host, self.port)
        runner = web.AppRunner(self.app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        for one in sockets:
            await web.SockSite(runner, one).start()
        self._runner, self.port = runner, runner.addresses[0][1]

    async def stop(self) -> None:
        """End live streams, give requests under way a moment to end, and close. Calling it again is harmless."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in tuple(runner.sites):
            await site.stop()
        for stream in tuple(self._streams):
            stream.cancel()
        await runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, request: web.Request) -> web.Response:
        troubles = await self._ready()
        is_ready = not any(troubles.values())
        parts = {name: trouble or "ok" for name, trouble in troubles.items()}
        return web.json_response({"ready": is_ready, "parts": parts}, status=200 if is_ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        if is_loopback(self.host):
            check_host(request)
        return web.Response(body=self._render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse what another site's page sends, and turn errors into answers."""
        try:
            check_origin(request)
            return await handler(request)
        except web.HTTPException:
            raise
        except BotError as error:
            log.info("%s %s: %s: %s %s", request.method, request.path, error.code, error.text, error.detail)
            return _failure(request, STATUS_BY_CODE.get(error.code, 502), error.code, error.text)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return _failure(request, 500, "failed", "Something went wrong here; the log says what.")

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.pop("Server", None)
        task = asyncio.current_task()
        if response.content_type == "text/event-stream" and task is not None:
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)


def bind(host: str, port: int) -> list[socket.socket]:
    """Take the port at every address of the host; connections wait until a server serves them.

    port: 0 takes a free one. Raises ConfigError that names PORT or HOST.
    """
    taken: list[socket.socket] = []
    failed: OSError | None = None
    try:
        places = dict.fromkeys(
            (family, address)
            for family, _, _, _, address in socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        )
        for family, address in places:
            at = taken[0].getsockname()[1] if taken else port
            try:
                taken.append(socket.create_server((address[0], at, *address[2:]), family=family, backlog=BACKLOG))
            except OSError as error:  # such as ::1 where there is no IPv6
                failed = error
                if error.errno == errno.EADDRINUSE:
                    break
    except OSError as error:
        failed = error
    if failed is not None and (not taken or failed.errno == errno.EADDRINUSE):
        close(taken)
        raise _cannot_listen(failed, host, port) from failed
    return taken


def close(sockets: Iterable[socket.socket]) -> None:
    """Close what `bind` opened. Calling it again is harmless."""
    for one in sockets:
        one.close()


def check_host(request: web.Request) -> None:
    """Raise HTTPForbidden when the browser believes that it talks to another machine (DNS rebinding)."""
    name = urlsplit(f"//{request.host}").hostname or ""
    if not is_loopback(name):
        raise web.HTTPForbidden(text=f"{name} is not this machine.\n")


def check_origin(request: web.Request) -> None:
    """Raise HTTPForbidden when a page of another site sent this. Servers, such as Slack's, send no Origin and are let through."""
    is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if request.method in ("GET", "HEAD", "OPTIONS") and not is_upgrade:
        return
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()
    if is_foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise web.HTTPForbidden(text="Requests from other sites are refused.\n")


def _failure(request: web.Request, status: int, code: str, text: str) -> web.Response:
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(text=f"{text}\n", status=status)
    return web.json_response({"error": code, "text": text}, status=status)


def _cannot_listen(error: OSError, host: str, port: int) -> ConfigError:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"HOST: {host} is not an address of this machine; set HOST to 127.0.0.1 or 0.0.0.0.")
    if error.errno == errno.EACCES:
        return ConfigError(f"PORT: this user is not allowed to listen on port {port}; set PORT to a number above 1023.")
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"PORT: another program is listening on {host}:{port}; stop it, or set PORT to another number."
        )
    return ConfigError(f"PORT: cannot listen on {host}:{port}: {error.strerror or error}.")
