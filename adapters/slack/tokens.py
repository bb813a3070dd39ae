"""Bot tokens: which one serves a workspace, kept for a while, and renewed before it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from cachetools import LRUCache, TTLCache

from adapters.slack import NAME, Options
from adapters.slack.errors import SlackError
from adapters.slack.ref import TokenScope
from bot.ports import Host, Installation

KNOWN_S = 30.0
"""An installation is asked of the database at most this often."""
RENEW_AGAIN_S = 60.0
"""After a renewal failed, the old token serves for this long before the next attempt."""
RENEW_BEFORE_S = 7_200
"""A rotating token is renewed this long before it ends. Source: Slack, Token rotation (tokens live 12 hours)."""
MAX_KNOWN = 10_000
"""Workspaces known at once; any other is asked of the database."""
Exchange: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
"""Calls a method that needs no bot token. Raises SlackError."""
UNKNOWN = Installation(NAME, "")
"""Stands for a workspace that the database was not asked for lately, as None says that it has no installation."""
log = logging.getLogger(__name__)


class Tokens:
    """The tokens of all workspaces."""

    def __init__(self, options: Options, host: Host, exchange: Exchange) -> None:
        self._options, self._host, self._exchange = options, host, exchange
        self._installations: TTLCache[TokenScope, Installation | None] = TTLCache(
            MAX_KNOWN, KNOWN_S, host.clock.monotonic
        )
        self._looking: WeakValueDictionary[TokenScope, asyncio.Lock] = WeakValueDictionary()
        self._renewing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._renew_at: LRUCache[str, float] = LRUCache(MAX_KNOWN)
        """By workspace: when a renewal that failed is tried again, in Unix seconds."""
        self._remembered: LRUCache[tuple[TokenScope, str], bool] = LRUCache(MAX_KNOWN)

    async def find(self, scope: TokenScope) -> str:
        """The bot token: of the workspace's installation, its organisation's, or the one configured. Raises SlackError."""
        installation = await self.installation(scope)
        if installation is not None:
            return (await self._lasting(scope, installation)).secrets["bot_token"]
        if self._options.slack_bot_token:
            return str(self._options.slack_bot_token.get_secret_value())
        raise SlackError(
            "Parley is not installed in this workspace any more.",
            slack_code="not_installed",
            detail=f"no token for {scope}",
        )

    async def installation(self, scope: TokenScope) -> Installation | None:
        """What is stored for this workspace, or for its organisation. The database is asked now and then."""
        if not self._options.slack_client_id:
            return None
        found = self._installations.get(scope, UNKNOWN)
        if found is not UNKNOWN:
            return found
        async with self._looking.setdefault(scope, asyncio.Lock()):
            found = self._installations.get(scope, UNKNOWN)
            if found is UNKNOWN:
                found = self._installations[scope] = await self._stored(scope)
            return found

    async def _stored(self, scope: TokenScope) -> Installation | None:
        found = await self._host.installations.find(NAME, scope.team) if scope.team else None
        if found is not None and found.secrets.get("bot_token"):
            return found
        enterprise = scope.enterprise or str(found.data.get("enterprise", "") if found else "")
        return await self._host.installations.find(NAME, enterprise) if enterprise else None

    def forget(self, workspace: str) -> None:
        """An installation changed or went: it is asked of the database anew."""
        for scope, found in list(self._installations.items()):
            if workspace in (scope.team, scope.enterprise, found.workspace if found else ""):
                self._installations.pop(scope, None)
        for scope, bot_user_id in list(self._remembered):
            if workspace in (scope.team, scope.enterprise):
                self._remembered.pop((scope, bot_user_id), None)

    # --- workspaces of an organisation ---

    async def remember_workspace(self, scope: TokenScope, bot_user_id: str) -> None:
        """Store which organisation's installation serves a workspace, and who we are there.

        Only deliveries say so, and after a downtime messages are fetched before any delivery came.
        """
        if not scope.enterprise or not bot_user_id or (scope, bot_user_id) in self._remembered:
            return
        installation = await self.installation(scope)
        if installation is None or installation.workspace != scope.enterprise:
            return
        data = {"enterprise": scope.enterprise, "bot_user_id": bot_user_id}
        await self._host.installations.keep(Installation(NAME, scope.team, "", data))
        self._remembered[scope, bot_user_id] = True

    async def stored_bot_user_id(self, scope: TokenScope) -> str:
        """Our user id in the workspace as its installation or a delivery told it, or empty."""
        if not self._options.slack_client_id or not scope.team:
            return ""
        found = await self._host.installations.find(NAME, scope.team)
        return str(found.data.get("bot_user_id", "")) if found else ""

    # --- rotation ---

    async def _lasting(self, scope: TokenScope, installation: Installation) -> Installation:
        """The installation with a token that lives on; a rotating one is renewed before it ends. Raises SlackError."""
        expires_at, now = _expires_at(installation), self._host.clock.now().timestamp()
        if not expires_at or expires_at - now > RENEW_BEFORE_S:
            return installation
        if now < min(self._renew_at.get(installation.workspace, 0), expires_at):
            return installation  # the renewal failed a moment ago, and the token serves on
        async with self._renewing.setdefault(installation.workspace, asyncio.Lock()):
            newest = await self._newest(scope, installation)  # another task or process may have renewed it meanwhile
            if newest is None or _expires_at(newest) != expires_at:
                return newest or installation
            try:
                return await self._renew(newest)
            except SlackError as error:
                return await self._serving(scope, newest, error)

    async def _newest(self, scope: TokenScope, installation: Installation) -> Installation | None:
        self.forget(installation.workspace)
        return await self.installation(scope)

    async def _serving(self, scope: TokenScope, installation: Installation, error: SlackError) -> Installation:
        """What serves when a renewal failed: what another process got, else the old token while it lives. Raises the error."""
        newest = await self._newest(scope, installation)
        if newest is not None and _expires_at(newest) != _expires_at(installation):
            return newest
        now = self._host.clock.now().timestamp()
        if _expires_at(installation) <= now:
            raise error
        log.warning("a Slack token could not be renewed yet: %s", error.detail or error.text)
        self._renew_at[installation.workspace] = now + RENEW_AGAIN_S
        return installation

    async def _renew(self, installation: Installation) -> Installation:
        answer = await self._exchange(
            "oauth.v2.access",
            client_id=self._options.slack_client_id,
            client_secret=secret(self._options.slack_client_secret),
            grant_type="refresh_token",
            refresh_token=installation.secrets["refresh_token"],
        )
        expires_at = self._host.clock.now().timestamp() + float(answer.get("expires_in") or 0)
        refresh_token = answer.get("refresh_token", installation.secrets["refresh_token"])
        tokens = {"bot_token": answer["access_token"], "refresh_token": refresh_token}
        renewed = replace(
            installation,
            data={**installation.data, "expires_at": expires_at},
            secrets={**installation.secrets, **tokens},
        )
        await self._host.installations.keep(renewed)
        self.forget(installation.workspace)
        return renewed


def _expires_at(installation: Installation) -> float:
    """In Unix seconds; 0 for a token that does not end."""
    return float(installation.data.get("expires_at") or 0)


def secret(value: Any) -> str:
    """The text of a SecretStr, or empty."""
    return str(value.get_secret_value()) if value else ""
