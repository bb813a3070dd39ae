"""Connections: how many there may be, from whom, and how slow one may be.

aiohttp bounds none of these. So each of its connections stands behind a `Connection`, which sees the bytes before aiohttp does;
the web server's middleware tells it when a request begins and ends. Whoever asks displaces whoever only waits: where there are
too many connections, the one that has been silent longest is closed in favour of the new one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiohttp import web

from bot.policy.callers import network_of
from bot.ports.http import STREAMED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConnectionLimits:
    """How many and how slow. Tests hand in smaller ones."""

    total: int = 1_000
    """Open at once, if the system allows as many descriptors."""
    per_address: int = 250
    """Of them from one address. Behind a proxy all come from one."""
    head_s: float = 10.0
    """From the beginning of a request, or of the connection, to the end of the headers."""
    keep_alive_s: float = 75.0
    """An idle connection is kept this long. Proxies keep theirs for 60 s or less."""
    window_s: float = 20.0
    """In every such time in which we wait for a body to come, or an answer to be taken, `window_bytes` have to move."""
    window_bytes: int = 20_000
    """1 kB a second: the slowest telephone networks carry several times as much."""
    body_bytes: int = 64 * 2**20
    """Of bodies under way that are read whole, all together."""
    request_bytes: int = 256 * 2**20
    """Of one body, however it is read."""
    look_s: float = 1.0
    """Between two looks at how slow they are."""
    log_s: float = 10.0
    """Between two log lines about connections that were closed."""


TOO_MANY = (
    "There are too many connections from your address. Close other pages of Parley, and try again in a few seconds.\n"
)
TOO_SLOW = "This took too long to arrive. Check your connection, and send it again.\n"
TOO_MUCH = "Too much is being sent at once. Please try again in a few seconds.\n"
TOO_LARGE = "This is larger than Parley takes.\n"
REASONS = {408: "Request Timeout", 413: "Content Too Large", 503: "Service Unavailable"}
SMALL_BYTES = 32 * 1024
"""A body up to this size is not worth a look at the others: a thousand of them fit."""


class Connection(asyncio.Protocol):
    """One connection: passes everything on to aiohttp's protocol, and knows what it waits for."""

    def __init__(self, gate: Gate, make: Callable[[], asyncio.Protocol]) -> None:
        self._gate, self._make = gate, make
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self.network = ""
        self.request: web.Request | None = None
        """The request under way."""
        self.active_at = 0.0
        """When the other side last did anything."""
        self.body_bytes = 0
        """Of the request under way, arrived so far, its headers included."""
        self.has_answered = False
        """Whether its answer has begun."""
        self._head_since: float | None = None
        self._is_stuck = False
        self._waited_s, self._moved = 0.0, 0
        self._unsent = 0

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, nor an answer that is being taken."""
        return self.request is None and not self._is_stuck

    @property
    def held_bytes(self) -> int:
        """Bytes of its body that are in memory."""
        return 0 if self.request is not None and self.request.get(STREAMED) else self.body_bytes

    # --- What the transport tells ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass it on, unless there are too many."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.network = network_of(str(peer[0])) if isinstance(peer, tuple) and peer else ""
        self.active_at = self._head_since = self._gate.now()
        if not self._gate.admit(self):
            self._refuse(503, TOO_MANY)
            return
        self._inner = self._make()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on, and note that it came."""
        if self._inner is None:
            return
        self.active_at = self._gate.now()
        self.body_bytes += len(data)
        self._moved += len(data)
        if self.request is None and self._head_since is None:
            self._head_since = self.active_at
        if self.body_bytes > self._gate.limits.request_bytes:
            self.end("too large", 413, TOO_LARGE)
            return
        self._inner.data_received(data)
        if self.held_bytes > SMALL_BYTES:
            self._gate.make_room_for_bodies()

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self._inner else None

    def pause_writing(self) -> None:
        """Note that the other side does not take what we send."""
        if self._transport is not None and self._inner is not None:
            self._is_stuck, self._waited_s, self._unsent = True, 0.0, self._transport.get_write_buffer_size()
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Note that it does."""
        if self._inner is not None:
            self._is_stuck, self._waited_s, self._moved = False, 0.0, 0
            self.active_at = self._gate.now()
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, and free its place."""
        self._gate.leave(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    # --- What the web server tells ---------------------------------------------------------------------------------

    def begin(self, request: web.Request) -> None:
        """The headers of a request are there."""
        self.request, self.has_answered = request, False
        self._head_since, self._waited_s, self._moved = None, 0.0, 0

    def finish(self) -> None:
        """Its answer is made."""
        self.request, self.body_bytes = None, 0
        self.active_at = self._gate.now()

    # --- Its end ---------------------------------------------------------------------------------------------------

    def look(self, passed_s: float) -> None:
        """End it if it is too slow. passed_s: since the last look."""
        limits = self._gate.limits
        if self._head_since is not None and self._gate.now() - self._head_since > limits.head_s:
            self.end("slow headers", 408, TOO_SLOW)
        elif self._is_stuck:
            self._look_at_answer(passed_s)
        elif self.request is not None and self._waits_for_body(self.request):
            self._waited_s += passed_s
            if self._waited_s >= limits.window_s:
                if self._moved < limits.window_bytes:
                    self.end("slow body", 408, TOO_SLOW)
                self._waited_s, self._moved = 0.0, 0

    def _waits_for_body(self, request: web.Request) -> bool:
        return not request.content.is_eof() and self._transport is not None and self._transport.is_reading()

    def _look_at_answer(self, passed_s: float) -> None:
        assert self._transport is not None
        self._waited_s += passed_s
        if self._waited_s >= self._gate.limits.window_s:
            unsent = self._transport.get_write_buffer_size()
            if self._unsent - unsent < self._gate.limits.window_bytes:
                self.end("answers not taken", 408, "")
            self._waited_s, self._unsent = 0.0, unsent

    def end(self, why: str, status: int, words: str) -> None:
        """Close it; with words when no answer has begun. why: for the log."""
        self._gate.note(why, self.network)
        if words and not self.has_answered and not self._is_stuck:
            self._refuse(status, words)
        elif self._transport is not None:
            self._transport.abort()

    def _refuse(self, status: int, words: str) -> None:
        assert self._transport is not None
        head = (
            f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(words.encode())}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + words.encode())
        self._transport.close()


class Gate:
    """Admits connections and ends slow ones."""

    def __init__(self, limits: ConnectionLimits, now: Callable[[], float] = time.monotonic) -> None:
        """now: seconds from some fixed moment, never going back."""
        self.limits, self.now = limits, now
        self._open: dict[str, dict[Connection, None]] = {}
        self._count = 0
        self._closed: Counter[tuple[str, str]] = Counter()
        self._logged_at = -limits.log_s

    @property
    def is_quiet(self) -> bool:
        """Whether no request is under way, nor an answer that is being taken."""
        return all(one.is_idle for theirs in self._open.values() for one in theirs)

    def protocol_of(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], Connection]:
        """Return a factory of connections. make: of aiohttp's protocols, its `web.Server`."""
        return lambda: Connection(self, make)

    def admit(self, connection: Connection) -> bool:
        """Return whether there is room for this connection, making it where another one is idle."""
        if not self._make_room(connection.network):
            self.note("refused", connection.network)
            return False
        self._open.setdefault(connection.network, {})[connection] = None
        self._count += 1
        return True

    def leave(self, connection: Connection) -> None:
        """Free its place; harmless when it had none."""
        mine = self._open.get(connection.network, {})
        if connection in mine:
            del mine[connection]
            self._count -= 1
            if not mine:
                del self._open[connection.network]

    def _make_room(self, network: str) -> bool:
        mine = self._open.get(network, {})
        if len(mine) >= self.limits.per_address:
            return self._displace(mine)
        if self._count < self.limits.total:
            return True
        return any(self._displace(theirs) for theirs in sorted(self._open.values(), key=len, reverse=True))

    def _displace(self, among: Iterable[Connection]) -> bool:
        """End the connection that has been silent longest, if one is idle."""
        idle = [one for one in among if one.is_idle]
        if not idle:
            return False
        chosen = min(idle, key=lambda one: one.active_at)
        self.leave(chosen)
        chosen.end("displaced", 503, "")
        return True

    def make_room_for_bodies(self) -> None:
        """End the requests of whoever sends most until the bodies under way fit."""
        held = {network: sum(one.held_bytes for one in theirs) for network, theirs in self._open.items()}
        if sum(held.values()) > self.limits.body_bytes:
            greediest = max(held, key=lambda network: held[network])
            chosen = max(self._open[greediest], key=lambda one: one.held_bytes)
            chosen.body_bytes = 0
            chosen.end("too much at once", 503, TOO_MUCH)

    def note(self, why: str, network: str) -> None:
        """Count a connection that was closed, for the log."""
        self._closed[why, network] += 1

    async def keep_looking(self) -> None:
        """End slow connections until cancelled."""
        looked_at = self.now()
        while True:
            await asyncio.sleep(self.limits.look_s)
            passed_s, looked_at = self.now() - looked_at, self.now()
            for one in [one for theirs in self._open.values() for one in theirs]:
                one.look(passed_s)
            self._log_closed()

    def _log_closed(self) -> None:
        if not self._closed or self.now() - self._logged_at < self.limits.log_s:
            return
        self._logged_at = self.now()
        reasons, networks = Counter[str](), Counter[str]()
        for (why, network), count in self._closed.items():
            reasons[why] += count
            networks[network] += count
        self._closed.clear()
        ((most, count),) = networks.most_common(1)
        told = ", ".join(f"{count} {why}" for why, count in reasons.most_common())
        log.warning("connections closed: %s; most by %s (%d)", told, most or "unknown", count)
