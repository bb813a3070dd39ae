"""The answers under way in this process: opened, shown and finished, and after a crash read off the channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from adapters.discord.client import DiscordClient
from adapters.discord.pace import PACE, Pace
from adapters.discord.post import Posts
from adapters.discord.ref import DiscordRef
from adapters.discord.rendering import Renderer
from adapters.discord.reply.final import Final, Finisher
from adapters.discord.reply.plan import Plan
from adapters.discord.reply.runner import Runner
from adapters.discord.reply.session import Session
from adapters.discord.target import Target
from adapters.discord.threads import Threads
from adapters.shared.live import LiveReplies
from bot.policy.visibility import is_private_answer
from bot.types import Command, CommandSpec, Receipt, Reply, ReplyEvent, Turn


class Replies:
    """Opens, shows and finishes answers."""

    def __init__(self, client: DiscordClient, pace: Pace = PACE, renderer: Renderer | None = None) -> None:
        self._client, self._pace, self._renderer = client, pace, renderer or Renderer()
        self._posts = Posts(client)
        self._finisher = Finisher(client, self._posts, pace, self._renderer)
        self._threads = Threads(client, self._posts)
        self._live: LiveReplies[Runner] = LiveReplies()

    async def open(self, turn: Turn) -> Receipt:
        """Give the sign of life. Nothing is posted yet, so a repeat posts nothing twice."""
        receipt = receipt_of(turn, self._live.boot, self._client.host.commands)
        receipt = await self._threads.entered(receipt, turn)
        runner = self._start(receipt)
        if not runner.target.token:
            runner.session.begin()
        return receipt

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, at a pace that Discord bears."""
        runner = await self._find(receipt)
        await runner.run(events)

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply; repeated, it changes nothing more. Raises DiscordError."""
        if (done := self._live.finished(receipt.turn_id)) is not None:
            return done
        runner = await self._find(receipt)
        final = await runner.finish(self._finisher, reply)
        done = self._live.finish(_finished(receipt, runner, final))
        self._client.limiter.answers = len(self._live)
        return done

    async def close(self) -> None:
        """End what is under way."""
        for runner in self._live.values():
            await runner.stop()

    async def _find(self, receipt: Receipt) -> Runner:
        """The answer's state; after a crash it is read off the channel."""
        if (runner := self._live.get(receipt.turn_id)) is not None:
            return runner
        if self._live.opened_here(receipt) or _text_ids(receipt):
            return self._start(receipt)
        target = Target.of(receipt, self._client.short_lived)
        return self._start(receipt, await self._posts.look_up(target, await self._client.bot_id()), target)

    def _start(self, receipt: Receipt, found: Sequence[str] = (), target: Target | None = None) -> Runner:
        """found: messages of the answer that the receipt does not know."""
        target = target or Target.of(receipt, self._client.short_lived)
        plan = Plan(
            self._pace.start_s,
            self._pace.retry_s,
            shows_one_piece=target.needs_token,
            has_stop=bool(target.ref.question_id),
            had_files=target.ref.has_files,
            posted=[*_text_ids(receipt), *found],
            voice_ids=list(target.ref.voice_ids),
            home=target.home,
            max_inline=self._renderer.long_texts.inline,
        )
        session = Session(self._client, self._posts, target, plan, self._pace)
        made = Runner(self._client, self._posts, target, plan, session, self._renderer)
        runner = self._live.start(receipt.turn_id, made)
        self._client.limiter.answers = len(self._live)
        return runner


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
    before = DiscordRef.from_ref(turn.receipt.ref)
    ref = replace(
        ref,
        channel_id=before.channel_id or ref.channel_id,
        voice_ids=before.voice_ids,
        webhook_message_ids=before.webhook_message_ids,
        has_files=before.has_files,
        is_revised=True,
    )
    return replace(turn.receipt, turn_id=turn.id, ref=ref.to_ref())


def _finished(receipt: Receipt, runner: Runner, final: Final) -> Receipt:
    """The receipt, with what stands there now."""
    target, plan = runner.target, runner.plan
    ref = replace(
        target.ref,
        channel_id=target.fallback_dm or target.ref.channel_id,
        voice_ids=tuple(plan.voice_ids),
        webhook_message_ids=tuple(sorted(target.webhook_message_ids)),
        has_files=bool(final.files),
    )
    return replace(receipt, message_ids=(*plan.posted, *plan.voice_ids), ref=ref.to_ref())


def _text_ids(receipt: Receipt) -> tuple[str, ...]:
    voice_ids = DiscordRef.from_ref(receipt.ref).voice_ids
    return tuple(message_id for message_id in receipt.message_ids if message_id not in voice_ids)
