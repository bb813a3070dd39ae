"""Owns the REST calls on servers, members, roles and users."""

from __future__ import annotations

from . import permissions, wire_people, wire_places
from .errors import ApiError
from .model import TEXT, Json
from .rest import Api, Call, Routes, body_of

routes = Routes()


@routes.add("GET", "/users/@me/guilds")
def my_guilds(api: Api, call: Call) -> list[Json]:
    """Get Current User Guilds."""
    bot = api.world.app.bot_id
    return [
        {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": guild.owner_id == bot,
            "permissions": str(permissions.in_guild(guild, bot)),
            "features": [],
        }
        for guild in api.world.guilds.values()
        if bot in guild.members
    ]


@routes.add("GET", "/users/{user_id}")
def user(api: Api, call: Call) -> Json:
    """Get User."""
    found = api.world.users.get(call.number("user_id"))
    if found is None:
        raise ApiError(10013)
    return wire_people.user_json(found)


@routes.add("POST", "/users/@me/channels")
def direct(api: Api, call: Call) -> Json:
    """Create DM: the one conversation with this user."""
    found = api.world.users.get(int(body_of(call).get("recipient_id") or 0))
    if found is None or found.id == api.world.app.bot_id:
        raise ApiError(10013 if found is None else 50007)
    return wire_places.channel_json(api.world, api.world.direct_channel(api.world.bot, found))


@routes.add("GET", "/guilds/{guild_id}")
def guild(api: Api, call: Call) -> Json:
    """Get Guild."""
    found = api.world.guild(call.number("guild_id"))
    counts: Json = {}
    if call.query.get("with_counts", "").lower() in ("true", "1"):
        counts = {"approximate_member_count": len(found.members), "approximate_presence_count": 1}
    return wire_places.guild_json(api.world, found) | counts


@routes.add("GET", "/guilds/{guild_id}/channels")
def channels(api: Api, call: Call) -> list[Json]:
    """Get Guild Channels, without threads; also those where the bot may not look."""
    found = api.world.guild(call.number("guild_id"))
    return [wire_places.channel_json(api.world, one) for one in api.world.channels_of(found.id) if not one.is_thread]


@routes.add("POST", "/guilds/{guild_id}/channels")
def create_channel(api: Api, call: Call) -> Json:
    """Create Guild Channel, with MANAGE_CHANNELS."""
    found = api.world.guild(call.number("guild_id"))
    if not permissions.in_guild(found, api.world.app.bot_id) & permissions.MANAGE_CHANNELS:
        raise ApiError(50013)
    body = body_of(call)
    made = api.world.add_channel(
        found, str(body.get("name") or "new"), int(body.get("type") or TEXT), topic=body.get("topic")
    )
    return wire_places.channel_json(api.world, made)


@routes.add("GET", "/guilds/{guild_id}/roles")
def roles(api: Api, call: Call) -> list[Json]:
    """Get Guild Roles."""
    return [wire_people.role_json(role) for role in api.world.guild(call.number("guild_id")).roles.values()]


@routes.add("GET", "/guilds/{guild_id}/members")
def members(api: Api, call: Call) -> list[Json]:
    """List Guild Members: needs the members intent in the portal."""
    found = api.world.guild(call.number("guild_id"))
    if not api.world.app.guild_members:
        raise ApiError(50001)
    limit, after = int(call.query.get("limit", "1")), int(call.query.get("after", "0"))
    every = sorted(found.members.values(), key=lambda member: member.user_id)
    return [wire_people.member_json(api.world, member) for member in every if member.user_id > after][:limit]


@routes.add("GET", "/guilds/{guild_id}/members/{user_id}")
def member(api: Api, call: Call) -> Json:
    """Get Guild Member."""
    found = api.world.guild(call.number("guild_id")).members.get(call.number("user_id"))
    if found is None:
        raise ApiError(10007)
    return wire_people.member_json(api.world, found)


@routes.add("GET", "/guilds/{guild_id}/threads/active")
def active_threads(api: Api, call: Call) -> Json:
    """List Active Guild Threads."""
    found = api.world.guild(call.number("guild_id"))
    every = [one for one in api.world.channels_of(found.id) if one.is_thread and not one.archived]
    seen = [one for one in every if api.world.app_sees(one)]
    mine = [one for one in seen if api.world.app.bot_id in one.thread_members]
    return {
        "threads": [wire_places.channel_json(api.world, one) for one in seen],
        "members": [wire_places.thread_member_json(one, api.world.app.bot_id) for one in mine],
        "has_more": False,
    }


@routes.add("GET", "/guilds/{guild_id}/stickers")
def stickers(api: Api, call: Call) -> list[Json]:
    """List Guild Stickers."""
    return [wire_places.sticker_json(one) for one in api.world.guild(call.number("guild_id")).stickers.values()]


@routes.add("GET", "/stickers/{sticker_id}")
def sticker(api: Api, call: Call) -> Json:
    """Get Sticker."""
    found = api.world.sticker(call.number("sticker_id"))
    if found is None:
        raise ApiError(10060)
    return wire_places.sticker_json(found)
