"""What was said at Discord while Parley was not there: reply chains, threads, and messages missed in a downtime."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.discord.client import DiscordClient, DiscordError
from adapters.discord.directory import Directory
from adapters.discord.entities import Payload, is_id
from adapters.discord.message_content import HISTORY_UNREADABLE
from adapters.discord.pace import PACE, Pace
from adapters.discord.parse_parts import (
    DIRECT,
    DISCORD_EPOCH_MS,
    DM,
    PLATFORM,
    SPOKEN,
    Lookup,
    MessageLocation,
    attachments,
    author_of,
    is_ours,
    message_text,
    moment,
    quoted_in,
    replied_to,
)
from adapters.discord.post import MESSAGE, MESSAGES
from adapters.discord.ref import DiscordRef
from adapters.discord.rights import Rights
from bot.types import Author, Backfill, Command, InboundMessage, ResumePoint

PAGE = 100
"""Source: Discord, Get Channel Messages, `limit`."""
MAX_CHAIN = 30
CHANNEL_MESSAGES = 40
"""Read of a channel for a command."""
MAX_CHANNELS = 300
APP_ANSWERS = (20, 23)
"""Types of the messages by which apps answer commands."""
log = logging.getLogger(__name__)


class History:
    """Reads the history that Discord keeps."""

    def __init__(self, client: DiscordClient, directory: Directory, rights: Rights, pace: Pace = PACE) -> None:
        self._client, self._directory, self._rights, self._pace = client, directory, rights, pace

    # --- before Parley joined ---

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """The chain that the question replies to, its thread, or the channel in which a command was given.

        Only what the person may read at Discord: nobody has Parley read for them what they may not.
        """
        address, ref = inbound.address, DiscordRef.from_ref(inbound.ref)
        at = ref.channel_id or address.channel
        if not ref.is_member or ref.about_id or (isinstance(inbound, Command) and inbound.is_direct):
            return Backfill()
        if not await self._rights.may_read_here(inbound):
            return Backfill()
        place = MessageLocation(at, address.workspace, address.channel, address.thread if at == address.thread else "")
        viewer = inbound.author
        try:
            if isinstance(inbound, Command):
                return await self._before(place, "", CHANNEL_MESSAGES, viewer)
            if at == address.thread:
                return await self._thread(place, inbound.message_id, viewer)
            if inbound.reply_to and address.thread == inbound.message_id:
                return await self._chain(place, inbound.reply_to, viewer)
        except DiscordError as error:
            log.info("history of %s: %s", at, error.detail)
            return Backfill(is_complete=False)
        return Backfill()

    async def _chain(self, place: MessageLocation, newest: str, viewer: Author) -> Backfill:
        """The reply chain that ends with the newest message, oldest first."""
        found: list[Payload] = []
        message_id = newest
        while message_id and len(found) < MAX_CHAIN:
            message = await self._message(place.channel_id, message_id, viewer.id)
            if message is None:
                return await self._values(place, found[::-1], viewer, is_complete=False)
            found.append(message)
            message_id = _answered(message)
        return await self._values(place, found[::-1], viewer, is_complete=not message_id)

    async def _message(self, channel: str, message_id: str, viewer_id: str) -> Payload | None:
        try:
            found: Payload = await self._client.look_up(MESSAGE, viewer_id, channel_id=channel, message_id=message_id)
        except DiscordError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def _thread(self, place: MessageLocation, before: str, viewer: Author) -> Backfill:
        """A thread, with the message that it was started from."""
        earlier = await self._before(place, before, PAGE, viewer)
        if not earlier.is_complete or place.channel == place.channel_id:
            return earlier
        starter = await self._starter(place, viewer.id)
        if starter is None:
            return earlier
        first = await self._values(place, [starter], viewer)
        known = {one.message_id for one in earlier.messages}
        return replace(earlier, messages=(*(m for m in first.messages if m.message_id not in known), *earlier.messages))

    async def _starter(self, place: MessageLocation, viewer_id: str) -> Payload | None:
        """A thread has the id of the message it was made from; a forum's post holds that message itself."""
        try:
            return await self._message(place.channel, place.channel_id, viewer_id)
        except DiscordError:
            return None

    async def _before(self, place: MessageLocation, before: str, limit: int, viewer: Author) -> Backfill:
        params = {"limit": str(limit), **({"before": before} if is_id(before) else {})}
        found = await self._client.look_up(MESSAGES, viewer.id, channel_id=place.channel_id, params=params)
        return await self._values(
            place, sorted(found, key=_by_id), viewer, is_complete=len(found) < limit or bool(not place.thread)
        )

    async def _values(
        self, place: MessageLocation, messages: Sequence[Payload], viewer: Author, *, is_complete: bool = True
    ) -> Backfill:
        lookup = await self._directory.lookup({"messages": list(messages)}, place.workspace, viewer)
        values = [value for one in messages if (value := _value(place, one, lookup))]
        is_blind = bool(messages) and not values
        return Backfill(tuple(values), is_complete and not is_blind)

    async def from_here(self, place: MessageLocation, message_id: str, viewer: Author) -> str:
        """The messages from that one on, a line each, or a sentence that says why they cannot be read. Raises DiscordError."""
        first = await self._message(place.channel_id, message_id, viewer.id)
        messages = [first] if first else []
        async for page in self._after(place.channel_id, message_id, self._pace.summary_pages):
            messages += page
        found = await self._values(place, messages, viewer)
        lines = [_as_line(one) for one in found.messages if one.text or one.quoted]
        if len(messages) > self._pace.summary_pages * PAGE:
            lines.append(
                f"[These are the first {len(messages)} messages from there on; more follow that are not here.]"
            )
        return "\n".join(lines) or HISTORY_UNREADABLE

    async def _after(self, channel: str, after: str, pages: int) -> AsyncIterator[list[Payload]]:
        """Pages of messages, oldest first."""
        for _ in range(pages):
            params = {"limit": str(PAGE), "after": after}
            found = sorted(await self._client.call("GET", MESSAGES, channel_id=channel, params=params), key=_by_id)
            yield found
            if len(found) < PAGE:
                return
            after = str(found[-1]["id"])

    # --- after a downtime ---

    async def _since(self, channel: str, after: str) -> list[Payload]:
        """The messages after that one, oldest first. Of very many, the oldest are left out."""
        found: list[Payload] = []
        before: dict[str, str] = {}
        for _ in range(self._pace.missed_pages):
            params = {"limit": str(PAGE), **before}
            page = sorted(await self._client.call("GET", MESSAGES, channel_id=channel, params=params), key=_by_id)
            found = [*(one for one in page if _by_id(one) > int(after)), *found]
            if len(page) < PAGE or _by_id(page[0]) <= int(after):
                return found
            before = {"before": str(page[0]["id"])}
        log.warning("in %s more was said than can be caught up with: the oldest messages are left out", channel)
        return found

    async def missed(self) -> AsyncIterator[Mapping[str, Any]]:
        """The messages of active conversations that came since the newest known, each channel's oldest first, as if delivered.

        What is known already is among them when it overlaps; what is older than DISCORD_BACKFILL_HOURS is left alone.
        """
        hours = self._client.options.discord_backfill_hours
        if not hours:
            return
        since = self._client.host.clock.now() - timedelta(hours=hours)
        seen = await self._client.host.timeline.resume_points(PLATFORM, since)
        for (workspace, channel), after in gaps(seen, self._directory.active_threads(), since):
            guild = {} if workspace == DIRECT else {"guild_id": workspace}
            try:
                if workspace == DIRECT and (await self._directory.channel("", channel)).get("type") != DM:
                    continue  # where somebody brought us along: what is said there is not said to us
                for message in await self._since(channel, after):
                    yield {**message, **guild, "channel_id": channel}
            except DiscordError as error:
                log.info("what was missed in %s could not be fetched: %s", channel, error.detail)


def gaps(seen: Sequence[ResumePoint], threads: set[str], since: datetime) -> list[tuple[tuple[str, str], str]]:
    """Where to look, and after which message: each channel with active conversations, and each of their open threads."""
    newest: dict[tuple[str, str], tuple[str, datetime]] = {}
    oldest = snowflake_at(since)
    for one in seen:
        at = one.address.thread if one.address.thread in threads else one.address.channel
        last = one.message_id if is_id(one.message_id) else snowflake_at(one.sent_at)
        key = (one.address.workspace, at)
        known = newest.get(key, (oldest, since))
        newest[key] = (max(last, known[0], key=int), max(one.sent_at, known[1]))
    ordered = sorted(newest.items(), key=lambda item: item[1][1], reverse=True)
    return [(key, after) for key, (after, _) in ordered[:MAX_CHANNELS]]


def snowflake_at(moment_: datetime) -> str:
    """The smallest id that a message of that moment can have. Source: Discord, Reference, Snowflakes."""
    return str(max(int(moment_.timestamp() * 1000) - DISCORD_EPOCH_MS, 0) << 22)


def _by_id(message: Payload) -> int:
    return int(message["id"])


def _answered(message: Payload) -> str:
    """The id of the message that this one answers: by reply, or as an app's answer to a message menu."""
    data = message.get("interaction_metadata") or {}
    return replied_to(message) or str(data.get("target_message_id") or "")


def _as_line(message: InboundMessage) -> str:
    """A message behind its author's name; its further lines are indented, so that none of them passes for another message."""
    words = "\n".join(filter(None, (message.text, *(one.text for one in message.quoted))))
    name = " ".join(message.author.name.split()) or "Parley"
    return f"{name}: " + words.replace("\n", "\n    ")


def _value(place: MessageLocation, message: Payload, lookup: Lookup) -> InboundMessage | None:
    if message.get("type", 0) not in (*SPOKEN, *APP_ANSWERS):
        return None
    text, files = message_text(message, lookup), attachments(message, place, lookup.cdn_url)
    quoted = quoted_in(message, lookup)
    if not text and not files and not quoted:
        return None
    author = author_of(message, lookup.us)
    message_id = str(message["id"])
    return InboundMessage(
        event_id=f"earlier:{message_id}",
        message_id=message_id,
        address=place.address(),
        author=replace(author, id="") if is_ours(message, lookup.us) else author,
        text=text,
        attachments=files,
        sent_at=moment(message.get("timestamp"), message_id),
        quoted=quoted,
    )
