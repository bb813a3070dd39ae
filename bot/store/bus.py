"""Short-lived messages between the processes of one installation: in memory on SQLite, by LISTEN and NOTIFY on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
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
MAX_NOTIFICATION = 7_900
"""Bytes; PostgreSQL takes at most 8,000 in a notification."""
MAX_PIECE = MAX_NOTIFICATION - 40
"""Characters of a message cut in pieces, which travel as ASCII, without the head of the piece."""
MAX_WAITING = 10_000
"""A subscriber that lags this far behind loses the oldest messages, rather than the process its memory."""
RECONNECT_S = 1.0
log = logging.getLogger(__name__)


class MemoryBus:
    """Messages within one process."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)

    async def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Deliver to all subscribers in this process."""
        self._deliver(topic, dict(message))

    def _deliver(self, topic: str, message: dict[str, Any]) -> None:
        for queue in self._queues.get(topic, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)

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
    """Messages between processes: published through the database, received by one connection and delivered in memory."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._address = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._sender: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._listening = asyncio.Event()
        self._is_closed = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start listening. Raises StoreError when the database cannot be reached."""
        self._task = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(10):
                await self._listening.wait()
        except TimeoutError as error:
            raise StoreError("The database cannot be reached right now.", detail="no LISTEN within 10 s") from error

    async def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Deliver to all processes, whatever the size. Raises StoreError when the database cannot be reached."""
        payloads = notifications(topic, message)
        async with self._lock:
            if self._is_closed:
                return  # a turn that ends with the process: whoever is left reads its end in the database
            had_connection = self._sender is not None
            try:
                await self._send(payloads)
            except psycopg.OperationalError as error:
                if had_connection and await self._sent_anew(payloads):
                    return
                raise StoreError("The database cannot be reached right now.", detail=str(error)) from error

    async def _send(self, payloads: list[str]) -> None:
        """Send all in one transaction: they arrive together and in order, or not at all."""
        if self._sender is None or self._sender.closed:
            self._sender = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
        try:
            await self._sender.execute(
                "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) payload", (CHANNEL, payloads)
            )
        except psycopg.OperationalError:
            self._sender = None
            raise

    async def _sent_anew(self, payloads: list[str]) -> bool:
        """Publish again by a new connection: the old one may have died long ago, unused."""
        try:
            await self._send(payloads)
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
            joiner = Joiner()
            async for notice in connection.notifies():
                if (received := joiner.add(notice.payload)) is not None:
                    self._deliver(*received)

    async def close(self) -> None:
        """Close both connections."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        async with self._lock:
            self._is_closed = True
            if self._sender:
                await self._sender.close()


def notifications(topic: str, message: Mapping[str, Any]) -> list[str]:
    """Encode a message as notifications that each fit: one, or pieces of it that `Joiner` puts together again."""
    text = json.dumps([topic, dict(message)])
    if len(text) <= MAX_NOTIFICATION:
        return [text]
    cuts = [text[at : at + MAX_PIECE] for at in range(0, len(text), MAX_PIECE)]
    name = secrets.token_hex(8)
    return [f"{name} {at} {len(cuts)} {cut}" for at, cut in enumerate(cuts)]


class Joiner:
    """Decodes notifications in the order of their arrival. The pieces of one message arrive without any others between them."""

    def __init__(self) -> None:
        self._name = ""
        self._cuts: list[str] = []

    def add(self, payload: str) -> tuple[str, dict[str, Any]] | None:
        """The topic and the message that this notification completes; None while pieces are missing."""
        if payload.startswith("["):
            topic, message = json.loads(payload)
            return topic, message
        name, at, count, cut = payload.split(" ", 3)
        if int(at) == 0:
            self._name, self._cuts = name, []
        if name != self._name or len(self._cuts) != int(at):
            return None  # its beginning was sent before this connection listened
        self._cuts.append(cut)
        if len(self._cuts) < int(count):
            return None
        topic, message = json.loads("".join(self._cuts))
        self._cuts = []
        return topic, message


def open_bus(store: Store) -> MemoryBus:
    """The bus that fits the store; a `Bus` that has to be started and closed."""
    return PostgresBus(store) if store.is_shared else MemoryBus()


def _is_a_bus(bus: MemoryBus) -> Bus:
    """For the type checker: the port is met."""
    return bus
