"""Servers that quote the key they were called with, in every form an error can have: nothing of it is kept or shown anywhere."""

from __future__ import annotations

import asyncio
import base64
import html
import io
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from aiohttp import web
from pydantic import SecretStr

from bot import telemetry
from bot.app import App
from bot.config import Config
from bot.redaction import LONG, STRUCK
from bot.types import Address
from tests.conftest import MakeConfig
from tests.fakes import PLATFORM, FakeAdapter, FakeClock, answer, ended

KEY = "7d4kP/9x+QvR2mLw8sZt=Yb1N-u6"
"""Of no shape that tells it from other text."""
ROOT = Path(__file__).resolve().parents[2]
Respond = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


def quoting(text: str) -> list[str]:
    """The text, which holds the key, as servers write such things: as it is, encoded, and cut off."""
    return [
        text,
        json.dumps(text),
        quote(text, safe=""),
        html.escape(text),
        base64.b64encode(f"user:{text}".encode()).decode(),
        text[: text.index(KEY) + len(KEY) - 3],
    ]


def spoken(key: str) -> str:
    """A text with the key in each of these ways."""
    return " | ".join(quoting(f"You sent {key}, which is wrong"))


def whole_error(status: int) -> Respond:
    """OpenAI's own form of an error, with the key in each of its fields."""

    async def respond(request: web.Request, key: str) -> web.Response:
        said = {"message": spoken(key), "code": f"bad {key}", "type": f"wrong {key}", "param": f"{key}.0"}
        headers = {"x-request-id": key, "retry-after": key, "x-should-retry": "false"}
        return web.json_response({"error": said}, status=status, headers=headers)

    return respond


async def plain_error(request: web.Request, key: str) -> web.Response:
    """A proxy's page."""
    text = f"<h1>Forbidden</h1>{spoken(key)}"
    return web.Response(text=text, status=403, content_type="text/html", headers={"x-should-retry": "false"})


async def no_json(request: web.Request, key: str) -> web.Response:
    """Success in which nothing can be read."""
    return web.Response(text=spoken(key), content_type="application/json")


async def redirect(request: web.Request, key: str) -> web.StreamResponse:
    """To an address with the key in it, where it is quoted once more."""
    if request.path.startswith("/again"):
        return await whole_error(404)(request, key)
    return web.Response(status=307, headers={"Location": f"/again/{quote(key, safe='')}"})


async def broken_stream(request: web.Request, key: str) -> web.StreamResponse:
    """Words, a line that is no JSON, and no end."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for line in ({"choices": [{"index": 0, "delta": {"content": f"Well, {spoken(key)} "}}]}, spoken(key)):
        text = line if isinstance(line, str) else json.dumps({"id": "1", "model": "m", "created": 1} | line)
        await response.write(f"data: {text}\n\n".encode())
    return response


async def error_in_stream(request: web.Request, key: str) -> web.StreamResponse:
    """An error event."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    said = {
        "type": "error",
        "error": {"message": spoken(key), "code": key, "type": key},
        "message": spoken(key),
        "code": key,
    }
    await response.write(f"event: error\ndata: {json.dumps(said)}\n\n".encode())
    return response


async def in_the_answer(request: web.Request, key: str) -> web.StreamResponse:
    """An answer that is whole, and says it."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for said in ("Your key is ", key[:9], key[9:], "."):
        delta = {"choices": [{"index": 0, "delta": {"content": said}}], "id": "1", "model": "m", "created": 1}
        await response.write(f"data: {json.dumps(delta)}\n\n".encode())
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "id": "1", "model": "m", "created": 1}
    await response.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
    return response


MODES: dict[str, Respond] = {
    **{f"an error {status}": whole_error(status) for status in (400, 401, 403, 404, 413, 429, 500, 503)},
    "a page of a proxy": plain_error,
    "no JSON": no_json,
    "a redirect": redirect,
    "a broken stream": broken_stream,
    "an error in the stream": error_in_stream,
    "the answer": in_the_answer,
}


@asynccontextmanager
async def server(respond: Respond) -> AsyncIterator[str]:
    """A server that answers everything so; its address."""

    async def handle(request: web.Request) -> web.StreamResponse:
        form = await request.post() if request.content_type.startswith("application/x-www-form") else {}
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return await respond(request, str(token or form.get("token") or scheme))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def log_of(shape: str) -> Iterator[io.StringIO]:
    """What goes to the log meanwhile, at DEBUG."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ("bot", "adapters")]
    before = root.handlers[:], root.level, [one.level for one in ours]
    telemetry.configure_logging("DEBUG", shape)
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    try:
        yield written
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        for one, level in zip(ours, before[2], strict=True):
            one.setLevel(level)


def tells(text: str, key: str = KEY) -> list[str]:
    """Pieces of the key, in any of its forms, that stand in the text."""
    forms = [key, quote(key, safe=""), json.dumps(key)[1:-1], html.escape(key)]
    forms += [base64.b64encode(b"." * (3 - shift) + key.encode()).decode()[4:-4] for shift in range(3)]
    pieces = {form[at : at + LONG] for form in forms for at in range(len(form) - LONG + 1)}
    return sorted(piece for piece in pieces if piece in text)


def everything_in(folder: Path) -> str:
    """All bytes of all files there, as Latin-1."""
    return "".join(path.read_bytes().decode("latin-1") for path in sorted(folder.rglob("*")) if path.is_file())


async def found_out(app: App) -> str:
    """What `doctor` prints, as JSON."""
    return json.dumps(
        [(one.subject, one.text, one.setting) for one in await app.readiness.checked()], ensure_ascii=False
    )


@pytest.mark.parametrize("shape", ["text", "json"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_model_server_that_quotes_the_key(
    mode: str, shape: str, make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock, tmp_path: Path
) -> None:
    """Whatever it answers with: not in the reply, the log, `doctor`, the metrics, nor any byte of the database.

    shape: of the log. With the one Chat Completions is called, with the other Responses.
    """
    async with server(MODES[mode]) as address:
        config = make_config(
            chat_model="openai:gpt-4o",
            transcribe_model="none",
            openai_api_key=SecretStr(KEY),
            openai_base_url=f"{address}/v1",
            openai_api="chat" if shape == "text" else "responses",
            openai_timeout_s=2,
        )
        app = App(config, only=(), clock=clock, more={PLATFORM: platform})
        with log_of(shape) as log:
            async with app.running():
                shown = await answer(app, platform, platform.says("hello"))
                seen = json.dumps([shown.text, shown.statuses, str(shown.reply)], ensure_ascii=False)
                doctor, metrics = await found_out(app), telemetry.metrics().decode()
    assert shown.reply is not None
    assert shown.reply.error or mode == "the answer" or shape == "json"
    assert tells(seen + doctor + metrics) == []
    assert tells(log.getvalue()) == []
    assert tells(everything_in(tmp_path)) == []


def all_rows(url: str) -> str:
    """Every row of every table of a PostgreSQL database, those of the jobs' library among them."""
    with psycopg.connect(url) as connection:
        named = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
        tables = [name for (name,) in connection.execute(named)]
        return "\n".join(row for table in tables for (row,) in connection.execute(f"SELECT t::text FROM {table} t"))


@pytest.mark.parametrize("mode", ["an error 400", "a broken stream"])
async def test_no_table_of_postgresql_holds_the_key(
    mode: str, make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock, postgres_url: str
) -> None:
    """Neither ours nor those in which DBOS keeps what steps gave and how they failed."""
    async with server(MODES[mode]) as address:
        config = make_config(
            chat_model="openai:gpt-4o",
            openai_api_key=SecretStr(KEY),
            openai_base_url=f"{address}/v1",
            openai_api="chat",
            database_url=SecretStr(postgres_url),
        )
        app = App(config, only=(), clock=clock, more={PLATFORM: platform})
        async with app.running():
            await answer(app, platform, platform.says("hello"))
            kept = all_rows(postgres_url)
    assert "cut_off" in kept or "rejected" in kept
    assert STRUCK in kept
    assert tells(kept) == []


async def slack_says_no(request: web.Request, key: str) -> web.Response:
    """Slack's form of an error, in each field that ours reads."""
    said = {"ok": False, "error": f"no {spoken(key)}", "needed": key, "response_metadata": {"messages": [spoken(key)]}}
    return web.json_response(said, headers={"x-oauth-scopes": key})


async def slack_knows_us(request: web.Request, key: str) -> web.Response:
    """It names the key where it names us, and refuses everything else."""
    if request.path.endswith("auth.test"):
        named = {
            "user_id": "U1",
            "bot_id": "B1",
            "team_id": "T1",
            "team": spoken(key),
            "url": f"https://{key}.example/",
        }
        return web.json_response({"ok": True, **named})
    return await slack_says_no(request, key)


def exactly_json(said: Any, status: int = 200) -> web.Response:
    """JSON as Discord sends it: discord.py takes no other Content-Type for it."""
    return web.Response(body=json.dumps(said), status=status, headers={"Content-Type": "application/json"})


async def discord_says_no(request: web.Request, key: str) -> web.Response:
    """Discord's form of an error."""
    said = {
        "message": spoken(key),
        "code": 50035,
        "errors": {"content": {"_errors": [{"code": key, "message": spoken(key)}]}},
    }
    return exactly_json(said, status=400)


async def discord_knows_us(request: web.Request, key: str) -> web.Response:
    """It lets us in, names the key where it names us, and refuses everything else."""
    me = {"id": "123456789012345678", "username": key, "discriminator": "0", "avatar": None, "bot": True}
    if request.path.endswith("/users/@me"):
        return exactly_json(me)
    if request.path.endswith("/applications/@me"):
        flags = {"flags": 0, "bot_public": True, "bot_require_code_grant": False, "verify_key": "0", "description": key}
        return exactly_json({"id": me["id"], "name": spoken(key), "icon": None, "summary": "", "owner": me, **flags})
    return await discord_says_no(request, key)


async def no_words(request: web.Request, key: str) -> web.Response:
    """A page of a proxy that stands before it."""
    return web.Response(text=spoken(key), status=403)


def slack_config(make: MakeConfig, address: str) -> Config:
    """Of Slack there."""
    tokens = {name: SecretStr(KEY) for name in ("slack_bot_token", "slack_signing_secret", "slack_config_token")}
    return make(slack_api_url=f"{address}/api/", **tokens)


def discord_config(make: MakeConfig, address: str) -> Config:
    """Of Discord there."""
    return make(discord_bot_token=SecretStr(KEY), discord_api_url=f"{address}/api/v10")


PLATFORMS: dict[str, tuple[Respond, Callable[[MakeConfig, str], Config], Address]] = {
    "slack": (slack_says_no, slack_config, Address("slack", "T1", "C1")),
    "slack that knows us": (slack_knows_us, slack_config, Address("slack", "T1", "C1")),
    "a proxy before slack": (no_words, slack_config, Address("slack", "T1", "C1")),
    "discord": (discord_says_no, discord_config, Address("discord", "1", "2")),
    "discord that knows us": (discord_knows_us, discord_config, Address("discord", "1", "2")),
    "a proxy before discord": (no_words, discord_config, Address("discord", "1", "2")),
}


@pytest.mark.parametrize("name", PLATFORMS)
async def test_a_platform_that_quotes_the_token(
    name: str, make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock, tmp_path: Path
) -> None:
    """A turn that cannot be shown there, and `doctor`: the token is in no file, no line of the log, and nothing printed."""
    respond, configured, address = PLATFORMS[name]
    async with server(respond) as at:
        config: Any = configured(make_config, at)
        app = App(config, only=(address.platform,), clock=clock)
        with log_of("text") as log:
            async with app.running():
                inbound = replace(platform.says("hello"), address=address, ref={"team": "T1", "channel_id": "2"})
                accepted = await app.accept(inbound)
                await ended(app, accepted.turn_id)
                doctor = await found_out(app)
    assert "***" in doctor + log.getvalue() or name == "a proxy before slack"
    assert tells(doctor + log.getvalue()) == []
    assert tells(everything_in(tmp_path)) == []


@pytest.mark.parametrize("arguments", [("ask", "hello", "--debug"), ("doctor", "--json")])
async def test_a_command_that_fails_shows_no_key(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """What the command line prints of a server that quotes the key, with the traceback and the whole log too."""
    async with server(whole_error(401)) as address:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
        models = {f"{kind}_MODEL": "none" for kind in ("TRANSCRIBE", "SPEECH", "IMAGE", "EMBEDDING")}
        given = {"CHAT_MODEL": "openai:gpt-4o", "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{address}/v1"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *arguments),
            cwd=tmp_path,
            env={**inherited, **models, **given, "PYTHONPATH": str(ROOT), "PARLEY_HOME": str(tmp_path / "home")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    assert process.returncode == 1, said
    assert b"OPENAI_API_KEY" in said
    assert tells(said.decode()) == []


def test_the_search_would_find_it() -> None:
    """The search of these tests sees the key in each of the ways in which the servers write it."""
    assert all(tells(one) for one in quoting(f"You sent {KEY}, which is wrong"))
