"""What a server's channels and roles are called, and which channels a person may see. Without calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import discord

from adapters.discord.entities import Names, Payload
from bot.types import Author

ADMINISTRATOR, VIEW_CHANNEL = 1 << 3, 1 << 10
"""Source: Discord, Topics, Permissions, Bitwise Permission Flags."""


@dataclass(frozen=True)
class Overwrite:
    """What a channel allows and denies one role or person, as bits."""

    allow: int
    deny: int


@dataclass(frozen=True)
class Role:
    """A role of a server."""

    name: str
    permissions: int


@dataclass(frozen=True)
class Channel:
    """A channel, or a thread with its channel's overwrites."""

    name: str
    overwrites: Mapping[str, Overwrite] = field(default_factory=dict)
    """By the id of the role or person."""


@dataclass(frozen=True)
class Server:
    """What names are looked up in: one server alone, so that no id leads into another."""

    id: str = ""
    owner_id: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)

    def names_for(self, viewer: Author) -> Names:
        """What the roles are called, and the channels that this person may see."""
        channels = {one: channel.name for one, channel in self.channels.items() if self.may_view(viewer, channel)}
        return Names(roles={one: role.name for one, role in self.roles.items()}, channels=channels)

    def may_view(self, viewer: Author, channel: Channel) -> bool:
        """Whether a person, with the roles that Discord sent along, may see a channel.

        Source: Discord, Topics, Permissions, Permission Overwrites.
        """
        if viewer.id and viewer.id == self.owner_id:
            return True
        everyone = self.roles.get(self.id, Role("", 0))
        bits = everyone.permissions
        for role in viewer.groups:
            bits |= self.roles[role].permissions if role in self.roles else 0
        if bits & ADMINISTRATOR:
            return True
        given = channel.overwrites
        bits = _overwritten(bits, [given[self.id]] if self.id in given else [])
        bits = _overwritten(bits, [given[role] for role in viewer.groups if role in given])
        bits = _overwritten(bits, [given[viewer.id]] if viewer.id in given else [])
        return bool(bits & VIEW_CHANNEL)


def _overwritten(bits: int, overwrites: list[Overwrite]) -> int:
    """What is left after these together: among roles, what one allows comes before what another denies."""
    for one in overwrites:
        bits &= ~one.deny
    for one in overwrites:
        bits |= one.allow
    return bits


def server_from_gateway(guild: discord.Guild, channel_ids: set[str]) -> Server:
    """A server as the gateway knows it, with these of its channels. Private threads stay unnamed: their members are not known."""
    found = {one: guild.get_channel_or_thread(int(one)) for one in channel_ids}
    channels = {one: made for one, channel in found.items() if (made := _channel_from_gateway(channel))}
    roles = {str(role.id): Role(role.name, role.permissions.value) for role in guild.roles}
    return Server(str(guild.id), str(guild.owner_id), roles, channels)


def _channel_from_gateway(channel: Any) -> Channel | None:
    base = channel.parent if isinstance(channel, discord.Thread) else channel
    if base is None or (isinstance(channel, discord.Thread) and channel.is_private()):
        return None
    pairs = {str(target.id): overwrite.pair() for target, overwrite in base.overwrites.items()}
    return Channel(channel.name, {one: Overwrite(allow.value, deny.value) for one, (allow, deny) in pairs.items()})


def server_from_rest(guild: Payload, channels: list[Payload]) -> Server:
    """A server as REST describes it, without its threads."""
    roles = {str(one["id"]): Role(str(one["name"]), int(one["permissions"])) for one in guild.get("roles") or ()}
    return Server(
        str(guild["id"]),
        str(guild.get("owner_id") or ""),
        roles,
        {str(one["id"]): Channel(str(one.get("name") or ""), _overwrites(one)) for one in channels},
    )


def _overwrites(channel: Payload) -> dict[str, Overwrite]:
    given = channel.get("permission_overwrites") or ()
    return {str(one["id"]): Overwrite(int(one.get("allow") or 0), int(one.get("deny") or 0)) for one in given}
