"""The door to Slack's Web API: the right token for each workspace, the rate limiter's pace, one kind of error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import Options
from adapters.slack.limiter import RateLimiter
from bot.errors import BotError, ConfigError, PlatformError
from bot.ports import Host, Installation

NAME = "slack"
TIMEOUT_S = 20
TRIES = 5
KNOWN_S = 30.0
"""An installation is asked of the database at most this often."""
PATIENCE_S = 120.0
"""A call that Slack would let through only after this long is given up."""
REFRESH_AGAIN_S = 60.0
"""After an exchange of tokens failed, the old one serves for this long before the next attempt."""
REFRESH_BEFORE_S = 7_200
"""A rotating token is renewed this long before it ends. Source: Slack, Token rotation (tokens live 12 hours)."""
GONE = ("account_inactive", "token_revoked", "invalid_auth", "token_expired", "not_authed")
log = logging.getLogger(__name__)


class SlackError(PlatformError):
    """Slack refused a call; `slack_code` is its word for why."""

    def __init__(
        self, text: str, *, slack_code: str = "", retry_after_s: float | None = None, detail: str = ""
    ) -> None:
        super().__init__(text, retry_after_s=retry_after_s, detail=detail)
        self.slack_code = slack_code


@dataclass(frozen=True)
class Place:
    """Whose token a call needs: the workspace, and the organisation it belongs to where there is one."""

    team: str
    enterprise: str = ""


@dataclass(frozen=True)
class Identity:
    """Who we are in a workspace."""

    user_id: str
    bot_id: str = ""
    team: str = ""
    team_name: str = ""
    url: str = ""
    scopes: frozenset[str] = frozenset()


class SlackClient:
    """Calls methods of the Web API for any workspace."""

    def __init__(self, options: Options, host: Host) -> None:
        self.options = options
        self.host = host
        self.limiter = RateLimiter(host.clock)
        self._session: aiohttp.ClientSession | None = None
        self._clients: dict[str, AsyncWebClient] = {}
        self._identities: dict[str, Identity] = {}
        self._installations: dict[Place, tuple[float, Installation | None]] = {}
        self._asking: dict[Place, asyncio.Lock] = {}
        self._refreshing: dict[str, asyncio.Lock] = {}
        self._refresh_at: dict[str, float] = {}
        self._noted: set[tuple[Place, str]] = set()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one HTTP session; made when first asked for, inside the loop."""
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=None, connect=TIMEOUT_S, sock_read=TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    # --- calling ---

    async def call(
        self, place: Place, method: str, *, can_repeat: bool = True, patience_s: float = PATIENCE_S, **args: Any
    ) -> dict[str, Any]:
        """Call when its turn has come; waits out 429 and short trouble. Raises SlackError.

        can_repeat: False for what would be done twice if only its answer was lost. patience_s: a longer 429 is an error.
        """
        channel = str(args.get("channel") or args.get("channel_id") or "")
        await self.token(place)  # without one there is nothing to wait for
        await self.limiter.acquire(place.team, method, channel)
        return await self._insist(place, method, args, can_repeat=can_repeat, patience_s=patience_s)

    async def try_call(self, place: Place, method: str, **args: Any) -> dict[str, Any] | None:
        """Call if it may go now; None when it may not, or when Slack is busy. Raises SlackError for a refusal."""
        channel = str(args.get("channel") or args.get("channel_id") or "")
        if not self.limiter.try_acquire(place.team, method, channel):
            return None
        try:
            return await self._once(place, method, args)
        except _Busy as busy:
            self.limiter.block(place.team, method, channel, busy.retry_after_s)
            return None

    async def _insist(
        self, place: Place, method: str, args: Mapping[str, Any], *, can_repeat: bool, patience_s: float
    ) -> dict[str, Any]:
        channel = str(args.get("channel") or args.get("channel_id") or "")
        for attempt in range(1, TRIES + 1):
            try:
                return await self._once(place, method, args)
            except _Busy as busy:
                if busy.was_refused:
                    self.limiter.block(place.team, method, channel, busy.retry_after_s)
                if attempt == TRIES or busy.retry_after_s > patience_s or not (can_repeat or busy.was_refused):
                    raise SlackError(
                        "Slack is not reachable at the moment.", slack_code=busy.why, retry_after_s=busy.retry_after_s
                    ) from busy
                if not busy.was_refused:
                    await self.host.clock.sleep(busy.retry_after_s)
                await self.limiter.acquire(place.team, method, channel)
        raise AssertionError("the loop returns or raises")

    async def _once(self, place: Place, method: str, args: Mapping[str, Any]) -> dict[str, Any]:
        token = await self.token(place)
        try:
            return await self._send(token, method, args)
        except SlackApiError as error:
            raise self._refusal(error, method) from error
        except (TimeoutError, aiohttp.ClientError, SlackClientError) as error:
            raise _Busy(1.0, type(error).__name__) from error

    async def _send(self, token: str, method: str, args: Mapping[str, Any]) -> dict[str, Any]:
        sent = {name: value for name, value in args.items() if value is not None}
        client = self._client(token)
        if method in FORM_METHODS:
            response = await client.api_call(method, params=sent)
        else:
            response = await client.api_call(method, json=sent)
        data = response.data
        assert isinstance(data, dict)
        return {**data, "_headers": dict(response.headers)}

    def _refusal(self, error: SlackApiError, method: str) -> Exception:
        response = error.response
        code = str(response.get("error", "")) if isinstance(response.data, dict) else ""
        if response.status_code == 429 or code in ("ratelimited", "rate_limited"):
            return _Busy(_retry_after(response.headers), "ratelimited", was_refused=True)
        if response.status_code >= 500 or code in ("internal_error", "fatal_error", "service_unavailable"):
            return _Busy(1.0, code or f"http_{response.status_code}")
        detail = f"{method}: {code}"
        if isinstance(response.data, dict):
            more = response.data.get("response_metadata", {}).get("messages") or response.data.get("needed") or ""
            detail = f"{detail} {more}".strip()
        return SlackError(_sentence(code, response), slack_code=code, detail=detail)

    def _client(self, token: str) -> AsyncWebClient:
        if token not in self._clients:
            self._clients[token] = AsyncWebClient(
                token=token,
                base_url=self.options.slack_api_url,
                session=self.session,
                timeout=TIMEOUT_S,
                retry_handlers=[],  # the rate limiter retries, so that all calls know of a 429
            )
        return self._clients[token]

    async def unauthorized(self, method: str, **args: Any) -> dict[str, Any]:
        """A call that needs no bot token, such as `oauth.v2.access`, or another one given as `token`. Raises SlackError."""
        token = args.pop("token", "")
        try:
            response = await self._client(token).api_call(method, data=args)
        except SlackApiError as error:
            refusal = self._refusal(error, method)
            if isinstance(refusal, _Busy):
                refusal = SlackError("Slack is busy.", slack_code="busy", retry_after_s=refusal.retry_after_s)
            raise refusal from error
        except (TimeoutError, aiohttp.ClientError, SlackClientError) as error:
            raise SlackError("Slack is not reachable.", detail=type(error).__name__) from error
        assert isinstance(response.data, dict)
        return {**response.data, "_headers": dict(response.headers)}

    # --- tokens ---

    async def token(self, place: Place) -> str:
        """The bot token for this workspace: of its installation, its organisation's, or the one configured. Raises SlackError."""
        installation = await self.installation(place)
        if installation is not None:
            installation = await self._fresh(place, installation)
            return installation.secrets["bot_token"]
        if self.options.slack_bot_token:
            return str(self.options.slack_bot_token.get_secret_value())
        raise SlackError(
            "Parley is not installed in this workspace any more.",
            slack_code="not_installed",
            detail=f"no token for {place}",
        )

    async def installation(self, place: Place) -> Installation | None:
        """What was kept for this workspace, or for its organisation. Asked of the database now and then."""
        if not self.options.slack_client_id:
            return None
        now = self.host.clock.monotonic()
        known = self._installations.get(place)
        if known and now - known[0] < KNOWN_S:
            return known[1]
        async with self._asking.setdefault(place, asyncio.Lock()):
            known = self._installations.get(place)
            if known and now - known[0] < KNOWN_S:
                return known[1]
            found = await self._kept(place)
            self._installations[place] = (self.host.clock.monotonic(), found)
            return found

    async def _kept(self, place: Place) -> Installation | None:
        found = await self.host.installations.find(NAME, place.team) if place.team else None
        if found is not None and found.secrets.get("bot_token"):
            return found
        enterprise = place.enterprise or str(found.data.get("enterprise", "") if found else "")
        return await self.host.installations.find(NAME, enterprise) if enterprise else None

    async def note(self, place: Place, us: str) -> None:
        """Remember to which organisation's installation a workspace belongs, and who we are there: only deliveries say so, and
        after a downtime messages are fetched before any delivery came."""
        if not place.enterprise or not us or (place, us) in self._noted:
            return
        installation = await self.installation(place)
        if installation is None or installation.workspace != place.enterprise:
            return
        data = {"enterprise": place.enterprise, "bot_user_id": us}
        await self.host.installations.keep(Installation(NAME, place.team, "", data))
        self._noted.add((place, us))

    async def us(self, place: Place) -> str:
        """Our user id in a workspace; an organisation's token has another in each. Raises SlackError."""
        kept = None
        if self.options.slack_client_id and place.team:
            kept = await self.host.installations.find(NAME, place.team)
        known = str(kept.data.get("bot_user_id", "")) if kept else ""
        return known or (await self.identity(place)).user_id

    def forget(self, workspace: str) -> None:
        """An installation changed or went: ask for it anew."""
        self._installations = {
            place: (at, found)
            for place, (at, found) in self._installations.items()
            if workspace not in (place.team, place.enterprise, found.workspace if found else "")
        }
        self._noted = {one for one in self._noted if workspace not in (one[0].team, one[0].enterprise)}
        self._identities = {token: who for token, who in self._identities.items() if who.team != workspace}

    async def _fresh(self, place: Place, installation: Installation) -> Installation:
        """The installation with a token that lives on; a rotating one is exchanged before it ends."""
        expires_at, now = float(installation.data.get("expires_at") or 0), self.host.clock.now().timestamp()
        if not expires_at or expires_at - now > REFRESH_BEFORE_S:
            return installation
        if now < min(self._refresh_at.get(installation.workspace, 0), expires_at):
            return installation  # the exchange failed a moment ago, and the token serves on
        async with self._refreshing.setdefault(installation.workspace, asyncio.Lock()):
            self.forget(installation.workspace)
            newest = await self.installation(place)  # another task or process may have exchanged it meanwhile
            if newest is None or newest.data.get("expires_at") != installation.data.get("expires_at"):
                return newest or installation
            try:
                return await self._exchange(newest)
            except SlackError as error:
                return await self._unrenewed(place, newest, error)

    async def _unrenewed(self, place: Place, installation: Installation, error: SlackError) -> Installation:
        """What serves when an exchange failed: what another process got, else the old token while it lives. Raises the error."""
        self.forget(installation.workspace)
        newest = await self.installation(place)
        expires_at, now = float(installation.data.get("expires_at") or 0), self.host.clock.now().timestamp()
        if newest is not None and newest.data.get("expires_at") != installation.data.get("expires_at"):
            return newest
        if expires_at <= now:
            raise error
        log.warning("a Slack token could not be renewed yet: %s", error.detail or error.text)
        self._refresh_at[installation.workspace] = now + REFRESH_AGAIN_S
        return installation

    async def _exchange(self, installation: Installation) -> Installation:
        answer = await self.unauthorized(
            "oauth.v2.access",
            client_id=self.options.slack_client_id,
            client_secret=secret(self.options.slack_client_secret),
            grant_type="refresh_token",
            refresh_token=installation.secrets["refresh_token"],
        )
        expires_at = self.host.clock.now().timestamp() + float(answer.get("expires_in") or 0)
        renewed = Installation(
            installation.platform,
            installation.workspace,
            installation.name,
            {**installation.data, "expires_at": expires_at},
            {
                **installation.secrets,
                "bot_token": answer["access_token"],
                "refresh_token": answer.get("refresh_token", installation.secrets["refresh_token"]),
            },
        )
        await self.host.installations.keep(renewed)
        self.forget(installation.workspace)
        return renewed

    async def identity(self, place: Place) -> Identity:
        """Who we are there; asked of Slack once for each token. Raises SlackError."""
        token = await self.token(place)
        if token not in self._identities:
            answer = await self.call(place, "auth.test")
            self._identities[token] = Identity(
                answer.get("user_id", ""),
                answer.get("bot_id", ""),
                answer.get("team_id", ""),
                answer.get("team", ""),
                answer.get("url", ""),
                scopes_of(answer),
            )
        return self._identities[token]


FORM_METHODS = frozenset(
    (
        "assistant.threads.setTitle",
        "auth.test",
        "bots.info",
        "conversations.history",
        "conversations.info",
        "conversations.replies",
        "files.getUploadURLExternal",
        "files.info",
        "usergroups.list",
        "users.info",
    )
)
"""Methods that read; many of Slack's take no JSON body."""


class _Busy(Exception):
    """A moment's trouble: worth another try."""

    def __init__(self, retry_after_s: float, why: str, *, was_refused: bool = False) -> None:
        super().__init__(why)
        self.retry_after_s, self.why, self.was_refused = retry_after_s, why, was_refused


def _retry_after(headers: Any) -> float:
    value = next((value for name, value in dict(headers or {}).items() if str(name).lower() == "retry-after"), "1")
    try:
        return max(float(value[0] if isinstance(value, list) else value), 0.1)
    except ValueError:
        return 1.0


def scopes_of(answer: Mapping[str, Any]) -> frozenset[str]:
    """The scopes that the token holds, as Slack tells with each answer."""
    headers = {str(name).lower(): value for name, value in dict(answer.get("_headers", {})).items()}
    return frozenset(name.strip() for name in str(headers.get("x-oauth-scopes", "")).split(",") if name.strip())


def _sentence(code: str, response: Any) -> str:
    match code:
        case "missing_scope":
            needed = response.get("needed", "") if isinstance(response.data, dict) else ""
            return (
                f"Parley lacks the permission {needed} in this Slack workspace. Reinstall it with the current manifest."
            )
        case "not_in_channel" | "channel_not_found":
            return "Parley is not a member of this channel. Invite it by /invite and ask again."
        case "is_archived":
            return "This channel is archived."
        case _ if code in GONE:
            return "Slack does not accept Parley's token any more. It has to be installed again."
    return f"Slack refused: {code}."


def secret(value: Any) -> str:
    """The text of a SecretStr, or empty."""
    return str(value.get_secret_value()) if value else ""


__all__ = [
    "GONE",
    "NAME",
    "BotError",
    "ConfigError",
    "Identity",
    "Place",
    "SlackClient",
    "SlackError",
    "scopes_of",
    "secret",
]
