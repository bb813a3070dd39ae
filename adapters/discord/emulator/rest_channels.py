"""Owns the REST calls on channels, threads and forum posts."""

from __future__ import annotations

from . import drafts, messages, model, permissions, threads, wire_places
from .errors import ApiError, Form
from .limits import choice, items, number, text
from .model import Channel, Json
from .rest import Api, Call, Routes, body_of
from .rest_messages import shown

routes = Routes()
ARCHIVE_MINUTES = (60, 1440, 4320, 10080)


def _channel(api: Api, call: Call) -> Channel:
    return api.world.channel(call.number("channel_id"))


def _require(api: Api, channel: Channel, bits: int) -> None:
    permissions.require(api.world, channel, api.world.app.bot_id, bits)


@routes.add("GET", "/channels/{channel_id}")
def get(api: Api, call: Call) -> Json:
    """Get Channel, also an archived thread."""
    return wire_places.channel_json(api.world, _channel(api, call))


@routes.add("PATCH", "/channels/{channel_id}")
def edit(api: Api, call: Call) -> Json:
    """Modify Channel: a name, a topic; a thread's archive, lock and tags."""
    channel, body = _channel(api, call), body_of(call)
    form = Form()
    text(form, body, "name", (), 100, low=1)
    text(form, body, "topic", (), 1024)
    items(form, body, "applied_tags", (), 5)
    choice(form, body, "auto_archive_duration", (), ARCHIVE_MINUTES)
    form.finish()
    if not channel.is_thread:
        _require(api, channel, permissions.MANAGE_CHANNELS)
        channel.name, channel.topic = body.get("name") or channel.name, body.get("topic", channel.topic)
        api.world.tell_channel("CHANNEL_UPDATE", channel)
        return wire_places.channel_json(api.world, channel)
    _require_thread_edit(api, channel, body)
    threads.change(api.world, channel, body)
    return wire_places.channel_json(api.world, channel)


def _require_thread_edit(api: Api, channel: Channel, body: Json) -> None:
    """The thread's owner may rename, archive and tag, who may write may open it again; everything else needs MANAGE_THREADS.

    Source: Discord, Modify Channel.
    """
    bot = api.world.app.bot_id
    held = permissions.in_channel(api.world, channel, bot)
    manages = held & permissions.MANAGE_THREADS
    opens = body == {"archived": False} and not channel.locked and held & permissions.SEND_MESSAGES
    if not manages and not opens and (channel.owner_id != bot or "locked" in body or channel.locked):
        raise ApiError(50013)
    if channel.archived and body.get("archived") is not False:
        raise ApiError(50083)


@routes.add("DELETE", "/channels/{channel_id}")
def delete(api: Api, call: Call) -> Json:
    """Delete Channel, or thread."""
    channel = _channel(api, call)
    if channel.guild_id is None:
        return wire_places.channel_json(api.world, channel)
    _require(api, channel, permissions.MANAGE_THREADS if channel.is_thread else permissions.MANAGE_CHANNELS)
    body = wire_places.channel_json(api.world, channel)
    threads.remove(api.world, channel)
    return body


def _check_thread(body: Json) -> None:
    form = Form()
    text(form, body, "name", (), 100, low=1, required=True)
    choice(form, body, "auto_archive_duration", (), ARCHIVE_MINUTES)
    number(form, body, "rate_limit_per_user", (), 0, 21_600)
    items(form, body, "applied_tags", (), 5)
    form.finish()


@routes.add("POST", "/channels/{channel_id}/messages/{message_id}/threads")
def start_from_message(api: Api, call: Call) -> Json:
    """Start Thread from Message: the thread has the message's id, so there is at most one."""
    channel, body = _channel(api, call), body_of(call)
    message = api.world.message(channel.id, call.number("message_id"))
    _check_thread(body)
    _require(api, channel, permissions.CREATE_PUBLIC_THREADS | permissions.READ_MESSAGE_HISTORY)
    if channel.is_thread or channel.guild_id is None:
        raise ApiError(50024)
    thread = threads.from_message(api.world, message, api.world.app.bot_id, body)
    return _created(wire_places.channel_json(api.world, thread))


def _created(body: Json) -> Json:
    from .rest_app import Created

    return Created(body)


@routes.add("POST", "/channels/{channel_id}/threads")
def start(api: Api, call: Call) -> Json:
    """Start Thread without Message, or a forum's post with its first message."""
    channel, body = _channel(api, call), body_of(call)
    _check_thread(body)
    if channel.kind == model.FORUM:
        return _start_post(api, call, channel, body)
    if channel.kind not in (model.TEXT, model.NEWS):
        raise ApiError(50024)
    kind = int(body.get("type") or model.PRIVATE_THREAD)
    private = kind == model.PRIVATE_THREAD
    _require(api, channel, permissions.CREATE_PRIVATE_THREADS if private else permissions.CREATE_PUBLIC_THREADS)
    thread = threads.new(api.world, channel, api.world.app.bot_id, body, kind)
    if not private:
        threads.announce(api.world, channel, thread, api.world.app.bot_id)
    return _created(wire_places.channel_json(api.world, thread))


def _start_post(api: Api, call: Call, forum: Channel, body: Json) -> Json:
    _require(api, forum, permissions.SEND_MESSAGES)
    if not isinstance(body.get("message"), dict):
        errors = {"message": {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "This field is required"}]}}
        raise ApiError(50035, errors=errors)
    place = drafts.place_of(api.world, forum, path=("message",))
    draft = drafts.read(api.world, call, place, body["message"])
    drafts.require_content(draft)
    thread = threads.new_post(api.world, forum, api.world.app.bot_id, body)
    for file in draft.attachments:
        file.channel_id = thread.id
    draft.forced_id = thread.id
    first = messages.write(api.world, thread, api.world.app.bot_id, draft)
    return _created(wire_places.channel_json(api.world, thread) | {"message": shown(api, first)})


@routes.add("PUT", "/channels/{channel_id}/thread-members/@me")
def join(api: Api, call: Call) -> None:
    """Join Thread."""
    thread = _thread(api, call)
    if thread.archived:
        raise ApiError(50083)
    if api.world.app.bot_id not in thread.thread_members:
        messages.join_thread(api.world, thread, api.world.app.bot_id)


@routes.add("PUT", "/channels/{channel_id}/thread-members/{user_id}")
def add_member(api: Api, call: Call) -> None:
    """Add Thread Member."""
    thread = _thread(api, call)
    if thread.archived:
        raise ApiError(50083)
    permissions.require_send(api.world, thread, api.world.app.bot_id)
    if call.number("user_id") not in api.world.guilds[thread.guild_id or 0].members:
        raise ApiError(10007)
    messages.join_thread(api.world, thread, call.number("user_id"))


@routes.add("DELETE", "/channels/{channel_id}/thread-members/@me")
def leave(api: Api, call: Call) -> None:
    """Leave Thread."""
    _thread(api, call).thread_members.pop(api.world.app.bot_id, None)


@routes.add("GET", "/channels/{channel_id}/thread-members")
def thread_members(api: Api, call: Call) -> list[Json]:
    """List Thread Members: needs the members intent in the portal."""
    thread = _thread(api, call)
    if not api.world.app.guild_members:
        raise ApiError(50001)
    return [wire_places.thread_member_json(thread, user) for user in thread.thread_members]


@routes.add("GET", "/channels/{channel_id}/thread-members/{user_id}")
def thread_member(api: Api, call: Call) -> Json:
    """Get Thread Member: 404 for whoever is not in the thread."""
    thread = _thread(api, call)
    if call.number("user_id") not in thread.thread_members:
        raise ApiError(10007)
    return wire_places.thread_member_json(thread, call.number("user_id"))


def _thread(api: Api, call: Call) -> Channel:
    channel = _channel(api, call)
    if not channel.is_thread:
        raise ApiError(50024)
    return channel


@routes.add("GET", "/channels/{channel_id}/threads/archived/public")
@routes.add("GET", "/channels/{channel_id}/threads/archived/private")
def archived(api: Api, call: Call) -> Json:
    """List Archived Threads, newest archived first."""
    parent = _channel(api, call)
    _require(api, parent, permissions.READ_MESSAGE_HISTORY)
    private = call.route.endswith("private")
    found = [
        one
        for one in api.world.channels.values()
        if one.parent_id == parent.id and one.archived and (one.kind == model.PRIVATE_THREAD) == private
    ]
    found = sorted((one for one in found if api.world.app_sees(one)), key=lambda one: -one.archive_at)
    limit = int(call.query.get("limit", "50"))
    told = [wire_places.channel_json(api.world, one) for one in found[:limit]]
    return {"threads": told, "members": [], "has_more": len(found) > limit}
