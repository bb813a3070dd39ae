"""Owns the JSON of users, members and roles, as REST answers and gateway events carry it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import permissions
from .clock import iso
from .model import Channel, Json, Member, Role, User

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
        "communication_disabled_until": iso(member.timed_out_until) if member.timed_out_until else None,
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


def permissions_text(world: World, channel: Channel, user_id: int) -> str:
    """A user's bits in a channel, as interactions carry them."""
    return str(permissions.in_channel(world, channel, user_id))
