"""The Discord emulator as the real discord.py library meets it, through real sockets."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands, ui

from adapters.discord.emulator import AppConfig, Call, DiscordEmulator, Limits, Refused
from tests.emulators import discord_openapi, vendor


@asynccontextmanager
async def connected(
    server: DiscordEmulator, *, content: bool = True, setup: Callable[[discord.Client], None] | None = None
) -> AsyncIterator[discord.Client]:
    """A discord.py client that is ready on the emulator."""
    intents = discord.Intents.default()
    intents.message_content = content
    client = discord.Client(intents=intents, guild_ready_timeout=0.02)
    if setup:
        setup(client)
    running = asyncio.create_task(client.start(server.token))
    ready = asyncio.create_task(client.wait_until_ready())
    try:
        await asyncio.wait([running, ready], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield client
    finally:
        ready.cancel()
        await client.close()
        await asyncio.gather(running, ready, return_exceptions=True)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordEmulator]:
    """An emulator that discord.py is pointed at; afterwards every call must fit the vendor's own description."""
    async with DiscordEmulator() as made:
        point(monkeypatch, made)
        yield made
        assert discord_openapi.complaints(made.calls) == []


def point(monkeypatch: pytest.MonkeyPatch, server: DiscordEmulator) -> None:
    """Send discord.py to an emulator."""
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))


class VoiceFile(discord.File):
    """A file with what a voice message must say of itself; discord.py has no such class."""

    def __init__(self, data: bytes, duration: float, waveform: bytes) -> None:
        super().__init__(io.BytesIO(data), filename="voice-message.ogg")
        self._said = {"duration_secs": duration, "waveform": base64.b64encode(waveform).decode()}

    def to_dict(self, index: int) -> dict[str, Any]:
        return {**super().to_dict(index), **self._said}


async def send_voice(client: discord.Client, channel_id: int, file: VoiceFile) -> Any:
    """Send a voice message by the library's own HTTP client."""
    with discord.http.handle_message_parameters(file=file, flags=discord.MessageFlags(voice=True)) as params:
        for part in params.multipart or []:
            if part["name"].startswith("files["):
                part["content_type"] = "audio/ogg"
        return await client.http.send_message(channel_id, params=params)


def on_message(client: discord.Client, react: Callable[[discord.Message], Awaitable[Any]]) -> None:
    """Let the client react to what people write."""

    @client.event
    async def on_message(message: discord.Message) -> None:
        if not message.author.bot:
            await react(message)


def posted(body: Any, answer: Any = None) -> Call:
    """A call that posted a message and was answered well."""
    made = Call(
        "POST", "/channels/1/messages", "/channels/{channel_id}/messages", {}, body, [], "application/json", 0.0
    )
    made.status, made.answer = 200, answer
    return made


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"contents": "x"}, "contents"),
        ({"content": "x" * 2_001}, "2000"),
        (
            {"content": "x", "components": [{"type": 1, "components": [{"type": 2, "custom": "a"}]}]},
            "not valid under any",
        ),
    ],
)
def test_our_own_description_finds_a_wrong_call(body: Any, named: str) -> None:
    """An invented parameter, a text that is too long and a strange button are found, whatever lies beside the project."""
    assert any(named in told for told in discord_openapi.complaints([posted(body)], answers=False))
    assert discord_openapi.complaints([posted({"content": "x"})], answers=False) == []


def test_our_own_description_finds_a_wrong_answer_and_an_unknown_call() -> None:
    """A message without an author is found, and so is a route that nobody described; no calls at all are no pass."""
    assert any("author" in told for told in discord_openapi.complaints([posted({"content": "x"}, {"id": "1"})]))
    unknown = Call("POST", "/stickers", "/stickers", {}, {}, [], "application/json", 0.0, status=200)
    assert "not described" in discord_openapi.complaints([unknown])[0]
    assert discord_openapi.complaints([]) == ["no call was made: there is nothing to check"]


@vendor.needs(discord_openapi.SPEC)
def test_the_vendors_file_finds_a_wrong_call() -> None:
    """An invented parameter breaks the vendor's own file as well."""
    told = discord_openapi.complaints([posted({"contents": "x"})], answers=False)
    assert any(message.startswith("vendor: ") and "contents" in message for message in told)


async def test_login_ready_and_cache(server: DiscordEmulator) -> None:
    """A client logs in, becomes ready, and finds the server with its channels and forum in its cache."""
    async with connected(server) as client:
        assert client.user is not None and client.user.name == "Parley"
        guild = client.get_guild(server.guild.id)
        assert guild is not None and guild.me.id == server.bot.id
        assert {channel.name for channel in guild.channels} == {"general", "random", "ideas"}
        forum = client.get_channel(server.forum.id)
        assert isinstance(forum, discord.ForumChannel) and [tag.name for tag in forum.available_tags] == [
            "question",
            "wish",
            "done",
        ]
        assert client.application_flags.gateway_message_content_limited


async def test_wrong_token_is_refused(server: DiscordEmulator) -> None:
    """A wrong token ends in LoginFailure, as on Discord."""
    async with discord.Client(intents=discord.Intents.default()) as client:
        with pytest.raises(discord.LoginFailure):
            await client.login("wrong")


async def test_message_reply_edit_delete(server: DiscordEmulator) -> None:
    """A message arrives, the reply shows with its reference, edits show each version, a deletion takes it away."""
    seen: list[discord.Message] = []

    async def react(message: discord.Message) -> None:
        seen.append(message)
        reply = await message.reply("first")
        await reply.edit(content="second")

    async with connected(server, setup=lambda client: on_message(client, react)):
        asked = server.post(server.alice, server.general, f"<@{server.bot.id}> hello")
        await server.wait_for(lambda: [m for m in server.replies(server.general) if m.content == "second"])
        reply = server.replies(server.general)[0]
        assert reply.versions == ["first", "second"] and reply.edited_at
        assert reply.reference and reply.reference.message_id == asked.id
        assert seen[0].mentions[0].id == server.bot.id and seen[0].content.endswith("hello")


async def test_edits_and_deletions_by_people(server: DiscordEmulator) -> None:
    """Raw events tell of edits and deletions, also of messages older than the client."""
    events: list[Any] = []
    old = server.post(server.alice, server.general, "before the bot came")
    gone = [server.post(server.alice, server.general, text) for text in ("one", "two")]

    def setup(client: discord.Client) -> None:
        client.event(_named("on_raw_message_edit", events))
        client.event(_named("on_raw_message_delete", events))
        client.event(_named("on_raw_bulk_message_delete", events))

    async with connected(server, setup=setup):
        server.edit(old, "changed")
        server.delete(old)
        server.delete(*gone)
        await server.wait_for(lambda: len(events) == 3)
        assert events[0].message.content == "changed" and events[1].message_id == old.id
        assert events[2].message_ids == {message.id for message in gone}


def _named(name: str, events: list[Any]) -> Any:
    async def listener(payload: Any) -> None:
        events.append(payload)

    listener.__name__ = name
    return listener


async def test_direct_messages(server: DiscordEmulator) -> None:
    """A direct message arrives with content even without the intent, and is answered in its channel."""
    seen: list[discord.Message] = []

    async def react(message: discord.Message) -> None:
        seen.append(message)
        await message.channel.send("here I am")

    async with connected(server, content=False, setup=lambda client: on_message(client, react)) as client:
        room = server.direct(server.alice)
        server.post(server.alice, room, "psst")
        await server.wait_for(lambda: server.replies(room))
        assert seen[0].content == "psst" and isinstance(seen[0].channel, discord.DMChannel)
        user = await client.fetch_user(server.alice.id)
        assert (await user.create_dm()).id == room.id


async def test_without_the_content_intent(server: DiscordEmulator) -> None:
    """Without the intent content and files are empty, but for mentions and the bot's own messages."""
    seen: list[discord.Message] = []

    async def react(message: discord.Message) -> None:
        seen.append(message)

    async with connected(server, content=False, setup=lambda client: on_message(client, react)):
        server.post(server.alice, server.general, "secret", files=[("a.txt", b"x")])
        server.post(server.alice, server.general, f"<@{server.bot.id}> open", files=[("b.txt", b"x")])
        await server.wait_for(lambda: len(seen) == 2)
        assert (seen[0].content, seen[0].attachments) == ("", [])
        assert seen[1].content.endswith("open") and len(seen[1].attachments) == 1


async def test_content_withheld_by_the_portal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for an intent that the portal withholds closes with 4014; REST then hides content too."""
    async with DiscordEmulator(AppConfig(message_content=False)) as server:
        point(monkeypatch, server)
        hidden = server.post(server.alice, server.general, "secret")
        with pytest.raises(discord.PrivilegedIntentsRequired):
            async with connected(server):
                pass
        async with connected(server, content=False) as client:
            channel = client.get_partial_messageable(server.general.id)
            assert (await channel.fetch_message(hidden.id)).content == ""


async def test_files_both_ways_and_expiring_addresses(server: DiscordEmulator) -> None:
    """Files go both ways byte for byte; an address dies after a day and a refetched message brings a fresh one."""
    async with connected(server) as client:
        channel = client.get_partial_messageable(server.general.id)
        sent = await channel.send(
            "two", files=[discord.File(io.BytesIO(b"abc"), "a b.txt"), discord.File(io.BytesIO(b"\0"), "b.bin")]
        )
        assert [file.data for file in server.replies(server.general)[0].attachments] == [b"abc", b"\0"]
        assert await sent.attachments[0].read() == b"abc"
        server.advance(25 * 3600)
        with pytest.raises(discord.NotFound):
            await sent.attachments[0].read()
        fresh = await channel.fetch_message(sent.id)
        assert await fresh.attachments[0].read() == b"abc"
        assert sent.attachments[0].content_type == "text/plain; charset=utf-8"


async def test_tampered_address_is_refused(server: DiscordEmulator) -> None:
    """A changed signature gives 403, an unknown file 404, and old addresses are refreshed by REST."""
    message = server.post(server.alice, server.general, "", files=[("a.txt", b"x")])
    url = server.world.cdn.sign(message.attachments[0])
    async with aiohttp.ClientSession() as session:
        async with session.get(url.replace("hm=", "hm=0")) as answer:
            assert answer.status == 403
        async with session.get(url.replace("a.txt", "b.txt")) as answer:
            assert answer.status == 404
        headers = {"Authorization": f"Bot {server.token}"}
        body = {"attachment_urls": [url.partition("?")[0]]}
        async with session.post(f"{server.api_url}/attachments/refresh-urls", json=body, headers=headers) as answer:
            fresh = (await answer.json())["refreshed_urls"][0]["refreshed"]
        async with session.get(fresh) as answer:
            assert answer.status == 200 and await answer.read() == b"x"


async def test_history_pages(server: DiscordEmulator) -> None:
    """History after an id gives what was missed, in order and complete."""
    texts = [server.post(server.alice, server.general, str(n)) for n in range(120)]
    async with connected(server) as client:
        channel = client.get_partial_messageable(server.general.id)
        after = [
            m.content async for m in channel.history(after=discord.Object(texts[4].id), limit=None, oldest_first=True)
        ]
        assert after == [str(n) for n in range(5, 120)]
        around = [m.content async for m in channel.history(around=discord.Object(texts[50].id), limit=5)]
        assert sorted(around, key=int) == ["48", "49", "50", "51", "52"]


async def test_threads_and_forum_posts(server: DiscordEmulator) -> None:
    """Threads begin under a message and on their own, take messages, wake when written in; posts carry tags."""
    joined: list[discord.Thread] = []

    def setup(client: discord.Client) -> None:
        client.event(_named("on_thread_create", joined))

    async with connected(server, setup=setup) as client:
        asked = server.post(server.alice, server.general, "long story")
        channel = client.get_channel(server.general.id)
        assert isinstance(channel, discord.TextChannel)
        thread = await (await channel.fetch_message(asked.id)).create_thread(name="Story")
        assert thread.id == asked.id
        await thread.send("in the thread")
        with pytest.raises(discord.HTTPException) as twice:
            await (await channel.fetch_message(asked.id)).create_thread(name="Again")
        assert twice.value.code == 160004
        own = server.world.channels[thread.id]
        server.archive(own)
        await thread.send("awake")
        assert not own.archived
        post, first = server.create_forum_post(server.bob, server.forum, "Idea", "Let us", tags=[server.forum.tags[0]])
        await server.wait_for(lambda: len(joined) == 2)
        fetched = await client.fetch_channel(post.id)
        assert isinstance(fetched, discord.Thread) and fetched.applied_tags[0].name == "question"
        assert (await fetched.fetch_message(first.id)).content == "Let us"
        forum = client.get_channel(server.forum.id)
        assert isinstance(forum, discord.ForumChannel)
        made = await forum.create_thread(name="Mine", content="text", applied_tags=[forum.available_tags[1]])
        assert server.messages(server.world.channels[made.thread.id])[0].content == "text"
        private = await channel.create_thread(name="Own", type=discord.ChannelType.private_thread)
        await private.send("quiet")


async def test_forward_and_stickers(server: DiscordEmulator) -> None:
    """A forward arrives with its snapshot, a sticker with its item; a bot's forward shows what was forwarded."""
    seen: list[discord.Message] = []

    async def react(message: discord.Message) -> None:
        seen.append(message)

    async with connected(server, setup=lambda client: on_message(client, react)) as client:
        source = server.post(server.alice, server.random, "worth it", files=[("a.txt", b"x")])
        server.post(server.bob, server.general, forward_of=source)
        sticker = server.add_sticker(server.guild, "wave", b"\x89PNG")
        server.post(server.bob, server.general, stickers=[sticker])
        await server.wait_for(lambda: len(seen) == 3)
        snapshot = seen[1].message_snapshots[0]
        assert snapshot.content == "worth it" and snapshot.attachments[0].filename == "a.txt" and not seen[1].content
        assert seen[2].stickers[0].name == "wave"
        await seen[0].forward(client.get_partial_messageable(server.general.id))
        assert server.replies(server.general)[0].snapshot is not None


async def test_slash_defer_edit_follow_up(server: DiscordEmulator) -> None:
    """A command is synced, run, deferred, answered by an edit and a follow-up; options arrive resolved."""
    given: dict[str, Any] = {}

    def setup(client: discord.Client) -> None:
        tree = app_commands.CommandTree(client)

        @tree.command(name="ask", description="Ask something")
        async def ask(
            interaction: discord.Interaction, prompt: str, who: discord.Member, file: discord.Attachment
        ) -> None:
            given.update(prompt=prompt, who=who, data=await file.read())
            await interaction.response.defer(thinking=True)
            await interaction.edit_original_response(content="answer")
            await interaction.followup.send("and more", ephemeral=True)

        client.tree = tree

    async with connected(server, setup=setup) as client:
        assert [command.name for command in await client.tree.sync()] == ["ask"]
        with pytest.raises(Refused):
            server.slash(server.alice, server.general, "ask", {"prompt": "x"})
        used = server.slash(
            server.alice, server.general, "ask", {"prompt": "why", "who": server.bob}, {"file": ("a.txt", b"bytes")}
        )
        await server.wait_for(lambda: used.follow_ups)
        assert given["prompt"] == "why" and given["who"].id == server.bob.id and given["data"] == b"bytes"
        assert used.answer == 5 and used.original and used.original.content == "answer"
        assert used.follow_ups[0].ephemeral_to == server.alice.id
        assert [m.content for m in server.replies(server.general, with_ephemeral=False)] == ["answer"]


async def test_autocomplete_and_context_menu(server: DiscordEmulator) -> None:
    """Autocomplete gets its choices; a menu's target arrives whole although the intent is missing."""
    given: list[str] = []

    def setup(client: discord.Client) -> None:
        tree = app_commands.CommandTree(client)

        @tree.command(name="model", description="Choose")
        async def model(interaction: discord.Interaction, name: str) -> None:
            await interaction.response.send_message(name, ephemeral=True)

        @model.autocomplete("name")
        async def complete(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=one, value=one) for one in ("small", "smart") if one.startswith(current)]

        @tree.context_menu(name="Ask about this")
        async def about(interaction: discord.Interaction, message: discord.Message) -> None:
            given.append(message.content)
            await interaction.response.send_message("about")

        client.tree = tree

    async with connected(server, content=False, setup=setup) as client:
        await client.tree.sync()
        typed = server.autocomplete(server.alice, server.general, "model", "name", "sma")
        await server.wait_for(lambda: typed.choices)
        assert [choice["value"] for choice in typed.choices] == ["small", "smart"]
        target = server.post(server.bob, server.general, "the target's words")
        used = server.context_menu(server.alice, "Ask about this", target)
        await server.wait_for(lambda: used.original)
        assert given == ["the target's words"]


async def test_buttons_and_modals(server: DiscordEmulator) -> None:
    """A button opens a form, whose values arrive and change the message that had the button."""

    class Form(ui.Modal, title="Settings"):
        persona: ui.Label[Any] = ui.Label(text="Persona", component=ui.TextInput(custom_id="persona"))

        async def on_submit(self, interaction: discord.Interaction) -> None:
            assert isinstance(self.persona.component, ui.TextInput)
            await interaction.response.edit_message(content=f"now {self.persona.component.value}", view=None)

    class Buttons(ui.View):
        @ui.button(label="Settings", custom_id="settings")
        async def settings(self, interaction: discord.Interaction, button: ui.Button[Any]) -> None:
            await interaction.response.send_modal(Form(custom_id="form"))

    async with connected(server) as client:
        await client.get_partial_messageable(server.general.id).send("before", view=Buttons())
        message = server.replies(server.general)[0]
        with pytest.raises(Refused):
            server.click(server.alice, message, "nothing")
        clicked = server.click(server.alice, message, "settings")
        await server.wait_for(lambda: clicked.modal)
        with pytest.raises(Refused):
            server.submit_modal(clicked, {})
        server.submit_modal(clicked, {"persona": "pirate"})
        await server.wait_for(lambda: message.content == "now pirate")
        assert not message.components


async def test_voice_messages_both_ways(server: DiscordEmulator) -> None:
    """A voice note arrives as one; one sent shows as one, cannot be edited, and must obey its rules."""
    seen: list[discord.Message] = []

    async def react(message: discord.Message) -> None:
        seen.append(message)

    async with connected(server, setup=lambda client: on_message(client, react)) as client:
        server.voice_note(server.alice, server.general, b"OggS in", 2.5, bytes(range(40)))
        await server.wait_for(lambda: seen)
        note = seen[0].attachments[0]
        assert seen[0].flags.voice and note.is_voice_message() and note.duration == 2.5
        assert note.waveform == bytes(range(40)) and await note.read() == b"OggS in"
        made = await send_voice(client, server.general.id, VoiceFile(b"OggS out", 1.25, b"\x01\x02"))
        reply = server.replies(server.general)[0]
        assert (
            reply.is_voice and reply.attachments[0].duration_s == 1.25 and reply.attachments[0].mime_type == "audio/ogg"
        )
        with pytest.raises(discord.HTTPException) as edited:
            await (
                client.get_partial_messageable(server.general.id).get_partial_message(int(made["id"])).edit(content="x")
            )
        assert edited.value.code == 50162
        with pytest.raises(discord.HTTPException) as long:
            await send_voice(client, server.general.id, VoiceFile(b"OggS", 1.0, bytes(257)))
        assert long.value.code == 50161
        server.forbid(server.general, 1 << 46)
        with pytest.raises(discord.HTTPException) as forbidden:
            await send_voice(client, server.general.id, VoiceFile(b"OggS", 1.0, b"\1"))
        assert forbidden.value.code == 50173


async def test_buckets_pace_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """discord.py keeps to the headers of a bucket, so nothing is refused and all comes in order."""
    limits = Limits()
    limits.set("POST /channels/{channel_id}/messages", 3, 0.3)
    async with DiscordEmulator(limits=limits) as server:
        point(monkeypatch, server)
        async with connected(server) as client:
            channel = client.get_partial_messageable(server.general.id)
            for number in range(8):
                await channel.send(str(number))
        sent = server.calls_to("POST", "/channels/{channel_id}/messages")
        assert [m.content for m in server.replies(server.general)] == [str(n) for n in range(8)]
        assert {call.status for call in sent} == {200} and sent[-1].at - sent[0].at > 0.5


async def test_a_429_is_waited_for(server: DiscordEmulator) -> None:
    """A refusal with Via and JSON is retried by the library after the time it names."""
    async with connected(server) as client:
        server.fail("POST", "/channels/{channel_id}/messages", status=429, retry_after_s=0.05)
        await client.get_partial_messageable(server.general.id).send("in the end")
        assert [call.status for call in server.calls_to("POST", "/channels/{channel_id}/messages")] == [429, 200]


async def test_nonce_shows_once(server: DiscordEmulator) -> None:
    """An enforced nonce gives the same message back, also when the first answer was lost."""
    async with connected(server) as client:
        channel = client.get_partial_messageable(server.general.id)
        server.fail("POST", "/channels/{channel_id}/messages", status=None, applied=True)
        with pytest.raises(aiohttp.ClientError):
            await channel.send("once", nonce="n1")
        again = await channel.send("once", nonce="n1")
        assert [m.id for m in server.replies(server.general)] == [again.id]
        server.advance(3600)
        await channel.send("later", nonce="n1")
        assert len(server.replies(server.general)) == 2


async def test_resume_after_a_drop(server: DiscordEmulator) -> None:
    """What was written while the socket was down comes once and in order by a resume."""
    seen: list[str] = []

    async def react(message: discord.Message) -> None:
        seen.append(message.content)

    async with connected(server, setup=lambda client: on_message(client, react)):
        server.post(server.alice, server.general, "before")
        server.drop()
        server.post(server.alice, server.general, "during")
        server.post(server.alice, server.general, "still")
        await server.wait_connected()
        server.post(server.alice, server.general, "after")
        await server.wait_for(lambda: len(seen) == 4)
        assert seen == ["before", "during", "still", "after"]
        assert [frame["op"] for frame in server.gateway.log if frame["op"] in (2, 6)] == [2, 6]


@pytest.mark.parametrize("way", ["reconnect", "code"])
async def test_other_ways_to_reconnect(server: DiscordEmulator, way: str) -> None:
    """Opcode 7 and a close code that allows it lead to a resume too."""
    async with connected(server):
        server.gateway.ask_reconnect() if way == "reconnect" else server.drop(code=4000)
        await server.wait_for(lambda: [f for f in server.gateway.log if f["op"] == 6])
        await server.wait_connected()


async def test_refused_resume_loses_events(server: DiscordEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused resume ends in a new session, and the events between are gone."""
    seen: list[str] = []

    async def at_once(self: discord.Client, shard_id: int | None, *, initial: bool = False) -> None:
        """The library waits five seconds before each later IDENTIFY; a test need not."""

    monkeypatch.setattr(discord.Client, "before_identify_hook", at_once)

    async def react(message: discord.Message) -> None:
        seen.append(message.content)

    async with connected(server, setup=lambda client: on_message(client, react)):
        server.refuse_resumes()
        server.drop()
        server.post(server.alice, server.general, "lost")
        await server.wait_for(lambda: len([f for f in server.gateway.log if f["op"] == 2]) == 2)
        await server.wait_connected()
        server.post(server.alice, server.general, "found")
        await server.wait_for(lambda: seen)
        assert seen == ["found"]


async def test_shards_divide_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each server's events reach the one shard that its id names."""
    seen: dict[str, int | None] = {}

    async def at_once(self: discord.Client, shard_id: int | None, *, initial: bool = False) -> None:
        """As above."""

    monkeypatch.setattr(discord.Client, "before_identify_hook", at_once)
    async with DiscordEmulator(AppConfig(shards=2, max_concurrency=2)) as server:
        point(monkeypatch, server)
        rooms = {server.guild.id: server.general}
        for number in range(4):
            guild = server.add_guild(f"Server {number}")
            rooms[guild.id] = server.add_channel(guild, "room")
        client = discord.AutoShardedClient(intents=discord.Intents.default(), guild_ready_timeout=0.02)

        async def react(message: discord.Message) -> None:
            assert message.guild
            seen[str(message.guild.id)] = message.guild.shard_id

        on_message(client, react)
        running = asyncio.create_task(client.start(server.token))
        await server.wait_for(lambda: sum(1 for one in server.gateway.sessions.values() if one.socket) == 2)
        await client.wait_until_ready()
        for room in rooms.values():
            server.post(server.alice, room, f"<@{server.bot.id}> hello")
        await server.wait_for(lambda: len(seen) == len(rooms))
        assert seen == {str(guild_id): (guild_id >> 22) % 2 for guild_id in rooms}
        await client.close()
        await running


async def test_user_install_in_a_foreign_server(server: DiscordEmulator) -> None:
    """One who installed the app uses it where it is not a member; the answer has five follow-ups and no more."""
    used: list[discord.Interaction] = []

    def setup(client: discord.Client) -> None:
        tree = app_commands.CommandTree(client)

        @tree.command(name="ask", description="Ask")
        @app_commands.allowed_installs(guilds=True, users=True)
        @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
        async def ask(interaction: discord.Interaction) -> None:
            used.append(interaction)
            await interaction.response.send_message("here")
            for number in range(6):
                await interaction.followup.send(str(number))

        client.tree = tree
        tree.on_error = _swallow  # type: ignore[method-assign]

    foreign = server.add_guild("Foreign", with_bot=False)
    room = server.add_channel(foreign, "room")
    between = server.direct(server.alice, server.bob)
    async with connected(server, setup=setup) as client:
        await client.tree.sync()
        with pytest.raises(Refused):
            server.slash(server.alice, room, "ask")
        server.install_for(server.alice)
        here = server.slash(server.alice, room, "ask")
        await server.wait_for(lambda: len([c for c in server.calls if c.status == 400]) == 1)
        assert server.calls[-1].answer["code"] == 40094 and len(here.follow_ups) == 5
        assert used[0].is_user_integration() and not used[0].is_guild_integration()
        private = server.slash(server.alice, between, "ask")
        await server.wait_for(lambda: private.original)
        assert used[1].context.private_channel
        with pytest.raises(discord.Forbidden):
            await client.fetch_channel(room.id)


async def _swallow(interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
    """The refusal of a sixth follow-up is looked at on the wire."""


async def test_layout_view(server: DiscordEmulator) -> None:
    """Components v2 go out, with an attachment shown where the layout names it."""

    class Layout(ui.LayoutView):
        text: ui.TextDisplay[Any] = ui.TextDisplay("# Title")
        row: ui.ActionRow[Any] = ui.ActionRow(ui.Button(label="Go", custom_id="go"))

    async with connected(server) as client:
        layout = Layout()
        layout.add_item(ui.MediaGallery(discord.MediaGalleryItem("attachment://a.png")))
        file = discord.File(io.BytesIO(b"\x89PNG"), "a.png")
        sent = await client.get_partial_messageable(server.general.id).send(view=layout, file=file)
        gallery = sent.components[-1]
        assert isinstance(gallery, discord.MediaGalleryComponent)
        assert gallery.items[0].media.url.startswith(server.cdn_url)


async def test_reactions_and_typing(server: DiscordEmulator) -> None:
    """Reactions come and go both ways; typing is heard."""
    events: list[Any] = []

    def setup(client: discord.Client) -> None:
        client.event(_named("on_raw_reaction_add", events))
        client.event(_named("on_raw_reaction_remove", events))

    async with connected(server, setup=setup) as client:
        message = server.post(server.alice, server.general, "nice")
        channel = client.get_partial_messageable(server.general.id)
        async with channel.typing():
            await channel.get_partial_message(message.id).add_reaction("👍")
        server.react(server.bob, message, "👍")
        server.unreact(server.bob, message, "👍")
        await server.wait_for(lambda: len(events) == 3)
        assert message.reactions == {"👍": [server.bot.id]}
        assert server.calls_to("POST", "/channels/{channel_id}/typing")
