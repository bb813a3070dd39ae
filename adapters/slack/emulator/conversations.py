"""Owns the `conversations.*` methods and the `reactions.*` methods: what an app may read of a workspace's talk."""

import base64
import re
from collections.abc import Sequence
from typing import TypeVar

from .payloads import channel_json, message_json, reactions_json
from .registry import Call, SlackError, method
from .workspace import Channel, Json, Message

HISTORY_SCOPES = ("channels:history", "groups:history", "im:history", "mpim:history")
READ_SCOPES = ("channels:read", "groups:read", "im:read", "mpim:read")
DISTRIBUTED_MAX = 15
"""Messages a request for distributed apps outside the Marketplace. Source: Slack, Rate limits, 2025-05-29."""
T = TypeVar("T")


@method("conversations.info", *READ_SCOPES)
def info(call: Call) -> Json:
    """One conversation. Source: Slack, conversations.info."""
    channel = call.channel()
    _need_scope(call, channel, "read")
    shown = channel_json(call.desk.world, channel, call.me)
    if channel.kind != "im":
        shown["is_member"] = call.me in channel.members
    if call.flag("include_num_members"):
        shown["num_members"] = len(channel.members)
    return {"channel": shown}


@method("conversations.list", *READ_SCOPES, tier="t2")
def list_all(call: Call) -> Json:
    """The conversations that the token may see. Source: Slack, conversations.list."""
    return _listing(call, "")


@method("users.conversations", *READ_SCOPES)
def list_mine(call: Call) -> Json:
    """The conversations that the bot is in, or that somebody else is in. Source: Slack, users.conversations.

    Of somebody else's, those that are not public only where the bot is in as well.
    """
    named = call.text("user", required=False) or call.me
    if named not in call.desk.world.users:
        raise SlackError("user_not_found")
    for kind in _kinds(call):
        _need_scope_of(call, kind, "read")
    return _listing(call, named)


def _kinds(call: Call) -> list[str]:
    return (call.text("types", required=False) or "public_channel").replace("_channel", "").split(",")


def _listing(call: Call, member: str) -> Json:
    """member: whose conversations; empty for all that the token may see."""
    kinds, team, me, world = _kinds(call), call.team, call.me, call.desk.world
    found = [
        channel
        for channel in world.channels.values()
        if team.id in (channel.team_id, *channel.connected_team_ids)
        and channel.kind in kinds
        and (me in channel.members or channel.kind == "public")
        and (not member or member in channel.members)
        and not (call.flag("exclude_archived") and channel.is_archived)
    ]
    page, cursor = paged(call, found)
    shown = [channel_json(world, channel, me) for channel in page]
    if not member:
        shown = [each | {"is_member": me in room.members} for each, room in zip(shown, page, strict=True)]
    return {"channels": shown, **_next(cursor)}


@method("conversations.members", *READ_SCOPES, tier="t4")
def members(call: Call) -> Json:
    """Who is in a conversation. Source: Slack, conversations.members."""
    page, cursor = paged(call, call.channel().members)
    return {"members": list(page), **_next(cursor)}


@method("conversations.open", "im:write", "mpim:write", "channels:manage", "groups:write")
def open_direct(call: Call) -> Json:
    """Open a direct or group message. Source: Slack, conversations.open."""
    world, team, me = call.desk.world, call.team, call.me
    people = [name for name in call.text("users", required=False).split(",") if name]
    if not people:
        channel = call.channel()
    elif any(name not in world.users for name in people):
        raise SlackError("user_not_found")
    else:
        channel = world.direct_channel(team, [me, *people])
    if call.flag("return_im"):
        return {"channel": channel_json(world, channel, me)}
    return {"channel": {"id": channel.id}}


@method("conversations.join", "channels:join")
def join(call: Call) -> Json:
    """Join a public channel. Source: Slack, conversations.join."""
    channel, me = call.channel(), call.me
    if channel.kind != "public":
        raise SlackError("method_not_supported_for_channel_type")
    if me not in channel.members:
        enter(call, channel, me)
    return {"channel": channel_json(call.desk.world, channel, me)}


def enter(call: Call, channel: Channel, user: str) -> None:
    """Make someone a member and tell the app."""
    channel.members.append(user)
    event = {"type": "member_joined_channel", "user": user, "channel": channel.id, "team": channel.team_id}
    call.desk.events.in_channel(channel, event | {"channel_type": channel.id[0]})
    call.desk.world.changed("channel", id=channel.id)


@method("conversations.leave", "channels:manage", "groups:write", "channels:write")
def leave(call: Call) -> Json:
    """Leave a channel. Source: Slack, conversations.leave."""
    channel, me = call.channel(), call.me
    if me not in channel.members:
        return {"not_in_channel": True}
    channel.members.remove(me)
    call.desk.world.changed("channel", id=channel.id)
    return {}


# -- reading


@method("conversations.history", *HISTORY_SCOPES)
def history(call: Call) -> Json:
    """A channel's messages outside threads, newest first. Source: Slack, conversations.history."""
    channel = _readable(call)
    main = [m for m in channel.in_order() if m.thread_ts in (None, m.ts) or m.broadcast]
    chosen = _between(call, main)[::-1]
    page, cursor = paged(call, chosen, _cap(call))
    return {**_messages(call, page), "has_more": bool(cursor), "pin_count": 0, **_next(cursor)}


@method("conversations.replies", *HISTORY_SCOPES)
def replies(call: Call) -> Json:
    """A thread, its root first, oldest first. Source: Slack, conversations.replies."""
    channel = _readable(call)
    ts = call.text("ts")
    found = channel.messages.get(ts)
    if found is None:
        raise SlackError("thread_not_found")
    root = channel.messages.get(found.thread_ts or ts, found)
    rest = _between(call, channel.replies(root.ts))
    page, cursor = paged(call, rest, _cap(call), spent=1)
    return {**_messages(call, [root, *page]), "has_more": bool(cursor), **_next(cursor)}


def _readable(call: Call) -> Channel:
    channel = call.channel()
    _need_scope(call, channel, "history")
    if call.me not in channel.members and channel.kind != "public":
        raise SlackError("channel_not_found")
    if call.me not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _need_scope(call: Call, channel: Channel, right: str) -> None:
    _need_scope_of(call, channel.kind, right)


def _need_scope_of(call: Call, kind: str, right: str) -> None:
    needed = f"{ {'public': 'channels', 'private': 'groups'}.get(kind, kind) }:{right}"
    if needed not in call.bearer.scopes:
        raise SlackError("missing_scope", needed=needed, provided=",".join(call.bearer.scopes))


def _between(call: Call, messages: Sequence[Message]) -> list[Message]:
    oldest, latest = call.text("oldest", required=False) or "0", call.text("latest", required=False) or "9" * 10
    low, high, inclusive = _time(oldest), _time(latest), call.flag("inclusive")
    at = {message.ts: _time(message.ts) for message in messages}
    if inclusive:
        return [m for m in messages if low <= at[m.ts] <= high]
    return [m for m in messages if low < at[m.ts] < high]


def _time(ts: str) -> int:
    """A timestamp in whole microseconds. Raises `invalid_ts_oldest`."""
    seconds, _, micros = ts.partition(".")
    try:
        return int(seconds or 0) * 1_000_000 + int(micros.ljust(6, "0")[:6])
    except ValueError as error:
        raise SlackError("invalid_ts_oldest") from error


def _cap(call: Call) -> int:
    return DISTRIBUTED_MAX if call.desk.world.app.distributed else 999


def _messages(call: Call, messages: Sequence[Message]) -> Json:
    whole = call.flag("include_all_metadata")
    return {"messages": [message_json(call.desk.world, message, metadata=whole) for message in messages]}


def paged(call: Call, items: Sequence[T], cap: int = 1000, *, spent: int = 0) -> tuple[Sequence[T], str]:
    """The page that `cursor` and `limit` ask for, and the cursor of the next; "" when there is none.

    cap: the most that Slack gives. spent: how many of the limit something else, such as a thread's root, has used.
    """
    start, limit = _offset(call), min(call.number("limit", 100), cap)
    if limit < 1:
        raise SlackError("invalid_limit")
    limit = max(1, limit - spent)
    more = start + limit < len(items)
    following = base64.b64encode(f"next:{start + limit}".encode()).decode() if more else ""
    return items[start : start + limit], following


def _offset(call: Call) -> int:
    cursor = call.text("cursor", required=False)
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("next:")) if cursor else 0
    except ValueError as error:
        raise SlackError("invalid_cursor") from error


def _next(cursor: str) -> Json:
    return {"response_metadata": {"next_cursor": cursor}}


# -- reactions


@method("reactions.add", "reactions:write")
def add_reaction(call: Call) -> Json:
    """Add an emoji. Source: Slack, reactions.add."""
    message, name = _reaction(call)
    if call.me in message.reactions.get(name, []):
        raise SlackError("already_reacted")
    call.desk.timeline.react(message, name, call.me, added=True)
    return {}


@method("reactions.remove", "reactions:write", tier="t2")
def remove_reaction(call: Call) -> Json:
    """Take an emoji back. Source: Slack, reactions.remove."""
    message, name = _reaction(call)
    if call.me not in message.reactions.get(name, []):
        raise SlackError("no_reaction")
    call.desk.timeline.react(message, name, call.me, added=False)
    return {}


@method("reactions.get", "reactions:read")
def get_reactions(call: Call) -> Json:
    """The reactions of a message. Source: Slack, reactions.get."""
    channel = call.channel()
    message = call.message(channel, "timestamp")
    shown = message_json(call.desk.world, message) | {"reactions": reactions_json(message)}
    return {"type": "message", "channel": channel.id, "message": shown}


def _reaction(call: Call) -> tuple[Message, str]:
    channel, name = call.channel(), call.text("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+'-]+", name):
        raise SlackError("invalid_name")
    return call.message(channel, "timestamp"), name
