"""A bare bot of the Discord emulator: calls by HTTP, and a gateway's socket, for what a library would smooth over."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from adapters.discord.emulator import DiscordEmulator

Ask = Callable[..., Awaitable[tuple[int, Any]]]


def caller(server: DiscordEmulator, session: aiohttp.ClientSession) -> Ask:
    """A way to send calls to one emulator."""

    async def send(
        method: str,
        path: str,
        body: Any = None,
        *,
        files: list[tuple[str, bytes, str]] | None = None,
        token: str | None = None,
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bot {token or server.token}"}
        sent: dict[str, Any] = {"json": body} if body is not None else {}
        if files is not None:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("payload_json", json.dumps(body))
            for index, (name, data, kind) in enumerate(files):
                form.add_field(f"files[{index}]", io.BytesIO(data), filename=name, content_type=kind)
            sent = {"data": form}
        async with session.request(method, server.api_url + path, headers=headers, **sent) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None

    return send


async def hello(
    session: aiohttp.ClientSession, server: DiscordEmulator, **query: str
) -> aiohttp.ClientWebSocketResponse:
    """Connect and read the greeting."""
    ws = await session.ws_connect(server.gateway_url, params={"v": "10", "encoding": "json", **query})
    if "compress" not in query:
        assert (await ws.receive_json())["op"] == 10
    return ws


def identify(server: DiscordEmulator, **change: Any) -> dict[str, Any]:
    """An IDENTIFY for everything that is granted."""
    data = {"token": server.token, "intents": (1 << 9) | (1 << 15) | 1, "properties": {}}
    return {"op": 2, "d": data | change}
