"""Messages at Slack, each once: posted with a mark of its turn, looked for before it is posted again, edited, deleted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from adapters.slack.client import SlackClient
from adapters.slack.errors import BAD_BLOCKS, GONE_POST, OUTSIDE, SlackError
from adapters.slack.previews import NO_PREVIEWS
from adapters.slack.render import Block, Piece
from adapters.slack.target import Target, is_ts

EVENT_TYPE = "parley_reply"
"""Of the metadata that marks our posts."""
MAX_LOOKED_AT = 200
log = logging.getLogger(__name__)


@dataclass
class FoundPosts:
    """Posts of ours that a crash left behind."""

    messages: list[str] = field(default_factory=list)
    streaming: set[str] = field(default_factory=set)
    file_names: set[str] = field(default_factory=set)


class Posts:
    """What is done to single messages."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    def metadata(self, target: Target, part: int) -> dict[str, Any]:
        """The mark by which a post is found again."""
        return {"event_type": EVENT_TYPE, "event_payload": {"turn": target.turn_id, "part": part}}

    async def post(self, target: Target, piece: Piece, part: int) -> str:
        """Post once, even when Slack's answer is lost; gives the `ts`. Raises SlackError."""
        try:
            return await self._post(target, content_of(piece), part)
        except SlackError as error:
            if error.slack_code in BAD_BLOCKS:
                log.warning("Slack refused blocks, the answer goes without: %s", error.detail)
                return await self._post(target, plain_content(piece), part)
            if error.slack_code in OUTSIDE or not error.retry_after_s:
                raise
        found = await self.find_posts(target, mark=part)
        return found.messages[0] if found.messages else await self._post(target, content_of(piece), part)

    async def _post(self, target: Target, content: dict[str, Any], part: int) -> str:
        answer = await self._client.call(
            target.scope,
            "chat.postMessage",
            can_repeat=False,
            channel=target.channel,
            thread_ts=target.thread or None,
            metadata=self.metadata(target, part),
            **NO_PREVIEWS,
            **content,
        )
        return str(answer["ts"])

    async def try_post(self, target: Target, piece: Piece, part: int) -> str:
        """Post if that may be done now; empty when it may not."""
        answer = await self._client.try_call(
            target.scope,
            "chat.postMessage",
            channel=target.channel,
            thread_ts=target.thread or None,
            metadata=self.metadata(target, part),
            **NO_PREVIEWS,
            **content_of(piece),
        )
        return str(answer["ts"]) if answer else ""

    async def try_update(self, target: Target, ts: str, piece: Piece, part: int) -> bool:
        """Edit if that may be done now; False when it may not."""
        answer = await self._client.try_call(
            target.scope,
            "chat.update",
            channel=target.channel,
            ts=ts,
            text=piece.text,
            blocks=list(piece.blocks),
            metadata=self.metadata(target, part),
            **NO_PREVIEWS,
        )
        return answer is not None

    async def update(self, target: Target, ts: str, piece: Piece, part: int) -> str:
        """Edit; a post that is gone is posted again. Gives the `ts`. Raises SlackError."""
        args: dict[str, Any] = {"channel": target.channel, "ts": ts, "metadata": self.metadata(target, part)}
        args |= NO_PREVIEWS
        try:
            await self._client.call(target.scope, "chat.update", **args, **content_of(piece))
        except SlackError as error:
            if error.slack_code == "streaming_state_conflict":
                await self.end_stream(target, ts)
                await self._client.call(target.scope, "chat.update", **args, **content_of(piece))
            elif error.slack_code in BAD_BLOCKS:
                log.warning("Slack refused blocks, the answer goes without: %s", error.detail)
                await self._client.call(target.scope, "chat.update", **args, **plain_content(piece))
            elif error.slack_code in GONE_POST:
                return await self.post(target, piece, part)
            else:
                raise
        return ts

    async def end_stream(self, target: Target, ts: str) -> None:
        """End a stream that nobody feeds any more; harmless when it has ended."""
        try:
            await self._client.call(target.scope, "chat.stopStream", channel=target.channel, ts=ts)
        except SlackError as error:
            if error.slack_code not in ("message_not_in_streaming_state", "message_not_found"):
                raise

    async def delete(self, target: Target, ts: str) -> None:
        """Take a post back; harmless when it is gone."""
        try:
            await self._client.call(target.scope, "chat.delete", channel=target.channel, ts=ts)
        except SlackError as error:
            if error.slack_code not in (*GONE_POST, "cant_delete_message"):
                raise

    async def ephemeral(self, target: Target, piece: Piece) -> None:
        """Show it to the asker alone. Raises SlackError."""
        try:
            await self._client.call(
                target.scope,
                "chat.postEphemeral",
                channel=target.channel,
                user=target.ref.user_id,
                # "only shown if there is already an active thread". Source: Slack, chat.postEphemeral.
                thread_ts=None if target.has_no_replies else target.thread or None,
                **NO_PREVIEWS,
                **content_of(piece),
            )
        except SlackError as error:
            if error.slack_code not in OUTSIDE or not self.response_url(target):
                raise
            await self.respond(target, piece)

    def response_url(self, target: Target) -> str:
        """Where Slack takes an answer to what was done there, or empty: it does so for half an hour."""
        return self._client.lent.open(target.ref.response_url) or ""

    async def respond(self, target: Target, piece: Piece) -> None:
        """Answer by the response_url, where we are no member; at most 5 times in 30 minutes. Raises SlackError."""
        body = {
            "response_type": "ephemeral" if target.ref.is_ephemeral else "in_channel",
            **NO_PREVIEWS,
            **content_of(piece),
        }
        body |= {"thread_ts": target.thread} if target.thread and not target.ref.has_no_thread else {}
        url = self.response_url(target)
        if not self._client.hosts.takes_token(url):
            raise SlackError("Slack no longer takes an answer here.", detail="response_url: not at Slack")
        try:
            session = self._client.session_for(url)
            async with session.post(url, json=body, allow_redirects=False) as response:
                if response.status >= 400:
                    raise SlackError("Slack no longer takes an answer here.", detail=f"response_url: {response.status}")
        except (TimeoutError, aiohttp.ClientError) as error:
            raise SlackError("Slack is not reachable.", detail=type(error).__name__) from error

    async def is_question_deleted(self, target: Target) -> bool:
        """Whether the question was deleted meanwhile; False when Slack does not say."""
        if not is_ts(target.ref.question_id):
            return False
        at = {"oldest": target.ref.question_id, "latest": target.ref.question_id, "inclusive": True, "limit": 1}
        try:
            answer = await self._client.try_call(
                target.scope,
                "conversations.replies",
                channel=target.channel,
                ts=target.thread or target.ref.question_id,
                **at,
            )
        except SlackError as error:
            return error.slack_code in ("thread_not_found", "message_not_found")
        if answer is None:
            return False
        found = [one for one in answer.get("messages") or () if one.get("ts") == target.ref.question_id]
        return not found or found[0].get("subtype") == "tombstone"

    async def find_posts(self, target: Target, mark: int | None = None) -> FoundPosts:
        """The posts of this turn that stand there already. mark: only the one with this number.

        In a thread only one turn is answered at a time and each finished post carries its mark, so a message of ours without one is
        what a broken-off stream left.
        """
        found, since = FoundPosts(), target.ref.since_ts or "0"
        try:
            us = target.ref.bot_user_id or (await self._client.identity(target.scope)).user_id
            messages = await self._since(target)
        except SlackError:
            return found
        for message in messages:
            if message.get("user") != us or message.get("ts", "") <= since:
                continue
            if message.get("files"):
                found.file_names |= {str(file.get("name")) for file in message["files"]}
                continue
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            is_orphan = not message.get("metadata") and bool(target.thread) and mark is None
            if is_orphan or (payload.get("turn") == target.turn_id and mark in (None, payload.get("part"))):
                found.messages.append(message["ts"])
                if is_orphan:
                    found.streaming.add(message["ts"])
        return found

    async def _since(self, target: Target) -> Sequence[dict[str, Any]]:
        args: dict[str, Any] = {"channel": target.channel, "oldest": target.ref.since_ts or "0", "limit": MAX_LOOKED_AT}
        args["include_all_metadata"] = True
        method = "conversations.history"
        if target.thread:
            method, args["ts"] = "conversations.replies", target.thread
        messages = (await self._client.call(target.scope, method, **args)).get("messages") or []
        return sorted(messages, key=lambda message: str(message.get("ts")))


def content_of(piece: Piece) -> dict[str, Any]:
    """A piece as arguments of a call."""
    blocks: list[Block] = list(piece.blocks)
    return {"text": piece.text or "\u2026", **({"blocks": blocks} if blocks else {})}


def plain_content(piece: Piece) -> dict[str, Any]:
    """A piece without blocks, for when Slack does not take them: better without buttons than not at all."""
    return {"markdown_text": piece.markdown} if piece.markdown else {"text": piece.text or "\u2026"}
