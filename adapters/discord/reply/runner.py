"""Answers under way at Discord: carries out what their plans ask for, at the rate limiter's pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.discord.client import BusyError, DiscordClient, DiscordError, Upload
from adapters.discord.pace import PACE, Pace
from adapters.discord.post import Posts
from adapters.discord.reply.final import Final, FinalReplies, stop_rows
from adapters.discord.reply.plan import Delete, Draft, Edit, Plan, Post, PostVoice, Wait, Write
from adapters.discord.reply.session import Session, receipt_of
from adapters.discord.target import Target
from adapters.discord.threads import Threads
from adapters.shared.live import LiveReplies
from adapters.shared.tasks import cancel
from bot.ports import Clock
from bot.types import Receipt, Reply, ReplyEvent, Turn

log = logging.getLogger(__name__)


@dataclass
class LiveReply:
    """An answer while it is being given."""

    target: Target
    plan: Plan
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Something else should be shown."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while Discord is being told."""
    pump: asyncio.Task[None] | None = None
    typing: asyncio.Task[None] | None = None


class Replies:
    """The answers under way in this process."""

    def __init__(self, client: DiscordClient, pace: Pace = PACE) -> None:
        self._client, self._pace = client, pace
        self.posts = Posts(client)
        self._session = Session(client, self.posts, pace)
        self._final = FinalReplies(client, self.posts, pace)
        self._threads = Threads(client, self.posts)
        self._live: LiveReplies[LiveReply] = LiveReplies()

    @property
    def _clock(self) -> Clock:
        return self._client.host.clock

    async def open(self, turn: Turn) -> Receipt:
        """Give the sign of life. Nothing is posted yet, so a repeat posts nothing twice."""
        receipt = receipt_of(turn, self._live.boot, self._client.host.commands)
        receipt = await self._threads.entered(receipt, turn)
        live = self._start(receipt)
        if not live.target.token:
            live.typing = asyncio.create_task(self._session.keep_typing(live.target, live.plan))
        return receipt

    def _start(self, receipt: Receipt, found: Sequence[str] = ()) -> LiveReply:
        """found: messages of it that the receipt does not know."""
        target = Target.of(receipt)
        voice_ids = target.ref.voice_ids
        plan = Plan(
            self._pace.start_s,
            self._pace.retry_s,
            shows_one_piece=target.needs_token,
            has_stop=bool(target.ref.question_id),
            had_files=target.ref.has_files,
            posted=[one for one in receipt.message_ids if one not in voice_ids] or list(found),
            voice_ids=list(voice_ids),
        )
        live = self._live.start(receipt.turn_id, LiveReply(target, plan))
        self._client.limiter.answers = len(self._live)
        return live

    async def _resumed(self, receipt: Receipt) -> LiveReply:
        """The answer's state; after a crash it is read off the channel."""
        live = self._live.get(receipt.turn_id) or self._start(receipt)
        is_unknown = not live.plan.posted and not self._live.opened_here(receipt)
        if is_unknown and live.pump is None:
            live.plan.posted = await self.posts.look_up(live.target, await self._client.bot_id())
        return live

    # --- while it grows ---

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, at a pace that Discord bears; what is left over is shown while others work."""
        live = await self._resumed(receipt)
        live.plan.begin()
        if live.pump is None or live.pump.done():
            live.pump = asyncio.create_task(self._pump(live))
        live.changed.set()
        async for event in events:
            if live.plan.on_event(event, self._clock.monotonic()):
                live.changed.set()

    async def _pump(self, live: LiveReply) -> None:
        while True:
            live.changed.clear()
            match live.plan.next_action(self._clock.monotonic()):
                case Wait(until):
                    await self._clock.sleep(max(until - self._clock.monotonic(), 0.0))
                case Post() | Edit() as write:
                    await self._show_more(live, write)
                case _:
                    await live.changed.wait()

    async def _show_more(self, live: LiveReply, write: Write) -> None:
        """Wait for this write's turn, then show what there is by then."""
        message_id = write.message_id if isinstance(write, Edit) else None
        kind, major, counts = self.posts.bucket_of(live.target, message_id, write.part)
        is_first = message_id is None and write.part == 0
        bucket = await self._client.limiter.acquire(kind, major, urgent=is_first, counts=counts)
        try:
            await asyncio.shield(self._show_part(live, write.part))  # half a call would leave a message nobody knows of
        finally:
            self._client.limiter.release(bucket)

    async def _show_part(self, live: LiveReply, part: int) -> None:
        """Trouble here is no reason to lose the answer."""
        async with live.writing:
            write = live.plan.write_of(part)
            if write is None:
                return
            try:
                await self._write(live, write, held=True)
            except DiscordError as error:
                log.info("showing an answer at Discord: %s", error.detail or error.text)
                live.plan.on_failed(self._clock.monotonic(), is_busy=isinstance(error, BusyError))

    # --- in the end ---

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply; repeated, it changes nothing more. Raises DiscordError."""
        if (done := self._live.finished(receipt.turn_id)) is not None:
            return done
        live = await self._resumed(receipt)
        await cancel(live.pump, live.typing)
        async with live.writing:
            final = await self._final.compose(live.target, reply)
            live.plan.finish(final.ending)
            await self._write_final(live, final)
        done = self._live.finish(_finished(receipt, live, final))
        self._client.limiter.answers = len(self._live)
        return done

    async def _write_final(self, live: LiveReply, final: Final) -> None:
        plan = live.plan
        while (action := plan.next_action(self._clock.monotonic())) is not None:
            match action:
                case Post() | Edit():
                    await self._write_last(live, action, final)
                case Delete(message_id):
                    await self.posts.delete(live.target, message_id)
                    plan.on_deleted(action)
                case PostVoice() if final.voice:
                    plan.on_voice(await self._final.post_voice(live.target, final.voice))

    async def _write_last(self, live: LiveReply, write: Write, final: Final) -> None:
        """Write a part as it stays; where its files are refused, the plan says so instead."""
        try:
            await self._write(live, write, final)
        except DiscordError as error:
            remark = final.remark_on_files(error) if write.draft.files == "attached" else ""
            if not remark:
                raise
            live.plan.on_files_refused(remark)

    async def _write(self, live: LiveReply, write: Write, final: Final | None = None, *, held: bool = False) -> None:
        """One message. final: where its buttons and files are. held: the rate limiter's turn is had already."""
        body = _body(write.draft, live.target, final)
        files: Sequence[Upload] = final.files if final and write.draft.files == "attached" else ()
        match write:
            case Edit() as edit:
                is_there = await self.posts.edit(live.target, edit.message_id, body, files, held=held)
                if is_there:
                    live.plan.on_edited(edit)
                else:
                    live.plan.on_gone(edit)
            case Post() as post:
                made = await self.posts.create(live.target, post.key, _without_empty(body), files, held=held)
                live.plan.on_posted(post, made)

    async def close(self) -> None:
        """End what is under way."""
        for live in self._live.values():
            await cancel(live.pump, live.typing)


def _body(draft: Draft, target: Target, final: Final | None) -> dict[str, Any]:
    rows = {"none": [], "stop": stop_rows(target), "final": list(final.rows if final else ())}
    body: dict[str, Any] = {"content": draft.content, "components": rows[draft.buttons]}
    return {**body, "attachments": []} if draft.files == "none" else body


def _without_empty(body: dict[str, Any]) -> dict[str, Any]:
    """A new message has nothing to empty."""
    return {name: value for name, value in body.items() if value or name == "content"}


def _finished(receipt: Receipt, live: LiveReply, final: Final) -> Receipt:
    """The receipt, with what stands there now."""
    target, plan = live.target, live.plan
    ref = replace(
        target.ref,
        channel_id=target.fallback_dm or target.ref.channel_id,
        voice_ids=tuple(plan.voice_ids),
        webhook_message_ids=tuple(sorted(target.webhook_message_ids)),
        has_files=bool(final.files),
    )
    return replace(receipt, message_ids=(*plan.posted, *plan.voice_ids), ref=ref.to_ref())
