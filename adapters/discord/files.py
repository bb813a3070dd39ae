"""Downloads files from Discord by their signed addresses, and renews those that have expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from adapters.discord.client import DiscordClient, DiscordError
from adapters.discord.ref import DiscordFileRef
from bot.errors import PlatformError, UnreadableError
from bot.types import Attachment

HOSTS = ("cdn.discordapp.com", "media.discordapp.net")
PIECE_BYTES = 256 * 1024
STALE_S = 30
"""An address that expires within this time is renewed first."""
GONE = (401, 403, 404, 410)


class Files:
    """Downloads the files that people sent."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes as they come. Raises UnreadableError when the file is gone, PlatformError when Discord fails."""
        url = DiscordFileRef.from_ref(attachment.ref).url
        if self._is_stale(url):
            url = await self._fresh(attachment)
        try:
            async with await self._open(url, attachment) as response:
                async for piece in response.content.iter_chunked(PIECE_BYTES):
                    yield piece
        except (TimeoutError, aiohttp.ClientError) as error:
            what = f"{attachment.name} could not be fetched from Discord."
            raise PlatformError(what, detail=type(error).__name__) from error

    async def _open(self, url: str, attachment: Attachment) -> aiohttp.ClientResponse:
        """The response with the bytes. An address that is refused is renewed once."""
        response = await self._get(url, attachment)
        if response.status in GONE and DiscordFileRef.from_ref(attachment.ref).file_id:
            response.release()
            response = await self._get(await self._fresh(attachment), attachment)
        if response.status == 200:
            return response
        response.release()
        if response.status in GONE:
            raise UnreadableError(f"{attachment.name} was deleted from Discord.")
        raise PlatformError(f"Discord did not deliver {attachment.name}.", detail=f"download: {response.status}")

    async def _get(self, url: str, attachment: Attachment) -> aiohttp.ClientResponse:
        if not self._is_discord(url):
            raise UnreadableError(f"{attachment.name} is not kept at Discord; please send the file itself.")
        return await self._client.session.get(url, allow_redirects=False)

    def _is_discord(self, url: str) -> bool:
        """Whether it is one of Discord's own file servers, or the one of DISCORD_CDN_URL."""
        asked, own = urlsplit(url), urlsplit(self._client.options.discord_cdn_url)
        if (asked.scheme, asked.hostname, asked.port) == (own.scheme, own.hostname, own.port):
            return True
        return asked.scheme == "https" and asked.hostname in HOSTS

    def _is_stale(self, url: str) -> bool:
        """Whether a signed address expires soon: `ex` is the second of its end, in hexadecimal. Source: Discord, Reference, CDN."""
        ends = parse_qs(urlsplit(url).query).get("ex", [""])[0]
        try:
            return int(ends, 16) - STALE_S < self._client.host.clock.now().timestamp()
        except ValueError:
            return False

    async def _fresh(self, attachment: Attachment) -> str:
        """A new address, by the old one or by the message that the file stands in."""
        url = DiscordFileRef.from_ref(attachment.ref).url
        try:
            body = {"attachment_urls": [url]}
            answer = await self._client.call("POST", "/attachments/refresh-urls", body)
            found = [one.get("refreshed") for one in answer.get("refreshed_urls") or () if one.get("refreshed")]
            return str(found[0]) if found else await self._from_message(attachment)
        except DiscordError as error:
            if error.status in (403, 404):
                raise UnreadableError(f"{attachment.name} was deleted from Discord.") from error
            raise

    async def _from_message(self, attachment: Attachment) -> str:
        ref = DiscordFileRef.from_ref(attachment.ref)
        path = "/channels/{channel_id}/messages/{message_id}"
        place: dict[str, Any] = {"channel_id": ref.channel_id, "message_id": ref.message_id}
        message = await self._client.look_up(path, "", **place) if all(place.values()) else {}
        for one in message.get("attachments") or ():
            if str(one.get("id")) == ref.file_id:
                return str(one.get("url") or "")
        raise UnreadableError(f"{attachment.name} was deleted from Discord.")
