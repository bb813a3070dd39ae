"""Owns the proof that the emulator's Web API answers slack_sdk as Slack does: methods, limits, streams, files."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.models.messages.chunk import MarkdownTextChunk, PlanUpdateChunk, TaskUpdateChunk
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.emulator import AppConfig, Clock, Message, SlackEmulator
from tests.emulators import vendor

SAMPLES = "slack-json-samples/api"
SDK_WARNS = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
"""slack_sdk 3.47 still makes aiohttp's BasicAuth for oauth.v2.access."""
BUTTON = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}


@pytest.fixture
async def slack() -> AsyncIterator[SlackEmulator]:
    """A workspace with the app installed; nobody listens to its events."""
    async with SlackEmulator(AppConfig(bot_events=())) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """One HTTP session for all calls of a test."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def client(slack: SlackEmulator, session: aiohttp.ClientSession) -> AsyncWebClient:
    """The real client with the bot's token."""
    return client_for(slack, session)


def client_for(slack: SlackEmulator, session: aiohttp.ClientSession, token: str = "", **more: Any) -> AsyncWebClient:
    """The real client, pointed at an emulator."""
    return AsyncWebClient(token=token or slack.bot_token, base_url=slack.api_url, session=session, **more)


def general(slack: SlackEmulator) -> str:
    """The id of the channel that the bot is in."""
    return slack.channel("general").id


async def refusal(awaitable: Any) -> dict[str, Any]:
    """The answer of a call that is refused."""
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    answer: dict[str, Any] = caught.value.response.data
    return answer


# -- who may call


async def test_a_token_is_asked_for_and_known(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """Without a token, with a wrong one, and with one of the wrong kind, a call is refused by Slack's own codes."""
    channel = general(slack)
    async with session.post(f"{slack.api_url}auth.test") as answer:
        assert await answer.json() == {"ok": False, "error": "not_authed"}
    assert (await refusal(client_for(slack, session, "xoxb-no").auth_test()))["error"] == "invalid_auth"
    wrong = client_for(slack, session, slack.app_token).chat_postMessage(channel=channel, text="x")
    assert (await refusal(wrong))["error"] == "not_allowed_token_type"


async def test_a_missing_scope_is_named(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """A call that the app was not granted says what it needs and what it has."""
    token = slack.install(scopes=["chat:write"]).value
    answer = await refusal(client_for(slack, session, token).users_list())
    assert (answer["error"], answer["needed"], answer["provided"]) == ("missing_scope", "users:read", "chat:write")


async def test_an_unknown_method_is_no_method(client: AsyncWebClient) -> None:
    """A misspelt method is answered `unknown_method`."""
    assert (await refusal(client.api_call("chat.postMassage")))["error"] == "unknown_method"


async def test_broken_json_is_refused(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """A JSON body that does not parse is `invalid_json`; one without a charset is taken with a warning."""
    headers = {"Authorization": f"Bearer {slack.bot_token}", "Content-Type": "application/json"}
    async with session.post(f"{slack.api_url}auth.test", data="{", headers=headers) as answer:
        assert (await answer.json())["error"] == "invalid_json"
    async with session.post(f"{slack.api_url}auth.test", data="{}", headers=headers) as answer:
        assert (await answer.json())["warning"] == "missing_charset"


# -- posting and changing


async def test_a_post_is_kept_and_read_back(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """What is posted is in the channel, in the thread and in the history, with its metadata when asked for."""
    channel = general(slack)
    root = slack.post("ada", "general", "hello")
    metadata = {"event_type": "turn", "event_payload": {"id": "Ev1"}}
    posted = await client.chat_postMessage(channel=channel, thread_ts=root.ts, text="*hi*", metadata=metadata)
    assert [m.shown for m in slack.replies(root)] == ["*hi*"]
    bare = await client.conversations_replies(channel=channel, ts=root.ts)
    whole = await client.conversations_replies(channel=channel, ts=root.ts, include_all_metadata=True)
    assert [m["ts"] for m in whole["messages"]] == [root.ts, posted["ts"]]
    assert "metadata" not in bare["messages"][1]
    assert whole["messages"][1]["metadata"] == metadata
    assert whole["messages"][0]["reply_count"] == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "no_text"),
        ({"text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ({"markdown_text": "y" * 12_001}, "msg_too_long"),
        ({"text": "x", "channel": "C0NOWHERE"}, "channel_not_found"),
        ({"text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "x", "blocks": "nonsense"}, "invalid_blocks_format"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_schema"),
        ({"text": "x", "username": "me"}, None),
    ],
)
async def test_a_bad_post_is_refused(
    slack: SlackEmulator, client: AsyncWebClient, arguments: dict[str, Any], error: str | None
) -> None:
    """Each mistake has the error that Slack has for it, and leaves nothing behind."""
    call = client.api_call("chat.postMessage", json={"channel": general(slack), **arguments})
    if error is None:
        assert (await call)["ok"]
    else:
        assert (await refusal(call))["error"] == error
        assert slack.messages("general") == []


async def test_text_above_forty_thousand_is_cut_with_a_warning(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Slack cuts, and says so; it does not refuse."""
    answer = await client.chat_postMessage(channel=general(slack), text="x" * 40_001)
    assert len(slack.messages("general")[0].text) == 40_000
    assert answer["warning"] == "message_truncated"


async def test_a_reply_cannot_be_replied_to(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """A thread hangs on its root; the timestamp of a reply is refused."""
    root = slack.post("ada", "general", "root")
    reply = slack.post("ada", "general", "reply", thread_ts=root.ts)
    answer = await refusal(client.chat_postMessage(channel=general(slack), text="x", thread_ts=reply.ts))
    assert answer["error"] == "cannot_reply_to_message"


async def test_a_channel_must_be_joined(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """A public channel that the bot is not in is `not_in_channel`; a private one does not exist for it."""
    public, private = slack.channel("random"), slack.add_channel("secret", kind="private", bot=False)
    assert (await refusal(client.chat_postMessage(channel=public.id, text="x")))["error"] == "not_in_channel"
    assert (await refusal(client.chat_postMessage(channel=private.id, text="x")))["error"] == "channel_not_found"
    await client.conversations_join(channel=public.id)
    assert (await client.chat_postMessage(channel=public.id, text="x"))["ok"]


async def test_an_update_needs_an_own_message_and_has_a_limit(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """chat.update refuses others' messages and more than 4,000 characters of text, but takes 12,000 of Markdown."""
    channel = general(slack)
    theirs = slack.post("ada", "general", "mine")
    mine = (await client.chat_postMessage(channel=channel, text="…"))["ts"]
    assert (await refusal(client.chat_update(channel=channel, ts=theirs.ts, text="x")))[
        "error"
    ] == "cant_update_message"
    assert (await refusal(client.chat_update(channel=channel, ts=mine, text="x" * 4_001)))["error"] == "msg_too_long"
    await client.chat_update(channel=channel, ts=mine, markdown_text="**y**" * 2_000)
    assert slack.from_bot("general")[0].shown == "**y**" * 2_000


async def test_an_update_without_blocks_keeps_the_blocks(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Blocks stay until they are replaced or emptied: text alone changes only the notification."""
    channel, blocks = general(slack), [{"type": "section", "text": {"type": "mrkdwn", "text": "old"}}]
    ts = (await client.chat_postMessage(channel=channel, text="x", blocks=blocks))["ts"]
    await client.chat_update(channel=channel, ts=ts, text="new")
    assert slack.from_bot("general")[0].shown == "old"
    await client.chat_update(channel=channel, ts=ts, text="new", blocks=[])
    assert slack.from_bot("general")[0].shown == "new"


async def test_pings_are_seen_in_text_markdown_and_blocks(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """A test can ask whom a message would notify; escaped text notifies nobody."""
    channel = general(slack)
    await client.chat_postMessage(channel=channel, text="<!channel> hi")
    await client.chat_postMessage(channel=channel, markdown_text="hi <@U0123456789>")
    await client.chat_postMessage(channel=channel, text="&lt;!channel&gt; hi")
    assert [m.pings for m in slack.from_bot("general")] == [["<!channel>"], ["<@U0123456789>"], []]


async def test_an_ephemeral_message_in_a_thread_that_does_not_exist_is_seen_by_nobody(
    slack: SlackEmulator, client: AsyncWebClient
) -> None:
    """Slack answers ok and shows it only where the thread has replies."""
    ada, root = slack.user("ada"), slack.post("ada", "general", "q")
    said = {"channel": general(slack), "user": ada.id, "thread_ts": root.ts}
    assert (await client.chat_postEphemeral(text="lost", **said))["ok"]
    slack.post("grace", "general", "a", thread_ts=root.ts)
    await client.chat_postEphemeral(text="seen", **said)
    assert [m.text for m in slack.ephemerals("general", "ada")] == ["seen"]


async def test_an_ephemeral_message_is_seen_by_one(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """chat.postEphemeral shows only to its person, who has to be in the channel."""
    ada, stranger = slack.user("ada"), slack.add_user("eve")
    await client.chat_postEphemeral(channel=general(slack), user=ada.id, text="psst")
    assert [m.text for m in slack.ephemerals("general", "ada")] == ["psst"]
    assert slack.ephemerals("general", "grace") == slack.messages("general") == []
    answer = await refusal(client.chat_postEphemeral(channel=general(slack), user=stranger.id, text="x"))
    assert answer["error"] == "user_not_in_channel"


# -- blocks


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}, "must be less than 3001 characters"),
        ({"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}, "must be less than 151 characters"),
        (
            {"type": "actions", "elements": [{**BUTTON, "action_id": str(n)} for n in range(26)]},
            "no more than 25 items",
        ),
        ({"type": "actions", "elements": [BUTTON, BUTTON]}, "`action_id` already exists"),
        ({"type": "section"}, "failed to match all allowed schemas"),
        ({"type": "sparkle"}, "unsupported type: sparkle"),
        ({"type": "image", "image_url": "https://example.com/a.png"}, "missing required field: alt_text"),
        ({"type": "divider", "block_id": "x" * 256}, "must be less than 256 characters"),
        ({"type": "markdown", "text": "x" * 12_001}, "must be less than 12001 characters"),
        ({"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]] * 101}, "no more than 100 items"),
    ],
)
async def test_block_kit_limits_are_enforced(
    slack: SlackEmulator, client: AsyncWebClient, block: dict[str, Any], message: str
) -> None:
    """A block over a limit is `invalid_blocks`, with Slack's words for the reason."""
    answer = await refusal(client.chat_postMessage(channel=general(slack), text="x", blocks=[block]))
    assert answer["error"] == "invalid_blocks"
    assert message in answer["response_metadata"]["messages"][0]


async def test_all_text_of_blocks_has_a_limit_too(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Five full sections are more than a message holds: `msg_blocks_too_long`."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_900}}] * 5
    answer = await refusal(client.chat_postMessage(channel=general(slack), text="x", blocks=blocks))
    assert answer["error"] == "msg_blocks_too_long"


# -- streams


async def begin(slack: SlackEmulator, client: AsyncWebClient) -> tuple[Any, Message]:
    """The real client's stream in a thread of #general, and the thread's root."""
    root, ada = slack.post("ada", "general", "question"), slack.user("ada")
    place = {"recipient_team_id": slack.team.id, "recipient_user_id": ada.id}
    return await client.chat_stream(channel=general(slack), thread_ts=root.ts, buffer_size=1, **place), root


async def test_a_stream_grows_and_ends(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Text, tasks and plan arrive in order, and blocks stand under the finished message."""
    stream, root = await begin(slack, client)
    await stream.append(markdown_text="**Hello")
    message = slack.replies(root)[0]
    assert (message.shown, message.is_streaming) == ("**Hello", True)
    task = TaskUpdateChunk(id="1", title="Look", status="in_progress", details="a")
    await stream.append(chunks=[PlanUpdateChunk(title="Plan"), task])
    await stream.append(chunks=[TaskUpdateChunk(id="1", title="Look", status="complete", details="b")])
    await stream.stop(markdown_text=" world**", blocks=[{"type": "context_actions", "elements": [feedback()]}])
    assert (message.shown, message.is_streaming) == ("**Hello world**", False)
    kinds = [block["type"] for block in message.blocks]
    assert kinds == ["markdown", "task_card", "markdown", "context_actions"]
    assert message.blocks[1]["details"] == "ab"


def feedback() -> dict[str, Any]:
    """Thumbs up and down."""
    sides = {name: {"text": {"type": "plain_text", "text": name}, "value": name} for name in ("up", "down")}
    return {
        "type": "feedback_buttons",
        "action_id": "fb",
        "positive_button": sides["up"],
        "negative_button": sides["down"],
    }


async def test_a_stream_dies_after_five_minutes(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Append and stop are refused then, even if it grew all the time; chat.update still mends the message."""
    stream, root = await begin(slack, client)
    await stream.append(markdown_text="one")
    slack.clock.advance(200)
    await stream.append(markdown_text=" two")
    slack.clock.advance(101)
    for dead in (stream.append(markdown_text=" three"), stream.stop()):
        assert (await refusal(dead))["error"] == "message_not_in_streaming_state"
    await client.chat_update(channel=general(slack), ts=stream.ts, markdown_text="one two three")
    assert slack.replies(root)[0].shown == "one two three"


async def test_a_streamed_message_is_bounded(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """One append over 12,000 characters is refused, and so is the whole message above that; what stood stays."""
    stream, root = await begin(slack, client)
    assert (await refusal(stream.append(markdown_text="x" * 12_001)))["error"] == "msg_too_long"
    stream, root = await begin(slack, client)
    await stream.append(markdown_text="x" * 11_000)
    assert (await refusal(stream.append(markdown_text="y" * 1_001)))["error"] == "msg_too_long"
    assert slack.replies(root)[0].shown == "x" * 11_000


async def test_a_channel_stream_names_its_reader(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Recipient ids are demanded in channels, not in direct messages; a thread is demanded in both."""
    root, dm = slack.post("ada", "general", "q"), slack.dm("ada")
    direct = slack.post("ada", dm, "q")
    answer = await refusal(client.chat_startStream(channel=general(slack), thread_ts=root.ts))
    assert answer["error"] == "missing_recipient_team_id"
    assert (await client.chat_startStream(channel=dm.id, thread_ts=direct.ts))["ok"]
    assert (await refusal(client.api_call("chat.startStream", json={"channel": dm.id})))["error"] == "invalid_arguments"


async def test_a_live_stream_is_not_edited(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """chat.update of a message that still streams is `streaming_state_conflict`."""
    stream, _ = await begin(slack, client)
    await stream.append(chunks=[MarkdownTextChunk(text="x")])
    answer = await refusal(client.chat_update(channel=general(slack), ts=stream.ts, text="y"))
    assert answer["error"] == "streaming_state_conflict"


@pytest.mark.parametrize(
    "chunk",
    [{"type": "task_update", "id": "1", "title": "t", "status": "done"}, {"type": "song"}, {"type": "task_update"}],
)
async def test_bad_chunks_are_refused(slack: SlackEmulator, client: AsyncWebClient, chunk: dict[str, Any]) -> None:
    """A chunk of an unknown kind or state is `invalid_chunks`."""
    stream, _ = await begin(slack, client)
    assert (await refusal(stream.append(chunks=[chunk])))["error"] == "invalid_chunks"


# -- assistant and sessions


async def test_a_status_line_goes_by_itself(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """It goes with the next message, with an empty text, and after two minutes."""
    channel, root = general(slack), slack.post("ada", "general", "q")
    show: dict[str, Any] = {"channel_id": channel, "thread_ts": root.ts}
    await client.assistant_threads_setStatus(status="is thinking…", loading_messages=["Hm"], **show)
    assert slack.status("general", root.ts) == "is thinking…"
    await client.chat_postMessage(channel=channel, thread_ts=root.ts, text="answer")
    assert slack.status("general", root.ts) == ""
    await client.assistant_threads_setStatus(status="again", **show)
    slack.clock.advance(121)
    assert slack.status("general", root.ts) == ""


async def test_a_session_is_made_renamed_and_closed(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """A session has a status and a title; an unsubscribed stop event is warned about."""
    root = slack.post("ada", "general", "q")
    place = {"channel_id": general(slack), "thread_ts": root.ts}
    answer = await client.agents_sessions_setStatus(status="processing", title="Plans", **place)
    assert answer["warning"] == "missing_agent_session_stopped_event_subscription"
    await client.agents_sessions_rename(title="Better plans", **place)
    await client.agents_sessions_setStatus(status="active", **place)
    session = slack.session("general", root.ts)
    assert session and (session.status, session.title) == ("active", "Better plans")


async def test_prompts_are_pinned_to_the_direct_message(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Suggested prompts need no thread under agent_view, and at most four are taken."""
    dm, prompt = slack.dm("ada").id, {"title": "Plan", "message": "Plan my day"}
    await client.assistant_threads_setSuggestedPrompts(channel_id=dm, prompts=[prompt])
    assert slack.world.prompts[dm]["prompts"] == [prompt]
    answer = await refusal(client.assistant_threads_setSuggestedPrompts(channel_id=dm, prompts=[prompt] * 5))
    assert answer["error"] == "invalid_arguments"


# -- reading


async def test_history_is_paged_and_bounded(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Newest first, page by page; `oldest` and `latest` leave out their own message unless inclusive."""
    posts = [slack.post("ada", "general", str(number)) for number in range(5)]
    channel = general(slack)
    seen: list[str] = []
    async for page in await client.conversations_history(channel=channel, limit=2):
        seen += [message["text"] for message in page["messages"]]
    assert seen == ["4", "3", "2", "1", "0"]
    between = await client.conversations_history(channel=channel, oldest=posts[1].ts, latest=posts[3].ts)
    assert [m["text"] for m in between["messages"]] == ["2"]
    both = await client.conversations_history(channel=channel, oldest=posts[1].ts, latest=posts[3].ts, inclusive=True)
    assert [m["text"] for m in both["messages"]] == ["3", "2", "1"]


async def test_a_distributed_app_reads_little(session: aiohttp.ClientSession) -> None:
    """Outside the Marketplace it gets 15 messages a request and one request a minute."""
    async with SlackEmulator(AppConfig(bot_events=(), distributed=True), limits="strict") as slack:
        client, channel = client_for(slack, session), general(slack)
        for number in range(20):
            slack.post("ada", "general", str(number))
        assert len((await client.conversations_history(channel=channel, limit=100))["messages"]) == 15
        assert (await refusal(client.conversations_history(channel=channel)))["error"] == "ratelimited"
        slack.clock.advance(61)
        assert (await client.conversations_history(channel=channel))["ok"]


async def test_people_groups_and_channels_are_known(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Names of everything that text can mention are to be had."""
    ada, group = slack.user("ada"), slack.add_group("devs", ["ada"])
    assert (await client.users_info(user=ada.id))["user"]["profile"]["display_name"] == "ada"
    assert (await refusal(client.users_info(user="U0NOBODY")))["error"] == "user_not_found"
    assert (await client.usergroups_list(include_users=True))["usergroups"][0]["users"] == [ada.id]
    assert group.id.startswith("S")
    assert {c["name"] for c in (await client.conversations_list())["channels"]} == {"general", "random"}
    assert (await client.conversations_info(channel=general(slack)))["channel"]["is_member"]
    assert ada.id in (await client.conversations_members(channel=general(slack)))["members"]
    assert (await client.bots_info(bot=slack.team.bot_id))["bot"]["user_id"] == slack.bot.id
    assert (await client.team_info())["team"]["name"] == "Acme"
    opened = (await client.conversations_open(users=[ada.id]))["channel"]["id"]
    assert opened == slack.dm("ada").id


async def test_reactions_come_and_go(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """A reaction is given once and taken back once."""
    message, channel = slack.post("ada", "general", "hi"), general(slack)
    await client.reactions_add(channel=channel, timestamp=message.ts, name="eyes")
    again = client.reactions_add(channel=channel, timestamp=message.ts, name="eyes")
    assert (await refusal(again))["error"] == "already_reacted"
    assert message.reactions == {"eyes": [slack.bot.id]}
    await client.reactions_remove(channel=channel, timestamp=message.ts, name="eyes")
    gone = client.reactions_remove(channel=channel, timestamp=message.ts, name="eyes")
    assert (await refusal(gone))["error"] == "no_reaction"


# -- files


async def test_the_client_uploads_into_a_thread(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """files_upload_v2 works whole; the share follows its answer, and the bytes come back to a token."""
    root = slack.post("ada", "general", "draw")
    parts: list[dict[str, Any]] = [
        {"content": "one", "filename": "a.txt"},
        {"file": b"\x89PNG two", "filename": "b.png", "alt_txt": "a two"},
    ]
    place: dict[str, Any] = {"channel": general(slack), "thread_ts": root.ts}
    answer = await client.files_upload_v2(file_uploads=parts, initial_comment="here", **place)
    assert [file["name"] for file in answer["files"]] == ["a.txt", "b.png"]
    shared = (await slack.wait_for(lambda: slack.replies(root)))[0]
    assert (shared.subtype, shared.text, len(shared.files)) == ("file_share", "here", 2)
    info = (await client.files_info(file=shared.files[1]))["file"]
    assert (info["mimetype"], info["alt_txt"]) == ("image/png", "a two")
    assert info["shares"]["public"][general(slack)][0]["ts"] == shared.ts


async def test_an_upload_must_be_what_was_announced(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """Bytes of another length are refused, and a file that was never filled cannot be completed."""
    slot = await client.files_getUploadURLExternal(filename="a.txt", length=3)
    async with client.session.post(slot["upload_url"], data=b"four") as answer:  # type: ignore[union-attr]
        assert answer.status == 400
    unfilled = client.files_completeUploadExternal(files=[{"id": slot["file_id"], "title": "a"}])
    assert (await refusal(unfilled))["error"] == "file_not_found"


async def test_a_download_without_rights_is_a_login_page(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """No token or no scope: a redirect, then HTTP 200 with HTML, exactly the trap that Slack sets."""
    clip = slack.upload_clip("ada", "general", b"sound", mimetype="")
    url = slack.as_json(clip)["files"][0]["url_private_download"]
    narrow = slack.install(scopes=["chat:write"]).value
    for headers in ({}, {"Authorization": f"Bearer {narrow}"}):
        async with session.get(url, headers=headers) as answer:
            page = await answer.text()
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert page.lower().startswith("<!doctype html")
    granted = slack.install().value
    async with session.get(url, headers={"Authorization": f"Bearer {granted}"}) as answer:
        assert await answer.read() == b"sound"


async def test_transfers_can_fail_and_be_diverted(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """A download breaks as ordered, or leads elsewhere, where a client must not take its token."""
    url = slack.as_json(slack.upload_clip("ada", "general", b"sound"))["files"][0]["url_private"]
    headers = {"Authorization": f"Bearer {slack.bot_token}"}
    slack.fail("download", status=503)
    async with session.get(url, headers=headers) as answer:
        assert answer.status == 503
    slack.divert_downloads("http://127.0.0.1:9/elsewhere")
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")


async def test_names_are_looked_up_in_the_channels_workspace(slack: SlackEmulator) -> None:
    """With two workspaces, "ada" in a channel is the Ada of that channel's workspace."""
    second = slack.add_team("Second")
    posted = slack.post("ada", slack.channel("general", second), "hi")
    assert slack.user(posted.user).team_id == second.id
    assert slack.from_bot(slack.channel("general", second)) == []


async def test_a_clip_looks_as_slack_sends_it(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """`file_share`, no text, the clip's subtype, whatever MIME type, and only a cut transcript."""
    message = slack.upload_clip("ada", "general", b"x", mimetype="video/mp4", transcript="a" * 150)
    shown = slack.as_json(message)
    file = shown["files"][0]
    assert (shown["subtype"], shown["text"], file["subtype"]) == ("file_share", "", "slack_audio")
    assert (file["mimetype"], file["media_display_type"], file["duration_ms"]) == ("video/mp4", "audio", 3000)
    assert file["transcription"]["preview"]["has_more"] is True


async def test_a_connected_channels_file_must_be_looked_up(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """In a Slack Connect channel a message has only the file's id; files.info has the rest."""
    partner = slack.add_team("Partner", people=("eve",), channels=(), installed=False)
    slack.share_channel("general", partner, ["eve"])
    file = slack.file("eve", "plan.pdf", b"%PDF", access="check_file_info")
    message = slack.post("eve", "general", "see", files=[file])
    shown = slack.as_json(message)
    assert shown["files"] == [{"id": file.id, "mode": "file_access", "file_access": "check_file_info"}]
    assert (shown["user_team"], shown["team"]) == (partner.id, partner.id)
    assert (await client.files_info(file=file.id))["file"]["name"] == "plan.pdf"
    assert (await client.users_info(user=slack.user("eve").id))["user"]["is_stranger"]


# -- limits and faults


async def test_posting_has_a_burst_and_then_a_pace(session: aiohttp.ClientSession) -> None:
    """Beyond the burst a channel takes one message a second; 429 says when, and the real retry handler obeys it."""
    async with SlackEmulator(AppConfig(bot_events=()), limits="strict") as slack:
        client, channel = client_for(slack, session), general(slack)
        for _ in range(4):
            await client.chat_postMessage(channel=channel, text="x")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel=channel, text="x")
        assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "1")
        patient = client_for(slack, session, retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=2)])
        assert (await patient.chat_postMessage(channel=channel, text="y"))["ok"]


async def test_each_method_has_its_tier(session: aiohttp.ClientSession) -> None:
    """Tier 2 gives twenty calls a minute and says how long to wait for the next."""
    async with SlackEmulator(AppConfig(bot_events=()), clock=Clock(flowing=False), limits="strict") as slack:
        client = client_for(slack, session)
        for _ in range(20):
            await client.users_list()
        with pytest.raises(SlackApiError) as caught:
            await client.users_list()
        assert caught.value.response.headers["Retry-After"] == "60"
        slack.clock.advance(60)
        assert (await client.users_list())["ok"]


async def test_ordered_trouble_happens(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """The next calls fail as ordered: by code, by status, and as many times as said."""
    slack.fail("chat.postMessage", error="internal_error", times=2)
    channel = general(slack)
    for _ in range(2):
        assert (await refusal(client.chat_postMessage(channel=channel, text="x")))["error"] == "internal_error"
    slack.fail("*", status=429, retry_after_s=7)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.headers["Retry-After"] == "7"
    assert (await client.chat_postMessage(channel=channel, text="x"))["ok"]
    assert [c.error for c in slack.calls_to("chat.postMessage")] == ["internal_error", "internal_error", None]


async def test_a_post_can_be_applied_and_its_answer_lost(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """The message stands though its poster never learns so, as when a process dies in between."""
    slack.fail("chat.postMessage", drop=True, applied=True)
    lonely = client_for(slack, session, retry_handlers=[])
    with pytest.raises(aiohttp.ClientError):
        await lonely.chat_postMessage(channel=general(slack), text="once")
    assert [m.text for m in slack.from_bot("general")] == ["once"]


# -- installing


@SDK_WARNS
async def test_a_code_is_exchanged_once(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """oauth.v2.access gives a token for a fresh code and nothing for a used or a stale one."""
    acme2, app = slack.add_team("Umbrella", installed=False), slack.app
    anyone = AsyncWebClient(base_url=slack.api_url, session=session)
    keys = {"client_id": app.client_id, "client_secret": app.client_secret}
    code = slack.new_code(acme2, redirect_uri="http://localhost/back")
    answer = await anyone.oauth_v2_access(code=code, redirect_uri="http://localhost/back", **keys)
    assert (answer["team"]["id"], answer["token_type"]) == (acme2.id, "bot")
    assert (await client_for(slack, session, answer["access_token"]).auth_test())["team_id"] == acme2.id
    assert (await refusal(anyone.oauth_v2_access(code=code, **keys)))["error"] == "invalid_code"
    stale = slack.new_code(acme2, redirect_uri="http://localhost/back")
    slack.clock.advance(601)
    assert (await refusal(anyone.oauth_v2_access(code=stale, **keys)))["error"] == "code_expired"
    wrong = anyone.oauth_v2_access(code="x", client_id=app.client_id, client_secret="no")
    assert (await refusal(wrong))["error"] == "bad_client_secret"


@SDK_WARNS
async def test_rotated_tokens_expire_and_are_refreshed(session: aiohttp.ClientSession) -> None:
    """With rotation a token lives twelve hours, and the real rotator renews it."""
    async with SlackEmulator(AppConfig(bot_events=(), token_rotation=True)) as slack:
        app, old = slack.app, slack.world.tokens[slack.bot_token]
        anyone = AsyncWebClient(base_url=slack.api_url, session=session)
        rotator = AsyncTokenRotator(client_id=app.client_id, client_secret=app.client_secret, client=anyone)
        held = Installation(
            user_id=slack.user("ada").id, team_id=slack.team.id, bot_token=old.value,
            bot_refresh_token=old.refresh_token, bot_token_expires_at=0,
        )  # fmt: skip
        slack.clock.advance(43_201)
        assert (await refusal(client_for(slack, session, old.value).auth_test()))["error"] == "token_expired"
        renewed = await rotator.perform_token_rotation(installation=held)
        assert renewed and renewed.bot_token
        assert (await client_for(slack, session, renewed.bot_token).auth_test())["ok"]


async def test_an_organisations_token_needs_to_know_the_workspace(session: aiohttp.ClientSession) -> None:
    """An org-wide install works in all its workspaces: by channel, or by team_id."""
    async with SlackEmulator(AppConfig(bot_events=()), enterprise="Acme Corp", installed=False) as slack:
        second = slack.add_team("Second", installed=False)
        client = client_for(slack, session, slack.install(wide=True).value)
        assert (await client.auth_test())["is_enterprise_install"] is True
        slack.invite_bot(slack.channel("general", second))
        answer = await client.chat_postMessage(channel=slack.channel("general", second).id, text="hi")
        assert answer["message"]["team"] == second.id
        assert len((await client.users_list(team_id=second.id))["members"]) == 3
        assert (await refusal(client.users_list()))["error"] == "missing_argument"


async def test_a_person_agrees_on_a_page(slack: SlackEmulator, session: aiohttp.ClientSession) -> None:
    """The consent page leads back with a code and the state, or with access_denied."""
    query = {"client_id": slack.app.client_id, "scope": "chat:write", "state": "s1"}
    query["redirect_uri"] = "http://localhost:1/slack/oauth_redirect"
    async with session.get(f"{slack.url}/oauth/v2/authorize", params=query) as page:
        assert "requesting permission" in await page.text()
    for choice, expected in (("allow", "code=code."), ("deny", "error=access_denied")):
        form = {**query, "answer": choice, "team": slack.team.id}
        async with session.post(f"{slack.url}/oauth/v2/authorize", data=form, allow_redirects=False) as back:
            assert back.status == 302
            assert "state=s1" in back.headers["Location"] and expected in back.headers["Location"]


async def test_another_person_s_conversations_are_those_that_the_bot_sees(
    slack: SlackEmulator, client: AsyncWebClient
) -> None:
    """Public channels of theirs, and private ones where the bot is in as well; each kind by a scope of its own."""
    ada = slack.user("ada").id
    slack.add_channel("with-bot", ["ada"], "private")
    slack.add_channel("without", ["ada"], "private", bot=False)
    slack.add_channel("not-hers", ["grace"], "private")
    kinds = "public_channel,private_channel,mpim"
    listed = await client.users_conversations(user=ada, types=kinds)
    assert {one["name"] for one in listed["channels"]} == {"general", "random", "with-bot"}
    assert {one["name"] for one in (await client.users_conversations(user=ada))["channels"]} == {"general", "random"}
    assert (await refusal(client.users_conversations(user="U0NOBODY")))["error"] == "user_not_found"
    slack.install(scopes=["channels:read"])
    narrow = AsyncWebClient(slack.bot_token, base_url=slack.api_url)
    assert (await refusal(narrow.users_conversations(user=ada, types=kinds)))["needed"] == "groups:read"


async def test_the_app_hears_of_rights_if_it_has_subscribed(slack: SlackEmulator) -> None:
    """Members, channels and people, each as its event; what the app did not subscribe to, or may not read, is not sent."""
    slack.configure(bot_events=AppConfig().bot_events)
    slack.add_channel("closed", ["ada"], "private")
    slack.join("grace", "closed")
    slack.leave("grace", "closed")
    slack.change_user("grace", is_admin=True)
    slack.rename("random", "noise")
    slack.archive("noise")
    slack.kick_bot("closed")
    slack.kick_bot("general")
    slack.leave("grace", "general")  # of which the bot hears nothing any more
    kinds = [one.event_type for one in slack.deliveries if one.event_type != "message"]
    assert kinds == [
        "member_joined_channel",
        "member_left_channel",
        "user_change",
        "channel_rename",
        "channel_archive",
        "group_left",
        "channel_left",
    ]
    slack.configure(bot_events=("message.channels",))
    slack.change_user("grace", is_admin=False)
    assert len([one for one in slack.deliveries if one.event_type != "message"]) == len(kinds)


async def test_a_revoked_token_is_dead(slack: SlackEmulator, client: AsyncWebClient) -> None:
    """After auth.revoke the token is refused."""
    assert (await client.auth_revoke())["revoked"] is True
    assert (await refusal(client.auth_test()))["error"] == "account_inactive"


# -- shapes

SHAPED = [
    "auth.test",
    "bots.info",
    "chat.getPermalink",
    "chat.postEphemeral",
    "chat.startStream",
    "conversations.info",
    "conversations.list",
    "conversations.members",
    "files.getUploadURLExternal",
    "team.info",
    "users.conversations",
    "users.info",
    "users.list",
]
ALLOWED_EXTRA = {"response_metadata", "text", "channels", "comments", "cache_ts", "agent_status", "message"}


@vendor.needs(SAMPLES)
@pytest.mark.parametrize("name", SHAPED)
async def test_answers_have_no_key_that_slack_has_not(slack: SlackEmulator, client: AsyncWebClient, name: str) -> None:
    """Every key of an answer is among those that the real API was seen to send."""
    root = slack.post("ada", "general", "q")
    ada = slack.user("ada").id
    arguments: dict[str, Any] = {"user": ada, "channel": general(slack), "thread_ts": root.ts}
    arguments |= {"recipient_user_id": ada, "recipient_team_id": slack.team.id, "text": "x", "message_ts": root.ts}
    arguments |= {"bot": slack.team.bot_id, "filename": "a", "length": 1}
    answer = await client.api_call(name, json=arguments)
    sample = json.loads((vendor.SPECS / SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    assert unknown_keys(answer.data, sample) == []


def unknown_keys(value: Any, sample: Any, at: str = "") -> list[str]:
    """The paths in `value` that `sample` has no key for."""
    if isinstance(value, list) and isinstance(sample, list) and sample:
        return [path for item in value for path in unknown_keys(item, sample[0], at)]
    if not isinstance(value, dict) or not isinstance(sample, dict):
        return []
    extra = [f"{at}/{key}" for key in value if key not in sample and key not in ALLOWED_EXTRA]
    return extra + [
        path for key in value if key in sample for path in unknown_keys(value[key], sample[key], f"{at}/{key}")
    ]
