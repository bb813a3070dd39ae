"""Parley against another's Slack: the npm package `emulate`, where the machine has it and a Node that runs it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot import config as configuration
from bot.app import App
from tests.acceptance.slack_support import ECHO

LAUNCHER = Path(__file__).resolve().parents[3] / "shared" / "tools" / "slack_emulate.mjs"
FOLDER = os.environ.get("EMULATE_DIR", "")
"""The folder with `node_modules/emulate`."""
NODE = os.environ.get("EMULATE_NODE") or shutil.which("node") or ""
"""Node 22.15 or newer."""
pytestmark = pytest.mark.skipif(
    not (LAUNCHER.exists() and FOLDER and NODE),
    reason="EMULATE_DIR does not name a folder with the npm package emulate",
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def emulate(app_port: int) -> AsyncIterator[str]:
    """The package's Slack in a process of its own; gives its address."""
    port = free_port()
    environment = {**os.environ, "SLACK_EMU_PORT": str(port), "EMULATE_DIR": FOLDER}
    environment["APP_EVENTS_URL"] = f"http://127.0.0.1:{app_port}/slack/events"
    process = await asyncio.create_subprocess_exec(NODE, str(LAUNCHER), stdout=asyncio.subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            assert json.loads(await process.stdout.readline())["ready"]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


class Person:
    """Alice, who uses the Web API as her client would."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def call(self, method: str, **args: Any) -> dict[str, Any]:
        """One call with her token."""
        headers = {"Authorization": "Bearer xoxp-emu-user"}
        async with self._http.post(f"{self._url}/api/{method}", json=args, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            assert answer["ok"], answer
            return answer

    async def replies(self, channel: str, ts: str, count: int, words: str) -> list[dict[str, Any]]:
        """The thread, once it has so many replies and the last holds these words."""
        async with asyncio.timeout(15):
            while True:
                found = (await self.call("conversations.replies", channel=channel, ts=ts))["messages"]
                if len(found) > count and words in json.dumps(found[-1]):
                    return list(found[1:])
                await asyncio.sleep(0.05)


@asynccontextmanager
async def both(home: Path) -> AsyncIterator[tuple[Person, str]]:
    """The package's Slack, Parley beside it, and a channel with both of them in it."""
    port = free_port()
    async with emulate(port) as url, aiohttp.ClientSession() as http:
        values = {"slack_api_url": f"{url}/api/", "slack_bot_token": "xoxb-emu-bot", "port": port, "parley_home": home}
        config = configuration.load(env_file=None, slack_signing_secret="test-signing-secret", **values, **ECHO)
        app = App(config, only={"slack"}, durable=False)
        async with app.running(listen=True, serve=True):
            async with http.post(f"{url}/_ctl/invite_bot", json={"channel": "general"}) as invited:
                channel = (await invited.json())["channel"]
            yield Person(http, url), channel


async def test_a_mention_and_its_thread(tmp_path: Path) -> None:
    """Without streams, statuses and sessions a mention is answered in its thread all the same, and so is what follows."""
    async with both(tmp_path) as (alice, channel):
        asked = await alice.call("chat.postMessage", channel=channel, text="<@U0BOT00001> hello from elsewhere")
        (answer,) = await alice.replies(channel, asked["ts"], 1, "hello from elsewhere")
        assert answer["thread_ts"] == asked["ts"]
        await alice.call("chat.postMessage", channel=channel, text="and more", thread_ts=asked["ts"])
        assert len(await alice.replies(channel, asked["ts"], 3, "and more")) == 3


async def test_a_long_answer_grows_by_edits(tmp_path: Path) -> None:
    """Where native streams are unknown the answer is posted and edited, and is one message in the end."""
    async with both(tmp_path) as (alice, channel):
        text = "<@U0BOT00001> [[long 50]] [[slow 0.05]]"
        asked = await alice.call("chat.postMessage", channel=channel, text=text)
        assert len(await alice.replies(channel, asked["ts"], 1, "word49")) == 1
