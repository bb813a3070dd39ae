"""What was said at Slack while Parley was not there: a thread before it joined, and messages missed in a downtime."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cachetools import TTLCache

from adapters.slack import NAME, entities
from adapters.slack.client import SlackClient
from adapters.slack.entities import Directory, Reader
from adapters.slack.errors import OUTSIDE, SlackError
from adapters.slack.parse_events import parse_event
from adapters.slack.parse_parts import SPOKEN_SUBTYPES, attachments, blocks_text, cards_text, moment
from adapters.slack.ref import SlackRef, TokenScope
from adapters.slack.rights import Rights
from adapters.slack.target import is_ts
from bot.errors import BotError
from bot.ports import Accept
from bot.types import Address, Author, Backfill, Command, InboundMessage, Quoted, ResumePoint

PAGE = 200
MAX_PAGES = 3
CHANNEL_MESSAGES = 40
"""Read of a channel for a command, or for a question about the channel that is looked at."""
QUOTA_PAGE = 15
"""What an app distributed outside the Marketplace gets at once, once a minute. Source: Slack, Rate limits."""
PATIENCE_S = 8.0
"""A question waits at most this long for earlier messages."""
NAMES_S = 4.0
MAX_CONVERSATIONS = 300
SPARE_S = 2.0
MAX_UNREADABLE = 5_000
UNREADABLE_S = 600.0
"""A channel that somebody looks at and that we may not read is not asked for again so soon."""
log = logging.getLogger(__name__)


class History:
    """Reads Slack's own history."""

    def __init__(self, client: SlackClient, directory: Directory, rights: Rights) -> None:
        self._client, self._directory, self._rights = client, directory, rights
        self._unreadable: TTLCache[tuple[str, str], bool] = TTLCache(
            MAX_UNREADABLE, UNREADABLE_S, client.host.clock.monotonic
        )
        """By workspace and channel."""

    # --- before Parley joined ---

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """The thread up to the question, or the channel a command or the agent panel is about."""
        ref = SlackRef.from_ref(inbound.ref, inbound.address.workspace)
        scope, us, channel, thread = ref.scope, ref.bot_user_id, inbound.address.channel, inbound.address.thread
        reader = Reader(ref.user_id, channel, inbound.is_direct)
        if ref.looking_at and await self._rights.readable(scope, ref.user_id, [ref.looking_at]):
            return await self._read(scope, us, reader, ref.looking_at, "", "", CHANNEL_MESSAGES)
        if isinstance(inbound, Command):
            return await self._read(scope, us, reader, channel, "", "", CHANNEL_MESSAGES)
        before = ref.about_ts or inbound.message_id
        if not thread or thread == inbound.message_id:
            return Backfill()
        latest = before if is_ts(before) and not ref.is_shortcut else ""
        earlier = await self._read(scope, us, reader, channel, thread, latest, PAGE)
        kept = tuple(one for one in earlier.messages if not (ref.is_shortcut and one.message_id == before))
        return replace(earlier, messages=kept)

    async def _read(
        self, scope: TokenScope, us: str, reader: Reader, channel: str, thread: str, latest: str, limit: int
    ) -> Backfill:
        """What was said in a channel, which the reader sees. Elsewhere than where they ask, it is named beside who said it."""
        is_elsewhere = channel != reader.place
        if (scope.team, channel) in self._unreadable:
            return Backfill(is_complete=False)
        try:
            us = us or (await self._client.identity(scope)).user_id
            messages, is_complete = await self._pages(scope, channel, thread, latest, limit)
        except SlackError as error:
            log.info("history of %s: %s", channel, error.detail or error.text)
            if is_elsewhere and error.slack_code in OUTSIDE:  # looked at by a person, and not ours to read
                self._unreadable[scope.team, channel] = True
            return Backfill(is_complete=False)
        found = await self._values(scope, reader, channel, messages, us)
        return Backfill(tuple(found), is_complete)

    async def _pages(
        self, scope: TokenScope, channel: str, thread: str, latest: str, limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """The messages, oldest first, and whether that is all. Raises SlackError."""
        method = "conversations.replies" if thread else "conversations.history"
        args: dict[str, Any] = {"channel": channel, "limit": limit, "include_all_metadata": True}
        args |= {"ts": thread} if thread else {}
        args |= {"latest": latest, "inclusive": False} if latest else {}
        found: dict[str, dict[str, Any]] = {}
        for _ in range(MAX_PAGES if thread else 1):
            if self._client.limiter.wait_s(scope.team, method) > PATIENCE_S:
                return _sorted(found), False
            answer = await self._client.call(scope, method, patience_s=PATIENCE_S, **args)
            messages = answer.get("messages") or []
            found.update({str(one.get("ts")): one for one in messages})
            has_more = bool(answer.get("has_more"))
            if has_more and len(messages) <= QUOTA_PAGE + 1 and limit > QUOTA_PAGE + 1:  # the parent may come besides
                self._client.limiter.limit(scope.team, method, 1)
                return _sorted(found), False
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not has_more or not cursor:
                return _sorted(found), not (has_more and thread)
            args["cursor"] = cursor
        return _sorted(found), False

    async def _values(
        self, scope: TokenScope, reader: Reader, channel: str, messages: Sequence[Mapping[str, Any]], us: str
    ) -> list[InboundMessage]:
        is_elsewhere = channel != reader.place
        spoken = [one for one in messages if one.get("subtype") in SPOKEN_SUBTYPES]
        people = {str(one.get("user")) for one in spoken if one.get("user")}
        texts = "\n".join(full_text(one) for one in spoken) + (f" <#{channel}>" if is_elsewhere else "")
        names = await self._directory.names(scope, texts, people, reader, NAMES_S)
        where = f" in #{names.channels.get(channel) or channel}" if is_elsewhere else ""
        return [value for one in spoken if (value := _value(scope, channel, one, names, us, where))]

    # --- after a downtime ---

    async def hand_in_missed(self, accept: Accept) -> int:
        """Fetch what was missed in active conversations and hand it in; returns how many messages were new.

        The inbox drops what it knows already; what is older than SLACK_BACKFILL_HOURS is not fetched.
        """
        hours = self._client.options.slack_backfill_hours
        if not hours:
            return 0
        since = self._client.host.clock.now() - timedelta(hours=hours)
        seen = sorted(
            await self._client.host.timeline.resume_points(NAME, since), key=lambda one: one.sent_at, reverse=True
        )
        count = failures = 0
        oldest = f"{since.timestamp():.6f}"
        for scope, channel, thread, after in _gaps(seen[:MAX_CONVERSATIONS], oldest):
            try:
                count += await self._hand_in_missed_of(scope, channel, thread, after, accept)
            except BotError as error:
                failures += 1
                log.debug("what was missed in %s could not be fetched: %s", channel, error.detail or error.text)
        if failures:
            log.info("what was missed in %d conversations at Slack could not be fetched", failures)
        return count

    async def _scope_of(self, team: str) -> TokenScope:
        """A workspace with the organisation whose installation serves it."""
        found = await self._client.tokens.installation(TokenScope(team))
        return TokenScope(team, found.workspace if found and found.workspace != team else "")

    async def _hand_in_missed_of(self, team: str, channel: str, thread: str, after: str, accept: Accept) -> int:
        scope = await self._scope_of(team)
        method = "conversations.replies" if thread else "conversations.history"
        args: dict[str, Any] = {
            "channel": channel,
            "oldest": after,
            "limit": PAGE,
            **({"ts": thread} if thread else {}),
        }
        while (answer := await self._client.try_call(scope, method, **args)) is None:
            await self._client.host.clock.sleep(SPARE_S)  # answers come first
        us = await self._client.bot_user_id(scope)
        count = 0
        for message in sorted(answer.get("messages") or (), key=lambda one: str(one.get("ts"))):
            if str(message.get("ts")) <= after or message.get("user") == us:
                continue
            inbound = parse_event(_as_event(scope, channel, message, us))
            if isinstance(inbound, InboundMessage) and not inbound.author.is_bot:
                accepted = await accept(await self._directory.with_names(inbound))
                count += accepted.outcome in ("queued", "noted")
        return count


def _gaps(seen: Sequence[ResumePoint], oldest: str) -> list[tuple[str, str, str, str]]:
    """Where to look, and after what: each thread, and each channel's own flow."""
    found: dict[tuple[str, str, str], str] = {}
    for one in seen:
        newest = one.message_id if is_ts(one.message_id) else f"{one.sent_at.timestamp():.6f}"
        after = max(newest, oldest)
        for thread in dict.fromkeys((one.address.thread, "")):
            key = (one.address.workspace, one.address.channel, thread)
            found[key] = max(found.get(key, ""), after)
    return [(*key, after) for key, after in found.items()]


def _as_event(scope: TokenScope, channel: str, message: Mapping[str, Any], us: str) -> dict[str, Any]:
    """A message of the history as if it had been delivered."""
    event = {**message, "type": "message", "channel": channel}
    if channel.startswith("D"):
        event["channel_type"] = "im"
    team, of_team = scope.team, {"team_id": scope.team, "enterprise_id": scope.enterprise or None}
    us_there = [{**of_team, "user_id": us, "is_bot": True}]
    made = f"missed-{team}-{channel}-{message.get('ts')}"
    return {"type": "event_callback", **of_team, "event_id": made, "event": event, "authorizations": us_there}


def _sorted(found: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [found[ts] for ts in sorted(found)]


def full_text(message: Mapping[str, Any]) -> str:
    """The words of a message, other apps' cards among them."""
    text = str(message.get("text") or "")
    cards = cards_text(message.get("attachments") or ())
    words = text or blocks_text(message.get("blocks") or ())
    return "\n\n".join(part for part in (words, cards) if part)


def _value(
    scope: TokenScope, channel: str, message: Mapping[str, Any], names: entities.Names, us: str, where: str
) -> InboundMessage | None:
    body = {"team_id": scope.team, "enterprise_id": scope.enterprise, "event": message}
    ts, user = str(message.get("ts") or ""), str(message.get("user") or "")
    is_apps = not user  # an app's post is its cards; to a person's they are foreign
    text = entities.readable(full_text(message if is_apps else {**message, "attachments": ()}), names)
    cards = () if is_apps else [cards_text([one]) for one in message.get("attachments") or ()]
    quoted = tuple(Quoted(entities.readable(card, names), "card") for card in cards if card)
    files = attachments({**message, "attachments": (), "channel": channel}, body)
    if not ts or not (text or files or quoted):
        return None
    is_ours = bool(us) and user == us
    name = " ".join(str(message.get("username") or "").split()) or names.people.get(user, "") or user or "App"
    author = Author(
        "" if is_ours else (user or str(message.get("bot_id") or "app")), name + where, bool(message.get("bot_id"))
    )
    return InboundMessage(
        event_id=f"earlier-{channel}-{ts}",
        message_id=ts,
        address=Address(NAME, scope.team, channel, str(message.get("thread_ts") or ts)),
        author=author,
        text=text,
        attachments=files,
        sent_at=moment(ts),
        quoted=quoted,
    )
