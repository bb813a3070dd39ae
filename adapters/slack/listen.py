"""What Slack delivers, by socket or HTTP: verified, written down in a middleware, and only then answered."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web
from cachetools import LRUCache, TTLCache
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.shared.tasks import TaskSet, cancel
from adapters.slack.client import SlackClient
from adapters.slack.entities import Directory
from adapters.slack.errors import SlackError
from adapters.slack.files import Files
from adapters.slack.home import Home
from adapters.slack.install import Install
from adapters.slack.parse import parse
from adapters.slack.parse_parts import Payload, bot_user, enterprise, looked_at_channel, workspace
from adapters.slack.ref import SlackRef, TokenScope
from adapters.slack.sockets import Sockets
from adapters.slack.tokens import secret
from bot.ports import Accept
from bot.types import EPOCH, Accepted, ButtonPress, Command, Inbound, InboundMessage

MAX_LOOKED_AT = 5_000
LOOKED_S = 600.0
"""A channel that somebody looked at longer ago is not what they ask about."""
MAX_WRITTEN = 2_000
log = logging.getLogger(__name__)


class Listener:
    """Hands in what comes. Bolt verifies, unpacks and routes; `before_authorize` is the middleware that accepts, as Bolt would
    acknowledge an event before any listener of it ran."""

    def __init__(self, client: SlackClient, directory: Directory, files: Files, home: Home, install: Install) -> None:
        self._client, self._directory, self._files = client, directory, files
        self._home, self._install = home, install
        self.looking_at: TTLCache[tuple[str, str], str] = TTLCache(MAX_LOOKED_AT, LOOKED_S, client.host.clock.monotonic)
        """By workspace and person: the channel beside which they have the agent panel open."""
        self._tasks = TaskSet(log, "Slack")
        self._written: LRUCache[tuple[str, str], asyncio.Task[None]] = LRUCache(MAX_WRITTEN)
        self.sockets = Sockets(client)

    # --- the two ways in ---

    def bolt(self, accept: Accept) -> AsyncApp:
        """The Bolt app whose middleware accepts."""

        async def middleware(req: AsyncBoltRequest, next: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
            if req.body.get("type") == "url_verification":
                return BoltResponse(status=200, body={"challenge": req.body.get("challenge")})
            answer = await self.take(req.body, accept)
            return BoltResponse(status=200, body=answer or "")

        async def authorize(**_: Any) -> AuthorizeResult:
            return AuthorizeResult(enterprise_id=None, team_id=None)

        options = self._client.options
        return AsyncApp(
            name="parley",
            signing_secret=secret(options.slack_signing_secret),
            before_authorize=middleware,
            authorize=authorize,
            logger=_bolt_log(),
        )

    async def listen(self, accept: Accept) -> None:
        """Hold the sockets, if Socket Mode is set up."""
        if not self._client.options.slack_app_token:
            return
        app = self.bolt(accept)

        async def handle(payload: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[bool, dict[str, Any] | None]:
            request = AsyncBoltRequest(mode="socket_mode", body=dict(payload), headers=dict(headers))
            response = await app.async_dispatch(request)
            return response.status == 200, json.loads(response.body) if response.body else None

        await self.sockets.run(handle, self._client.options.slack_socket_count)

    def routes(self, accept: Accept) -> list[web.AbstractRouteDef]:
        """Slack's request URL, if events come by HTTP."""
        if not self._client.options.slack_signing_secret:
            return []
        app = self.bolt(accept)

        async def events(request: web.Request) -> web.Response:
            body = await request.text()
            headers: dict[str, str | Sequence[str]] = dict(request.headers)
            asked = AsyncBoltRequest(body=body, query=request.query_string, headers=headers)
            answer = await app.async_dispatch(asked)
            found = {name: values[0] for name, values in answer.headers.items() if values}
            kind = found.pop("content-type", "text/plain; charset=utf-8")
            return web.Response(
                body=answer.body.encode(), status=answer.status, headers={**found, "Content-Type": kind}
            )

        return [web.post("/slack/events", events)]

    # --- one delivery ---

    async def take(self, body: Payload, accept: Accept) -> dict[str, Any] | None:
        """Write down what a delivery stands for; gives what to answer Slack with. Raises StoreError: then nothing was written."""
        event = body.get("event") or {}
        if body.get("type") == "event_callback" and await self._aside(body, event):
            return None
        if body.get("type") in ("block_actions", "view_submission", "message_action", "view_closed"):
            handled, answer = await self._home.interact(body)
            if handled:
                return answer
        inbound = parse(body, self._client.host.commands)
        if inbound is None or inbound.author.is_bot:
            return None
        if isinstance(inbound, InboundMessage):
            await self._once(body, inbound, accept)
            return None
        return await self._answer_to(inbound, await accept(await self.prepared(body, inbound)))

    async def _once(self, body: Payload, inbound: InboundMessage, accept: Accept) -> None:
        """A post that arrives as mention and as message, or again, is written by whichever comes first; the others wait."""
        key = (inbound.address.channel, inbound.message_id)
        task = self._written.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(self._write(body, inbound, accept))
            self._written[key] = task
        await asyncio.shield(task)

    async def _write(self, body: Payload, inbound: InboundMessage, accept: Accept) -> None:
        prepared = await self.prepared(body, inbound)
        if not prepared.author.is_bot:
            await accept(prepared)

    async def prepared(self, body: Payload, inbound: Inbound) -> Inbound:
        """With names for ids, our own recognised, and a time where Slack sends none."""
        await self._client.tokens.remember_workspace(
            SlackRef.from_ref(inbound.ref, inbound.address.workspace).scope, bot_user(body)
        )
        inbound = await self._with_context(body, inbound)
        if isinstance(inbound, ButtonPress) and SlackRef.from_ref(inbound.ref).stops_session:
            inbound = await self._running_at(inbound)
        if isinstance(inbound, InboundMessage | Command) and inbound.attachments:
            inbound = replace(inbound, attachments=await self._files.described(inbound.attachments))
        if inbound.sent_at == EPOCH:
            inbound = replace(inbound, sent_at=self._client.host.clock.now())
        return await self._directory.named(inbound)

    async def _with_context(self, body: Payload, inbound: Inbound) -> Inbound:
        """A message that is ours or mentions us, even when the delivery names us not; and what the panel looks at."""
        if isinstance(inbound, InboundMessage) and not bot_user(body) and not inbound.author.is_bot:
            inbound = await self._recognised(inbound)
        if isinstance(inbound, InboundMessage) and inbound.is_direct:
            ref = SlackRef.from_ref(inbound.ref)
            channel = ref.looking_at or self.looking_at.get((inbound.address.workspace, ref.user_id), "")
            inbound = replace(inbound, ref=replace(ref, looking_at=channel).to_ref())
        return inbound

    async def _recognised(self, inbound: InboundMessage) -> InboundMessage:
        ref = SlackRef.from_ref(inbound.ref)
        try:
            us = (await self._client.identity(ref.scope)).user_id
        except SlackError:
            return inbound
        is_ours = ref.user_id == us
        mentions = us in ref.mentions
        author = replace(inbound.author, is_bot=inbound.author.is_bot or is_ours)
        return replace(inbound, author=author, mentions_bot=inbound.mentions_bot or mentions)

    async def _running_at(self, press: ButtonPress) -> ButtonPress:
        """The question that is being answered in the thread whose session was stopped."""
        entries = await self._client.host.timeline.entries(press.address, 50)
        running = [
            entry.message_id for entry in entries if entry.is_running and entry.role == "user" and entry.message_id
        ]
        return replace(press, message_id=running[-1]) if running else press

    async def _answer_to(self, inbound: Inbound, accepted: Accepted) -> dict[str, Any] | None:
        """A command that is answered in the channel is shown there; a thumb is thanked for, and a refusal is told."""
        if isinstance(inbound, Command):
            spec = self._client.host.commands.get(inbound.name)
            return None if spec is None or spec.is_private else {"response_type": "in_channel"}
        if isinstance(inbound, ButtonPress) and inbound.action.startswith("thumbs") and accepted.outcome == "done":
            self._tasks.spawn(self._home.thank(inbound))
        if isinstance(inbound, ButtonPress) and accepted.outcome == "refused":
            self._tasks.spawn(self._home.followup_ephemeral(inbound, accepted.reason))
        return None

    # --- what is no message ---

    async def _aside(self, body: Payload, event: Payload) -> bool:
        """Events that are about us rather than for the inbox; True when one was met."""
        scope = TokenScope(workspace(body), enterprise(body))
        match event.get("type"):
            case "app_home_opened":
                self._tasks.spawn(self._home.opened(scope, event))
            case "assistant_thread_started" | "assistant_thread_context_changed":
                thread = event.get("assistant_thread") or {}
                self._note_context(scope.team, str(thread.get("user_id") or ""), thread.get("context") or {})
                if event["type"] == "assistant_thread_started":
                    self._tasks.spawn(self._home.thread_started(scope, thread))
            case "app_context_changed":
                self._note_context(
                    scope.team, str(event.get("user") or event.get("user_id") or ""), event.get("context") or {}
                )
            case "app_uninstalled":
                await self._install.uninstalled(scope.team, scope.enterprise)
            case "tokens_revoked":
                await self._install.revoked(scope.team, scope.enterprise, event)
            case "app_rate_limited":
                log.warning("Slack sends fewer events of %s for a while", scope.team)
            case _:
                return False
        return True

    def _note_context(self, team: str, user: str, context: Payload) -> None:
        self.looking_at[(team, user)] = looked_at_channel(context)

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.close()
        await cancel(*self._written.values())


def _bolt_log() -> logging.Logger:
    """Bolt reads the environment by itself and remarks on what it finds there, none of which it uses here; its errors stay."""
    found = logging.getLogger("adapters.slack.bolt")
    found.setLevel(logging.ERROR)
    return found
