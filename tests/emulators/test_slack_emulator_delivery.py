"""Owns the proof that the emulator delivers as Slack does: signed HTTP with retries, sockets, and interactions."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.emulator import AppConfig, Channel, Clock, Message, Shortcut, SlackEmulator, View
from tests.emulators import vendor

COMMANDS = AppConfig(
    slash_commands=("/ask",), shortcuts=(Shortcut("Summarise", "sum"), Shortcut("New", "new", "global"))
)
MODAL: dict[str, Any] = {
    "type": "modal",
    "callback_id": "form",
    "title": {"type": "plain_text", "text": "Form"},
    "submit": {"type": "plain_text", "text": "Send"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "b",
            "label": {"type": "plain_text", "text": "Say"},
            "element": {"type": "plain_text_input", "action_id": "say"},
        }
    ],
}
BUTTONS = [
    {
        "type": "actions",
        "elements": [{"type": "button", "action_id": "go", "value": "1", "text": {"type": "plain_text", "text": "Go"}}],
    }
]


@dataclass
class Ear:
    """An HTTP server that stands for the app: it keeps what it gets and answers as it is told."""

    url: str = ""
    got: list[tuple[Any, Any, bytes]] = field(default_factory=list)
    answer: Callable[[], Awaitable[web.Response]] | None = None

    async def hear(self, request: web.Request) -> web.Response:
        """Keep one delivery."""
        body = await request.read()
        payload = json.loads(body) if request.content_type == "application/json" else parse_qs(body.decode())
        self.got.append((payload, request.headers.copy(), body))
        if "challenge" in payload:
            return web.json_response({"challenge": payload["challenge"]})
        return await self.answer() if self.answer else web.Response()

    def events(self, kind: str) -> list[Any]:
        """The events of one type, in order of arrival."""
        return [payload["event"] for payload, _, _ in self.got if payload.get("event", {}).get("type") == kind]


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    """A listening app."""
    heard, server = Ear(), web.Application()
    server.router.add_post("/slack/events", heard.hear)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield heard
    await runner.cleanup()


@pytest.fixture
async def slack(ear: Ear) -> AsyncIterator[SlackEmulator]:
    """A workspace whose app is reached by HTTP."""
    async with SlackEmulator(replace(COMMANDS, socket_mode=False, events_url=ear.url)) as running:
        yield running


def answering(status: int = 200, **more: Any) -> Callable[[], Awaitable[web.Response]]:
    """An answer for every delivery."""

    async def answer() -> web.Response:
        return web.Response(status=status, **more)

    return answer


# -- events over HTTP


async def test_the_request_url_is_challenged(slack: SlackEmulator, ear: Ear) -> None:
    """Slack verifies an address by a challenge."""
    assert await slack.verify_events_url()
    assert ear.got[0][0]["type"] == "url_verification"


async def test_a_mention_comes_twice_and_signed(slack: SlackEmulator, ear: Ear) -> None:
    """A mention in a channel is both app_mention and message, of one ts; the real verifier accepts the signature."""
    post = slack.post("ada", "general", f"<@{slack.bot.id}> hi")
    await slack.idle()
    assert [event["ts"] for event in ear.events("message") + ear.events("app_mention")] == [post.ts, post.ts]
    verifier = SignatureVerifier(slack.app.signing_secret)
    assert all(verifier.is_valid_request(body, dict(headers)) for _, headers, body in ear.got)
    envelope = ear.got[0][0]
    assert (envelope["team_id"], envelope["type"]) == (slack.team.id, "event_callback")
    assert envelope["authorizations"][0]["user_id"] == slack.bot.id
    assert ear.events("message")[0]["blocks"][0]["elements"][0]["elements"][0]["user_id"] == slack.bot.id


async def test_only_the_subscribed_the_granted_and_the_joined_is_sent(slack: SlackEmulator, ear: Ear) -> None:
    """No event comes from a channel without the bot, without its subscription, or without its scope."""
    slack.post("ada", "random", f"<@{slack.bot.id}> hi")
    slack.configure(bot_events=("message.im",))
    slack.post("ada", "general", "hi")
    slack.install(scopes=["chat:write"])
    slack.post("ada", slack.dm("ada"), "hi")
    await slack.idle()
    assert ear.got == []


async def test_a_direct_message_is_no_mention(slack: SlackEmulator, ear: Ear) -> None:
    """In a direct message even `<@bot>` is a plain message."""
    slack.post("ada", slack.dm("ada"), f"<@{slack.bot.id}> hi")
    await slack.idle()
    assert [event["channel_type"] for event in ear.events("message")] == ["im"]
    assert ear.events("app_mention") == []


async def test_edits_unfurls_and_deletions_are_told(slack: SlackEmulator, ear: Ear) -> None:
    """message_changed carries old and new text; an unfurl changes no text; message_deleted names what went."""
    post = slack.post("ada", "general", "one")
    slack.edit(post, "two")
    slack.unfurl(post)
    slack.delete(post)
    await slack.idle()
    told = {event["subtype"]: event for event in ear.events("message") if "subtype" in event}
    changes = [e for e in ear.events("message") if e.get("subtype") == "message_changed"]
    texts = {(e["previous_message"]["text"], e["message"]["text"]) for e in changes}
    assert texts == {("one", "two"), ("two", "two")}
    assert told["message_deleted"]["deleted_ts"] == post.ts
    assert slack.messages("general") == []


@pytest.mark.parametrize("status", [500, 404])
async def test_a_refused_event_is_sent_again_three_times(ear: Ear, status: int) -> None:
    """At once, after a minute, after five: the same event_id, with the number and reason of the retry."""
    app = AppConfig(socket_mode=False, events_url=ear.url)
    async with SlackEmulator(app, clock=Clock(flowing=False)) as slack:
        ear.answer = answering(status)
        slack.post("ada", "general", "hi")
        await slack.wait_for(lambda: len(ear.got) == 2)
        for count, pause in ((3, 61), (4, 301)):
            await slack.wait_for(lambda n=count: len(slack.deliveries[0].attempts) == n - 1)  # type: ignore[misc]
            slack.clock.advance(pause)
            await slack.wait_for(lambda n=count: len(ear.got) == n)  # type: ignore[misc]
        await slack.idle()
    numbers = [headers.get("X-Slack-Retry-Num") for _, headers, _ in ear.got]
    assert numbers == [None, "1", "2", "3"]
    assert {headers.get("X-Slack-Retry-Reason") for _, headers, _ in ear.got[1:]} == {"http_error"}
    assert len({payload["event_id"] for payload, _, _ in ear.got}) == 1


async def test_an_app_can_say_no_more_retries(slack: SlackEmulator, ear: Ear) -> None:
    """X-Slack-No-Retry: 1 ends it."""
    ear.answer = answering(500, headers={"X-Slack-No-Retry": "1"})
    slack.post("ada", "general", "hi")
    await slack.idle()
    assert len(ear.got) == 1


async def test_a_slow_answer_counts_as_none(slack: SlackEmulator, ear: Ear) -> None:
    """After three seconds the event is sent again, for the reason http_timeout."""
    first = True

    async def slow() -> web.Response:
        nonlocal first
        if first:
            first = False
            slack.clock.advance(3.1)
            await asyncio.sleep(0.2)
        return web.Response()

    ear.answer = slow
    slack.post("ada", "general", "hi")
    await slack.wait_for(lambda: len(ear.got) == 2)
    await slack.idle()
    assert ear.got[1][1]["X-Slack-Retry-Reason"] == "http_timeout"


async def test_home_context_and_the_end_are_told(slack: SlackEmulator, ear: Ear) -> None:
    """app_home_opened by tab, app_context_changed with its entity, tokens_revoked and app_uninstalled."""
    dm = slack.open_dm("ada")
    slack.open_home("ada")
    slack.change_context("ada", "random")
    slack.uninstall()
    await slack.idle()
    assert {event["tab"] for event in ear.events("app_home_opened")} == {"messages", "home"}
    assert ear.events("app_home_opened")[0]["channel"] == dm.id
    entity = ear.events("app_context_changed")[0]["context"]["entities"][0]
    assert entity == {"type": "slack#/types/channel_id", "value": slack.channel("random").id, "team_id": slack.team.id}
    assert ear.events("tokens_revoked")[0]["tokens"]["bot"] == [slack.team.bot_user_id]
    assert len(ear.events("app_uninstalled")) == 1
    slack.post("ada", "general", "is anyone there?")
    await slack.idle()
    assert ear.events("message") == []


# -- commands, buttons, modals


async def test_a_slash_command_is_answered_in_place(slack: SlackEmulator, ear: Ear) -> None:
    """A command's body is shown to its user alone, or to all; one that is not registered is none."""
    ear.answer = answering(text="only you", content_type="text/plain")
    delivery = await slack.slash("ada", "general", "/ask", "why?")
    assert (delivery.payload["text"], delivery.payload["channel_name"]) == ("why?", "general")
    assert ear.got[0][0]["command"] == ["/ask"]
    assert [m.text for m in slack.ephemerals("general", "ada")] == ["only you"]
    ear.answer = answering(
        text=json.dumps({"response_type": "in_channel", "text": "all"}), content_type="application/json"
    )
    await slack.slash("ada", "general", "/ask")
    assert [m.text for m in slack.messages("general")] == ["all"]
    with pytest.raises(LookupError):
        await slack.slash("ada", "general", "/nothing")


async def test_a_commands_text_is_escaped_when_the_manifest_says_so(slack: SlackEmulator) -> None:
    """With should_escape people and channels come as ids with names; without, as typed."""
    slack.configure(escaped_commands=("/ask",), slash_commands=("/ask", "/raw"))
    ada, room, said = slack.user("ada").id, slack.channel("general").id, "tell @ada in #general: 1 < 2"
    assert (await slack.slash("grace", "general", "/raw", said)).payload["text"] == said
    escaped = (await slack.slash("grace", "general", "/ask", said)).payload["text"]
    assert escaped == f"tell <@{ada}|ada> in #general: 1 &lt; 2".replace("#general:", f"<#{room}|general>:")


async def test_an_unanswered_command_says_so(slack: SlackEmulator, ear: Ear) -> None:
    """Slack tells the person that the app failed; commands are not retried."""
    ear.answer = answering(500)
    await slack.slash("ada", "general", "/ask")
    assert "operation_timeout" in slack.ephemerals("general", "ada")[0].text
    assert len(ear.got) == 1


async def test_a_response_url_serves_five_times_in_half_an_hour(slack: SlackEmulator) -> None:
    """Five uses are taken, the sixth is not; nor is any after thirty minutes."""
    url = (await slack.slash("ada", "general", "/ask")).payload["response_url"]
    late = (await slack.slash("ada", "general", "/ask")).payload["response_url"]
    async with aiohttp.ClientSession() as session:
        for number in range(6):
            async with session.post(url, json={"text": str(number)}) as answer:
                told = await answer.text()
        assert told == "used_url"
        slack.clock.advance(1801)
        async with session.post(late, json={"text": "late"}) as answer:
            assert (answer.status, await answer.text()) == (404, "expired_url")
    assert [m.text for m in slack.ephemerals("general", "ada")] == ["0", "1", "2", "3", "4"]


async def button(slack: SlackEmulator) -> Message:
    """A message of the app with a button."""
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)
        await client.chat_postMessage(channel=slack.channel("general").id, text="press", blocks=BUTTONS)
    return slack.from_bot("general")[-1]


async def test_a_button_reaches_the_app_with_its_message(slack: SlackEmulator) -> None:
    """block_actions has action, container and message; its response_url can replace and delete that message."""
    message = await button(slack)
    payload = (await slack.click("ada", message, "go")).payload
    action = payload["actions"][0]
    assert (payload["type"], action["action_id"], action["value"]) == ("block_actions", "go", "1")
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == message.ts
    async with aiohttp.ClientSession() as session:
        async with session.post(payload["response_url"], json={"replace_original": True, "text": "pressed"}):
            assert message.shown == "pressed"
        async with session.post(payload["response_url"], json={"delete_original": True}):
            assert slack.messages("general") == []
    with pytest.raises(LookupError):
        await slack.click("ada", message, "gone")


async def test_shortcuts_carry_the_message(slack: SlackEmulator) -> None:
    """A message shortcut brings its message; a global one has none."""
    message = slack.post("ada", "general", "long story")
    payload = (await slack.shortcut("grace", "sum", message)).payload
    assert (payload["type"], payload["message"]["text"]) == ("message_action", "long story")
    assert (await slack.shortcut("grace", "new")).payload["type"] == "shortcut"
    with pytest.raises(LookupError):
        await slack.shortcut("grace", "new", message)


async def open_modal(slack: SlackEmulator, view: Any = MODAL) -> View:
    """A modal, opened with the trigger of a command."""
    trigger = (await slack.slash("ada", "general", "/ask")).payload["trigger_id"]
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)
        await client.views_open(trigger_id=trigger, view=view)
    return slack.modals("ada")[-1]


async def test_a_modal_is_opened_corrected_and_sent(slack: SlackEmulator, ear: Ear) -> None:
    """Errors keep it open, an empty answer closes it; the values come by block and action."""
    view = await open_modal(slack)
    wrong = json.dumps({"response_action": "errors", "errors": {"b": "too short"}})
    ear.answer = answering(text=wrong, content_type="application/json")
    await slack.submit_modal("ada", view, {"say": "x"})
    assert (view.is_open, view.errors) == (True, {"b": "too short"})
    ear.answer = None
    delivery = await slack.submit_modal("ada", view, {"say": "hello"})
    assert delivery.payload["view"]["state"]["values"]["b"]["say"] == {"type": "plain_text_input", "value": "hello"}
    assert slack.modals("ada") == []


async def test_a_closed_modal_is_told(slack: SlackEmulator) -> None:
    """With notify_on_close the app hears view_closed."""
    view = await open_modal(slack)
    delivery = await slack.close_modal("ada", view)
    assert delivery and delivery.payload["type"] == "view_closed"


@pytest.mark.parametrize(("wait_s", "error"), [(3.5, "expired_trigger_id"), (0, "exchanged_trigger_id")])
async def test_a_trigger_serves_once_and_soon(slack: SlackEmulator, wait_s: float, error: str) -> None:
    """After three seconds it is expired; after its use it is spent."""
    trigger = (await slack.slash("ada", "general", "/ask")).payload["trigger_id"]
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)
        if not wait_s:
            await client.views_open(trigger_id=trigger, view=MODAL)
        slack.clock.advance(wait_s)
        with pytest.raises(SlackApiError, match=error):
            await client.views_open(trigger_id=trigger, view=MODAL)


async def test_views_are_pushed_updated_and_bounded(slack: SlackEmulator) -> None:
    """Three views stack, a fourth does not; an update with an old hash is a conflict."""
    view = await open_modal(slack, {**MODAL, "blocks": [*MODAL["blocks"], *BUTTONS]})
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)
        old = view.hash
        await client.views_update(view_id=view.id, hash=old, view={**MODAL, "blocks": BUTTONS})
        with pytest.raises(SlackApiError, match="hash_conflict"):
            await client.views_update(view_id=view.id, hash=old, view=MODAL)
        for _ in range(2):
            trigger = (await slack.click_view("ada", view, "go")).payload["trigger_id"]
            await client.views_push(trigger_id=trigger, view=MODAL)
        trigger = (await slack.click_view("ada", view, "go")).payload["trigger_id"]
        with pytest.raises(SlackApiError, match="push_limit_reached"):
            await client.views_push(trigger_id=trigger, view=MODAL)
    assert len(slack.modals("ada")) == 3


async def test_an_external_select_asks_the_app(slack: SlackEmulator, ear: Ear) -> None:
    """block_suggestion brings what was typed, and the app's options come back."""
    select = {"type": "external_select", "action_id": "pick", "min_query_length": 1}
    block = {"type": "input", "block_id": "p", "label": {"type": "plain_text", "text": "Pick"}, "element": select}
    view = await open_modal(slack, {**MODAL, "blocks": [block]})
    options = [{"text": {"type": "plain_text", "text": "Model A"}, "value": "a"}]
    ear.answer = answering(text=json.dumps({"options": options}), content_type="application/json")
    assert await slack.suggest("ada", view, "pick", "mo") == options
    payload = json.loads(ear.got[-1][0]["payload"][0])
    assert (payload["type"], payload["value"], payload["block_id"]) == ("block_suggestion", "mo", "p")


async def test_another_bots_post_is_marked(slack: SlackEmulator, ear: Ear) -> None:
    """Other bots' messages reach the app with their bot_id, and their mentions count."""
    robot = slack.add_user("robot", is_bot=True, bot_id="B0ROBOT", app_id="A0ROBOT")
    slack.channel("general").members.append(robot.id)
    slack.post(robot, "general", f"<@{slack.bot.id}> hello, bot")
    await slack.idle()
    event = ear.events("message")[0]
    assert (event["bot_id"], event["bot_profile"]["name"], event["user"]) == ("B0ROBOT", "Robot", robot.id)
    assert len(ear.events("app_mention")) == 1


async def test_an_organisations_events_say_so(ear: Ear) -> None:
    """With an org-wide install events carry the enterprise and the workspace they come from."""
    app = AppConfig(socket_mode=False, events_url=ear.url)
    async with SlackEmulator(app, enterprise="Acme Corp", installed=False) as slack:
        slack.install(wide=True)
        slack.invite_bot("general")
        slack.post("ada", "general", "hi")
        await slack.idle()
        payload = ear.got[-1][0]
        assert (payload["enterprise_id"], payload["team_id"]) == (slack.world.enterprise_id, slack.team.id)
        assert payload["authorizations"][0]["is_enterprise_install"] is True


async def test_a_home_tab_is_published_and_used(slack: SlackEmulator) -> None:
    """views.publish shows the Home tab, and its elements reach the app."""
    home = {"type": "home", "blocks": BUTTONS}
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)
        await client.views_publish(user_id=slack.user("ada").id, view=home)
        with pytest.raises(SlackApiError, match="invalid_arguments"):
            await client.views_publish(user_id=slack.user("ada").id, view={"type": "home", "blocks": [{"type": "x"}]})
    view = slack.home("ada")
    assert view is not None
    payload = (await slack.click_view("ada", view, "go")).payload
    assert (payload["container"]["type"], payload["view"]["type"]) == ("view", "home")


async def test_stop_ends_the_streams_and_tells(slack: SlackEmulator, ear: Ear) -> None:
    """The Stop button is there only while a session is processing; Slack itself ends the streams and names them."""
    root, ada = slack.post("ada", "general", "q"), slack.user("ada")
    with pytest.raises(LookupError):
        slack.stop_session("ada", "general", root.ts)
    async with aiohttp.ClientSession() as http:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=http)
        place = {"recipient_team_id": slack.team.id, "recipient_user_id": ada.id}
        stream = await client.chat_stream(channel=root.channel, thread_ts=root.ts, buffer_size=1, **place)
        await stream.append(markdown_text="long")
        with pytest.raises(LookupError):  # a stream alone brings no Stop button
            slack.stop_session("ada", "general", root.ts)
        session = {"channel_id": root.channel, "thread_ts": root.ts, "status": "processing"}
        await client.api_call("agents.sessions.setStatus", json=session)
        slack.stop_session("ada", "general", root.ts)
        with pytest.raises(SlackApiError, match="message_not_in_streaming_state"):
            await stream.append(markdown_text="er")
    await slack.idle()
    event = ear.events("agent_session_stopped")[0]
    assert (event["thread_ts"], event["streaming_message_ts"]) == (root.ts, [stream.ts])


# -- sockets


def listening_app(slack: SlackEmulator, heard: list[Any], number: int) -> AsyncApp:
    """A Bolt app that notes what it hears, with its number."""
    app = AsyncApp(client=AsyncWebClient(token=slack.bot_token, base_url=slack.api_url))

    @app.event("message")
    async def on_message(event: Any) -> None:
        heard.append((number, event["text"]))

    @app.command("/ask")
    async def on_command(ack: Any, command: Any) -> None:
        await ack(f"you said {command['text']}")

    return app


@asynccontextmanager
async def bolt(slack: SlackEmulator, count: int = 1, ping_s: float = 10) -> AsyncIterator[list[Any]]:
    """Bolt apps on real sockets; gives the list of what their listeners heard, with the app's number."""
    heard: list[Any] = []
    handlers = []
    for number in range(count):
        app = listening_app(slack, heard, number)
        handler = AsyncSocketModeHandler(app, slack.app_token, ping_interval=ping_s)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        handlers.append(handler)
    await slack.wait_for(lambda: len(slack.sockets) == count)
    try:
        yield heard
    finally:
        for handler in handlers:
            await handler.close_async()  # type: ignore[no-untyped-call]


@pytest.fixture
async def socketed() -> AsyncIterator[SlackEmulator]:
    """A workspace whose app uses Socket Mode."""
    async with SlackEmulator(COMMANDS) as running:
        yield running


async def test_bolt_hears_and_acknowledges(socketed: SlackEmulator) -> None:
    """Bolt's Socket Mode handler gets an event once and a command's answer is shown."""
    async with bolt(socketed) as heard:
        socketed.post("ada", "general", "hi")
        await socketed.idle()
        await socketed.wait_for(lambda: heard == [(0, "hi")])
        await socketed.slash("ada", "general", "/ask", "x")
    assert socketed.ephemerals("general", "ada")[0].text == "you said x"
    assert [len(d.attempts) for d in socketed.deliveries] == [1, 1]


async def test_each_event_goes_to_one_socket(socketed: SlackEmulator) -> None:
    """Two processes share the events; none is doubled."""
    async with bolt(socketed, count=2) as heard:
        for number in range(6):
            socketed.post("ada", "general", str(number))
        await socketed.wait_for(lambda: len(heard) == 6)
        await socketed.idle()
    assert sorted(text for _, text in heard) == list("012345")
    assert {who for who, _ in heard} == {0, 1}


async def test_a_dead_socket_loses_nothing(socketed: SlackEmulator) -> None:
    """What a silently dead socket swallows is sent again after three seconds, by another socket."""
    async with bolt(socketed, count=2) as heard:
        socketed.sockets[0].freeze()
        for text in ("a", "b"):
            socketed.post("ada", "general", text)
        await socketed.wait_for(lambda: len(heard) == 1)
        socketed.clock.advance(3.1)
        await socketed.wait_for(lambda: len(heard) == 2)
        await socketed.idle()
    lost = next(d for d in socketed.deliveries if len(d.attempts) > 1)
    assert [a.failure for a in lost.attempts] == ["http_timeout", None]
    assert socketed.calls_to("apps.connections.open")


async def test_a_recycled_socket_is_replaced(socketed: SlackEmulator) -> None:
    """After a `disconnect` message the real client opens a new connection and goes on hearing."""
    async with bolt(socketed, ping_s=1) as heard:
        old = socketed.sockets[0]
        await old.disconnect("refresh_requested")
        await socketed.wait_for(lambda: [s for s in socketed.sockets if s is not old and s.is_open])
        socketed.post("ada", "general", "still there?")
        await socketed.wait_for(lambda: heard)


async def test_a_broken_line_is_replaced(socketed: SlackEmulator) -> None:
    """When the network breaks, the real client comes back by itself."""
    async with bolt(socketed, ping_s=0.2) as heard:
        old = socketed.sockets[0]
        old.cut()
        await socketed.wait_for(lambda: [s for s in socketed.sockets if s is not old])
        socketed.post("ada", "general", "hello again")
        await socketed.wait_for(lambda: heard)


async def test_an_eleventh_socket_is_turned_away(socketed: SlackEmulator) -> None:
    """Ten sockets are open at most; the next is told too_many_websockets and closed. A ticket serves once."""
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(socketed.desk.sockets.open_url()) for _ in range(10)]
        await socketed.wait_for(lambda: len(socketed.sockets) == 10)
        assert (await sockets[0].receive_json())["type"] == "hello"
        url = socketed.desk.sockets.open_url()
        extra = await session.ws_connect(url)
        assert (await extra.receive_json())["reason"] == "too_many_websockets"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)
        for socket in [*sockets, extra]:
            await socket.close()


async def test_without_a_socket_events_wait_for_their_retries(socketed: SlackEmulator) -> None:
    """An event of a minute's outage arrives by its retry."""
    socketed.post("ada", "general", "anyone?")
    await socketed.wait_for(lambda: socketed.deliveries and len(socketed.deliveries[0].attempts) == 2)
    async with bolt(socketed) as heard:
        socketed.clock.advance(61)
        await socketed.wait_for(lambda: heard)


async def test_a_stranger_in_a_shared_channel_is_marked(socketed: SlackEmulator) -> None:
    """Events of Slack Connect channels say so and name the writer's own workspace."""
    partner = socketed.add_team("Partner", people=("eve",), channels=(), installed=False)
    room: Channel = socketed.channel("general")
    socketed.share_channel(room, partner, ["eve"])
    async with bolt(socketed):
        socketed.post("eve", room, "hello from outside")
        await socketed.idle()
    payload = socketed.deliveries[-1].payload
    assert (payload["is_ext_shared_channel"], payload["team_id"]) == (True, socketed.team.id)
    assert payload["event"]["user_team"] == partner.id


async def test_a_manifest_describes_the_app() -> None:
    """What the manifest names is what the emulated app may do."""
    manifest = {
        "display_information": {"name": "Helper"},
        "features": {
            "bot_user": {"display_name": "Helper"},
            "agent_view": {"agent_description": "Helps", "suggested_prompts": [{"title": "A", "message": "b"}]},
            "slash_commands": [{"command": "/help-me", "description": "Help"}],
            "shortcuts": [{"name": "Sum", "type": "message", "callback_id": "sum", "description": "S"}],
        },
        "oauth_config": {"scopes": {"bot": ["chat:write"]}},
        "settings": {"event_subscriptions": {"bot_events": ["app_mention"]}, "socket_mode_enabled": True},
    }
    async with SlackEmulator(AppConfig.from_manifest(manifest)) as slack:
        assert slack.world.tokens[slack.bot_token].scopes == ["chat:write"]
        assert slack.app.slash_commands == ("/help-me",) and slack.app.agent_view
        assert set(slack.environment()) >= {"SLACK_API_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"}


# -- shapes

SEEN = ("recorded-slack", "slack-json-samples/events", "slack-json-samples/app-backend")
"""Folders with real payloads."""
OURS_ONLY = {"client_msg_id", "is_ext_shared_channel", "parent_user_id", "reply_users"}


def seen_keys(kind: str) -> set[str]:
    """The keys that real payloads of this type had, in the recordings and in the samples."""
    found: set[str] = set()
    for path in [path for folder in SEEN for path in (vendor.SPECS / folder).glob("*.json")]:
        for payload in payloads(json.loads(path.read_text(encoding="utf-8"))):
            if payload.get("type", "slash" if "command" in payload else "") == kind:
                found |= set(payload)
    return found


def payloads(value: Any) -> Iterator[dict[str, Any]]:
    """All objects inside a value."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from payloads(item)


@vendor.needs(SEEN[0])
async def test_deliveries_have_no_key_that_slack_has_not(slack: SlackEmulator) -> None:
    """Every key of what the app gets is one that real deliveries have."""
    root = slack.post("ada", "general", f"<@{slack.bot.id}> look", files=[("a.png", b"png")])
    slack.edit(slack.post("ada", "general", "more", thread_ts=root.ts), "even more")
    slack.react("grace", root, "eyes")
    slack.open_home("ada")
    await slack.click("ada", await button(slack), "go")
    await slack.shortcut("ada", "sum", root)
    await slack.submit_modal("ada", await open_modal(slack), {"say": "x"})
    await slack.idle()
    checked = set()
    for payload in [each.payload for each in slack.deliveries] + [
        each.payload.get("event", {}) for each in slack.deliveries
    ]:
        kind = payload.get("type", "slash" if "command" in payload else "")
        assert not kind or set(payload) - seen_keys(kind) - OURS_ONLY == set(), kind
        checked.add(kind)
    assert checked >= {
        "event_callback",
        "message",
        "app_mention",
        "slash",
        "block_actions",
        "view_submission",
        "message_action",
    }
