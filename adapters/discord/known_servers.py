"""What Discord says of servers, their members and their threads: from the gateway's cache where there is one, else asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import discord

from adapters.discord.client import DiscordClient, DiscordError
from adapters.discord.entities import is_id
from adapters.discord.parse_parts import THREADS
from adapters.discord.refusals import key_of
from adapters.discord.servers import (
    PRIVATE_THREAD,
    Person,
    Server,
    channels_from_gateway,
    person_from_rest,
    server_from_gateway,
    server_from_rest,
)
from adapters.shared.rights import RightsCache

MEMBER = "/guilds/{guild_id}/members/{user_id}"
THREAD_MEMBER = "/channels/{channel_id}/thread-members/{user_id}"
CHANNEL = "/channels/{channel_id}"
SERVER, PERSON, THREAD, WITHIN = "server", "person", "thread", "within"
"""Kinds of what is kept; the keys are (server, kind, ids …)."""


class Thread(NamedTuple):
    """What a thread belongs to."""

    parent_id: str
    is_private: bool


class KnownServers:
    """Answers are kept as rights are: for a minute at most, and until the gateway tells of a change."""

    def __init__(
        self, client: DiscordClient, cache: RightsCache[Any], cached_guild: Callable[[str], discord.Guild | None]
    ) -> None:
        self._client, self.cache, self._cached_guild = client, cache, cached_guild
        self._made: dict[str, tuple[discord.Guild, Server]] = {}

    async def server(self, guild: str, channel_ids: Iterable[str], asker: str) -> Server:
        """The server with these of its channels, as far as they exist. asker: who wants to know, by id. Raises DiscordError."""
        if (cached := self._cached_guild(guild)) is not None:
            return self._from_gateway(cached, list(channel_ids))

        async def ask() -> Server:
            told = await self._client.look_up("/guilds/{guild_id}", asker, guild_id=guild)
            channels = await self._client.look_up("/guilds/{guild_id}/channels", asker, guild_id=guild)
            return server_from_rest(told, channels)

        found: Server = await self.cache.get((guild, SERVER), ask)
        return found

    def _from_gateway(self, cached: discord.Guild, channel_ids: Sequence[str]) -> Server:
        """Made of discord.py's cache once, for that takes milliseconds where there are many roles, and kept until a change."""
        guild = str(cached.id)
        of, kept = self._made.get(guild, (None, Server()))
        if of is not cached:  # a new session has other objects
            kept = server_from_gateway(cached)
        found = channels_from_gateway(cached, [one for one in channel_ids if one not in kept.channels])
        lasting = {one: channel for one, channel in found.items() if cached.get_thread(int(one)) is None}
        self._made[guild] = (cached, replace(kept, channels={**kept.channels, **lasting}) if lasting else kept)
        return replace(
            kept, channels={one: each for one in channel_ids if (each := found.get(one) or kept.channels.get(one))}
        )

    def forget_made(self, guild: str = "") -> None:
        """Forget what was made of the gateway's cache: of one server, or all."""
        if guild:
            self._made.pop(guild, None)
        else:
            self._made.clear()

    async def person(self, guild: str, user_id: str) -> Person | None:
        """A member, or None for whoever is not in the server. Raises DiscordError."""

        async def ask() -> Person | None:
            try:
                return person_from_rest(await self._client.look_up(MEMBER, user_id, guild_id=guild, user_id=user_id))
            except DiscordError as error:
                if error.status == 404:
                    return None
                raise

        found: Person | None = await self.cache.get((guild, PERSON, user_id), ask)
        return found

    async def thread(self, guild: str, thread_id: str, asker: str) -> Thread:
        """A thread, archived ones too. Raises DiscordError for what is none in that server."""
        cached = self._cached_guild(guild)
        if cached and (known := cached.get_thread(int(thread_id))) is not None:
            return Thread(str(known.parent_id), known.is_private())

        async def ask() -> Thread:
            told = await self._client.look_up(CHANNEL, asker, channel_id=thread_id)
            if told.get("type") not in THREADS or str(told.get("guild_id")) != guild:
                raise DiscordError("That is no thread of this server.", detail=f"type {told.get('type')}")
            return Thread(str(told.get("parent_id")), told.get("type") == PRIVATE_THREAD)

        found: Thread = await self.cache.get((guild, THREAD, thread_id), ask)
        return found

    async def is_within(self, guild: str, thread_id: str, user_id: str) -> bool:
        """Whether a person is a member of a thread. Raises DiscordError."""

        async def ask() -> bool:
            try:
                await self._client.look_up(THREAD_MEMBER, user_id, channel_id=thread_id, user_id=user_id)
            except DiscordError as error:
                if error.status == 404:
                    return False
                raise
            return True

        found: bool = await self.cache.get((guild, WITHIN, thread_id, user_id), ask)
        return found

    def own_id(self, guild: str) -> str:
        """The bot's own id, where the gateway has the server."""
        found = self._cached_guild(guild)
        return str(found.me.id) if found and found.me else ""

    def places_of(self, guild: str) -> list[str]:
        """Ids of the server's channels and threads that the gateway knows."""
        found = self._cached_guild(guild)
        return [str(one.id) for one in (*found.channels, *found.threads)] if found else []

    def may_write(self, guild: str, channel_id: str) -> bool:
        """Whether the bot may answer there, as the gateway knows; without a gateway it may be tried."""
        found = self._cached_guild(guild)
        place = found.get_channel_or_thread(int(channel_id)) if found and is_id(channel_id) else None
        if found is None or found.me is None or place is None:
            return True
        try:
            held = place.permissions_for(found.me)
        except discord.ClientException:  # a thread whose channel is not in the cache
            return True
        writes = held.send_messages_in_threads if isinstance(place, discord.Thread) else held.send_messages
        return bool(held.view_channel and writes)

    def hear_from(self, channel_id: str, guild: str, user_id: str) -> None:
        """Note that a person acted in a channel or thread: they are there, whatever was answered before."""
        refusals = self._client.refusals
        refusals.forget(key_of("GET", MEMBER, {"guild_id": guild, "user_id": user_id}))
        refusals.forget(key_of("GET", THREAD_MEMBER, {"channel_id": channel_id, "user_id": user_id}))
