"""One answer under way at Discord: carries out what its plan asks for, at the rate limiter's pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from adapters.discord.client import BusyError, DiscordClient, DiscordError, Upload
from adapters.discord.post import Posts
from adapters.discord.rendering import Renderer
from adapters.discord.reply.final import Final, Finisher, stop_rows
from adapters.discord.reply.plan import Delete, Draft, Edit, Plan, Post, PostVoice, Wait, Write
from adapters.discord.reply.session import Session
from adapters.discord.target import Target
from adapters.shared.rendering import SHARE
from adapters.shared.tasks import cancel
from bot.types import Reply, ReplyEvent

log = logging.getLogger(__name__)


class Runner:
    """Shows the events of one answer as they come, and leaves the answer in the end."""

    def __init__(
        self, client: DiscordClient, posts: Posts, target: Target, plan: Plan, session: Session, renderer: Renderer
    ) -> None:
        self.target, self.plan, self.session = target, plan, session
        self._client, self._posts, self._renderer = client, posts, renderer
        self._render_again_at = 0.0
        self._changed = asyncio.Event()
        """Something else should be shown."""
        self._writing = asyncio.Lock()
        """Held while Discord is being told."""
        self._pump: asyncio.Task[None] | None = None

    def _now(self) -> float:
        return self._client.host.clock.monotonic()

    # --- while it grows ---

    async def run(self, events: AsyncIterator[ReplyEvent]) -> None:
        """Take the events in; what is left to show when they end is shown while others work."""
        self.plan.begin()
        if self._pump is None:
            self._pump = asyncio.create_task(self._show())
        self._changed.set()
        async for event in events:
            if self.plan.on_event(event, self._now()):
                self._changed.set()

    async def _show(self) -> None:
        while True:
            self._changed.clear()
            await self._render()
            match self.plan.next_action(self._now()):
                case Wait(until):
                    await self._client.host.clock.sleep(max(until - self._now(), 0.0))
                case Post() | Edit() as write:
                    await self._show_more(write)
                case _:
                    await self._changed.wait()

    async def _render(self) -> None:
        """Let the plan know the pieces of a long text. One that takes long to render is rendered less often."""
        began = self._now()
        if began < self._render_again_at or not (text := self.plan.unrendered):
            return
        words = await self._renderer.words(text, self.target.home)
        self.plan.on_rendered(text, words.pieces)
        self._render_again_at = self._now() + SHARE * (self._now() - began)

    async def _show_more(self, write: Write) -> None:
        """Wait until this write may go, then show what there is by then."""
        message_id = write.message_id if isinstance(write, Edit) else None
        kind, major, counts = self._posts.bucket_of(self.target, message_id, write.part)
        is_first = message_id is None and write.part == 0
        bucket = await self._client.limiter.acquire(kind, major, urgent=is_first, counts=counts)
        try:
            await asyncio.shield(self._show_part(write.part))  # half a call would leave a message that nobody knows of
        finally:
            self._client.limiter.release(bucket)

    async def _show_part(self, part: int) -> None:
        """Trouble here is no reason to lose the answer."""
        async with self._writing:
            write = self.plan.write_of(part)
            if write is None:
                return
            try:
                await self._write(write, held=True)
            except DiscordError as error:
                log.info("showing an answer at Discord: %s", error.detail or error.text)
                self.plan.on_failed(self._now(), is_busy=isinstance(error, BusyError))

    # --- in the end ---

    async def finish(self, finisher: Finisher, reply: Reply) -> Final:
        """Leave exactly the reply. Raises DiscordError; repeated, it begins anew and posts nothing twice."""
        await self.stop()
        async with self._writing:
            final = await finisher.compose(self.target, reply)
            self.plan.finish(final.ending)
            while (action := self.plan.next_action(self._now())) is not None:
                match action:
                    case Post() | Edit():
                        await self._write_last(action, final)
                    case Delete(message_id):
                        await self._posts.delete(self.target, message_id)
                        self.plan.on_deleted(action)
                    case PostVoice() if final.voice:
                        self.plan.on_voice(await finisher.post_voice(self.target, final.voice))
        return final

    async def _write_last(self, write: Write, final: Final) -> None:
        """Write a part as it stays; where its files are refused, the plan says so instead."""
        try:
            await self._write(write, final)
        except DiscordError as error:
            remark = final.remark_on_files(error) if write.draft.files == "attached" else ""
            if not remark:
                raise
            self.plan.on_files_refused(remark)

    async def _write(self, write: Write, final: Final | None = None, *, held: bool = False) -> None:
        """Post or edit one message. final: where its buttons and files are. held: the rate limiter has let it go already."""
        body = _body(write.draft, self.target, final)
        files: Sequence[Upload] = final.files if final and write.draft.files == "attached" else ()
        match write:
            case Post() as post:
                made = await self._posts.create(self.target, post.key, _without_empty(body), files, held=held)
                self.plan.on_posted(post, made)
            case Edit() as edit:
                if await self._posts.edit(self.target, edit.message_id, body, files, held=held):
                    self.plan.on_edited(edit)
                else:
                    self.plan.on_gone(edit)

    async def stop(self) -> None:
        """Show nothing more."""
        await cancel(self._pump, self.session.typing)
        self._pump = None


def _body(draft: Draft, target: Target, final: Final | None) -> dict[str, Any]:
    rows = {"none": [], "stop": stop_rows(target), "final": list(final.rows if final else ())}
    body: dict[str, Any] = {"content": draft.content, "components": rows[draft.buttons]}
    return {**body, "attachments": []} if draft.files == "none" else body


def _without_empty(body: dict[str, Any]) -> dict[str, Any]:
    """A new message has nothing to empty."""
    return {name: value for name, value in body.items() if value or name == "content"}
