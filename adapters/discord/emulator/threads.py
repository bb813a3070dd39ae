"""Owns threads and forum posts: how they begin, change, are archived and end."""

from __future__ import annotations

from . import messages, model, permissions, world
from .errors import ApiError
from .messages import Draft
from .model import Channel, Json, Message
from .world import Event, World


def new(at: World, parent: Channel, owner_id: int, body: Json, kind: int, *, thread_id: int | None = None) -> Channel:
    """Begin a thread and send its news. body: name, auto_archive_duration, applied_tags, invitable."""
    now = at.clock.time()
    thread = Channel(
        thread_id or at.new_id(),
        kind,
        parent.guild_id,
        body["name"],
        parent_id=parent.id,
        owner_id=owner_id,
        auto_archive_minutes=body.get("auto_archive_duration") or 1440,
        slowmode_s=body.get("rate_limit_per_user") or 0,
        invitable=body.get("invitable") is not False,
        applied_tags=[int(tag) for tag in body.get("applied_tags") or []],
        created_at=now,
        archive_at=now,
        thread_members={owner_id: now},
    )
    at.channels[thread.id] = thread
    at.tell_channel("THREAD_CREATE", thread, newly_created=True)
    return thread


def from_message(at: World, message: Message, owner_id: int, body: Json) -> Channel:
    """Begin a thread under a message, whose id it takes; 160004 if it has one."""
    if message.id in at.channels:
        raise ApiError(160004)
    parent = at.channels[message.channel_id]
    message.flags |= model.HAS_THREAD
    thread = new(at, parent, owner_id, body, model.PUBLIC_THREAD, thread_id=message.id)
    messages.tell_message(at, "MESSAGE_UPDATE", message)
    reference = model.Reference(message.id, parent.id, parent.guild_id)
    draft = Draft(kind=model.THREAD_STARTER, reference=reference, allowed_mentions={"parse": []})
    messages.write(at, thread, message.author_id, draft)
    return thread


def announce(at: World, parent: Channel, thread: Channel, author_id: int) -> None:
    """The line in the channel that says a thread was begun."""
    reference = model.Reference(None, thread.id, thread.guild_id)
    messages.write(at, parent, author_id, Draft(thread.name, kind=model.THREAD_CREATED, reference=reference))


def new_post(at: World, forum: Channel, owner_id: int, body: Json) -> Channel:
    """Begin a forum's post, checking its tags: known, given where required, moderated ones only by moderators."""
    wanted = [int(tag) for tag in body.get("applied_tags") or []]
    known = {tag.id: tag for tag in forum.tags}
    if forum.flags & model.REQUIRE_TAG and not wanted:
        raise ApiError(40067)
    if any(tag not in known for tag in wanted):
        errors = {"applied_tags": {"_errors": [{"code": "TAG_UNKNOWN", "message": "Unknown tag"}]}}
        raise ApiError(50035, errors=errors)
    moderates = permissions.in_channel(at, forum, owner_id) & permissions.MANAGE_THREADS
    if any(known[tag].moderated for tag in wanted) and not moderates:
        raise ApiError(50013)
    return new(at, forum, owner_id, body, model.PUBLIC_THREAD)


def change(at: World, thread: Channel, body: Json) -> None:
    """Apply an edit of a thread and send its news."""
    thread.name = body.get("name") or thread.name
    thread.locked = bool(body.get("locked", thread.locked))
    thread.invitable = bool(body.get("invitable", thread.invitable))
    thread.slowmode_s = body.get("rate_limit_per_user") or thread.slowmode_s
    thread.auto_archive_minutes = body.get("auto_archive_duration") or thread.auto_archive_minutes
    if "applied_tags" in body:
        thread.applied_tags = [int(tag) for tag in body["applied_tags"]]
    if bool(body.get("archived", thread.archived)) != thread.archived:
        thread.archived, thread.archive_at = not thread.archived, at.clock.time()
    at.tell_channel("THREAD_UPDATE", thread)


def remove(at: World, channel: Channel) -> None:
    """Delete a channel or thread, with its threads."""
    for child in [one for one in at.channels.values() if one.parent_id == channel.id]:
        remove(at, child)
    body: Json = {"id": str(channel.id), "guild_id": str(channel.guild_id), "type": channel.kind}
    if channel.is_thread:
        body["parent_id"] = str(channel.parent_id)
        name = "THREAD_DELETE"
    else:
        name, body = "CHANNEL_DELETE", body | {"name": channel.name, "position": channel.position}
    is_of_server = not channel.is_thread
    at.emit(Event(name, lambda _: body, world.GUILDS, channel, channel.guild_id, channel, is_of_server=is_of_server))
    del at.channels[channel.id]
