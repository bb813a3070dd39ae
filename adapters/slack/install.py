"""Installing into many workspaces by OAuth: the way there and back, what is kept, and what uninstalling takes away."""

from __future__ import annotations

import hashlib
import hmac
import html
import logging
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urljoin

from aiohttp import web

from adapters.slack import NAME
from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.manifest import BOT_SCOPES
from adapters.slack.tokens import secret
from bot.errors import ConfigError
from bot.ports import Installation

COOKIE = "parley_slack_state"
STATE_S = 600
MAX_CODE = 500
"""Characters of the code, or the error, with which Slack leads back."""
_STATE = re.compile(r"[0-9]{1,12}\.[0-9a-f]{64}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
log = logging.getLogger(__name__)


class Install:
    """OAuth, if a client id and secret are set."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the two addresses of OAuth."""
        options = self._client.options
        if not (options.slack_client_id and options.slack_client_secret):
            return []
        return [web.get("/slack/install", self._redirect_to_slack), web.get("/slack/oauth_redirect", self._install)]

    async def _redirect_to_slack(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(24)
        asked = {
            "client_id": self._client.options.slack_client_id,
            "scope": ",".join(BOT_SCOPES),
            "state": self._state(nonce),
            "redirect_uri": self._redirect_uri(request),
        }
        api = f"{self._client.options.slack_api_url.rstrip('/')}/"
        address = f"{urljoin(api, '../oauth/v2/authorize')}?{urlencode(asked)}"
        response = web.Response(status=302, headers={"Location": address})
        is_secure = _scheme(request) == "https"
        response.set_cookie(COOKIE, nonce, max_age=STATE_S, httponly=True, samesite="Lax", secure=is_secure)
        return response

    def _redirect_uri(self, request: web.Request) -> str:
        base = self._client.options.slack_public_url.rstrip("/")
        return f"{base or f'{_scheme(request)}://{request.host}'}/slack/oauth_redirect"

    def _state(self, nonce: str) -> str:
        """A value that only this browser brings back (the cookie), only we can make (the client secret), and only for a while."""
        at = str(int(self._client.host.clock.now().timestamp()))
        key = secret(self._client.options.slack_client_secret).encode()
        return f"{at}.{hmac.new(key, f'{at}.{nonce}'.encode(), hashlib.sha256).hexdigest()}"

    def _is_valid(self, state: str, nonce: str) -> bool:
        if not _STATE.fullmatch(state) or not _NONCE.fullmatch(nonce):
            return False
        at, _, _ = state.partition(".")
        key = secret(self._client.options.slack_client_secret).encode()
        right = f"{at}.{hmac.new(key, f'{at}.{nonce}'.encode(), hashlib.sha256).hexdigest()}"
        age = self._client.host.clock.now().timestamp() - int(at)
        return age <= STATE_S and hmac.compare_digest(state, right)

    async def _install(self, request: web.Request) -> web.Response:
        if request.query.get("error"):
            return _page("Parley was not installed", f"Slack says: {request.query['error'][:MAX_CODE]}.", 400)
        if not self._is_valid(request.query.get("state", ""), request.cookies.get(COOKIE, "")):
            return _page("This link is too old", "Please begin again at /slack/install.", 400)
        if not 0 < len(request.query.get("code", "")) <= MAX_CODE:
            return _page("Parley was not installed", "Slack sent no code. Please begin again at /slack/install.", 400)
        try:
            answer = await self._client.call_without_bot(
                "oauth.v2.access",
                client_id=self._client.options.slack_client_id,
                client_secret=secret(self._client.options.slack_client_secret),
                code=request.query.get("code", ""),
                redirect_uri=self._redirect_uri(request),
            )
            installation = self.installation_of(answer)
            await self._client.host.installations.keep(installation)
        except SlackError as error:
            return _page("Parley was not installed", error.text, 502)
        except ConfigError as error:
            log.error("an installation could not be kept: %s", error.text)
            return _page("Parley was not installed", "Its operator has to set PARLEY_SECRET_KEY first.", 500)
        self._client.tokens.forget(installation.workspace)
        response = _page(
            "Parley is installed", f"Write to it in {installation.name or 'Slack'}, or mention it in a channel."
        )
        response.del_cookie(COOKIE)
        return response

    def installation_of(self, answer: Mapping[str, Any]) -> Installation:
        """What to keep of the answer to a code: of a workspace, or of a whole organisation."""
        team, enterprise = answer.get("team") or {}, answer.get("enterprise") or {}
        is_wide = bool(answer.get("is_enterprise_install"))
        installed_in = enterprise if is_wide else team
        expires_in = float(answer.get("expires_in") or 0)
        expires_at = self._client.host.clock.now().timestamp() + expires_in if expires_in else 0
        tokens = {
            "bot_token": str(answer.get("access_token") or ""),
            "refresh_token": str(answer.get("refresh_token") or ""),
        }
        data = {
            "app_id": answer.get("app_id", ""),
            "bot_user_id": answer.get("bot_user_id", ""),
            "scope": answer.get("scope", ""),
            "enterprise": enterprise.get("id", ""),
            "is_enterprise_install": is_wide,
            "installer": (answer.get("authed_user") or {}).get("id", ""),
            "expires_at": expires_at,
        }
        kept = {name: value for name, value in tokens.items() if value}
        return Installation(NAME, str(installed_in.get("id") or ""), str(installed_in.get("name") or ""), data, kept)

    async def uninstalled(self, team: str, enterprise: str) -> None:
        """Delete the tokens of a workspace from which the app was removed."""
        for workspace in filter(None, (team, enterprise if await self._is_wide(enterprise) else "")):
            await self._client.host.installations.drop(NAME, workspace)
            self._client.tokens.forget(workspace)

    async def revoked(self, team: str, enterprise: str, event: Mapping[str, Any]) -> None:
        """Delete the tokens of a workspace that revoked the bot's; without it there is nothing left to answer with."""
        if (event.get("tokens") or {}).get("bot"):
            await self.uninstalled(team, enterprise)

    async def _is_wide(self, enterprise: str) -> bool:
        if not enterprise:
            return False
        found = await self._client.host.installations.find(NAME, enterprise)
        return bool(found and found.data.get("is_enterprise_install"))


def _scheme(request: web.Request) -> str:
    """How the browser asked: a proxy in front of us tells, if it says one of the two."""
    told = request.headers.get("X-Forwarded-Proto", "")
    return told if told in ("http", "https") else request.scheme


def _page(title: str, text: str, status: int = 200) -> web.Response:
    body = f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>"
    return web.Response(text=f"{body}<p>{html.escape(text)}</p>", status=status, content_type="text/html")
