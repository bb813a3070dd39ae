"""Slack set up: the manifest, OAuth for many workspaces, what doctor finds, and processes that die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from click.testing import CliRunner

import adapters.slack
from adapters.slack import check, manifest
from adapters.slack.client import SlackClient
from adapters.slack.emulator import AppConfig, SlackEmulator, check_manifest
from adapters.slack.event_names import RIGHTS_EVENTS
from adapters.slack.ref import TokenScope
from bot.app import App
from bot.engine.commands import SPECS
from tests.acceptance.slack_support import config_for, parley, world

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
ROOT = Path(__file__).resolve().parents[2]


# --- The manifest ----------------------------------------------------------------------------------------------------


def test_the_manifest_needs_no_hand_edit() -> None:
    """With an address it is for HTTP, without one for Socket Mode; every command and shortcut is in it."""
    (group,) = adapters.slack.commands()
    socket = json.loads(CliRunner().invoke(group, ["manifest"]).output)
    assert socket["settings"]["socket_mode_enabled"] and "request_url" not in socket["settings"]["event_subscriptions"]
    http = json.loads(CliRunner().invoke(group, ["manifest", "--url", "https://bot.example.org/"]).output)
    address = "https://bot.example.org/slack/events"
    assert http["settings"]["event_subscriptions"]["request_url"] == address
    assert http["settings"]["interactivity"]["request_url"] == address and not http["settings"]["socket_mode_enabled"]
    named = {command["command"] for command in http["features"]["slash_commands"]}
    assert named == {"/parley", *(manifest.command_name(name) for name in SPECS)}
    assert all(command["url"] == address for command in http["features"]["slash_commands"])
    assert len(http["features"]["shortcuts"]) == 5 and "agent_view" in http["features"]
    single = json.loads(CliRunner().invoke(group, ["manifest", "--single-command", "--assistant"]).output)
    assert [command["command"] for command in single["features"]["slash_commands"]] == ["/parley"]
    assert "assistant_view" in single["features"]


def test_the_manifest_of_a_distributed_app_says_where_people_install() -> None:
    """Without an address it is refused, not printed half; with one, events may come by socket all the same."""
    (group,) = adapters.slack.commands()
    refused = CliRunner().invoke(group, ["manifest", "--distributed"], env={"SLACK_PUBLIC_URL": ""})
    assert refused.exit_code == 2 and "--url" in refused.output
    asked = ["manifest", "--distributed", "--socket", "--url", "https://bot.example.org"]
    made = json.loads(CliRunner().invoke(group, asked).output)
    assert made["oauth_config"]["redirect_urls"] == ["https://bot.example.org/slack/oauth_redirect"]
    assert made["settings"]["socket_mode_enabled"] and "request_url" not in made["settings"]["event_subscriptions"]
    assert not [command for command in made["features"]["slash_commands"] if "url" in command]


def test_the_manifest_keeps_slack_s_limits() -> None:
    """Lengths that Slack checks when a manifest is pasted. Source: Slack, App manifest reference."""
    made = manifest.build(SPECS, public_url="https://bot.example.org", is_distributed=True)
    assert len(made["display_information"]["description"]) <= 140
    assert len(made["features"]["agent_view"]["agent_description"]) <= 300
    assert all(len(command["description"]) <= 2_000 for command in made["features"]["slash_commands"])
    assert all(len(shortcut["name"]) <= 24 for shortcut in made["features"]["shortcuts"])
    assert made["oauth_config"]["redirect_urls"] == ["https://bot.example.org/slack/oauth_redirect"]


def test_the_commands_of_the_manifest_are_the_engine_s() -> None:
    """The table that serves without the engine names every command there is."""
    assert set(manifest.COMMANDS) == set(SPECS)


async def test_an_app_made_of_the_manifest_works(tmp_path: Path) -> None:
    """An app that has just what the manifest names answers, by its commands too."""
    app = AppConfig.from_manifest(manifest.build(SPECS))
    async with world(tmp_path, slack_app=app) as w:
        (answer,) = await w.answers(w.mention("made of the manifest"))
        assert "made of the manifest" in answer.shown
        await w.slack.slash("ada", "general", "/help")
        await w.settled()
        shown = w.slack.ephemerals("general", "ada")[0].shown
        assert all(f"`{manifest.command_name(name)}" in shown for name in SPECS) and "`/search" not in shown
        assert not [call for call in w.slack.calls if call.error == "missing_scope"]


async def test_with_a_single_command_hints_name_it(tmp_path: Path) -> None:
    """Where only /parley exists, help and hints say how to type what they speak of."""
    app = AppConfig.from_manifest(manifest.build(SPECS, is_single=True))
    async with world(tmp_path, slack_app=app, slack_single_command=True) as w:
        for words in ("help", "search"):
            await w.slack.slash("ada", "general", "/parley", words)
            await w.settled()
        help_, hint = (m.shown for m in w.slack.ephemerals("general", "ada"))
        assert all(f"`/parley {name}" in help_ for name in SPECS) and "`/ask" not in help_
        assert "/parley search WORDS" in hint
        (answer,) = await w.answers(w.slack.post("ada", "general", f"<@{w.slack.bot.id}>"))
        assert "/parley help" in answer.shown


def test_what_is_missing_is_named() -> None:
    """Slack is on with a token and a way in, or with OAuth and one."""
    options = adapters.slack.Options()
    assert adapters.slack.missing(options) == ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN")
    values = dict.fromkeys(("slack_client_id", "slack_client_secret", "slack_signing_secret"), "x")
    assert adapters.slack.missing(adapters.slack.Options.model_validate(values)) == ()


# --- OAuth -----------------------------------------------------------------------------------------------------------


async def _install(w, team, *, wide: bool = False) -> int:  # type: ignore[no-untyped-def]
    """Go the way of a person who installs, in a browser that keeps cookies."""
    base = f"http://127.0.0.1:{w.app.port}"
    w.slack.configure(redirect_urls=(f"{base}/slack/oauth_redirect",))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(f"{base}/slack/install", allow_redirects=False) as begun:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
        code = w.slack.new_code(team, redirect_uri=asked["redirect_uri"], scopes=asked["scope"].split(","), wide=wide)
        back = {"code": code, "state": asked["state"]}
        async with browser.get(f"{base}/slack/oauth_redirect", params=back) as ended:
            return ended.status


async def test_two_workspaces_install_and_are_kept_apart(tmp_path: Path) -> None:
    """Each has its own token, sealed; uninstalling takes it away."""
    async with (
        SlackEmulator(AppConfig(socket_mode=False), installed=False) as slack,
        parley(slack, tmp_path, slack_bot_token=None, parley_secret_key=KEY) as w,
    ):
        other = slack.add_team("Globex", people=("hank",), channels=("plans",), installed=False)
        for team in (slack.team, other):
            assert await _install(w, team) == 200
        slack.invite_bot("general")
        slack.invite_bot(slack.channel("plans", other).id)
        here = await w.answers(w.mention("from Acme"))
        bot = slack.world.bot_user(other.id)
        assert bot is not None
        asked = slack.post(slack.user("hank", other).id, slack.channel("plans", other).id, f"<@{bot.id}> from Globex")
        there = await w.answers(asked)
        assert "from Acme" in here[0].shown and "from Globex" in there[0].shown
        kept = await w.app.host.installations.find("slack", other.id)
        assert kept is not None and kept.secrets["bot_token"] == slack.token_of(other)
        assert kept.secrets["bot_token"] not in (tmp_path / "parley.db").read_bytes().decode("latin-1")
        slack.uninstall(other)
        await slack.idle()
        assert await w.app.host.installations.find("slack", other.id) is None
        assert await w.app.host.installations.find("slack", slack.team.id) is not None


async def test_an_organisation_installs_once_for_all_its_workspaces(tmp_path: Path) -> None:
    """With Enterprise Grid one installation answers in each workspace."""
    app = AppConfig(socket_mode=False)
    async with (
        SlackEmulator(app, installed=False, enterprise="Initech") as slack,
        parley(slack, tmp_path, slack_bot_token=None, parley_secret_key=KEY) as w,
    ):
        assert await _install(w, slack.team, wide=True) == 200
        slack.invite_bot("general")
        (answer,) = await w.answers(w.mention("whole organisation"))
        assert "whole organisation" in answer.shown
        assert await w.app.host.installations.find("slack", str(slack.world.enterprise_id)) is not None


async def test_after_a_downtime_an_organisation_s_workspaces_are_caught_up_too(tmp_path: Path) -> None:
    """What was missed is answered with the organisation's token, though no delivery has named the organisation yet."""
    values = {"slack_bot_token": None, "parley_secret_key": KEY, "durable": True}
    async with SlackEmulator(AppConfig(socket_mode=False), installed=False, enterprise="Initech") as slack:
        async with parley(slack, tmp_path, **values) as w:
            assert await _install(w, slack.team, wide=True) == 200
            slack.invite_bot("general")
            asked = w.mention("before the night")
            await w.answers(asked)
        slack.configure(bot_events=())
        missed = slack.post("ada", "general", "are you there?", thread_ts=asked.ts)
        fresh = slack.post("ada", "general", f"<@{slack.bot.id}> a new one")
        await slack.idle()
        slack.configure(bot_events=AppConfig().bot_events)
        async with parley(slack, tmp_path, **values) as w:
            (answer,) = await w.answers(missed)
            assert "are you there?" in answer.shown
            assert "a new one" in (await w.answers(fresh))[0].shown
            slack.uninstall(slack.team)
            await slack.idle()
            assert await w.app.host.installations.find("slack", slack.team.id) is None


async def _ending_soon(w, team) -> None:  # type: ignore[no-untyped-def]
    """Let the kept token have an hour left to live."""
    kept = await w.app.host.installations.find("slack", team.id)
    soon = {**kept.data, "expires_at": w.app.clock.now().timestamp() + 3_600}
    await w.app.host.installations.keep(type(kept)(kept.platform, kept.workspace, kept.name, soon, kept.secrets))
    w.adapter.client.tokens.forget(team.id)


async def test_a_token_that_cannot_be_renewed_serves_as_long_as_it_lives(tmp_path: Path) -> None:
    """When Slack does not exchange it, answers go on with the old one; Slack is not asked again at each call."""
    app = AppConfig(socket_mode=False, token_rotation=True)
    async with (
        SlackEmulator(app, installed=False) as slack,
        parley(slack, tmp_path, slack_bot_token=None, parley_secret_key=KEY) as w,
    ):
        assert await _install(w, slack.team) == 200
        slack.invite_bot("general")
        await _ending_soon(w, slack.team)
        before = len(slack.calls_to("oauth.v2.access"))
        slack.fail("oauth.v2.access", error="internal_error", times=50)
        (answer,) = await w.answers(w.mention("with the old one"))
        assert "with the old one" in answer.shown
        assert len(slack.calls_to("oauth.v2.access")) == before + 1


async def test_two_processes_exchange_a_token_once(tmp_path: Path) -> None:
    """The one whose refresh token was used up already takes what the other one stored."""
    app = AppConfig(socket_mode=False, token_rotation=True)
    async with (
        SlackEmulator(app, installed=False) as slack,
        parley(slack, tmp_path, slack_bot_token=None, parley_secret_key=KEY) as w,
    ):
        assert await _install(w, slack.team) == 200
        await _ending_soon(w, slack.team)
        scope = TokenScope(slack.team.id)
        ours, theirs = w.adapter.client, SlackClient(w.app.config, w.app.host)
        try:
            await asyncio.gather(
                ours.tokens.installation(scope), theirs.tokens.installation(scope)
            )  # both have read the old one
            tokens = await asyncio.gather(ours.tokens.find(scope), theirs.tokens.find(scope))
            assert slack.token_of(slack.team) in tokens
            newest = await w.app.host.installations.find("slack", slack.team.id)
            assert newest is not None and newest.secrets["bot_token"] == slack.token_of(slack.team)
            for client in (ours, theirs):
                client.tokens.forget(slack.team.id)
                assert await client.tokens.find(scope) == slack.token_of(slack.team)
        finally:
            await theirs.close()


async def test_a_rotating_token_is_exchanged_before_it_ends(tmp_path: Path) -> None:
    """Tokens of twelve hours are renewed in the background's own time, not only when an event comes."""
    async with (
        SlackEmulator(AppConfig(socket_mode=False, token_rotation=True), installed=False) as slack,
        parley(slack, tmp_path, slack_bot_token=None, parley_secret_key=KEY) as w,
    ):
        assert await _install(w, slack.team) == 200
        slack.invite_bot("general")
        kept = await w.app.host.installations.find("slack", slack.team.id)
        assert kept is not None and kept.data["expires_at"] > 0
        soon = {**kept.data, "expires_at": w.app.clock.now().timestamp() + 600}
        await w.app.host.installations.keep(type(kept)(kept.platform, kept.workspace, kept.name, soon, kept.secrets))
        w.adapter.client.tokens.forget(slack.team.id)
        (answer,) = await w.answers(w.mention("still there?"))
        assert "still there?" in answer.shown
        renewed = await w.app.host.installations.find("slack", slack.team.id)
        assert renewed is not None and renewed.secrets["bot_token"] != kept.secrets["bot_token"]


async def test_a_renewal_that_fails_stops_nobody_while_the_token_holds(tmp_path: Path) -> None:
    """While Slack does not renew a token, the old one is used until its end."""
    async with (
        SlackEmulator(AppConfig(socket_mode=False, token_rotation=True), installed=False) as slack,
        parley(slack, tmp_path, slack_bot_token=None, parley_secret_key=KEY) as w,
    ):
        assert await _install(w, slack.team) == 200
        slack.invite_bot("general")
        kept = await w.app.host.installations.find("slack", slack.team.id)
        assert kept is not None
        soon = {**kept.data, "expires_at": w.app.clock.now().timestamp() + 600}
        await w.app.host.installations.keep(type(kept)(kept.platform, kept.workspace, kept.name, soon, kept.secrets))
        w.adapter.client.tokens.forget(slack.team.id)
        slack.fail("oauth.v2.access", error="internal_error", times=50)
        (answer,) = await w.answers(w.mention("still there?"))
        assert "still there?" in answer.shown
        assert len(slack.calls_to("oauth.v2.access")) <= 3


async def test_no_token_is_kept_without_a_key_and_no_forged_return_is_taken(tmp_path: Path) -> None:
    """Without PARLEY_SECRET_KEY installing fails plainly; a state of another browser is refused."""
    async with (
        SlackEmulator(AppConfig(socket_mode=False), installed=False) as slack,
        parley(slack, tmp_path, slack_bot_token=None) as w,
    ):
        assert await _install(w, slack.team) == 500
        assert await w.app.host.installations.find("slack", slack.team.id) is None
        base = f"http://127.0.0.1:{w.app.port}/slack/oauth_redirect"
        async with aiohttp.ClientSession() as browser:
            for query in ({"code": "x", "state": "1.forged"}, {"error": "access_denied"}, {}):
                async with browser.get(base, params=query) as answer:
                    assert answer.status == 400


# --- Doctor ----------------------------------------------------------------------------------------------------------


async def test_doctor_finds_what_is_right_and_what_lacks(tmp_path: Path) -> None:
    """Tokens, scopes and the way in are checked against the manifest."""
    async with SlackEmulator(AppConfig(bot_scopes=manifest.BOT_SCOPES)) as slack, parley(slack, tmp_path) as w:
        found = {one.subject: one for one in await w.adapter.check()}
        assert found["slack"].level == found["slack scopes"].level == found["slack way in"].level == "ok"
    few = tuple(scope for scope in manifest.BOT_SCOPES if scope != "files:read")
    async with SlackEmulator(AppConfig(bot_scopes=few)) as slack:
        app = App(config_for(slack, tmp_path, slack_app_token="xapp-wrong"), only={"slack"}, durable=False)
        async with app.running():
            found = {one.subject: one for one in await app.adapters["slack"].check()}
        assert found["slack install"].setting == "SLACK_PUBLIC_URL" and found["slack install"].level == "warning"
    assert "files:read" in found["slack scopes"].text and found["slack scopes"].level == "error"
    assert found["slack way in"].level == "error" and found["slack way in"].setting == "SLACK_APP_TOKEN"


def test_doctor_compares_the_app_s_manifest() -> None:
    """Events that are not subscribed and interactivity that is off are named."""
    made = manifest.build(SPECS)
    assert [one.level for one in check.manifest_findings(made)] == ["ok"]
    made["settings"]["event_subscriptions"]["bot_events"].remove("message.im")
    made["settings"]["interactivity"]["is_enabled"] = False
    texts = [one.text for one in check.manifest_findings(made)]
    assert any("message.im" in text for text in texts) and any("interactivity" in text for text in texts)


def test_doctor_says_what_an_older_manifest_lacks() -> None:
    """Without the events about rights Parley works, and learns later that one ended: a warning, which names them."""
    made = manifest.build(SPECS)
    events = made["settings"]["event_subscriptions"]["bot_events"]
    made["settings"]["event_subscriptions"]["bot_events"] = [one for one in events if one not in RIGHTS_EVENTS]
    (found,) = check.manifest_findings(made)
    assert found.level == "warning" and all(one in found.text for one in RIGHTS_EVENTS) and "minute" in found.text


def test_the_manifest_is_one_that_slack_takes() -> None:
    """As far as is known of it: keys, lengths, scopes and events."""
    for kind in ({}, {"is_assistant": True}, {"is_distributed": True, "public_url": "https://bot.example.org"}):
        assert check_manifest(manifest.build(SPECS, **kind)) == []


# --- Processes that die ----------------------------------------------------------------------------------------------

RUNNER = """
import asyncio, json, sys
from pathlib import Path
from bot import config
from bot.app import App

async def main():
    values = json.loads(sys.argv[1])
    app = App(config.load(env_file=None, **{**values, "parley_home": Path(values["parley_home"])}), only={"slack"})
    async with app.running(listen=True):
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("moment", "ask"),
    [
        ("chat.startStream", "[[long 30]] [[slow 0.06]]"),
        ("chat.appendStream", "[[long 30]] [[slow 0.06]]"),
        ("chat.stopStream", "[[long 30]] [[slow 0.06]]"),
        ("chat.postMessage", "[[say word29]]"),
    ],
)
async def test_kill_9_leaves_one_answer(tmp_path: Path, moment: str, ask: str) -> None:
    """Killed between a post and its record, or in the middle of a stream: after a restart one whole answer stands there."""
    async with SlackEmulator(AppConfig()) as slack:
        environment = {name.lower(): value for name, value in slack.environment().items()}
        models = dict.fromkeys(("chat_model", "transcribe_model", "speech_model", "image_model"), "echo:echo")
        values = json.dumps({**environment, **models, "parley_home": str(tmp_path), "port": 0, "slack_socket_count": 1})

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-c", RUNNER, values], cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}
            )

        process = start()
        try:
            await slack.wait_for(lambda: slack.sockets, 20)
            asked = slack.post("ada", "general", f"<@{slack.bot.id}> {ask}")
            await slack.wait_for(lambda: slack.calls_to(moment), 15)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(5)
            process = start()

            def is_whole() -> bool:
                found = slack.from_bot("general", asked.ts)
                return len(found) == 1 and "word29" in found[0].shown and not found[0].is_streaming

            await slack.wait_for(is_whole, 25)
            assert slack.status("general", asked.ts) == ""
        finally:
            process.terminate()
            process.wait(10)
        assert len(slack.replies(asked)) == 1


async def test_a_process_too_many_waits_for_a_free_socket(tmp_path: Path) -> None:
    """Slack bears ten sockets: who comes later asks again with pauses, and serves once there is room."""
    async with SlackEmulator(AppConfig()) as slack:
        async with parley(slack, tmp_path / "one", slack_socket_count=10) as w:
            late = App(config_for(slack, tmp_path / "two", slack_socket_count=2), only={"slack"}, durable=False)
            async with late.running(listen=True):
                await slack.wait_for(lambda: len(slack.calls_to("apps.connections.open")) >= 13)
                before = len(slack.calls_to("apps.connections.open"))
                await asyncio.sleep(0.5)
                assert len(slack.calls_to("apps.connections.open")) - before <= 2
                assert len(slack.sockets) == 10
                (answer,) = await w.answers(w.mention("all the same"))
                assert "all the same" in answer.shown
        assert [d for d in slack.deliveries if not d.acknowledged] == []


async def test_a_socket_that_slack_ends_is_not_replaced_in_a_rush(tmp_path: Path) -> None:
    """After link_disabled there is a pause of a second; Retry-After of a 429 is honoured; a recycled one is replaced at once."""
    async with SlackEmulator(AppConfig()) as slack, parley(slack, tmp_path):
        await slack.sockets[0].disconnect()
        await slack.wait_for(lambda: [s for s in slack.sockets if s.number == 2], 0.5)
        began = asyncio.get_running_loop().time()
        slack.fail("apps.connections.open", status=429, retry_after_s=2)
        await slack.sockets[0].disconnect("link_disabled")
        await slack.wait_for(lambda: [s for s in slack.sockets if s.number == 3], 10)
        assert asyncio.get_running_loop().time() - began >= 2.9


async def test_ten_sockets_at_most(tmp_path: Path) -> None:
    """As many as configured, each used; the sum is the platform's limit."""
    async with SlackEmulator(AppConfig()) as slack, parley(slack, tmp_path, slack_socket_count=10) as w:
        assert len(slack.sockets) == 10 and w.adapter.listener.sockets.open == 10
        for number in range(3):
            assert f"number {number}" in (await w.answers(w.mention(f"number {number}")))[0].shown
