"""What Slack lets people do now: which channels they may read and hear the names of, which they manage, and which are theirs alone.

Slack is asked and believed for a minute, and less where it says that something changed. What it does not answer is not allowed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from adapters.shared.rights import RightsCache
from adapters.shared.tasks import TaskSet
from adapters.slack import NAME
from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.event_names import CHANNEL_EVENTS, CHANNEL_SUBTYPES, MEMBER_EVENTS, MEMBER_SUBTYPES, PERSON_EVENTS
from adapters.slack.parse_parts import Payload, scope_of
from adapters.slack.ref import TokenScope

Standing: TypeAlias = Literal["member", "guest", "nobody"]
"""A full member of the workspace; somebody who sees only where they are in; nobody to us."""
Kind: TypeAlias = Literal["public", "private", "direct", "unknown"]
PAGE, MAX_PAGES = 200, 25
"""Of one person's channels. Source: Slack, users.conversations: no more than 200 at a time are recommended."""
SEARCH_S = 8.0
"""So long may finding out about many channels take; those that are not known by then are not readable."""
ASKED_AT_ONCE = 5
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Person:
    """Somebody in a workspace."""

    standing: Standing = "nobody"
    is_admin: bool = False
    """Of the workspace, or its owner."""


@dataclass(frozen=True)
class Channel:
    """A channel as we see it."""

    kind: Kind = "unknown"
    name: str = ""
    creator: str = ""
    person: str = ""
    """With whom a direct message is."""


class Rights:
    """Answers who may what. Raises nothing for whom or what it does not know."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        bus, clock = client.host.bus, client.host.clock
        self._people: RightsCache[Person] = RightsCache(bus, clock, f"{NAME}:people")
        self._memberships: RightsCache[frozenset[str]] = RightsCache(bus, clock, f"{NAME}:memberships")
        self._channels: RightsCache[Channel] = RightsCache(bus, clock, f"{NAME}:channels")
        self._tasks = TaskSet(log, "Slack")

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.close()

    # --- what is asked ---

    async def readable(self, scope: TokenScope, user: str, channels: Collection[str]) -> frozenset[str]:
        """Those of these channels whose history the person may read: public ones as a member, others where they are in.

        A direct message never is: only whoever is in it reads it, and from itself. Raises nothing.
        """
        shared = {one for one in channels if not one.startswith("D")}
        if not user or not shared:
            return frozenset()
        self._listen()
        found: set[str] = set()
        try:
            async with asyncio.timeout(SEARCH_S):
                await self._find_readable(scope, user, shared, found)
        except (SlackError, TimeoutError) as error:
            log.info("what somebody may read at Slack is not known in full: %s", error)
        return frozenset(found)

    async def _find_readable(self, scope: TokenScope, user: str, channels: set[str], found: set[str]) -> None:
        person = await self._person(scope, user)
        if person.standing == "nobody":
            return
        found |= channels & await self._channels_of(scope, user)
        if person.standing == "guest":
            return
        turn = asyncio.Semaphore(ASKED_AT_ONCE)

        async def look(channel: str) -> None:
            async with turn:
                if (await self._looked_up(scope, channel)).kind == "public":
                    found.add(channel)

        async with asyncio.TaskGroup() as group:
            for channel in channels - found:
                group.create_task(look(channel))

    async def names(
        self, scope: TokenScope, user: str, place: str, channels: Collection[str], *, is_direct: bool
    ) -> dict[str, str]:
        """The names of those channels that may be told there; of the others, not even that they exist.

        user: who mentions them. place: the channel where it is read. With others around, only names that all of them may know.
        """
        known = await self.readable(scope, user, channels)
        named = {one: await self._looked_up(scope, one) for one in sorted(known)}
        return {
            one: channel.name
            for one, channel in named.items()
            if channel.name and (is_direct or one == place or channel.kind == "public")
        }

    async def _looked_up(self, scope: TokenScope, channel: str) -> Channel:
        try:
            return await self._channel(scope, channel)
        except SlackError:
            return Channel()

    async def is_manager(self, scope: TokenScope, user: str, channel: str) -> bool:
        """Whether the person manages the channel: an admin or owner of the workspace, or the member who made the channel."""
        self._listen()
        try:
            person = await self._person(scope, user)
            if person.is_admin or person.standing != "member":
                return person.is_admin
            return (await self._channel(scope, channel)).creator == user
        except SlackError as error:
            log.info("who manages %s is not known: %s", channel, error.detail or error.text)
            return False

    async def is_alone(self, scope: TokenScope, user: str, channel: str) -> bool:
        """Whether the channel is the person's direct message with us. Raises SlackError when Slack cannot be asked now."""
        self._listen()
        found = await self._channel(scope, channel)
        return found.kind == "direct" and found.person == user

    # --- what Slack says ---

    async def _person(self, scope: TokenScope, user: str) -> Person:
        async def ask() -> Person:
            answer = await self._ask(scope, "users.info", user=user, team_id=scope.team)
            return person_of(answer.get("user") or {}, scope.team)

        return await self._people.get((user, scope.team), ask)

    async def _channel(self, scope: TokenScope, channel: str) -> Channel:
        async def ask() -> Channel:
            answer = await self._ask(scope, "conversations.info", channel=channel)
            return channel_of(answer.get("channel") or {})

        return await self._channels.get((channel, scope.team), ask)

    async def _channels_of(self, scope: TokenScope, user: str) -> frozenset[str]:
        """The channels that the person is in, as far as we see them: of those that are not public, where we are in too."""

        async def ask() -> frozenset[str]:
            found: set[str] = set()
            args: dict[str, Any] = {"user": user, "team_id": scope.team, "limit": PAGE}
            for _ in range(MAX_PAGES):
                answer = await self._ask(
                    scope, "users.conversations", types="public_channel,private_channel,mpim", **args
                )
                found |= {str(one.get("id") or "") for one in answer.get("channels") or ()}
                args["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor")
                if not args["cursor"]:
                    break
            return frozenset(found)

        return await self._memberships.get((user, scope.team), ask)

    async def _ask(self, scope: TokenScope, method: str, **args: Any) -> Mapping[str, Any]:
        """Slack's answer; a refusal is an answer too, and is kept as one. Raises SlackError when Slack cannot be asked now."""
        try:
            return await self._client.call(scope, method, **args)
        except SlackError as error:
            if error.retry_after_s is not None:
                raise
            log.debug("%s: %s", method, error.detail or error.text)
            return {}

    # --- what changes ---

    def _listen(self) -> None:
        """Hear what other processes are told, from the first question on."""
        if not len(self._tasks):
            for cache in (self._people, self._memberships, self._channels):
                self._tasks.spawn(cache.listen())

    async def note_change(self, body: Payload) -> None:
        """Forget what an event puts in doubt. Raises StoreError when other processes cannot be told."""
        event = body.get("event") or {}
        kind, subtype = str(event.get("type") or ""), str(event.get("subtype") or "")
        user, channel = _id_of(event.get("user")), _id_of(event.get("channel"))
        if kind in MEMBER_EVENTS or subtype in MEMBER_SUBTYPES:
            is_us = user == await self._us(scope_of(body))
            await self._memberships.drop(*([] if is_us or not user else [user]))
        if kind in PERSON_EVENTS and user:
            await self._people.drop(user)
            await self._memberships.drop(user)
        if kind in CHANNEL_EVENTS or subtype in CHANNEL_SUBTYPES:
            await self._channels.drop(channel)
            await self._memberships.drop()

    async def forget(self) -> None:
        """Forget all: the app was removed somewhere. Raises StoreError when other processes cannot be told."""
        for cache in (self._people, self._memberships, self._channels):
            await cache.drop()

    async def _us(self, scope: TokenScope) -> str:
        try:
            return await self._client.bot_user_id(scope)
        except SlackError:
            return ""


def _id_of(named: Any) -> str:
    """Events name people and channels by id, or by a description with the id in it."""
    return str((named.get("id") if isinstance(named, Mapping) else named) or "")


def person_of(user: Mapping[str, Any], team: str) -> Person:
    """Somebody as `users.info` describes them, to the workspace `team`. Source: Slack, User object."""
    if not user.get("id") or user.get("deleted"):
        return Person()
    homes = {user.get("team_id"), *((user.get("enterprise_user") or {}).get("teams") or ())}
    is_limited = any(user.get(name) for name in ("is_stranger", "is_restricted", "is_ultra_restricted"))
    if is_limited or team not in homes:
        return Person("guest")
    return Person("member", any(bool(user.get(name)) for name in ("is_admin", "is_owner", "is_primary_owner")))


def channel_of(channel: Mapping[str, Any]) -> Channel:
    """A channel as `conversations.info` describes it. Source: Slack, Conversation object."""
    if not channel.get("id"):
        return Channel()
    if channel.get("is_im"):
        return Channel("direct", person=str(channel.get("user") or ""))
    is_public = bool(channel.get("is_channel")) and not (channel.get("is_private") or channel.get("is_mpim"))
    return Channel(
        "public" if is_public else "private", str(channel.get("name") or ""), str(channel.get("creator") or "")
    )
