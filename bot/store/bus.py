"""Short-lived news between the processes of one installation: in memory on SQLite, by LISTEN and NOTIFY on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from bot.errors import StoreError
from bot.ports import Bus
from bot.store import Store

CHANNEL = "parley"
MAX_NEWS_BYTES = 7_900
"""PostgreSQL takes at most 8,000 bytes in a notification."""
MAX_WAITING = 10_000
"""A subscriber that lags this far behind loses the oldest news, rather than the process its memory."""
RECONNECT_S = 1.0
log = logging.getLogger(__name__)


class MemoryBus:
    """News within one process."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)

    async def publish(self, topic: str, news: Mapping[str, Any]) -> None:
        """Deliver to all subscribers in this process."""
        self._hand_out(topic, dict(news))

    def _hand_out(self, topic: str, news: dict[str, Any]) -> None:
        for queue in self._queues.get(topic, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(news)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Subscribe while the context is open."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MAX_WAITING)
        self._queues[topic].add(queue)
        try:
            yield _endless(queue)
        finally:
            self._queues[topic].discard(queue)
            if not self._queues[topic]:
                del self._queues[topic]

    async def start(self) -> None:
        """Nothing to connect."""

    async def close(self) -> None:
        """Nothing to close."""


async def _endless(queue: asyncio.Queue[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    while True:
        yield await queue.get()


class PostgresBus(MemoryBus):
    """News between processes: published through the database, received by one connection and delivered in memory."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._address = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._sender: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start listening. Raises StoreError when the database cannot be reached."""
        self._task = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(10):
                await self._listening.wait()
        except TimeoutError as error:
            raise StoreError("The database cannot be reached right now.", detail="no LISTEN within 10 s") from error

    async def publish(self, topic: str, news: Mapping[str, Any]) -> None:
        """Deliver to all processes. Raises ValueError for more than 7,900 bytes, StoreError when the database cannot be reached."""
        payload = json.dumps([topic, dict(news)], ensure_ascii=False)
        if len(payload.encode()) > MAX_NEWS_BYTES:
            raise ValueError(f"news of {len(payload.encode())} bytes do not fit a notification")
        async with self._lock:
            had_connection = self._sender is not None
            try:
                await self._send(payload)
            except psycopg.OperationalError as error:
                if had_connection and await self._sent_anew(payload):
                    return
                raise StoreError("The database cannot be reached right now.", detail=str(error)) from error

    async def _send(self, payload: str) -> None:
        if self._sender is None or self._sender.closed:
            self._sender = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
        try:
            await self._sender.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
        except psycopg.OperationalError:
            self._sender = None
            raise

    async def _sent_anew(self, payload: str) -> bool:
        """Publish again by a new connection: the old one may have died long ago, unused."""
        try:
            await self._send(payload)
        except psycopg.OperationalError:
            return False
        return True

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except psycopg.OperationalError as error:
                log.warning("the bus lost its connection (%s); connecting again", type(error).__name__)
                await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._address, autocommit=True) as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._listening.set()
            async for notice in connection.notifies():
                topic, news = json.loads(notice.payload)
                self._hand_out(topic, news)

    async def close(self) -> None:
        """Close both connections."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._sender:
            await self._sender.close()


def open_bus(store: Store) -> MemoryBus:
    """The bus that fits the store; a `Bus` that has to be started and closed."""
    return PostgresBus(store) if store.is_shared else MemoryBus()


def _is_a_bus(bus: MemoryBus) -> Bus:
    """For the type checker: the port is met."""
    return bus
