"""Files for the browser: those of the page itself, and the bytes of what people and models sent."""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from adapters.playground import render
from adapters.playground.render import BLOBS
from bot.ports import Blobs

PAGE = Path(__file__).parent / "page"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ASSETS = {path.name: TYPES[path.suffix] for path in PAGE.iterdir() if path.suffix in TYPES}
RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})", re.ASCII)
"""Of one range. Anything else, such as several ranges or 5,000 digits, is answered with everything. Source: RFC 9110, 14.2."""


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


class Proof:
    """Tells one browser's addresses of bytes from those that somebody made up.

    While an answer is under way no message uses its pictures yet, so the store cannot say whose they are. Parley can: it has just
    told this browser of them.
    """

    def __init__(self, token: str) -> None:
        """token: of the browser's session."""
        self._key = token.encode()

    def of(self, sha256: str, turn_id: str) -> str:
        """Return what the address of these bytes in an answer of this turn ends with."""
        return hmac.new(self._key, f"{sha256} {turn_id}".encode(), hashlib.sha256).hexdigest()[:32]

    def sign(self, parts: list[dict[str, Any]], turn_id: str) -> list[dict[str, Any]]:
        """Return drawn parts of an answer whose addresses carry the proof."""
        return [part | self._signed(part["url"], turn_id) if part.get("url") else part for part in parts]

    def _signed(self, url: str, turn_id: str) -> dict[str, str]:
        sha256 = url.removeprefix(BLOBS).partition("?")[0]
        return {"url": f"{url}&turn={quote(turn_id)}&proof={self.of(sha256, turn_id)}"}

    def holds(self, request: web.Request) -> str:
        """Return the turn that the address of a request names, if its proof is right; an empty string otherwise."""
        turn, given = request.query.get("turn", ""), request.query.get("proof", "").encode(errors="replace")
        is_right = hmac.compare_digest(given, self.of(request.match_info["sha256"], turn).encode())
        return turn if is_right else ""


async def send_blob(request: web.Request, blobs: Blobs, person: str, turn_id: str = "") -> web.StreamResponse:
    """Send bytes by their hash, whole or one range of them (players seek), in pieces. They cannot act as a page of ours.

    turn_id: of the turn under way that brings them, proven. Raises HTTPNotFound when there are none that this person may see.
    """
    sha256, mime_type = request.match_info["sha256"], request.query.get("type", "")
    size = await blobs.size_for(sha256, person, turn_id)
    if size is None:
        raise web.HTTPNotFound(
            text="There is no such file here, or it was deleted.\n", headers={"Cache-Control": "no-store"}
        )
    is_inline = mime_type in render.INLINE_TYPES
    response, first = _ranged(size, request.headers.get("Range", ""))
    response.content_type = mime_type if is_inline else "application/octet-stream"
    response.headers["Content-Disposition"] = _disposition(request.query.get("name", ""), is_inline=is_inline)
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    await response.prepare(request)
    if request.method != "HEAD" and response.status != 416 and response.content_length:
        async with aclosing(blobs.read_pieces(sha256, first, response.content_length)) as pieces:
            async for piece in pieces:
                await response.write(piece)
    await response.write_eof()
    return response


def _ranged(size: int, wanted: str) -> tuple[web.StreamResponse, int]:
    """Return an answer for all the bytes, or for the one range of them that was asked for, and where it begins."""
    found = RANGE.fullmatch(wanted.strip())
    first, last, status = 0, size - 1, 200
    headers = {"Accept-Ranges": "bytes"}
    if found and (found[1] or found[2]):
        first = int(found[1]) if found[1] else max(0, size - int(found[2]))
        last = min(size - 1, int(found[2])) if found[1] and found[2] else size - 1
        status = 206 if first <= last else 416
        headers["Content-Range"] = f"bytes {first}-{last}/{size}" if first <= last else f"bytes */{size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = last - first + 1 if status != 416 else 0
    return response, first


def _disposition(name: str, *, is_inline: bool) -> str:
    kind = "inline" if is_inline else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(name[:200], safe='', errors='replace')}" if name else kind
