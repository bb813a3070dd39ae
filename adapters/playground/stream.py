"""The stream of what happens in one conversation: server-sent events to one open page."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from adapters.playground import topics
from adapters.playground.files import Proof
from adapters.playground.live import View
from adapters.playground.renderer import Renderer
from adapters.shared.tasks import cancel
from bot.ports import Bus, Host, settled_topic
from bot.types import Address

PACE_S = 0.04
"""Between two paints of an answer: 25 a second look steady."""
MAX_PACE_S = 1.0
"""An answer is never painted less often than this, however long it takes to render."""
RENDER_SHARE = 5
"""An answer that takes long to render is painted less often: the pause is so many times as long as the paint took."""
HEARTBEAT_S = 15.0
"""Proxies close streams that are silent for longer, often after 30 or 60 s. Told so, the page looks whether it missed anything."""


@dataclass(frozen=True)
class Watcher:
    """The browser at the other end of a stream."""

    proof: Proof
    """Signs the addresses of what it is told of."""
    is_welcome: Callable[[], Awaitable[bool]]
    """Whether its session still holds; asked now and then."""


async def stream_events(
    request: web.Request,
    host: Host,
    renderer: Renderer,
    address: Address,
    watcher: Watcher,
    *,
    heartbeat_s: float = HEARTBEAT_S,
) -> web.StreamResponse:
    """Stream until the browser leaves, or logs out. A page that comes late, or again, first gets the whole text so far.

    `ready` is sent once the subscriptions are open: from then on the page misses nothing, so it reads the history after it.
    """
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    told, settled = host.bus.subscribe(topics.answers(address.channel)), host.bus.subscribe(settled_topic(address))
    async with told as messages, settled as ends:
        await response.prepare(request)
        await response.write(_event("ready", {}))
        view, changed = View(renderer), asyncio.Event()
        readers = (
            asyncio.create_task(_read_answers(host.bus, address.channel, messages, view, changed)),
            asyncio.create_task(_read_ends(ends, view, changed)),
            asyncio.create_task(_until_unwelcome(watcher, heartbeat_s)),
        )
        try:
            await host.bus.publish(topics.late_pages(address.channel), {})
            with suppress(ConnectionResetError):
                await _write_changes(response, view, changed, readers, watcher.proof, heartbeat_s)
        finally:
            await cancel(*readers)
    return response


async def _read_answers(
    bus: Bus, channel: str, messages: AsyncIterator[dict[str, Any]], view: View, changed: asyncio.Event
) -> None:
    async for message in messages:
        is_whole = view.take(message)
        changed.set()
        if not is_whole:
            await bus.publish(topics.late_pages(channel), {})


async def _read_ends(ends: AsyncIterator[dict[str, Any]], view: View, changed: asyncio.Event) -> None:
    async for message in ends:
        view.take({"kind": "settled", "turn": message["turn_id"]})
        changed.set()


async def _until_unwelcome(watcher: Watcher, heartbeat_s: float) -> None:
    while await watcher.is_welcome():
        await asyncio.sleep(heartbeat_s)


async def _write_changes(
    response: web.StreamResponse,
    view: View,
    changed: asyncio.Event,
    readers: tuple[asyncio.Task[None], ...],
    proof: Proof,
    heartbeat_s: float,
) -> None:
    """Write until the browser leaves or one of the readers ends. A slow browser gets fewer, larger changes."""
    while not any(reader.done() for reader in readers):
        try:
            await asyncio.wait_for(changed.wait(), heartbeat_s)
        except TimeoutError:
            await response.write(_event("quiet", {}))
            continue
        changed.clear()
        began = time.perf_counter()
        events = [_event(name, _signed(data, proof)) for name, data in await view.changes()]
        await response.write(b"".join(events))
        await asyncio.sleep(min(max(PACE_S, (time.perf_counter() - began) * RENDER_SHARE), MAX_PACE_S))


def _signed(data: dict[str, Any], proof: Proof) -> dict[str, Any]:
    return {**data, "parts": proof.sign(data["parts"], data["turn"])} if data.get("parts") else data


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
