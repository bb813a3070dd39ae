"""What comes back from a client is not believed, nothing leads away from Slack, and what Slack lends is not left lying about."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.slack.emulator import AppConfig, Shortcut, SlackEmulator
from tests.acceptance.slack_support import World, parley, world
from tests.fakes import FakeClock

APP = AppConfig(
    slash_commands=("/parley", "/ask", "/settings", "/usage"),
    shortcuts=(Shortcut("Translate", "parley:translate"), Shortcut("Ask about this", "parley:ask")),
)
ADDRESS = "https://evil.example/c?d=SECRET"
POSTING = ("chat.postMessage", "chat.update", "chat.postEphemeral")


# --- Previews --------------------------------------------------------------------------------------------------------


async def test_nothing_that_parley_writes_is_previewed(tmp_path: Path) -> None:
    """Posts, edits, streams, words to one person, answers to a response_url, forms and App Home: Slack fetches no address."""
    async with world(tmp_path, slack_app=APP) as w:
        said = f"see {ADDRESS} and [the site]({ADDRESS})"
        slowly = f"[[say {said} {'and more ' * 40}]] [[slow 0.02]]"
        await w.answers(w.mention(said))
        await w.answers(w.mention(slowly), 1, 20)
        await w.answers(w.slack.post("ada", w.slack.dm("ada"), said))
        w.slack.fail("chat.startStream", error="unknown_method", times=9)
        (answer,) = await w.answers(w.mention(slowly), 1, 20)
        await w.slack.slash("ada", "random", "/ask", said)
        await w.slack.shortcut("ada", "parley:translate", w.slack.post("grace", "general", said))
        await w.slack.click("grace", answer, "parley:regenerate")
        await w.slack.click("grace", answer, "parley:feedback", f"thumbs_up {answer.thread_ts}")
        w.slack.open_home("ada")
        await w.slack.wait_for(lambda: w.slack.home("ada"))
        await w.settled()
        told = [call.args for call in w.slack.calls_to(*POSTING)]
        told += [body for entry in w.slack.desk.interactivity.response_urls.values() for body in entry.bodies]
        assert w.slack.fetched == []
        assert len(told) > 6 and {call.method for call in w.slack.calls_to(*POSTING)} == set(POSTING)
        assert all((one.get("unfurl_links"), one.get("unfurl_media")) == (False, False) for one in told)
        assert ADDRESS in answer.shown and sum(ADDRESS in str(one) for one in told) >= 5


async def test_a_streamed_address_becomes_a_link_at_the_end(tmp_path: Path) -> None:
    """While it is streamed it is text; the edit that ends the answer makes it one, and brings no preview."""
    async with world(tmp_path, slack_app=APP) as w:
        (answer,) = await w.answers(
            w.mention(f"[[say see [the site]({ADDRESS}) and {ADDRESS}, then more]] [[slow 0.05]]"), 1, 20
        )
        streamed = "".join(
            chunk["text"]
            for call in w.slack.calls_to("chat.startStream", "chat.appendStream", "chat.stopStream")
            for chunk in call.args.get("chunks") or ()
        )
        assert "evil.example" in streamed and "://" not in streamed and "](" not in streamed
        assert f"[the site]({ADDRESS})" in answer.shown and "\u2060" not in answer.shown
        assert w.slack.fetched == [] and len(w.slack.from_bot("general", answer.thread_ts)) == 1


async def test_the_emulator_previews_as_slack_does(tmp_path: Path) -> None:
    """Unless both flags say no; in no code, for no edit, and where a stream or a response cannot be told."""
    from slack_sdk.web.async_client import AsyncWebClient

    async with world(tmp_path, slack_app=APP) as w:
        client = AsyncWebClient(w.slack.bot_token, base_url=w.slack.api_url)
        room, root = w.slack.channel("general").id, w.slack.post("ada", "general", "x")
        quiet: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
        await client.chat_postMessage(channel=room, text="https://a.example", unfurl_links=False)
        await client.chat_postMessage(channel=room, text="https://b.example `https://c.example`")
        silent = await client.chat_postMessage(channel=room, text="https://d.example", **quiet)
        await client.chat_update(channel=room, ts=silent["ts"], text="https://e.example")
        stream = {"channel": room, "thread_ts": root.ts, "recipient_team_id": w.slack.team.id}
        begun = await client.chat_startStream(**stream, recipient_user_id=root.user, markdown_text="https://f.exam")
        await client.chat_appendStream(channel=room, ts=begun["ts"], markdown_text="ple and more")
        assert [one for one in w.slack.fetched if one != "https://f.exam"] == [
            "https://a.example",
            "https://b.example",
            "https://f.example",
        ]


# --- Calls by name ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["<!here>", "<!channel>", "<!everyone>", "<!subteam^S0DEVS>"])
async def test_parley_s_right_to_call_everybody_is_not_lent(tmp_path: Path, call: str) -> None:
    """That the asker wrote it does not mean that Slack lets them: an answer that repeats it calls nobody."""
    async with world(tmp_path, slack_app=APP) as w:
        (answer,) = await w.answers(w.mention(f"say {call} once more"))
        assert answer.pings == [] and "once more" in answer.shown


# --- Files -----------------------------------------------------------------------------------------------------------


async def test_a_file_that_is_not_at_slack_is_not_fetched(tmp_path: Path) -> None:
    """Neither where a delivery says, nor where a redirect leads; nothing is answered elsewhere either. The person is told."""
    hits: list[str] = []

    async def hit(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.Response(text="the secret of the machine")

    server = web.Application()
    server.router.add_route("*", "/{path:.*}", hit)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    elsewhere = f"http://127.0.0.1:{runner.addresses[0][1]}/latest/meta-data/"
    async with world(tmp_path, slack_app=APP) as w:
        w.slack.divert_downloads(elsewhere)
        (answer,) = await w.answers(w.slack.post("ada", w.slack.dm("ada"), "read", files=[("plan.txt", b"x")]))
        assert "plan.txt could not be fetched" in answer.shown + str(answer.blocks)
        w.slack.divert_downloads("")
        asked = w.slack.post("ada", w.slack.dm("ada"), "hello")
        sent = next(d for d in w.slack.deliveries if d.payload.get("event", {}).get("ts") == asked.ts)
        file = {"id": "F1", "name": "plan.txt", "mimetype": "text/plain", "size": 1, "url_private": elsewhere}
        event = {**sent.payload["event"], "ts": "1795510801.000100", "files": [file], "subtype": "file_share"}
        body = {**sent.payload, "event": event, "event_id": "Ev0FORGED"}
        await w.slack.desk.post.send_and_wait("events_api", body)
        command = {
            "command": "/ask",
            "text": "hello",
            "channel_id": "C0ELSEWHERE",
            "team_id": w.slack.team.id,
            "trigger_id": "1.2",
        }
        command |= {"user_id": w.slack.user("ada").id, "response_url": elsewhere}
        await w.slack.desk.post.send_and_wait("slash_commands", command)
        await w.settled()
    await runner.cleanup()
    assert hits == []


# --- What comes back -------------------------------------------------------------------------------------------------


async def _modal(w: World, person: str, shortcut: str = "parley:ask") -> Any:
    said = w.slack.post("grace", "general", "the numbers are 4711 million")
    await w.slack.shortcut(person, shortcut, said)
    return (await w.slack.wait_for(lambda: w.slack.modals(person)))[-1]


async def test_a_form_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    """What it is about is sealed for one person: neither another channel nor another person's form goes through."""
    async with world(tmp_path, slack_app=APP) as w:
        closed = w.slack.add_channel("closed", ["ada"], "private")
        secret = w.slack.post("ada", "closed", "the launch is called PELICAN")
        theirs = await _modal(w, "ada")
        assert "4711" not in theirs.payload["private_metadata"] and len(theirs.payload["private_metadata"]) <= 3_000
        forged = {
            "channel": closed.id,
            "ts": secret.ts,
            "thread": secret.ts,
            "text": "x",
            "files": [],
            "url": "",
            "is_alone": True,
        }
        for state in (json.dumps(forged), theirs.payload["private_metadata"], "", "x" * 3_000):
            mine = await _modal(w, "grace")
            mine.payload["private_metadata"] = state
            await w.slack.submit_modal("grace", mine, {"words": "what is it?"})
            assert "too old" in mine.errors["words"]
        await w.settled()
        assert w.slack.from_bot("general") == [] == w.slack.from_bot("closed")


async def test_app_home_shows_no_other_place_s_settings(tmp_path: Path) -> None:
    """Where a person is, is in the view; a client that names another place there learns nothing of it."""
    async with world(tmp_path, slack_app=APP) as w:
        await w.slack.slash("ada", "general", "/settings", "set system_prompt call it PELICAN for channel")
        await w.settled()
        w.slack.open_home("grace")
        home = await w.slack.wait_for(lambda: w.slack.home("grace"))
        home.payload["private_metadata"] = w.slack.channel("general").id
        await w.slack.click_view("grace", home, "parley:settings")
        modal = (await w.slack.wait_for(lambda: w.slack.modals("grace")))[-1]
        modal.payload["private_metadata"] = w.slack.channel("general").id
        await w.slack.submit_modal("grace", modal, {"name": "speech", "words": "never"})
        await w.slack.wait_for(lambda: "`speech`: never" in str((w.slack.home("grace") or home).payload["blocks"]))
        assert "PELICAN" not in str((w.slack.home("grace") or home).payload["blocks"])


# --- What Slack lends ------------------------------------------------------------------------------------------------


def _written(home: Path) -> str:
    """All that stands in the database's files."""
    return "".join(path.read_bytes().decode("latin-1") for path in home.iterdir() if path.name.startswith("parley.db"))


async def test_what_slack_lends_for_minutes_is_not_in_the_database(tmp_path: Path) -> None:
    """Neither response addresses nor triggers: of commands, buttons, shortcuts and forms."""
    async with world(tmp_path, slack_app=APP) as w:
        await w.slack.slash("ada", "random", "/ask", "by a command")
        await w.slack.wait_for(lambda: [m for m in w.slack.messages("random") if m.bot_id])
        (answer,) = await w.answers(w.mention("by a button"))
        await w.slack.click("ada", answer, "parley:regenerate")
        await w.slack.shortcut("ada", "parley:translate", answer)
        modal = await _modal(w, "ada")
        await w.slack.submit_modal("ada", modal, {"words": "by a form"})
        await w.settled()
        found = _written(tmp_path)
        lent = [*w.slack.desk.interactivity.response_urls, *w.slack.desk.interactivity.triggers]
    assert len(lent) >= 8 and "by a command" in found
    assert [one for one in lent if one in found] == []


async def test_a_response_address_serves_after_a_crash(tmp_path: Path) -> None:
    """Another process of the installation opens what the first one sealed."""
    async with SlackEmulator(replace(APP), limits="off") as slack:
        async with parley(slack, tmp_path, durable=True) as first:
            first.app.inbox._jobs.enqueue = _nowhere  # type: ignore[method-assign]
            await slack.slash("ada", "random", "/ask", "are you back?")
        assert not [m for m in slack.messages("random") if m.bot_id]
        async with parley(slack, tmp_path, durable=True):
            await slack.wait_for(lambda: [m for m in slack.messages("random") if m.bot_id], 20)
            assert any(entry.bodies for entry in slack.desk.interactivity.response_urls.values())


async def _nowhere(job: Any) -> None:
    """A process that died between writing down and handing over."""


async def test_a_response_address_is_dead_after_half_an_hour(tmp_path: Path) -> None:
    """Slack takes nothing there any more, and here it opens to nothing."""
    clock = FakeClock()
    async with world(tmp_path, slack_app=APP, clock=clock) as w:
        lent = w.adapter.home.forms.lend("https://hooks.slack.com/commands/1")
        assert w.adapter.client.lent.open(lent) == "https://hooks.slack.com/commands/1"
        clock.at += timedelta(minutes=30)
        assert w.adapter.client.lent.open(lent) is None
        assert w.adapter.home.forms.lend(lent) == lent and w.adapter.home.forms.lend("") == ""
