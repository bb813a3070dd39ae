"""Owns the proof that a person can use the emulator's page: by its requests, and in a real browser if any."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.emulator import AppConfig, Message, Shortcut, SlackEmulator, check_manifest
from adapters.slack.emulator.__main__ import configured, parser
from adapters.slack.emulator.render import Renderer
from adapters.slack.manifest import build

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PROJECT = Path(__file__).parents[2]


@pytest.fixture
async def slack() -> AsyncIterator[SlackEmulator]:
    """A workspace with a message shortcut; nobody answers."""
    app = AppConfig(bot_events=(), slash_commands=("/ask",), shortcuts=(Shortcut("Summarise", "sum"),))
    async with SlackEmulator(app) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser's connection."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def client(slack: SlackEmulator, session: aiohttp.ClientSession) -> AsyncWebClient:
    """The app's client."""
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)


async def act(slack: SlackEmulator, session: aiohttp.ClientSession, **what: Any) -> dict[str, Any]:
    """Do something on the page as Ada in #general; the answer."""
    body = {"user": slack.user("ada").id, "channel": slack.channel("general").id, **what}
    async with session.post(f"{slack.url}/emulator/act", json=body, headers={"X-Emulator": "page"}) as answer:
        told: dict[str, Any] = await answer.json()
        return told


async def state(slack: SlackEmulator, session: aiohttp.ClientSession, **query: str) -> Any:
    """What the page shows."""
    async with session.get(f"{slack.url}/emulator/state", params=query) as answer:
        return await answer.json()


async def test_a_person_writes_edits_and_deletes(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """Typed names become mentions, typed angle brackets are escaped, and only own messages can be changed."""
    await act(slack, session, do="post", text="@parley is 1 < 2 in #general?")
    message = slack.messages("general")[0]
    assert message.text == f"<@{slack.bot.id}> is 1 &lt; 2 in <#{slack.channel('general').id}>?"
    source = (await state(slack, session))["messages"][0]["source"]
    assert source == "@parley is 1 < 2 in #general?"
    await act(slack, session, do="edit", ts=message.ts, text="never mind")
    assert message.text == "never mind"
    theirs = slack.post("grace", "general", "mine")
    assert "someone else" in (await act(slack, session, do="delete", ts=theirs.ts))["problem"]
    await act(slack, session, do="delete", ts=message.ts)
    assert slack.messages("general") == [theirs]


async def test_people_are_called_by_any_of_their_names(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """A handle or a displayed name, in any case; whoever is nobody, or does not hear it, is told to the writer."""
    hopper = slack.add_user("ghopper", real_name="Grace Hopper")
    slack.configure(name="Parley")
    for words in ("@Parley hi", "@PARLEY hi", "hello @Grace Hopper, hi", "@ghopper hi"):
        assert "note" not in await act(slack, session, do="post", text=words)
    bot = f"<@{slack.bot.id}> hi"
    said = [message.text for message in slack.messages("general")]
    assert said == [bot, bot, f"hello <@{hopper.id}>, hi", f"<@{hopper.id}> hi"]
    assert "nobodyhere" in (await act(slack, session, do="post", text="@nobodyhere hi"))["note"]
    room = slack.channel("random").id
    assert "/invite" in (await act(slack, session, do="post", text="@parley hi", channel=room))["note"]
    assert "#random" in (await act(slack, session, do="post", text="/invite @Parley", channel=room))["note"]
    assert slack.bot.id in slack.channel("random").members
    assert "note" not in await act(slack, session, do="post", text="@parley hi", channel=room)
    assert "nobody" in (await act(slack, session, do="post", text="/invite @who"))["problem"]


async def test_stop_is_offered_while_a_session_is_processing(
    slack: SlackEmulator, session: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    """A live stream alone has no Stop button, as on Slack; pressing it without one is refused."""
    root, room = slack.post("ada", "general", "q"), slack.channel("general").id
    team, user = slack.team.id, slack.user("ada").id
    where = {"channel": room, "thread_ts": root.ts}
    await client.chat_startStream(**where, recipient_team_id=team, recipient_user_id=user, markdown_text="a")
    assert not (await state(slack, session, channel=room, thread=root.ts))["thread"]["can_stop"]
    assert "Stop" in (await act(slack, session, do="stop", thread=root.ts))["problem"]
    running = {"channel_id": room, "thread_ts": root.ts, "status": "processing"}
    await client.api_call("agents.sessions.setStatus", json=running)
    assert (await state(slack, session, channel=room, thread=root.ts))["thread"]["can_stop"]
    assert await act(slack, session, do="stop", thread=root.ts) == {}


async def test_commands_do_not_work_in_threads(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """As on Slack; and an unknown command is refused."""
    root = slack.post("ada", "general", "q")
    assert "threads" in (await act(slack, session, do="post", text="/ask", thread=root.ts))["problem"]
    assert "/nope" in (await act(slack, session, do="post", text="/nope"))["problem"]


async def test_files_and_clips_are_uploaded(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """A file is shared with its text; a recording becomes a clip."""
    for fields, name, kind in (
        ({"text": "look"}, "a.png", "image/png"),
        ({"clip": "1"}, "audio_message.webm", "audio/webm"),
    ):
        form = aiohttp.FormData({"user": slack.user("ada").id, "channel": slack.channel("general").id, **fields})
        form.add_field("file", b"bytes", filename=name, content_type=kind)
        async with session.post(f"{slack.url}/emulator/upload", data=form, headers={"X-Emulator": "page"}) as answer:
            assert answer.status == 200
    shown = (await state(slack, session))["messages"]
    assert [m["files"][0]["kind"] for m in shown] == ["image", "audio"]
    async with session.get(slack.url + shown[0]["files"][0]["url"]) as answer:
        assert await answer.read() == b"bytes"
    assert slack.world.files[slack.messages("general")[1].files[0]].subtype == "slack_audio"


async def test_other_sites_are_kept_out(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """An action needs the page's header, and the page needs a loopback name."""
    async with session.post(f"{slack.url}/emulator/act", json={"do": "home"}) as answer:
        assert answer.status == 403
    async with session.get(f"{slack.url}/", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403


async def test_the_page_hears_of_changes(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """A change of the workspace is told at once, by server-sent events."""
    async with session.get(f"{slack.url}/emulator/changes") as stream:
        assert (await stream.content.readline()).startswith(b"data:")
        await stream.content.readline()
        slack.post("ada", "general", "hi")
        assert (await asyncio.wait_for(stream.content.readline(), 5)).startswith(b"data:")


async def test_what_is_shown_is_safe(
    slack: SlackEmulator, session: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    """No text of anyone becomes markup or a script address, in any of the languages."""
    bad, channel = "<img src=x onerror=alert(1)>", slack.channel("general").id
    await client.chat_postMessage(channel=channel, markdown_text=f"{bad} [x](javascript:alert(1))")
    await client.chat_postMessage(channel=channel, text=f"{bad} <javascript:alert(1)|x> `{bad}`")
    section = {"type": "section", "text": {"type": "plain_text", "text": bad}}
    await client.chat_postMessage(channel=channel, text="x", blocks=[section])
    html = "".join(m["html"] for m in (await state(slack, session))["messages"])
    assert "<img" not in html and 'href="javascript' not in html


def test_mrkdwn_is_shown_as_slack_shows_it() -> None:
    """Bold, code, links, mentions and emoji; escaped characters come back as themselves."""
    html = Renderer(lambda target: target, lambda file: "").mrkdwn(
        "*b* `a*b*c` <https://x.y/?a=1&amp;b=2|l> <@U1> &lt;i&gt; :wave:"
    )
    assert html == (
        "<p><strong>b</strong> <code>a*b*c</code> "
        '<a href="https://x.y/?a=1&amp;b=2" rel="noreferrer" target="_blank">l</a> '
        '<span class="mention">@U1</span> &lt;i&gt; 👋</p>'
    )


def test_a_manifest_is_checked() -> None:
    """A good manifest has no problems; a bad one is told each of them."""
    good: dict[str, Any] = {
        "display_information": {"name": "A"},
        "features": {"bot_user": {"display_name": "a"}},
        "oauth_config": {"scopes": {"bot": ["app_mentions:read", "chat:write"]}},
        "settings": {"event_subscriptions": {"bot_events": ["app_mention"]}, "socket_mode_enabled": True},
    }
    assert check_manifest(good) == []
    events = {"bot_events": ["message.im", "nonsense"]}
    bad = good | {"settings": {"event_subscriptions": events}, "extra": 1, "display_information": {"name": "A" * 36}}
    assert check_manifest(bad) == [
        "/extra: unknown key",
        "display_information/name: more than 35 characters",
        "message.im: needs the scope im:history",
        "unknown event nonsense",
        "settings/event_subscriptions/request_url: must be an https address without Socket Mode",
    ]


def test_the_default_app_is_the_one_of_our_manifest() -> None:
    """Without `--manifest` the command emulates what `parley slack manifest` describes, which Slack would accept."""
    manifest = build()
    ours, shown = AppConfig.from_manifest(manifest), configured(parser().parse_args([]), None)
    assert check_manifest(manifest) == []
    assert (shown.slash_commands, shown.shortcuts) == (ours.slash_commands, ours.shortcuts)
    assert set(shown.bot_scopes) >= set(ours.bot_scopes) and set(shown.bot_events) >= set(ours.bot_events)


async def test_the_command_prints_how_to_point_a_bot_here() -> None:
    """`python -m adapters.slack.emulator` serves the page and prints the environment."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "adapters.slack.emulator", "--port", "0"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, cwd=PROJECT, env=environment)
    assert process.stdout is not None
    try:
        told = [(await asyncio.wait_for(process.stdout.readline(), 20)).decode() for _ in range(9)]
        url = told[0].split()[3]
        async with aiohttp.ClientSession() as session, session.get(url) as page:
            assert "Slack emulator" in await page.text()
        assert {line.split()[1].split("=")[0] for line in told if "export" in line} >= {
            "SLACK_API_URL",
            "SLACK_APP_TOKEN",
        }
    finally:
        process.terminate()
        await process.wait()


# -- in a browser


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """A page of a real browser, which must report no error."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await opened.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        await opened.close()
        assert errors == []


async def test_a_stream_is_seen_growing(slack: SlackEmulator, client: AsyncWebClient, browser: Any) -> None:
    """A person types a question by keyboard, opens its thread, and sees the answer grow, with Stop beside it."""
    await browser.goto(slack.url)
    await browser.fill("#compose-main", "@Parley what is up?")
    await browser.keyboard.press("Enter")
    root = (await slack.wait_for(lambda: slack.messages("general")))[0]
    place = {"recipient_team_id": slack.team.id, "recipient_user_id": slack.user("ada").id}
    stream = await client.chat_stream(channel=root.channel, thread_ts=root.ts, buffer_size=1, **place)
    await stream.append(markdown_text="| a | b |\n|---|---|\n| 1 | 2 |\n\nfirst")
    await browser.click("text=1 reply")
    await browser.wait_for_selector("#replies .streaming >> text=first")
    await browser.wait_for_selector("#replies table >> text=2")
    await stream.append(markdown_text=" second")
    await browser.wait_for_selector("#replies .streaming >> text=first second")
    session = {"channel_id": root.channel, "thread_ts": root.ts, "status": "processing"}
    await client.api_call("agents.sessions.setStatus", json=session)
    await browser.click("text=Stop")
    await browser.wait_for_selector("#replies .message:not(.streaming) >> text=first second")


async def test_a_message_is_edited_by_keyboard(slack: SlackEmulator, browser: Any) -> None:
    """The tools of a message are reached and used without a mouse."""
    message = slack.post("ada", "general", "helo")
    await browser.goto(slack.url)
    await browser.focus(f'[data-ts="{message.ts}"] [data-tool="more"]')
    await browser.keyboard.press("Enter")
    await browser.keyboard.press("Enter")
    assert await browser.input_value("#compose-main") == "helo"
    await browser.fill("#compose-main", "hello")
    await browser.keyboard.press("Enter")
    await slack.wait_for(lambda: message.text == "hello")


async def test_buttons_modals_and_the_menu_work(slack: SlackEmulator, client: AsyncWebClient, browser: Any) -> None:
    """A button reaches the app, a modal takes what is typed, the menu offers the message shortcuts."""
    button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go on"}}
    blocks = [{"type": "actions", "elements": [button]}]
    await client.chat_postMessage(channel=slack.channel("general").id, text="x", blocks=blocks)
    await browser.goto(slack.url)
    await browser.click("text=Go on")
    clicked = (await slack.wait_for(lambda: slack.deliveries))[0]
    trigger = clicked.payload["trigger_id"]
    field = {
        "type": "input",
        "label": {"type": "plain_text", "text": "Say"},
        "element": {"type": "plain_text_input", "action_id": "say"},
    }
    title, submit = ({"type": "plain_text", "text": text} for text in ("Form", "Send it"))
    await client.views_open(
        trigger_id=trigger, view={"type": "modal", "title": title, "submit": submit, "blocks": [field]}
    )
    await browser.fill("dialog input", "hello")
    await browser.click("text=Send it")
    sent = (await slack.wait_for(lambda: [d for d in slack.deliveries if d.event_type == "view_submission"]))[0]
    assert "hello" in str(sent.payload["view"]["state"])
    await browser.keyboard.press("Escape")
    message: Message = slack.from_bot("general")[0]
    await browser.wait_for_selector("dialog:not([open])", state="attached")
    await browser.hover(f'[data-ts="{message.ts}"]')
    await browser.click('[data-tool="more"]')
    await browser.click("text=Summarise")
    await slack.wait_for(lambda: [d for d in slack.deliveries if d.event_type == "message_action"])
