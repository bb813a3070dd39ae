"""What Discord's ids mean: which channel a thread belongs to, what channels and roles are called, who we are."""

from __future__ import annotations

import logging
from typing import Any

import discord
from cachetools import LRUCache

from adapters.discord.client import DiscordClient, DiscordError
from adapters.discord.entities import Names, Payload, mentioned
from adapters.discord.parse_parts import THREADS, Lookup, MessageLocation, Us
from adapters.discord.ref import DEFAULT_LIMIT

MAX_KNOWN = 5_000
MAX_ASKED = 10
"""Names asked of Discord for one text."""
log = logging.getLogger(__name__)


class Directory:
    """Looks into the gateway's cache where there is one, else asks Discord and remembers."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client
        self.gateway: discord.Client | None = None
        """Set while this process holds the gateway."""
        self._channels: LRUCache[str, Payload] = LRUCache(MAX_KNOWN)
        self._roles: dict[str, dict[str, str]] = {}

    async def place(self, data: Payload) -> MessageLocation:
        """Where a message of the gateway, or its edit or deletion, stands. Raises DiscordError."""
        at, guild = str(data.get("channel_id") or ""), str(data.get("guild_id") or "")
        if not guild:
            return MessageLocation(at, is_direct=True, channel=at)
        limit = self._upload_limit(guild)
        kind, parent = await self._kind(at, guild, data.get("channel_type"))
        if kind in THREADS and parent:
            return MessageLocation(at, guild, parent, at, limit_bytes=limit)
        return MessageLocation(at, guild, at, limit_bytes=limit)

    async def _kind(self, at: str, guild: str, told: Any) -> tuple[int, str]:
        """The channel's type, and whose thread it is."""
        if told is not None and told not in THREADS:
            return int(told), ""
        cached = self._cached(guild, at)
        if cached is not None:
            parent = getattr(cached, "parent_id", None) if isinstance(cached, discord.Thread) else None
            return int(cached.type.value), str(parent or "")
        channel = await self.channel(at)
        return int(channel.get("type") or 0), str(channel.get("parent_id") or "")

    def _cached(self, guild: str, at: str) -> Any:
        found = self.gateway.get_guild(int(guild)) if self.gateway else None
        return found.get_channel_or_thread(int(at)) if found else None

    def _upload_limit(self, guild: str) -> int:
        found = self.gateway.get_guild(int(guild)) if self.gateway else None
        return found.filesize_limit if found else DEFAULT_LIMIT

    async def channel(self, channel_id: str) -> Payload:
        """A channel as Discord describes it, remembered. Raises DiscordError."""
        if channel_id not in self._channels:
            self._channels[channel_id] = await self._client.call("GET", "/channels/{channel_id}", channel_id=channel_id)
        return self._channels[channel_id]

    def active_threads(self) -> set[str]:
        """Ids of all threads that are open."""
        return {str(one.id) for guild in (self.gateway.guilds if self.gateway else ()) for one in guild.threads}

    async def us(self, guild: str = "") -> Us:
        """The bot's user and the role that Discord made for it there."""
        user = self.gateway.user if self.gateway else None
        own = str(user.id) if user else await self._client.bot_id()
        found = self.gateway.get_guild(int(guild)) if self.gateway and guild.isdigit() else None
        role = found.self_role if found else None
        return Us(own, frozenset([str(role.id)]) if role else frozenset())

    async def lookup(self, data: Payload, guild: str = "") -> Lookup:
        """All that parsing needs for this payload."""
        names = await self.names(str(data), guild)
        return Lookup(await self.us(guild), names, self._client.options.discord_cdn_url)

    async def names(self, text: str, guild: str) -> Names:
        """What the roles and channels are called that a text names; what cannot be found out stays unnamed."""
        roles, channels = mentioned(text)
        found = {one: name for one in sorted(channels)[:MAX_ASKED] if (name := await self._channel_name(one, guild))}
        return Names(roles=await self._role_names(guild) if roles else {}, channels=found)

    async def _channel_name(self, channel_id: str, guild: str) -> str:
        cached = self._cached(guild, channel_id) if guild.isdigit() else None
        if cached is not None:
            return str(cached.name)
        try:
            return str((await self.channel(channel_id)).get("name") or "")
        except DiscordError:
            return ""

    async def _role_names(self, guild: str) -> dict[str, str]:
        found = self.gateway.get_guild(int(guild)) if self.gateway and guild.isdigit() else None
        if found:
            return {str(role.id): role.name for role in found.roles}
        if guild.isdigit() and guild not in self._roles:
            try:
                roles = await self._client.call("GET", "/guilds/{guild_id}/roles", guild_id=guild)
            except DiscordError as error:
                log.info("roles of a server: %s", error.detail)
                roles = []
            self._roles[guild] = {str(one["id"]): str(one["name"]) for one in roles}
        return self._roles.get(guild, {})
