"""Health, readiness and metrics: whether Parley lives is everybody's to know, how it fares is the operator's."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from bot.policy.callers import comes_from_this_machine

Ready = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns each part that this process needs with what is wrong with it, or an empty string when it is ready."""
KEPT_S = 1.0
"""An answer about readiness holds this long: however often it is asked for, the database is asked once."""
PATIENCE_S = 5.0
"""For a database that does not answer."""
ELSEWHERE = (
    "Metrics are served to programs on this machine only.\n"
    "To read them from elsewhere, set METRICS_TOKEN and send it as `Authorization: Bearer …`.\n"
)


class Probes:
    """The routes that monitoring asks."""

    def __init__(
        self,
        ready: Ready,
        render: Callable[[], bytes],
        token: str = "",
        *,
        kept_s: float = KEPT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """ready: for /readyz. render: the text of /metrics. token: opens details to whoever has it; empty where there is none."""
        self._ready, self._render, self._token = ready, render, token
        self._kept_s, self._patience_s = kept_s, patience_s
        self._one_asks = asyncio.Lock()
        self._known: Mapping[str, str] = {}
        self._known_at = -kept_s

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Return the routes for the web server to mount."""
        return [
            web.get("/healthz", self._health),
            web.get("/readyz", self._readiness),
            web.get("/metrics", self._metrics),
        ]

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, request: web.Request) -> web.Response:
        """Answer 200 or 503: all that a stranger, such as a load balancer, learns. The operator is told which part it is."""
        troubles = await self._parts()
        is_ready = not any(troubles.values())
        told: dict[str, object] = {"ready": is_ready}
        if self._may_see(request):
            told["parts"] = {name: trouble or "ok" for name, trouble in troubles.items()}
        return web.json_response(told, status=200 if is_ready else 503, headers={"Cache-Control": "no-store"})

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self._may_see(request):
            raise web.HTTPForbidden(text=ELSEWHERE)
        return web.Response(body=self._render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    def _may_see(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if self._token and scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(errors="replace"), self._token.encode())
        return comes_from_this_machine(request.remote or "", request.host, request.headers)

    async def _parts(self) -> Mapping[str, str]:
        async with self._one_asks:
            if time.monotonic() - self._known_at >= self._kept_s:
                self._known = await self._ask()
                self._known_at = time.monotonic()
            return self._known

    async def _ask(self) -> Mapping[str, str]:
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._ready()
        except TimeoutError:
            return {"store": "does not answer"}
