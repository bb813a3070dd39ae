"""What Discord's ids mean: which channel a thread belongs to, what channels and roles are called, who we are."""

from __future__ import annotations

import logging
from typing import Any

import discord
from cachetools import TTLCache

from adapters.discord.client import DiscordClient, DiscordError
from adapters.discord.entities import Names, Payload, is_id, mentioned
from adapters.discord.known_servers import KnownServers
from adapters.discord.parse_parts import DM, THREADS, Lookup, MessageLocation, Us
from adapters.discord.ref import DEFAULT_LIMIT
from adapters.discord.servers import person_in
from adapters.shared.rights import RightsCache
from bot.types import Author

MAX_CHANNELS = 5_000
REMEMBERED_S = 600.0
"""How long it is kept what kind of channel one is: that does not change."""
log = logging.getLogger(__name__)


class Directory:
    """Looks into the gateway's cache where there is one, else asks Discord and keeps the answer."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client
        self.gateway: discord.Client | None = None
        """Set while this process holds the gateway."""
        host = client.host
        self._channels: TTLCache[tuple[str, str], Payload] = TTLCache(MAX_CHANNELS, REMEMBERED_S, host.clock.monotonic)
        """By server and channel."""
        self.servers = KnownServers(client, RightsCache(host.bus, host.clock, "discord"), self._guild)

    async def place(self, data: Payload) -> MessageLocation:
        """Where a message of the gateway, or its edit or deletion, stands. Raises DiscordError; ValueError for what is no id."""
        at, guild = str(data.get("channel_id") or ""), str(data.get("guild_id") or "")
        if not is_id(at) or not (is_id(guild) or not guild):
            raise ValueError("there is no id of a channel")
        if not guild:  # bots are in no group conversations; should Discord change that, these are not direct
            return MessageLocation(at, is_direct=data.get("channel_type", DM) == DM, channel=at)
        limit = self._upload_limit(guild)
        kind, parent = await self._kind(at, guild, data.get("channel_type"))
        if kind in THREADS and parent:
            return MessageLocation(at, guild, parent, at, limit_bytes=limit)
        return MessageLocation(at, guild, at, limit_bytes=limit)

    async def _kind(self, at: str, guild: str, told: Any) -> tuple[int, str]:
        """The channel's type, and whose thread it is."""
        if told is not None and told not in THREADS:
            return int(told), ""
        found = self._guild(guild)
        cached = found.get_channel_or_thread(int(at)) if found and is_id(at) else None
        if cached is not None:
            parent = cached.parent_id if isinstance(cached, discord.Thread) else None
            return int(cached.type.value), str(parent or "")
        channel = await self.channel(guild, at)
        return int(channel.get("type") or 0), str(channel.get("parent_id") or "")

    def _guild(self, guild: str) -> discord.Guild | None:
        """A server in the gateway's cache, unless its connection is broken, so that the cache has not heard the latest."""
        found = self.gateway.get_guild(int(guild)) if self.gateway and is_id(guild) else None
        if found is None or found.unavailable or not isinstance(self.gateway, discord.AutoShardedClient):
            return None if found is None or found.unavailable else found
        shard = self.gateway.get_shard(found.shard_id)
        return None if shard is None or shard.is_closed() else found

    def _upload_limit(self, guild: str) -> int:
        found = self._guild(guild)
        return found.filesize_limit if found else DEFAULT_LIMIT

    async def channel(self, guild: str, channel_id: str) -> Payload:
        """A channel of that server, or without one a direct one, as Discord describes it. Raises DiscordError."""
        key = (guild, channel_id)
        if key not in self._channels:
            self._channels[key] = await self._client.call("GET", "/channels/{channel_id}", channel_id=channel_id)
        return self._channels[key]

    def active_threads(self) -> set[str]:
        """Ids of all threads that are open."""
        return {str(one.id) for guild in (self.gateway.guilds if self.gateway else ()) for one in guild.threads}

    async def us(self, guild: str = "") -> Us:
        """The bot's user and the role that Discord made for it there."""
        user = self.gateway.user if self.gateway else None
        own = str(user.id) if user else await self._client.bot_id()
        found = self._guild(guild)
        role = found.self_role if found else None
        return Us(own, frozenset([str(role.id)]) if role else frozenset())

    async def lookup(self, data: Payload, guild: str, viewer: Author) -> Lookup:
        """All that parsing needs for this payload. viewer: the person who will read what it says."""
        names = await self.names(str(data), guild, viewer)
        return Lookup(await self.us(guild), names, self._client.options.discord_cdn_url)

    async def names(self, text: str, guild: str, viewer: Author) -> Names:
        """The names of the roles and channels that a text mentions by id.

        Only those of that server, and only channels that the viewer may see: nobody learns a name by writing an id.
        """
        roles, channels = mentioned(text)
        if not (roles or channels) or not is_id(guild):
            return Names()
        try:
            person = person_in(guild, viewer) or await self.servers.person(guild, viewer.id)
            return (await self.servers.server(guild, channels, viewer.id)).names_for(person)
        except DiscordError as error:
            log.info("names of a server's channels and roles: %s", error.detail)
            return Names()
