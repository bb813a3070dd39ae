"""Opening an answer at Discord: its receipt, and typing until words show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapters.discord.client import DiscordClient
from adapters.discord.pace import Pace
from adapters.discord.post import Posts
from adapters.discord.ref import DiscordRef
from adapters.discord.reply.plan import Plan
from adapters.discord.target import Target
from bot.policy.visibility import is_private_answer
from bot.types import Command, CommandSpec, Receipt, Turn


def receipt_of(turn: Turn, boot: str, commands: Mapping[str, CommandSpec]) -> Receipt:
    """The receipt of an answer that begins. boot: names this process. A revised answer keeps its place and its messages."""
    inbound = turn.inbound
    ref = replace(
        DiscordRef.from_ref(inbound.ref),
        question_id=inbound.message_id,
        boot=boot,
        is_ephemeral=is_private_answer(inbound, commands),
        has_settings_button=isinstance(inbound, Command) and inbound.name == "settings",
    )
    if turn.receipt is None:
        return Receipt(inbound.address, turn.id, (), ref.to_ref())
    return replace(turn.receipt, turn_id=turn.id, ref=_revised(ref, turn.receipt).to_ref())


def _revised(ref: DiscordRef, earlier: Receipt) -> DiscordRef:
    kept = DiscordRef.from_ref(earlier.ref)
    return replace(
        ref,
        channel_id=kept.channel_id or ref.channel_id,
        voice_ids=kept.voice_ids,
        webhook_message_ids=kept.webhook_message_ids,
        has_files=kept.has_files,
        is_revised=True,
    )


class Session:
    """What tells at Discord that work goes on. An interaction shows it by itself; elsewhere it is typing."""

    def __init__(self, client: DiscordClient, posts: Posts, pace: Pace) -> None:
        self._client, self._posts, self._pace = client, posts, pace

    async def keep_typing(self, target: Target, plan: Plan) -> None:
        """Type until words show that work goes on; less of it when there is much to do."""
        for _ in range(self._pace.max_typing):
            if plan.shows_words:
                return
            if self._client.limiter.try_acquire():
                await self._posts.type(target.channel_id)
            await self._client.host.clock.sleep(self._pace.typing_s)
