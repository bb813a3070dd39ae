"""Who is let in to the page, what each may see there, and what one request may cost."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack as AsyncExit
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from adapters.playground.files import Proof
from bot.store.schema import page_sessions
from bot.types import Address
from tests.acceptance.playground_support import Person, Playground, playing, until_done
from tests.conftest import MakeConfig
from tests.support import rows

PASSWORD = "open sesame"
PROXIED = [
    {"Host": "evil.example"},
    {"X-Forwarded-For": "203.0.113.7"},
    {"X-Forwarded-Host": "parley.example"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Something-New": "1"},
    {"Forwarded": "for=203.0.113.7"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "203.0.113.7"},
    {"CF-Connecting-IP": "203.0.113.7"},
    {"CF-Ray": "1"},
    {"True-Client-IP": "203.0.113.7"},
    {"X-Envoy-External-Address": "203.0.113.7"},
]
MIB = 2**20
REQUEST_BYTES = 16 * MIB
"""What one request may take of memory, as docs/operations.md says; files are not held."""


@pytest.fixture
async def playground(make_config: MakeConfig) -> AsyncIterator[Playground]:
    """A running Parley that serves the page."""
    async with playing(make_config) as made:
        yield made


@asynccontextmanager
async def person(url: str, *, arrives: bool = True) -> AsyncIterator[Person]:
    """Somebody with a browser."""
    made = Person(url)
    try:
        if arrives:
            await made.arrive()
        yield made
    finally:
        await made.http.close()


@asynccontextmanager
async def guarded(make_config: MakeConfig, **values: Any) -> AsyncIterator[Playground]:
    """A Parley whose page has a password."""
    async with playing(make_config, playground_password=PASSWORD, **values) as made:
        yield made


async def log_in(someone: Person, password: str = PASSWORD, **headers: str) -> aiohttp.ClientResponse:
    """Send the password."""
    return await someone.http.post(
        "/playground/login", data={"password": password}, headers=headers, allow_redirects=False
    )


async def status_of(someone: Person, path: str, **options: Any) -> int:
    """What they are answered there."""
    async with someone.http.get(path, **options) as response:
        await response.read()
        return response.status


# --- The page without a password ------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", PROXIED, ids=lambda one: next(iter(one)))
async def test_without_a_password_no_proxy_gets_through(playground: Playground, headers: dict[str, str]) -> None:
    """A rebound name or whatever a proxy added is refused, even with the printed address, and told what opens the page."""
    async with person(playground.url) as ann:
        for url in (playground.url, "/", "/api/status", "/playground/app.js"):
            async with ann.http.get(url, headers=headers, allow_redirects=False) as response:
                assert response.status == 403
                assert "PLAYGROUND_PASSWORD" in await response.text()


async def test_a_proxy_that_adds_nothing_gets_nothing(playground: Playground) -> None:
    """nginx's plain `proxy_pass` looks like a browser here. Without the printed address there is a page of words, and no more."""
    async with person(playground.url, arrives=False) as stranger:
        for path in ("/", "/?key=", "/?key=wrong", "/?key=%ff"):
            async with stranger.http.get(path) as response:
                assert (response.status, "Set-Cookie" in response.headers) == (403, False)
                assert "the address that it printed" in await response.text()
        for path in ("/api/status", "/api/conversations", f"/api/blobs/{'0' * 64}"):
            assert (await stranger.http.get(path)).status == 401
        assert (await log_in(stranger, "")).status == 403


async def test_one_click_on_the_printed_address_is_enough(playground: Playground) -> None:
    """It lets the browser in, is gone from the address bar, and from then on the bare address serves."""
    async with person(playground.url, arrives=False) as ann:
        async with ann.http.get(playground.url) as response:
            assert (response.status, str(response.url.relative())) == (200, "/")
            assert "composer" in await response.text()
        async with ann.http.get("/") as response:
            assert "composer" in await response.text()
        first = await ann.get("/api/status")
        await ann.http.get(playground.url)
        assert await ann.get("/api/status") == first


async def test_an_open_page_is_open(make_config: MakeConfig) -> None:
    """PLAYGROUND_OPEN lets in whoever comes, through a proxy too; people are still kept apart."""
    async with playing(make_config, playground_open=True) as playground, person(playground.url) as ann:
        assert URL(playground.url).query_string == ""
        headers = {"X-Forwarded-For": "203.0.113.7", "Host": "parley.example"}
        async with aiohttp.ClientSession(URL(playground.url).origin(), headers=headers) as http:
            assert (await http.get("/", allow_redirects=False)).status == 303
        async with person(playground.url) as ben:
            assert (await ben.get("/api/status"))["handle"] != (await ann.get("/api/status"))["handle"]


async def test_an_open_page_does_not_fill_the_database(make_config: MakeConfig) -> None:
    """A program that keeps no cookie is a new person each time; at some point it is told to come later."""
    async with playing(make_config, playground_open=True) as playground:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            statuses = [(await http.get(playground.url, allow_redirects=False)).status for _ in range(310)]
        assert set(statuses[:300]) == {303}
        assert set(statuses[300:]) == {429}
        assert len(await rows(playground.app, page_sessions)) == 300


# --- Sessions -------------------------------------------------------------------------------------------------------


async def test_a_password_guards_page_and_api(make_config: MakeConfig) -> None:
    """With a password set, nothing is served before it was given, from anywhere; a cookie cannot be made up."""
    async with guarded(make_config) as playground, person(playground.url, arrives=False) as ann:
        async with ann.http.get("/") as response:
            assert "Password" in await response.text()
        port = playground.app.port
        forged = {f"parley_session_{port}": "x" * 43, "parley_person": "x" * 32, "parley_pass": "0" * 64}
        assert (await ann.http.get("/api/status", cookies=forged)).status == 401
        wrong = await log_in(ann, "wrong")
        assert (wrong.status, "That is not the password" in await wrong.text()) == (403, True)
        assert (await ann.http.get("/api/status")).status == 401
        assert (await log_in(ann)).status == 303
        await ann.arrive()
        await ann.post("hello")
        assert len(await ann.settled()) == 2


async def test_the_database_does_not_know_the_cookie(make_config: MakeConfig) -> None:
    """Whoever reads the database cannot use what stands there, and the cookie says nothing of the password."""
    async with guarded(make_config) as playground, person(playground.url, arrives=False) as ann:
        name = f"parley_session_{playground.app.port}"
        mine, (kept,) = (await log_in(ann)).cookies[name].value, await rows(playground.app, page_sessions)
        assert mine not in str(kept)
        async with person(playground.url, arrives=False) as ben:
            assert await status_of(ben, "/api/status", cookies={name: kept.token_hash}) == 401
            assert await status_of(ben, "/api/status", cookies={name: kept.token_hash[:43]}) == 401
            assert (await log_in(ben)).cookies[name].value != mine


async def test_behind_tls_the_cookie_never_leaves_it(make_config: MakeConfig) -> None:
    """Where the proxy says https, the cookie is Secure and bound to this host; over plain HTTP it names the port."""
    async with guarded(make_config) as playground, person(playground.url, arrives=False) as ann:
        cookie = (await log_in(ann, **{"X-Forwarded-Proto": "https"})).headers["Set-Cookie"]
        assert cookie.startswith("__Host-parley_session=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
        plain = (await log_in(ann)).headers["Set-Cookie"]
        assert plain.startswith(f"parley_session_{playground.app.port}=")
        assert "Secure" not in plain


async def test_logging_out_ends_the_session_for_good(make_config: MakeConfig) -> None:
    """The cookie means nothing any more, whoever kept a copy, and an open stream of the page ends."""
    async with guarded(make_config) as playground, person(playground.url, arrives=False) as ann:
        cookie = (await log_in(ann)).cookies[f"parley_session_{playground.app.port}"].value
        await ann.arrive()
        assert (await ann.get("/api/status"))["can_log_out"]
        response = await ann.http.post("/playground/logout", allow_redirects=False)
        assert response.status == 303
        copied = {f"parley_session_{playground.app.port}": cookie}
        assert (await ann.http.get("/api/status", cookies=copied)).status == 401
        assert await rows(playground.app, page_sessions) == []


async def test_whoever_had_a_cookie_of_before_keeps_the_conversations(make_config: MakeConfig) -> None:
    """The name of earlier versions' cookie is taken over once, and by one browser alone, after the password was given."""
    old = "an-old-cookie-of-some-length"
    async with guarded(make_config) as playground:
        async with person(playground.url, arrives=False) as ann:
            assert (await ann.http.get("/api/status", cookies={"parley_person": old})).status == 401
            ann.http.cookie_jar.update_cookies({"parley_person": old})
            await log_in(ann)
            mine = (await ann.arrive())["handle"]
        async with person(playground.url, arrives=False) as thief:
            thief.http.cookie_jar.update_cookies({"parley_person": old})
            await log_in(thief)
            assert (await thief.arrive())["handle"] != mine
    assert mine == hashlib.sha256(old.encode()).hexdigest()[:16]


# --- Guessing -------------------------------------------------------------------------------------------------------


async def test_guessing_locks_nobody_out(make_config: MakeConfig) -> None:
    """With 120 wrong guesses under way from the same address, as all are behind a proxy, the right password gets in."""
    async with guarded(make_config) as playground, person(playground.url, arrives=False) as ann:
        attacker = aiohttp.ClientSession(ann.entrance.origin(), connector=aiohttp.TCPConnector(limit=0))

        async def guess(number: int) -> int:
            async with attacker.post("/playground/login", data={"password": f"guess {number}"}) as response:
                return response.status

        guesses = [asyncio.create_task(guess(number)) for number in range(120)]
        await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
        began = asyncio.get_running_loop().time()
        assert (await log_in(ann)).status == 303
        assert asyncio.get_running_loop().time() - began < 30
        assert set(await asyncio.gather(*guesses)) == {403}
        await attacker.close()


# --- Whose bytes ----------------------------------------------------------------------------------------------------


async def test_bytes_are_shown_to_whoever_has_a_message_with_them(playground: Playground) -> None:
    """Knowing a file's hash, or its whole address, shows it to nobody else; and it goes with its message."""
    async with person(playground.url) as ann, person(playground.url) as ben:
        message = await ann.post("look", ("note.txt", b"the secret plan", "text/plain"))
        question, *_ = await ann.settled()
        url = question["parts"][0]["url"]
        assert await (await ann.http.get(url)).read() == b"the secret plan"
        assert await status_of(ben, url) == 404
        await ben.post("mine", ("own.txt", b"the secret plan", "text/plain"))
        await ben.settled()
        assert await status_of(ben, url) == 200
        await ann.http.delete(f"/api/conversations/{ann.channel}/messages/{message}", params={"id": uuid.uuid4().hex})
        assert await status_of(ann, url) == 404
        assert await status_of(ben, url) == 200


async def test_a_picture_is_seen_while_its_answer_is_under_way(playground: Playground) -> None:
    """No message uses it yet, but Parley has just told this browser of it; the same address serves nobody else."""
    async with person(playground.url) as ann, person(playground.url) as ben:
        async with ann.watching() as events:
            await ann.post("/imagine a cat")
            _, done = await until_done(events)
        (part,) = [one for one in done["parts"] if one["type"] == "image"]
        async with ann.http.get(part["url"]) as response:
            assert (response.status, response.content_type) == (200, "image/png")
        assert await status_of(ben, part["url"]) == 404
        _, answer = await ann.settled()
        assert answer["parts"][0]["url"] == part["url"]
        assert await status_of(ann, part["url"].partition("&turn=")[0]) == 200


async def test_a_turn_under_way_shows_nothing_but_its_own(playground: Playground) -> None:
    """Somebody whose answer is being written cannot claim that it brings a colleague's bytes."""
    async with person(playground.url) as ann, person(playground.url) as ben:
        await ann.post("look", ("note.txt", b"the secret plan", "text/plain"))
        url = (await ann.settled())[0]["parts"][0]["url"].partition("?")[0]
        message = await ben.post("[[slow 0.05]] [[long 2000]]")
        turn = (await ben.entries())[0]["turn"]
        for proof in ("", "0" * 32, Proof("").of(url[-64:], turn)):
            assert await status_of(ben, f"{url}?turn={turn}&proof={proof}") == 404
        assert (await ben.entries())[0]["is_running"]
        await ben.press(message, "stop")


# --- What one request may cost --------------------------------------------------------------------------------------


def _form(*parts: tuple[str, int], channel: str) -> AsyncIterator[bytes]:
    """The pieces of a form: fields by name, of so many bytes each; a name with a dot is a file."""

    async def pieces() -> AsyncIterator[bytes]:
        begun = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        yield begun % (b"conversation", channel.encode()) + begun % (b"id", uuid.uuid4().hex.encode())
        for name, size in parts:
            file = f'"file"; filename="{name}"' if "." in name else f'"{name}"'
            yield f"--b\r\nContent-Disposition: form-data; name={file}\r\n\r\n".encode()
            for at in range(0, size, 65_536):
                yield b"\xf0\x9f\x98\x80" * (min(65_536, size - at) // 4)
            yield b"\r\n"
        yield b"--b--\r\n"

    return pieces()


MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


async def _post(someone: Person, *parts: tuple[str, int]) -> tuple[int, str]:
    body = _form(*parts, channel=someone.channel)
    try:
        async with someone.http.post("/api/messages", data=body, headers=MULTIPART) as response:
            return response.status, await response.text()
    except aiohttp.ClientError:  # refused in the middle of the body
        return 400, ""


GREEDY = {
    "sixty fields": [(f"field{number}", 7_900_000) for number in range(60)],
    "one field sixty times": [("text", 7_900_000)] * 60,
    "a long text": [("text", 60_000_000)],
    "a text as long as may be": [("text", 1_000_000)],
    "many files": [(f"{number}.txt", 10) for number in range(500)],
    "a large file": [("large.bin", 60_000_000)],
}


@pytest.mark.parametrize("parts", GREEDY.values(), ids=GREEDY.keys())
async def test_one_request_takes_little_memory(playground: Playground, parts: list[tuple[str, int]]) -> None:
    """Whatever it sends, known or unknown, once or often, less than twice of what is documented."""
    async with person(playground.url) as ann:
        await _post(ann, ("text", 4))
        await ann.settled()
        tracemalloc.start()
        try:
            status, _ = await _post(ann, *parts)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2 * REQUEST_BYTES
        assert status in (202, 400)
        await ann.settled()


@pytest.mark.parametrize("body", [b"[" * 900_000, b'{"id":' + b"[]," * 300_000, b'{"a":"' + b"x" * 5_000_000])
async def test_json_is_not_unfolded(playground: Playground, body: bytes) -> None:
    """Brackets, which take fifty times their size when read, and words without end are refused for little."""
    async with person(playground.url) as ann:
        path = f"/api/conversations/{ann.channel}/messages/{uuid.uuid4().hex}"
        tracemalloc.start()
        try:
            async with ann.http.patch(
                path, data=io.BytesIO(body), headers={"Content-Type": "application/json"}
            ) as response:
                assert response.status == 400
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2 * REQUEST_BYTES


async def test_a_full_store_is_told_in_words(make_config: MakeConfig) -> None:
    """Whoever has had as much kept as may be is told so, and what to do, and others are not concerned."""
    async with playing(make_config, stored_mb_per_person=1) as playground, person(playground.url) as ann:
        status, said = await _post(ann, ("large.bin", 2 * MIB))
        assert (status, json.loads(said)["error"]) == (429, "limit")
        assert "/forget" in said
        assert (await _post(ann, ("small.txt", 100)))[0] == 202
        await ann.settled()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_large_files_come_and_go_in_pieces(
    make_config: MakeConfig, request: pytest.FixtureRequest, kind: str
) -> None:
    """60 MB are kept and given back whole, and one byte of them for the price of a byte, on both databases."""
    values = {"database_url": request.getfixturevalue("postgres_url")} if kind == "postgresql" else {}
    size = 60_000_000
    async with playing(make_config, **values) as playground, person(playground.url) as ann:
        blobs = playground.app.host.blobs(Address("playground", "local", ann.channel))

        async def pieces() -> AsyncIterator[bytes]:
            for number in range(60):
                yield bytes([number]) * 1_000_000

        tracemalloc.start()
        try:
            blob = await blobs.write_pieces(pieces(), "application/x-thing", "ann")
            read = 0
            async for piece in blobs.read_pieces(blob.sha256, 0, size):
                assert piece[0] == read // 1_000_000
                read += len(piece)
            (byte,) = [piece async for piece in blobs.read_pieces(blob.sha256, 59_500_000, 1)]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (blob.size_bytes, read, byte) == (size, size, bytes([59]))
        assert peak < REQUEST_BYTES
        assert await blobs.write_pieces(pieces(), "application/x-thing", "ann") == blob


async def test_a_range_is_all_that_is_read(playground: Playground) -> None:
    """A player that asks for a byte gets it, whatever the address says about the size; nonsense gets everything or 416."""
    async with person(playground.url) as ann:
        await ann.post("look", ("note.txt", b"0123456789", "text/plain"))
        question, *_ = await ann.settled()
        url = question["parts"][0]["url"]
        bare = url.partition("?")[0]
        cases = {
            "bytes=3-3": (206, b"3"),
            "bytes=-2": (206, b"89"),
            "bytes=8-": (206, b"89"),
            "bytes=0-99999": (206, b"0123456789"),
            "bytes=10-": (416, b""),
            f"bytes={'9' * 15}-": (416, b""),
            f"bytes={'9' * 5_000}-": (200, b"0123456789"),
            "bytes=0-1,3-4": (200, b"0123456789"),
            "bytes=-": (200, b"0123456789"),
            "lines=1-2": (200, b"0123456789"),
        }
        for address in (bare, f"{bare}?size=0", f"{bare}?size={'9' * 5_000}", f"{bare}?size=-1"):
            for wanted, (status, data) in cases.items():
                async with ann.http.get(address, headers={"Range": wanted}) as response:
                    assert (response.status, await response.read()) == (status, data)


async def test_open_pages_have_a_bound(playground: Playground) -> None:
    """Somebody who opens the page everywhere is told so, and keeps what is open."""
    async with person(playground.url) as ann, person(playground.url) as ben, AsyncExit() as ends:
        for _ in range(10):
            await ends.enter_async_context(ann.watching())
        async with ann.http.get("/api/events", params={"conversation": ann.channel}) as response:
            assert (response.status, "too many places" in await response.text()) == (429, True)
        async with ben.watching():
            assert await status_of(ben, "/api/status") == 200
