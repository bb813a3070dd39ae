"""No input makes the page or its server fail: whatever is wrong with a request is the sender's to hear, and nothing for the log."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.acceptance.playground_support import Person, Playground, playing
from tests.conftest import MakeConfig

LONG = "9" * 5_000
ODD = [
    "",
    "%20",
    "%00",
    "%ff",
    "%c3%28",
    "%0a%0d",
    "..%2f..",
    LONG,
    "-1",
    "%c2%b2",
    "%ed%a0%80",
    "null",
    "[]",
    "{}",
    "%f0%9f%a4%b7",
    "'",
    "%",
    "a%2fb",
]
RANGES = [
    "bytes=",
    "bytes=-",
    f"bytes={LONG}-",
    f"bytes=0-{LONG}",
    "bytes=5-1",
    "bytes=²-",
    "bytes=0-0,2-2",
    "x=1",
    "bytes=--1",
]
TYPES = [
    "",
    "application/json",
    "application/json; charset=nonsense",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=b",
    f"multipart/form-data; boundary={'b' * 100}",
    "multipart/mixed; boundary=b",
    'multipart/form-data; boundary="',
    "multipart/form-data; boundary=b; charset=nonsense",
    "text/plain; charset=\xff",
    "/",
    ";;;",
]
BODIES = [
    b"",
    b"\x00",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b'{"id":',
    b"{}" * 1000,
    b"[" * 100_000,
    b'{"id": "\\ud800", "text": "\\ud800", "action": "edit", "value": "\\udfff"}',
    b'{"id": 1e999, "text": NaN, "action": ["edit"], "value": {"a": 1}}',
    b'{"id": "0123456789", "text": "\\u0000", "action": "stop", "value": null}',
    b'{"id": "' + b"a" * 200 + b'", "text": "x", "action": "vary"}',
    b'\xff\xfe{"id"',
    b"password=%ff%00&password=x",
    b"password=" + b"x" * 3_000,
    b"&" * 3_000,
    b"--b",
    b"--b--\r\n",
    b"--b\r\n\r\n",
    b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
    b'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\nnonsense\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"x" * 100 + b"\r\n--b--\r\n",
    b'--b\r\nContent-Disposition: form-data; name="text"\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nx\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="text"\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="text"\r\nContent-Encoding: gzip\r\n\r\nx\r\n--b--\r\n',
    b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n",
    b"--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--b--\r\n",
    b"--b\r\nContent-Length: -1\r\n\r\nx\r\n--b--\r\n",
    b"--b\r\n" + b"X: y\r\n" * 500 + b"\r\nx\r\n--b--\r\n",
    b"--b\r\nX: " + b"y" * 20_000 + b"\r\n\r\nx\r\n--b--\r\n",
]


@pytest.fixture
async def playground(make_config: MakeConfig, store_url: str) -> AsyncIterator[Playground]:
    """A running Parley that serves the page, on each database: what one stores, the other may refuse."""
    async with playing(make_config, database_url=store_url) as made:
        yield made


@pytest.fixture
async def ann(playground: Playground) -> AsyncIterator[Person]:
    """Somebody who is let in."""
    person = Person(playground.url)
    await person.arrive()
    yield person
    await person.http.close()


async def ask(person: Person, method: str, path: str, **options: Any) -> int:
    """The status of the answer, or 0 where the server closed the connection before it was sent whole."""
    with suppress(aiohttp.ClientError, ConnectionError):
        async with person.http.request(method, URL(path, encoded=True), allow_redirects=False, **options) as response:
            if response.content_type != "text/event-stream":
                await response.read()
            return response.status
    return 0


def blame(statuses: Mapping[str, int], caplog: pytest.LogCaptureFixture) -> list[str]:
    """What made the server fail, or log an error."""
    failed = [name for name, status in statuses.items() if status >= 500]
    logged = [one.getMessage() for one in caplog.records if one.levelname == "ERROR" or one.exc_info]
    return [ascii(one) for one in (*failed, *logged)]  # half letters would end the test runner, which reports in UTF-8


async def test_odd_addresses(ann: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Every route, with every oddity in its path, its query and its Range."""
    blob = f"/api/blobs/{'0' * 64}"
    paths = [
        "/?key={}",
        "/playground/{}",
        "/api/events?conversation={}",
        "/api/conversations/{}",
        "/api/conversations/{}/messages/x",
        f"/api/conversations/{ann.channel}/messages/{{}}",
        f"/api/conversations/{ann.channel}?id={{}}",
        "/api/blobs/{}",
        blob + "?type={}",
        blob + "?size={}",
        blob + "?name={}",
        blob + "?turn={}&proof=x",
        blob + "?turn=x&proof={}",
        "/readyz?{}",
        "/metrics?{}",
        "/{}",
        "/slack/oauth_redirect?state={}&code={}",
    ]
    statuses = {}
    for path in paths:
        for odd in ODD:
            for method in ("GET", "HEAD", "DELETE", "PUT", "OPTIONS"):
                asked = path.replace("{}", odd)
                statuses[f"{method} {asked[:80]}"] = await ask(ann, method, asked)
    for wanted in RANGES:
        statuses[f"Range {wanted[:40]}"] = await ask(ann, "GET", blob, headers={"Range": wanted})
    assert blame(statuses, caplog) == []


async def test_odd_bodies(ann: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Every route that takes a body, with every kind of broken body under every kind of name for it."""
    one = f"/api/conversations/{ann.channel}/messages/{uuid.uuid4().hex}"
    routes = [
        ("POST", "/api/messages"),
        ("POST", "/playground/login"),
        ("PATCH", one),
        ("POST", f"{one}/press"),
        ("POST", "/x"),
    ]
    statuses = {}
    for method, path in routes:
        for kind in TYPES:
            for body in BODIES:
                headers = {"Content-Type": kind.encode("latin-1").decode("latin-1")}
                name = f"{method} {path[:30]} {kind[:40]} {body[:40]!r}"
                statuses[name] = await ask(ann, method, path, data=body, headers=headers)
    assert blame(statuses, caplog) == []


async def test_odd_fields(ann: Person, caplog: pytest.LogCaptureFixture) -> None:
    """A form whose fields, file names and types are odd is kept or refused, and can be shown afterwards."""
    statuses = {}
    for odd in [
        "",
        "\x00",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        "a" * 10_000,
        "../../x",
        "\r\n",
        "nan",
        "1e999",
        "²",
    ]:
        for name in ("conversation", "id", "text", "duration_s", "voice", "file", "other"):
            form = aiohttp.FormData(default_to_multipart=True)
            fields = {"conversation": ann.channel, "id": uuid.uuid4().hex, "text": "hello", "duration_s": "1"}
            for key, value in {**fields, **({name: odd} if name in fields or name == "other" else {})}.items():
                form.add_field(key, value)
            if name in ("voice", "file"):
                kind = "text/plain" if odd else "x" * 300 + "/y"
                form.add_field(name, b"words", filename=odd if odd.isprintable() and odd else "x", content_type=kind)
            statuses[f"{name} {odd[:20]!r}"] = await ask(ann, "POST", "/api/messages", data=form)
    assert blame(statuses, caplog) == []
    assert await ann.settled()
    assert await ann.get("/api/conversations")


async def test_odd_headers_and_lines(playground: Playground, caplog: pytest.LogCaptureFixture) -> None:
    """What no client library would send: the server answers or closes, and goes on."""
    address = URL(playground.url)
    heads = [
        b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://[\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + b"a=b; " * 1_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: parley_session_80=\xff\x00\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \xff\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET http://[/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /api/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /playground/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ]
    statuses = {}
    for head in heads:
        reader, writer = await asyncio.open_connection(str(address.host), address.port)
        writer.write(head.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1))
        writer.write_eof()
        async with asyncio.timeout(20):
            line = await reader.readline()
        statuses[repr(head[:60])] = int(line.split()[1]) if line.count(b" ") else 0
        writer.close()
    assert blame(statuses, caplog) == []


async def test_random_bytes(ann: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Mutations of a good form, many of them."""
    made = random.Random(7)
    good = (
        b'--b\r\nContent-Disposition: form-data; name="conversation"\r\n\r\n%s\r\n'
        b'--b\r\nContent-Disposition: form-data; name="id"\r\n\r\n%s\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.txt"\r\n\r\nwords\r\n--b--\r\n'
    ) % (ann.channel.encode(), uuid.uuid4().hex.encode())
    statuses = {}
    for _ in range(300):
        body = bytearray(good)
        for _ in range(made.randint(1, 6)):
            at = made.randrange(len(body))
            body[at : at + made.randint(0, 4)] = made.randbytes(made.randint(0, 4))
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        statuses[repr(bytes(body))] = await ask(ann, "POST", "/api/messages", data=bytes(body), headers=headers)
    assert blame(statuses, caplog) == []
