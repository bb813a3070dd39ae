"""What slow, silent and greedy clients can do to the web server: nothing that others would notice."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from bot.policy.callers import network_of
from bot.ports.http import STREAMED
from bot.web import ConnectionLimits, WebServer
from bot.web.descriptors import connections_within

QUICK = {"look_s": 0.02, "log_s": 0.05}
Serve = Callable[..., AbstractAsyncContextManager[WebServer]]


async def _echo(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def _count(request: web.Request) -> web.Response:
    """Read in pieces, as an upload is."""
    request[STREAMED] = True
    count = 0
    async for piece in request.content.iter_any():
        count += len(piece)
    return web.Response(text=str(count))


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(bytes(256 * 1024))


async def _wait(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _ready() -> dict[str, str]:
    return {}


@asynccontextmanager
async def serve(**limits: float) -> AsyncIterator[WebServer]:
    """A server with these limits."""
    routes = [
        web.post("/echo", _echo),
        web.post("/count", _count),
        web.get("/endless", _endless),
        web.get("/wait", _wait),
    ]
    made = ConnectionLimits(**{**QUICK, **limits})  # type: ignore[arg-type]
    server = WebServer("127.0.0.1", 0, ready=_ready, render=lambda: b"", routes=routes, limits=made)
    await server.start()
    yield server
    await server.stop()


async def said(server: WebServer, sent: bytes) -> bytes:
    """All that the server says to these bytes until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


async def health(server: WebServer) -> int:
    """The status of /healthz, asked over a new connection."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/healthz") as response:
        return response.status


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"G"])
async def test_headers_that_do_not_end_are_not_waited_for(sent: bytes) -> None:
    """A connection that says nothing, or only begins to, is told and closed."""
    async with serve(head_s=0.1) as server:
        assert (await said(server, sent)).startswith(b"HTTP/1.1 408 ")


async def test_a_trickle_of_headers_is_no_excuse() -> None:
    """The time counts to the end of the headers, however often another byte comes."""
    async with serve(head_s=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(10):
            while not ended.done():
                writer.write(b"a")
                await asyncio.wait([ended], timeout=0.02)
        assert isinstance(ended.exception(), ConnectionResetError) or ended.result().startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """A client that promises a body and stalls is told so and closed, however its route reads."""
    async with serve(window_s=0.2, window_bytes=100) as server:
        for route, status in ((b"/echo", b"408"), (b"/count", b"408"), (b"/nowhere", b"404")):
            begun = b"POST " + route + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc"
            answer = await said(server, begun)
            assert answer.startswith(b"HTTP/1.1 " + status)


async def test_a_slow_body_that_keeps_coming_is_taken() -> None:
    """A telephone's connection is slower than the window is long; it only has to move."""
    async with serve(window_s=0.2, window_bytes=50, head_s=0.2) as server:

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                await asyncio.sleep(0.05)
                yield bytes(100)

        async with aiohttp.ClientSession() as http, http.post(f"{server.url}/echo", data=pieces()) as response:
            assert (response.status, await response.text()) == (200, "1000")


async def test_an_answer_that_nobody_takes_is_given_up() -> None:
    """A client that asks for much and reads nothing does not keep the answer in memory for ever."""
    async with serve(window_s=0.2, window_bytes=100) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(1)
        async with asyncio.timeout(10):
            while not server.is_quiet:
                await asyncio.sleep(0.02)
        writer.close()
        assert server.is_quiet


async def test_an_idle_connection_is_closed() -> None:
    """Kept alive for the next request, but not for an hour."""
    async with serve(keep_alive_s=0.2) as server:
        answer = await said(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.endswith(b"ok\n")


async def test_silent_connections_do_not_keep_anybody_out() -> None:
    """Whoever asks displaces whoever only waits: a thousand silent connections from one address, and it is still answered."""
    async with serve(per_address=20, total=30) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(100)]
        assert [await health(server) for _ in range(5)] == [200] * 5
        for _, writer in silent:
            writer.close()


async def test_a_full_house_of_requests_refuses_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """Where every connection has a request under way, a further one is told when to come again; the log is told once."""
    async with serve(per_address=5) as server:
        waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
        for _, writer in waiting:
            writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            while (answer := await said(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")) == b"":
                await asyncio.sleep(0.01)
        for _ in range(50):
            answer = await said(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5" in answer and b"try again in a few seconds" in answer
        for _, writer in waiting:
            writer.close()
        await asyncio.sleep(0.1)
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(lines) <= 10
    assert "refused" in caplog.text


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "x"])
async def test_a_compressed_body_is_refused_unread(encoding: str) -> None:
    """A megabyte of zeros travels as a kilobyte: nothing is inflated, whoever asks for it and wherever."""
    packed = gzip.compress(bytes(1_000_000)) if encoding != "deflate" else zlib.compress(bytes(1_000_000))
    async with serve() as server, aiohttp.ClientSession(server.url) as http:
        for path in ("/echo", "/count", "/nowhere"):
            async with http.post(path, data=packed, headers={"Content-Encoding": encoding}) as response:
                assert (response.status, "Content-Encoding" in await response.text()) == (415, True)


async def test_bodies_under_way_have_one_budget() -> None:
    """Whoever sends most is refused when the bodies do not fit together; a small request beside them is answered."""
    async with serve(body_bytes=400_000) as server, aiohttp.ClientSession(server.url) as http:
        begun = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + bytes(250_000)
        first, second = asyncio.create_task(said(server, begun)), asyncio.create_task(said(server, begun))
        async with asyncio.timeout(10):
            done, _ = await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        (refused,) = done
        assert refused.result() == b"" or refused.result().startswith(b"HTTP/1.1 503 ")
        async with http.post("/echo", data=bytes(1_000)) as response:
            assert await response.text() == "1000"
        async with http.post("/count", data=bytes(1_000_000)) as response:
            assert await response.text() == "1000000"
        first.cancel()
        second.cancel()


async def test_a_body_beyond_the_largest_is_cut_off() -> None:
    """Whatever a route does with it, nobody sends without end."""
    async with serve(request_bytes=100_000) as server:
        sent = b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(200_000)
        assert (await said(server, sent)) in (b"", await said(server, sent))
        assert await health(server) == 200


def test_descriptors_are_kept_for_our_own_calls() -> None:
    """However few the system allows, connections do not take all of them."""
    assert connections_within(20_000, 1_000) == 1_000
    assert connections_within(1_024, 1_000) == 768
    assert connections_within(256, 1_000) == 128


def test_an_ipv6_line_is_one_caller() -> None:
    """Somebody with a /64 has more addresses than there are people; they count as one."""
    assert network_of("2001:db8:1:2::5") == network_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert network_of("::ffff:203.0.113.7") == network_of("203.0.113.7")
    assert network_of("203.0.113.7") != network_of("203.0.113.8")
    assert network_of("fe80::1%eth0") == "fe80::/64"
