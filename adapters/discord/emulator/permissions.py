"""Owns permission bits and who may do what where. Source: Discord, Topics, Permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError

if TYPE_CHECKING:
    from .model import Channel, Guild
    from .world import World

CREATE_INSTANT_INVITE = 1 << 0
ADMINISTRATOR = 1 << 3
MANAGE_CHANNELS = 1 << 4
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
USE_EXTERNAL_EMOJIS = 1 << 18
CONNECT = 1 << 20
CHANGE_NICKNAME = 1 << 26
MANAGE_WEBHOOKS = 1 << 29
USE_APPLICATION_COMMANDS = 1 << 31
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
CREATE_PRIVATE_THREADS = 1 << 36
USE_EXTERNAL_STICKERS = 1 << 37
SEND_MESSAGES_IN_THREADS = 1 << 38
SEND_VOICE_MESSAGES = 1 << 46
SEND_POLLS = 1 << 49
USE_EXTERNAL_APPS = 1 << 50
PIN_MESSAGES = 1 << 51

ALL = (1 << 53) - 1
MEMBER = (
    CREATE_INSTANT_INVITE
    | ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | MENTION_EVERYONE
    | USE_EXTERNAL_EMOJIS
    | CONNECT
    | CHANGE_NICKNAME
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | CREATE_PRIVATE_THREADS
    | USE_EXTERNAL_STICKERS
    | SEND_MESSAGES_IN_THREADS
    | SEND_VOICE_MESSAGES
    | SEND_POLLS
    | USE_EXTERNAL_APPS
)
"""What a new server gives everyone."""
TIMED_OUT = VIEW_CHANNEL | READ_MESSAGE_HISTORY
"""What a time-out leaves. Source: Discord, Topics, Permissions, Permissions for Timed Out Members."""
VOICE_KINDS = (2, 13)
"""Voice and stage channels: their text needs CONNECT as well. Source: Discord, Get Channel Messages."""

DIRECT = MEMBER & ~(CREATE_INSTANT_INVITE | MENTION_EVERYONE)
"""What two people may do in their own conversation."""


def in_guild(guild: Guild, user_id: int) -> int:
    """A member's bits in the whole server, before any channel's overwrites; 0 for strangers."""
    if user_id == guild.owner_id:
        return ALL
    member = guild.members.get(user_id)
    if member is None:
        return 0
    bits = guild.roles[guild.id].permissions
    for role_id in member.roles:
        bits |= guild.roles[role_id].permissions
    return ALL if bits & ADMINISTRATOR else bits


def overwritten(guild: Guild, channel: Channel, user_id: int, bits: int) -> int:
    """Apply a channel's overwrites: everyone's, then the roles' together, then the member's own."""
    everyone = channel.overwrites.get(guild.id)
    if everyone:
        bits = bits & ~everyone.deny | everyone.allow
    member = guild.members[user_id]
    of_roles = [channel.overwrites[role] for role in member.roles if role in channel.overwrites]
    for overwrite in of_roles:
        bits &= ~overwrite.deny
    for overwrite in of_roles:
        bits |= overwrite.allow
    own = channel.overwrites.get(user_id)
    return bits & ~own.deny | own.allow if own else bits


def in_channel(world: World, channel: Channel, user_id: int) -> int:
    """A user's bits in a channel, thread or direct message; 0 where they cannot be."""
    if channel.guild_id is None:
        return DIRECT if user_id in channel.recipients else 0
    guild = world.guilds[channel.guild_id]
    bits = in_guild(guild, user_id)
    if not bits or bits == ALL:
        return bits
    bits = overwritten(guild, world.channels[channel.parent_id or 0] if channel.is_thread else channel, user_id, bits)
    if not bits & VIEW_CHANNEL or not _sees_thread(channel, user_id, bits):
        return 0
    if guild.members[user_id].timed_out_until > world.clock.time():
        bits &= TIMED_OUT
    return bits


def reads(world: World, channel: Channel, user_id: int) -> bool:
    """Whether a user may read what was said there before."""
    needed = VIEW_CHANNEL | READ_MESSAGE_HISTORY | (CONNECT if channel.kind in VOICE_KINDS else 0)
    return in_channel(world, channel, user_id) & needed == needed


def _sees_thread(channel: Channel, user_id: int, bits: int) -> bool:
    return channel.kind != 12 or user_id in channel.thread_members or bool(bits & MANAGE_THREADS)


def require(world: World, channel: Channel, user_id: int, bits: int) -> None:
    """Raise 50001 without sight of the channel, 50013 without one of the bits."""
    have = in_channel(world, channel, user_id)
    if not have & VIEW_CHANNEL:
        raise ApiError(50001)
    if have & bits != bits:
        raise ApiError(50013)


def require_send(world: World, channel: Channel, user_id: int) -> None:
    """Raise unless a message may be sent: in threads SEND_MESSAGES_IN_THREADS decides, SEND_MESSAGES is irrelevant."""
    require(world, channel, user_id, SEND_MESSAGES_IN_THREADS if channel.is_thread else SEND_MESSAGES)
