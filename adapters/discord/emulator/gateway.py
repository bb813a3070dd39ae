"""Owns the gateway: sessions that survive their sockets, events by intents and shards, resume, close codes."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from . import wire_people, wire_places
from .model import Json
from .world import DIRECT_TYPING, GUILDS, MESSAGE_CONTENT, Event, World

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, ACK = 7, 8, 9, 10, 11
KNOWN_INTENTS = (1 << 26) - 1
PAYLOAD_BYTES, SENDS_PER_MINUTE = 4096, 120
ACK_S = 0.02
"""discord.py takes its latency from when it had sent, so an answer must not be there before."""
RESUME_WINDOW_S = 180.0
"""How long a dropped session waits for its client; the vendor names no figure."""

BAD_OPCODE, BAD_PAYLOAD, NOT_AUTHENTICATED, BAD_TOKEN, ALREADY_AUTHENTICATED = 4001, 4002, 4003, 4004, 4005
BAD_SEQUENCE, RATE_LIMITED, TIMED_OUT, BAD_SHARD, SHARDING_REQUIRED = 4007, 4008, 4009, 4010, 4011
BAD_VERSION, BAD_INTENTS, DISALLOWED_INTENTS = 4012, 4013, 4014
"""Close codes. Source: Discord, Opcodes and Status Codes, Gateway Close Event Codes."""


@dataclass(eq=False)
class Session:
    """What one IDENTIFY began; its events are kept for a resume."""

    id: str
    intents: int
    shard: tuple[int, int]
    sequence: int = 0
    sent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=20_000))
    socket: Socket | None = None
    dropped_at: float | None = None

    def wants(self, event: Event) -> bool:
        """Whether the session's shard and intents cover the event."""
        shard = (event.guild_id >> 22) % self.shard[1] if event.guild_id else 0
        return shard == self.shard[0] and (event.intent == 0 or bool(event.intent & self.intents))


class Socket:
    """One WebSocket: frames out through a queue, so that order holds."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.ws, self.request = ws, request
        self.session: Session | None = None
        self.received: deque[float] = deque()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        compressed = request.query.get("compress") == "zlib-stream"
        self._deflate = zlib.compressobj() if compressed else None

    def send(self, op: int, data: Any, *, sequence: int | None = None, name: str | None = None) -> str:
        """Queue one frame, and give its text."""
        text = json.dumps({"op": op, "d": data, "s": sequence, "t": name}, ensure_ascii=False)
        self.send_text(text)
        return text

    def send_text(self, text: str) -> None:
        """Queue a ready frame."""
        self._queue.put_nowait(text)

    async def write(self) -> None:
        """Send what is queued until the end is queued."""
        while (text := await self._queue.get()) is not None:
            try:
                await self._put(text)
            except (ConnectionError, RuntimeError):
                return

    async def _put(self, text: str) -> None:
        if self._deflate is None:
            await self.ws.send_str(text)
        else:
            data = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            await self.ws.send_bytes(data)

    def finish(self) -> None:
        """Let the writer end after what is queued."""
        self._queue.put_nowait(None)

    def abort(self) -> None:
        """Cut the connection as a broken network does."""
        if self.request.transport:
            self.request.transport.abort()


class Closed(Exception):
    """The gateway ends the connection with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class Gateway:
    """All sessions and sockets."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self.heartbeat_s = 41.25
        """Seconds between heartbeats, as real Discord asks; a socket that misses two is closed."""
        self.refuse_resumes = 0
        """How many RESUMEs to answer with an invalid session; their missed events are lost."""
        self.lose_events = False
        """While set, events for sessions without a socket are lost, although the session can resume."""
        self.identifies: deque[float] = deque()
        self.sessions: dict[str, Session] = {}
        self.log: list[Json] = []
        """Every frame that clients sent."""
        self._sockets: set[Socket] = set()
        world.listeners.append(self.dispatch)

    @property
    def identifies_left(self) -> int:
        """How many IDENTIFYs the day still allows."""
        since = self.world.clock.time() - 86_400
        return self.world.app.identify_limit - sum(1 for at in self.identifies if at > since)

    @property
    def connected(self) -> bool:
        """Whether the app has a live session."""
        return any(session.socket for session in self.sessions.values())

    # -- events out ----------------------------------------------------------------------------------------------

    def dispatch(self, event: Event) -> None:
        """Send an event to each session that wants it, or keep it for its resume."""
        if not event.for_bot or (event.channel and not event.is_of_server and not self.world.app_sees(event.channel)):
            return
        if event.guild_id and event.name != "INTERACTION_CREATE":
            guild = self.world.guilds.get(event.guild_id)
            if guild and self.world.app.bot_id not in guild.members:
                return
        for session in list(self.sessions.values()):
            if session.wants(event) and (session.socket or not self.lose_events):
                sees = bool(session.intents & MESSAGE_CONTENT)
                self._tell(session, event.name, event.build(sees))

    def _tell(self, session: Session, name: str, data: Json) -> None:
        session.sequence += 1
        frame = {"op": DISPATCH, "d": data, "s": session.sequence, "t": name}
        text = json.dumps(frame, ensure_ascii=False)
        session.sent.append((session.sequence, text))
        if session.socket:
            session.socket.send_text(text)

    # -- a connection's life -------------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Speak with one client until either side ends it."""
        ws = web.WebSocketResponse(max_msg_size=64 * 1024, autoclose=True)
        await ws.prepare(request)
        socket = Socket(ws, request)
        self._sockets.add(socket)
        writer = asyncio.create_task(socket.write())
        try:
            await self._converse(socket)
        except Closed as closed:
            self._detach(socket, ended=closed.code in (BAD_TOKEN, BAD_SEQUENCE, TIMED_OUT))
            socket.finish()
            await writer
            await ws.close(code=closed.code, message=closed.reason.encode())
        finally:
            self._detach(socket, ended=ws.close_code in (1000, 1001))
            socket.finish()
            await writer
            self._sockets.discard(socket)
        return ws

    async def _converse(self, socket: Socket) -> None:
        if socket.request.query.get("v", "10") not in ("9", "10"):
            raise Closed(BAD_VERSION, "You sent an invalid version for the gateway.")
        socket.send(HELLO, {"heartbeat_interval": int(self.heartbeat_s * 1000), "_trace": ["emulator"]})
        while True:
            try:
                message = await socket.ws.receive(timeout=2 * self.heartbeat_s)
            except TimeoutError:
                raise Closed(TIMED_OUT, "Session timed out.") from None
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            self._receive(socket, message.data)

    def _receive(self, socket: Socket, raw: str | bytes) -> None:
        self._check_pace(socket)
        if len(raw) > PAYLOAD_BYTES:
            raise Closed(BAD_PAYLOAD, "Error while decoding payload.")
        try:
            frame: Json = json.loads(raw)
            op = frame["op"]
            data: Any = frame.get("d")
        except (ValueError, KeyError, TypeError):
            raise Closed(BAD_PAYLOAD, "Error while decoding payload.") from None
        self.log.append(frame)
        if op == HEARTBEAT:
            asyncio.get_running_loop().call_later(ACK_S, socket.send, ACK, None)
        elif op in (IDENTIFY, RESUME):
            (self._identify if op == IDENTIFY else self._resume)(socket, data)
        elif op not in (PRESENCE, VOICE_STATE, REQUEST_MEMBERS):
            raise Closed(BAD_OPCODE, "Unknown opcode.")
        elif socket.session is None:
            raise Closed(NOT_AUTHENTICATED, "Not authenticated.")
        elif op == REQUEST_MEMBERS:
            self._send_members(socket.session, data)

    def _check_pace(self, socket: Socket) -> None:
        now = self.world.clock.time()
        socket.received.append(now)
        while socket.received[0] < now - 60:
            socket.received.popleft()
        if len(socket.received) > SENDS_PER_MINUTE:
            raise Closed(RATE_LIMITED, "You are being rate limited.")

    def _detach(self, socket: Socket, *, ended: bool) -> None:
        session, socket.session = socket.session, None
        if session is None or session.socket is not socket:
            return
        session.socket, session.dropped_at = None, self.world.clock.time()
        if ended:
            self.sessions.pop(session.id, None)

    # -- identify and resume -------------------------------------------------------------------------------------

    def _identify(self, socket: Socket, data: Json) -> None:
        if socket.session is not None:
            raise Closed(ALREADY_AUTHENTICATED, "Already authenticated.")
        app = self.world.app
        shard = self._check_identify(data)
        left = self.identifies_left
        self.identifies.append(self.world.clock.time())
        if left <= 0:
            raise Closed(BAD_TOKEN, "Authentication failed.")
        if self._too_fast(shard):
            socket.send(INVALID_SESSION, False)
            return
        session = Session(secrets.token_hex(16), data["intents"] & app.granted_intents, shard, socket=socket)
        self.sessions[session.id] = session
        socket.session = session
        self._greet(session, data)

    def _too_fast(self, shard: tuple[int, int]) -> bool:
        """More shards than max_concurrency identified within five seconds."""
        since = self.world.clock.time() - 5
        return shard[1] > 1 and sum(1 for at in self.identifies if at > since) > self.world.app.max_concurrency

    def _check_identify(self, data: Json) -> tuple[int, int]:
        """The shard; raises Closed for a wrong token, shard or intents."""
        app = self.world.app
        if str(data.get("token", "")).removeprefix("Bot ") != app.token:
            raise Closed(BAD_TOKEN, "Authentication failed.")
        number, count = data.get("shard") or (0, 1)
        if not 0 <= number < count:
            raise Closed(BAD_SHARD, "Invalid shard.")
        if sum(1 for guild in self.world.guilds.values() if app.bot_id in guild.members) > 2500 * count:
            raise Closed(SHARDING_REQUIRED, "Sharding required.")
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & ~KNOWN_INTENTS:
            raise Closed(BAD_INTENTS, "Invalid intent(s).")
        if intents & ~app.granted_intents:
            raise Closed(DISALLOWED_INTENTS, "Disallowed intent(s).")
        return number, count

    def _greet(self, session: Session, data: Json) -> None:
        """READY with the servers as unavailable, then each server whole."""
        app, world = self.world.app, self.world
        mine = [
            g
            for g in world.guilds.values()
            if app.bot_id in g.members and (g.id >> 22) % session.shard[1] == session.shard[0]
        ]
        ready: Json = {
            "v": 10,
            "user": {
                **wire_people.user_json(world.bot),
                "email": None,
                "verified": True,
                "mfa_enabled": True,
                "flags": 0,
            },
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in mine],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "application": {"id": str(app.id), "flags": app.flags},
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "geo_ordered_rtc_regions": [],
            "_trace": ["emulator"],
        }
        if data.get("shard"):
            ready["shard"] = list(session.shard)
        self._tell(session, "READY", ready)
        for guild in mine if session.intents & GUILDS else []:
            with_members = bool(session.intents & 2)
            self._tell(session, "GUILD_CREATE", wire_places.guild_create_json(world, guild, with_members=with_members))

    def _resume(self, socket: Socket, data: Json) -> None:
        if str(data.get("token", "")).removeprefix("Bot ") != self.world.app.token:
            raise Closed(BAD_TOKEN, "Authentication failed.")
        session = self.sessions.get(str(data.get("session_id")))
        if session is None or self._is_too_late(session) or self.refuse_resumes:
            self.refuse_resumes = max(0, self.refuse_resumes - 1)
            self.sessions.pop(str(data.get("session_id")), None)
            socket.send(INVALID_SESSION, False)
            return
        seen = int(data.get("seq") or 0)
        if seen > session.sequence:
            raise Closed(BAD_SEQUENCE, "Invalid seq.")
        if session.socket:
            session.socket.session = None
            session.socket.abort()
        session.socket, socket.session, session.dropped_at = socket, session, None
        for sequence, text in session.sent:
            if sequence > seen:
                socket.send_text(text)
        self._tell(session, "RESUMED", {"_trace": ["emulator"]})

    def _is_too_late(self, session: Session) -> bool:
        dropped = session.dropped_at
        return dropped is not None and self.world.clock.time() - dropped > RESUME_WINDOW_S

    def _send_members(self, session: Session, data: Json) -> None:
        """Request Guild Members: all need the members intent, named ones need none."""
        guild = self.world.guilds.get(int(data.get("guild_id") or 0))
        if guild is None:
            return
        wanted = {int(one) for one in data.get("user_ids") or []}
        query = str(data.get("query") or "").lower()
        members = [m for m in guild.members.values() if m.user_id in wanted] if wanted else list(guild.members.values())
        members = [m for m in members if self.world.users[m.user_id].name.lower().startswith(query)]
        body: Json = {
            "guild_id": str(guild.id),
            "members": [wire_people.member_json(self.world, member) for member in members],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [str(one) for one in wanted if one not in guild.members],
        }
        self._tell(session, "GUILD_MEMBERS_CHUNK", body | ({"nonce": data["nonce"]} if "nonce" in data else {}))

    # -- trouble on demand ---------------------------------------------------------------------------------------

    def drop(self, *, code: int | None = None) -> None:
        """Cut every socket: without a word, or with a close code. Sessions stay resumable unless the code ends them."""
        for socket in list(self._sockets):
            if code is None:
                self._detach(socket, ended=False)
                socket.abort()
            else:
                self._detach(socket, ended=code in (1000, 1001, BAD_TOKEN, BAD_SEQUENCE, TIMED_OUT))
                asyncio.get_running_loop().create_task(socket.ws.close(code=code)).add_done_callback(lambda _: None)

    def ask_reconnect(self) -> None:
        """Send opcode 7 to every client."""
        for socket in self._sockets:
            socket.send(RECONNECT, None)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Send opcode 9 to every client; without `resumable` their sessions are over."""
        for socket in self._sockets:
            socket.send(INVALID_SESSION, resumable)
            if not resumable:
                self._detach(socket, ended=True)

    def stop(self) -> None:
        """Cut all sockets for good."""
        self.sessions.clear()
        for socket in list(self._sockets):
            socket.abort()


__all__ = ["DIRECT_TYPING", "Gateway", "Session"]
