"""The Discord emulator's page: what a person sees and does there, by HTTP and, where there is one, in a browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from adapters.discord.emulator import DiscordEmulator, User, remux

CHROMIUM = shutil.which("chromium")


@pytest.fixture
async def server() -> AsyncIterator[DiscordEmulator]:
    """An emulator of its own."""
    async with DiscordEmulator() as made:
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as made:
        yield made


async def act(session: aiohttp.ClientSession, server: DiscordEmulator, user: User, **what: Any) -> Any:
    """Do something as the page does it; a `file` goes along as the form's file."""
    form = aiohttp.FormData(default_to_multipart=True)
    file = what.pop("file", None)
    form.add_field("what", json.dumps({"as": str(user.id), **what}))
    if file:
        form.add_field("files", file[1], filename=file[0])
    async with session.post(f"{server.url}/emulator/act", data=form, headers={"X-Emulator": "page"}) as answer:
        return await answer.json()


async def test_page_needs_nothing_from_outside(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """The page and its files come from the emulator alone, under a policy that forbids everything else."""
    for path in (
        "/",
        "/static/page.css",
        "/static/page.js",
        "/static/messages.js",
        "/static/markdown.js",
        "/static/icon.svg",
    ):
        async with session.get(server.url + path) as answer:
            text = await answer.text()
            assert answer.status == 200 and "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "https://" not in text.replace("https?://", "")
    async with session.get(server.url + "/static/..%2fpage.py") as answer:
        assert answer.status == 404


async def test_only_the_page_acts(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """Without the page's own header, and under a foreign host name, nothing happens."""
    form = aiohttp.FormData({"what": "{}"})
    async with session.post(f"{server.url}/emulator/act", data=form) as answer:
        assert answer.status == 403
    async with session.get(server.url, headers={"Host": "evil.example:1"}) as answer:
        assert answer.status == 403


async def test_state_shows_what_one_may_see(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """Each person sees their servers, channels and conversations, and no private thread of others."""
    secret = server.create_thread(server.bob, server.general, "secret", private=True)
    for user, sees in ((server.alice, False), (server.bob, True)):
        async with session.get(f"{server.url}/emulator/state", params={"as": str(user.id)}) as answer:
            state = await answer.json()
        ids = {channel["id"] for channel in state["guilds"][0]["channels"]}
        assert state["me"]["name"] == user.shown and (str(secret.id) in ids) is sees
        assert [room["people"] for room in state["directs"]] == [[str(one) for one in sorted((server.bot.id, user.id))]]


async def test_writing_editing_deleting(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """What is done on the page happens in the server; what may not be done says why."""
    place = str(server.general.id)
    await act(session, server, server.alice, do="post", channel=place, content="hello", file=("a.txt", b"x"))
    message = server.messages(server.general)[0]
    assert (message.content, message.attachments[0].data) == ("hello", b"x")
    refused = await act(session, server, server.bob, do="edit", message=str(message.id), content="mine")
    assert refused == {"error": "only your own messages"}
    await act(session, server, server.alice, do="edit", message=str(message.id), content="better")
    await act(session, server, server.bob, do="react", message=str(message.id), emoji="👍")
    assert message.content == "better" and message.reactions == {"👍": [server.bob.id]}
    await act(session, server, server.alice, do="delete", message=str(message.id))
    assert not server.messages(server.general)


async def test_news_come_as_they_happen(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """The stream tells of each message and edit, and of ephemeral ones only whom they are for."""
    async with session.get(f"{server.url}/emulator/events", params={"as": str(server.bob.id)}) as stream:
        await stream.content.readuntil(b"\n\n")
        message = server.post(server.alice, server.general, "one")
        server.edit(message, "two")
        told = [json.loads((await stream.content.readuntil(b"\n\n"))[6:]) for _ in range(2)]
        assert [news["message"]["content"] for news in told] == ["one", "two"]


def webm(*packets: bytes) -> bytes:
    """A recording as browsers make it: one cluster of unknown size."""

    def element(name: int, data: bytes) -> bytes:
        return name.to_bytes((name.bit_length() + 7) // 8, "big") + (len(data) | 1 << 28).to_bytes(4, "big") + data

    track = element(remux.TRACK, element(remux.CODEC_PRIVATE, b"OpusHead" + bytes(11)))
    blocks = b"".join(element(remux.SIMPLE_BLOCK, b"\x81\0\0\x80" + packet) for packet in packets)
    cluster = b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7 + blocks
    segment = b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + element(remux.TRACKS, track) + cluster
    return element(0x1A45DFA3, b"") + segment


def test_recordings_become_ogg() -> None:
    """The packets of a WebM recording stand unchanged in Ogg pages whose last carries the length in samples."""
    packets = [bytes([0xFC, n]) * (10 + 300 * n) for n in range(3)]
    ogg = remux.to_ogg(webm(*packets))
    pages = [b"OggS" + page for page in ogg.split(b"OggS")[1:]]
    bodies = [page[27 + page[26] :] for page in pages]
    assert bodies[0].startswith(b"OpusHead") and bodies[1].startswith(b"OpusTags") and bodies[2:] == packets
    assert int.from_bytes(pages[-1][6:14], "little") == 3 * 960 and pages[-1][5] == 4
    with pytest.raises(ValueError, match="no Opus"):
        remux.to_ogg(webm())


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
async def test_in_a_browser(server: DiscordEmulator) -> None:
    """In a real browser: write with a mention, see an edit stream in, record a voice note; and no error on the console."""
    playwright = pytest.importorskip(
        "playwright.async_api", reason="install the development dependencies: make test does"
    )
    async with playwright.async_playwright() as engine:
        flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = await engine.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await page.goto(server.url)
        await page.fill("#text", "@Parley **hi**")
        await page.keyboard.press("Enter")
        mine = await server.wait_for(lambda: server.messages(server.general) and server.messages(server.general)[0])
        assert mine.mentions == [server.bot.id]
        await page.wait_for_selector("article b:text('hi')")
        other = server.post(server.bob, server.general, "first `code`")
        server.edit(other, "```python\nprint(1)\n```")
        await page.wait_for_selector("pre[data-lang=python]:has-text('print(1)')")
        await page.click("#record")
        await page.wait_for_selector("#record.on")
        await page.wait_for_timeout(300)
        await page.click("#record")
        note = await server.wait_for(lambda: next((m for m in server.messages(server.general) if m.is_voice), None))
        assert note.attachments[0].data[:4] == b"OggS" and b"OpusHead" in note.attachments[0].data
        assert note.attachments[0].duration_s
        await page.wait_for_selector(".voice")
        await browser.close()
        assert errors == []
