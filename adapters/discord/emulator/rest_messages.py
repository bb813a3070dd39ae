"""Owns the REST calls on messages: create, edit, delete, list, reactions, typing, forwards, fresh file addresses."""

from __future__ import annotations

from urllib.parse import unquote

from . import drafts, messages, permissions, wire_messages, wire_people
from .errors import ApiError
from .messages import Draft
from .model import FORUM, Channel, Json, Message
from .rest import Api, Call, Routes, body_of

routes = Routes()
BULK_DAYS_S = 14 * 24 * 3600.0
MESSAGE = "/channels/{channel_id}/messages/{message_id}"
REACTION = MESSAGE + "/reactions/{emoji}"


def _place(api: Api, call: Call) -> Channel:
    return api.world.channel(call.number("channel_id"))


def _message(api: Api, call: Call) -> Message:
    return api.world.message(_place(api, call).id, call.number("message_id"))


def shown(api: Api, message: Message) -> Json:
    """A message as REST gives it to the bot: content only by the portal's switch or by right."""
    return wire_messages.message_json(api.world, message, sees_content=api.world.app.message_content)


def _bits(api: Api, channel: Channel) -> int:
    return permissions.in_channel(api.world, channel, api.world.app.bot_id)


def _require(api: Api, channel: Channel, bits: int) -> None:
    permissions.require(api.world, channel, api.world.app.bot_id, bits)


def require_parts(api: Api, channel: Channel, draft: Draft) -> None:
    """Raise unless the bot may send the files, embeds and voice of a draft there."""
    have = _bits(api, channel)
    if draft.flags & (1 << 13) and not have & permissions.SEND_VOICE_MESSAGES:
        raise ApiError(50173)
    if draft.attachments and not have & permissions.ATTACH_FILES:
        raise ApiError(50013)
    if draft.embeds and not have & permissions.EMBED_LINKS:
        raise ApiError(50013)


@routes.add("POST", "/channels/{channel_id}/messages")
def create(api: Api, call: Call) -> Json:
    """Create Message."""
    channel = _place(api, call)
    if not channel.takes_messages or channel.kind == FORUM:
        raise ApiError(50008)
    permissions.require_send(api.world, channel, api.world.app.bot_id)
    if channel.guild_id is None and not _accepts(api, channel):
        raise ApiError(50007)
    draft = drafts.read(api.world, call, drafts.place_of(api.world, channel))
    drafts.refer(api.world, draft, body_of(call), channel)
    drafts.require_content(draft)
    require_parts(api, channel, draft)
    return shown(api, messages.write(api.world, channel, api.world.app.bot_id, draft))


def _accepts(api: Api, channel: Channel) -> bool:
    """Whether everyone there takes the bot's direct messages: they must share a server with it, or have installed it."""
    people = [api.world.users[user] for user in channel.recipients if user != api.world.app.bot_id]
    return all(user.allows_dms and api.world.knows_app(user) for user in people)


@routes.add("PATCH", MESSAGE)
def edit(api: Api, call: Call) -> Json:
    """Edit Message: the bot's own whole, of others only the flag that hides embeds."""
    message = _message(api, call)
    channel = api.world.channels[message.channel_id]
    if message.author_id != api.world.app.bot_id:
        _only_flags(api, call, channel)
    if channel.archived:
        raise ApiError(50083)
    draft, changed = drafts.read_edit(api.world, call, message, drafts.place_of(api.world, channel))
    require_parts(api, channel, draft)
    return shown(api, messages.edit(api.world, message, draft, changed))


def _only_flags(api: Api, call: Call, channel: Channel) -> None:
    if set(body_of(call)) - {"flags"}:
        raise ApiError(50005)
    _require(api, channel, permissions.MANAGE_MESSAGES)


@routes.add("DELETE", MESSAGE)
def delete(api: Api, call: Call) -> None:
    """Delete Message."""
    message = _message(api, call)
    channel = api.world.channels[message.channel_id]
    if message.author_id != api.world.app.bot_id:
        _require(api, channel, permissions.MANAGE_MESSAGES)
    messages.delete(api.world, [message], channel)


@routes.add("POST", "/channels/{channel_id}/messages/bulk-delete")
def bulk_delete(api: Api, call: Call) -> None:
    """Bulk Delete Messages: 2 to 100, none older than two weeks."""
    channel = _place(api, call)
    if channel.guild_id is None:
        raise ApiError(50003)
    _require(api, channel, permissions.MANAGE_MESSAGES)
    ids = [int(one) for one in body_of(call).get("messages") or []]
    if not 2 <= len(ids) <= 100:
        raise ApiError(50016)
    found = [message for message in api.world.history(channel.id) if message.id in ids]
    if any(message.sent_at < api.world.clock.time() - BULK_DAYS_S for message in found):
        raise ApiError(50034)
    if found:
        messages.delete(api.world, found, channel)


@routes.add("GET", MESSAGE)
def get(api: Api, call: Call) -> Json:
    """Get Channel Message."""
    message = _message(api, call)
    channel = api.world.channels[message.channel_id]
    _require(api, channel, permissions.READ_MESSAGE_HISTORY | _to_connect(channel))
    return shown(api, message)


def _to_connect(channel: Channel) -> int:
    return permissions.CONNECT if channel.kind in permissions.VOICE_KINDS else 0


@routes.add("GET", "/channels/{channel_id}/messages")
def history(api: Api, call: Call) -> list[Json]:
    """Get Channel Messages: newest first; before, after and around exclude one another; without history rights none."""
    channel = _place(api, call)
    if not channel.takes_messages:
        raise ApiError(50008)
    _require(api, channel, _to_connect(channel))
    if not _bits(api, channel) & permissions.READ_MESSAGE_HISTORY:
        return []
    return [shown(api, message) for message in page(api.world.history(channel.id), call.query)]


def page(every: list[Message], query: dict[str, str]) -> list[Message]:
    """The wanted messages, newest first; limit 1 to 100, 50 by default."""
    limit = _limit(query)
    if "after" in query:
        newer = [message for message in every if message.id > int(query["after"])]
        return newer[:limit][::-1]
    if "around" in query:
        middle = int(query["around"])
        older = [m for m in every if m.id < middle][-(limit // 2) :] if limit > 1 else []
        newer = [m for m in every if m.id >= middle][: limit - limit // 2]
        return (older + newer)[::-1]
    older = [message for message in every if "before" not in query or message.id < int(query["before"])]
    return older[-limit:][::-1]


def _limit(query: dict[str, str]) -> int:
    limit = int(query.get("limit", "50"))
    if not 1 <= limit <= 100:
        message = "int value should be between 1 and 100."
        raise ApiError(50035, errors={"limit": {"_errors": [{"code": "NUMBER_TYPE_MAX", "message": message}]}})
    return limit


@routes.add("POST", "/channels/{channel_id}/typing")
def typing(api: Api, call: Call) -> None:
    """Trigger Typing Indicator."""
    channel = _place(api, call)
    permissions.require_send(api.world, channel, api.world.app.bot_id)
    messages.type_in(api.world, channel, api.world.app.bot_id)


@routes.add("PUT", REACTION + "/@me")
def react(api: Api, call: Call) -> None:
    """Create Reaction: a new emoji needs ADD_REACTIONS, at most 20 different ones."""
    message, emoji = _message(api, call), unquote(call.params["emoji"])
    channel = api.world.channels[message.channel_id]
    new = 0 if emoji in message.reactions else permissions.ADD_REACTIONS
    _require(api, channel, permissions.READ_MESSAGE_HISTORY | new)
    if emoji.isascii() and ":" not in emoji:
        raise ApiError(10014)
    messages.react(api.world, message, api.world.app.bot_id, emoji, add=True)


@routes.add("DELETE", REACTION + "/@me")
def unreact(api: Api, call: Call) -> None:
    """Delete Own Reaction."""
    messages.react(api.world, _message(api, call), api.world.app.bot_id, unquote(call.params["emoji"]), add=False)


@routes.add("DELETE", REACTION + "/{user_id}")
def unreact_other(api: Api, call: Call) -> None:
    """Delete User Reaction, with MANAGE_MESSAGES."""
    message = _message(api, call)
    _require(api, api.world.channels[message.channel_id], permissions.MANAGE_MESSAGES)
    messages.react(api.world, message, call.number("user_id"), unquote(call.params["emoji"]), add=False)


@routes.add("GET", REACTION)
def reactors(api: Api, call: Call) -> list[Json]:
    """Get Reactions: who set this emoji."""
    users = _message(api, call).reactions.get(unquote(call.params["emoji"]), [])
    return [wire_people.user_json(api.world.users[user]) for user in users]


@routes.add("POST", "/attachments/refresh-urls")
def refresh(api: Api, call: Call) -> Json:
    """Refresh Attachment URLs: 1 to 50 old addresses, each with its fresh one."""
    urls = body_of(call).get("attachment_urls") or []
    if not 1 <= len(urls) <= 50:
        message = "Must be between 1 and 50 in length."
        raise ApiError(
            50035, errors={"attachment_urls": {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": message}]}}
        )
    return {"refreshed_urls": [{"original": url, "refreshed": api.world.cdn.refresh(url)} for url in urls]}
