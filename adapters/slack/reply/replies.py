"""The replies under way in this process: opened, shown and finished, and after a crash read off the thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from adapters.shared.live import LiveReplies
from adapters.slack import render
from adapters.slack.client import SlackClient
from adapters.slack.files import Files
from adapters.slack.post import Posts
from adapters.slack.ref import SlackRef
from adapters.slack.rendering import Renderer
from adapters.slack.reply.final import Finisher, buttons_of
from adapters.slack.reply.limits import DEFAULT_LIMITS, ReplyLimits
from adapters.slack.reply.plan import Plan
from adapters.slack.reply.runner import Runner
from adapters.slack.reply.session import Session, Surroundings
from adapters.slack.target import Target, is_ts, target_of
from bot.policy.visibility import is_private_answer
from bot.types import Receipt, Reply, ReplyEvent, Turn

UNKNOWN_AGE_S = 60.0
"""Posts of a turn whose question has no time are looked for this far back."""


class Replies:
    """Opens, shows and finishes replies."""

    def __init__(
        self,
        client: SlackClient,
        files: Files,
        limits: ReplyLimits = DEFAULT_LIMITS,
        renderer: Renderer | None = None,
    ) -> None:
        self._renderer = renderer or Renderer()
        self.limits = limits
        """Of replies that begin from now on."""
        self.posts = Posts(client)
        self._client = client
        self._live: LiveReplies[Runner] = LiveReplies()
        self._surroundings = Surroundings(client, limits.refused_s)
        self._finisher = Finisher(client, files, self.posts, self._renderer)

    # --- the port ---

    async def open(self, turn: Turn) -> Receipt:
        """Give the sign of life. Nothing is posted yet, so a repeat posts nothing twice."""
        receipt = self._receipt(turn)
        runner = self._live.start(turn.id, self._runner(receipt))
        opening = [runner.show()]
        if runner.target.is_direct:
            opening.append(runner.session.begin(" ".join(turn.inbound.text.split())))
        await asyncio.gather(*opening)
        ref = replace(runner.target.ref, has_session=runner.session.is_running)
        return replace(receipt, ref=ref.to_ref())

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, at a pace that Slack bears."""
        runner = await self._find(receipt)
        await runner.run(events)

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply; repeated, it changes nothing more. Raises SlackError."""
        if done := self._live.finished(receipt.turn_id):
            return done
        runner = await self._find(receipt)
        async with runner.writing:
            return self._live.finish(await self._finisher.finish(runner, receipt, reply, self.limits))

    # --- the state of a reply ---

    def _receipt(self, turn: Turn) -> Receipt:
        inbound = turn.inbound
        is_private = not inbound.ephemeral and is_private_answer(inbound, self._client.host.commands)
        ref = replace(
            SlackRef.from_ref(inbound.ref),
            team=inbound.address.workspace,
            question_id=inbound.message_id,
            since_ts=self._since_ts(turn),
            boot=self._live.boot,
            is_ephemeral=inbound.ephemeral or is_private,
            is_private=is_private,
        )
        if turn.receipt is None:
            return Receipt(inbound.address, turn.id, (), ref.to_ref())
        before = SlackRef.from_ref(turn.receipt.ref)
        ref = replace(ref, is_revised=True, file_ids=before.file_ids, controls_ts=before.controls_ts)
        return replace(turn.receipt, turn_id=turn.id, ref=ref.to_ref())

    def _since_ts(self, turn: Turn) -> str:
        """The `ts` before which no post of the turn can be."""
        if is_ts(turn.inbound.message_id):
            return turn.inbound.message_id
        sent_at = turn.inbound.sent_at.timestamp() or self._client.host.clock.now().timestamp() - UNKNOWN_AGE_S
        return f"{sent_at:.6f}"

    async def _find(self, receipt: Receipt) -> Runner:
        """The reply's state; after a crash it is read off the thread."""
        if runner := self._live.get(receipt.turn_id):
            return runner
        target = target_of(receipt)
        if self._live.opened_here(receipt) or target.ref.is_ephemeral:
            return self._live.start(receipt.turn_id, self._runner(receipt))
        found = await self.posts.find_posts(target)
        runner = self._runner(receipt, tuple(found.messages))
        runner.file_names = found.file_names
        for ts in found.streaming:
            await self.posts.end_stream(target, ts)
        return self._live.start(receipt.turn_id, runner)

    def _runner(self, receipt: Receipt, found: tuple[str, ...] = ()) -> Runner:
        """found: messages of the reply besides those that the receipt names."""
        target = target_of(receipt)
        posted = dict.fromkeys(ts for ts in (*receipt.message_ids, *found) if ts != target.ref.controls_ts)
        inline, home = self._renderer.long_texts.inline, self._client.home(target.scope)
        plan = Plan(target.allowed, tuple(posted), _stop_button(target), self.limits, inline, home)
        session = Session(self._surroundings, target, is_running=target.ref.has_session)
        return Runner(self._surroundings, self.posts, target, plan, session, self.limits, self._renderer)


def _stop_button(target: Target) -> list[render.Block]:
    return render.button_blocks(buttons_of(None, target)) if target.ref.question_id else []
