"""Weapons against the web server and the page: junk, floods, slow clients, forged ids and cookies."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import hmac
import io
import json
import resource
import socket
import time
import uuid
import zlib
from typing import Any

import aiohttp

from tests.attacks.field import CALM_S, Field, running
from tests.attacks.table import weapon

ATTACKER = "127.0.0.2"
"""An address of its own on this machine, so that limits for one address meet the attacker alone."""
JUNK = (b"{", b"[" * 5_000, b"\xff\xfe", b"[]", b"null", b'"x"', b'{"type": 1}', b"payload=%7B", b"9" * 5_000)
STAMPS = ("\u00b2", "x", "-1", "1e9", "9" * 5_000, "")
PROXIED = ({"Via": "1.1 x"}, {"X-Forwarded-Host": "a"}, {"CF-Connecting-IP": "9.9.9.9"}, {"X-Real-IP": "9.9.9.9"})
MIB = 2**20


def outsider(**more: Any) -> aiohttp.ClientSession:
    """Somebody at the attacker's address."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(ATTACKER, 0), limit=0), **more)


@weapon("L1")
async def forge_log_lines(field: Field) -> None:
    """Paths with line breaks and escape codes in them."""
    ann = await field.browser()
    for path in ("/api/conversations/%0aFORGED%20ERROR", "/api/conversations/%1b%5b31mFORGED", "/%0d%0aFORGED"):
        (await ann.http.get(path)).close()
    assert "\x1b[31m" not in field.parley.said()
    assert not [line for line in field.parley.said().splitlines() if line.startswith("FORGED")]


@weapon("L2")
async def post_junk_where_slack_does(field: Field) -> None:
    """Unsigned, wrongly signed and signed junk at /slack/events."""
    secret = field.slack.app.signing_secret.encode()
    async with outsider() as http:
        for body in JUNK:
            for stamp in (*STAMPS, str(int(time.time()))):
                mac = hmac.new(secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
                for signature in ("v0=\u00e9", "", "v0=" + "0" * 64, f"v0={mac}"):
                    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
                    url = f"{field.parley.origin}/slack/events"
                    with contextlib.suppress(ValueError, aiohttp.ClientError):
                        async with http.post(url, data=body, headers=headers) as answer:
                            is_signed = signature == f"v0={mac}"
                            assert answer.status < 500, (body[:20], stamp[:9], answer.status)
                            assert is_signed or answer.status != 200, (body[:20], stamp[:9], answer.status)
    assert "Traceback" not in field.parley.said()


@weapon("L2")
async def send_odd_queries(field: Field) -> None:
    """Numbers of 5,000 digits, odd states and cookies on every route."""
    ann = await field.browser()
    digits = "9" * 5_000
    paths = (
        "/slack/oauth_redirect?code=x&state=\u00b2.x",
        "/slack/oauth_redirect?state=" + digits,
        f"/api/blobs/{'0' * 64}?size={digits}",
        f"/api/events?conversation={digits}",
        "/api/conversations/\u00b2",
        "/playground/%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/playground/..%5c..%5cparley.db",
    )
    for path in paths:
        async with ann.http.get(path, headers={"Range": f"bytes={digits}-"}) as answer:
            assert answer.status in (302, 303, 400, 401, 403, 404, 405, 413, 416), (path[:40], answer.status)
    assert "Traceback" not in field.parley.said()


@weapon("H3 L3")
async def send_packed_bodies(field: Field) -> None:
    """Bodies with a Content-Encoding: a megabyte that is a gigabyte."""
    packed = {"deflate": zlib.compress(b"\0" * (64 * MIB)), "gzip": gzip.compress(b"\0" * (64 * MIB), 1)}
    before = field.parley.rss_mb()
    ann = await field.browser()
    for kind, body in packed.items():
        for path in ("/slack/events", "/api/messages", "/playground/login", "/healthz"):
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with ann.http.post(path, data=io.BytesIO(body), headers={"Content-Encoding": kind}) as answer:
                    assert answer.status in (400, 401, 403, 404, 405, 413, 415), (path, answer.status)
    assert field.parley.rss_mb() - before < 150


@weapon("M8")
async def come_through_a_proxy(field: Field) -> None:
    """The page without a password, through a proxy, by another host's name, without what was printed."""
    async with outsider() as http:
        for headers in (*PROXIED, {"Host": "evil.example"}):
            async with http.get(field.parley.page, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 403, (headers, answer.status)
        for path in ("/", "/api/status", "/api/conversations", "/?key=guess"):
            async with http.get(f"{field.parley.origin}{path}", allow_redirects=False) as answer:
                assert answer.status in (401, 403) and "Set-Cookie" not in answer.headers, (path, answer.status)


@weapon("L8")
async def forge_a_session(field: Field) -> None:
    """Cookies made up, and those of old versions."""
    port = field.parley.page.port
    for value in ("x" * 43, "0" * 64, uuid.uuid4().hex, "' OR 1=1 --", "\u00b2"):
        cookies = {f"parley_session_{port}": value, "parley_person": value, "parley_pass": value}
        async with outsider(cookies=cookies) as http, http.get(f"{field.parley.origin}/api/status") as answer:
            assert answer.status == 401, answer.status


@weapon("held")
async def come_from_another_page(field: Field) -> None:
    """Requests that another site has a browser send."""
    ann = await field.browser()
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        data = aiohttp.FormData({"conversation": ann.channel, "id": uuid.uuid4().hex, "text": "x"})
        async with ann.http.post("/api/messages", data=data, headers=headers) as answer:
            assert answer.status in (400, 403), answer.status


@weapon("held")
async def name_another_persons_conversation(field: Field) -> None:
    """Read, delete, watch, press and fetch what belongs to somebody else on the page."""
    ann, mallory, word = await field.browser(), await field.browser(), field.word()
    message = await ann.post(word, ("note.txt", b"the file of ann", "text/plain"))
    await field.settled(ann)
    sha = hashlib.sha256(b"the file of ann").hexdigest()
    there = f"/api/conversations/{ann.channel}"
    for method, path in (
        ("GET", there),
        ("DELETE", there),
        ("GET", f"/api/events?conversation={ann.channel}"),
        ("DELETE", f"{there}/messages/{message}"),
        ("PATCH", f"{there}/messages/{message}"),
        ("POST", f"{there}/messages/{message}/press"),
        ("GET", f"/api/blobs/{sha}"),
    ):
        async with mallory.http.request(method, path, json={"id": "1", "action": "regenerate", "text": "x"}) as answer:
            assert answer.status in (400, 403, 404), (method, path, answer.status)
            assert word not in await answer.text()
    assert word in str(await ann.entries())


@weapon("L9")
async def look_at_the_figures(field: Field) -> None:
    """/metrics and the parts of /readyz, from elsewhere through a local proxy."""
    async with outsider() as http:
        for headers in (*PROXIED, {"X-Forwarded-For": "9.9.9.9"}, {"Host": "evil.example"}):
            async with http.get(f"{field.parley.origin}/metrics", headers=headers) as answer:
                assert answer.status in (401, 403, 404), answer.status
            async with http.get(f"{field.parley.origin}/readyz", headers=headers) as answer:
                assert "gpt" not in await answer.text() and "sqlite" not in (await answer.text()).lower()


@weapon("H2", fast=False)
async def answer_with_a_long_list(field: Field) -> None:
    """An answer of 3,000 items while a page shows it."""
    ann = await field.browser()
    async with ann.watching(), field.watched(CALM_S):
        await ann.post("REPEAT AFTER ME<<" + "- a\n" * 3_000 + ">>")
        await field.settled(ann)


@weapon("H2", fast=False)
async def answer_with_slow_code(field: Field) -> None:
    """Code blocks on which highlighting takes quadratic time."""
    ann = await field.browser()
    async with field.watched(CALM_S):
        for language in ("make", "http", "diff", "ini"):
            await ann.post(f"REPEAT AFTER ME<<```{language}\n{'a' * 20_000}\n```>>")
        await field.settled(ann)
        await ann.entries()


@weapon("M10", fast=False)
async def answer_with_slow_tables(field: Field) -> None:
    """Table rules and brackets on which both platforms' renderers took quadratic time."""
    async with field.watched(CALM_S):
        for text in ("|a\n" + " " * 8_000 + "|x", "[" * 8_000, "<@U|" * 2_000, "*" * 8_000):
            await field.mention(f"REPEAT AFTER ME<<{text}z>>")
            await field.asked(f"REPEAT AFTER ME<<{text[:1_700]}z>>")


@weapon("H3", fast=False)
async def post_huge_forms(field: Field) -> None:
    """Sixty text fields of eight megabytes, with names of their own and with known ones."""
    ann, before = await field.browser(), field.parley.rss_mb()
    for name in ("junk", "text"):
        form = aiohttp.FormData(default_to_multipart=True)
        for number in range(60):
            form.add_field(name if name == "text" else f"{name}{number}", io.BytesIO(b"x" * (7 * MIB)))
        with contextlib.suppress(aiohttp.ClientError):
            async with ann.http.post("/api/messages", data=form) as answer:
                assert answer.status in (400, 413), answer.status
        assert field.parley.rss_mb() - before < 150, f"{field.parley.rss_mb() - before:.0f} MB more"


@weapon("H3", fast=False)
async def fetch_a_byte_many_times(field: Field) -> None:
    """One byte of a large file, ten times at once."""
    ann = await field.browser()
    data = bytes(60 * MIB)
    await ann.post("keep", ("big.bin", b"RIFF" + data, "application/octet-stream"))
    await field.settled(ann)
    sha, before = hashlib.sha256(b"RIFF" + data).hexdigest(), field.parley.rss_mb()

    async def one() -> None:
        async with ann.http.get(f"/api/blobs/{sha}", headers={"Range": "bytes=0-0"}) as answer:
            await answer.read()

    async with field.watched(CALM_S):
        await asyncio.gather(*(one() for _ in range(10)))
    assert field.parley.rss_mb() - before < 200, f"{field.parley.rss_mb() - before:.0f} MB more"


@weapon("H7", fast=False)
async def hold_silent_connections(field: Field) -> None:
    """1,100 connections that say nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4_096), hard), hard))
    held: list[socket.socket] = []
    try:
        for _ in range(1_100):
            made = socket.socket()
            made.setblocking(False)
            made.bind((ATTACKER, 0))
            with contextlib.suppress(BlockingIOError, OSError):
                made.connect(("127.0.0.1", field.parley.page.port))
            held.append(made)
        await asyncio.sleep(2)
        assert await field.health(5) == 200
        await field.mention("still there?")
    finally:
        for one in held:
            one.close()


@weapon("H7", fast=False)
async def drip_headers(field: Field) -> None:
    """A request whose headers come a byte a second is ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", field.parley.page.port, local_addr=(ATTACKER, 0))
    began = time.perf_counter()
    with contextlib.suppress(ConnectionError):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-")
        while time.perf_counter() - began < 40 and not reader.at_eof():
            writer.write(b"a")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(100), 1)
    writer.close()
    assert time.perf_counter() - began < 35


@weapon("H7", fast=False)
async def open_many_streams(field: Field) -> None:
    """One person's 300 streams of events."""
    ann = await field.browser()
    url = f"/api/events?conversation={ann.channel}"
    connector = aiohttp.TCPConnector(local_addr=(ATTACKER, 0), limit=0)
    async with aiohttp.ClientSession(field.parley.origin, connector=connector, cookie_jar=ann.http.cookie_jar) as http:
        opened = await asyncio.gather(*(http.get(url) for _ in range(300)), return_exceptions=True)
        accepted = [one for one in opened if isinstance(one, aiohttp.ClientResponse) and one.status == 200]
        assert len(accepted) <= 100, len(accepted)
        async with field.watched(CALM_S):
            await field.mention("and now?")
        for one in accepted:
            one.close()


@weapon("M7", fast=False)
async def guess_passwords(field: Field) -> None:
    """A hundred wrong guesses under way, and the right password."""
    async with running(field.folder / "guarded", CHAT_MODEL="echo:echo", PLAYGROUND_PASSWORD="right") as other:
        url = f"{other.origin}/playground/login"

        async def guess(http: aiohttp.ClientSession) -> None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(url, data={"password": "wrong"}, allow_redirects=False) as answer:
                    assert answer.status != 303

        async with outsider() as attacker, aiohttp.ClientSession() as owner:
            guesses = [asyncio.create_task(guess(attacker)) for _ in range(120)]
            await asyncio.sleep(0.5)
            began = time.perf_counter()
            async with owner.post(url, data={"password": "right"}, allow_redirects=False) as answer:
                assert answer.status == 303
            assert time.perf_counter() - began < 5
            for one in guesses:
                one.cancel()
            await asyncio.gather(*guesses, return_exceptions=True)


@weapon("held")
async def show_hostile_markup(field: Field) -> None:
    """Script, handlers and addresses in an answer on the page."""
    ann = await field.browser()
    bad = "<script>x</script> <img src=x onerror=y> [a](javascript:z) ![b](http://evil.example/p) <svg onload=w>"
    await ann.post(f"REPEAT AFTER ME<<{bad}>>")
    shown = json.dumps([one["blocks"] for one in await field.settled(ann)])
    for mark in ("<script", "<img", "<svg", 'href=\\"javascript', 'src=\\"http://evil'):
        assert mark not in shown.lower(), mark
