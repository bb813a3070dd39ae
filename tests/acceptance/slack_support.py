"""A Slack on loopback with a whole Parley beside it, wired as in production but for echo models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.slack.adapter import Slack
from adapters.slack.emulator import AppConfig, Message, SlackEmulator
from adapters.slack.reply import ReplyLimits
from bot import config as configuration
from bot.app import App
from bot.ports import Clock
from bot.providers.echo import script
from bot.store import turns
from tests.conftest import UNRATED

ECHO = {
    "chat_model": "echo:echo",
    "transcribe_model": "echo:echo",
    "speech_model": "echo:echo",
    "image_model": "echo:echo",
    "embedding_model": "echo:echo",
}


@dataclass
class World:
    """Slack, Parley, and what a person does between them."""

    slack: SlackEmulator
    app: App

    @property
    def adapter(self) -> Slack:
        """Our side."""
        found = self.app.adapters["slack"]
        assert isinstance(found, Slack)
        return found

    def mention(self, text: str, channel: str = "general", user: str = "ada", **more: Any) -> Message:
        """A person mentions Parley."""
        return self.slack.post(user, channel, f"<@{self.slack.bot.id}> {text}", **more)

    async def answers(self, question: Message, count: int = 1, timeout_s: float = 10) -> list[Message]:
        """Parley's messages in the thread of a question, once so many are finished and no turn runs."""
        thread = question.thread_ts or question.ts

        def finished() -> list[Message]:
            found = [m for m in self.slack.from_bot(question.channel, thread) if m.ts > question.ts]
            return found if len(found) >= count and not any(m.is_streaming for m in found) else []

        await self.slack.wait_for(finished, timeout_s)
        await self.settled()
        return finished()

    async def settled(self) -> None:
        """Wait until every turn has ended in the database."""
        async with asyncio.timeout(20):
            await self.slack.idle()
            while await turns.unfinished(self.app.store):
                await asyncio.sleep(0.01)
            await self.slack.idle()  # files are shared a moment after their upload ended


def config_for(slack: SlackEmulator, home: Path, **values: Any) -> Any:
    """A configuration against this Slack."""
    environment: dict[str, Any] = {name.lower(): value for name, value in slack.environment().items()}
    environment |= {"parley_home": home, "port": 0, "slack_socket_count": 1, **ECHO, **UNRATED}
    return configuration.load(env_file=None, **{**environment, **values})


@asynccontextmanager
async def parley(slack: SlackEmulator, home: Path, **values: Any) -> AsyncIterator[World]:
    """Start Parley against this Slack and wait until it hears."""
    durable, name = values.pop("durable", False), values.pop("name", "main")
    reply_limits: ReplyLimits | None = values.pop("reply_limits", None)
    clock: Clock | None = values.pop("clock", None)
    is_http = not slack.app.socket_mode
    if is_http:
        values.setdefault("slack_app_token", None)
    app = App(config_for(slack, home, **values), only={"slack"}, durable=durable, name=name, clock=clock)
    async with app.running(listen=True, serve=is_http):
        if is_http:
            slack.configure(events_url=f"http://127.0.0.1:{app.port}/slack/events")
        else:
            await slack.wait_for(lambda: len(slack.sockets) >= app.config.slack_socket_count)  # type: ignore[attr-defined]
        made = World(slack, app)
        made.adapter.replies.limits = reply_limits or made.adapter.replies.limits
        yield made


@asynccontextmanager
async def world(home: Path, *, http: bool = False, limits: Any = "off", **values: Any) -> AsyncIterator[World]:
    """Both sides."""
    app = values.pop("slack_app", None) or AppConfig(socket_mode=not http)
    async with SlackEmulator(app, limits=limits) as slack, parley(slack, home, **values) as made:
        yield made


__all__ = ["ECHO", "World", "config_for", "parley", "script", "world"]
