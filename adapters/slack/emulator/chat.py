"""Owns the `chat.*` methods that post, change and remove whole messages."""

from typing import Any

from .blocks import check_blocks, is_too_long, normalised
from .mrkdwn import from_markdown
from .payloads import message_json
from .registry import Call, SlackError, method
from .unfurls import unfurl
from .workspace import Channel, Json, Message

TEXT_MAX = 40_000
"""Above it text is cut with the warning `message_truncated`. Source: Slack, chat.postMessage."""
UPDATE_TEXT_MAX = 4_000
"""Above it chat.update answers `msg_too_long`. Field observation."""
MARKDOWN_MAX = 12_000
"""Source: Slack, chat.postMessage, `markdown_text`."""
ATTACHMENTS_MAX = 100


@method("chat.postMessage", "chat:write", tier="post")
def post_message(call: Call) -> Json:
    """Post a message. Source: Slack, chat.postMessage."""
    channel = target(call)
    content = read_content(call, TEXT_MAX)
    thread_ts = check_thread(call, channel)
    message = Message(call.desk.world.ids.ts(), channel.id, call.me, thread_ts=thread_ts, **authorship(call), **content)
    message.broadcast = bool(thread_ts) and call.flag("reply_broadcast")
    unfurl(call, message)
    call.desk.timeline.add(message)
    shown = message_json(call.desk.world, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


@method("chat.update", "chat:write", tier="t3")
def update(call: Call) -> Json:
    """Change a message of the app's own. Source: Slack, chat.update."""
    channel = call.channel()
    message = own_message(call, channel, "cant_update_message")
    if message.is_streaming:
        raise SlackError("streaming_state_conflict")
    content = read_content(call, UPDATE_TEXT_MAX)
    for kept in _kept_on_update(call, message):
        content.pop(kept)
    call.desk.timeline.change(message, call.me, stream=None, **content)
    shown = message_json(call.desk.world, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def _kept_on_update(call: Call, message: Message) -> list[str]:
    """What stays as it was when the call does not name it: blocks too, unless Markdown or a stream had made them."""
    made = "markdown_text" in call.args or message.markdown is not None
    names = [name for name in ("metadata", "attachments") if name not in call.args]
    return names if made or "blocks" in call.args else [*names, "blocks"]


@method("chat.delete", "chat:write", tier="t3")
def delete(call: Call) -> Json:
    """Delete a message of the app's own. Source: Slack, chat.delete."""
    channel = call.channel()
    message = own_message(call, channel, "cant_delete_message")
    call.desk.timeline.remove(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.postEphemeral", "chat:write", tier="t4")
def post_ephemeral(call: Call) -> Json:
    """Post what one member alone sees; in a thread without replies nobody sees it. Source: Slack, chat.postEphemeral."""
    channel, user = target(call), call.text("user")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    content = read_content(call, TEXT_MAX)
    ts, thread_ts = call.desk.world.ids.ts(), call.text("thread_ts", required=False) or None
    message = Message(ts, channel.id, call.me, thread_ts=thread_ts, ephemeral_to=user, **authorship(call), **content)
    unfurl(call, message)
    if thread_ts is None or channel.replies(thread_ts):
        call.desk.timeline.hide(message)
    return {"message_ts": ts}


@method("chat.getPermalink", tier="none")
def get_permalink(call: Call) -> Json:
    """The address of a message. Source: Slack, chat.getPermalink."""
    channel = call.channel()
    message = call.message(channel, "message_ts")
    domain = call.team.domain
    link = f"https://{domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


# -- shared with streams, views and response_url


def target(call: Call) -> Channel:
    """Where a post goes: a channel the bot may write to, or a person's direct message (made when there is none)."""
    world, wanted = call.desk.world, call.text("channel", required=False)
    if wanted in world.users and world.users[wanted].team_id == call.team.id:
        return world.direct_channel(call.team, [wanted, call.me])
    channel = call.channel()
    if channel.is_archived:
        raise SlackError("is_archived")
    if call.me not in channel.members and "chat:write.public" not in call.bearer.scopes:
        raise SlackError("not_in_channel")
    return channel


def own_message(call: Call, channel: Channel, refusal: str) -> Message:
    """The message that `ts` names, when the app itself has written it. Raises SlackError."""
    message = call.message(channel)
    if message.user != call.me:
        raise SlackError(refusal)
    return message


def authorship(call: Call) -> Json:
    """What marks a message as the app's; another name needs a scope of its own."""
    team, username = call.team, call.text("username", required=False) or None
    if username and "chat:write.customize" not in call.bearer.scopes:
        raise SlackError("missing_scope", needed="chat:write.customize", provided=",".join(call.bearer.scopes))
    return {"bot_id": team.bot_id, "app_id": call.desk.world.app.app_id, "username": username}


def check_thread(call: Call, channel: Channel) -> str | None:
    """The root's timestamp, or None. A reply's timestamp is refused: Slack would make a thread that nobody sees."""
    thread_ts = call.text("thread_ts", required=False)
    if not thread_ts:
        return None
    if thread_ts not in channel.messages:
        raise SlackError("thread_not_found")
    if channel.root(thread_ts) is None:
        raise SlackError("cannot_reply_to_message")
    return thread_ts


def read_content(call: Call, text_max: int) -> Json:
    """Text, Markdown, blocks, attachments and metadata of a call, checked as Slack checks them. Raises SlackError."""
    text, markdown = call.text("text", required=False), call.args.get("markdown_text")
    blocks, attachments = read_blocks(call), call.structure("attachments") or []
    if markdown is not None:
        text = _from_markdown(str(markdown), has_more=bool(text or blocks))
    if not (text or blocks or attachments):
        raise SlackError("no_text")
    if len(attachments) > ATTACHMENTS_MAX:
        raise SlackError("too_many_attachments")
    content: Json = {"text": _cut(call, text, text_max), "markdown": markdown, "blocks": blocks}
    return content | {"attachments": attachments, "metadata": read_metadata(call)}


def _from_markdown(markdown: str, *, has_more: bool) -> str:
    if has_more:
        raise SlackError("markdown_text_conflict")
    if len(markdown) > MARKDOWN_MAX:
        raise SlackError("msg_too_long")
    return from_markdown(markdown)


def _cut(call: Call, text: str, text_max: int) -> str:
    if text_max == UPDATE_TEXT_MAX and len(text) > text_max and "markdown_text" not in call.args:
        raise SlackError("msg_too_long")
    if len(text) > TEXT_MAX:
        call.warn("message_truncated")
    return text[:TEXT_MAX]


def read_blocks(call: Call, name: str = "blocks") -> list[Json]:
    """The blocks of a call as Slack keeps them.

    Raises SlackError: `invalid_blocks_format`, `invalid_blocks` with the reasons, `msg_blocks_too_long`.
    """
    blocks: Any = call.structure(name, "invalid_blocks_format")
    if not blocks:
        return []
    if problems := check_blocks(blocks):
        raise SlackError(
            "invalid_blocks", messages=problems, errors=[each.removeprefix("[ERROR] ") for each in problems]
        )
    if is_too_long(blocks):
        raise SlackError("msg_blocks_too_long")
    return normalised(blocks, lambda: call.desk.world.ids.secret("", 5))


def read_metadata(call: Call) -> Json | None:
    """`metadata` with its two fields. Raises `invalid_metadata_format`, `invalid_metadata_schema`."""
    metadata = call.structure("metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_schema")
    return metadata
