"""Files from and to Slack: downloads with the token that are really files, uploads into a thread."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import aiohttp

from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.parse_parts import attachment as parse_attachment
from adapters.slack.ref import SlackFileRef
from bot.errors import PlatformError, UnreadableError
from bot.types import Attachment

if TYPE_CHECKING:
    from adapters.slack.target import Target

MAX_REDIRECTS = 5
PIECE_BYTES = 256 * 1024
UPLOAD_S = 300
DESCRIBE_S = 1.0
"""Slack waits for 3 s in all."""
_LOGIN_PAGE = re.compile(rb"^\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)", re.IGNORECASE)


class Files:
    """Fetches and uploads."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes as they come. Raises UnreadableError when the file is gone or elsewhere, PlatformError when Slack refuses."""
        url = await self._url(attachment)
        async for piece in self._download(url, attachment):
            yield piece

    async def described(self, attachments: Sequence[Attachment]) -> tuple[Attachment, ...]:
        """The attachments with what Slack says of those known by their id alone: other companies' files in shared channels."""
        return tuple(await asyncio.gather(*(self._described(one) for one in attachments)))

    async def _described(self, attachment: Attachment) -> Attachment:
        ref = SlackFileRef.from_ref(attachment.ref)
        if ref.url or ref.external_service:
            return attachment
        try:
            async with asyncio.timeout(DESCRIBE_S):
                answer = await self._client.call(ref.scope, "files.info", file=ref.file_id)
        except (SlackError, TimeoutError):
            return attachment  # it is asked for again when it is fetched
        file = answer.get("file") or {}
        return parse_attachment(file, ref) if file.get("id") else attachment

    async def _url(self, attachment: Attachment) -> str:
        """Where it is; a file of another company is known by its id alone until Slack is asked."""
        ref = SlackFileRef.from_ref(attachment.ref)
        if ref.external_service:
            raise UnreadableError(
                f"{attachment.name} is kept outside Slack ({ref.external_service}); please upload the file itself."
            )
        if ref.url:
            return ref.url
        try:
            answer = await self._client.call(ref.scope, "files.info", file=ref.file_id)
        except SlackError as error:
            if error.slack_code in ("file_not_found", "file_deleted", "access_denied"):
                raise UnreadableError(f"{attachment.name} is gone from Slack, or I may not see it.") from error
            raise
        file = answer.get("file") or {}
        url = str(file.get("url_private_download") or file.get("url_private") or "")
        if not url:
            raise UnreadableError(f"Slack does not say where {attachment.name} is.")
        return url

    async def _download(self, url: str, attachment: Attachment) -> AsyncIterator[bytes]:
        if not self._client.hosts.takes_token(url):
            raise UnreadableError(f"{attachment.name} is not kept at Slack; please upload the file itself.")
        token = await self._client.tokens.find(SlackFileRef.from_ref(attachment.ref).scope)
        for hop in range(MAX_REDIRECTS):
            headers = {"Authorization": f"Bearer {token}"} if self._client.hosts.takes_token(url) else {}
            try:
                session = self._client.session_for(url)
                async with session.get(url, headers=headers, allow_redirects=False) as response:
                    if response.status in (301, 302, 303, 307, 308):
                        url = self._redirected(url, response.headers.get("Location", ""), attachment)
                        continue
                    async for piece in _checked(response, attachment, was_led=hop > 0):
                        yield piece
                    return
            except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
                raise PlatformError(
                    f"{attachment.name} could not be fetched from Slack.", detail=type(error).__name__
                ) from error
        raise PlatformError(f"{attachment.name} could not be fetched from Slack.", detail="too many redirects")

    def _redirected(self, url: str, location: str, attachment: Attachment) -> str:
        """Where it goes on. Raises PlatformError when that is no place of Slack's; ValueError for what is no address."""
        to = urljoin(url, location)
        if not self._client.hosts.may_lead_to(to):
            raise PlatformError(
                f"{attachment.name} could not be fetched from Slack: it is not there but elsewhere.",
                detail="download: led away from Slack",
            )
        return to

    async def upload(self, target: Target, name: str, data: bytes, *, title: str = "", alt: str = "") -> str:
        """Put a file into the thread; gives its id. Raises SlackError."""
        announced = await self._client.call(
            target.scope, "files.getUploadURLExternal", filename=name, length=len(data), alt_txt=alt or None
        )
        await self._send(str(announced["upload_url"]), name, data)
        shared: dict[str, Any] = {"files": [{"id": announced["file_id"], "title": title or name}]}
        shared["channel_id"] = target.channel
        if target.thread:
            shared["thread_ts"] = target.thread
        await self._client.call(target.scope, "files.completeUploadExternal", can_repeat=False, **shared)
        return str(announced["file_id"])

    async def shares(self, target: Target, file_id: str) -> list[str]:
        """The messages by which a file is shown in the target's channel. Raises SlackError."""
        answer = await self._client.call(target.scope, "files.info", file=file_id)
        sides: dict[str, Any] = (answer.get("file") or {}).get("shares") or {}
        return [str(one["ts"]) for side in sides.values() for one in side.get(target.channel) or () if one.get("ts")]

    async def _send(self, url: str, name: str, data: bytes) -> None:
        timeout = aiohttp.ClientTimeout(total=UPLOAD_S)
        if not self._client.hosts.takes_token(url):
            raise SlackError(f"{name} could not be uploaded to Slack.", detail="upload: led away from Slack")
        try:
            session = self._client.session_for(url)
            async with session.post(url, data=data, timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise SlackError(f"Slack did not take {name}.", detail=f"upload: {response.status}")
        except (TimeoutError, aiohttp.ClientError) as error:
            raise SlackError(f"{name} could not be uploaded to Slack.", detail=type(error).__name__) from error


async def _checked(response: aiohttp.ClientResponse, attachment: Attachment, *, was_led: bool) -> AsyncIterator[bytes]:
    """The bytes, if they are the file's: without `files:read` Slack leads to a page to sign in, with status 200.

    was_led: by redirects. A file comes as a download, which tells one that is HTML itself from that page.
    """
    if response.status in (403, 404, 410):
        raise UnreadableError(f"{attachment.name} is gone from Slack, or I may not see it.")
    if response.status != 200:
        raise PlatformError(f"Slack did not give {attachment.name}.", detail=f"download: {response.status}")
    is_first = True
    is_download = "attachment" in response.headers.get("Content-Disposition", "")
    wants_html = _is_html(attachment.mime_type, attachment.name) and (is_download or not was_led)
    async for piece in response.content.iter_chunked(PIECE_BYTES):
        if is_first and not wants_html and (_is_html(response.content_type, "") or _LOGIN_PAGE.match(piece[:400])):
            raise PlatformError(
                f"Slack asked me to sign in instead of giving {attachment.name}. Parley lacks the permission files:read: "
                "reinstall it with the current manifest.",
                detail="download: sign-in page",
            )
        is_first = False
        yield piece


def _is_html(mime_type: str, name: str) -> bool:
    return mime_type.startswith("text/html") or name.lower().endswith((".html", ".htm"))
