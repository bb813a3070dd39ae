"""What the routes of adapters and the web server tell one another; not part of `bot.ports`, for its library is slow to import."""

from __future__ import annotations

from aiohttp import web

STREAMED = web.RequestKey("streamed", bool)
"""Set in a request by a route that takes its body in pieces and keeps none of it: it does not count as memory in use."""
