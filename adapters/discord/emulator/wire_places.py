"""Owns the JSON of servers, channels, threads and stickers, as REST answers and gateway events carry it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import model
from .clock import iso
from .model import Channel, Guild, Json
from .wire_people import member_json, role_json, user_json

if TYPE_CHECKING:
    from .world import World


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
    if channel.kind in (model.VOICE, model.STAGE):
        body |= {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
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

    with_members: whether the members intent was granted; without it only the bot itself is told. Channels are told also where
    the bot may not look; threads are not.
    """
    bot = world.app.bot_id
    told = [channel for channel in world.channels_of(guild.id) if not channel.is_thread or world.app_sees(channel)]
    members = guild.members.values() if with_members else [guild.members[bot]]
    return guild_json(world, guild) | {
        "joined_at": iso(guild.members[bot].joined_at),
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member_json(world, member) for member in members],
        "channels": [channel_json(world, c) for c in told if not c.is_thread],
        "threads": [channel_json(world, c) for c in told if c.is_thread and not c.archived],
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
