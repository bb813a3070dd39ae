"""Carries out one reply's plan: asks the rate limiter, calls Slack, and tells the plan what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from adapters.shared.rendering import SHARE
from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.limiter import Reservation
from adapters.slack.post import Posts
from adapters.slack.rendering import Renderer
from adapters.slack.reply.actions import (
    Allowed,
    Append,
    Delete,
    Edit,
    Ending,
    Post,
    SetStatus,
    Showing,
    StartStream,
    StopStream,
    Update,
    Way,
)
from adapters.slack.reply.limits import ReplyLimits
from adapters.slack.reply.plan import Plan
from adapters.slack.reply.session import Session, Surroundings
from adapters.slack.target import Target
from bot.types import ReplyEvent

log = logging.getLogger(__name__)


class Runner:
    """One reply while it is given."""

    def __init__(
        self,
        shared: Surroundings,
        posts: Posts,
        target: Target,
        plan: Plan,
        session: Session,
        limits: ReplyLimits,
        renderer: Renderer,
    ) -> None:
        self._client: SlackClient = shared.client
        self._refusals, self._posts, self._limits, self._renderer = shared.refusals, posts, limits, renderer
        self._render_again_at = 0.0
        self.target, self.plan, self.session = target, plan, session
        self.file_names: set[str] = set()
        """Of uploads that an interrupted attempt made."""
        self.writing = asyncio.Lock()
        """Held while Slack is being told."""
        self._changed = asyncio.Event()
        self._round: asyncio.Task[None] | None = None
        self._stop: Reservation | None = None
        self._edit: Reservation | None = None

    # --- the events ---

    async def run(self, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, at a pace that Slack bears."""
        self.plan.begin()
        async with self._pumping():
            async for event in events:
                if self.plan.on_event(event, self._now()):
                    self._changed.set()
            self.plan.on_end()

    @asynccontextmanager
    async def _pumping(self) -> AsyncIterator[None]:
        """While open, what changes is shown; at the end what is left is, if it may be."""
        pump = asyncio.create_task(self._pump())
        try:
            yield
        finally:
            pump.cancel()
            under_way = [pump, self._round] if self._round else [pump]
            await asyncio.gather(*under_way, return_exceptions=True)
        await self.show()

    async def _pump(self) -> None:
        clock = self._client.host.clock
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.status_again_s):
                    await self._changed.wait()
            self._changed.clear()
            await clock.sleep(self.plan.start_in_s(self._now()))
            self._round = asyncio.create_task(self.show())
            await asyncio.shield(self._round)  # half a call would leave a message that nobody knows of
            await clock.sleep(self.plan.pause_s)

    def _now(self) -> float:
        return self._client.host.clock.monotonic()

    # --- showing: what may be skipped ---

    async def show(self) -> None:
        """One round: bring what is shown nearer to what should be. Trouble here is logged: the end is what counts."""
        async with self.writing:
            await self._render()
            tried: frozenset[Way] = frozenset()
            while action := self.plan.next_action(self._now(), Allowed(self._ways(), tried)):
                tried |= {action.way}
                try:
                    await self._try(action)
                except SlackError as error:
                    log.info("showing an answer at Slack: %s", error.detail or error.text)
                    if isinstance(action, SetStatus | StartStream):
                        self._refusals.add(self.target, action.way, error)
                    self.plan.on_refused(action, self._now())
                    self._release_unused()

    async def _render(self) -> None:
        """Let the plan know the messages of a long text. One that takes long to render is rendered less often."""
        began = self._now()
        if began < self._render_again_at or not (text := self.plan.unrendered(began, Allowed(self._ways()))):
            return
        words = await self._renderer.words(text, self.target.allowed, self._client.home(self.target.scope))
        self.plan.on_rendered(text, words.pieces)
        self._render_again_at = self._now() + SHARE * (self._now() - began)

    def _ways(self) -> frozenset[Way]:
        """The ways that Slack takes there."""
        target, is_open = self.target, not self.target.ref.is_ephemeral
        ways: set[Way] = {"status"} if self.session.has_status else set()
        if is_open:
            ways.add("edit")
        if is_open and target.thread and target.ref.user_id and not self._refusals.holds(target, "stream"):
            ways.add("stream")
        return frozenset(ways)

    async def _try(self, action: Showing) -> None:
        """Do it if it may be done now. Raises SlackError when Slack refuses."""
        match action:
            case SetStatus(text):
                if await self.session.set_status(text):
                    self.plan.on_done(action, self._now())
            case StartStream():
                await self._start_stream(action)
            case Append(ts, text):
                answer = await self._client.try_call(
                    self.target.scope, "chat.appendStream", channel=self.target.channel, ts=ts, chunks=_chunks(text)
                )
                if answer is not None:
                    self.plan.on_done(action, self._now())
            case StopStream():
                await self.must(action)
            case Edit():
                await self._edit_messages(action)

    async def _start_stream(self, action: StartStream) -> None:
        """Begin a stream if its end can be reserved, and with it the agent session, which the stream's end will end."""
        target = self.target
        self._stop = self._stop or self._client.limiter.reserve(target.scope.team, "chat.stopStream")
        answer = None
        if self._stop:
            answer = await self._client.try_call(
                target.scope,
                "chat.startStream",
                channel=target.channel,
                thread_ts=target.thread,
                recipient_team_id=None if target.is_direct else target.recipient_team,
                recipient_user_id=None if target.is_direct else target.ref.user_id,
                chunks=_chunks(action.text),
            )
        if answer is None:
            self._release_unused()
            return
        self.plan.on_done(action, self._now(), str(answer["ts"]))
        await self.session.begin()

    async def _edit_messages(self, edit: Edit) -> None:
        target = self.target
        self._edit = self._edit or self._client.limiter.reserve(target.scope.team, "chat.update")
        if self._edit is None:
            return
        for write in edit.writes:
            if isinstance(write, Update):
                if await self._posts.try_update(target, write.ts, write.piece, write.part):
                    self.plan.on_done(write, self._now(), write.ts)
            elif ts := await self._posts.try_post(target, write.piece, write.part):
                self.plan.on_done(write, self._now(), ts)
            else:
                break
        self.plan.on_done(edit, self._now())

    # --- ending: what must be done ---

    async def must(self, action: Ending) -> None:
        """Do it, however long the rate limits make it wait. Raises SlackError."""
        ts = ""
        match action:
            case StopStream():
                await self._stop_stream(action)
            case Post(part, piece):
                ts = await self._posts.post(self.target, piece, part)
            case Update(part, piece):
                ts = await self._posts.update(self.target, action.ts, piece, part)
            case Delete():
                await self._posts.delete(self.target, action.ts)
        self.plan.on_done(action, self._now(), ts)

    async def _stop_stream(self, action: StopStream) -> None:
        if self._stop:
            self._stop.release()
            self._stop = None
        ends_session = action.is_last and self.session.is_running
        await self._client.call(
            self.target.scope,
            "chat.stopStream",
            channel=self.target.channel,
            ts=action.ts,
            chunks=_chunks(action.text) if action.text else None,
            blocks=list(action.blocks) or None,
            metadata=self._posts.metadata(self.target, action.part),
            session_status="active" if ends_session else None,
        )
        if ends_session:
            self.session.is_running = False

    # --- reservations ---

    def _release_unused(self) -> None:
        """Give the reserved end of a stream back where no stream runs."""
        if self._stop and not self.plan.has_open_stream:
            self._stop.release()
            self._stop = None

    def release(self) -> None:
        """Give back what was reserved."""
        for reservation in (self._stop, self._edit):
            if reservation:
                reservation.release()
        self._stop = self._edit = None
        self.session.release()


def _chunks(text: str) -> list[dict[str, str]]:
    return [{"type": "markdown_text", "text": text}]
