"""Weapons against what lies on the machine: files of others, secrets in the database and the log, addresses inside."""

from __future__ import annotations

import stat
from typing import Any

from aiohttp import web

from tests.attacks.field import Field
from tests.attacks.table import weapon
from tests.emulators.openai.script import Fault
from tests.emulators.openai.server import KEY


@weapon("M11")
async def read_the_data_folder(field: Field) -> None:
    """Another user of the machine looks at the folder and the files in it."""
    home = field.parley.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@weapon("L5")
async def have_the_key_quoted(field: Field) -> None:
    """A model server whose errors quote the key that it was sent."""
    quoted = {"message": f"Incorrect API key provided: {KEY}. Bearer {KEY}", "code": "odd", "type": "odd"}
    field.model.fail(*(Fault("status", status=400, error=quoted) for _ in range(3)))
    answers = await field.mention("hello")
    assert KEY not in str([one.shown for one in answers])
    field.model._faults.clear()
    assert KEY not in field.parley.said() and KEY.encode() not in field.parley.database()


@weapon("L7")
async def find_tokens_in_the_database(field: Field) -> None:
    """Interaction tokens and response addresses, in plain in a row."""
    d, slack = field.discord, field.slack
    used = d.slash(d.alice, d.general, "ask", {"text": "hello"})
    await d.wait_for(lambda: used.original and used.original.content, 40)
    await field.slash("ada", "general", "/ask", "hello")
    found = field.parley.database()
    assert used.token.encode() not in found, "an interaction token"
    assert b"/hooks/" not in found, "a response address"
    assert slack.bot_token.encode() not in found and d.token.encode() not in found


@weapon("M12")
async def have_an_inner_address_fetched(field: Field) -> None:
    """A file of Slack's whose address is a server of this machine, and one that redirects there."""
    asked: list[str] = []

    async def trap(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="inner secret")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", trap)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    inner = f"http://127.0.0.1:{runner.addresses[0][1]}/latest/meta-data/"
    try:
        for name, address in (("a.txt", inner), ("b.txt", "")):
            made: Any = field.slack.file("mallory", name, b"outer", "text/plain")
            if address:
                made.url_private = address
            else:
                field.slack.divert_downloads(inner)
            await field.mention("read it", "mallory", files=[made])
    finally:
        field.slack.divert_downloads("")
        await runner.cleanup()
    assert not asked and "inner secret" not in field.model.told()
