"""Files for the browser: those of the page itself, and the bytes of what people and models sent."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from adapters.playground import render
from bot.ports import Blobs
from bot.types import Blob

PAGE = Path(__file__).parent / "page"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ASSETS = {path.name: TYPES[path.suffix] for path in PAGE.iterdir() if path.suffix in TYPES}
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def page_response(name: str, *, changed: tuple[str, str] = ("", ""), status: int = 200) -> web.Response:
    """Return one of the HTML pages, never cached. changed: a text in it and its replacement."""
    text = (PAGE / name).read_text(encoding="utf-8").replace(*changed)
    return web.Response(text=text, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})


def asset_response(name: str) -> web.Response:
    """Return a script, a style sheet or a drawing of the page. Raises HTTPNotFound."""
    if name not in ASSETS:
        raise web.HTTPNotFound(text="There is no such file.\n")
    text, headers = (PAGE / name).read_text(encoding="utf-8"), {"Cache-Control": "no-cache"}
    return web.Response(text=text, content_type=ASSETS[name], charset="utf-8", headers=headers)


async def blob_response(request: web.Request, blobs: Blobs) -> web.Response:
    """Return bytes by their hash, whole or in part (players seek). Whatever they are, they cannot act as a page of ours."""
    mime_type, size = request.query.get("type", ""), request.query.get("size", "")
    is_inline = mime_type in render.INLINE_TYPES
    data = await blobs.read(
        Blob(request.match_info["sha256"], mime_type, int(size) if size.isdecimal() else 0),
    )
    response = _ranged(data, request.headers.get("Range", ""))
    response.content_type = mime_type if is_inline else "application/octet-stream"
    response.headers["Content-Disposition"] = _disposition(request.query.get("name", ""), is_inline=is_inline)
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _ranged(data: bytes, wanted: str) -> web.Response:
    """Return the bytes, or the one range of them that was asked for. Source: RFC 9110, section 14."""
    size, found = len(data), RANGE.fullmatch(wanted.strip())
    if not found or not (found[1] or found[2]):
        return web.Response(body=data, headers={"Accept-Ranges": "bytes"})
    first = int(found[1]) if found[1] else max(0, size - int(found[2]))
    last = min(size - 1, int(found[2])) if found[1] and found[2] else size - 1
    if first > last:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{size}"}
    return web.Response(body=data[first : last + 1], status=206, headers=headers)


def _disposition(name: str, *, is_inline: bool) -> str:
    kind = "inline" if is_inline else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(name[:200], safe='')}" if name else kind
