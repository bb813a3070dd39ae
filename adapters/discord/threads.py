"""Starts a thread for a reply chain that grew long, when DISCORD_THREAD_LONG says so."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from adapters.discord.client import THREAD_EXISTS, DiscordClient, DiscordError
from adapters.discord.parse_parts import DIRECT
from adapters.discord.post import Posts
from adapters.discord.ref import DiscordRef
from adapters.discord.render import small
from adapters.discord.target import Target
from bot.types import InboundMessage, Receipt, Turn

ENTRIES = 200
NAME_LENGTH = 90
"""Source: Discord, Start Thread from Message: 1 to 100 characters."""
log = logging.getLogger(__name__)


class Threads:
    """Moves long conversations into threads."""

    def __init__(self, client: DiscordClient, posts: Posts) -> None:
        self._client, self._posts = client, posts

    async def entered(self, receipt: Receipt, turn: Turn) -> Receipt:
        """The receipt; where the chain is long, one that leads into a thread.

        The thread is started from the chain's first message and so has its id: what is said in it belongs to the same conversation.
        """
        address, inbound, ref = receipt.address, turn.inbound, DiscordRef.from_ref(receipt.ref)
        is_chain = address.workspace != DIRECT and address.thread and ref.channel_id == address.channel
        if not is_chain or not isinstance(inbound, InboundMessage) or turn.receipt or ref.token:
            return receipt
        if not await self._is_long(receipt):
            return receipt
        try:
            await self._make(receipt, inbound.text)
            await self._point_there(receipt)
        except DiscordError as error:
            log.info("no thread for a long conversation: %s", error.detail)
            return receipt
        moved = replace(ref, channel_id=address.thread, reply_to_id="")
        return replace(receipt, ref=moved.to_ref())

    async def _is_long(self, receipt: Receipt) -> bool:
        wanted: int = self._client.options.discord_thread_long
        if not wanted:
            return False
        entries = await self._client.host.timeline.entries(receipt.address, ENTRIES)
        return sum(entry.role == "assistant" for entry in entries) >= wanted

    async def _make(self, receipt: Receipt, text: str) -> None:
        address = receipt.address
        conversation = await self._client.host.timeline.entries(address, ENTRIES)
        words = [part.text for entry in conversation[:1] for part in entry.parts if hasattr(part, "text")]
        name = " ".join((words[0] if words else text).split())[:NAME_LENGTH] or "Conversation"
        path = "/channels/{channel_id}/messages/{message_id}/threads"
        try:
            place: dict[str, Any] = {"channel_id": address.channel, "message_id": address.thread}
            await self._client.call("POST", path, {"name": name}, **place)
        except DiscordError as error:
            if error.discord_code != THREAD_EXISTS:
                raise

    async def _point_there(self, receipt: Receipt) -> None:
        target = Target.of(receipt, self._client.short_lived)
        await self._posts.create(target, "thread", {"content": small(f"We go on in <#{receipt.address.thread}>.")})
