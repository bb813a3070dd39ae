"""Socket Mode: holds sockets open at Slack, replaces those that die, and acknowledges only what was written down."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp

from adapters.shared.tasks import TaskSet
from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.tokens import secret
from bot.errors import ConfigError

HEARTBEAT_S = 8.0
"""A ping goes out this often; a socket that does not answer within half of it is dead."""
HELLO_S = 10.0
PAUSES_S = (0.2, 1.0, 3.0, 10.0, 30.0)
SERVED_S = 5.0
"""A socket that ends sooner after its hello is a failure; the next is opened after a pause."""
RECYCLED = "refresh_requested"
"""The one reason of a `disconnect` for which another socket is welcome at once. Source: Slack, Socket Mode."""
REFUSED_S = 1.0
"""Least pause after any other reason, such as `too_many_websockets` or `link_disabled`."""
MAX_SOCKETS = 10
"""Open sockets of an app. Source: Slack, Socket Mode."""
BAD_TOKEN = (
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "not_allowed_token_type",
    "missing_scope",
)
Handle: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, str]], Awaitable[tuple[bool, dict[str, Any] | None]]]
"""Takes a payload and its retry headers; returns whether it was written down, and what to answer with."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """How a socket ended."""

    reason: str
    """Slack's word, or empty when it just broke."""
    served_s: float = 0.0
    """Seconds since its hello."""


class Sockets:
    """Holds the sockets until cancelled."""

    def __init__(self, client: SlackClient, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._client, self.heartbeat_s = client, heartbeat_s
        self._deliveries = TaskSet(log, "Slack")
        self.open = 0
        """Sockets over which Slack has said hello."""
        self.connected = asyncio.Event()
        """Set while there is one."""
        self.disconnected = asyncio.Event()
        """Set while there is none."""

    async def run(self, handle: Handle, count: int) -> None:
        """Hold `count` sockets, ten at most. Raises ConfigError when Slack refuses the app-level token."""
        await self._url()  # a wrong token is reported at once, and once
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(count, MAX_SOCKETS)):
                    group.create_task(self._hold(handle))
        except* ConfigError as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._deliveries.close()

    async def _hold(self, handle: Handle) -> None:
        failures, clock = 0, self._client.host.clock
        while True:
            least_s = 0.0
            try:
                ended = await self._hold_one(handle)
                failures = 0 if ended.served_s >= SERVED_S or ended.reason == RECYCLED else failures + 1
                if ended.reason not in ("", RECYCLED):
                    least_s, failures = REFUSED_S, max(failures, 1)
                    log.warning("Slack ended a socket: %s", ended.reason)
            except (SlackError, aiohttp.ClientError, TimeoutError, OSError) as error:
                failures += 1
                least_s = (error.retry_after_s or 0.0) if isinstance(error, SlackError) else 0.0
                log.warning("a Slack socket could not be opened: %s", error)
            if failures:
                await clock.sleep(max(PAUSES_S[min(failures, len(PAUSES_S)) - 1], least_s))

    async def _url(self) -> str:
        try:
            answer = await self._client.call_without_bot(
                "apps.connections.open", token=secret(self._client.options.slack_app_token)
            )
        except SlackError as error:
            if error.slack_code in BAD_TOKEN:
                raise ConfigError(
                    f"SLACK_APP_TOKEN: Slack refuses it ({error.slack_code}). It must begin with xapp- and have connections:write."
                ) from error
            raise
        return str(answer["url"])

    async def _hold_one(self, handle: Handle) -> Ended:
        """Hold one socket until it ends."""
        url = await self._url()
        async with self._client.session.ws_connect(url, heartbeat=self.heartbeat_s, max_msg_size=0) as socket:
            async with asyncio.timeout(HELLO_S):
                message = await socket.receive()
            greeting = json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else {}
            if greeting.get("type") != "hello":
                return Ended(str(greeting.get("reason") or "no hello"))
            began = self._client.host.clock.monotonic()
            self.open += 1
            self.connected.set()
            self.disconnected.clear()
            try:
                reason = await self._read(socket, handle)
            finally:
                self.open -= 1
                if not self.open:
                    self.connected.clear()
                    self.disconnected.set()
        return Ended(reason, self._client.host.clock.monotonic() - began)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, handle: Handle) -> str:
        """Take what comes until the socket ends; gives Slack's reason for ending it, empty when it just broke."""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            envelope = _json_of(message.data)
            if envelope.get("type") == "disconnect":
                if envelope.get("reason") == "warning":
                    continue  # it closes soon, and says so again
                return str(envelope.get("reason") or "")
            if envelope.get("envelope_id"):
                self._deliveries.spawn(self._deliver(socket, envelope, handle))
        return ""

    async def _deliver(
        self, socket: aiohttp.ClientWebSocketResponse, envelope: Mapping[str, Any], handle: Handle
    ) -> None:
        """Hand the envelope on. What could not be written down is not acknowledged, so that Slack sends it again."""
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


def _json_of(text: str) -> Mapping[str, Any]:
    """The object in a socket's message; an empty one for what is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
