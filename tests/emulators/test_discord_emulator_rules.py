"""The Discord emulator's refusals, limits and gateway rules, as bare HTTP and WebSocket clients meet them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from adapters.discord.emulator import AppConfig, DiscordEmulator, Limits, Refused, __main__
from adapters.discord.emulator import permissions as bits
from adapters.discord.emulator.media import picture_size
from tests.emulators import vendor
from tests.emulators.discord_wire import Ask, caller, hello, identify
from tests.payloads.support import cases


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


@pytest.fixture
def ask(server: DiscordEmulator, session: aiohttp.ClientSession) -> Ask:
    """Send one call as the bot; gives the status and the JSON."""
    return caller(server, session)


def messages_of(server: DiscordEmulator) -> str:
    """The path of the first channel's messages."""
    return f"/channels/{server.general.id}/messages"


async def test_answers_are_exactly_json(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """The type carries no charset, since clients would take the body for text; Via is there too."""
    async with session.get(server.api_url + "/users/@me", headers={"Authorization": f"Bot {server.token}"}) as answer:
        assert answer.headers["Content-Type"] == "application/json" and answer.headers["Via"]
        assert answer.headers["X-RateLimit-Bucket"]


async def test_tokens_and_paths(ask: Ask) -> None:
    """A wrong token is 401, an unknown path 404, a wrong method 405, each with Discord's body."""
    assert await ask("GET", "/users/@me", token="no") == (401, {"message": "401: Unauthorized", "code": 0})
    assert await ask("GET", "/nowhere") == (404, {"message": "404: Not Found", "code": 0})
    assert await ask("PUT", "/users/@me") == (405, {"message": "405: Method Not Allowed", "code": 0})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"content": "x", "nonce": "n" * 26}, "nonce"),
        ({"embeds": [{"title": "x"}] * 11}, "embeds"),
        ({"embeds": [{"description": "x" * 4097}]}, "embeds"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, "embeds"),
        ({"embeds": [{"fields": [{"name": "", "value": None}]}]}, "embeds"),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, "allowed_mentions"),
        ({"content": "x", "allowed_mentions": {"parse": ["people"]}}, "allowed_mentions"),
        ({"content": "x", "components": [{"type": 1, "components": []}]}, "components"),
        ({"content": "x", "components": [{"type": 1, "components": [{"type": 2, "style": 1}]}]}, "components"),
        ({"content": "x", "components": [{"type": 10, "content": "v2 without its flag"}]}, "components"),
        ({"content": "x", "flags": 1 << 15, "components": [{"type": 10, "content": "t"}]}, "content"),
        ({"flags": 1 << 15, "components": [{"type": 10, "content": "x" * 2001}] * 2}, "components"),
        ({"flags": 1 << 15, "components": [{"type": 10, "content": "x"}] * 41}, "components"),
        ({"content": "x", "flags": 1 << 6}, "flags"),
        ({"content": "x", "message_reference": {"message_id": "1"}}, "message_reference"),
        ({"content": "x", "attachments": [{"id": "7"}]}, "attachments"),
    ],
)
async def test_fields_have_limits(server: DiscordEmulator, ask: Ask, body: dict[str, Any], field: str) -> None:
    """A field beyond its limit is 50035, naming the field, and nothing is posted."""
    status, answer = await ask("POST", messages_of(server), body)
    assert (status, answer["code"]) == (400, 50035) and field in answer["errors"]
    assert not server.messages(server.general)


async def test_longest_message_and_most_embeds_pass(server: DiscordEmulator, ask: Ask) -> None:
    """What is just within the limits is taken; space around the text is not kept."""
    assert (await ask("POST", messages_of(server), {"content": "x" * 2000}))[0] == 200
    assert (await ask("POST", messages_of(server), {"embeds": [{"description": "x" * 600}] * 10}))[0] == 200
    assert (await ask("POST", messages_of(server), {"content": " text\n"}))[1]["content"] == "text"
    row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "x" * 80, "custom_id": "c" * 100}]}
    assert (await ask("POST", messages_of(server), {"content": "x", "components": [row]}))[0] == 200


async def test_empty_and_double(server: DiscordEmulator, ask: Ask) -> None:
    """An empty message is 50006; two buttons with one id are refused."""
    assert (await ask("POST", messages_of(server), {"content": "  "}))[1]["code"] == 50006
    button = {"type": 2, "style": 1, "label": "x", "custom_id": "same"}
    body = {"content": "x", "components": [{"type": 1, "components": [button, button]}]}
    assert (await ask("POST", messages_of(server), body))[1]["code"] == 50035


async def test_broken_json(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """A body that is no JSON is 50109."""
    headers = {"Authorization": f"Bot {server.token}", "Content-Type": "application/json"}
    async with session.post(server.api_url + messages_of(server), data="{", headers=headers) as answer:
        assert (await answer.json())["code"] == 50109


async def test_unknown_things(server: DiscordEmulator, ask: Ask) -> None:
    """Unknown channels, messages, users and members have each their code."""
    assert (await ask("GET", "/channels/1"))[1]["code"] == 10003
    assert (await ask("GET", messages_of(server) + "/1"))[1]["code"] == 10008
    assert (await ask("GET", "/users/1"))[1]["code"] == 10013
    assert (await ask("GET", f"/guilds/{server.guild.id}/members/1"))[1]["code"] == 10007
    assert (await ask("GET", "/guilds/1"))[1]["code"] == 10004
    assert (await ask("GET", "/channels/abc"))[1]["code"] == 50035


@pytest.mark.parametrize(
    ("bit", "body", "files", "code"),
    [
        (bits.VIEW_CHANNEL, {"content": "x"}, None, 50001),
        (bits.SEND_MESSAGES, {"content": "x"}, None, 50013),
        (bits.EMBED_LINKS, {"embeds": [{"title": "x"}]}, None, 50013),
        (bits.ATTACH_FILES, {"content": "x"}, [("a.txt", b"x", "text/plain")], 50013),
    ],
)
async def test_permissions(server: DiscordEmulator, ask: Ask, bit: int, body: Any, files: Any, code: int) -> None:
    """What a channel forbids the bot is 403 with the right code; with the permission the same call passes."""
    assert (await ask("POST", messages_of(server), body, files=files))[0] == 200
    server.forbid(server.general, bit)
    status, answer = await ask("POST", messages_of(server), body, files=files)
    assert (status, answer["code"]) == (403, code)


async def test_roles_and_overwrites(server: DiscordEmulator) -> None:
    """Overwrites apply in order: everyone, roles together, the member; an administrator stands above them."""
    role = server.add_role(server.guild, "writers")
    server.guild.members[server.bob.id].roles.append(role.id)
    server.overwrite(server.general, server.guild, deny=bits.SEND_MESSAGES)
    assert not server.permissions_of(server.alice, server.general) & bits.SEND_MESSAGES
    server.overwrite(server.general, role, allow=bits.SEND_MESSAGES)
    assert server.permissions_of(server.bob, server.general) & bits.SEND_MESSAGES
    server.overwrite(server.general, server.bob, deny=bits.SEND_MESSAGES)
    with pytest.raises(Refused):
        server.post(server.bob, server.general, "no")
    role.permissions = bits.ADMINISTRATOR
    assert server.permissions_of(server.bob, server.general) == bits.ALL


async def test_threads_have_a_permission_of_their_own(server: DiscordEmulator, ask: Ask) -> None:
    """In a thread SEND_MESSAGES is irrelevant, SEND_MESSAGES_IN_THREADS decides."""
    thread = server.create_thread(server.alice, server.general, "talk")
    server.forbid(server.general, bits.SEND_MESSAGES)
    assert (await ask("POST", f"/channels/{thread.id}/messages", {"content": "x"}))[0] == 200
    server.forbid(server.general, bits.SEND_MESSAGES_IN_THREADS)
    assert (await ask("POST", f"/channels/{thread.id}/messages", {"content": "x"}))[1]["code"] == 50013


async def test_archived_and_locked_threads(server: DiscordEmulator, ask: Ask) -> None:
    """Sending wakes an archived thread, editing in it does not; a locked one stays shut."""
    thread = server.create_thread(server.alice, server.general, "talk")
    _, sent = await ask("POST", f"/channels/{thread.id}/messages", {"content": "x"})
    server.archive(thread)
    edited = await ask("PATCH", f"/channels/{thread.id}/messages/{sent['id']}", {"content": "y"})
    assert edited[1]["code"] == 50083
    assert (await ask("POST", f"/channels/{thread.id}/messages", {"content": "x"}))[0] == 200
    assert not thread.archived
    server.archive(thread, locked=True)
    assert (await ask("POST", f"/channels/{thread.id}/messages", {"content": "x"}))[1]["code"] == 160005


async def test_private_threads_are_hidden(server: DiscordEmulator, ask: Ask) -> None:
    """The bot sees a private thread only once it was invited."""
    thread = server.create_thread(server.alice, server.general, "secret", private=True)
    assert (await ask("GET", f"/channels/{thread.id}"))[1]["code"] == 50001
    server.invite(server.bot, thread)
    assert (await ask("GET", f"/channels/{thread.id}"))[0] == 200


async def test_forums(server: DiscordEmulator, ask: Ask) -> None:
    """A forum takes no messages; its posts need a message, and a tag where one is required."""
    assert (await ask("POST", f"/channels/{server.forum.id}/messages", {"content": "x"}))[1]["code"] == 50008
    path = f"/channels/{server.forum.id}/threads"
    assert (await ask("POST", path, {"name": "post"}))[1]["code"] == 50035
    strict = server.add_forum(server.guild, "strict", ["must"], require_tag=True)
    body: dict[str, Any] = {"name": "post", "message": {"content": "x"}}
    assert (await ask("POST", f"/channels/{strict.id}/threads", body))[1]["code"] == 40067
    body["applied_tags"] = [str(strict.tags[0].id)]
    status, made = await ask("POST", f"/channels/{strict.id}/threads", body)
    assert status == 201 and made["message"]["id"] == made["id"]


async def test_upload_limits(server: DiscordEmulator, ask: Ask, session: aiohttp.ClientSession) -> None:
    """A file over 10 MiB is refused, in a boosted server not; a request over 25 MiB is refused."""
    big = [("a.bin", bytes(10 * 1024 * 1024 + 1), "application/octet-stream")]
    assert (await ask("POST", messages_of(server), {}, files=big)) == (
        413,
        {"message": "Request entity too large", "code": 40005},
    )
    many = [(f"{n}.bin", bytes(9 * 1024 * 1024), "application/octet-stream") for n in range(3)]
    assert (await ask("POST", messages_of(server), {}, files=many))[1]["code"] == 40005
    server.guild.tier = 2
    status, sent = await ask("POST", messages_of(server), {}, files=big)
    assert status == 200
    async with session.get(sent["attachments"][0]["url"], headers={"Range": "bytes=0-9"}) as answer:
        assert answer.status == 206 and await answer.read() == bytes(10)
    async with session.get(sent["attachments"][0]["url"]) as answer:
        assert len(await answer.read()) == 10 * 1024 * 1024 + 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": "text"}, 50159),
        ({"attachments": [{"id": "0", "filename": "voice-message.ogg", "waveform": "AQI="}]}, 50161),
        ({"attachments": [{"id": "0", "filename": "voice-message.ogg", "duration_secs": 1.0}]}, 50161),
        ({"attachments": [{"id": "0", "duration_secs": 1.0, "waveform": "not base64!"}]}, 50161),
        ({}, None),
    ],
)
async def test_voice_rules(server: DiscordEmulator, ask: Ask, change: dict[str, Any], code: int | None) -> None:
    """A voice message is one audio file with its length and waveform, and nothing beside."""
    waveform = base64.b64encode(bytes(256)).decode()
    said = [{"id": "0", "filename": "voice-message.ogg", "duration_secs": 1.0, "waveform": waveform}]
    body = {"flags": 1 << 13, "attachments": said} | change
    _, answer = await ask("POST", messages_of(server), body, files=[("voice-message.ogg", b"OggS", "audio/ogg")])
    assert answer.get("code") == code


async def test_voice_wants_one_audio_file(server: DiscordEmulator, ask: Ask) -> None:
    """A declared type that is not audio, or two files, are 50160."""
    said = [{"id": str(n), "duration_secs": 1.0, "waveform": "AQI="} for n in range(2)]
    one = [("note.bin", b"x", "application/octet-stream")]
    _, answer = await ask("POST", messages_of(server), {"flags": 1 << 13, "attachments": said[:1]}, files=one)
    assert answer["code"] == 50160
    two = [("a.ogg", b"x", "audio/ogg"), ("b.ogg", b"x", "audio/ogg")]
    _, answer = await ask("POST", messages_of(server), {"flags": 1 << 13, "attachments": said}, files=two)
    assert answer["code"] == 50160


async def test_mentions_that_ping(server: DiscordEmulator, ask: Ask) -> None:
    """allowed_mentions decides who is pinged; roles and everyone also need the right."""
    role = server.add_role(server.guild, "team", mentionable=True)
    text = f"<@{server.alice.id}> <@{server.bob.id}> <@&{role.id}> @everyone"
    none = {"content": text, "allowed_mentions": {"parse": []}}
    _, quiet = await ask("POST", messages_of(server), none)
    assert (quiet["mentions"], quiet["mention_roles"], quiet["mention_everyone"]) == ([], [], False)
    some = {"content": text, "allowed_mentions": {"parse": ["roles"], "users": [str(server.bob.id)]}}
    _, chosen = await ask("POST", messages_of(server), some)
    assert [user["id"] for user in chosen["mentions"]] == [str(server.bob.id)]
    assert chosen["mention_roles"] == [str(role.id)]
    _, loud = await ask("POST", messages_of(server), {"content": text})
    assert len(loud["mentions"]) == 2 and not loud["mention_everyone"]
    assert server.world.messages[int(loud["id"])].pinged == {server.alice.id, server.bob.id}


async def test_replies_ping_by_choice(server: DiscordEmulator, ask: Ask) -> None:
    """A reply pings whom it answers unless allowed_mentions says otherwise; a missing target may be forgiven."""
    asked = server.post(server.alice, server.general, "question")
    body: dict[str, Any] = {"content": "x", "message_reference": {"message_id": str(asked.id)}}
    _, loud = await ask("POST", messages_of(server), body)
    assert [user["id"] for user in loud["mentions"]] == [str(server.alice.id)]
    assert loud["referenced_message"]["id"] == str(asked.id)
    _, quiet = await ask("POST", messages_of(server), {**body, "allowed_mentions": {"parse": []}})
    assert quiet["mentions"] == []
    server.delete(asked)
    body["message_reference"]["fail_if_not_exists"] = False
    status, alone = await ask("POST", messages_of(server), body)
    assert status == 200 and "message_reference" not in alone


async def test_only_own_messages_are_edited(server: DiscordEmulator, ask: Ask) -> None:
    """Editing another's message is 50005; deleting it needs MANAGE_MESSAGES."""
    path = f"{messages_of(server)}/{server.post(server.alice, server.general, 'mine').id}"
    assert (await ask("PATCH", path, {"content": "yours"}))[1]["code"] == 50005
    assert (await ask("DELETE", path))[1]["code"] == 50013
    server.overwrite(server.general, server.bot, allow=bits.MANAGE_MESSAGES)
    assert (await ask("DELETE", path))[0] == 204


async def test_edits_of_files(server: DiscordEmulator, ask: Ask) -> None:
    """An edit keeps the files it names, adds those it brings, and may not leave nothing."""
    two = [("a.txt", b"a", "text/plain"), ("b.txt", b"b", "text/plain")]
    _, sent = await ask("POST", messages_of(server), {}, files=two)
    path = f"{messages_of(server)}/{sent['id']}"
    kept = {"attachments": [{"id": sent["attachments"][1]["id"]}, {"id": "0"}]}
    _, edited = await ask("PATCH", path, kept, files=[("c.txt", b"c", "text/plain")])
    assert [file["filename"] for file in edited["attachments"]] == ["b.txt", "c.txt"]
    assert (await ask("PATCH", path, {"attachments": []}))[1]["code"] == 50006


async def test_bucket_headers_and_429(session: aiohttp.ClientSession) -> None:
    """Each answer counts its bucket down; over it comes 429 with all that clients need; other channels are free."""
    async with DiscordEmulator() as server:
        ask = caller(server, session)
        for _ in range(5):
            assert (await ask("POST", messages_of(server), {"content": "x"}))[0] == 200
        headers = {"Authorization": f"Bot {server.token}"}
        async with session.post(server.api_url + messages_of(server), json={"content": "x"}, headers=headers) as answer:
            body = await answer.json()
            assert answer.status == 429 and answer.headers["Via"] and int(answer.headers["Retry-After"]) >= 1
            assert 0 < body["retry_after"] <= 5.1 and body["global"] is False
            assert (answer.headers["X-RateLimit-Remaining"], answer.headers["X-RateLimit-Scope"]) == ("0", "user")
        assert (await ask("POST", f"/channels/{server.random.id}/messages", {"content": "x"}))[0] == 200
        server.advance(5.1)
        assert (await ask("POST", messages_of(server), {"content": "x"}))[0] == 200


async def test_global_limit_and_its_exceptions(session: aiohttp.ClientSession) -> None:
    """Fifty a second for all routes together, but not for the answers to interactions."""
    async with DiscordEmulator(limits=Limits(global_per_s=2, default=(1000, 1.0))) as server:
        ask = caller(server, session)
        answers = [await ask("GET", "/users/@me") for _ in range(6)]
        limited = [body for status, body in answers if status == 429]
        assert limited and limited[0]["global"] is True
        assert (await ask("POST", f"/webhooks/{server.bot.id}/token", {"content": "x"}))[1]["code"] == 10015


async def test_limits_can_be_off(session: aiohttp.ClientSession) -> None:
    """Without limits nothing is refused and no header speaks of buckets."""
    async with DiscordEmulator(limits=Limits(enabled=False)) as server:
        ask = caller(server, session)
        statuses = {(await ask("POST", messages_of(server), {"content": "x"}))[0] for _ in range(30)}
        assert statuses == {200}


async def test_too_many_invalid_calls_are_banned(session: aiohttp.ClientSession) -> None:
    """Ten thousand invalid answers in ten minutes end in a refusal without JSON and without Via."""
    async with DiscordEmulator(limits=Limits(invalid_limit=3)) as server:
        ask = caller(server, session)
        for _ in range(3):
            await ask("GET", "/users/@me", token="wrong")
        async with session.get(server.api_url + "/users/@me") as answer:
            assert answer.status == 429 and "Via" not in answer.headers
        server.advance(601)
        assert (await ask("GET", "/users/@me"))[0] == 200


async def test_faults(server: DiscordEmulator, ask: Ask) -> None:
    """Calls fail as told, as often as told; an applied one has its effect although its answer is lost."""
    server.fail("POST", "/channels/{channel_id}/messages", status=503, times=2)
    assert [(await ask("POST", messages_of(server), {"content": "x"}))[0] for _ in range(3)] == [503, 503, 200]
    server.fail("POST", "/channels/{channel_id}/messages", status=None, applied=True)
    with pytest.raises(aiohttp.ClientError):
        await ask("POST", messages_of(server), {"content": "lost"})
    assert [m.content for m in server.replies(server.general)] == ["x", "lost"]


# -- commands and interactions -----------------------------------------------------------------------------------------

ASK = {
    "name": "ask",
    "description": "Ask",
    "options": [
        {"type": 3, "name": "prompt", "description": "What", "required": True, "max_length": 10},
        {"type": 4, "name": "count", "description": "How many", "choices": [{"name": "one", "value": 1}]},
    ],
}


async def register(server: DiscordEmulator, ask: Ask, *commands: dict[str, Any]) -> list[Any]:
    """Overwrite the global commands."""
    status, made = await ask("PUT", f"/applications/{server.bot.id}/commands", list(commands))
    assert status == 200, made
    return list(made)


@pytest.mark.parametrize(
    "command",
    [
        {"name": "Upper", "description": "x"},
        {"name": "two words", "description": "x"},
        {"name": "x" * 33, "description": "x"},
        {"name": "x", "description": ""},
        {"name": "x", "description": "x" * 101},
        {"name": "x", "description": "x", "name_localizations": {"xx": "y"}},
        {
            "name": "x",
            "description": "x",
            "options": [{"type": 3, "name": f"o{n}", "description": "x"} for n in range(26)],
        },
        {"name": "x", "description": "x", "options": [{"type": 3, "name": "o", "description": "x"}] * 2},
        {"name": "menu", "type": 3, "description": "not for menus"},
    ],
)
async def test_command_limits(server: DiscordEmulator, ask: Ask, command: dict[str, Any]) -> None:
    """A command beyond the limits is 50035."""
    status, answer = await ask("POST", f"/applications/{server.bot.id}/commands", command)
    assert (status, answer["code"]) == (400, 50035)


async def test_command_life(server: DiscordEmulator, ask: Ask) -> None:
    """Commands are created, found, changed, overwritten by name keeping their id, and deleted."""
    base = f"/applications/{server.bot.id}/commands"
    status, made = await ask("POST", base, ASK)
    assert status == 201
    assert (await ask("POST", base, ASK))[0] == 200
    assert (await ask("PATCH", f"{base}/{made['id']}", {"description": "New"}))[1]["description"] == "New"
    again = await register(server, ask, ASK, {"name": "Ask about this", "type": 3})
    assert again[0]["id"] == made["id"] and len((await ask("GET", base))[1]) == 2
    assert (await ask("DELETE", f"{base}/{made['id']}"))[0] == 204
    assert (await ask("GET", f"{base}/{made['id']}"))[1]["code"] == 10063
    assert (await ask("GET", "/applications/1/commands"))[1]["code"] == 20012


async def test_too_many_commands(server: DiscordEmulator, ask: Ask) -> None:
    """Fifteen menus of a kind, a hundred commands, two hundred creations a day."""
    base = f"/applications/{server.bot.id}/commands"
    menus = [{"name": f"Menu {n}", "type": 3} for n in range(16)]
    assert (await ask("PUT", base, menus))[1]["code"] == 30032
    for batch in range(2):
        await register(server, ask, *[{"name": f"c{batch}-{n}", "description": "x"} for n in range(100)])
    assert (await ask("PUT", base, [{"name": "more", "description": "x"}]))[1]["code"] == 30034
    server.advance(86_401)
    await register(server, ask, {"name": "more", "description": "x"})


async def test_clients_refuse_wrong_options(server: DiscordEmulator, ask: Ask) -> None:
    """What Discord's client would not send never reaches the bot."""
    await register(server, ask, ASK)
    for options in ({}, {"prompt": "x" * 11}, {"prompt": "x", "count": 2}, {"prompt": "x", "other": 1}):
        with pytest.raises(Refused):
            server.slash(server.alice, server.general, "ask", options)
    with pytest.raises(Refused):
        server.slash(server.alice, server.general, "unknown")


async def test_first_answer_in_three_seconds(server: DiscordEmulator, ask: Ask) -> None:
    """A first answer after 3 s is 10062, a second one 40060."""
    await register(server, ask, ASK)
    late = server.slash(server.alice, server.general, "ask", {"prompt": "x"})
    server.advance(3.1)
    assert (await ask("POST", f"/interactions/{late.id}/{late.token}/callback", {"type": 5}))[1]["code"] == 10062
    used = server.slash(server.alice, server.general, "ask", {"prompt": "x"})
    path = f"/interactions/{used.id}/{used.token}/callback"
    assert (await ask("POST", path, {"type": 5}))[0] == 204
    assert (await ask("POST", path, {"type": 5}))[1]["code"] == 40060
    assert (await ask("POST", f"/interactions/{used.id}/wrong/callback", {"type": 5}))[1]["code"] == 10062


async def test_token_lives_fifteen_minutes(server: DiscordEmulator, ask: Ask) -> None:
    """Before the first answer a token is no webhook, after 15 minutes it is invalid, in between it is good."""
    await register(server, ask, ASK)
    used = server.slash(server.alice, server.general, "ask", {"prompt": "x"})
    hook = f"/webhooks/{server.bot.id}/{used.token}"
    assert (await ask("POST", hook, {"content": "x"}))[1]["code"] == 10015
    await ask("POST", f"/interactions/{used.id}/{used.token}/callback", {"type": 5, "data": {"flags": 64}})
    server.advance(800)
    status, edited = await ask("PATCH", hook + "/messages/@original", {"content": "answer"})
    assert status == 200 and edited["flags"] == 64 and used.original and used.original.ephemeral_to == server.alice.id
    assert (await ask("GET", hook + "/messages/@original"))[1]["content"] == "answer"
    assert (await ask("GET", f"{messages_of(server)}/{edited['id']}"))[1]["code"] == 10008
    server.advance(101)
    status, answer = await ask("PATCH", hook + "/messages/@original", {"content": "late"})
    assert (status, answer["code"]) == (401, 50027)


async def test_answers_fit_their_interaction(server: DiscordEmulator, ask: Ask) -> None:
    """A command takes no update, a defer no other flag than ephemeral; a voice answer is for the first response alone."""
    await register(server, ask, ASK)
    used = server.slash(server.alice, server.general, "ask", {"prompt": "x"})
    path = f"/interactions/{used.id}/{used.token}/callback"
    assert (await ask("POST", path, {"type": 7, "data": {"content": "x"}}))[1]["code"] == 50035
    assert (await ask("POST", path, {"type": 5, "data": {"flags": 1 << 15}}))[1]["code"] == 50035
    said = [{"id": "0", "duration_secs": 1.0, "waveform": "AQI="}]
    voice = {"flags": 1 << 13, "attachments": said}
    ogg = [("voice-message.ogg", b"OggS", "audio/ogg")]
    assert (await ask("POST", path, {"type": 4, "data": voice}, files=ogg))[0] == 204
    assert used.original and used.original.is_voice
    hook = f"/webhooks/{server.bot.id}/{used.token}"
    assert (await ask("POST", hook, voice, files=ogg))[1]["code"] == 50035


async def test_deleted_answers_are_gone(server: DiscordEmulator, ask: Ask) -> None:
    """An original response can be deleted, and is then unknown."""
    await register(server, ask, ASK)
    used = server.slash(server.alice, server.general, "ask", {"prompt": "x"})
    await ask("POST", f"/interactions/{used.id}/{used.token}/callback", {"type": 4, "data": {"content": "x"}})
    original = f"/webhooks/{server.bot.id}/{used.token}/messages/@original"
    assert (await ask("DELETE", original))[0] == 204
    assert (await ask("GET", original))[1]["code"] == 10008


async def test_commands_show_where_they_may(server: DiscordEmulator, ask: Ask) -> None:
    """Contexts and default permissions decide who is offered a command."""
    await register(
        server,
        ask,
        {"name": "guild-only", "description": "x", "contexts": [0]},
        {"name": "admin", "description": "x", "default_member_permissions": str(bits.MANAGE_GUILD)},
    )
    with pytest.raises(Refused):
        server.slash(server.alice, server.direct(server.alice), "guild-only")
    with pytest.raises(Refused):
        server.slash(server.alice, server.general, "admin")
    assert server.slash(server.world.users[server.guild.owner_id], server.general, "admin").owners


# -- gateway -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"op": 2, "d": {"token": "wrong", "intents": 1, "properties": {}}}, 4004),
        ({"op": 99}, 4001),
        ({"d": {}}, 4002),
        ({"op": 3, "d": {}}, 4003),
        ({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}, 4004),
        ({"op": 3, "d": "x" * 5000}, 4002),
    ],
)
async def test_close_codes(server: DiscordEmulator, session: aiohttp.ClientSession, frame: Any, code: int) -> None:
    """Each mistake on the gateway closes with its own code."""
    ws = await hello(session, server)
    await ws.send_json(frame)
    while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
        continue
    assert ws.close_code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [({"intents": 1 << 40}, 4013), ({"intents": 1 << 1}, 4014), ({"shard": [2, 2]}, 4010), ({"intents": None}, 4013)],
)
async def test_identify_is_checked(
    server: DiscordEmulator, session: aiohttp.ClientSession, change: dict[str, Any], code: int
) -> None:
    """Unknown intents, withheld intents and impossible shards have their close codes."""
    ws = await hello(session, server)
    await ws.send_json(identify(server, **change))
    await ws.receive()
    assert ws.close_code == code


async def test_identify_twice_and_heartbeats(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """A heartbeat is acknowledged; a second IDENTIFY closes with 4005."""
    ws = await hello(session, server)
    await ws.send_json({"op": 1, "d": None})
    assert (await ws.receive_json())["op"] == 11
    await ws.send_json(identify(server))
    ready, guild = await ws.receive_json(), await ws.receive_json()
    assert (ready["t"], ready["s"], guild["t"], guild["s"]) == ("READY", 1, "GUILD_CREATE", 2)
    assert ready["d"]["guilds"] == [{"id": str(server.guild.id), "unavailable": True}]
    await ws.send_json(identify(server))
    await ws.receive()
    assert ws.close_code == 4005


async def test_a_silent_client_is_closed(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """A client that sends no heartbeat is closed with 4009."""
    server.gateway.heartbeat_s = 0.02
    ws = await hello(session, server)
    assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE and ws.close_code == 4009


async def test_compressed_stream(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """With compress=zlib-stream every frame continues one zlib stream."""
    ws = await hello(session, server, compress="zlib-stream")
    inflate = zlib.decompressobj()
    first = json.loads(inflate.decompress((await ws.receive()).data))
    await ws.send_json(identify(server))
    second = json.loads(inflate.decompress((await ws.receive()).data))
    assert (first["op"], second["t"]) == (10, "READY")
    await ws.close()


async def test_intents_choose_the_events(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """A session without an intent hears none of its events; direct messages have their own."""
    ws = await hello(session, server)
    await ws.send_json(identify(server, intents=1 << 12))
    assert (await ws.receive_json())["t"] == "READY"
    server.post(server.alice, server.general, "not heard")
    server.post(server.alice, server.direct(server.alice), "heard")
    event = await ws.receive_json()
    assert (event["t"], event["d"]["content"]) == ("MESSAGE_CREATE", "heard")
    await ws.close()


async def test_resume_too_late(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """A session resumes within its time, replaying what was missed; later, or after a clean close, it is invalid."""
    ws = await hello(session, server)
    await ws.send_json(identify(server))
    ready = await ws.receive_json()
    resume = {"op": 6, "d": {"token": server.token, "session_id": ready["d"]["session_id"], "seq": 2}}
    server.drop()
    server.post(server.alice, server.general, "missed")
    again = await hello(session, server)
    await again.send_json(resume)
    assert [(await again.receive_json())["t"] for _ in range(2)] == ["MESSAGE_CREATE", "RESUMED"]
    server.drop()
    server.advance(3600)
    late = await hello(session, server)
    await late.send_json(resume)
    assert await late.receive_json() == {"op": 9, "d": False, "s": None, "t": None}
    await late.close()


async def test_identify_budget(session: aiohttp.ClientSession) -> None:
    """GET /gateway/bot counts the day's IDENTIFYs down; beyond them the token is refused."""
    async with DiscordEmulator(AppConfig(identify_limit=2)) as server:
        ask = caller(server, session)
        for left in (1, 0):
            ws = await hello(session, server)
            await ws.send_json(identify(server))
            await ws.receive_json()
            assert (await ask("GET", "/gateway/bot"))[1]["session_start_limit"]["remaining"] == left
            await ws.close()
        ws = await hello(session, server)
        await ws.send_json(identify(server))
        await ws.receive()
        assert ws.close_code == 4004


async def test_joining_and_leaving_a_server(server: DiscordEmulator, session: aiohttp.ClientSession) -> None:
    """A new server is told whole, a lost one as gone, and its channels are then out of reach."""
    ws = await hello(session, server)
    await ws.send_json(identify(server))
    await ws.receive_json(), await ws.receive_json()
    guild = server.add_guild("New")
    assert (await ws.receive_json())["t"] == "GUILD_ROLE_CREATE"
    event = await ws.receive_json()
    assert (event["t"], event["d"]["name"]) == ("GUILD_CREATE", "New")
    server.world.remove_bot(guild)
    assert (await ws.receive_json())["t"] == "GUILD_DELETE"
    await ws.close()


# -- the rest ------------------------------------------------------------------------------------------------------------


def test_picture_sizes() -> None:
    """The sizes of pictures are read from their first bytes."""
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
    gif = b"GIF89a" + (7).to_bytes(2, "little") + (5).to_bytes(2, "little")
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + (30).to_bytes(2, "big") + (40).to_bytes(2, "big") + b"\3"
    assert (picture_size(png), picture_size(gif), picture_size(jpeg)) == ((640, 480), (7, 5), (40, 30))
    assert picture_size(b"text") is None


async def test_greeting_names_the_environment() -> None:
    """The command line prints what a bot needs to find this Discord."""
    async with DiscordEmulator() as server:
        text = __main__.greeting(server)
        for name in ("DISCORD_BOT_TOKEN", "DISCORD_API_URL", "DISCORD_GATEWAY_URL", "DISCORD_CDN_URL"):
            assert f"export {name}=" in text


async def test_wait_for_says_what_was_missing(server: DiscordEmulator, ask: Ask) -> None:
    """A wait in vain ends with the last calls."""
    await ask("GET", "/users/@me")
    with pytest.raises(TimeoutError, match="GET /users/@me -> 200"):
        await server.wait_for(lambda: False, timeout=0.01)


# -- recorded deliveries ---------------------------------------------------------------------------------------------------

RECORDED = "recorded-discord/discord.json"
UNTOLD = {"clan", "display_name_styles", "display_name", "unusual_dm_activity_until", "content_scan_version"}
UNTOLD |= {"mute_config", "muted", "member_ids_preview"}
"""Keys of real deliveries that this emulator leaves out: none is in the vendor's documentation."""


def missing_keys(real: Any, ours: Any, path: str = "") -> set[str]:
    """Where a real delivery has a key that the emulated one lacks, or a value of another kind."""
    if isinstance(real, dict) and isinstance(ours, dict):
        kept = {key: value for key, value in real.items() if key not in UNTOLD and value is not False}
        lost = {f"{path}.{key}" for key in kept if key not in ours}
        return lost.union(*(missing_keys(kept[key], ours[key], f"{path}.{key}") for key in kept if key in ours))
    if isinstance(real, list) and isinstance(ours, list):
        return missing_keys(real[0], ours[0], path + "[]") if real and ours else set()
    same = real is None or ours is None or isinstance(ours, type(real))
    return set() if same else {f"{path}: {type(ours).__name__}, not {type(real).__name__}"}


async def test_events_look_like_own_made_ones(server: DiscordEmulator, ask: Ask) -> None:
    """Messages and clicks carry every key of the deliveries that the parsers are held to."""
    own = {case.name: case.delivery["data"] for case in cases("discord")}
    events: dict[str, Any] = {}
    server.world.listeners.append(lambda event: events.update({event.name: event.build(True)}))
    asked = server.post(server.alice, server.general, f"<@{server.bot.id}> Hey", files=[("plan.txt", b"the plan")])
    assert missing_keys(own["mention in a channel"], events["MESSAGE_CREATE"]) == set()
    [sent] = events["MESSAGE_CREATE"]["attachments"]
    [attached] = own["direct message with a file"]["attachments"]
    assert missing_keys(attached, sent) == set()
    button = {"type": 2, "style": 2, "label": "Regenerate", "custom_id": "parley:regenerate:1:1"}
    reference = {"message_id": str(asked.id)}
    body = {"content": "x", "message_reference": reference, "components": [{"type": 1, "components": [button]}]}
    await ask("POST", f"/channels/{server.general.id}/messages", body)
    server.click(server.alice, server.replies(server.general)[0], "parley:regenerate:1:1")
    assert missing_keys(own["Regenerate under an answer"], events["INTERACTION_CREATE"]) == set()


@vendor.needs(RECORDED)
async def test_events_look_like_recorded_ones(server: DiscordEmulator, ask: Ask) -> None:
    """Messages, reactions, threads and clicks carry every documented key of deliveries recorded from Discord."""
    recorded = json.loads((vendor.SPECS / RECORDED).read_text(encoding="utf-8"))
    events: dict[str, Any] = {}
    server.world.listeners.append(lambda event: events.update({event.name: event.build(True)}))
    asked = server.post(server.alice, server.general, f"<@{server.bot.id}> Hey")
    assert missing_keys(recorded["gatewayMention"]["data"], events["MESSAGE_CREATE"]) == set()
    server.react(server.bob, asked, "👍")
    assert missing_keys(recorded["gatewayReactionAdd"]["data"], events["MESSAGE_REACTION_ADD"]) == set()
    thread = server.create_thread(server.alice, server.general, "Thread", message=asked)
    assert missing_keys(recorded["gatewayThreadCreate"]["data"], events["THREAD_CREATE"]) == set()
    button = {"type": 2, "style": 1, "label": "Say Hello", "custom_id": "hello"}
    body = {"content": "x", "components": [{"type": 1, "components": [button]}]}
    await ask("POST", f"/channels/{thread.id}/messages", body)
    server.click(server.alice, server.replies(thread)[0], "hello")
    assert missing_keys(recorded["buttonClickHello"], events["INTERACTION_CREATE"]) == set()
