"""Owns the JSON of users, servers, channels and messages, as REST answers and gateway events carry it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import model, permissions
from .clock import iso
from .model import Channel, Guild, Json, Member, Message, Role, User

if TYPE_CHECKING:
    from .world import World


def user_json(user: User) -> Json:
    """A user as others see them."""
    body: Json = {
        "id": str(user.id),
        "username": user.name,
        "avatar": None,
        "discriminator": "0",
        "public_flags": 0,
        "flags": 0,
        "banner": None,
        "accent_color": None,
        "global_name": user.global_name,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
    }
    return {**body, "bot": True} if user.bot else body


def member_json(world: World, member: Member, *, with_user: bool = True) -> Json:
    """A member; gateway messages leave the user out, since the author stands beside."""
    body: Json = {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": None,
        "flags": 0,
        "joined_at": iso(member.joined_at),
        "nick": member.nick,
        "pending": False,
        "premium_since": None,
        "roles": [str(role) for role in member.roles],
        "mute": False,
        "deaf": False,
    }
    if with_user:
        body |= {"collectibles": None, "user": user_json(world.users[member.user_id])}
    return body


def role_json(role: Role) -> Json:
    """A role."""
    body: Json = {
        "id": str(role.id),
        "name": role.name,
        "description": None,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": role.bot_id is not None,
        "mentionable": role.mentionable,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    if role.bot_id is not None:
        body["tags"] = {"bot_id": str(role.bot_id)}
    return body


def channel_json(world: World, channel: Channel) -> Json:
    """A channel of any kind."""
    body: Json = {"id": str(channel.id), "type": channel.kind, "flags": channel.flags}
    body["last_message_id"] = str(channel.last_message_id) if channel.last_message_id else None
    if channel.guild_id is None:
        people = [user_json(world.users[user]) for user in channel.recipients if user != world.app.bot_id]
        return {**body, "recipients": people}
    body |= {"guild_id": str(channel.guild_id), "name": channel.name}
    body["parent_id"] = str(channel.parent_id) if channel.parent_id else None
    body["rate_limit_per_user"] = channel.slowmode_s
    return body | (_thread_part(world, channel) if channel.is_thread else _guild_part(channel))


def _guild_part(channel: Channel) -> Json:
    body: Json = {
        "topic": channel.topic,
        "position": channel.position,
        "nsfw": False,
        "permission_overwrites": [
            {"id": str(o.id), "type": o.kind, "allow": str(o.allow), "deny": str(o.deny)}
            for o in channel.overwrites.values()
        ],
    }
    if channel.kind == model.FORUM:
        body |= {
            "available_tags": [tag_json(tag) for tag in channel.tags],
            "default_reaction_emoji": None,
            "default_sort_order": None,
            "default_forum_layout": 0,
        }
    return body


def tag_json(tag: model.Tag) -> Json:
    """A forum's tag."""
    emoji = {"emoji_id": None, "emoji_name": tag.emoji_name}
    return {"id": str(tag.id), "name": tag.name, "moderated": tag.moderated, **emoji}


def _thread_part(world: World, channel: Channel) -> Json:
    metadata: Json = {
        "archived": channel.archived,
        "archive_timestamp": iso(channel.archive_at),
        "auto_archive_duration": channel.auto_archive_minutes,
        "locked": channel.locked,
        "create_timestamp": iso(channel.created_at),
    }
    if channel.kind == model.PRIVATE_THREAD:
        metadata["invitable"] = channel.invitable
    body: Json = {
        "owner_id": str(channel.owner_id),
        "thread_metadata": metadata,
        "message_count": channel.message_count,
        "member_count": min(50, len(channel.thread_members)),
        "total_message_sent": channel.total_sent,
    }
    if world.parent(channel).kind == model.FORUM:
        body["applied_tags"] = [str(tag) for tag in channel.applied_tags]
    if world.app.bot_id in channel.thread_members:
        body["member"] = thread_member_json(channel, world.app.bot_id)
    return body


def thread_member_json(channel: Channel, user_id: int) -> Json:
    """Who takes part in a thread, since when."""
    since = iso(channel.thread_members[user_id])
    return {"id": str(channel.id), "user_id": str(user_id), "join_timestamp": since, "flags": 0}


def guild_json(world: World, guild: Guild) -> Json:
    """A server as GET /guilds/{id} gives it."""
    empty = (
        "icon description home_header splash discovery_splash banner application_id afk_channel_id system_channel_id "
        "widget_channel_id vanity_url_code rules_channel_id safety_alerts_channel_id public_updates_channel_id "
        "max_presences incidents_data"
    )
    body: Json = dict.fromkeys(empty.split())
    return body | {
        "id": str(guild.id),
        "name": guild.name,
        "features": [],
        "owner_id": str(guild.owner_id),
        "region": "deprecated",
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "verification_level": 0,
        "roles": [role_json(role) for role in guild.roles.values()],
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "premium_tier": guild.tier,
        "premium_subscription_count": 0,
        "preferred_locale": guild.locale,
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [sticker_json(sticker) for sticker in guild.stickers.values()],
    }


def guild_create_json(world: World, guild: Guild, *, with_members: bool) -> Json:
    """A server as GUILD_CREATE brings it: with its channels, active threads and members.

    with_members: whether the members intent was granted; without it only the bot itself is told.
    """
    bot = world.app.bot_id
    visible = [channel for channel in world.channels_of(guild.id) if world.app_sees(channel)]
    members = guild.members.values() if with_members else [guild.members[bot]]
    return guild_json(world, guild) | {
        "joined_at": iso(guild.members[bot].joined_at),
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member_json(world, member) for member in members],
        "channels": [channel_json(world, c) for c in visible if not c.is_thread],
        "threads": [channel_json(world, c) for c in visible if c.is_thread and not c.archived],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def sticker_json(sticker: model.Sticker) -> Json:
    """A server's sticker."""
    return {
        "id": str(sticker.id),
        "name": sticker.name,
        "tags": sticker.tags,
        "type": 2,
        "format_type": sticker.format_type,
        "description": sticker.description,
        "available": True,
        "guild_id": str(sticker.guild_id),
    }


def attachment_json(world: World, attachment: model.Attachment) -> Json:
    """A file with a freshly signed address; a second look gives another address."""
    url = world.cdn.sign(attachment)
    body: Json = {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": len(attachment.data),
        "url": url,
        "proxy_url": url,
        "content_type": attachment.mime_type,
    }
    if attachment.is_spoiler:
        body["flags"] = 1 << 3
    optional = {
        "width": attachment.width,
        "height": attachment.height,
        "duration_secs": attachment.duration_s,
        "waveform": attachment.waveform,
        "description": attachment.description,
        "title": attachment.title,
        "ephemeral": attachment.ephemeral or None,
    }
    return body | {key: value for key, value in optional.items() if value is not None}


def message_json(world: World, message: Message, *, sees_content: bool, for_gateway: bool = False) -> Json:
    """A message as the app may read it.

    sees_content: whether the message-content intent counts here; without it content, embeds, attachments and
    components are empty but in the app's own messages, its direct messages and those that mention it.
    for_gateway: adds guild_id, member and channel_type, which REST leaves out.
    """
    body = _content_part(world, message, sees_content or world.app_may_read(message))
    body |= {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "author": user_json(world.users[message.author_id]),
        "mention_everyone": message.mention_everyone,
        "pinned": message.pinned,
        "tts": False,
    }
    body |= _optional_part(world, message)
    if message.kind in (model.REPLY, model.THREAD_STARTER) or message.reference:
        body |= _reference_part(world, message, sees_content)
    return body | (_gateway_part(world, message, body) if for_gateway else {})


def _content_part(world: World, message: Message, readable: bool) -> Json:
    files = {a.filename: attachment_json(world, a) for a in message.attachments}
    return {
        "type": message.kind,
        "content": message.content if readable else "",
        "mentions": [user_json(world.users[user]) for user in message.mentions],
        "mention_roles": [str(role) for role in message.mention_roles],
        "attachments": list(_shown_files(message, files)) if readable else [],
        "embeds": resolved(message.embeds, files) if readable else [],
        "components": component_json(message.components, files) if readable else [],
        "timestamp": iso(message.sent_at),
        "edited_timestamp": iso(message.edited_at) if message.edited_at else None,
        "flags": message.flags,
    }


def _shown_files(message: Message, files: dict[str, Json]) -> Iterable[Json]:
    """All files but those that an embed or a component already shows."""
    shown = repr(message.embeds) + repr(message.components)
    used = {name for name in files if f"attachment://{name}'" in shown}
    return (file for name, file in files.items() if name not in used or message.flags & model.COMPONENTS_V2)


def resolved(value: Any, files: dict[str, Json]) -> Any:
    """Embeds whose images point at attachment://name, pointed at the file's signed address."""
    if isinstance(value, list):
        return [resolved(item, files) for item in value]
    if not isinstance(value, dict):
        return value
    file = files.get(str(value.get("url")).removeprefix("attachment://"))
    if file and str(value["url"]).startswith("attachment://"):
        return {**value, **_pick(file)}
    return {key: resolved(item, files) for key, item in value.items()}


def _pick(file: Json) -> Json:
    return {key: file[key] for key in ("url", "proxy_url", "width", "height", "content_type") if key in file}


def component_json(value: Any, files: dict[str, Json]) -> Any:
    """Components with their media unfurled: an address, the file's size and id, and all that Discord fills in."""
    if isinstance(value, list):
        return [component_json(item, files) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: component_json(item, files) for key, item in value.items()}
    for key in ("media", "file"):
        if isinstance(value.get(key), dict):
            file = files.get(str(value[key].get("url")).removeprefix("attachment://"))
            made[key] = _unfurled(value[key], file)
            made |= {"name": file["filename"], "size": file["size"]} if file and key == "file" else {}
    if "items" in made:
        made["items"] = [{"description": None, "spoiler": False, **item} for item in made["items"]]
    return made


def _unfurled(media: Json, file: Json | None) -> Json:
    if file is None:
        return {"id": str(zlib.crc32(media["url"].encode())), "url": media["url"], "proxy_url": media["url"]}
    return {**_pick(file), "id": file["id"], "attachment_id": file["id"]}


def _optional_part(world: World, message: Message) -> Json:
    body: Json = {}
    if message.nonce is not None:
        body["nonce"] = message.nonce
    if message.position is not None:
        body["position"] = message.position
    if message.by_app:
        body["application_id"] = str(world.app.id)
    if message.webhook:
        body["webhook_id"] = str(world.app.id)
    if message.interaction:
        body["interaction_metadata"] = message.interaction
    if message.stickers:
        body["sticker_items"] = [
            {"id": str(s.id), "name": s.name, "format_type": s.format_type} for s in message.stickers
        ]
    if message.reactions:
        body["reactions"] = [_reaction(world, name, users) for name, users in message.reactions.items()]
    if message.flags & model.HAS_THREAD and message.id in world.channels:
        body["thread"] = channel_json(world, world.channels[message.id])
    return body


def emoji_json(name: str) -> Json:
    """An emoji from how paths name it: a character, or name:id."""
    label, _, emoji_id = name.partition(":")
    return {"id": emoji_id or None, "name": label}


def _reaction(world: World, name: str, users: list[int]) -> Json:
    return {
        "emoji": emoji_json(name),
        "count": len(users),
        "count_details": {"burst": 0, "normal": len(users)},
        "burst_colors": [],
        "me_burst": False,
        "me": world.app.bot_id in users,
    }


def _reference_part(world: World, message: Message, sees_content: bool) -> Json:
    reference = message.reference
    if reference is None:
        return {}
    at: Json = {"type": reference.kind, "channel_id": str(reference.channel_id)}
    if reference.message_id:
        at["message_id"] = str(reference.message_id)
    if reference.guild_id:
        at["guild_id"] = str(reference.guild_id)
    if message.snapshot:
        readable = sees_content or world.app_may_read(message)
        return {
            "message_reference": at,
            "message_snapshots": [{"message": _content_part(world, message.snapshot, readable)}],
        }
    if message.kind not in (model.REPLY, model.THREAD_STARTER):
        return {"message_reference": at}
    target = world.messages.get(reference.message_id or 0)
    if target is None or target.is_deleted:
        return {"message_reference": at, "referenced_message": None}
    told = message_json(world, target, sees_content=sees_content)
    told.pop("referenced_message", None)
    return {"message_reference": at, "referenced_message": told}


def _gateway_part(world: World, message: Message, body: Json) -> Json:
    channel = world.channels[message.channel_id]
    extra: Json = {"channel_type": channel.kind}
    if channel.guild_id is None:
        return extra
    members = world.guilds[channel.guild_id].members
    extra["guild_id"] = str(channel.guild_id)
    if message.author_id in members and not message.webhook:
        extra["member"] = member_json(world, members[message.author_id], with_user=False)
    for user in body["mentions"]:
        if int(user["id"]) in members:
            user["member"] = member_json(world, members[int(user["id"])], with_user=False)
    return extra


def permissions_text(world: World, channel: Channel, user_id: int) -> str:
    """A user's bits in a channel, as interactions carry them."""
    return str(permissions.in_channel(world, channel, user_id))
