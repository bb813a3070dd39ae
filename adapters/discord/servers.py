"""Who may do what in a server, and what its channels and roles are called: Discord's arithmetic of permissions. Without calls.

discord.py has the same arithmetic for objects of its gateway's cache; here it works in processes without one too, and knows
private threads and voice channels. A test compares the two. Source: Discord, Topics, Permissions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import discord

from adapters.discord.entities import Names, Payload
from bot.types import EPOCH, Author

ADMINISTRATOR, MANAGE_CHANNELS, MANAGE_GUILD = 1 << 3, 1 << 4, 1 << 5
VIEW_CHANNEL, MANAGE_MESSAGES, READ_HISTORY = 1 << 10, 1 << 13, 1 << 16
CONNECT, MANAGE_THREADS = 1 << 20, 1 << 34
MANAGES = MANAGE_CHANNELS | MANAGE_GUILD
"""Either makes a manager of whoever gives a command; see docs/discord.md."""
ALL = (1 << 63) - 1
WHEN_TIMED_OUT = VIEW_CHANNEL | READ_HISTORY
VOICE_KINDS = (2, 13)
"""Voice and stage channels: reading what was written there takes Connect too. Source: Discord, Get Channel Messages."""
PRIVATE_THREAD = 12


@dataclass(frozen=True)
class Person:
    """A member of a server, as Discord described them."""

    id: str
    roles: frozenset[str] = frozenset()
    timed_out_until: datetime = EPOCH


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
    kind: int = 0
    """Of the channel that has the overwrites. Source: Discord, Channel Types."""


@dataclass(frozen=True)
class Server:
    """One server alone, so that no id leads into another."""

    id: str = ""
    owner_id: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)

    def names_for(self, viewer: Person | None) -> Names:
        """What the roles are called, and the channels that this person may see."""
        roles = {one: role.name for one, role in self.roles.items()}
        seen = {one: each.name for one, each in self.channels.items() if viewer and self.may_view(viewer, each)}
        return Names(roles=roles, channels=seen)

    def may_view(self, viewer: Person, channel: Channel) -> bool:
        """Whether this person may see the channel."""
        return bool(self.permissions(viewer, channel) & VIEW_CHANNEL)

    def may_read(self, reader: Person, channel: Channel) -> bool:
        """Whether this person may read what was said in the channel before; a private thread asks for more."""
        needed = VIEW_CHANNEL | READ_HISTORY | (CONNECT if channel.kind in VOICE_KINDS else 0)
        return self.permissions(reader, channel) & needed == needed

    def permissions(self, person: Person, channel: Channel, now: datetime = EPOCH) -> int:
        """The bits that this person has in the channel; none where they may not see it. now: tells whether a time-out is over."""
        if person.id and person.id == self.owner_id:
            return ALL
        held = [role for role in person.roles if role in self.roles and role != self.id]
        bits = self.roles.get(self.id, Role("", 0)).permissions
        for role in held:
            bits |= self.roles[role].permissions
        if bits & ADMINISTRATOR:
            return ALL
        given = channel.overwrites
        bits = _overwritten(bits, (given[one] for one in [self.id] if one in given))
        bits = _overwritten(bits, [given[role] for role in held if role in given])
        bits = _overwritten(bits, (given[one] for one in [person.id] if one in given))
        if not bits & VIEW_CHANNEL:
            return 0
        return bits & WHEN_TIMED_OUT if person.timed_out_until > now else bits


def _overwritten(bits: int, overwrites: Iterable[Overwrite]) -> int:
    """What is left after these together: among roles, what one allows comes before what another denies."""
    together = list(overwrites)
    for one in together:
        bits &= ~one.deny
    for one in together:
        bits |= one.allow
    return bits


def person_in(guild: str, author: Author) -> Person | None:
    """The member that this author is, by the roles that Discord sent along; None where it sent none.

    Every member has the role of everyone, which has the server's id: it shows that the others are known.
    """
    return Person(author.id, frozenset(author.groups)) if guild and guild in author.groups else None


def person_from_rest(member: Payload) -> Person:
    """A member as REST describes them."""
    until = member.get("communication_disabled_until")
    user, roles = member.get("user") or {}, member.get("roles") or ()
    timed_out_until = datetime.fromisoformat(str(until)).astimezone(UTC) if until else EPOCH
    return Person(str(user.get("id") or ""), frozenset(map(str, roles)), timed_out_until)


def server_from_gateway(guild: discord.Guild) -> Server:
    """A server as the gateway knows it, without its channels."""
    roles = {str(role.id): Role(role.name, role.permissions.value) for role in guild.roles}
    return Server(str(guild.id), str(guild.owner_id), roles)


def channels_from_gateway(guild: discord.Guild, channel_ids: Iterable[str]) -> dict[str, Channel]:
    """Channels and threads as the gateway knows them. Private threads stay unnamed: their members are not known."""
    found = {one: guild.get_channel_or_thread(int(one)) for one in channel_ids}
    return {one: made for one, channel in found.items() if (made := _channel_from_gateway(channel))}


def _channel_from_gateway(channel: Any) -> Channel | None:
    base = channel.parent if isinstance(channel, discord.Thread) else channel
    if base is None or (isinstance(channel, discord.Thread) and channel.is_private()):
        return None
    pairs = {str(target.id): overwrite.pair() for target, overwrite in base.overwrites.items()}
    overwrites = {one: Overwrite(allow.value, deny.value) for one, (allow, deny) in pairs.items()}
    return Channel(channel.name, overwrites, int(base.type.value))


def server_from_rest(guild: Payload, channels: list[Payload]) -> Server:
    """A server as REST describes it, without its threads."""
    roles = {str(one["id"]): Role(str(one["name"]), int(one["permissions"])) for one in guild.get("roles") or ()}
    made = {
        str(one["id"]): Channel(str(one.get("name") or ""), _overwrites(one), int(one.get("type") or 0))
        for one in channels
    }
    return Server(str(guild["id"]), str(guild.get("owner_id") or ""), roles, made)


def _overwrites(channel: Payload) -> dict[str, Overwrite]:
    given = channel.get("permission_overwrites") or ()
    return {str(one["id"]): Overwrite(int(one.get("allow") or 0), int(one.get("deny") or 0)) for one in given}
