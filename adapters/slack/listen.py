"""The two ways in, sockets and HTTP, to the one Bolt app that verifies, unpacks and routes what Slack delivers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.shared.tasks import TaskSet
from adapters.slack.client import SlackClient
from adapters.slack.deliveries import Deliveries
from adapters.slack.home import Home
from adapters.slack.install import Install
from adapters.slack.intake import Intake
from adapters.slack.parse import NOT_SHAPED_SO
from adapters.slack.rights import Rights
from adapters.slack.signed import JunkError, checked, delivery_of, is_signed, may_be_signed
from adapters.slack.sockets import Sockets
from adapters.slack.tokens import secret
from bot.ports import Accept

UNHANDLED = 404
"""What Bolt answers when no listener takes a delivery."""
log = logging.getLogger(__name__)


class Listener:
    """Hears Slack."""

    def __init__(self, client: SlackClient, intake: Intake, home: Home, install: Install, rights: Rights) -> None:
        self._client, self._intake, self._home, self._install = client, intake, home, install
        self._rights = rights
        self._tasks = TaskSet(log, "Slack")
        self.sockets = Sockets(client)

    def bolt(self, accept: Accept) -> AsyncApp:
        """The Bolt app. Its listeners run before Slack has its answer: what is not written down is not acknowledged."""
        app = AsyncApp(
            name="parley",
            request_verification_enabled=False,  # done before anything is read: `signed.py`
            authorize=_authorize,
            process_before_response=True,
            ignoring_self_events_enabled=False,  # the parsers mark our own posts, and their rule holds for other bots too
            attaching_conversation_kwargs_enabled=False,
            logger=_bolt_log(),
        )
        Deliveries(self._client, self._intake, self._home, self._install, self._rights, self._tasks, accept).register(
            app
        )
        return app

    async def listen(self, accept: Accept) -> None:
        """Hold the sockets, if Socket Mode is set up."""
        if not self._client.options.slack_app_token:
            return
        app = self.bolt(accept)

        async def handle(payload: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[bool, dict[str, Any] | None]:
            response = await _dispatch(app, payload, headers)
            return response.status == 200, json.loads(response.body) if response.body else None

        await self.sockets.run(handle, self._client.options.slack_socket_count)

    def routes(self, accept: Accept) -> list[web.AbstractRouteDef]:
        """Slack's request URL, if events come by HTTP."""
        if not self._client.options.slack_signing_secret:
            return []
        app = self.bolt(accept)

        async def events(request: web.Request) -> web.Response:
            if request.headers.get("Content-Encoding", "identity") != "identity":
                return web.Response(status=415)
            now_s = self._client.host.clock.now().timestamp()
            if not may_be_signed(request.headers, now_s):
                return web.Response(status=401)
            body = await request.read()
            if not is_signed(secret(self._client.options.slack_signing_secret), body, request.headers, now_s):
                return web.Response(status=401)
            try:
                delivery = delivery_of(body, request.content_type)
            except JunkError as error:
                log.warning("what came to /slack/events is no delivery: %s", error)
                return web.Response(status=400)
            return await to_aiohttp_response(await _dispatch(app, delivery, request.headers))

        return [web.post("/slack/events", events)]

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.close()
        await self._intake.close()


async def _dispatch(app: AsyncApp, body: Any, headers: Mapping[str, str]) -> BoltResponse:
    """Bolt's answer. What no listener takes is acknowledged: delivered again, it would be taken no more than now."""
    try:
        request = AsyncBoltRequest(mode="socket_mode", body=checked(body), headers=dict(headers))
        response = await app.async_dispatch(request)
    except NOT_SHAPED_SO as error:  # Bolt reads them too; what a listener raises, it catches
        log.warning("a delivery of Slack is none: %s", error if isinstance(error, JunkError) else type(error).__name__)
        return BoltResponse(status=400)
    return BoltResponse(status=200) if response.status == UNHANDLED else response


async def _authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    """Bolt asks for each delivery whose installation it is for. It needs no token: all calls go through `SlackClient`."""
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


def _bolt_log() -> logging.Logger:
    """Bolt reads the environment by itself and remarks on what it finds there, none of which it uses here; its errors stay."""
    found = logging.getLogger("adapters.slack.bolt")
    found.setLevel(logging.ERROR)
    return found
