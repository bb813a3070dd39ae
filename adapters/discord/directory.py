"""What Discord's ids mean: which channel a thread belongs to, what channels and roles are called, who we are."""

from __future__ import annotations

import logging
from typing import Any

import discord
from cachetools import TTLCache

from adapters.discord.client import BusyError, DiscordClient, DiscordError
from adapters.discord.entities import Names, Payload, mentioned
from adapters.discord.parse_parts import THREADS, Lookup, MessageLocation, Us
from adapters.discord.ref import DEFAULT_LIMIT
from adapters.discord.servers import Server, server_from_gateway, server_from_rest
from bot.types import Author

MAX_CHANNELS, MAX_SERVERS = 5_000, 500
REMEMBERED_S = 600.0
"""How long an answer of Discord's is kept, refusals included: refused calls count towards a ban."""
log = logging.getLogger(__name__)


class Directory:
    """Looks into the gateway's cache where there is one, else asks Discord and keeps the answer."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client
        self.gateway: discord.Client | None = None
        """Set while this process holds the gateway."""
        clock = client.host.clock.monotonic
        self._channels: TTLCache[tuple[str, str], Payload | DiscordError] = TTLCache(MAX_CHANNELS, REMEMBERED_S, clock)
        """By server and channel."""
        self._servers: TTLCache[str, Server] = TTLCache(MAX_SERVERS, REMEMBERED_S, clock)

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
        found = self._guild(guild)
        cached = found.get_channel_or_thread(int(at)) if found else None
        if cached is not None:
            parent = cached.parent_id if isinstance(cached, discord.Thread) else None
            return int(cached.type.value), str(parent or "")
        channel = await self._channel(guild, at)
        return int(channel.get("type") or 0), str(channel.get("parent_id") or "")

    def _guild(self, guild: str) -> discord.Guild | None:
        return self.gateway.get_guild(int(guild)) if self.gateway and guild.isdigit() else None

    def _upload_limit(self, guild: str) -> int:
        found = self._guild(guild)
        return found.filesize_limit if found else DEFAULT_LIMIT

    async def _channel(self, guild: str, channel_id: str) -> Payload:
        """A channel as Discord describes it, or the refusal; both are remembered."""
        key = (guild, channel_id)
        found = self._channels.get(key)
        if found is None:
            try:
                found = await self._client.call("GET", "/channels/{channel_id}", channel_id=channel_id)
            except BusyError:
                raise
            except DiscordError as error:
                found = error
            self._channels[key] = found
        if isinstance(found, DiscordError):
            raise found
        return found

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
        if not (roles or channels) or not guild.isdigit():
            return Names()
        found = self._guild(guild)
        server = server_from_gateway(found, channels) if found else await self._server(guild)
        return server.names_for(viewer)

    async def _server(self, guild: str) -> Server:
        """A server as REST describes it: two calls every ten minutes at most, however many ids people write."""
        if guild not in self._servers:
            try:
                told = await self._client.call("GET", "/guilds/{guild_id}", guild_id=guild)
                channels = await self._client.call("GET", "/guilds/{guild_id}/channels", guild_id=guild)
                self._servers[guild] = server_from_rest(told, channels)
            except BusyError:
                return Server(guild)
            except DiscordError as error:
                log.info("names of a server's channels and roles: %s", error.detail)
                self._servers[guild] = Server(guild)
        return self._servers[guild]
