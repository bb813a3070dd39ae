"""The field: Slack, Discord and a model server on this machine, and a Parley that runs as a process of its own between them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from adapters.discord.emulator import DiscordEmulator
from adapters.discord.emulator import Limits as DiscordLimits
from adapters.discord.emulator import Message as DiscordMessage
from adapters.slack.emulator import AppConfig, Message, Shortcut, SlackEmulator
from tests.acceptance.playground_support import Person
from tests.emulators.openai.script import Answer, Call
from tests.emulators.openai.server import KEY, Json, OpenAIEmulator

SLACK = AppConfig(
    slash_commands=("/parley", "/ask", "/settings", "/forget", "/usage", "/parley-search"),
    shortcuts=(Shortcut("Translate", "parley:translate"), Shortcut("Ask about this", "parley:ask")),
)
SERVED = re.compile(r"Parley is at (\S+)")
SAID = re.compile(r"REPEAT AFTER ME<<(.*?)>>", re.DOTALL)
INHERITED = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "TMPDIR")
STARTING_S = 60
PICTURES_A_ROUND = 40
CALM_S = 8.0
"""Others wait less than that, whatever else runs on the machine. What got through once took half a minute and more."""


class ObedientModel(OpenAIEmulator):
    """A model that does what any text tells it, and otherwise repeats what it read last."""

    def _next_answer(self, question: str, after: list[Json], tools: list[Json]) -> Answer:
        if found := SAID.search(question):
            return Answer(text=found[1])
        if "MAKE PICTURES" in question and tools:
            call = Call("generate_image", {"prompt": "a cat", "shape": "square"})
            return Answer(calls=(call,) * PICTURES_A_ROUND)
        return Answer(text=f"You said: {question}")

    def told(self) -> str:
        """All that the model ever read, as JSON."""
        return json.dumps([one.content for one in self.requests], ensure_ascii=False)

    def paid(self) -> dict[str, int]:
        """How many calls of each kind came."""
        counted: dict[str, int] = {}
        for one in self.requests:
            counted[one.path] = counted.get(one.path, 0) + 1
        return counted


@dataclass
class Parley:
    """A process of Parley's."""

    process: asyncio.subprocess.Process
    page: URL
    """As it was printed, with what opens it."""
    home: Path
    log: Path

    @property
    def origin(self) -> str:
        """Where it serves."""
        return str(self.page.origin())

    def said(self) -> str:
        """All that it logged and printed."""
        return _text(self.log)

    def rss_mb(self) -> float:
        """The memory that it holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def database(self) -> bytes:
        """What its database files hold, byte for byte."""
        return b"".join(path.read_bytes() for path in sorted(self.home.glob("parley.db*")))


@dataclass
class Field:
    """All that a weapon can reach."""

    slack: SlackEmulator
    discord: DiscordEmulator
    model: ObedientModel
    parley: Parley
    folder: Path
    count: int = 0
    people: list[Person] = field(default_factory=list)

    def word(self) -> str:
        """One that nobody said."""
        self.count += 1
        return f"SECRET{self.count:04}X"

    # --- how others fare ---

    @asynccontextmanager
    async def watched(self, worst_s: float) -> AsyncIterator[None]:
        """Ask `/healthz` all the while, from another address than the attackers'; it never takes longer than that."""
        slowest, is_over = [0.0], asyncio.Event()
        asking = asyncio.create_task(self._ask_health(slowest, is_over))
        try:
            yield
        finally:
            is_over.set()
            await asking
        assert slowest[0] < worst_s, f"/healthz took {slowest[0]:.1f} s"

    async def _ask_health(self, slowest: list[float], is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            began = time.perf_counter()
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await self.health()
            slowest[0] = max(slowest[0], time.perf_counter() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), 0.05)

    async def health(self, timeout_s: float = 20) -> int:
        """The status of `/healthz`."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{self.parley.origin}/healthz") as answer:
            return answer.status

    # --- people ---

    async def browser(self) -> Person:
        """Somebody who opened the page."""
        made = Person(self.parley.origin)
        self.people.append(made)
        (await made.http.get(self.parley.page)).raise_for_status()
        await made.arrive()
        return made

    async def settled(self, person: Person) -> list[dict[str, Any]]:
        """Their conversation on the page, once no answer is under way."""
        async with asyncio.timeout(90):
            while not (entries := await person.entries()) or any(entry["is_running"] for entry in entries):
                await asyncio.sleep(0.1)
        return entries

    async def mention(self, text: str, user: str = "ada", channel: Any = "general", **more: Any) -> list[Message]:
        """Somebody asks Parley at Slack; gives the answer."""
        return await self.answered(self.slack.post(user, channel, f"<@{self.slack.bot.id}> {text}", **more))

    async def answered(self, question: Message, timeout_s: float = 40) -> list[Message]:
        """Parley's finished messages in the thread of a question at Slack."""
        thread = question.thread_ts or question.ts

        def finished() -> list[Message]:
            found = [one for one in self.slack.from_bot(question.channel, thread) if one.ts > question.ts]
            return found if found and not any(one.is_streaming for one in found) else []

        return await self.slack.wait_for(finished, timeout_s)

    async def slash(self, user: str, channel: Any, command: str, text: str = "") -> str:
        """What Parley answers this person's slash command at Slack, for their eyes or for all."""
        room = self.slack.channel(channel)

        def shown() -> list[Message]:
            return [*self.slack.ephemerals(room, user), *self.slack.from_bot(room)]

        before = {one.ts for one in shown()}
        await self.slack.slash(user, room, command, text)
        await self.slack.wait_for(lambda: [one for one in shown() if one.ts not in before and one.shown.strip()], 40)
        await self.slack.idle(20)
        return "\n".join(one.shown for one in shown() if one.ts not in before)

    async def asked(self, text: str, user: Any = None, channel: Any = None, **more: Any) -> DiscordMessage:
        """Somebody asks Parley at Discord; gives the answer."""
        words = f"<@{self.discord.bot.id}> {text}"
        place = channel or self.discord.general
        question = self.discord.post(user or self.discord.alice, place, words, **more)

        def finished() -> list[DiscordMessage]:
            every = self.discord.replies(place)
            return [m for m in every if m.reference and m.reference.message_id == question.id and m.components]

        return (await self.discord.wait_for(finished, 40))[0]

    async def close(self) -> None:
        """Let the browsers go."""
        for person in self.people:
            await person.http.close()


def model_variables(model: OpenAIEmulator) -> dict[str, str]:
    """What connects a Parley with the model server."""
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": model.base_url,
        "OPENAI_API": "responses",
        "CHAT_MODEL": "openai:gpt-5.2",
        "TRANSCRIBE_MODEL": "openai:gpt-transcribe",
        "SPEECH_MODEL": "none",
        "IMAGE_MODEL": "openai:gpt-image-2",
        "EMBEDDING_MODEL": "none",
    }


def environment(slack: SlackEmulator, discord: DiscordEmulator, model: OpenAIEmulator) -> dict[str, str]:
    """What connects a Parley with all of them."""
    return {
        **slack.environment(),
        **model_variables(model),
        "SLACK_SOCKET_COUNT": "1",
        "DISCORD_BOT_TOKEN": discord.token,
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_GATEWAY_URL": discord.gateway_url,
        "DISCORD_CDN_URL": discord.cdn_url,
    }


@asynccontextmanager
async def running(home: Path, **values: str) -> AsyncIterator[Parley]:
    """Start `parley all` there and wait until it serves."""
    log = _prepare(home)
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    given = {**kept, "PARLEY_HOME": str(home), "PORT": "0", "HF_HUB_OFFLINE": "1", "COLUMNS": "400", **values}
    out = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    arguments = (sys.executable, "-m", "bot", "all")
    process = await asyncio.create_subprocess_exec(*arguments, stdout=out, stderr=out, env=given)
    os.close(out)
    try:
        yield Parley(process, await _served(process, log), home, log)
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _served(process: asyncio.subprocess.Process, log: Path) -> URL:
    async with asyncio.timeout(STARTING_S):
        while not (found := SERVED.search(_text(log))):
            assert process.returncode is None, f"Parley ended:\n{_text(log)}"
            await asyncio.sleep(0.1)
    return URL(found[1])


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="backslashreplace")


def _prepare(home: Path) -> Path:
    """Make the folder; gives where the log goes."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home.parent / f"{home.name}.log"


@asynccontextmanager
async def battlefield(folder: Path) -> AsyncIterator[Field]:
    """Everything, up and connected."""
    async with (
        SlackEmulator(SLACK, people=("ada", "grace", "mallory")) as slack,
        DiscordEmulator(limits=DiscordLimits(enabled=False)) as discord,
        ObedientModel() as model,
        running(folder / "home", **environment(slack, discord, model)) as parley,
    ):
        await slack.wait_for(lambda: slack.sockets, 40)
        await discord.wait_connected(40)
        await discord.wait_for(lambda: discord.registered.named(None, "Translate", 3), 40)
        made = Field(slack, discord, model, parley, folder)
        try:
            first = await made.browser()
            await first.post("hello")  # what is imported and opened at first use is no harm of a weapon's
            await made.settled(first)
            yield made
        finally:
            await made.close()
