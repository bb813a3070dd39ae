"""The web server's own answers, and the rules that hold for everything it serves."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.errors import ConfigError, QuotaError, UsageError
from bot.web import WebServer
from bot.web.probes import Probes


class Served:
    """A running server with a few routes of a made-up adapter."""

    def __init__(self, token: str = "") -> None:
        self.troubles: dict[str, str] = {"store": "", "jobs": ""}
        self.stream_ended = asyncio.Event()
        routes = [
            web.get("/usage", self._usage),
            web.get("/quota", self._quota),
            web.get("/bug", self._bug),
            web.get("/stream", self._stream),
            web.post("/echo", self._echo),
        ]
        self.server = WebServer(
            "127.0.0.1", 0, ready=self._ready, render=lambda: b"parley_up 1\n", routes=routes, token=token
        )

    async def _ready(self) -> Mapping[str, str]:
        return self.troubles

    async def _usage(self, request: web.Request) -> web.Response:
        raise UsageError("Write it like this.")

    async def _quota(self, request: web.Request) -> web.Response:
        raise QuotaError("The account is empty.")

    async def _bug(self, request: web.Request) -> web.Response:
        raise RuntimeError("secret detail")

    async def _echo(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: {}\n\n")
        try:
            await asyncio.Event().wait()
        finally:
            self.stream_ended.set()
        return response


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A running server on a free port."""
    made = Served()
    await made.server.start()
    yield made
    await made.server.stop()


@pytest.fixture
async def http(served: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of it."""
    async with aiohttp.ClientSession(served.server.url) as session:
        yield session


async def test_health_readiness_and_metrics(served: Served, http: aiohttp.ClientSession) -> None:
    """Alive is one thing, ready another."""
    assert (await http.get("/healthz")).status == 200
    ready = await http.get("/readyz")
    assert (ready.status, await ready.json()) == (200, {"ready": True, "parts": {"store": "ok", "jobs": "ok"}})
    assert await (await http.get("/metrics")).text() == "parley_up 1\n"


async def test_a_part_in_trouble_is_named(served: Served, http: aiohttp.ClientSession) -> None:
    """The operator, on this machine, is told which one."""
    served.troubles["store"] = "The disk is full."
    ready = await http.get("/readyz")
    assert (ready.status, (await ready.json())["parts"]["store"]) == (503, "The disk is full.")


@asynccontextmanager
async def served_with(token: str, **headers: str) -> AsyncIterator[tuple[Served, aiohttp.ClientSession]]:
    """A server whose metrics have a token, and a client that sends these headers."""
    made = Served(token)
    await made.server.start()
    async with aiohttp.ClientSession(made.server.url, headers=headers) as http:
        yield made, http
    await made.server.stop()


FORWARDED = {"X-Forwarded-For": "203.0.113.7"}


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Via", "Forwarded", "CF-Connecting-IP", "X-Real-IP"])
async def test_strangers_learn_whether_it_lives_and_no_more(served: Served, header: str) -> None:
    """Through a proxy: alive, ready or not, and nothing of parts, models or cost."""
    served.troubles["store"] = "The disk /data is full."
    async with aiohttp.ClientSession(served.server.url, headers={header: "203.0.113.7"}) as http:
        assert await (await http.get("/healthz")).text() == "ok\n"
        ready = await http.get("/readyz")
        assert (ready.status, await ready.json()) == (503, {"ready": False})
        metrics = await http.get("/metrics")
        assert (metrics.status, "METRICS_TOKEN" in await metrics.text()) == (403, True)


async def test_a_token_opens_metrics_from_anywhere() -> None:
    """Prometheus sends it from another machine; a wrong one opens nothing, not even from this one."""
    async with served_with("s3cret", **FORWARDED, Authorization="Bearer s3cret") as (_, http):
        assert await (await http.get("/metrics")).text() == "parley_up 1\n"
        assert "parts" in await (await http.get("/readyz")).json()
    for wrong in ("Bearer wrong", "Bearer ", "Bearer \udcff"):
        async with served_with("s3cret", Authorization=wrong) as (_, http):
            assert (await http.get("/metrics")).status == 403
    async with served_with("s3cret", **FORWARDED) as (_, http):
        assert (await http.get("/metrics")).status == 403
    async with served_with("", **FORWARDED, Authorization="Bearer ") as (_, http):
        assert (await http.get("/metrics")).status == 403


async def test_the_database_is_asked_once_for_many_probes() -> None:
    """Whoever asks all the time costs nothing: an answer holds for a second, and many at once wait for the same one."""
    asked = 0

    async def ready() -> Mapping[str, str]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {"store": ""}

    server = WebServer("127.0.0.1", 0, ready=ready, render=lambda: b"")
    await server.start()
    async with aiohttp.ClientSession(server.url) as http:
        answers = await asyncio.gather(*(http.get("/readyz") for _ in range(50)))
    await server.stop()
    assert {answer.status for answer in answers} == {200}
    assert asked <= 3


async def test_a_database_that_hangs_is_not_ready() -> None:
    """The probe is answered all the same."""

    async def ready() -> Mapping[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with TestClient(TestServer(_with(Probes(ready, lambda: b"", patience_s=0.05)))) as http:
        answer = await http.get("/readyz")
        assert (answer.status, await answer.json()) == (503, {"ready": False, "parts": {"store": "does not answer"}})


def _with(probes: Probes) -> web.Application:
    app = web.Application()
    app.add_routes(probes.routes())
    return app


async def test_every_answer_carries_the_security_headers(http: aiohttp.ClientSession) -> None:
    """Answers of any kind forbid inline script, framing, and guessing of types."""
    for path in ("/healthz", "/usage", "/bug", "/nowhere"):
        headers = (await http.get(path)).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in headers


async def test_errors_become_answers(http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    """A failure for a person keeps its text and code; a bug says nothing of itself but is logged."""
    usage = await http.get("/usage")
    assert (usage.status, await usage.json()) == (400, {"error": "usage", "text": "Write it like this."})
    assert (await http.get("/quota")).status == 502
    bug = await http.get("/bug")
    assert (bug.status, "secret" in await bug.text()) == (500, False)
    assert "secret detail" in caplog.text
    page = await http.get("/usage", headers={"Accept": "text/html"})
    assert await page.text() == "Write it like this.\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "OWN"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_other_sites_cannot_post(
    served: Served, http: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    """A page elsewhere cannot make a browser post here; servers, which send no Origin, can."""
    sent = {name: served.server.url if value == "OWN" else value for name, value in headers.items()}
    assert (await http.post("/echo", data=b"x", headers=sent)).status == status


async def test_a_rebound_name_does_not_read_metrics(http: aiohttp.ClientSession) -> None:
    """A site whose name was made to point here still has the wrong Host."""
    assert (await http.get("/metrics", headers={"Host": "evil.example"})).status == 403


async def test_a_body_too_large_is_refused(http: aiohttp.ClientSession) -> None:
    """More than is ever sent whole ends in 413."""
    assert (await http.post("/echo", data=io.BytesIO(b"x" * (5 * 1024 * 1024)))).status == 413


async def test_a_taken_port_is_one_clear_line(served: Served) -> None:
    """The setting to change is named; so it is for an address that is not ours."""
    other = Served()
    other.server.port = served.server.port
    with pytest.raises(ConfigError, match=r"^PORT: another program is listening on 127\.0\.0\.1:\d+;"):
        await other.server.start()
    other.server.host = "192.0.2.1"
    with pytest.raises(ConfigError, match=r"^HOST: 192\.0\.2\.1 is not an address"):
        await other.server.start()


async def test_stopping_ends_live_streams_at_once(served: Served, http: aiohttp.ClientSession) -> None:
    """An open page does not hold up the end of the process."""
    stream = await http.get("/stream")
    await stream.content.readline()
    began = asyncio.get_running_loop().time()
    await served.server.stop()
    assert served.stream_ended.is_set()
    assert asyncio.get_running_loop().time() - began < 1.5
