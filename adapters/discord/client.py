"""The one way to Discord's REST API: one login, the rate limiter, one kind of error."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
from discord.http import Route

from adapters.discord import Options
from adapters.discord.limiter import RateLimiter
from adapters.discord.refusals import REFUSED, RefusalLimits, Refusals, key_of
from adapters.shared.short_lived import ShortLived
from bot.errors import ConfigError, OutageError, PlatformError
from bot.ports import Host

UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, TOO_LARGE, NO_ACCESS = 10008, 10015, 10062, 40005, 50001
NO_PERMISSION, DEAD_TOKEN, THREAD_EXISTS = 50013, 50027, 160004
ARCHIVED, NO_HISTORY = 50083, 160002
"""Source: Discord, Topics, Opcodes and Status Codes, JSON Error Codes."""
_MESSAGE = re.compile(r"/channels/(\d+)/messages(?:/(\d+))?$")
_HOOK = re.compile(r"/webhooks/\d+/([^/]+)(/messages/[^/]+)?$")
log = logging.getLogger(__name__)
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # they are about calls, which we do not take


class DiscordError(PlatformError):
    """Discord refused a call; `discord_code` is its number for why, 0 when it gave none."""

    def __init__(
        self,
        text: str,
        *,
        discord_code: int = 0,
        status: int = 0,
        retry_after_s: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(text, retry_after_s=retry_after_s, detail=detail)
        self.discord_code = discord_code
        self.status = status
        self.is_answer = bool(status)
        """Discord said so just now; not when Parley remembers that it did."""

    def repeated(self) -> DiscordError:
        """The same refusal, remembered."""
        made = DiscordError(self.text, discord_code=self.discord_code, status=self.status, detail=self.detail)
        made.is_answer = False
        return made


class BusyError(DiscordError, OutageError):
    """Discord was busy or could not be reached; the same call may succeed in a moment."""

    code = "platform_busy"


@dataclass(frozen=True)
class Upload:
    """A file on its way to Discord."""

    name: str
    data: bytes = field(repr=False)
    mime_type: str = "application/octet-stream"
    description: str = ""
    duration_s: float | None = None
    """Of a voice message."""
    waveform: str = ""
    """Of a voice message, base64."""

    def described(self, index: int) -> dict[str, Any]:
        """Its entry in the message's `attachments`."""
        said: dict[str, Any] = {"id": str(index), "filename": self.name}
        if self.description:
            said["description"] = self.description[:1_000]
        if self.duration_s is not None:
            said |= {"duration_secs": self.duration_s, "waveform": self.waveform}
        return said


class _Again(io.BytesIO):
    """Bytes that can be sent again: discord.py rewinds them by `reset`, and aiohttp closes what it has sent."""

    def reset(self, *, seek: bool | int = True) -> None:
        self.seek(0)

    def close(self) -> None:
        self.seek(0)


def at_address(client: discord.Client, api_url: str) -> None:
    """Send a client's calls to that API: discord.py knows one address for the whole process, two emulators have two."""
    if api_url.rstrip("/") == Route.BASE:
        return
    send = client.http.request

    async def request(route: Route, **given: Any) -> Any:
        if route.url.startswith(Route.BASE):
            route.url = api_url.rstrip("/") + route.url[len(Route.BASE) :]
        return await send(route, **given)

    setattr(client.http, "request", request)  # noqa: B010  (mypy knows it as a method)


class DiscordClient:
    """Speaks as the bot. Works without a gateway, from any process."""

    def __init__(self, options: Options, host: Host, refusals: RefusalLimits | None = None) -> None:
        self.options, self.host = options, host
        self.limiter = RateLimiter(host.clock)
        self.short_lived = ShortLived(host.clock, options.discord_bot_token)
        """Seals the tokens of interactions: every process has the bot's token, and the database has not."""
        self.refusals: Refusals[DiscordError] = Refusals(host.clock, refusals)
        self._rest: discord.Client | None = None
        self._entering = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    @property
    def token(self) -> str:
        """The bot token. Raises ConfigError when it is not set."""
        if not self.options.discord_bot_token:
            raise ConfigError("DISCORD_BOT_TOKEN is not set.")
        token: str = self.options.discord_bot_token.get_secret_value()
        return token.strip()

    async def rest(self) -> discord.Client:
        """A client that is logged in, without a gateway. Raises DiscordError."""
        async with self._entering:
            if self._rest is None:
                trace = aiohttp.TraceConfig()
                trace.on_request_end.append(self._heard)
                client = discord.Client(intents=discord.Intents(guilds=True), http_trace=trace)
                at_address(client, self.options.discord_api_url)
                try:
                    await translate_errors("log in", client.login(self.token))
                except BaseException:
                    await client.close()
                    raise
                self._rest = client
            return self._rest

    async def app_id(self) -> str:
        """The id of the application that the token belongs to."""
        return str((await self.rest()).application_id)

    async def bot_id(self) -> str:
        """The id of the bot's user."""
        user = (await self.rest()).user
        return str(user.id) if user else ""

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session for files, which need no token."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession()
        return self._session

    async def call(self, method: str, path: str, body: Any = None, files: Sequence[Upload] = (), **place: Any) -> Any:
        """Make one call and return Discord's answer. place: values for the path; `params` is the query. Raises DiscordError.

        What Discord refused lately is not asked again: the same refusal is raised at once.
        """
        key = key_of(method, path, place, body, has_files=bool(files))
        self._raise_refusal(key)
        try:
            return await self._request(method, path, body, files, **place)
        except DiscordError as error:
            if error.status in REFUSED:
                self.refusals.remember(key, error)
            raise

    async def look_up(self, path: str, person: str, **place: Any) -> Any:
        """Ask for something that Parley can do without, because of what this person did. Raises DiscordError.

        It raises one too where too much was refused already; then Discord is not asked.
        """
        self._raise_refusal(key_of("GET", path, place))
        async with self.refusals.turn_of(person):  # what is under way may be refused too
            if not self.refusals.allows_optional(person):
                raise DiscordError("I may not ask Discord for more at the moment.", detail=f"not asked: {path}")
            try:
                return await self.call("GET", path, **place)
            except DiscordError as error:
                if error.status in (401, *REFUSED) and error.is_answer:
                    self.refusals.count_optional(person)
                raise

    def _raise_refusal(self, key: str) -> None:
        if (known := self.refusals.remembered(key)) is not None:
            raise known.repeated()
        if wait_s := self.refusals.wait_s():
            raise BusyError(
                "Discord refused too much; I pause for a while.", retry_after_s=wait_s, detail="bar is near"
            )

    async def _request(self, method: str, path: str, body: Any, files: Sequence[Upload], **place: Any) -> Any:
        client = await self.rest()
        given: dict[str, Any] = {"params": place.pop("params")} if "params" in place else {}
        if files:
            given |= _form(body, files)
        elif body is not None:
            given["json"] = body
        return await translate_errors(f"{method} {path}", client.http.request(Route(method, path, **place), **given))

    async def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        files: Sequence[Upload] = (),
        **place: Any,
    ) -> Any:
        """Make a call that has to be made, as soon as the rate limiter allows it."""
        major = str(place.get("channel_id") or place.get("webhook_token") or "")
        bucket = await self.limiter.acquire(method, major, urgent=True, counts="channel_id" in place)
        try:
            return await self.call(method, path, body, files, **place)
        finally:
            self.limiter.release(bucket)

    async def _heard(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        """Count refusals, and pass the rate-limit headers to the rate limiter."""
        self.refusals.count(params.response.status)
        path = params.url.path
        found = _MESSAGE.search(path) or _HOOK.search(path)
        if found:
            self.limiter.observe(params.method, found.group(1), params.response.headers)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
        if self._rest is not None:
            with suppress(Exception):  # a failure to close changes nothing any more
                await self._rest.close()


def _form(body: Any, files: Sequence[Upload]) -> dict[str, Any]:
    said = {**(body or {}), "attachments": [file.described(index) for index, file in enumerate(files)]}
    buffers = [_Again(file.data) for file in files]
    form: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps(said), "content_type": "application/json"}
    ]
    form += [
        {"name": f"files[{index}]", "value": buffers[index], "filename": file.name, "content_type": file.mime_type}
        for index, file in enumerate(files)
    ]
    return {"form": form, "files": buffers}


async def translate_errors(what: str, work: Any) -> Any:
    """Await the call; raise its failure as a DiscordError."""
    try:
        return await work
    except discord.LoginFailure as error:
        raise DiscordError("Discord rejected the bot token.", status=401, detail="DISCORD_BOT_TOKEN") from error
    except discord.RateLimited as error:
        raise BusyError(
            "Discord is limiting our rate of requests.", retry_after_s=error.retry_after, detail=what
        ) from error
    except discord.HTTPException as error:
        raise _failure(what, error) from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise BusyError("Discord could not be reached.", detail=f"{what}: {type(error).__name__}") from error


def _failure(what: str, error: discord.HTTPException) -> DiscordError:
    detail = f"{what}: {error.status} {error.code} {error.text[:300]}"
    is_busy = error.status >= 500 or error.status == 429
    kind = BusyError if is_busy else DiscordError
    text = TEXTS.get(error.code) or ("Discord had a temporary problem." if is_busy else "Discord refused that.")
    return kind(text, discord_code=error.code, status=error.status, detail=detail)


TEXTS: Mapping[int, str] = {
    NO_ACCESS: "I can't see that channel at Discord.",
    NO_PERMISSION: "I lack a permission for that in this channel of Discord.",
    TOO_LARGE: "That file is larger than this server takes.",
    UNKNOWN_MESSAGE: "That message was deleted from Discord.",
}
