"""The page in the contract suite: the calls that a browser makes, over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.playground import CAPABILITIES
from bot import config as configuration
from bot.app import App
from tests.acceptance.playground_support import Person
from tests.contracts.adapter_cases import ECHO, Case, Platform


@dataclass
class PagePlatform:
    """A person with a browser."""

    app: App
    person: Person
    name: str = "playground"
    sent: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    async def say(self, text: str, files: Sequence[tuple[str, bytes]] = (), after: str | None = None) -> str:
        """Post a message; the page has one conversation open."""
        parts = tuple((name, data, "text/plain") for name, data in files)
        asked = await self.person.post(text, *parts)
        self.sent[asked] = (text, *parts)
        return asked

    async def speak(self, sound: bytes) -> str:
        """Record with the microphone."""
        return await self.person.post("", ("note.ogg", sound, "audio/ogg"), voice=True)

    async def edit(self, question: str, text: str) -> None:
        """Change it."""
        changed = {"id": uuid.uuid4().hex, "text": text}
        (await self.person.http.patch(self._path(question), json=changed)).raise_for_status()

    async def delete(self, question: str) -> None:
        """Take it back."""
        (await self.person.http.delete(self._path(question), params={"id": uuid.uuid4().hex})).raise_for_status()

    def _path(self, question: str) -> str:
        return f"/api/conversations/{self.person.channel}/messages/{question}"

    async def repeat(self, question: str) -> None:
        """Post it again, as a browser does whose connection broke."""
        text, *parts = self.sent[question]
        await self.person.post(text, *parts, message=question)

    async def mention(self, text: str, *, by_bot: bool) -> Any:
        """Nobody else writes here."""
        raise NotImplementedError

    async def answers(self, question: str) -> list[str]:
        """What the page shows from it on."""
        return [entry["text"] for entry in await self._after(question) if entry["role"] == "assistant"]

    async def _after(self, question: str) -> list[dict[str, Any]]:
        entries = await self.person.settled()
        at = next(index for index, entry in enumerate(entries) if entry["id"] == question)
        return entries[at:]

    async def uploads(self, question: str) -> list[bytes]:
        """The clips and pictures of its answers."""
        found = [entry for entry in await self._after(question) if entry["role"] == "assistant"]
        urls = [part["url"] for entry in found for part in entry["parts"] if part.get("url")]
        return [await (await self.person.http.get(url)).read() for url in urls]

    async def buttons(self, question: str) -> set[str]:
        """Those that the page is told to draw under the last entry; none where a new conversation began, which is empty."""
        if not await self.person.entries():
            return set()
        return set((await self._after(question))[-1]["actions"])

    async def settled(self) -> None:
        """No answer is under way."""
        await self.person.settled()


@asynccontextmanager
async def start(home: Path) -> AsyncIterator[Platform]:
    """A Parley that serves the page, and somebody who opened it."""
    config = configuration.load(env_file=None, parley_home=home, port=0, **ECHO)
    async with App(config, only={"playground"}, durable=False).running(serve=True) as app:
        person = Person(app.page_url)
        await person.arrive()
        try:
            yield PagePlatform(app, person)
        finally:
            await person.http.close()


CASE = Case("playground", CAPABILITIES, start, has_bots=False, keeps_posts=False)
