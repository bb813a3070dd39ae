"""Owns Socket Mode: the sockets an app holds open, envelopes and their acknowledgements, refreshes and dead lines."""

import asyncio
import contextlib
import json
import uuid
from typing import Literal

from aiohttp import WSMsgType, web

from .delivery import Attempt, Delivery, Undelivered
from .workspace import Json
from .world import World

MAX_SOCKETS = 10
"""Open sockets per app. Source: Slack, Socket Mode."""
Reason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]


class Socket:
    """One WebSocket that the app has opened."""

    def __init__(self, number: int, response: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.number, self._response, self._transport = number, response, transport
        self._alive = asyncio.Event()
        self._alive.set()
        self.sent: list[Json] = []

    def freeze(self) -> None:
        """Go silently dead: nothing is read, answered or sent any more, and yet the connection stays open."""
        self._alive.clear()

    def thaw(self) -> None:
        """Come back from `freeze`."""
        self._alive.set()

    @property
    def is_open(self) -> bool:
        """Whether Slack believes that the socket works: a frozen one does too."""
        return not self._response.closed

    async def send(self, envelope: Json) -> None:
        """Send one message, or lose it when frozen."""
        self.sent.append(envelope)
        if self._alive.is_set():
            with contextlib.suppress(ConnectionError):
                await self._response.send_str(json.dumps(envelope))

    async def disconnect(self, reason: Reason = "refresh_requested") -> None:
        """Tell the app that the socket will close; `refresh_requested` closes it, a `warning` does not yet."""
        await self.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "emulator"}})
        if reason != "warning":
            await self.close()

    def cut(self) -> None:
        """Break the connection below, as a lost network does."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Close properly, without a word before it."""
        self._alive.set()
        await self._response.close()

    @property
    def is_frozen(self) -> bool:
        """Whether `freeze` holds."""
        return not self._alive.is_set()


class SocketMode:
    """The carrier for apps in Socket Mode; each delivery goes to one of the open sockets."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._opened = 0
        self._turn = 0
        self.sockets: list[Socket] = []

    def open_url(self) -> str:
        """A fresh address for one connection, as `apps.connections.open` gives it."""
        ticket = self._world.ids.secret("ticket-", 36)
        self._tickets.add(ticket)
        address = self._world.base_url.replace("http", "ws", 1)
        return f"{address}/link/?ticket={ticket}&app_id={self._world.app.app_id}"

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection from hello to its end. A ticket serves once."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="invalid_ticket")
        self._tickets.discard(ticket)
        response = web.WebSocketResponse(autoping=False, timeout=0.5)
        await response.prepare(request)
        self._opened += 1
        socket = Socket(self._opened, response, request.transport)
        await self._serve(socket, response)
        return response

    async def close(self) -> None:
        """Close all sockets."""
        for socket in list(self.sockets):
            await socket.close()

    async def carry(self, delivery: Delivery, attempt: Attempt) -> Json:
        """Send an envelope to one socket and wait for its acknowledgement."""
        socket = self._next()
        envelope: Json = {"envelope_id": str(uuid.uuid4()), "payload": delivery.payload, "type": delivery.type}
        envelope["accepts_response_payload"] = delivery.type != "events_api"
        if delivery.type == "events_api":
            reason = "timeout" if attempt.retry_reason == "http_timeout" else attempt.retry_reason
            envelope |= {"retry_attempt": attempt.retry_num, "retry_reason": reason}
        waiting = asyncio.Future[Json]()
        self._waiting[envelope["envelope_id"]] = waiting
        try:
            await socket.send(envelope)
            return await waiting
        finally:
            del self._waiting[envelope["envelope_id"]]

    def _next(self) -> Socket:
        usable = [socket for socket in self.sockets if socket.is_open]
        if not usable:
            raise Undelivered("connection_failed")
        self._turn += 1
        return usable[self._turn % len(usable)]

    async def _serve(self, socket: Socket, response: web.WebSocketResponse) -> None:
        if len(self.sockets) >= MAX_SOCKETS:
            await socket.disconnect("too_many_websockets")
            return
        self.sockets.append(socket)
        self._world.changed("socket", number=socket.number)
        try:
            await socket.send(self._hello())
            await self._read(socket, response)
        finally:
            self.sockets.remove(socket)
            self._world.changed("socket", number=socket.number)

    def _hello(self) -> Json:
        debug = {"host": "emulator", "build_number": 1, "approximate_connection_time": 18060}
        info = {"app_id": self._world.app.app_id}
        return {"type": "hello", "num_connections": len(self.sockets), "debug_info": debug, "connection_info": info}

    async def _read(self, socket: Socket, response: web.WebSocketResponse) -> None:
        while True:
            message = await response.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return
            if socket.is_frozen:
                continue
            if message.type == WSMsgType.PING:
                await response.pong(message.data)
            elif message.type == WSMsgType.TEXT:
                self._acknowledge(json.loads(message.data))

    def _acknowledge(self, answer: Json) -> None:
        waiting = self._waiting.get(answer.get("envelope_id", ""))
        if waiting and not waiting.done():
            waiting.set_result(answer.get("payload") or {})
