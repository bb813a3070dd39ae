"""Socket Mode: sockets held open at Slack, each noticed when it dies and replaced; acknowledged is what is written."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import aiohttp

from adapters.slack.client import SlackClient, SlackError, secret
from bot.errors import ConfigError

HEARTBEAT_S = 8.0
"""A ping goes out this often; a socket that does not answer within half of it is dead."""
HELLO_S = 10.0
AGAIN_S = (0.2, 1.0, 3.0, 10.0, 30.0)
MAX_SOCKETS = 10
"""Open sockets of an app. Source: Slack, Socket Mode."""
UNWANTED = ("too_many_websockets", "link_disabled")
"""Reasons of a disconnect after which another socket would be closed as well. Source: Slack, Socket Mode, disconnects."""
BAD_TOKEN = (
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "not_allowed_token_type",
    "missing_scope",
)
Handle: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, str]], Awaitable[tuple[bool, dict[str, Any] | None]]]
"""Takes a payload and its retry headers; gives whether it is written, and what to answer with."""
log = logging.getLogger(__name__)


class Sockets:
    """Holds the sockets until cancelled."""

    def __init__(self, client: SlackClient, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._client, self.heartbeat_s = client, heartbeat_s
        self._working: set[asyncio.Task[None]] = set()
        self.open = 0
        """Sockets over which Slack has said hello."""
        self.connected = asyncio.Event()
        """Set while there is one."""
        self.disconnected = asyncio.Event()
        """Set while there is none."""

    async def run(self, handle: Handle, count: int) -> None:
        """Hold so many of them, ten at most. Raises ConfigError when Slack does not take the app-level token."""
        await self._url()  # a wrong token is said at once, and once
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(count, MAX_SOCKETS)):
                    group.create_task(self._hold(handle))
        except* ConfigError as errors:
            raise errors.exceptions[0] from None
        finally:
            for task in list(self._working):
                task.cancel()
            await asyncio.gather(*self._working, return_exceptions=True)

    async def _hold(self, handle: Handle) -> None:
        failures = 0
        while True:
            try:
                failures = 0 if await self._one(handle) else failures + 1
            except (SlackError, aiohttp.ClientError, TimeoutError, OSError) as error:
                failures += 1
                log.warning("a Slack socket could not be opened: %s", error)
                if error_waits := getattr(error, "retry_after_s", None):
                    await self._client.host.clock.sleep(error_waits)
            if failures:
                await self._client.host.clock.sleep(AGAIN_S[min(failures, len(AGAIN_S)) - 1])

    async def _url(self) -> str:
        try:
            answer = await self._client.unauthorized(
                "apps.connections.open", token=secret(self._client.options.slack_app_token)
            )
        except SlackError as error:
            if error.slack_code in BAD_TOKEN:
                raise ConfigError(
                    f"SLACK_APP_TOKEN: Slack refuses it ({error.slack_code}); it begins with xapp- and needs connections:write."
                ) from error
            raise
        return str(answer["url"])

    async def _one(self, handle: Handle) -> bool:
        """Hold one socket until it ends; True when another may follow at once."""
        url = await self._url()
        async with self._client.session.ws_connect(url, heartbeat=self.heartbeat_s, max_msg_size=0) as socket:
            async with asyncio.timeout(HELLO_S):
                message = await socket.receive()
            if message.type != aiohttp.WSMsgType.TEXT or json.loads(message.data).get("type") != "hello":
                return False
            self.open += 1
            self.connected.set()
            self.disconnected.clear()
            try:
                is_wanted = await self._read(socket, handle)
            finally:
                self.open -= 1
                if not self.open:
                    self.connected.clear()
                    self.disconnected.set()
        return is_wanted

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, handle: Handle) -> bool:
        """Take what comes until it ends; False when Slack wants no other one in its place."""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            envelope = json.loads(message.data)
            if envelope.get("type") == "disconnect":
                if envelope.get("reason") == "warning":
                    continue  # it closes soon, and says so again
                return envelope.get("reason") not in UNWANTED
            if envelope.get("envelope_id"):
                task = asyncio.create_task(self._take(socket, envelope, handle))
                self._working.add(task)
                task.add_done_callback(self._working.discard)
        return True

    async def _take(self, socket: aiohttp.ClientWebSocketResponse, envelope: Mapping[str, Any], handle: Handle) -> None:
        """What is not written is not acknowledged: Slack sends it again."""
        retry = {}
        if envelope.get("retry_attempt"):
            retry = {"x-slack-retry-num": str(envelope["retry_attempt"])}
            retry["x-slack-retry-reason"] = str(envelope.get("retry_reason") or "")
        is_written, answer = await handle(envelope.get("payload") or {}, retry)
        if not is_written:
            return
        acknowledged: dict[str, Any] = {"envelope_id": envelope["envelope_id"]}
        if answer and envelope.get("accepts_response_payload"):
            acknowledged["payload"] = answer
        with suppress(ConnectionError, RuntimeError):  # the socket died meanwhile; the repeat will be met as one
            await socket.send_str(json.dumps(acknowledged))
