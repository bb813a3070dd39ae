"""A running Parley with its page, and a person who uses it as the browser does."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from bot.app import App
from tests.conftest import MakeConfig

OGG = b"OggS\x00\x02" + bytes(range(200))


@dataclass
class Playground:
    """A running Parley that serves the page."""

    app: App
    url: str
    """Where a person on this machine enters."""
    passed: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def playing(make_config: MakeConfig, **values: Any) -> AsyncIterator[Playground]:
    """Serve the page on a free port of this machine."""
    app = App(make_config(**values), only=("playground",), durable=False)
    async with app.running(serve=True):
        yield Playground(app, app.page_url)


class Person:
    """Somebody with a browser: a cookie jar, and the calls that the page makes."""

    def __init__(self, url: str) -> None:
        """url: what Parley printed when it started."""
        self.entrance = URL(url)
        self.http = aiohttp.ClientSession(self.entrance.origin(), cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.channel = ""

    async def arrive(self) -> dict[str, Any]:
        """Open the page; begins a conversation."""
        (await self.http.get(self.entrance)).raise_for_status()
        status: dict[str, Any] = await self.get("/api/status")
        self.channel = f"{status['handle']}-{uuid.uuid4().hex}"
        return status

    async def get(self, path: str) -> Any:
        """JSON from there."""
        async with self.http.get(path) as response:
            response.raise_for_status()
            return await response.json()

    async def post(self, text: str, *files: tuple[str, bytes, str], voice: bool = False, message: str = "") -> str:
        """Post a message; gives its id."""
        message = message or uuid.uuid4().hex
        form = aiohttp.FormData(
            {"conversation": self.channel, "id": message, "text": text, "duration_s": "1.5"}, default_to_multipart=True
        )
        for name, data, mime_type in files:
            form.add_field("voice" if voice else "file", io.BytesIO(data), filename=name, content_type=mime_type)
        async with self.http.post("/api/messages", data=form) as response:
            assert response.status == 202, await response.text()
        return message

    async def press(self, message: str, action: str) -> dict[str, Any]:
        """Press a button under an answer."""
        path = f"/api/conversations/{self.channel}/messages/{message}/press"
        async with self.http.post(path, json={"id": uuid.uuid4().hex, "action": action}) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """The events of the conversation, from now on."""
        async with self.http.get("/api/events", params={"conversation": self.channel}, read_bufsize=2**22) as response:
            events = read_events(response)
            assert (await anext(events))[0] == "ready"
            yield events

    async def entries(self) -> list[dict[str, Any]]:
        """The history."""
        found: list[dict[str, Any]] = await self.get(f"/api/conversations/{self.channel}")
        return found

    async def settled(self) -> list[dict[str, Any]]:
        """The history, once no answer is under way."""
        for _ in range(200):
            entries = await self.entries()
            if entries and not any(entry["is_running"] for entry in entries):
                return entries
            await asyncio.sleep(0.02)
        raise AssertionError("an answer does not end")


async def read_events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """Name and data of each server-sent event."""
    name = ""
    async for line in response.content:
        if line.startswith(b"event: "):
            name = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


async def until_done(events: AsyncIterator[tuple[str, Any]]) -> tuple[list[str], dict[str, Any]]:
    """What the page shows after each event, and the final event."""
    page: list[str] = []
    states = []
    async with asyncio.timeout(15):
        async for name, data in events:
            if name == "blocks":
                page[data["at"] :] = data["blocks"]
                states.append("".join(page))
            if name == "done":
                return states, data
    raise AssertionError("the stream ended early")
