"""The Discord emulator's rights: what its members may do, what an app hears of that, and what it refuses an app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from adapters.discord.emulator import AppConfig, DiscordEmulator, Limits
from adapters.discord.emulator.model import CATEGORY, STAGE, VOICE, Role
from adapters.discord.emulator.permissions import (
    ADMINISTRATOR,
    ALL,
    CONNECT,
    EMBED_LINKS,
    MANAGE_MESSAGES,
    MANAGE_THREADS,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    TIMED_OUT,
    VIEW_CHANNEL,
    reads,
)
from tests.emulators.discord_wire import Ask, caller, hello, identify

READER = VIEW_CHANNEL | READ_MESSAGE_HISTORY
Change = Callable[[DiscordEmulator, Role], object]


@pytest.fixture
async def server() -> AsyncIterator[DiscordEmulator]:
    """An emulator whose app has the members intent."""
    async with DiscordEmulator(AppConfig(guild_members=True), limits=Limits(enabled=False)) as made:
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
def ask(server: DiscordEmulator, session: aiohttp.ClientSession) -> Ask:
    """Send one call as the bot."""
    return caller(server, session)


TABLE: list[tuple[str, Change, bool]] = [
    ("as it comes", lambda d, role: None, True),
    ("hidden from everyone", lambda d, role: d.overwrite(d.general, d.guild, deny=VIEW_CHANNEL), False),
    ("no history for everyone", lambda d, role: d.overwrite(d.general, d.guild, deny=READ_MESSAGE_HISTORY), False),
    (
        "a role's overwrite opens it",
        lambda d, role: (d.overwrite(d.general, d.guild, deny=READER), d.overwrite(d.general, role, allow=READER)),
        True,
    ),
    (
        "one's own closes what a role's opened",
        lambda d, role: (d.overwrite(d.general, role, allow=READER), d.overwrite(d.general, d.bob, deny=VIEW_CHANNEL)),
        False,
    ),
    ("a time-out leaves it", lambda d, role: d.time_out(d.guild, d.bob, 60), True),
    ("who left reads nothing", lambda d, role: d.leave(d.guild, d.bob), False),
    (
        "an administrator passes denials",
        lambda d, role: (d.change_role(d.guild, role, ADMINISTRATOR), d.overwrite(d.general, d.bob, deny=ALL)),
        True,
    ),
    (
        "a deleted role opens nothing",
        lambda d, role: (
            d.overwrite(d.general, d.guild, deny=READER),
            d.overwrite(d.general, role, allow=READER),
            d.delete_role(d.guild, role),
        ),
        False,
    ),
]


@pytest.mark.parametrize(("name", "change", "expected"), TABLE, ids=[one[0] for one in TABLE])
async def test_who_reads_a_channel(server: DiscordEmulator, name: str, change: Change, expected: bool) -> None:
    """The emulator's own arithmetic, which no code of Parley's takes part in."""
    role = server.add_role(server.guild, "role")
    server.set_roles(server.guild, server.bob, role)
    change(server, role)
    assert reads(server.world, server.general, server.bob.id) is expected, name


async def test_a_time_out_ends(server: DiscordEmulator) -> None:
    """It takes everything but sight and history, until its end."""
    server.time_out(server.guild, server.bob, 60)
    assert server.permissions_of(server.bob, server.general) == TIMED_OUT
    server.advance(61)
    assert server.permissions_of(server.bob, server.general) & SEND_MESSAGES


async def test_a_private_thread_is_for_its_members(server: DiscordEmulator) -> None:
    """Members and managers of threads are in it, archived or not; whoever leaves is not."""
    thread = server.create_thread(server.alice, server.general, "secret", private=True)
    assert not server.permissions_of(server.bob, thread) and server.permissions_of(server.alice, thread)
    server.invite(server.bob, thread)
    server.archive(thread)
    assert server.permissions_of(server.bob, thread)
    server.leave_thread(server.bob, thread)
    assert not server.permissions_of(server.bob, thread)
    server.set_roles(server.guild, server.bob, server.add_role(server.guild, "mods", permissions=MANAGE_THREADS))
    assert server.permissions_of(server.bob, thread)


@pytest.mark.parametrize("kind", [VOICE, STAGE])
async def test_text_in_voice_channels_takes_connect(server: DiscordEmulator, ask: Ask, kind: int) -> None:
    """For members, and for the app: without it GET of their messages is 50013."""
    talk = server.add_channel(server.guild, "talk", kind)
    said = server.post(server.alice, talk, "hello")
    assert (await ask("GET", f"/channels/{talk.id}/messages"))[0] == 200
    for target in (server.bob, server.bot):
        server.overwrite(talk, target, deny=CONNECT)
    assert not reads(server.world, talk, server.bob.id)
    for path in (f"/channels/{talk.id}/messages", f"/channels/{talk.id}/messages/{said.id}"):
        status, body = await ask("GET", path)
        assert (status, body["code"]) == (403, 50013)


async def test_a_category_s_overwrites_are_copied(server: DiscordEmulator) -> None:
    """Into a channel that is made in it; afterwards the channel's own decide."""
    board = server.add_channel(server.guild, "Board", CATEGORY)
    server.overwrite(board, server.guild, deny=VIEW_CHANNEL)
    made = server.add_channel(server.guild, "minutes", category=board)
    assert not server.permissions_of(server.bob, made)
    server.overwrite(board, server.guild, allow=VIEW_CHANNEL)
    assert not server.permissions_of(server.bob, made)


async def test_thread_members_are_told_as_the_portal_allows(session: aiohttp.ClientSession) -> None:
    """All of them with the members intent, 50001 without; one by one always, 404 for whoever is not in it."""
    for granted, expected in ((True, 200), (False, 403)):
        async with DiscordEmulator(AppConfig(guild_members=granted)) as server:
            ask = caller(server, session)
            thread = server.create_thread(server.alice, server.general, "open")
            assert (await ask("GET", f"/channels/{thread.id}/thread-members"))[0] == expected
            assert (await ask("GET", f"/channels/{thread.id}/thread-members/{server.alice.id}"))[0] == 200
            status, body = await ask("GET", f"/channels/{thread.id}/thread-members/{server.bob.id}")
            assert (status, body["code"]) == (404, 10007)


def _moves(server: DiscordEmulator) -> None:
    """Everything that managers do, a private thread that the bot is in among it."""
    role = server.add_role(server.guild, "role")
    thread = server.create_thread(server.alice, server.general, "secret", private=True)
    for user in (server.bot, server.bob):
        server.invite(user, thread)
    server.set_roles(server.guild, server.bob, role)
    server.time_out(server.guild, server.bob, 60)
    server.change_role(server.guild, role, MANAGE_MESSAGES)
    server.overwrite(server.random, server.guild, deny=VIEW_CHANNEL)
    server.leave_thread(server.bob, thread)
    server.archive(thread)
    server.leave(server.guild, server.bob)
    server.delete_role(server.guild, role)
    server.delete_channel(server.random)


GUILDS, MEMBERS = 1 << 0, 1 << 1
OF_MEMBERS = [
    "THREAD_MEMBERS_UPDATE",
    "GUILD_MEMBER_UPDATE",
    "GUILD_MEMBER_UPDATE",
    "THREAD_MEMBERS_UPDATE",
    "GUILD_MEMBER_REMOVE",
]
OF_GUILDS = [
    *("GUILD_ROLE_CREATE", "THREAD_CREATE", "THREAD_MEMBERS_UPDATE", "GUILD_ROLE_UPDATE", "CHANNEL_UPDATE"),
    *("THREAD_UPDATE", "GUILD_ROLE_DELETE", "CHANNEL_DELETE"),
]


@pytest.mark.parametrize(("intents", "expected"), [(GUILDS, OF_GUILDS), (MEMBERS, OF_MEMBERS)])
async def test_changes_are_told_by_intents(
    server: DiscordEmulator, session: aiohttp.ClientSession, intents: int, expected: list[str]
) -> None:
    """Roles, channels and threads come with Guilds; members, and others in threads, with Server Members alone."""
    ws = await hello(session, server)
    await ws.send_json(identify(server, intents=intents))
    assert (await ws.receive_json())["t"] == "READY"
    if intents & GUILDS:
        assert (await ws.receive_json())["t"] == "GUILD_CREATE"
    _moves(server)
    heard = [(await ws.receive_json())["t"] for _ in expected]
    assert sorted(heard) == sorted(expected)
    await ws.close()


async def test_a_hidden_channel_is_told_of_but_not_what_is_said_there(
    server: DiscordEmulator, session: aiohttp.ClientSession, ask: Ask
) -> None:
    """Bots know all channels of their server with their overwrites; messages only where they may look, and 50001 by REST."""
    ws = await hello(session, server)
    await ws.send_json(identify(server))
    for _ in range(2):
        await ws.receive_json()
    server.forbid(server.random, VIEW_CHANNEL)
    server.post(server.alice, server.random, "not heard")
    server.post(server.alice, server.general, "heard")
    heard: list[Any] = [await ws.receive_json() for _ in range(2)]
    assert [one["t"] for one in heard] == ["CHANNEL_UPDATE", "MESSAGE_CREATE"] and heard[1]["d"]["content"] == "heard"
    listed = (await ask("GET", f"/guilds/{server.guild.id}/channels"))[1]
    assert str(server.random.id) in {one["id"] for one in listed}
    assert (await ask("GET", f"/channels/{server.random.id}"))[1]["code"] == 50001
    await ws.close()


async def test_links_are_unfurled_unless_flags_forbid_it(server: DiscordEmulator, ask: Ask) -> None:
    """Words of anybody with Embed Links, new or edited; not in code, not in angle brackets, not with SUPPRESS_EMBEDS."""
    path = f"/channels/{server.general.id}/messages"
    for content, flags in (("https://a.example/1", 0), ("https://a.example/2", 4), ("`https://a.example/3`", 0)):
        assert (await ask("POST", path, {"content": content, "flags": flags}))[0] == 200
    _, plain = await ask("POST", path, {"content": "<https://a.example/4> nothing"})
    assert plain["embeds"] == []
    await ask("PATCH", f"{path}/{plain['id']}", {"content": "see [it](https://a.example/5)"})
    await ask("PATCH", f"{path}/{plain['id']}", {"content": "see https://a.example/6", "flags": 4})
    await ask("PATCH", f"{path}/{plain['id']}", {"content": "see https://a.example/7"})
    assert [url for url, _ in server.unfurled] == ["https://a.example/1", "https://a.example/5"]
    server.forbid(server.general, EMBED_LINKS)
    await ask("POST", path, {"content": "https://a.example/8"})
    server.post(server.alice, server.general, "https://a.example/9")
    assert [url for url, _ in server.unfurled][2:] == ["https://a.example/9"]


async def test_who_is_refused_too_often_is_barred(session: aiohttp.ClientSession) -> None:
    """As an address is at Discord: past the limit every call is answered 429 without JSON, until ten minutes are over."""
    async with DiscordEmulator(limits=Limits(invalid_limit=3)) as server:
        ask = caller(server, session)
        server.forbid(server.random, VIEW_CHANNEL)
        for _ in range(3):
            assert (await ask("GET", f"/channels/{server.random.id}"))[0] == 403
        headers = {"Authorization": f"Bot {server.token}"}
        async with session.get(f"{server.api_url}/users/@me", headers=headers) as answer:
            assert answer.status == 429 and "json" not in answer.content_type
        server.advance(601)
        assert (await ask("GET", "/users/@me"))[0] == 200
