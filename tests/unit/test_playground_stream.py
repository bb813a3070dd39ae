"""The stream of events to an open page, over HTTP and an in-memory bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.playground import topics
from adapters.playground.files import Proof
from adapters.playground.renderer import Renderer
from adapters.playground.stream import Watcher, stream_events
from bot.ports import settled_topic
from bot.store.bus import MemoryBus
from bot.types import Address
from tests.acceptance.playground_support import read_events

ADDRESS = Address("playground", "local", "0123456789abcdef-aaaabbbbcccc")


@pytest.fixture
def bus() -> MemoryBus:
    """The bus that the stream listens to."""
    return MemoryBus()


class Session:
    """The session behind an open page."""

    holds = True

    async def is_welcome(self) -> bool:
        """Whether it holds."""
        return self.holds


@pytest.fixture
def session() -> Session:
    """A session that holds until a test ends it."""
    return Session()


@pytest.fixture
async def events(bus: MemoryBus, session: Session) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """What one open page is told; a stream that is silent for 50 ms says so."""
    renderer, host = Renderer(), SimpleNamespace(bus=bus)

    async def stream(request: web.Request) -> web.StreamResponse:
        watcher = Watcher(Proof("token"), session.is_welcome)
        return await stream_events(request, host, renderer, ADDRESS, watcher, heartbeat_s=0.05)  # type: ignore[arg-type]

    app = web.Application()
    app.router.add_get("/", stream)
    async with TestServer(app) as server, aiohttp.ClientSession() as http, http.get(server.make_url("/")) as response:
        async with asyncio.timeout(20):
            yield read_events(response)
    await renderer.close()


async def test_a_silent_stream_says_so(events: AsyncIterator[tuple[str, Any]]) -> None:
    """A page that hears nothing for a while is told that the stream lives, and may look whether it missed anything."""
    assert [await anext(events) for _ in range(3)] == [("ready", {}), ("quiet", {}), ("quiet", {})]


async def test_what_was_published_after_ready_arrives(events: AsyncIterator[tuple[str, Any]], bus: MemoryBus) -> None:
    """From `ready` on nothing is missed: neither an answer's beginning nor that a turn of this conversation has settled."""
    assert (await anext(events))[0] == "ready"
    await bus.publish(topics.answers(ADDRESS.channel), {"kind": "open", "to": "question", "turn": "t"})
    await bus.publish(settled_topic(Address("playground", "local", "another")), {"turn_id": "other"})
    await bus.publish(settled_topic(ADDRESS), {"turn_id": "t"})
    told = [event async for event in _until_settled(events)]
    assert told == [("begin", {"to": "question", "turn": "t"}), ("settled", {"turn": "t"})]


async def _until_settled(events: AsyncIterator[tuple[str, Any]]) -> AsyncIterator[tuple[str, Any]]:
    async for event in events:
        if event[0] != "quiet":
            yield event
        if event[0] == "settled":
            return


async def test_a_stream_ends_with_its_session(events: AsyncIterator[tuple[str, Any]], session: Session) -> None:
    """Whoever logs out in one tab is told nothing more in another."""
    assert (await anext(events))[0] == "ready"
    session.holds = False
    assert [name async for name, _ in events if name != "quiet"] == []
