"""The door to Slack's Web API: the right token for each workspace, the rate limiter's pace, one kind of error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from cachetools import LRUCache
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.shared.short_lived import ShortLived
from adapters.slack import Options
from adapters.slack.errors import SlackAwayError, SlackError, refusal
from adapters.slack.hosts import SlackHosts, public_session
from adapters.slack.limiter import RateLimiter
from adapters.slack.ref import TokenScope
from adapters.slack.tokens import Tokens
from bot.ports import Host

TIMEOUT_S = 20
TRIES = 5
PATIENCE_S = 120.0
"""A call that Slack would let through only after this long is given up."""
MAX_TOKENS = 1_000
"""Tokens whose client and identity are kept at once."""
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
        "users.conversations",
        "users.info",
    )
)
"""Methods that read; many of Slack's take no JSON body."""


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
        self.tokens = Tokens(options, host, self.call_without_bot)
        self.hosts = SlackHosts(options.slack_api_url)
        self.lent = ShortLived(
            host.clock, options.parley_secret_key, options.slack_bot_token, options.slack_client_secret
        )
        """Seals what Slack lends for minutes."""
        self._session: aiohttp.ClientSession | None = None
        self._public_session: aiohttp.ClientSession | None = None
        self._clients: LRUCache[str, AsyncWebClient] = LRUCache(MAX_TOKENS)
        self._identities: LRUCache[str, Identity] = LRUCache(MAX_TOKENS)
        self._homes: LRUCache[str, str] = LRUCache(MAX_TOKENS)

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one HTTP session; made when first asked for, inside the loop."""
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=None, connect=TIMEOUT_S, sock_read=TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    def session_for(self, url: str) -> aiohttp.ClientSession:
        """The session for an address that came with a delivery: it reaches public addresses, or the emulator, and nothing else."""
        if self.hosts.is_emulator(url):
            return self.session
        if self._public_session is None or self._public_session.closed:
            self._public_session = public_session()
        return self._public_session

    async def close(self) -> None:
        """Let go of connections."""
        for session in (self._session, self._public_session):
            if session is not None:
                await session.close()

    # --- who we are ---

    async def identity(self, scope: TokenScope) -> Identity:
        """Who we are there; Slack is asked once for each token. Raises SlackError."""
        token = await self.tokens.find(scope)
        if token not in self._identities:
            answer = await self.call(scope, "auth.test")
            self._identities[token] = Identity(
                answer.get("user_id", ""),
                answer.get("bot_id", ""),
                answer.get("team_id", ""),
                answer.get("team", ""),
                answer.get("url", ""),
                _scopes_of(answer),
            )
            self._homes[scope.team] = str(answer.get("url") or "")
        return self._identities[token]

    def home(self, scope: TokenScope) -> tuple[str, ...]:
        """What addresses of messages in the workspace begin with; nothing as long as we have not asked who we are there."""
        url = self._homes.get(scope.team, "").rstrip("/")
        return (f"{url}/archives/",) if url else ()

    async def bot_user_id(self, scope: TokenScope) -> str:
        """Our user id in a workspace; an organisation's token has another in each. Raises SlackError."""
        return await self.tokens.stored_bot_user_id(scope) or (await self.identity(scope)).user_id

    # --- calls ---

    async def call(
        self, scope: TokenScope, method: str, *, can_repeat: bool = True, patience_s: float = PATIENCE_S, **args: Any
    ) -> dict[str, Any]:
        """Call as soon as the rate limits allow; waits out 429 and short trouble. Raises SlackError.

        can_repeat: False for what would be done twice if only its answer was lost. patience_s: a longer 429 is an error.
        """
        await self.tokens.find(scope)  # without one there is nothing to wait for
        await self.limiter.acquire(scope.team, method, _channel(args))
        for attempt in range(1, TRIES + 1):
            try:
                return await self._call_once(scope, method, args)
            except _Busy as busy:
                is_over = attempt == TRIES or busy.retry_after_s > patience_s or not (can_repeat or busy.was_refused)
                await self._wait_out(busy, scope, method, args, is_over=is_over)
        raise AssertionError("the loop returns or raises")

    async def _wait_out(
        self, busy: _Busy, scope: TokenScope, method: str, args: Mapping[str, Any], *, is_over: bool
    ) -> None:
        """Wait until the next attempt may go. is_over: there is none. Raises SlackError."""
        if busy.was_refused:
            self.limiter.block(scope.team, method, _channel(args), busy.retry_after_s)
        if is_over:
            raise SlackAwayError(
                "Slack is not reachable at the moment.", slack_code=busy.reason, retry_after_s=busy.retry_after_s
            ) from busy
        if not busy.was_refused:
            await self.host.clock.sleep(busy.retry_after_s)
        await self.limiter.acquire(scope.team, method, _channel(args))

    async def try_call(self, scope: TokenScope, method: str, **args: Any) -> dict[str, Any] | None:
        """Call if it may go now; None when it may not, or when Slack is busy. Raises SlackError for a refusal."""
        if not self.limiter.try_acquire(scope.team, method, _channel(args)):
            return None
        try:
            return await self._call_once(scope, method, args)
        except _Busy as busy:
            self.limiter.block(scope.team, method, _channel(args), busy.retry_after_s)
            return None

    async def _call_once(self, scope: TokenScope, method: str, args: Mapping[str, Any]) -> dict[str, Any]:
        token = await self.tokens.find(scope)
        sent = {name: value for name, value in args.items() if value is not None}
        return await self._send(token, method, **{"params" if method in FORM_METHODS else "json": sent})

    async def call_without_bot(self, method: str, **args: Any) -> dict[str, Any]:
        """Call what needs no bot token, such as `oauth.v2.access`, or another token, given as `token`. Raises SlackError."""
        token = args.pop("token", "")
        try:
            return await self._send(token, method, data=args)
        except _Busy as busy:
            wait_s = busy.retry_after_s if busy.was_refused else None
            raise SlackError(
                "Slack is not reachable at the moment.", slack_code="busy", retry_after_s=wait_s, detail=busy.reason
            ) from busy

    async def _send(self, token: str, method: str, **how: Any) -> dict[str, Any]:
        """Call once. how: the arguments as `params`, `json` or `data`. Raises _Busy, SlackError."""
        try:
            response = await self._client(token).api_call(method, **how)
        except SlackApiError as error:
            raise _failure(error, method) from error
        except (TimeoutError, aiohttp.ClientError, SlackClientError) as error:
            raise _Busy(1.0, type(error).__name__) from error
        assert isinstance(response.data, dict)
        return {**response.data, "_headers": dict(response.headers)}

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


class _Busy(Exception):
    """A moment's trouble: worth another try."""

    def __init__(self, retry_after_s: float, reason: str, *, was_refused: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_s, self.reason, self.was_refused = retry_after_s, reason, was_refused


def _failure(error: SlackApiError, method: str) -> Exception:
    """What a failed answer means: try again later, or no."""
    response = error.response
    code = str(response.get("error", "")) if isinstance(response.data, dict) else ""
    if response.status_code == 429 or code in ("ratelimited", "rate_limited"):
        return _Busy(_retry_after(response.headers), "ratelimited", was_refused=True)
    if response.status_code >= 500 or code in ("internal_error", "fatal_error", "service_unavailable"):
        return _Busy(1.0, code or f"http_{response.status_code}")
    return refusal(method, response.data)


def _channel(args: Mapping[str, Any]) -> str:
    return str(args.get("channel") or args.get("channel_id") or "")


def _retry_after(headers: Any) -> float:
    value = next((value for name, value in dict(headers or {}).items() if str(name).lower() == "retry-after"), "1")
    try:
        return max(float(value[0] if isinstance(value, list) else value), 0.1)
    except ValueError:
        return 1.0


def _scopes_of(answer: Mapping[str, Any]) -> frozenset[str]:
    """The permissions that the token holds, as Slack tells with each answer."""
    headers = {str(name).lower(): value for name, value in dict(answer.get("_headers", {})).items()}
    return frozenset(name.strip() for name in str(headers.get("x-oauth-scopes", "")).split(",") if name.strip())
