"""The page's HTTP, from a posted message to the stream that answers it, through a whole Parley with echo models."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from adapters.playground.files import ASSETS
from tests.acceptance.playground_support import Person, Playground, playing, until_done
from tests.conftest import MakeConfig

OGG = b"OggS\x00\x02" + bytes(range(200))


@pytest.fixture
async def playground(make_config: MakeConfig) -> AsyncIterator[Playground]:
    """A running Parley that serves the page."""
    async with playing(make_config) as made:
        yield made


@pytest.fixture
async def ann(playground: Playground) -> AsyncIterator[Person]:
    """Somebody who opened the page."""
    person = Person(playground.url)
    await person.arrive()
    yield person
    await person.http.close()


@pytest.fixture
async def ben(playground: Playground) -> AsyncIterator[Person]:
    """Somebody else."""
    person = Person(playground.url)
    await person.arrive()
    yield person
    await person.http.close()


async def test_the_page_and_its_files_are_served(playground: Playground, ann: Person) -> None:
    """The page loads nothing from elsewhere, and its cookie is out of scripts' and other sites' reach."""
    async with aiohttp.ClientSession() as http, http.get(playground.url, allow_redirects=False) as response:
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    async with ann.http.get("/") as response:
        page = await response.text()
    assert "<h1" in page
    assert {"app.js", "turns.js", "app.css", "logo.svg", "login.css"} <= set(ASSETS)
    for asset in ASSETS:
        async with ann.http.get(f"/playground/{asset}") as response:
            page += (await response.text()).replace("http://www.w3.org/", "")
            assert response.status == 200
    assert not [piece for piece in ("http://", "https://", "@import") if piece in page]
    assert (await ann.http.get("/playground/..%2f__init__.py")).status == 404


async def test_an_answer_streams_and_stays(ann: Person) -> None:
    """Posted words are answered as they come, rendered, and are in the history with a title afterwards."""
    async with ann.watching() as events:
        message = await ann.post("[[slow 0.05]] one two three four five six seven eight nine ten")
        states, done = await until_done(events)
    assert len(states) > 2
    assert states[0] != states[-1]
    assert done["to"] == message
    assert "nine ten" in done["blocks"][0]
    assert done["blocks"][0].startswith(states[0].removesuffix("</p>\n"))
    question, answer = await ann.settled()
    assert (question["id"], question["role"], answer["role"]) == (message, "user", "assistant")
    assert answer["turn"] == question["turn"]
    assert answer["blocks"] == done["blocks"]
    (conversation,) = await ann.get("/api/conversations")
    assert conversation["id"] == ann.channel
    assert "one two three" in conversation["title"]


async def test_the_end_is_told_once_it_can_be_read(ann: Person) -> None:
    """After `settled` the history has the answer, with no answer under way: the page need not guess when to look."""
    async with ann.watching() as events:
        await ann.post("hello")
        _, done = await until_done(events)
        async with asyncio.timeout(15):
            told = await anext(data async for name, data in events if name == "settled")
    assert told == {"turn": done["turn"]}
    question, answer = await ann.entries()
    assert not question["is_running"] and not answer["is_running"]
    assert (answer["blocks"], answer["actions"]) == (done["blocks"], list(done["actions"]))


async def test_only_ones_own_words_can_be_edited(ann: Person) -> None:
    """A message can be worded anew; a command, an answer and what a button stood for cannot. The core says which."""
    drawing = await ann.post("/imagine a cat")
    await ann.settled()
    assert (await ann.press(drawing, "vary"))["outcome"] == "queued"
    await ann.settled()
    words = await ann.post("hello")
    entries = await ann.settled()
    assert [entry["id"] for entry in entries if entry["is_editable"]] == [words]
    assert [entry["role"] for entry in entries].count("user") == 3


async def test_the_page_says_what_answers_and_what_brings_the_rest(make_config: MakeConfig) -> None:
    """Each modality has its model, or what would turn it on."""
    async with playing(make_config, image_model="") as playground:
        ann = Person(playground.url)
        models = {one["modality"]: one for one in (await ann.arrive())["models"]}
        await ann.http.close()
    assert models["chat"]["model"] == "echo:echo"
    assert (models["image"]["model"], models["image"]["way"]) == ("", "set OPENAI_API_KEY or IMAGE_MODEL")


async def test_a_message_posted_twice_is_answered_once(ann: Person) -> None:
    """A page that did not hear the first answer may post again."""
    message = await ann.post("hello")
    await ann.post("hello", message=message)
    assert [entry["role"] for entry in await ann.settled()] == ["user", "assistant"]


async def test_a_page_that_opens_late_sees_the_whole_so_far(ann: Person) -> None:
    """In the middle of an answer, or after a lost connection, the text starts at its first word."""
    await ann.post("[[slow 0.03]] [[long 60]]")
    await asyncio.sleep(0.5)
    async with ann.watching() as events:
        states, _ = await until_done(events)
    assert states[0].startswith("<p>word0 word1")
    assert len(states) > 2


async def test_long_answers_stream_through_postgresql(make_config: MakeConfig, postgres_url: str) -> None:
    """The database's notifications are small; a text far larger comes whole, to a page that opens late too."""
    async with playing(make_config, database_url=postgres_url) as playground:
        ann = Person(playground.url)
        await ann.arrive()
        async with ann.watching() as events:
            await ann.post("[[long 6000]]")
            async with ann.watching() as late:
                _, done = await until_done(events)
                _, same = await until_done(late)
        await ann.http.close()
    assert done["text"].endswith("word5999")
    assert same == done


async def test_stop_keeps_what_had_come(ann: Person) -> None:
    """The button ends the stream, and the answer says that it was stopped."""
    async with ann.watching() as events:
        message = await ann.post("[[slow 0.05]] [[long 400]]")
        async for name, _ in events:
            if name == "blocks":
                break
        assert (await ann.press(message, "stop"))["outcome"] == "done"
        _, done = await until_done(events)
    assert done["is_stopped"]
    assert done["text"].startswith("word0")


async def test_again_edit_and_delete(ann: Person) -> None:
    """An answer can be had again in its place, a question changed, and both removed."""
    message = await ann.post("first words")
    await ann.settled()
    async with ann.watching() as events:
        assert (await ann.press(message, "regenerate"))["outcome"] == "queued"
        _, again = await until_done(events)
        assert again["to"] == message
        await ann.settled()
        path = f"/api/conversations/{ann.channel}/messages/{message}"
        await ann.http.patch(path, json={"id": uuid.uuid4().hex, "text": "second words"})
        _, revised = await until_done(events)
    assert "second words" in revised["text"]
    assert [entry["role"] for entry in await ann.settled()] == ["user", "assistant"]
    assert (await ann.press(message, "thumbs_up"))["outcome"] == "done"
    await ann.http.delete(path, params={"id": uuid.uuid4().hex})
    assert await ann.entries() == []


async def test_a_file_that_could_not_be_read_stays_in_its_message(ann: Person) -> None:
    """The history names it with the reason, beside what could be read, after the answer too."""
    await ann.post("look", ("zero.png", b"", "image/png"), ("note.txt", b"words", "text/plain"))
    question, *_ = await ann.settled()
    assert [(part["type"], part["name"]) for part in question["parts"]] == [
        ("unread", "zero.png"),
        ("file", "note.txt"),
    ]
    assert question["parts"][0]["why"] == "zero.png is empty (0 bytes)."
    assert question["text"] == "look"


async def test_a_file_comes_back_whole_or_in_ranges(ann: Person) -> None:
    """What was uploaded can be fetched by its hash, in part for players; nothing in it can act as a page."""
    await ann.post("look", ("page.txt", b"<script>alert(1)</script>", "text/html"))
    question, *_ = await ann.settled()
    (part,) = question["parts"]
    async with ann.http.get(part["url"]) as response:
        assert await response.read() == b"<script>alert(1)</script>"
        assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''page.txt"
        assert "sandbox" in response.headers["Content-Security-Policy"]
    async with ann.http.get(
        part["url"].replace("type=", "type=text/html&x="), headers={"Range": "bytes=1-6"}
    ) as response:
        assert (response.status, await response.read()) == (206, b"script")
        assert response.headers["Content-Range"] == "bytes 1-6/25"
        assert response.content_type == "application/octet-stream"
    async with ann.http.get(part["url"], headers={"Range": "bytes=99-"}) as response:
        assert response.status == 416


async def test_commands_are_commands(ann: Person) -> None:
    """A slash and a command's name is carried out, and `forget` by the list's button empties the conversation."""
    async with ann.watching() as events:
        await ann.post("/help")
        _, done = await until_done(events)
    assert "imagine" in done["text"]
    await ann.http.delete(f"/api/conversations/{ann.channel}", params={"id": uuid.uuid4().hex})
    for _ in range(100):
        if not await ann.get("/api/conversations"):
            break
        await asyncio.sleep(0.02)
    assert await ann.get("/api/conversations") == []


async def test_conversations_are_ones_own(ann: Person, ben: Person) -> None:
    """Nobody reads, watches, changes or writes into another person's conversation."""
    message = await ann.post("a secret")
    await ann.settled()
    ben.channel = ann.channel
    assert (await ben.http.get(f"/api/conversations/{ann.channel}")).status == 400
    assert (await ben.http.get("/api/events", params={"conversation": ann.channel})).status == 400
    assert (await ben.press(message, "regenerate"))["error"] == "usage"
    form = aiohttp.FormData(
        {"conversation": ann.channel, "id": uuid.uuid4().hex, "text": "x"}, default_to_multipart=True
    )
    assert (await ben.http.post("/api/messages", data=form)).status == 400
    assert await ben.get("/api/conversations") == []


async def test_bad_input_ends_in_a_clear_answer(ann: Person) -> None:
    """Nothing at all, no form, no JSON, no such blob: each is told in words."""
    form = aiohttp.FormData(
        {"conversation": ann.channel, "id": uuid.uuid4().hex, "text": " "}, default_to_multipart=True
    )
    async with ann.http.post("/api/messages", data=form) as response:
        assert (response.status, (await response.json())["text"]) == (400, "Write something or add a file.")
    async with ann.http.post("/api/messages", data=b"x") as response:
        assert (response.status, (await response.json())["text"]) == (400, "A message is sent as a form.")
    path = f"/api/conversations/{ann.channel}/messages/{uuid.uuid4().hex}"
    assert (await ann.http.patch(path, data=b"{", headers={"Content-Type": "application/json"})).status == 400
    assert (await ann.http.get(f"/api/blobs/{'0' * 64}")).status == 404


@pytest.mark.parametrize(
    ("text", "files", "said"), [("x" * 250_001, 0, "250,000 characters"), ("x", 21, "up to 20 files")]
)
async def test_a_message_has_a_size(ann: Person, text: str, files: int, said: str) -> None:
    """A longer text is told to come as a file, and one file too many is refused; what is just as large as may be is taken."""
    for words, count, status in ((text, files, 400), (text[:250_000], min(files, 20), 202)):
        form = aiohttp.FormData(
            {"conversation": ann.channel, "id": uuid.uuid4().hex, "text": words}, default_to_multipart=True
        )
        for number in range(count):
            form.add_field("file", b"words", filename=f"{number}.txt", content_type="text/plain")
        async with ann.http.post("/api/messages", data=form) as response:
            assert response.status == status
            assert status == 202 or said in (await response.json())["text"]


async def test_an_upload_above_the_limit_is_refused(make_config: MakeConfig) -> None:
    """The limit is named, and the file with it."""
    async with playing(make_config, max_attachment_mb=1) as playground:
        ann = Person(playground.url)
        await ann.arrive()
        form = aiohttp.FormData(
            {"conversation": ann.channel, "id": uuid.uuid4().hex, "text": "x"}, default_to_multipart=True
        )
        form.add_field(
            "file", io.BytesIO(bytes(1024 * 1024 + 1)), filename="big.bin", content_type="application/x-thing"
        )
        async with ann.http.post("/api/messages", data=form) as response:
            said = await response.json()
        await ann.http.close()
    assert (response.status, said["error"]) == (415, "unreadable")
    assert said["text"].startswith("big.bin is too big: up to 1 MB")
