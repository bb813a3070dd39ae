"""Holds Discord's gateway and hands in what people do, in the order of each channel."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

import discord
import yarl
from cachetools import LRUCache

from adapters.discord.client import DiscordClient, at_address
from adapters.discord.directory import Directory
from adapters.discord.entities import MALFORMED, Payload
from adapters.discord.history import History
from adapters.discord.interact import Interactions
from adapters.discord.message_content import INTENT_REFUSED
from adapters.discord.pace import PACE, Pace
from adapters.discord.parse_events import parse_deletion, parse_edit, parse_message
from adapters.discord.parse_parts import (
    DIRECT,
    Link,
    MessageLocation,
    Us,
    author_of,
    is_ours,
    link_of,
    mentions_bot,
    replied_to,
)
from adapters.discord.rights import CHANGES, Rights
from adapters.discord.slash import sync
from adapters.shared.tasks import TaskSet
from bot.errors import BotError, PlatformError
from bot.policy.addressing import is_answerable
from bot.ports import Accept
from bot.types import Accepted, Inbound

PATIENCE_S = 2.0
MAX_REMEMBERED, MAX_MUTE = 20_000, 500
TIP_ENTRIES = 20
SESSION = ("READY", "RESUMED")
"""Events without which there is no session."""
DISPATCH = 0
"""The opcode of events. Source: Discord, Topics, Gateway Opcodes."""
HEARD = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "INTERACTION_CREATE", *CHANGES)
_HEARD = re.compile(rf'"t":\s*"(?:{"|".join(HEARD)})"')
log = logging.getLogger(__name__)


class Listener:
    """One gateway, with as many shards as Discord recommends."""

    def __init__(
        self, client: DiscordClient, directory: Directory, history: History, rights: Rights, pace: Pace = PACE
    ) -> None:
        self._client, self._directory, self._history, self._pace = client, directory, history, pace
        self._rights = rights
        self._interactions = Interactions(client, directory, history)
        self._order: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks = TaskSet(log, "Discord")
        self.hears_all = bool(client.options.discord_message_content)
        """Whether people's words arrive where nobody mentions us: the Message Content intent, until Discord refuses it."""
        self._members_refused = False
        self._ours: LRUCache[str, bool] = LRUCache(MAX_REMEMBERED)
        """Ids of our own messages, whose deletion takes nothing out of the history."""
        self._mute: LRUCache[str, bool] = LRUCache(MAX_MUTE)
        """Channels in which we may not write, as was logged once."""
        self._roots: LRUCache[str, str] = LRUCache(MAX_REMEMBERED)
        """By question, the root of its reply chain."""

    async def listen(self, accept: Accept) -> None:
        """Hold the gateway until cancelled; without the privileged intent if that is refused. Raises PlatformError."""
        while True:
            wants_members = await self._may_hear_members()
            try:
                await self._hold(accept, wants_members)
                return
            except discord.PrivilegedIntentsRequired as error:
                if not (self.hears_all or wants_members):
                    raise PlatformError("Discord refuses the intents.", detail=str(error)) from error
                self._give_up_an_intent(wants_members)

    async def _may_hear_members(self) -> bool:
        """Whether to ask for the Server Members intent: where the portal has it, for Discord ends the session otherwise."""
        if not self._client.options.discord_server_members or self._members_refused:
            return False
        application = (await self._client.rest()).application
        flags = application.flags if application else discord.ApplicationFlags()
        return flags.gateway_guild_members or flags.gateway_guild_members_limited

    def _give_up_an_intent(self, wanted_members: bool) -> None:
        """Discord does not say which intent it refused: do without the members first, then without the content."""
        if wanted_members:
            self._members_refused = True
        else:
            log.warning(INTENT_REFUSED)
            self.hears_all = False

    async def _hold(self, accept: Accept, wants_members: bool) -> None:
        await self._client.rest()  # the first interaction must not wait for a login
        gateway = self._gateway(accept, wants_members)
        try:
            await gateway.login(self._client.token)
            await self._keep_budget(gateway)
            self._directory.gateway = gateway
            await gateway.connect()
            raise PlatformError("Discord ended the gateway's session.")  # whoever holds us begins anew, after a pause
        except (
            discord.HTTPException,
            discord.GatewayNotFound,
            discord.ConnectionClosed,
            discord.LoginFailure,
        ) as error:
            raise PlatformError(
                "Discord's gateway could not be held.", detail=f"{type(error).__name__}: {error}"
            ) from error
        finally:
            self._directory.gateway = None
            await gateway.close()

    def _gateway(self, accept: Accept, wants_members: bool) -> discord.AutoShardedClient:
        intents = discord.Intents(
            guilds=True,
            guild_messages=True,
            dm_messages=True,
            message_content=self.hears_all,
            members=wants_members,
        )
        gateway = discord.AutoShardedClient(
            intents=intents,
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            guild_ready_timeout=self._pace.ready_s,
            enable_debug_events=True,  # for on_socket_raw_receive
        )
        at_address(gateway, self._client.options.discord_api_url)
        self._at_gateway(gateway)
        self.attach(gateway, accept)
        return gateway

    def _at_gateway(self, gateway: discord.AutoShardedClient) -> None:
        """Connect to DISCORD_GATEWAY_URL instead of the address that the API names, also when the library reconnects."""
        url, connect = self._client.options.discord_gateway_url, gateway.http.ws_connect

        async def connected(asked: str, **given: Any) -> Any:
            return await connect(str(yarl.URL(url).with_query(yarl.URL(asked).query)), **given)

        if url:
            setattr(gateway.http, "ws_connect", connected)  # noqa: B010  (mypy knows it as a method)

    def attach(self, gateway: discord.Client, accept: Accept) -> None:
        """Hear what this client's gateway sends, word for word: see docs/adr/0009."""

        async def on_socket_raw_receive(frame: str) -> None:
            if (event := heard_event(frame)) is not None:
                self.hear(*event, accept)

        async def on_ready() -> None:  # a new session: whoever lost it may have lost our commands too
            self._tasks.spawn(self._rights.forget_all())
            self._tasks.spawn(self._sync())
            self._tasks.spawn(self.backfill(accept))

        shield_parsers(gateway)
        gateway.event(on_socket_raw_receive)
        gateway.event(on_ready)

    def hear(self, name: str, data: Payload, accept: Accept) -> None:
        """Begin to handle an event of the gateway by its name; one that means nothing here is dropped."""
        match name:
            case "MESSAGE_CREATE":
                self._begin(name, self._created(data, accept))
            case "MESSAGE_UPDATE":
                self._begin(name, self._updated(data, accept))
            case "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK":
                self._begin(name, self._deleted(data, accept))
            case "INTERACTION_CREATE":
                self._begin(name, self._interactions.handle(data, accept))
            case _ if name in CHANGES:
                self._begin(name, self._rights.hear(name, data))

    def _begin(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.spawn(self._survive(name, work))

    async def _survive(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """Handle an event; one that is not as Discord describes it costs nothing but itself."""
        try:
            await work
        except MALFORMED as error:
            log.warning(
                "an event %s is not as Discord describes it: %s: %s", name, type(error).__name__, str(error)[:200]
            )
            log.debug("where it failed", exc_info=True)

    async def _keep_budget(self, gateway: discord.AutoShardedClient) -> None:
        """Wait for new logins rather than use up the last ones of the day."""
        limits = await gateway.fetch_session_start_limits()
        if limits.remaining <= self._pace.spare_identifies:
            wait = limits.reset_after
            log.error("only %d logins at Discord are left; waiting %.0f s for new ones", limits.remaining, wait)
            await self._client.host.clock.sleep(max(wait, 1.0))

    async def _sync(self) -> None:
        try:
            await sync(self._client)
        except BotError as error:
            log.warning("the commands could not be sent to Discord: %s %s", error.text, error.detail)

    # --- what people do ---

    async def _created(self, data: Payload, accept: Accept) -> None:
        if is_ours(data, Us(await self._own_id())):
            self._ours[str(data["id"])] = True
            return
        if not is_answerable(author_of(data)):
            return
        async with self._channel_lock(str(data.get("channel_id"))):
            await self._take(data, accept)

    async def _own_id(self) -> str:
        user = self._directory.gateway.user if self._directory.gateway else None
        return str(user.id) if user else await self._client.bot_id()

    async def _take(self, data: Payload, accept: Accept) -> Accepted | None:
        place, author = await self._directory.place(data), author_of(data)
        self._directory.servers.hear_from(place.channel_id, place.workspace, author.id)
        lookup = await self._directory.lookup(data, place.workspace, author)
        inbound = parse_message(data, place, lookup, await self._chain(data, place, lookup.us))
        if inbound is None or not self._may_answer(place, data, lookup.us):
            return None
        inbound = replace(inbound, author=await self._rights.known_author(place, inbound.author))
        self._roots[inbound.message_id] = inbound.address.thread
        return await self._accept(inbound, accept)

    def _may_answer(self, place: MessageLocation, data: Payload, us: Us) -> bool:
        """Whether the bot may write there. Where it may not, nothing is tried: each refusal would count towards a bar."""
        if place.workspace == DIRECT or self._directory.servers.may_write(place.workspace, place.channel_id):
            return True
        if mentions_bot(data, us) and place.channel_id not in self._mute:
            self._mute[place.channel_id] = True
            log.warning("Parley was asked something in channel %s, where it may not write", place.channel_id)
        return False

    async def _chain(self, data: Payload, place: MessageLocation, us: Us) -> str | None:
        """The root of the reply chain that a message continues, which is the one whose last answer it replies to.

        A reply to anything earlier begins a branch of its own, whose history is the chain above it.
        """
        target = data.get("referenced_message") or {}
        if place.thread or not replied_to(data):
            return None
        link = link_of(target, us) or self._remembered(target, us)
        if link and await self._is_tip(place, link):
            return link.root_id
        return str(data["id"])

    def _remembered(self, target: Payload, us: Us) -> Link | None:
        """The place of an answer that has no buttons, by the question that it replies to."""
        question = replied_to(target)
        if not question or not is_ours(target, us):
            return None
        return Link(question, self._roots.get(question, question))

    async def _is_tip(self, place: MessageLocation, link: Link) -> bool:
        entries = await self._client.host.timeline.entries(place.address(link.root_id), TIP_ENTRIES)
        asked = [entry.message_id for entry in entries if entry.role == "user"]
        return bool(asked) and asked[-1] == link.question_id

    async def _updated(self, data: Payload, accept: Accept) -> None:
        if not data.get("edited_timestamp") or not is_answerable(author_of(data)):
            return
        async with self._channel_lock(str(data.get("channel_id"))):
            place = await self._directory.place(data)
            inbound = parse_edit(data, place, await self._directory.lookup(data, place.workspace, author_of(data)))
            if inbound is None:
                return
            inbound = replace(inbound, author=await self._rights.known_author(place, inbound.author))
            done = await self._accept(inbound, accept)
            if done.outcome == "ignored" and inbound.mentions_bot:
                await self._take(data, accept)  # unknown so far, such as one whose words came only with the mention

    async def _deleted(self, data: Payload, accept: Accept) -> None:
        gone = [str(one) for one in data.get("ids") or (data.get("id"),) if str(one) not in self._ours]
        if not gone:
            return
        async with self._channel_lock(str(data.get("channel_id"))):
            place = await self._directory.place(data)
            for message_id in gone:
                inbound = parse_deletion(message_id, place, self._client.host.clock.now())
                await self._accept(inbound, accept)

    async def backfill(self, accept: Accept) -> int:
        """Hand in what was missed in active conversations; return how many messages were new."""
        count = 0
        async for message in self._history.missed():
            if not is_answerable(author_of(message)):
                continue
            async with self._channel_lock(str(message["channel_id"])):
                done = await self._take(message, accept)
            count += done is not None and done.outcome in ("queued", "noted")
        if count:
            log.info("handed in %d messages that were missed at Discord", count)
        return count

    async def _accept(self, inbound: Inbound, accept: Accept) -> Accepted:
        """Hand it in; try again after a pause when it could not be stored. Raises BotError."""
        for wait_s in self._pace.accept_again_s:
            with suppress(BotError):
                return await accept(inbound)
            await self._client.host.clock.sleep(wait_s)
        return await accept(inbound)

    def _channel_lock(self, channel: str) -> asyncio.Lock:
        """What comes first in a channel is handed in first."""
        lock = self._order.get(channel)
        if lock is None:
            lock = self._order[channel] = asyncio.Lock()
        return lock

    async def close(self) -> None:
        """Give running hand-ins a moment to end, then cancel the rest."""
        await self._tasks.close(PATIENCE_S)


def shield_parsers(gateway: discord.Client) -> None:
    """Let an event that discord.py cannot read cost nothing but itself: it would end the whole session, at each new try again."""
    parsers = gateway._connection.parsers
    for name, parse in list(parsers.items()):
        if name not in SESSION:
            parsers[name] = _shielded(name, parse)


def _shielded(name: str, parse: Callable[[Any], Any]) -> Callable[[Any], None]:
    def parsed(data: Any) -> None:
        try:
            parse(data)
        except MALFORMED as error:
            log.warning("discord.py cannot read an event %s: %s: %s", name, type(error).__name__, str(error)[:200])
            log.debug("where it failed", exc_info=True)

    return parsed


def heard_event(frame: str) -> tuple[str, Payload] | None:
    """The name and the payload of a gateway's frame, or None when Parley has no use for it.

    Most frames, and the largest, are not parsed a second time.
    """
    if not _HEARD.search(frame):
        return None
    event = json.loads(frame)
    is_whole = isinstance(event, dict) and event.get("op") == DISPATCH and isinstance(event.get("d"), dict)
    return (event["t"], event["d"]) if is_whole and event.get("t") in HEARD else None
