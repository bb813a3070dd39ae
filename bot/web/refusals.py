"""What is refused whoever asks, before a handler sees it: other sites' pages, and bodies that would have to be inflated."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

BODYLESS = ("GET", "HEAD", "OPTIONS")


def check_encoding(request: web.Request) -> None:
    """Raise HTTPUnsupportedMediaType for a compressed body: a few bytes of it could be a gigabyte. Nobody sends Parley any."""
    encodings = {word.strip().lower() for word in ",".join(request.headers.getall("Content-Encoding", [])).split(",")}
    if encodings - {"", "identity"}:
        raise web.HTTPUnsupportedMediaType(
            text="Compressed requests are not taken; send it without Content-Encoding.\n"
        )


def check_origin(request: web.Request) -> None:
    """Raise HTTPForbidden when a page of another site sent this. Servers, such as Slack's, send no Origin and are let through."""
    is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if request.method in BODYLESS and not is_upgrade:
        return
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and _place_in(origin) != request.host.lower()
    if is_foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise web.HTTPForbidden(text="Requests from other sites are refused.\n")


def _place_in(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
