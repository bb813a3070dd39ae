"""What Discord lets a person read and manage now: by the interaction that they just made, by the gateway's cache, or as asked."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

from adapters.discord.client import DiscordClient
from adapters.discord.entities import Payload, is_id
from adapters.discord.known_servers import PERSON, SERVER, THREAD, WITHIN, KnownServers
from adapters.discord.parse_parts import DIRECT, MessageLocation
from adapters.discord.ref import DiscordRef
from adapters.discord.servers import MANAGE_THREADS, MANAGES, Person, Server, person_in
from adapters.shared.tasks import TaskSet
from bot.errors import BotError
from bot.types import Address, Author, Command, InboundMessage

ALLOWED = "discord:allowed"
"""Where it is published what may no longer be refused, by ids."""
FRESH = timedelta(seconds=60)
"""How long what Discord sent along with an event tells what its author may do. Source: none; rights are kept no longer either."""
CHAIN_ENTRIES = 500
CHANGES = (
    *("GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE"),
    *("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "GUILD_UPDATE", "GUILD_DELETE"),
    *("THREAD_UPDATE", "THREAD_DELETE", "THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE"),
)
"""The gateway's events after which somebody may have other rights. Source: Discord, Gateway Events."""
log = logging.getLogger(__name__)


class Rights:
    """Says who may read and who manages. What cannot be found out is not allowed."""

    def __init__(self, client: DiscordClient, servers: KnownServers) -> None:
        self._client, self._servers = client, servers
        self._tasks = TaskSet(log, "Discord rights")
        self._listening: dict[str, asyncio.Task[None]] = {}

    # --- reading ---

    async def readable_by(self, reader: InboundMessage | Command, places: Collection[Address]) -> list[Address]:
        """Those of these shared places whose history this person may read now."""
        self._listen()
        return [place for place in places if await self._is_readable(reader, place)]

    async def _is_readable(self, reader: InboundMessage | Command, place: Address) -> bool:
        try:
            return await self._may_read(reader, place)
        except (BotError, ValueError) as error:  # an id that is no number cannot be asked about
            log.info("not readable: %s: %s", place.key(), getattr(error, "detail", "") or error)
            return False

    async def may_read_here(self, inbound: InboundMessage | Command) -> bool:
        """Whether this person may read what was said before where they wrote or gave a command."""
        self._listen()
        return inbound.is_direct or await self._is_readable(inbound, inbound.address)

    async def _may_read(self, reader: InboundMessage | Command, place: Address) -> bool:
        ref = DiscordRef.from_ref(reader.ref)
        is_here = place == reader.address and self._client.host.clock.now() - reader.sent_at < FRESH
        if is_here and ref.application_id:
            return ref.may_read_history  # as the interaction said
        if place.workspace == DIRECT or place.workspace != reader.address.workspace or not is_id(reader.author.id):
            return False
        person = await self._servers.person(place.workspace, reader.author.id)
        server = await self._servers.server(place.workspace, [place.channel], reader.author.id)
        channel = server.channels.get(place.channel)
        if person is None or channel is None or not server.may_read(person, channel):
            return False
        if is_here or not place.thread or await self._is_chain(reader, place):
            return True
        return await self._may_enter(server, person, place)

    async def _is_chain(self, reader: InboundMessage | Command, place: Address) -> bool:
        """Whether the place is a reply chain in its channel, and no thread.

        Both are named by an id: a chain's is that of a message that was written down in it, which no private thread's can be.
        """
        if place == reader.address and DiscordRef.from_ref(reader.ref).channel_id == place.channel:
            return True
        entries = await self._client.host.timeline.entries(place, CHAIN_ENTRIES)
        return any(entry.message_id == place.thread for entry in entries)

    async def _may_enter(self, server: Server, person: Person, place: Address) -> bool:
        """Whether a thread is open to whoever reads its channel; a private one is to its members, and to managers of threads."""
        thread = await self._servers.thread(place.workspace, place.thread, person.id)
        if thread.parent_id != place.channel:
            return False
        if not thread.is_private or server.permissions(person, server.channels[place.channel]) & MANAGE_THREADS:
            return True
        return await self._servers.is_within(place.workspace, place.thread, person.id)

    # --- what comes with a message ---

    async def known_author(self, place: MessageLocation, author: Author) -> Author:
        """The author with what they may do where they wrote. What cannot be found out, they may not."""
        if place.workspace == DIRECT:
            return author
        channel_id = place.channel or place.channel_id
        try:
            person = person_in(place.workspace, author) or await self._servers.person(place.workspace, author.id)
            server = await self._servers.server(place.workspace, [channel_id], author.id)
        except BotError as error:
            log.info("what %s may do in %s: %s", author.id, place.channel_id, error)
            return replace(author, sees_history=False)
        channel, now = server.channels.get(channel_id), self._client.host.clock.now()
        if person is None or channel is None:
            return replace(author, sees_history=False)
        manages = bool(server.permissions(person, channel, now) & MANAGES)
        return replace(author, is_manager=manages, sees_history=server.may_read(person, channel))

    # --- changes ---

    async def hear(self, name: str, data: Payload) -> None:
        """Drop what an event of the gateway changed."""
        guild = str(data.get("guild_id") or data.get("id") or "")
        if not name.startswith(("GUILD_MEMBER", "THREAD")):
            self._servers.forget_made(guild)
        await self._forget_refusals(name, data)
        match name:
            case "GUILD_MEMBER_UPDATE" | "GUILD_MEMBER_REMOVE":
                await self._servers.cache.drop(guild, PERSON, str((data.get("user") or {}).get("id")))
            case "GUILD_DELETE":
                await self._servers.cache.drop(guild)
            case "THREAD_UPDATE" | "THREAD_DELETE" | "THREAD_MEMBER_UPDATE" | "THREAD_MEMBERS_UPDATE":
                await self._servers.cache.drop(guild, THREAD, str(data.get("id")))
                await self._servers.cache.drop(guild, WITHIN, str(data.get("id")))
            case _:
                await self._servers.cache.drop(guild, SERVER)

    async def _forget_refusals(self, name: str, data: Payload) -> None:
        """What was refused may be allowed now: what an event is about, and everything in a server whose roles have changed."""
        guild, user_id = str(data.get("guild_id") or data.get("id")), (data.get("user") or {}).get("id")
        if user_id and user_id != self._servers.own_id(guild):
            return  # a member's rights are not ours, and nothing was refused because of them
        ids: list[Any] = [data.get("id"), user_id]
        if user_id or name.startswith(("GUILD_ROLE", "GUILD_UPDATE")):
            ids += [guild, *self._servers.places_of(guild)]
        told = [str(one) for one in ids if one]
        self._client.refusals.forget_about(*told)
        await self._client.host.bus.publish(ALLOWED, {"ids": told})

    async def _hear_of_allowed(self) -> None:
        """Take up what the process that holds the gateway heard, until cancelled."""
        async with self._client.host.bus.subscribe(ALLOWED) as published:
            async for message in published:
                self._client.refusals.forget_about(*message["ids"])

    async def forget_all(self) -> None:
        """Drop everything: a new session of the gateway does not say what happened before it."""
        self._servers.forget_made()
        await self._servers.cache.drop()

    def _listen(self) -> None:
        """Hear from now on what other processes drop. These tasks outlive the turn that begins them, without its context."""
        for listen in (self._servers.cache.listen, self._hear_of_allowed):
            task = self._listening.get(listen.__name__)
            if task is None or task.done():
                self._listening[listen.__name__] = contextvars.Context().run(self._tasks.spawn, listen())

    async def close(self) -> None:
        """Stop listening to other processes."""
        await self._tasks.close()
