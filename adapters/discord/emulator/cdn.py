"""Owns the CDN: files at signed addresses that expire, and avatars and stickers that do not."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from .clock import EmulatorClock
from .model import Attachment

if TYPE_CHECKING:
    from .world import World

LIFETIME_S = 24 * 3600
"""How long a signed address lives: a day, as Discord's have since 2023."""


class Cdn:
    """Signs and serves; `base_url` is set once the server has its port."""

    def __init__(self, clock: EmulatorClock) -> None:
        self.base_url = ""
        self.files: dict[int, Attachment] = {}
        self._clock = clock
        self._key = b"emulated-discord-cdn"

    def keep(self, attachment: Attachment) -> Attachment:
        """Store a file for as long as the emulator lives."""
        self.files[attachment.id] = attachment
        return attachment

    def sign(self, attachment: Attachment) -> str:
        """The file's address, good for a day from now by the emulator's clock."""
        now = int(self._clock.time())
        issued, expires = f"{now:x}", f"{now + LIFETIME_S:x}"
        folder = "ephemeral-attachments" if attachment.ephemeral else "attachments"
        path = f"/{folder}/{attachment.channel_id}/{attachment.id}/{quote(attachment.filename)}"
        return f"{self.base_url}{path}?ex={expires}&is={issued}&hm={self._seal(attachment.id, expires, issued)}&"

    def refresh(self, url: str) -> str | None:
        """A fresh address for a file named by an old one, or None if there is no such file."""
        path = url.partition("?")[0].split("/")
        known = self.files.get(int(path[-2])) if len(path) > 2 and path[-2].isdigit() else None
        return self.sign(known) if known else None

    def _seal(self, attachment_id: int, expires: str, issued: str) -> str:
        return hmac.new(self._key, f"{attachment_id}.{expires}.{issued}".encode(), hashlib.sha256).hexdigest()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Give a file's bytes: 404 when unknown or expired, 403 when the signature is wrong."""
        found = self.files.get(int(request.match_info["id"]))
        expires, issued = request.query.get("ex", ""), request.query.get("is", "")
        if found is None or found.filename != request.match_info["name"]:
            return _gone(404)
        if not hmac.compare_digest(request.query.get("hm", ""), self._seal(found.id, expires, issued)):
            return _gone(403)
        if int(expires, 16) < self._clock.time():
            return _gone(404)
        return _bytes_answer(request, found.data, found.mime_type)


def _gone(status: int) -> web.Response:
    return web.Response(status=status, text="This content is no longer available.")


def _bytes_answer(request: web.Request, data: bytes, mime_type: str) -> web.Response:
    """The whole file, or the asked range of it, which players need to seek."""
    headers = {"Content-Type": mime_type, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600"}
    wanted = request.http_range if "Range" in request.headers else slice(None)
    start, stop, _ = wanted.indices(len(data))
    if (start, stop) == (0, len(data)):
        return web.Response(body=data, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return web.Response(status=206, body=data[start:stop], headers=headers)


def mount(router: web.UrlDispatcher, world: World) -> None:
    """Add the CDN's paths under /cdn."""

    async def sticker(request: web.Request) -> web.StreamResponse:
        found = world.sticker(int(request.match_info["id"]))
        kinds = {1: "image/png", 2: "image/apng", 3: "application/json", 4: "image/gif"}
        is_media = "/media/" in request.path
        if found is None or (found.format_type == 4) != is_media:
            return _gone(404)
        return _bytes_answer(request, found.data, kinds[found.format_type])

    async def avatar(request: web.Request) -> web.StreamResponse:
        return _bytes_answer(request, _dot(int(request.match_info["n"])), "image/png")

    router.add_get(r"/cdn/{folder:attachments|ephemeral-attachments}/{channel}/{id:\d+}/{name}", world.cdn.serve)
    router.add_get(r"/cdn/stickers/{id:\d+}.{extension}", sticker)
    router.add_get(r"/cdn/media/stickers/{id:\d+}.{extension:gif}", sticker)
    router.add_get(r"/cdn/embed/avatars/{n:\d+}.png", avatar)


def _dot(number: int) -> bytes:
    """One coloured pixel as PNG, in place of the vendor's default avatars."""
    colours = [b"\x58\x65\xf2", b"\x75\x7e\x8a", b"\x3b\xa5\x5c", b"\xfa\xa6\x1a", b"\xed\x42\x45", b"\xeb\x45\x9f"]
    pixels = zlib.compress(b"\0" + colours[number % len(colours)])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
